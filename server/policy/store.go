package policy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jonboulle/clockwork"
	"github.com/prometheus/client_golang/prometheus"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// root is below which everything is in etcd, also what is not ours: each key is taken or left.
const root = "/susul/"

// Prefix is where policies are in etcd; a policy's key is the prefix and its ID.
const Prefix = root + "policies/"

// MaxPolicies bounds the number of policies. Creations at the same time may go over it by as many as they are.
const MaxPolicies = 10_000

const (
	// opTimeout bounds each call to etcd, in real time.
	opTimeout = 3 * time.Second
	// maxAttempts bounds the compare-and-set loop of an update that accepts any revision.
	maxAttempts = 32
)

// Errors that callers branch on with errors.Is. An invalid policy gets an *InvalidError.
var (
	ErrExists   = errors.New("policy exists")
	ErrNotFound = errors.New("policy not found")
	// ErrConflict says that the policy changed since the revision that the caller knows.
	ErrConflict = errors.New("policy was changed meanwhile")
	ErrTooMany  = fmt.Errorf("there are %d policies already", MaxPolicies)
	// ErrUnavailable says that etcd did not answer in time, or can't. The write may have happened all the same.
	ErrUnavailable = errors.New("policy store is unavailable")
)

// Options are what a Store needs.
type Options struct {
	Client *clientv3.Client
	// Clock stamps policies.
	Clock  clockwork.Clock
	Logger *slog.Logger
	// Registerer takes the metrics; nil keeps none.
	Registerer prometheus.Registerer
}

// Store writes policies and switches to etcd and keeps a snapshot of them, which Run maintains.
type Store struct {
	client  *clientv3.Client
	clock   clockwork.Clock
	logger  *slog.Logger
	metrics *metrics

	snapshot atomic.Pointer[Snapshot]
	loaded   chan struct{} // closed after the first load

	mu      sync.Mutex
	changed chan struct{} // closed and replaced with every new snapshot
	broken  map[string]error
	applied int64 // the latest revision that etcd has confirmed; ≥ the snapshot's
	status  Status
}

// New returns a store whose snapshot is empty until Run has loaded one.
func New(o Options) *Store {
	s := &Store{
		client:  o.Client,
		clock:   o.Clock,
		logger:  o.Logger,
		metrics: newMetrics(o.Registerer),
		loaded:  make(chan struct{}),
		changed: make(chan struct{}),
		status:  Status{Since: o.Clock.Now()},
	}
	s.snapshot.Store(newSnapshot(0, nil, nil))
	return s
}

// Snapshot returns the latest snapshot, never nil.
func (s *Store) Snapshot() *Snapshot { return s.snapshot.Load() }

// Loaded is closed when the first snapshot has been loaded.
func (s *Store) Loaded() <-chan struct{} { return s.loaded }

// Status is how well the snapshot follows etcd.
type Status struct {
	// AppliedRevision is the etcd revision up to which the snapshot is known to be complete.
	AppliedRevision int64
	// Connected says that etcd answers the watch. Without it the snapshot may be old.
	Connected bool
	// Since is when Connected last changed.
	Since time.Time
	// LastError is why the watch last ended; nil while connected.
	LastError error
	// Broken are the IDs of policies whose latest version in etcd does not compile, and switches that can't be read, as
	// "apps/{app}/followUpSwitch", sorted. Their last good version, if this node saw one, goes on serving.
	Broken []string
}

// Status returns how well the snapshot follows etcd now.
func (s *Store) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := s.status
	status.AppliedRevision = s.applied
	status.Broken = slices.Sorted(maps.Keys(s.broken))
	return status
}

