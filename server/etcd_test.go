package server

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"

	"susul.dev/susul/server/policy"
	"susul.dev/susul/server/replica/etcdtest"
	"susul.dev/susul/server/schedule"
	"susul.dev/susul/storage"
)

func quietLogger() *slog.Logger { return slog.New(slog.DiscardHandler) }

// stopEtcd stops within a bound, and fails the test if that does not work.
func stopEtcd(t *testing.T, stop func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	require.NoError(t, stop(ctx))
}

func TestEmbeddedEtcdKeepsItsDataAndLeavesNothingRunning(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := t.TempDir()
	for round := range 3 {
		client, stop, err := startEtcd(t.Context(), etcdOptions{DataDir: dir, Logger: quietLogger()})
		require.NoError(t, err)
		got, err := client.Get(t.Context(), "round")
		require.NoError(t, err)
		if round > 0 {
			require.Len(t, got.Kvs, 1)
			require.Equal(t, []byte{byte(round - 1)}, got.Kvs[0].Value)
		}
		_, err = client.Put(t.Context(), "round", string([]byte{byte(round)}))
		require.NoError(t, err)
		stopEtcd(t, stop)
	}
	require.DirExists(t, filepath.Join(dir, "etcd", "member"))
}

func TestEmbeddedEtcdStartsAndStopsQuietly(t *testing.T) {
	var log bytes.Buffer
	_, stop, err := startEtcd(t.Context(), etcdOptions{DataDir: t.TempDir(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	stopEtcd(t, stop)
	require.Empty(t, log.String())
}

func TestEmbeddedEtcdForgetsTheLeasesOfAProcessThatCrashed(t *testing.T) {
	dir := t.TempDir()
	client, stop, err := startEtcd(t.Context(), etcdOptions{DataDir: dir, Logger: quietLogger()})
	require.NoError(t, err)
	lease, err := client.Grant(t.Context(), 3600)
	require.NoError(t, err)
	_, err = client.Put(t.Context(), "candidate", "crashed", clientv3.WithLease(lease.ID))
	require.NoError(t, err)
	_, err = client.Put(t.Context(), "policy", "kept")
	require.NoError(t, err)
	stopEtcd(t, stop)

	client, stop, err = startEtcd(t.Context(), etcdOptions{DataDir: dir, Logger: quietLogger()})
	require.NoError(t, err)
	defer stopEtcd(t, stop)
	got, err := client.Get(t.Context(), "", clientv3.WithPrefix())
	require.NoError(t, err)
	require.Len(t, got.Kvs, 1)
	require.Equal(t, "policy", string(got.Kvs[0].Key))
}

func TestEmbeddedEtcdListensNowhere(t *testing.T) {
	cfg := embeddedConfig(etcdOptions{DataDir: t.TempDir(), Logger: quietLogger()})
	require.Empty(t, cfg.ListenClientUrls)
	require.Empty(t, cfg.ListenPeerUrls)
	require.Empty(t, cfg.ListenMetricsUrls)
	require.False(t, cfg.UnsafeNoFsync)
}

func TestEmbeddedEtcdServesTwoAtOnce(t *testing.T) {
	for range 2 {
		client, stop, err := startEtcd(t.Context(), etcdOptions{DataDir: t.TempDir(), Logger: quietLogger()})
		require.NoError(t, err, "no port to clash over")
		defer stopEtcd(t, stop)
		_, err = client.Put(t.Context(), "a", "b")
		require.NoError(t, err)
	}
}

func TestEmbeddedEtcdWatchesAndLeases(t *testing.T) {
	client, stop, err := startEtcd(t.Context(), etcdOptions{DataDir: t.TempDir(), Logger: quietLogger()})
	require.NoError(t, err)
	defer stopEtcd(t, stop)
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(t.Context()))
	defer cancel()
	responses := client.Watch(ctx, "k", clientv3.WithPrefix(), clientv3.WithCreatedNotify())
	require.True(t, (<-responses).Created)
	require.NoError(t, client.RequestProgress(ctx))
	progress := <-responses
	require.True(t, progress.IsProgressNotify())
	lease, err := client.Grant(t.Context(), 5)
	require.NoError(t, err)
	_, err = client.Put(t.Context(), "key", "value", clientv3.WithLease(lease.ID))
	require.NoError(t, err)
	require.Len(t, (<-responses).Events, 1)
	remaining, err := client.TimeToLive(t.Context(), lease.ID)
	require.NoError(t, err)
	require.Positive(t, remaining.TTL)
}

func TestEmbeddedEtcdCarriesPoliciesAndElections(t *testing.T) {
	client, stop, err := startEtcd(t.Context(), etcdOptions{DataDir: t.TempDir(), Logger: quietLogger()})
	require.NoError(t, err)
	defer stopEtcd(t, stop)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	store := policy.New(policy.Options{Client: client, Clock: clockwork.NewRealClock(), Logger: quietLogger()})
	election := schedule.New(schedule.ElectionOptions{Client: client, Candidate: "me", TTL: 2 * time.Second, Logger: quietLogger()})
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	group.Go(func() { _ = store.Run(ctx) }) // nil, as it says
	elected := make(chan context.Context, 10)
	group.Go(func() {
		_ = election.Run(ctx, func(ctx context.Context, _ int64) error {
			elected <- ctx
			<-ctx.Done()
			return nil
		})
	})

	select {
	case <-store.Loaded():
	case <-ctx.Done():
		require.Fail(t, "policies were not loaded")
	}
	_, err = store.Create(ctx, policy.Policy{
		ID: "a", Trigger: policy.Trigger{Unless: storage.Clicked},
		Steps: []policy.Step{{After: time.Hour, Contents: policy.Contents{Content: &policy.Content{Title: "t"}}}},
	})
	require.NoError(t, err)
	require.Len(t, store.Snapshot().List(), 1)
	var leading context.Context
	select {
	case leading = <-elected:
	case <-ctx.Done():
		require.Fail(t, "nobody was elected")
	}
	select {
	case <-leading.Done():
		require.Fail(t, "the lease is kept, so that its leader stays", "%v", context.Cause(leading))
	case <-time.After(4 * time.Second): // two times to live
	}
	require.True(t, store.Status().Connected)
	address, known := election.Leader()
	require.True(t, known)
	require.Equal(t, "me", address)
}

func TestEmbeddedEtcdThatCannotStart(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "etcd"), []byte("a file, no folder"), 0o600))
	_, _, err := startEtcd(t.Context(), etcdOptions{DataDir: dir, Logger: quietLogger()})
	require.ErrorContains(t, err, "start embedded etcd")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = startEtcd(ctx, etcdOptions{DataDir: t.TempDir(), Logger: quietLogger()})
	require.ErrorIs(t, err, context.Canceled)
}

