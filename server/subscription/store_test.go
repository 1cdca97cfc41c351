package subscription_test

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

	"susul.dev/susul/server/replica/etcdtest"
	"susul.dev/susul/server/subscription"
)

// patience bounds what must happen soon, on a machine that may be busy.
const patience = 20 * time.Second

var start = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

// node is one node's store.
type node struct {
	*subscription.Store
	client   *clientv3.Client
	clock    *clockwork.FakeClock
	registry *prometheus.Registry
}

// newNode returns a store that has loaded and runs until the test ends.
func newNode(t testing.TB, etcd *etcdtest.Server) *node {
	t.Helper()
	n := &node{client: etcd.Client(), clock: clockwork.NewFakeClockAt(start), registry: prometheus.NewRegistry()}
	n.Store = subscription.New(subscription.Options{
		Client: n.client, Clock: n.clock, Logger: slog.New(slog.DiscardHandler), Registerer: n.registry,
	})
	require.Empty(t, n.Snapshot().All())
	ctx, cancel := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() { _ = n.Run(ctx) }) // nil, as it says
	t.Cleanup(func() { cancel(); run.Wait() })
	select {
	case <-n.Loaded():
	case <-time.After(patience):
		require.Fail(t, "subscriptions were not loaded", "%+v", n.Status())
	}
	return n
}

// waitFor returns the first snapshot for which the condition holds.
func (n *node) waitFor(t *testing.T, condition func(*subscription.Snapshot) bool) *subscription.Snapshot {
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

func pause(s subscription.Subscription) (subscription.Subscription, error) {
	s.Paused = true
	return s, nil
}

func names(list []*subscription.Compiled) []string {
	var out []string
	for _, c := range list {
		out = append(out, c.Subscription.App+"/"+c.Subscription.ID)
	}
	return out
}

func TestCreateUpdateDelete(t *testing.T) {
	etcd := etcdtest.Start(t)
	n, other := newNode(t, etcd), newNode(t, etcd)
	ctx := t.Context()
	created, err := n.Create(ctx, coupons())
	require.NoError(t, err)
	require.NotEmpty(t, created.UID)
	require.NotZero(t, created.Revision)
	require.Equal(t, start, created.CreateTime)
	require.Equal(t, start, created.UpdateTime)
	got, ok := n.Snapshot().Get("app1", "coupons")
	require.True(t, ok, "the node has it when Create returns")
	require.Equal(t, created, got.Subscription)
	matched, err := got.Filter.Matches(clicked(), promotion(t))
	require.NoError(t, err)
	require.True(t, matched)
	_, ok = n.Snapshot().Get("app2", "coupons")
	require.False(t, ok)
	s := other.waitFor(t, func(s *subscription.Snapshot) bool { return s.Revision >= created.Revision })
	got, _ = s.Get("app1", "coupons")
	require.Equal(t, created, got.Subscription, "nothing is lost on the way")

	_, err = n.Create(ctx, coupons())
	require.ErrorIs(t, err, subscription.ErrExists)
	require.EqualError(t, err, "subscription exists: apps/app1/subscriptions/coupons")

	n.clock.Advance(time.Minute)
	updated, err := n.Update(ctx, created.Revision, "app1", "coupons", func(s subscription.Subscription) (subscription.Subscription, error) {
		require.Equal(t, created, s)
		s.App, s.ID, s.UID, s.Start, s.CreateTime, s.UpdateTime = "forged", "forged", "forged", 7, time.Time{}, time.Time{}
		return pause(s)
	})
	require.NoError(t, err)
	want := created
	want.Paused, want.UpdateTime, want.Revision = true, start.Add(time.Minute), updated.Revision
	require.Equal(t, want, updated)
	require.Greater(t, updated.Revision, created.Revision)
	got, _ = n.Snapshot().Get("app1", "coupons")
	require.Equal(t, updated, got.Subscription)

	_, err = n.Update(ctx, created.Revision, "app1", "coupons", pause)
	require.ErrorIs(t, err, subscription.ErrConflict)
	_, err = n.Update(ctx, 0, "app1", "nobody", pause)
	require.ErrorIs(t, err, subscription.ErrNotFound)
	refuse := errors.New("refused")
	_, err = n.Update(ctx, 0, "app1", "coupons", func(s subscription.Subscription) (subscription.Subscription, error) { return s, refuse })
	require.ErrorIs(t, err, refuse)

	require.ErrorIs(t, n.Delete(ctx, "app1", "coupons", created.Revision), subscription.ErrConflict)
	require.NoError(t, n.Delete(ctx, "app1", "coupons", updated.Revision))
	require.Empty(t, n.Snapshot().All())
	require.ErrorIs(t, n.Delete(ctx, "app1", "coupons", 0), subscription.ErrNotFound)

	again, err := n.Create(ctx, coupons())
	require.NoError(t, err)
	require.NotEqual(t, created.UID, again.UID, "one of the same name is another")
	require.NoError(t, n.Delete(ctx, "app1", "coupons", 0))
}

func TestWritesRefuseInvalidSubscriptions(t *testing.T) {
	n := newNode(t, etcdtest.Start(t))
	var invalid *subscription.InvalidError
	bad := coupons()
	bad.Filter = "1"
	_, err := n.Create(t.Context(), bad)
	require.ErrorAs(t, err, &invalid)
	_, err = n.Create(t.Context(), coupons())
	require.NoError(t, err)
	_, err = n.Update(t.Context(), 0, "app1", "coupons", func(subscription.Subscription) (subscription.Subscription, error) { return bad, nil })
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, "filter", invalid.Violations[0].Field)
	got, _ := n.Snapshot().Get("app1", "coupons")
	require.Equal(t, coupons().Filter, got.Subscription.Filter)
}

