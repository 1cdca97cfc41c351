package replica_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"susul.dev/susul/server/replica/etcdtest"
)

func TestEtcdStopsAndComesBack(t *testing.T) {
	t.Parallel()
	etcd := etcdtest.Start(t)
	n := newNode(t, etcd.Client())
	n.set(t, "a", "1")
	require.Eventually(t, n.connected, patience, 10*time.Millisecond)
	require.EqualValues(t, 1, n.metric(t, "susul_thing_watch_connected"))
	require.WithinDuration(t, time.Now(), n.Status().Confirmed, patience)
	require.InDelta(t, n.Status().Confirmed.Unix(), n.metric(t, "susul_thing_confirmed_timestamp_seconds"), 1)

	etcd.Stop()
	require.Eventually(t, func() bool { return !n.connected() }, patience, 10*time.Millisecond)
	require.Error(t, n.Status().LastError)
	require.WithinDuration(t, time.Now(), n.Status().Since, patience)
	require.True(t, n.Status().Confirmed.Before(n.Status().Since))
	require.Equal(t, time.Hour, n.Status().Age(n.Status().Confirmed.Add(time.Hour)), "its age grows")
	require.Zero(t, n.metric(t, "susul_thing_watch_connected"))
	require.NotZero(t, n.metric(t, "susul_thing_watch_failures_total"))
	require.True(t, is("a", "1")(n.Snapshot()), "the last snapshot goes on serving")
	refused := make(chan error, 5)
	began := time.Now()
	go func() { _, err := n.Update(t.Context(), prefix+"a", 0, to("2")); refused <- err }()
	go func() { _, err := n.Create(t.Context(), prefix+"b", nil); refused <- err }()
	go func() { _, err := n.Count(t.Context(), prefix); refused <- err }()
	go func() { refused <- n.Set(t.Context(), prefix+"a", nil) }()
	go func() { refused <- n.Delete(t.Context(), prefix+"a", 0) }()
	for range cap(refused) {
		require.ErrorIs(t, <-refused, errUnavailable)
	}
	require.Less(t, time.Since(began), 10*time.Second, "no write hangs")

	etcd.Start()
	require.Eventually(t, n.connected, patience, 10*time.Millisecond)
	require.NoError(t, n.Status().LastError)
	n.set(t, "a", "3")
	require.True(t, is("a", "3")(n.Snapshot()))
	require.EqualValues(t, 1, n.metric(t, "susul_thing_loads_total"), "the watch resumed; nothing was loaded again")
}

func TestCompactionDuringAGap(t *testing.T) {
	t.Parallel()
	etcd := etcdtest.Start(t)
	gate := etcdtest.NewGate(t, etcd.Address())
	writer := newNode(t, etcd.Client())
	n := newNode(t, etcdtest.Dial(t, gate.Address()))
	writer.set(t, "a", "1")
	writer.set(t, "broken", "bad")
	n.waitFor(t, is("a", "1"))
	require.Eventually(t, func() bool { return len(n.Status().Broken) == 1 }, patience, 10*time.Millisecond)

	gate.Close()
	require.Eventually(t, func() bool { return !n.connected() }, patience, 10*time.Millisecond)
	require.NoError(t, writer.Delete(t.Context(), prefix+"a", 0))
	require.NoError(t, writer.Delete(t.Context(), prefix+"broken", 0))
	writer.set(t, "b", "1")
	_, err := writer.client.Compact(t.Context(), writer.Snapshot().revision, clientv3.WithCompactPhysical())
	require.NoError(t, err)
	require.True(t, is("a", "1")(n.Snapshot()), "it can't know yet")

	gate.Open(etcd.Address())
	s := n.waitFor(t, is("b", "1"))
	require.True(t, isAbsent("a")(s), "the deletion was missed, but the reload shows it")
	require.Empty(t, n.Status().Broken)
	require.EqualValues(t, 2, n.metric(t, "susul_thing_loads_total"))
}

func TestWhatBrokeDuringAGapKeepsItsLastGoodVersion(t *testing.T) {
	t.Parallel()
	etcd := etcdtest.Start(t)
	gate := etcdtest.NewGate(t, etcd.Address())
	writer := newNode(t, etcd.Client())
	n := newNode(t, etcdtest.Dial(t, gate.Address()))
	writer.set(t, "a", "1")
	n.waitFor(t, is("a", "1"))

	gate.Close()
	writer.set(t, "a", "bad")
	writer.set(t, "b", "1")
	_, err := writer.client.Compact(t.Context(), writer.Snapshot().revision, clientv3.WithCompactPhysical())
	require.NoError(t, err)
	gate.Open(etcd.Address())
	s := n.waitFor(t, is("b", "1"))
	require.True(t, is("a", "1")(s))
	require.Equal(t, []string{"a"}, n.Status().Broken)
	require.EqualValues(t, 2, n.metric(t, "susul_thing_loads_total"))
}

func TestEtcdThatWentBackIsLoadedAgain(t *testing.T) {
	t.Parallel()
	etcd := etcdtest.Start(t)
	gate := etcdtest.NewGate(t, etcd.Address())
	n := newNode(t, etcdtest.Dial(t, gate.Address()))
	for range 6 {
		n.set(t, "a", "1")
	}
	gate.Close()
	restored := etcdtest.Start(t)
	put, err := restored.Client().Put(t.Context(), prefix+"restored", "1")
	require.NoError(t, err)
	require.Less(t, put.Header.GetRevision(), n.Snapshot().revision)
	gate.Open(restored.Address())
	require.Eventually(t, func() bool { return is("restored", "1")(n.Snapshot()) }, patience, 10*time.Millisecond)
	require.True(t, isAbsent("a")(n.Snapshot()))
}

func TestStartWithoutEtcd(t *testing.T) {
	t.Parallel()
	etcd := etcdtest.Start(t)
	client := etcd.Client()
	etcd.Stop()
	n := unstartedNode(client)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	require.Eventually(t, func() bool { return n.Status().LastError != nil }, patience, 10*time.Millisecond)
	require.ErrorIs(t, n.Status().LastError, errUnavailable)
	require.Empty(t, n.Snapshot().byName)
	select {
	case <-n.Loaded():
		require.Fail(t, "nothing was loaded")
	default:
	}
	etcd.Start()
	select {
	case <-n.Loaded():
	case <-time.After(patience):
		require.Fail(t, "not loaded after etcd came")
	}
	cancel()
	require.NoError(t, <-ended)
}
