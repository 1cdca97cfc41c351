package schedule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jonboulle/clockwork"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
)

const (
	defaultPrefix = "/susul/election"
	defaultTTL    = 5 * time.Second
	minTTL        = 2 * time.Second // etcd counts in whole seconds

	// releaseTimeout bounds the resignation, longer than etcd takes to elect a leader of its own. If it fails, the next lease's holder
	// tries again, or the lease lapses by itself.
	releaseTimeout = 5 * time.Second

	minBackoff = 100 * time.Millisecond
	maxBackoff = 5 * time.Second
)

// Why a leadership ends; causes of the context that lead gets.
var (
	// ErrLost says that the lease is gone, so that another node may lead already.
	ErrLost = errors.New("leadership is lost")
	// ErrDoubt says that the lease was not renewed in time, so that another node may lead soon.
	ErrDoubt = errors.New("leadership is in doubt")
)

// ElectionOptions are what an Election needs.
type ElectionOptions struct {
	Client *clientv3.Client
	// Prefix is where the candidates' keys are; empty means /susul/election. Those with the same prefix compete.
	Prefix string
	// Candidate is what the others learn of this node when it is elected.
	Candidate string
	// Observed is called with the candidate that leads, as often as another does; may be nil. It must not block.
	Observed func(candidate string)
	// TTL is how long a leader that vanished is waited for, in whole seconds, at least 2; 0 means 5 s.
	TTL    time.Duration
	Logger *slog.Logger
}

// Election makes one candidate the leader, and another when that one goes.
type Election struct {
	client    *clientv3.Client
	prefix    string
	candidate string
	observed  func(candidate string)
	ttl       time.Duration
	logger    *slog.Logger
	// clock is the real one: leases run in real time, however fast the rest of the server's time may pass.
	clock clockwork.Clock

	leader   atomic.Pointer[leader]
	term     atomic.Int64 // the latest that is known
	changes  atomic.Int64
	standing standing
	left     clientv3.LeaseID // the last that could not be released; of Run alone
}

// leader is the candidate that leads.
type leader struct {
	candidate string
	term      int64
}

// New returns an election. It does nothing until Run.
func New(o ElectionOptions) *Election {
	e := &Election{
		client: o.Client, prefix: o.Prefix, candidate: o.Candidate, observed: o.Observed, ttl: o.TTL, logger: o.Logger,
		clock: clockwork.NewRealClock(),
	}
	if e.prefix == "" {
		e.prefix = defaultPrefix
	}
	if e.ttl <= 0 {
		e.ttl = defaultTTL
	}
	e.ttl = max(e.ttl.Round(time.Second), minTTL)
	e.standing.since = e.clock.Now()
	return e
}

// Leader returns the candidate that leads, as far as is known. Between the end of a leader and the next election it is the
// former.
func (e *Election) Leader() (candidate string, known bool) {
	leader := e.leader.Load()
	if leader == nil {
		return "", false
	}
	return leader.candidate, true
}

// Run stands for election until the context ends, and returns nil then. When elected it calls lead with a context that
// is cancelled, with ErrLost or ErrDoubt as its cause, when the leadership ends, and with a term that is higher than that
// of every earlier leader. It never calls lead before an earlier call has returned. When lead returns, it resigns, so
// that another candidate is elected at once, and stands again.
func (e *Election) Run(ctx context.Context, lead func(ctx context.Context, term int64) error) error {
	defer e.leader.Store(nil)
	e.standing.enter(e.clock.Now())
	defer e.standing.leave()
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = minBackoff, maxBackoff
	for {
		began := e.clock.Now()
		err := e.stand(ctx, lead)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			e.logger.WarnContext(ctx, "election round ended", "error", err)
		}
		if e.clock.Since(began) > e.ttl {
			pause.Reset()
		}
		select {
		case <-e.clock.After(pause.NextBackOff()):
		case <-ctx.Done():
			return nil
		}
	}
}

