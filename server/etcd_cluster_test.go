package server

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"susul.dev/susul/server/policy"
	"susul.dev/susul/server/replica/etcdtest"
	"susul.dev/susul/server/schedule"
	"susul.dev/susul/storage"
)

const (
	// clusterPatience bounds what must happen soon, on a machine that may be busy.
	clusterPatience = 30 * time.Second
	// trouble is how long a member is away: longer than a lease lasts, and shorter than gRPC takes to notice one that froze.
	trouble = 8 * time.Second
)

// member is a node as far as etcd is concerned: its policies, and a candidate who leads until the context ends.
type member struct {
	name     string
	client   *clientv3.Client
	policies *policy.Store
	election *schedule.Election
	elected  chan leading
}

type leading struct {
	ctx    context.Context
	resign context.CancelFunc
}

// join adds a node that runs until the test ends.
func join(t *testing.T, name string, ttl time.Duration, endpoints []string) *member {
	t.Helper()
	logger := slog.New(slog.NewTextHandler(t.Output(), nil)).With("node", name)
	client, stop, err := startEtcd(t.Context(), etcdOptions{Endpoints: endpoints, Logger: logger})
	require.NoError(t, err)
	m := &member{
		name: name, client: client, elected: make(chan leading, 100),
		policies: policy.New(policy.Options{Client: client, Clock: clockwork.NewRealClock(), Logger: logger}),
		election: schedule.New(schedule.ElectionOptions{Client: client, Candidate: name, TTL: ttl, Logger: logger}),
	}
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() { _ = m.policies.Run(ctx) }) // nil, as it says
	group.Go(func() {
		_ = m.election.Run(ctx, func(ctx context.Context, _ int64) error {
			resigned, resign := context.WithCancel(ctx)
			defer resign()
			m.elected <- leading{ctx, resign}
			<-resigned.Done()
			return nil
		})
	})
	t.Cleanup(func() { cancel(); group.Wait(); stopEtcd(t, stop) })
	select {
	case <-m.policies.Loaded():
	case <-time.After(clusterPatience):
		require.Fail(t, "policies were not loaded")
	}
	return m
}

func (m *member) awaitElection(t *testing.T, within time.Duration) leading {
	t.Helper()
	select {
	case l := <-m.elected:
		return l
	case <-time.After(within):
		require.Fail(t, "not elected", m.name)
		return leading{}
	}
}

func somePolicy(id string) policy.Policy {
	return policy.Policy{
		ID: id, Trigger: policy.Trigger{Unless: storage.Clicked},
		Steps: []policy.Step{{After: time.Hour, Contents: policy.Contents{Content: &policy.Content{Title: "t"}}}},
	}
}

// Whichever member of three is lost, and however: the leader stays, and every write of a policy is done.
func TestNobodyNoticesThatAMemberIsLost(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(*etcdtest.Cluster){
		"the leader is killed": func(c *etcdtest.Cluster) { c.Leader().Kill() },
		"the leader freezes":   func(c *etcdtest.Cluster) { c.Leader().Freeze() },
		"a follower freezes":   func(c *etcdtest.Cluster) { c.Followers()[0].Freeze() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := etcdtest.StartCluster(t, 3)
			one := join(t, "one", 0, cluster.Endpoints())
			leads := one.awaitElection(t, clusterPatience)
			two := join(t, "two", 0, cluster.Endpoints())
			requireWrites(t, two, 0, 10)
			lose(cluster)
			over := time.After(trouble)
			written := 10
			for done := false; !done; written += 10 {
				requireWrites(t, two, written, 10)
				require.NoError(t, leads.ctx.Err(), "%v", context.Cause(leads.ctx))
				select {
				case <-over:
					done = true
				default:
				}
			}
			require.Eventually(t, func() bool { return len(one.policies.Snapshot().List()) == written/2 }, clusterPatience, time.Millisecond)
			require.Empty(t, two.elected)
		})
	}
}

// requireWrites creates policies, changes each, and deletes every second one.
func requireWrites(t *testing.T, m *member, from, count int) {
	t.Helper()
	for i := from; i < from+count; i++ {
		id := fmt.Sprintf("p%d", i)
		created, err := m.policies.Create(t.Context(), somePolicy(id))
		require.NoError(t, err)
		_, err = m.policies.Update(t.Context(), created.Revision, id, func(p policy.Policy) (policy.Policy, error) {
			p.DisplayName = "changed"
			return p, nil
		})
		require.NoError(t, err)
		if i%2 == 0 {
			require.NoError(t, m.policies.Delete(t.Context(), id, 0))
		}
	}
}

// Whichever member a node's watches were with when it froze: the node learns of a resignation, and of policies, from the others.
func TestWatchesLeaveAMemberThatFreezes(t *testing.T) {
	t.Parallel()
	cluster := etcdtest.StartCluster(t, 3)
	nodes := []*member{join(t, "one", time.Minute, cluster.Endpoints())}
	leads := nodes[0].awaitElection(t, clusterPatience)
	nodes = append(nodes, join(t, "two", time.Minute, cluster.Endpoints()))
	for i, frozen := range cluster.Members {
		require.Eventually(t, func() bool {
			leader, known := nodes[1].election.Leader()
			return known && leader == nodes[0].name && nodes[1].policies.Status().Connected
		}, clusterPatience, time.Millisecond)
		frozen.Freeze()
		began := time.Now()
		leads.resign()
		created, err := nodes[0].policies.Create(t.Context(), somePolicy(fmt.Sprintf("frozen%d", i)))
		require.NoError(t, err)
		leads = nodes[1].awaitElection(t, clusterPatience)
		took := time.Since(began)
		ctx, cancel := context.WithTimeout(t.Context(), clusterPatience)
		_, err = nodes[1].policies.Wait(ctx, created.Revision-1)
		cancel()
		require.NoError(t, err)
		t.Logf("without %s: elected after %s, the policy is there after %s", frozen.Address(), took, time.Since(began))
		require.Less(t, time.Since(began), 10*time.Second, "before gRPC notices")
		frozen.Thaw()
		frozen.AwaitHealthy()
		nodes[0], nodes[1] = nodes[1], nodes[0]
	}
}