// Wait returns a snapshot with a revision later than after, as soon as there is one, or the context's error.
func (s *Store) Wait(ctx context.Context, after int64) (*Snapshot, error) {
	for {
		s.mu.Lock()
		snapshot, changed := s.snapshot.Load(), s.changed
		s.mu.Unlock()
		if snapshot.Revision > after {
			return snapshot, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Create stores a new policy with a new UID. It returns an *InvalidError, ErrExists, ErrTooMany or ErrUnavailable. Like
// the other writes it returns when this node's snapshot has the change, or can't get it within 3 s.
func (s *Store) Create(ctx context.Context, p Policy) (Policy, error) {
	p.UID = uuid.NewString()
	p.CreateTime = s.now()
	p.UpdateTime = p.CreateTime
	spec, err := checked(p)
	if err != nil {
		return Policy{}, err
	}
	count, err := call(ctx, func(ctx context.Context) (*clientv3.GetResponse, error) {
		return s.client.Get(ctx, Prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
	})
	if err != nil {
		return Policy{}, err
	}
	if count.Count >= MaxPolicies {
		return Policy{}, ErrTooMany
	}
	written, err := s.write(ctx, p.ID, 0, clientv3.OpPut(Prefix+p.ID, string(spec)))
	switch {
	case err != nil:
		return Policy{}, err
	case !written.Succeeded:
		return Policy{}, fmt.Errorf("%w: %s", ErrExists, p.ID)
	}
	p.Revision = written.Header.GetRevision()
	return p, nil
}

// Update replaces a policy by what mutate makes of its present version. With a revision, it returns ErrConflict unless
// the policy is at that revision; with 0 it takes any, and calls mutate again when another writer was faster. ID, UID
// and CreateTime stay; a step that had paused itself, and is paused no more, is measured anew from now on. It returns
// mutate's error, an *InvalidError, ErrNotFound, ErrConflict or ErrUnavailable.
func (s *Store) Update(ctx context.Context, revision int64, id string, mutate func(Policy) (Policy, error)) (Policy, error) {
	for range maxAttempts {
		current, err := s.read(ctx, id)
		if err != nil {
			return Policy{}, err
		}
		if revision != 0 && current.Revision != revision {
			break
		}
		before := slices.Clone(current.Steps) // mutate may change its own
		p, err := mutate(current)
		if err != nil {
			return Policy{}, err
		}
		p.ID, p.UID, p.CreateTime = current.ID, current.UID, current.CreateTime
		p.UpdateTime = s.now()
		p.Steps = resume(p.Steps, before, p.UpdateTime)
		spec, err := checked(p)
		if err != nil {
			return Policy{}, err
		}
		written, err := s.write(ctx, id, current.Revision, clientv3.OpPut(Prefix+id, string(spec)))
		if err != nil {
			return Policy{}, err
		}
		if written.Succeeded {
			p.Revision = written.Header.GetRevision()
			return p, nil
		}
	}
	return Policy{}, fmt.Errorf("%w: %s", ErrConflict, id)
}

// Delete removes a policy. With a revision, it returns ErrConflict unless the policy is at that revision; 0 takes any.
// It returns ErrNotFound, ErrConflict or ErrUnavailable.
func (s *Store) Delete(ctx context.Context, id string, revision int64) error {
	for range maxAttempts {
		current, err := s.keyRevision(ctx, id)
		if err != nil {
			return err
		}
		if revision != 0 && current != revision {
			break
		}
		written, err := s.write(ctx, id, current, clientv3.OpDelete(Prefix+id))
		if err != nil {
			return err
		}
		if written.Succeeded {
			return nil
		}
	}
	return fmt.Errorf("%w: %s", ErrConflict, id)
}

// write does op if the policy's key is at the revision, 0 meaning absent, and waits until the snapshot has it.
func (s *Store) write(ctx context.Context, id string, revision int64, op clientv3.Op) (*clientv3.TxnResponse, error) {
	written, err := call(ctx, func(ctx context.Context) (*clientv3.TxnResponse, error) {
		return s.client.Txn(ctx).
			If(clientv3.Compare(clientv3.ModRevision(Prefix+id), "=", revision)).
			Then(op).
			Commit()
	})
	if err != nil || !written.Succeeded {
		return written, err
	}
	s.await(ctx, Prefix+id, written.Header.GetRevision())
	return written, nil
}

// await returns when the snapshot has what was written, or can't get it in time.
func (s *Store) await(ctx context.Context, key string, revision int64) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	if _, err := s.Wait(ctx, revision-1); err != nil {
		// The write is done; an error would say otherwise.
		s.logger.WarnContext(ctx, "a change is written, but this node has not seen it yet", "key", key, "error", err)
	}
}

// read returns the policy as etcd has it.
func (s *Store) read(ctx context.Context, id string) (Policy, error) {
	got, err := call(ctx, func(ctx context.Context) (*clientv3.GetResponse, error) {
		return s.client.Get(ctx, Prefix+id)
	})
	if err != nil {
		return Policy{}, err
	}
	if len(got.Kvs) == 0 {
		return Policy{}, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	return Decode(got.Kvs[0].Value, got.Kvs[0].ModRevision)
}

// keyRevision returns the revision of the policy's key. Unlike read it does not mind a policy that can't be decoded.
func (s *Store) keyRevision(ctx context.Context, id string) (int64, error) {
	got, err := call(ctx, func(ctx context.Context) (*clientv3.GetResponse, error) {
		return s.client.Get(ctx, Prefix+id, clientv3.WithKeysOnly())
	})
	if err != nil {
		return 0, err
	}
	if len(got.Kvs) == 0 {
		return 0, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	return got.Kvs[0].ModRevision, nil
}

func (s *Store) now() time.Time { return s.clock.Now().UTC().Truncate(time.Millisecond) }

// checked returns the encoding of a valid policy.
func checked(p Policy) ([]byte, error) {
	c, err := Compile(p)
	if err != nil {
		return nil, err
	}
	return c.Spec(), nil
}

// call bounds a call to etcd. Whatever etcd fails with is ErrUnavailable: our requests themselves are sound.
func call[T any](ctx context.Context, do func(context.Context) (T, error)) (T, error) {
	bounded, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	result, err := do(bounded)
	switch {
	case err == nil:
		return result, nil
	case ctx.Err() != nil:
		return result, ctx.Err()
	default:
		return result, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
}
