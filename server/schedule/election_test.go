package schedule_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"susul.dev/susul/server/replica/etcdtest"
	"susul.dev/susul/server/schedule"
)

const (
	patience = 20 * time.Second
	// shortTTL lets a lease lapse within a test; longTTL lets none, so that what happens within patience has another cause.
	shortTTL = 2 * time.Second
	longTTL  = time.Minute
	prefix   = "/test/election"
)

// leadership is one call of lead.
type leadership struct {
	candidate string
	term      int64
	ctx       context.Context
	resign    context.CancelFunc // makes lead return
}

// candidate runs an election until the test ends.
type candidate struct {
	*schedule.Election
	client *clientv3.Client
	stop   func() // ends Run and waits for it
}

// stand adds a candidate whose leaderships go to the channel. Each lasts until its context ends or it resigns.
func stand(t *testing.T, client *clientv3.Client, name string, ttl time.Duration, elected chan<- leadership) *candidate {
	t.Helper()
	c := &candidate{client: client, Election: schedule.New(schedule.ElectionOptions{
		Client: client, Prefix: prefix, Candidate: name, TTL: ttl, Logger: slog.New(slog.DiscardHandler),
	})}
	ctx, cancel := context.WithCancel(t.Context())
	var leading atomic.Int32
	ended := make(chan error, 1)
	go func() {
		ended <- c.Run(ctx, func(ctx context.Context, term int64) error {
			if leading.Add(1) != 1 {
				return errors.New("lead was called while it ran")
			}
			defer leading.Add(-1)
			resigned, resign := context.WithCancel(context.Background())
			defer resign()
			elected <- leadership{name, term, ctx, resign}
			select {
			case <-ctx.Done():
			case <-resigned.Done():
			}
			return nil
		})
	}()
	c.stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	t.Cleanup(c.stop)
	return c
}

func next(t *testing.T, elected <-chan leadership) leadership {
	t.Helper()
	select {
	case l := <-elected:
		return l
	case <-time.After(patience):
		require.Fail(t, "nobody was elected")
		return leadership{}
	}
}

func TestHandoverOnResignation(t *testing.T) {
	etcd := etcdtest.Start(t)
	elected := make(chan leadership, 10)
	one, two := stand(t, etcd.Client(), "one", longTTL, elected), stand(t, etcd.Client(), "two", longTTL, elected)
	last := next(t, elected)
	for range 5 {
		for _, c := range []*candidate{one, two} {
			require.Eventually(t, func() bool {
				address, known := c.Leader()
				return known && address == last.candidate
			}, patience, time.Millisecond, "both know who leads")
		}
		require.NoError(t, last.ctx.Err())
		last.resign()
		successor := next(t, elected)
		require.NotEqual(t, last.candidate, successor.candidate, "the one that waited is next")
		require.Greater(t, successor.term, last.term)
		require.Error(t, last.ctx.Err())
		last = successor
	}
}

func TestHandoverOnStop(t *testing.T) {
	etcd := etcdtest.Start(t)
	elected := make(chan leadership, 10)
	one := stand(t, etcd.Client(), "one", longTTL, elected)
	first := next(t, elected)
	two := stand(t, etcd.Client(), "two", longTTL, elected)
	require.Eventually(t, func() bool { _, known := two.Leader(); return known }, patience, time.Millisecond)
	one.stop()
	_, known := one.Leader()
	require.False(t, known)
	second := next(t, elected)
	require.Greater(t, second.term, first.term)
}

func TestHandoverOnLostLease(t *testing.T) {
	etcd := etcdtest.Start(t)
	elected := make(chan leadership, 10)
	stand(t, etcd.Client(), "one", shortTTL, elected)
	first := next(t, elected)
	two := stand(t, etcd.Client(), "two", shortTTL, elected)
	require.Eventually(t, func() bool { return candidates(t, two.client) == 2 }, patience, time.Millisecond)

	keys, err := two.client.Get(t.Context(), prefix, clientv3.WithFirstCreate()...)
	require.NoError(t, err)
	require.Equal(t, first.term, keys.Kvs[0].CreateRevision)
	_, err = two.client.Revoke(t.Context(), clientv3.LeaseID(keys.Kvs[0].Lease))
	require.NoError(t, err)
	second := next(t, elected)
	require.Equal(t, "two", second.candidate)
	require.Greater(t, second.term, first.term)
	select {
	case <-first.ctx.Done():
		require.ErrorIs(t, context.Cause(first.ctx), schedule.ErrLost)
	case <-time.After(patience):
		require.Fail(t, "the former leader does not know that it leads no more")
	}
	require.Eventually(t, func() bool { return candidates(t, two.client) == 2 }, patience, time.Millisecond, "it stands again")
	require.NoError(t, second.ctx.Err())
}

