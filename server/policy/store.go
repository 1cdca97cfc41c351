package policy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jonboulle/clockwork"
	"github.com/prometheus/client_golang/prometheus"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"susul.dev/susul/server/replica"
)

// root is below which everything is in etcd, also what is not ours: each key is taken or left.
const root = "/susul/"

// Prefix is where policies are in etcd; a policy's key is the prefix and its ID.
const Prefix = root + "policies/"

// MaxPolicies bounds the number of policies. Creations at the same time may go over it by as many as they are.
const MaxPolicies = 10_000

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
	replica *replica.Replica[entry, Snapshot]
	clock   clockwork.Clock
}

// entry is what a key of ours holds: a policy or a switch.
type entry struct {
	policy *Compiled // nil for a switch
	kill   Switch
}

// New returns a store whose snapshot is empty until Run has loaded one.
func New(o Options) *Store {
	return &Store{
		clock: o.Clock,
		replica: replica.New(replica.Options[entry, Snapshot]{
			Client: o.Client,
			Prefix: root,
			Name:   nameOf,
			Decode: decodeEntry,
			Build:  buildSnapshot,
			Size:   func(s *Snapshot) int { return len(s.list) },
			Errors: replica.Errors{
				Exists: ErrExists, NotFound: ErrNotFound, Conflict: ErrConflict, Unavailable: ErrUnavailable,
			},
			Logger:  o.Logger,
			Metrics: replica.NewMetrics(o.Registerer, "policy", "policies"),
		}),
	}
}

// nameOf returns a policy's ID, and "apps/{app}/followUpSwitch" for a switch. Whatever else is in etcd is not ours.
func nameOf(key string) (name string, ours bool) {
	if id, ok := strings.CutPrefix(key, Prefix); ok {
		return id, true
	}
	_, ours = switchOf(key)
	return strings.TrimPrefix(key, root), ours
}

// decodeEntry reads what a key holds; last is its last good version, if any.
func decodeEntry(kv *mvccpb.KeyValue, last entry) (entry, error) {
	key := string(kv.Key)
	if app, ok := switchOf(key); ok {
		kill, err := decodeSwitch(app, kv.Value)
		return entry{kill: kill}, err
	}
	if last.policy != nil && last.policy.Policy.Revision == kv.ModRevision && bytes.Equal(last.policy.spec, kv.Value) {
		return last, nil
	}
	p, err := Decode(kv.Value, kv.ModRevision)
	if err != nil {
		return entry{}, err
	}
	if id, _ := nameOf(key); p.ID != id {
		return entry{}, fmt.Errorf("policy %q is stored under another id", p.ID)
	}
	c, err := Compile(p)
	return entry{policy: c}, err
}

// buildSnapshot sorts what is in etcd into policies and switches.
func buildSnapshot(revision int64, entries map[string]entry) *Snapshot {
	byID, switches := make(map[string]*Compiled, len(entries)), make(map[string]Switch)
	for _, e := range entries {
		if e.policy != nil {
			byID[e.policy.Policy.ID] = e.policy
		} else {
			switches[e.kill.App] = e.kill
		}
	}
	return newSnapshot(revision, byID, switches)
}

// Run loads the policies and switches and then follows their changes until the context ends; it returns nil then. Whatever goes
// wrong with etcd shows in Status and is tried again.
func (s *Store) Run(ctx context.Context) error { return s.replica.Run(ctx) }

// Snapshot returns the latest snapshot, never nil.
func (s *Store) Snapshot() *Snapshot { return s.replica.Snapshot() }

// Loaded is closed when the first snapshot has been loaded.
func (s *Store) Loaded() <-chan struct{} { return s.replica.Loaded() }

// Status is how well the snapshot follows etcd. Broken are IDs of policies, and of switches "apps/{app}/followUpSwitch".
type Status = replica.Status

// Status returns how well the snapshot follows etcd now.
func (s *Store) Status() Status { return s.replica.Status() }

// Wait returns a snapshot with a revision later than after, as soon as there is one, or the context's error.
func (s *Store) Wait(ctx context.Context, after int64) (*Snapshot, error) {
	return s.replica.Wait(ctx, after)
}

// Create stores a new policy with a new UID. It returns an *InvalidError, ErrExists, ErrTooMany or ErrUnavailable. Like
// the other writes it returns when this node's snapshot has the change, or can't get it within 5 s.
func (s *Store) Create(ctx context.Context, p Policy) (Policy, error) {
	p.UID = uuid.NewString()
	p.CreateTime = s.now()
	p.UpdateTime = p.CreateTime
	spec, err := checked(p)
	if err != nil {
		return Policy{}, err
	}
	count, err := s.replica.Count(ctx, Prefix)
	if err != nil {
		return Policy{}, err
	}
	if count >= MaxPolicies {
		return Policy{}, ErrTooMany
	}
	if p.Revision, err = s.replica.Create(ctx, Prefix+p.ID, spec); err != nil {
		return Policy{}, err
	}
	return p, nil
}

// Update replaces a policy by what mutate makes of its present version. With a revision, it returns ErrConflict unless
// the policy is at that revision; with 0 it takes any, and calls mutate again when another writer was faster. ID, UID
// and CreateTime stay; a step that had paused itself, and is paused no more, is measured anew from now on. It returns
// mutate's error, an *InvalidError, ErrNotFound, ErrConflict or ErrUnavailable.
func (s *Store) Update(ctx context.Context, revision int64, id string, mutate func(Policy) (Policy, error)) (p Policy, err error) {
	written, err := s.replica.Update(ctx, Prefix+id, revision, func(kv *mvccpb.KeyValue) ([]byte, error) {
		current, err := Decode(kv.Value, kv.ModRevision)
		if err != nil {
			return nil, err
		}
		before := slices.Clone(current.Steps) // mutate may change its own
		if p, err = mutate(current); err != nil {
			return nil, err
		}
		p.ID, p.UID, p.CreateTime = current.ID, current.UID, current.CreateTime
		p.UpdateTime = s.now()
		p.Steps = resume(p.Steps, before, p.UpdateTime)
		return checked(p)
	})
	if err != nil {
		return Policy{}, err
	}
	p.Revision = written
	return p, nil
}

// Delete removes a policy. With a revision, it returns ErrConflict unless the policy is at that revision; 0 takes any.
// It returns ErrNotFound, ErrConflict or ErrUnavailable.
func (s *Store) Delete(ctx context.Context, id string, revision int64) error {
	return s.replica.Delete(ctx, Prefix+id, revision)
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