// stand is one round: from the lease to the resignation.
func (e *Election) stand(ctx context.Context, lead func(ctx context.Context, term int64) error) (err error) {
	lease, err := grant(ctx, e.client, e.ttl, e.clock)
	if err != nil {
		return err
	}
	defer e.release(ctx, lease.id)
	if left := e.left; left != clientv3.NoLease {
		e.release(ctx, left) // so that nobody waits for it to lapse
	}
	e.standing.begin(lease)
	defer func() { e.standing.end(e.clock.Now()) }()
	// The lease is kept until lead has returned, also after the context has ended: no successor before that.
	keep, letGo := context.WithCancel(context.WithoutCancel(ctx))
	defer letGo()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watches := &watcher{Watcher: e.client.Watcher, name: "election", clock: e.clock}
	session, err := concurrency.NewSession(e.scoped(ctx, lease, watches), concurrency.WithLease(lease.id), concurrency.WithContext(keep))
	if err != nil {
		return fmt.Errorf("keep lease alive: %w", err)
	}
	defer session.Orphan()

	// A candidate whose lease is gone has lost its place without noticing, so that it must not wait on.
	stop := context.AfterFunc(session.Ctx(), func() { cancel(ErrLost) }) //nolint:contextcheck // the lease's life
	defer stop()
	defer watches.open.Wait()
	var observer sync.WaitGroup
	observer.Go(func() { e.observe(ctx, concurrency.NewElection(session, e.prefix)) })
	defer observer.Wait()
	defer cancel(nil)

	election := concurrency.NewElection(session, e.prefix)
	if err := election.Campaign(ctx, e.candidate); err != nil {
		return fmt.Errorf("campaign: %w", errors.Join(err, context.Cause(ctx)))
	}
	return e.serve(ctx, lease, election.Rev(), lead)
}

// Leads reports whether etcd has this term's candidate as its leader now. A process that slept may have been overtaken, and not
// know it yet.
func (e *Election) Leads(ctx context.Context, term int64) (bool, error) {
	found, err := e.client.Get(ctx, e.prefix+"/", clientv3.WithFirstCreate()...)
	if err != nil {
		return false, fmt.Errorf("ask who leads: %w", err)
	}
	return len(found.Kvs) > 0 && found.Kvs[0].CreateRevision == term, nil
}

// serve calls lead for as long as the lease can be trusted.
func (e *Election) serve(ctx context.Context, lease *lease, term int64, lead func(context.Context, int64) error) error {
	// The campaign can't tell a leader from a candidate whose lease lapsed in the moment of its election.
	if err := lease.confirm(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var guard sync.WaitGroup
	guard.Go(func() { lease.guard(ctx, cancel) })
	e.logger.InfoContext(ctx, "elected", "term", term)
	e.learn(term)
	e.standing.lead(e.clock.Now())
	err := lead(ctx, term)
	cause := context.Cause(ctx)
	cancel(nil)
	guard.Wait()
	e.logger.InfoContext(ctx, "leads no more", "term", term, "cause", cause, "error", err)
	if err != nil {
		return fmt.Errorf("lead term %d: %w", term, err)
	}
	return nil
}

// observe follows who leads until the context ends. Observation ends with any fault of etcd's, and begins anew.
func (e *Election) observe(ctx context.Context, election *concurrency.Election) {
	defer e.leader.Store(nil)
	for ctx.Err() == nil {
		for response := range election.Observe(ctx) {
			if len(response.Kvs) > 0 {
				found := &leader{candidate: string(response.Kvs[0].Value), term: response.Kvs[0].CreateRevision}
				e.learn(found.term)
				e.leader.Store(found)
				if e.observed != nil {
					e.observed(found.candidate)
				}
			}
		}
		select {
		case <-e.clock.After(minBackoff):
		case <-ctx.Done():
		}
	}
}

// learn notes the term of who leads.
func (e *Election) learn(term int64) {
	if e.term.Swap(term) != term {
		e.changes.Add(1)
	}
}

// release revokes the lease and with it the candidate's key: this is the resignation. It happens also when the context
// has ended.
func (e *Election) release(ctx context.Context, lease clientv3.LeaseID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(releaseTimeout, e.ttl))
	defer cancel()
	e.left = clientv3.NoLease
	if _, err := e.client.Revoke(ctx, lease); err != nil && !errors.Is(err, rpctypes.ErrLeaseNotFound) {
		e.left = lease
		e.logger.WarnContext(ctx, "resignation failed; the lease lapses by itself, or is released later", "error", err)
	}
}

// scoped returns the client with a context of ours, because an aborted campaign cleans up for as long as its client's
// context lasts, even if etcd is down.
func (e *Election) scoped(ctx context.Context, lease *lease, watches *watcher) *clientv3.Client {
	client := clientv3.NewCtxClient(ctx)
	client.KV, client.Lease, client.Watcher = e.client.KV, lease, watches
	return client
}