func TestLeaderDoubtsWithoutEtcd(t *testing.T) {
	etcd := etcdtest.Start(t)
	elected := make(chan leadership, 10)
	one := stand(t, etcd.Client(), "one", shortTTL, elected)
	first := next(t, elected)
	require.Eventually(t, func() bool { _, known := one.Leader(); return known }, patience, time.Millisecond)
	etcd.Stop()
	began := time.Now()
	select {
	case <-first.ctx.Done():
		require.Less(t, time.Since(began), 2*time.Second, "before the lease could lapse")
	case <-time.After(patience):
		require.Fail(t, "still leading")
	}
	require.Eventually(t, func() bool { _, known := one.Leader(); return !known }, patience, time.Millisecond)
	etcd.Start()
	second := next(t, elected)
	require.Greater(t, second.term, first.term)
}

func TestStopWithoutEtcd(t *testing.T) {
	etcd := etcdtest.Start(t)
	elected := make(chan leadership, 10)
	one := stand(t, etcd.Client(), "one", shortTTL, elected)
	next(t, elected)
	two := stand(t, etcd.Client(), "two", shortTTL, elected)
	require.Eventually(t, func() bool { return candidates(t, two.client) == 2 }, patience, time.Millisecond)
	etcd.Stop()
	began := time.Now()
	two.stop()
	one.stop()
	require.Less(t, time.Since(began), 10*time.Second)
}

// TestLeadThatFails returns at once, again and again: the election must not spin.
func TestLeadThatFails(t *testing.T) {
	etcd := etcdtest.Start(t)
	election := schedule.New(schedule.ElectionOptions{
		Client: etcd.Client(), Candidate: "one", Logger: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var terms []int64
	began := time.Now()
	require.NoError(t, election.Run(ctx, func(_ context.Context, term int64) error {
		terms = append(terms, term)
		if len(terms) == 4 {
			cancel()
		}
		return errors.New("fenced")
	}))
	require.GreaterOrEqual(t, time.Since(began), 200*time.Millisecond)
	require.IsIncreasing(t, terms)
}

func candidates(t *testing.T, client *clientv3.Client) int64 {
	t.Helper()
	got, err := client.Get(t.Context(), prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
	require.NoError(t, err)
	return got.Count
}

// A leader whose etcd was away can't resign; once etcd is back, nobody waits for its lease to lapse.
func TestALeaseThatWasLeftIsReleasedLater(t *testing.T) {
	etcd := etcdtest.Start(t)
	gate := etcdtest.NewGate(t, etcd.Address())
	elected := make(chan leadership, 10)
	one := stand(t, etcdtest.Dial(t, gate.Address()), "one", longTTL, elected)
	first := next(t, elected)
	two := stand(t, etcd.Client(), "two", longTTL, elected)
	require.Eventually(t, func() bool {
		_, known := two.Leader()
		return known && candidates(t, two.client) == 2
	}, patience, time.Millisecond)
	gate.Close()
	first.resign()
	require.Eventually(t, func() bool { return one.Status().Leased.IsZero() }, patience, time.Millisecond, "it has given up")
	require.Equal(t, "one", leaderOf(t, two), "its lease lasts")
	gate.Open(etcd.Address())
	require.Equal(t, "two", next(t, elected).candidate)
}

func leaderOf(t *testing.T, c *candidate) string {
	t.Helper()
	leader, known := c.Leader()
	require.True(t, known)
	return leader
}

func TestStatusTellsOfLeadersCandidatesAndDoubt(t *testing.T) {
	etcd := etcdtest.Start(t)
	gate := etcdtest.NewGate(t, etcd.Address())
	elected := make(chan leadership, 10)
	began := time.Now()
	one := stand(t, etcd.Client(), "one", shortTTL, elected)
	first := next(t, elected)
	two := stand(t, etcdtest.Dial(t, gate.Address()), "two", shortTTL, elected)
	await := func(c *candidate, state schedule.State, term int64) schedule.Status {
		t.Helper()
		require.Eventually(t, func() bool { s := c.Status(); return s.State == state && s.Term == term }, patience, time.Millisecond)
		return c.Status()
	}
	leading, waiting := await(one, schedule.Leader, first.term), await(two, schedule.Candidate, first.term)
	require.EqualValues(t, 1, leading.Changes)
	require.EqualValues(t, 1, waiting.Changes)
	for _, s := range []schedule.Status{leading, waiting} {
		require.WithinRange(t, s.Since, began, time.Now())
		require.WithinRange(t, s.Leased, began, time.Now())
		require.WithinRange(t, s.Trusted, time.Now(), time.Now().Add(shortTTL))
	}

	cut := time.Now()
	gate.Close()
	doubt := await(two, schedule.InDoubt, first.term)
	require.WithinRange(t, doubt.Since, cut, cut.Add(shortTTL))
	gate.Open(etcd.Address())
	back := await(two, schedule.Candidate, first.term)
	require.True(t, back.Since.After(doubt.Since))
	first.resign()
	second := next(t, elected)
	require.EqualValues(t, 2, await(two, schedule.Leader, second.term).Changes)
	require.EqualValues(t, 2, await(one, schedule.Candidate, second.term).Changes)
}
