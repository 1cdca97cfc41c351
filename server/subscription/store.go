package subscription

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jonboulle/clockwork"
	"github.com/prometheus/client_golang/prometheus"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"susul.dev/susul/server/replica"
)

// MaxSubscriptions bounds the number of an app's subscriptions. Creations at the same time may go over it by as many as they are.
const MaxSubscriptions = 1000

// Errors that callers branch on with errors.Is. An invalid subscription gets an *InvalidError.
var (
	ErrExists   = errors.New("subscription exists")
	ErrNotFound = errors.New("subscription not found")
	// ErrConflict says that the subscription changed since the revision that the caller knows.
	ErrConflict = errors.New("subscription was changed meanwhile")
	ErrTooMany  = fmt.Errorf("the app has %d subscriptions already", MaxSubscriptions)
	// ErrUnavailable says that etcd did not answer in time, or can't. The write may have happened all the same.
	ErrUnavailable = errors.New("subscription store is unavailable")
)

// Options are what a Store needs.
type Options struct {
	Client *clientv3.Client
	// Clock stamps subscriptions, and says when secrets end.
	Clock  clockwork.Clock
	Logger *slog.Logger
	// Registerer takes the metrics; nil keeps none.
	Registerer prometheus.Registerer
}

// Store writes subscriptions to etcd and keeps a snapshot of them, which Run maintains.
type Store struct {
	replica *replica.Replica[*Compiled, Snapshot]
	clock   clockwork.Clock
}

// New returns a store whose snapshot is empty until Run has loaded one.
func New(o Options) *Store {
	return &Store{
		clock: o.Clock,
		replica: replica.New(replica.Options[*Compiled, Snapshot]{
			Client: o.Client,
			Prefix: root,
			Name:   nameOf,
			Decode: decode,
			Build:  newSnapshot,
			Size:   func(s *Snapshot) int { return len(s.all) },
			Errors: replica.Errors{
				Exists: ErrExists, NotFound: ErrNotFound, Conflict: ErrConflict, Unavailable: ErrUnavailable,
			},
			Logger:  o.Logger,
			Metrics: replica.NewMetrics(o.Registerer, "subscription", "subscriptions"),
		}),
	}
}

// Run loads the subscriptions and then follows their changes until the context ends; it returns nil then. Whatever goes wrong with
// etcd shows in Status and is tried again.
func (s *Store) Run(ctx context.Context) error { return s.replica.Run(ctx) }

// Snapshot returns the latest snapshot, never nil.
func (s *Store) Snapshot() *Snapshot { return s.replica.Snapshot() }

// Loaded is closed when the first snapshot has been loaded.
func (s *Store) Loaded() <-chan struct{} { return s.replica.Loaded() }

// Status returns how well the snapshot follows etcd now. Broken are subscriptions as "apps/{app}/subscriptions/{id}".
func (s *Store) Status() replica.Status { return s.replica.Status() }

// Broken reports whether etcd has a subscription of which this node can't read the latest version.
func (s *Store) Broken(app, id string) bool {
	name, _ := nameOf(Key(app, id))
	return slices.Contains(s.Status().Broken, name)
}

// Wait returns a snapshot with a revision later than after, as soon as there is one, or the context's error.
func (s *Store) Wait(ctx context.Context, after int64) (*Snapshot, error) {
	return s.replica.Wait(ctx, after)
}

// Create stores a new subscription with a new UID. It returns an *InvalidError, ErrExists, ErrTooMany or ErrUnavailable. Like the other
// writes it returns when this node's snapshot has the change, or can't get it within 5 s.
func (s *Store) Create(ctx context.Context, sub Subscription) (Subscription, error) {
	sub.UID = uuid.NewString()
	sub.CreateTime = s.now()
	sub.UpdateTime = sub.CreateTime
	value, err := encode(sub)
	if err != nil {
		return Subscription{}, err
	}
	count, err := s.replica.Count(ctx, Key(sub.App, ""))
	if err != nil {
		return Subscription{}, err
	}
	if count >= MaxSubscriptions {
		return Subscription{}, ErrTooMany
	}
	if sub.Revision, err = s.replica.Create(ctx, Key(sub.App, sub.ID), value); err != nil {
		return Subscription{}, err
	}
	return sub, nil
}

// Update replaces a subscription by what mutate makes of its present version. With a revision, it returns ErrConflict unless the
// subscription is at that revision; with 0 it takes any, and calls mutate again when another writer was faster. App, ID, UID, Start and
// CreateTime stay. It returns mutate's error, an *InvalidError, ErrNotFound, ErrConflict or ErrUnavailable.
func (s *Store) Update(ctx context.Context, revision int64, app, id string, mutate func(Subscription) (Subscription, error)) (
	sub Subscription, err error,
) {
	written, err := s.replica.Update(ctx, Key(app, id), revision, func(kv *mvccpb.KeyValue) ([]byte, error) {
		current, err := read(kv)
		if err != nil {
			return nil, err
		}
		if sub, err = mutate(current); err != nil {
			return nil, err
		}
		sub.App, sub.ID, sub.UID, sub.Start, sub.CreateTime = app, id, current.UID, current.Start, current.CreateTime
		sub.UpdateTime = s.now()
		return encode(sub)
	})
	if err != nil {
		return Subscription{}, err
	}
	sub.Revision = written
	return sub, nil
}

// Rotate makes up a new secret, which comes first; the newest of those before is good for keepPrevious more, and not at all with 0. It
// returns ErrNotFound, ErrConflict or ErrUnavailable.
func (s *Store) Rotate(ctx context.Context, app, id string, keepPrevious time.Duration) (Subscription, error) {
	return s.Update(ctx, 0, app, id, func(sub Subscription) (Subscription, error) {
		sub.Secrets = rotated(sub.Secrets, s.now(), keepPrevious)
		return sub, nil
	})
}

// Delete removes a subscription. With a revision, it returns ErrConflict unless the subscription is at that revision; 0 takes any. It
// returns ErrNotFound, ErrConflict or ErrUnavailable.
func (s *Store) Delete(ctx context.Context, app, id string, revision int64) error {
	return s.replica.Delete(ctx, Key(app, id), revision)
}

func (s *Store) now() time.Time { return s.clock.Now().UTC().Truncate(time.Millisecond) }
