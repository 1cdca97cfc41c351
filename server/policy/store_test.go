package policy_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"pgregory.net/rapid"

	"susul.dev/susul/server/policy"
	"susul.dev/susul/server/replica/etcdtest"
)

// patience bounds what must happen soon, on a machine that may be busy.
const patience = 20 * time.Second

var start = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

// node is one node's store.
type node struct {
	*policy.Store
	client   *clientv3.Client
	clock    *clockwork.FakeClock
	registry *prometheus.Registry
}

func unstartedNode(client *clientv3.Client) *node {
	n := &node{client: client, clock: clockwork.NewFakeClockAt(start), registry: prometheus.NewRegistry()}
	n.Store = policy.New(policy.Options{
		Client: n.client, Clock: n.clock, Logger: slog.New(slog.DiscardHandler), Registerer: n.registry,
	})
	return n
}

// newNode returns a store that has loaded and runs until the test ends.
func newNode(t testing.TB, etcd *etcdtest.Server) *node {
	t.Helper()
	return startNode(t, etcd.Client())
}

func startNode(t testing.TB, client *clientv3.Client) *node {
	t.Helper()
	n := unstartedNode(client)
	ctx, cancel := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() { _ = n.Run(ctx) }) // nil, as it says
	t.Cleanup(func() { cancel(); run.Wait() })
	select {
	case <-n.Loaded():
	case <-time.After(patience):
		require.Fail(t, "policies were not loaded", "%+v", n.Status())
	}
	return n
}

// waitFor returns the first snapshot for which the condition holds.
func (n *node) waitFor(t *testing.T, condition func(*policy.Snapshot) bool) *policy.Snapshot {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s := n.Snapshot()
	for !condition(s) {
		var err error
		s, err = n.Wait(ctx, s.Revision)
		require.NoError(t, err)
	}
	return s
}

// metric returns the value of a gauge or counter.
func (n *node) metric(t *testing.T, name string) float64 {
	t.Helper()
	families, err := n.registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() == name {
			m := family.GetMetric()[0]
			return m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	require.Fail(t, "no such metric", name)
	return 0
}

func (n *node) connected() bool { return n.Status().Connected }

func pause(p policy.Policy) (policy.Policy, error) {
	p.Paused = true
	return p, nil
}

func has(id string) func(*policy.Snapshot) bool {
	return func(s *policy.Snapshot) bool { _, ok := s.Get(id); return ok }
}

func TestCreateUpdateDelete(t *testing.T) {
	n := newNode(t, etcdtest.Start(t))
	ctx := t.Context()
	created, err := n.Create(ctx, news())
	require.NoError(t, err)
	require.NotEmpty(t, created.UID)
	require.NotZero(t, created.Revision)
	require.Equal(t, start, created.CreateTime)
	require.Equal(t, start, created.UpdateTime)
	got, ok := n.Snapshot().Get("morning-news")
	require.True(t, ok, "the node has it when Create returns")
	require.Equal(t, created.Revision, got.Policy.Revision)
	require.Equal(t, created.UID, got.Policy.UID)
	stored, err := n.client.Get(ctx, policy.Prefix+"morning-news")
	require.NoError(t, err)
	require.Equal(t, string(got.Spec()), string(stored.Kvs[0].Value), "what is pinned is what is stored")

	_, err = n.Create(ctx, news())
	require.ErrorIs(t, err, policy.ErrExists)

	n.clock.Advance(time.Minute)
	updated, err := n.Update(ctx, created.Revision, created.ID, func(p policy.Policy) (policy.Policy, error) {
		require.Equal(t, created.Revision, p.Revision)
		p.ID, p.UID, p.CreateTime = "forged", "forged", time.Time{}
		return pause(p)
	})
	require.NoError(t, err)
	require.Greater(t, updated.Revision, created.Revision)
	require.Equal(t, created.UID, updated.UID)
	require.Equal(t, "morning-news", updated.ID)
	require.Equal(t, start, updated.CreateTime)
	require.Equal(t, start.Add(time.Minute), updated.UpdateTime)
	got, _ = n.Snapshot().Get(created.ID)
	require.True(t, got.Policy.Paused)

	_, err = n.Update(ctx, created.Revision, created.ID, pause)
	require.ErrorIs(t, err, policy.ErrConflict)
	_, err = n.Update(ctx, 0, "nobody", pause)
	require.ErrorIs(t, err, policy.ErrNotFound)
	refuse := errors.New("refused")
	_, err = n.Update(ctx, 0, created.ID, func(p policy.Policy) (policy.Policy, error) { return p, refuse })
	require.ErrorIs(t, err, refuse)

	require.ErrorIs(t, n.Delete(ctx, created.ID, created.Revision), policy.ErrConflict)
	require.NoError(t, n.Delete(ctx, created.ID, updated.Revision))
	require.False(t, has(created.ID)(n.Snapshot()))
	require.ErrorIs(t, n.Delete(ctx, created.ID, 0), policy.ErrNotFound)

	again, err := n.Create(ctx, news())
	require.NoError(t, err)
	require.NotEqual(t, created.UID, again.UID)
	require.NoError(t, n.Delete(ctx, again.ID, 0))
}

func TestWritesRefuseInvalidPolicies(t *testing.T) {
	n := newNode(t, etcdtest.Start(t))
	var invalid *policy.InvalidError
	bad := news()
	bad.Match = "1"
	_, err := n.Create(t.Context(), bad)
	require.ErrorAs(t, err, &invalid)
	_, err = n.Create(t.Context(), news())
	require.NoError(t, err)
	_, err = n.Update(t.Context(), 0, "morning-news", func(policy.Policy) (policy.Policy, error) { return bad, nil })
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, "match", invalid.Violations[0].Field)
}

