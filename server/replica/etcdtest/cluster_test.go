package etcdtest_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"

	"susul.dev/susul/server/replica/etcdtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A cluster of three outlasts one, and stops without two, until they are back.
func TestClusterNeedsTwoOfThree(t *testing.T) {
	t.Parallel()
	cluster := etcdtest.StartCluster(t, 3)
	put := func(value string, within time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		_, err := cluster.Client().Put(ctx, "key", value)
		return err
	}
	first := cluster.Leader()
	first.Kill()
	second := cluster.Leader()
	require.NotSame(t, first, second)
	require.NoError(t, put("without one", time.Minute))
	second.Freeze()
	require.Error(t, put("without two", time.Second))
	second.Thaw()
	second.AwaitHealthy()
	first.Start()
	first.AwaitHealthy()
	got, err := cluster.Client().Get(t.Context(), "key")
	require.NoError(t, err)
	require.NotEmpty(t, got.Kvs)
	require.Len(t, cluster.Followers(), 2)
}

func TestGatesAreOneNodesNetwork(t *testing.T) {
	t.Parallel()
	cluster := etcdtest.StartCluster(t, 1)
	gates := cluster.Gates()
	cut, whole := etcdtest.Dial(t, gates.Endpoints()...), cluster.Client()
	get := func(client *clientv3.Client, within time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		_, err := client.Get(ctx, "key")
		return err
	}
	require.NoError(t, get(cut, time.Minute))
	for _, network := range []struct{ cut, mend func() }{{gates.Close, gates.Open}, {gates.Stall, gates.Flow}} {
		network.cut()
		require.Error(t, get(cut, 200*time.Millisecond))
		require.NoError(t, get(whole, time.Minute))
		network.mend()
		require.NoError(t, get(cut, time.Minute))
	}
}
