package schedule_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"susul.dev/susul/server/replica/etcdtest"
	"susul.dev/susul/server/schedule"
)

const nodesPrefix = "/test/nodes/"

// member is a node that is counted until its stop.
type member struct {
	*schedule.Members
	told chan int
	stop func()
}

func join(t *testing.T, client *clientv3.Client, id string) *member {
	t.Helper()
	m := &member{told: make(chan int, 100)}
	m.Members = schedule.NewMembers(schedule.MembersOptions{
		Client: client, Prefix: nodesPrefix, ID: id, Value: id + ":1", Changed: func(nodes int) { m.told <- nodes },
		TTL: shortTTL, Logger: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	stopped := false
	m.stop = func() {
		if !stopped {
			stopped = true
			cancel()
			require.NoError(t, <-ended)
		}
	}
	t.Cleanup(m.stop)
	return m
}

// counts waits until a node was told a number.
func (m *member) counts(t *testing.T, nodes int) {
	t.Helper()
	for {
		select {
		case n := <-m.told:
			if n == nodes {
				require.Equal(t, nodes, m.Nodes())
				return
			}
		case <-time.After(patience):
			require.Failf(t, "the nodes are not counted", "%d are known, not %d", m.Nodes(), nodes)
		}
	}
}

func TestEveryNodeKnowsHowManyThereAre(t *testing.T) {
	etcd := etcdtest.Start(t)
	one := join(t, etcd.Client(), "one")
	one.counts(t, 1)
	two, three := join(t, etcd.Client(), "two"), join(t, etcd.Client(), "three")
	for _, m := range []*member{one, two, three} {
		m.counts(t, 3)
		<-m.Counted()
	}
	three.stop()
	one.counts(t, 2)
	two.counts(t, 2)

	// One whose entry is taken away, as when its lease lapsed, comes back.
	_, err := etcd.Client().Delete(t.Context(), nodesPrefix+"two")
	require.NoError(t, err)
	one.counts(t, 1)
	one.counts(t, 2)
	require.Equal(t, 2, two.Nodes())
}

func TestWithoutEtcdTheLastNumberOfNodesCounts(t *testing.T) {
	etcd := etcdtest.Start(t)
	gate := etcdtest.NewGate(t, etcd.Address())
	one, two := join(t, etcdtest.Dial(t, gate.Address()), "one"), join(t, etcdtest.Dial(t, gate.Address()), "two")
	one.counts(t, 2)
	two.counts(t, 2)
	gate.Close()
	require.Equal(t, 2, one.Nodes())
	two.stop()
	require.Equal(t, 2, one.Nodes(), "nobody can tell that it has gone")
	gate.Open(etcd.Address())
	one.counts(t, 1) // when the lease of the other has lapsed
	require.Empty(t, one.told)
}