func TestConcurrentUpdates(t *testing.T) {
	etcd := etcdtest.Start(t)
	nodes := []*node{newNode(t, etcd), newNode(t, etcd)}
	created, err := nodes[0].Create(t.Context(), news())
	require.NoError(t, err)
	nodes[1].waitFor(t, has(created.ID))

	const writers = 8
	update := func(revision int64) (won, lost int64) {
		var wins, losses atomic.Int64
		var group sync.WaitGroup
		for i := range writers {
			group.Go(func() {
				_, err := nodes[i%2].Update(t.Context(), revision, created.ID, func(p policy.Policy) (policy.Policy, error) {
					p.Priority++
					return p, nil
				})
				switch {
				case err == nil:
					wins.Add(1)
				case errors.Is(err, policy.ErrConflict):
					losses.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		group.Wait()
		return wins.Load(), losses.Load()
	}
	won, lost := update(created.Revision)
	require.EqualValues(t, 1, won, "one wins with the etag")
	require.EqualValues(t, writers-1, lost)
	won, _ = update(0)
	require.EqualValues(t, writers, won, "all win without")
	nodes[0].waitFor(t, func(s *policy.Snapshot) bool { // no update is lost
		c, ok := s.Get(created.ID)
		return ok && c.Policy.Priority == 1+writers
	})
}

func TestChangeIsLiveOnEveryNodeWithinASecond(t *testing.T) {
	etcd := etcdtest.Start(t)
	one, two := newNode(t, etcd), newNode(t, etcd)
	created, err := one.Create(t.Context(), news())
	require.NoError(t, err)
	two.waitFor(t, has(created.ID))
	began := time.Now()
	_, err = one.Update(t.Context(), 0, created.ID, pause)
	require.NoError(t, err)
	two.waitFor(t, func(s *policy.Snapshot) bool { c, ok := s.Get(created.ID); return ok && c.Policy.Paused })
	require.Less(t, time.Since(began), time.Second)
	t.Logf("a change was live on the other node after %s", time.Since(began))
}

func TestBrokenPolicyKeepsItsLastGoodVersion(t *testing.T) {
	etcd := etcdtest.Start(t)
	n := newNode(t, etcd)
	created, err := n.Create(t.Context(), news())
	require.NoError(t, err)
	for i, spec := range []string{`{`, `{"id":"another"}`, `{"id":"morning-news"}`} {
		put, err := n.client.Put(t.Context(), policy.Prefix+created.ID, spec)
		require.NoError(t, err)
		s := n.waitFor(t, func(s *policy.Snapshot) bool { return s.Revision >= put.Header.GetRevision() })
		got, ok := s.Get(created.ID)
		require.True(t, ok, "case %d", i)
		require.Equal(t, created.Revision, got.Policy.Revision)
		require.Equal(t, []string{created.ID}, n.Status().Broken)
	}
	require.EqualValues(t, 1, n.metric(t, "susul_policies_broken"))
	other := newNode(t, etcd)
	require.Empty(t, other.Snapshot().List(), "a node that saw no good version serves none")
	require.Equal(t, []string{created.ID}, other.Status().Broken)

	require.NoError(t, n.Delete(t.Context(), created.ID, 0), "it can be repaired")
	require.Empty(t, n.Status().Broken)
	_, err = n.Create(t.Context(), news())
	require.NoError(t, err)
	other.waitFor(t, has(created.ID))
}

func TestSnapshotEqualsModel(t *testing.T) {
	etcd := etcdtest.Start(t)
	one, two := newNode(t, etcd), newNode(t, etcd)
	ids := rapid.SampledFrom([]string{"a", "b", "c", "d"})
	rapid.Check(t, func(rt *rapid.T) {
		for _, c := range one.Snapshot().List() {
			require.NoError(rt, one.Delete(t.Context(), c.Policy.ID, 0))
		}
		model, switches := make(map[string]policy.Policy), make(map[string]policy.Switch)
		rt.Repeat(map[string]func(*rapid.T){
			"create": func(rt *rapid.T) {
				p := news()
				p.ID, p.Priority = ids.Draw(rt, "id"), rapid.Int32().Draw(rt, "priority")
				created, err := one.Create(t.Context(), p)
				if _, exists := model[p.ID]; exists {
					require.ErrorIs(rt, err, policy.ErrExists)
					return
				}
				require.NoError(rt, err)
				model[p.ID] = created
			},
			"update": func(rt *rapid.T) {
				id, priority := ids.Draw(rt, "id"), rapid.Int32().Draw(rt, "priority")
				updated, err := one.Update(t.Context(), model[id].Revision, id, func(p policy.Policy) (policy.Policy, error) {
					p.Priority = priority
					return p, nil
				})
				if _, exists := model[id]; !exists {
					require.ErrorIs(rt, err, policy.ErrNotFound)
					return
				}
				require.NoError(rt, err)
				model[id] = updated
			},
			"delete": func(rt *rapid.T) {
				id := ids.Draw(rt, "id")
				err := one.Delete(t.Context(), id, model[id].Revision)
				if _, exists := model[id]; !exists {
					require.ErrorIs(rt, err, policy.ErrNotFound)
					return
				}
				require.NoError(rt, err)
				delete(model, id)
			},
			"switch": func(rt *rapid.T) {
				w, err := one.SetSwitch(t.Context(), policy.Switch{App: ids.Draw(rt, "app"), Stopped: rapid.Bool().Draw(rt, "stopped")})
				require.NoError(rt, err)
				switches[w.App] = w
			},
			"": func(rt *rapid.T) { requireModel(rt, model, switches, one.Snapshot()) },
		})
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		other, err := two.Wait(ctx, one.Snapshot().Revision-1)
		require.NoError(rt, err)
		requireModel(rt, model, switches, other)
	})
}

func requireModel(t require.TestingT, model map[string]policy.Policy, switches map[string]policy.Switch, s *policy.Snapshot) {
	for app, want := range switches { // those of an earlier run stay
		got, _ := s.Switch(app)
		require.Equal(t, want, got)
		require.Equal(t, want.Stopped, s.FollowUpsStopped(app))
	}
	require.Len(t, s.List(), len(model))
	for _, c := range s.List() {
		want := model[c.Policy.ID]
		require.Equal(t, want.UID, c.Policy.UID)
		require.Equal(t, want.Revision, c.Policy.Revision)
		require.Equal(t, want.Priority, c.Policy.Priority)
	}
}

// BenchmarkApply is the time from a write to its snapshot on the same node, beside many other policies.
func BenchmarkApply(b *testing.B) {
	etcd := etcdtest.Start(b)
	client := etcd.Client()
	p := news()
	const count = 5000
	for i := range count {
		p.ID = fmt.Sprintf("p%d", i)
		spec, err := p.Encode()
		require.NoError(b, err)
		_, err = client.Put(b.Context(), policy.Prefix+p.ID, string(spec))
		require.NoError(b, err)
	}
	began := time.Now()
	n := newNode(b, etcd)
	b.ReportMetric(float64(time.Since(began).Milliseconds()), "load-ms")
	require.Len(b, n.Snapshot().List(), count)
	for b.Loop() {
		_, err := n.Update(b.Context(), 0, "p7", pause)
		require.NoError(b, err)
	}
}
