package replica

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Options are what a Replica needs. An entry E is what one key holds; a snapshot S is made of all of them.
type Options[E, S any] struct {
	Client *clientv3.Client
	// Prefix is below which everything is followed, also what is not ours: each key is taken or left.
	Prefix string
	// Name returns what a key is called in Status.Broken and in errors. ours is false for a key that is left.
	Name func(key string) (name string, ours bool)
	// Decode reads what a key holds. last is its last good version, zero if there is none.
	Decode func(kv *mvccpb.KeyValue, last E) (E, error)
	// Build makes a snapshot of all entries, by their keys. Nobody may change the map. The revision is that of the latest change of
	// any of them, or of the load; it is 0 before the first.
	Build func(revision int64, entries map[string]E) *S
	// Errors are what writes fail with.
	Errors  Errors
	Logger  *slog.Logger
	Metrics *Metrics
	// Size is what Metrics tell of a snapshot's size.
	Size func(*S) int
}

// Errors are what writes fail with, followed by the key's name: callers tell by them whose key it is. All are required.
type Errors struct {
	Exists, NotFound error
	// Conflict says that the key was changed since the revision that the caller knows.
	Conflict error
	// Unavailable says that etcd did not answer in time, or can't. The write may have happened all the same.
	Unavailable error
}

// Replica follows etcd while Run runs, and writes to it.
type Replica[E, S any] struct {
	Options[E, S]
	state  atomic.Pointer[state[E, S]]
	loaded chan struct{} // closed after the first load
	tries  atomic.Int64  // of the watch

	mu      sync.Mutex
	changed chan struct{} // closed and replaced with every new state
	broken  map[string]error
	applied int64 // the latest revision that etcd has confirmed; ≥ the state's
	status  Status
}

// state is what is known as of one revision. It is immutable.
type state[E, S any] struct {
	revision int64
	entries  map[string]E
	snapshot *S
}

// New returns a replica whose snapshot is of no entries until Run has loaded them.
func New[E, S any](o Options[E, S]) *Replica[E, S] {
	r := &Replica[E, S]{
		Options: o,
		loaded:  make(chan struct{}),
		changed: make(chan struct{}),
		status:  Status{Since: realNow()},
	}
	r.state.Store(&state[E, S]{snapshot: o.Build(0, nil)})
	return r
}

// Snapshot returns the latest snapshot, never nil.
func (r *Replica[E, S]) Snapshot() *S { return r.state.Load().snapshot }

// Loaded is closed when the first snapshot has been loaded.
func (r *Replica[E, S]) Loaded() <-chan struct{} { return r.loaded }

// Status is how well the snapshot follows etcd.
type Status struct {
	// AppliedRevision is the etcd revision up to which the snapshot is known to be complete.
	AppliedRevision int64
	// Connected says that etcd answers the watch. Without it the snapshot may be old.
	Connected bool
	// Since is when Connected last changed, and Confirmed when etcd last said that the snapshot is complete, zero if it never did; both
	// in real time.
	Since, Confirmed time.Time
	// LastError is why the watch last ended; nil while connected.
	LastError error
	// Broken are the names of keys whose latest version in etcd can't be read, sorted. Their last good version, if this node saw
	// one, goes on serving.
	Broken []string
}

// Age is how old the snapshot may be.
func (s Status) Age(now time.Time) time.Duration {
	if s.Confirmed.IsZero() {
		return 0 // there is none
	}
	return now.Sub(s.Confirmed)
}

// Status returns how well the snapshot follows etcd now.
func (r *Replica[E, S]) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	status := r.status
	status.AppliedRevision = r.applied
	status.Broken = slices.Sorted(maps.Keys(r.broken))
	return status
}

// Wait returns a snapshot with a revision later than after, as soon as there is one, or the context's error.
func (r *Replica[E, S]) Wait(ctx context.Context, after int64) (*S, error) {
	for {
		r.mu.Lock()
		state, changed := r.state.Load(), r.changed
		r.mu.Unlock()
		if state.revision > after {
			return state.snapshot, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func realNow() time.Time { return time.Now() } //nolint:forbidigo // operators' time

// publish swaps the state and wakes all who wait. Whoever sees a snapshot sees its metrics too.
func (r *Replica[E, S]) publish(revision int64, entries map[string]E) *S {
	next := &state[E, S]{revision, entries, r.Build(revision, entries)}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Metrics.size.Set(float64(r.Size(next.snapshot)))
	r.Metrics.applied.Set(float64(revision))
	first := r.state.Load().revision == 0
	r.state.Store(next)
	r.applied = revision
	close(r.changed)
	r.changed = make(chan struct{})
	if first {
		close(r.loaded)
	}
	return next.snapshot
}

// connected notes a sign of life. The revision is one up to which no event is outstanding.
func (r *Replica[E, S]) connected(revision int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := realNow()
	if !r.status.Connected {
		r.status = Status{Connected: true, Since: now}
		r.Metrics.connected.Set(1)
		r.Logger.Info("etcd is followed", "prefix", r.Prefix, "revision", revision)
	}
	r.status.Confirmed = now
	r.Metrics.confirmed.Set(float64(now.UnixMilli()) / 1000)
	r.applied = max(r.applied, revision)
	r.Metrics.applied.Set(float64(r.applied))
}

func (r *Replica[E, S]) disconnected(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.status.Connected || r.status.LastError == nil { // told once, not at every attempt
		r.Logger.Warn("etcd is not followed; the last snapshot goes on serving", "prefix", r.Prefix, "error", err)
	}
	if r.status.Connected {
		r.status.Since = realNow()
	}
	r.status.Connected, r.status.LastError = false, err
	r.Metrics.connected.Set(0)
	r.Metrics.failures.Inc()
}

func (r *Replica[E, S]) broke(name string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken == nil {
		r.broken = make(map[string]error)
	}
	r.broken[name] = err
	r.Metrics.broken.Set(float64(len(r.broken)))
}

func (r *Replica[E, S]) mended(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.broken, name)
	r.Metrics.broken.Set(float64(len(r.broken)))
}

// forgetBroken drops those that are gone.
func (r *Replica[E, S]) forgetBroken(seen map[string]bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.broken, func(name string, _ error) bool { return !seen[name] })
	r.Metrics.broken.Set(float64(len(r.broken)))
}
