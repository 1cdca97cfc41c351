package policy_test

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"susul.dev/susul/server/policy"
	"susul.dev/susul/server/policy/etcdtest"
)

func TestEtcdStopsAndComesBack(t *testing.T) {
	t.Parallel()
	etcd := etcdtest.Start(t)
	n := newNode(t, etcd)
	created, err := n.Create(t.Context(), news())
	require.NoError(t, err)
	require.Eventually(t, n.connected, patience, 10*time.Millisecond)

	etcd.Stop()
	require.Eventually(t, func() bool { return !n.connected() }, patience, 10*time.Millisecond)
	require.Error(t, n.Status().LastError)
	require.Zero(t, n.metric(t, "susul_policy_watch_connected"))
	require.True(t, has(created.ID)(n.Snapshot()), "the last snapshot goes on serving")
	other := news()
	other.ID = "other"
	refused := make(chan error, 3)
	began := time.Now()
	go func() { _, err := n.Update(t.Context(), 0, created.ID, pause); refused <- err }()
	go func() { _, err := n.Create(t.Context(), other); refused <- err }()
	go func() { refused <- n.Delete(t.Context(), created.ID, 0) }()
	for range cap(refused) {
		require.ErrorIs(t, <-refused, policy.ErrUnavailable)
	}
	require.Less(t, time.Since(began), 10*time.Second, "no write hangs")

	etcd.Start()
	require.Eventually(t, n.connected, patience, 10*time.Millisecond)
	require.NoError(t, n.Status().LastError)
	_, err = n.Update(t.Context(), 0, created.ID, pause)
	require.NoError(t, err)
	got, _ := n.Snapshot().Get(created.ID)
	require.True(t, got.Policy.Paused)
	require.EqualValues(t, 1, n.metric(t, "susul_policy_loads_total"), "the watch resumed; nothing was loaded again")
}

func TestCompactionDuringAGap(t *testing.T) {
	t.Parallel()
	etcd := etcdtest.Start(t)
	gate := newGate(t, etcd.Address())
	writer := newNode(t, etcd)
	n := startNode(t, etcdtest.Dial(t, gate.address))
	created, err := writer.Create(t.Context(), news())
	require.NoError(t, err)
	n.waitFor(t, has(created.ID))

	gate.close()
	require.Eventually(t, func() bool { return !n.connected() }, patience, 10*time.Millisecond)
	require.NoError(t, writer.Delete(t.Context(), created.ID, 0))
	other := news()
	other.ID = "other"
	written, err := writer.Create(t.Context(), other)
	require.NoError(t, err)
	_, err = writer.client.Compact(t.Context(), written.Revision, clientv3.WithCompactPhysical())
	require.NoError(t, err)
	require.True(t, has(created.ID)(n.Snapshot()), "it can't know yet")

	gate.open()
	s := n.waitFor(t, has("other"))
	require.False(t, has(created.ID)(s), "the deletion was missed, but the reload shows it")
	require.EqualValues(t, 2, n.metric(t, "susul_policy_loads_total"))
}

func TestEtcdThatWentBackIsLoadedAgain(t *testing.T) {
	t.Parallel()
	etcd := etcdtest.Start(t)
	gate := newGate(t, etcd.Address())
	n := startNode(t, etcdtest.Dial(t, gate.address))
	for range 3 {
		_, err := n.Create(t.Context(), news())
		require.NoError(t, err)
		require.NoError(t, n.Delete(t.Context(), "morning-news", 0))
	}

	gate.close()
	restored := etcdtest.Start(t)
	p := news()
	p.ID = "restored"
	spec, err := p.Encode()
	require.NoError(t, err)
	put, err := restored.Client().Put(t.Context(), policy.Prefix+p.ID, string(spec))
	require.NoError(t, err)
	require.Less(t, put.Header.GetRevision(), n.Snapshot().Revision)
	gate.target = restored.Address()
	gate.open()
	require.Eventually(t, func() bool { return has("restored")(n.Snapshot()) }, patience, 10*time.Millisecond)
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
	require.ErrorIs(t, n.Status().LastError, policy.ErrUnavailable)
	require.Empty(t, n.Snapshot().List())
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

// gate is a TCP proxy that can be closed: a network that fails while etcd lives.
type gate struct {
	t       *testing.T
	address string
	target  string
	ln      net.Listener
	cancel  context.CancelFunc
	done    chan struct{}
}

func newGate(t *testing.T, target string) *gate {
	t.Helper()
	g := &gate{t: t, address: "127.0.0.1:0", target: target}
	g.open()
	t.Cleanup(func() { g.close() })
	return g
}

func (g *gate) open() {
	g.t.Helper()
	ln, err := net.Listen("tcp", g.address)
	require.NoError(g.t, err)
	g.ln, g.address, g.done = ln, ln.Addr().String(), make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	g.cancel = cancel
	go func() {
		defer close(g.done)
		g.serve(ctx, ln, g.target)
	}()
}

// close cuts all connections and refuses new ones.
func (g *gate) close() {
	g.cancel()
	_ = g.ln.Close() // a second time says that it is closed
	<-g.done
}

func (g *gate) serve(ctx context.Context, ln net.Listener, target string) {
	var pipes sync.WaitGroup
	defer pipes.Wait()
	for {
		in, err := ln.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", target)
		if err != nil {
			_ = in.Close()
			continue
		}
		stop := context.AfterFunc(ctx, func() { _, _ = in.Close(), out.Close() })
		pipe := func(to, from net.Conn) {
			_, _ = io.Copy(to, from) // ends with either connection
			_, _ = to.Close(), from.Close()
			stop()
		}
		pipes.Go(func() { pipe(in, out) })
		pipes.Go(func() { pipe(out, in) })
	}
}