func TestConcurrentUpdates(t *testing.T) {
	etcd := etcdtest.Start(t)
	nodes := []*node{newNode(t, etcd), newNode(t, etcd)}
	created, err := nodes[0].Create(t.Context(), coupons())
	require.NoError(t, err)
	const writers = 8
	update := func(revision int64) (won, lost int64) {
		var wins, losses atomic.Int64
		var group sync.WaitGroup
		for i := range writers {
			group.Go(func() {
				_, err := nodes[i%2].Update(t.Context(), revision, "app1", "coupons", func(s subscription.Subscription) (subscription.Subscription, error) {
					s.MaxConcurrency++
					return s, nil
				})
				switch {
				case err == nil:
					wins.Add(1)
				case errors.Is(err, subscription.ErrConflict):
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
	nodes[0].waitFor(t, func(s *subscription.Snapshot) bool { // no update is lost
		c, ok := s.Get("app1", "coupons")
		return ok && c.Subscription.MaxConcurrency == 1+writers
	})
}

func TestRotate(t *testing.T) {
	n := newNode(t, etcdtest.Start(t))
	ctx := t.Context()
	_, err := n.Rotate(ctx, "app1", "coupons", time.Hour)
	require.ErrorIs(t, err, subscription.ErrNotFound)
	_, err = n.Create(ctx, coupons())
	require.NoError(t, err)

	first, err := n.Rotate(ctx, "app1", "coupons", time.Hour)
	require.NoError(t, err)
	require.Len(t, first.Secrets, 2)
	made := first.Secrets[0].Key
	require.Regexp(t, `^whsec_[A-Za-z0-9+/]{43}=$`, made)
	require.Equal(t, []string{made, secret}, first.Live(n.clock.Now()))
	require.Equal(t, start.Add(time.Hour), first.Secrets[1].ExpireTime)
	got, _ := n.Snapshot().Get("app1", "coupons")
	require.Equal(t, first, got.Subscription)
	require.Equal(t, []string{made, secret}, got.Subscription.Live(start.Add(time.Hour-1)))
	require.Equal(t, []string{made}, got.Subscription.Live(start.Add(time.Hour)))

	n.clock.Advance(time.Minute)
	second, err := n.Rotate(ctx, "app1", "coupons", 2*time.Hour)
	require.NoError(t, err)
	require.Equal(t, []string{second.Secrets[0].Key, made}, second.Live(n.clock.Now()), "of two, the newest is kept")
	require.NotEqual(t, made, second.Secrets[0].Key)
	require.Equal(t, start.Add(time.Minute+2*time.Hour), second.Secrets[1].ExpireTime)

	third, err := n.Rotate(ctx, "app1", "coupons", 0)
	require.NoError(t, err)
	require.Len(t, third.Secrets, 1, "the one before ends at once")
}

func TestBrokenSubscriptionKeepsItsLastGoodVersion(t *testing.T) {
	etcd := etcdtest.Start(t)
	n := newNode(t, etcd)
	created, err := n.Create(t.Context(), coupons())
	require.NoError(t, err)
	broken := []string{"apps/app1/subscriptions/coupons"}
	for i, value := range []string{`{`, `[]`, `{}`, `{"url":"ftp://x","secrets":[{"key":"` + secret + `"}]}`} {
		put, err := n.client.Put(t.Context(), subscription.Key("app1", "coupons"), value)
		require.NoError(t, err)
		s := n.waitFor(t, func(s *subscription.Snapshot) bool { return s.Revision >= put.Header.GetRevision() })
		got, ok := s.Get("app1", "coupons")
		require.True(t, ok, "case %d", i)
		require.Equal(t, created, got.Subscription)
		require.Equal(t, broken, n.Status().Broken)
	}
	other := newNode(t, etcd)
	require.Empty(t, other.Snapshot().All(), "a node that saw no good version serves none")
	require.Equal(t, broken, other.Status().Broken)
	require.True(t, other.Broken("app1", "coupons"))
	require.False(t, other.Broken("app1", "other"))
	families, err := n.registry.Gather()
	require.NoError(t, err)
	metrics := make(map[string]float64)
	for _, family := range families {
		metrics[family.GetName()] = family.GetMetric()[0].GetGauge().GetValue() + family.GetMetric()[0].GetCounter().GetValue()
	}
	require.EqualValues(t, 1, metrics["susul_subscriptions"])
	require.EqualValues(t, 1, metrics["susul_subscriptions_broken"])
	require.EqualValues(t, 1, metrics["susul_subscription_loads_total"])

	require.NoError(t, n.Delete(t.Context(), "app1", "coupons", 0), "it can be removed")
	require.Empty(t, n.Status().Broken)
}

func TestSnapshotIsInOrder(t *testing.T) {
	etcd := etcdtest.Start(t)
	n := newNode(t, etcd)
	for _, name := range [][2]string{{"app1", "b"}, {"app", "z"}, {"app1", "a-b"}, {"app.x", "m"}, {"app1", "a"}, {"App", "c"}} {
		s := coupons()
		s.App, s.ID = name[0], name[1]
		_, err := n.Create(t.Context(), s)
		require.NoError(t, err)
	}
	for _, key := range []string{
		"/susul/apps/app1/followUpSwitch", "/susul/apps/app1/subscriptions/", "/susul/apps//subscriptions/x",
		"/susul/apps/app1/subscriptions/x/y", "/susul/apps/app1/x/subscriptions/y", "/susul/policies/x", "/susul/apps/subscriptions/x",
	} {
		_, err := n.client.Put(t.Context(), key, "not ours")
		require.NoError(t, err)
	}
	for _, n := range []*node{n, newNode(t, etcd)} {
		s := n.Snapshot()
		require.Equal(t, []string{"App/c", "app/z", "app.x/m", "app1/a", "app1/a-b", "app1/b"}, names(s.All()))
		require.Equal(t, []string{"app1/a", "app1/a-b", "app1/b"}, names(s.List("app1")))
		require.Equal(t, []string{"app/z"}, names(s.List("app")))
		require.Empty(t, s.List("app2"))
		require.Empty(t, n.Status().Broken)
	}
}

func TestAnAppHasOnlySoMany(t *testing.T) {
	n := newNode(t, etcdtest.Start(t))
	for i := range subscription.MaxSubscriptions {
		_, err := n.client.Put(t.Context(), subscription.Key("app1", fmt.Sprintf("s%d", i)), "{}")
		require.NoError(t, err)
	}
	_, err := n.Create(t.Context(), coupons())
	require.ErrorIs(t, err, subscription.ErrTooMany)
	other := coupons()
	other.App = "app"
	_, err = n.Create(t.Context(), other)
	require.NoError(t, err)
}

func TestWithoutEtcd(t *testing.T) {
	t.Parallel()
	etcd := etcdtest.Start(t)
	n := newNode(t, etcd)
	_, err := n.Create(t.Context(), coupons())
	require.NoError(t, err)
	etcd.Stop()
	require.Eventually(t, func() bool { return !n.Status().Connected }, patience, 10*time.Millisecond)
	_, err = n.Update(t.Context(), 0, "app1", "coupons", pause)
	require.ErrorIs(t, err, subscription.ErrUnavailable)
	require.Len(t, n.Snapshot().List("app1"), 1, "the last snapshot goes on serving")
}