func TestEtcdCluster(t *testing.T) {
	etcd := etcdtest.Start(t)
	for _, endpoint := range []string{etcd.Address(), "http://" + etcd.Address()} {
		client, stop, err := startEtcd(t.Context(), etcdOptions{Endpoints: []string{endpoint}, Logger: quietLogger()})
		require.NoError(t, err)
		_, err = client.Put(t.Context(), "a", "b")
		require.NoError(t, err)
		stopEtcd(t, stop)
	}
}

func TestEtcdClusterThatIsDown(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, ln.Close())
	began := time.Now()
	client, stop, err := startEtcd(t.Context(), etcdOptions{Endpoints: []string{ln.Addr().String()}, Logger: quietLogger()})
	require.NoError(t, err, "it may come up later")
	require.Less(t, time.Since(began), 5*time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = client.Get(ctx, "a")
	require.Error(t, err)
	stopEtcd(t, stop)
}

func TestEtcdLogsReachOurLogger(t *testing.T) {
	var out bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&out, nil))
	cfg := embeddedConfig(etcdOptions{DataDir: t.TempDir(), Logger: logger})
	require.NoError(t, cfg.Validate())
	log := cfg.GetLogger().Named("x").With()
	log.Info("not told")
	log.Warn("server has stopped; skipping GoAttach") // etcd races with its own stop
	log.Warn("told")
	log.Error("loud")
	require.NotContains(t, out.String(), "not told")
	require.NotContains(t, out.String(), "GoAttach")
	require.Contains(t, out.String(), "level=WARN msg=told component=etcd")
	require.Contains(t, out.String(), "level=ERROR msg=loud component=etcd")
}
