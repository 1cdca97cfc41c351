package subscription

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/prometheus/client_golang/prometheus"
	clientv3 "go.etcd.io/etcd/client/v3"
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
	// Clock stamps subscriptions, and ends secrets.
	Clock  clockwork.Clock
	Logger *slog.Logger
	// Registerer takes the metrics; nil keeps none.
	Registerer prometheus.Registerer
}

// Store writes subscriptions to etcd and keeps a snapshot of them, which Run maintains.
type Store struct {
	loaded chan struct{}
}

// New returns a store whose snapshot is empty until Run has loaded one.
func New(o Options) *Store {
	s := &Store{loaded: make(chan struct{})}
	close(s.loaded)
	return s
}

// Snapshot returns the latest snapshot, never nil.
func (s *Store) Snapshot() *Snapshot { return &Snapshot{} }

// Loaded is closed when the first snapshot has been loaded.
func (s *Store) Loaded() <-chan struct{} { return s.loaded }

// Wait returns a snapshot with a revision later than after, as soon as there is one, or the context's error.
func (s *Store) Wait(ctx context.Context, after int64) (*Snapshot, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// Run loads the subscriptions and then follows their changes until the context ends; it returns nil then. Whatever goes wrong with
// etcd shows in Status and is tried again.
func (s *Store) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Create stores a new subscription with a new UID. It returns an *InvalidError, ErrExists, ErrTooMany or ErrUnavailable. Like the other
// writes it returns when this node's snapshot has the change, or can't get it within 3 s.
func (s *Store) Create(ctx context.Context, sub Subscription) (Subscription, error) {
	return Subscription{}, ErrUnavailable
}

// Update replaces a subscription by what mutate makes of its present version. With a revision, it returns ErrConflict unless the
// subscription is at that revision; with 0 it takes any, and calls mutate again when another writer was faster. App, ID, UID, Start and
// CreateTime stay. It returns mutate's error, an *InvalidError, ErrNotFound, ErrConflict or ErrUnavailable.
func (s *Store) Update(ctx context.Context, revision int64, app, id string, mutate func(Subscription) (Subscription, error)) (
	Subscription, error,
) {
	return Subscription{}, ErrUnavailable
}

// Rotate makes up a new secret, which comes first; the newest of those before is good for keepPrevious more, and not at all with 0. It
// returns ErrNotFound, ErrConflict or ErrUnavailable.
func (s *Store) Rotate(ctx context.Context, app, id string, keepPrevious time.Duration) (Subscription, error) {
	return Subscription{}, ErrUnavailable
}

// Delete removes a subscription. With a revision, it returns ErrConflict unless the subscription is at that revision; 0 takes any. It
// returns ErrNotFound, ErrConflict or ErrUnavailable.
func (s *Store) Delete(ctx context.Context, app, id string, revision int64) error {
	return ErrUnavailable
}
