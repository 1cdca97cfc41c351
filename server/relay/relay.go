package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"susul.dev/susul/server/clock"
	"susul.dev/susul/server/subscription"
	"susul.dev/susul/server/webhook"
	"susul.dev/susul/storage"
)

// Store is what the relay needs of a backend.
type Store interface {
	storage.Callbacks
	storage.Relays
	// PushOf is storage.Planning's.
	PushOf(ctx context.Context, id int64) (storage.Push, error)
}

// Poster posts documents: a webhook.Client.
type Poster interface {
	// Post posts once, and bounds how long that takes. It breaks off when the context ends.
	Post(ctx context.Context, r webhook.Request) webhook.Result
}

// Subscriptions is a subscription.Store.
type Subscriptions interface {
	// Snapshot returns the latest snapshot. It has been loaded before Run is called.
	Snapshot() *subscription.Snapshot
	// Wait returns a snapshot with a revision later than after, as soon as there is one, or the context's error.
	Wait(ctx context.Context, after int64) (*subscription.Snapshot, error)
	// Broken reports whether a subscription is kept of which the latest version can't be read. It may be in no snapshot.
	Broken(app, id string) bool
}

// App is what the relay needs of an app: how what is posted to its pushes' callback URLs is signed.
type App struct {
	Username string
	Secrets  []string // the newest first; none: not signed
}

// DefaultMaxAge is how long an event is tried if nothing else is said.
const DefaultMaxAge = 72 * time.Hour

// Errors that callers branch on, besides those of storage.
var (
	// ErrTooManyEndpoints says that an app's pushes have named as many callback URLs as there may be.
	ErrTooManyEndpoints = fmt.Errorf("the app's pushes have named %d callback URLs that are in use", maxURLEndpoints)

	// ErrTooManyReplays says that an endpoint has as many open replays as there may be.
	ErrTooManyReplays = fmt.Errorf("the endpoint has %d open replays", maxReplays)
)

// Options are what a Relay needs.
type Options struct {
	Store Store
	Apps  map[string]App // by app key
	// Poster posts. Default: one that goes to public addresses only.
	Poster Poster
	// Subscriptions are those of all apps; nil: none.
	Subscriptions Subscriptions
	Clock         clockwork.Clock
	// RealClock is the time of the world outside, in which requests are signed; nil for the machine's.
	RealClock clockwork.Clock
	// MaxAge is how long an event is tried before it is a dead letter, in the clock's time. Default DefaultMaxAge.
	MaxAge time.Duration
	Logger *slog.Logger
	// Registerer takes the metrics; nil keeps none. Relays that follow each other may have the same.
	Registerer prometheus.Registerer
}

// Relay brings events out. Run must be running for anything to be posted.
type Relay struct {
	Options

	feed    *feed
	saver   *saver
	tasks   *tasks
	metrics *metrics
	loaded  chan struct{} // closed when the endpoints are known
	ended   chan struct{} // closed when Run has ended

	appendRow rowAppender

	mu      sync.Mutex
	routes  map[string]*routes                          // by app
	waiting map[storage.RelayEndpointKey]storedEndpoint // for their subscriptions, until these are known
}

// New returns a Relay that is not running yet.
func New(o Options) *Relay {
	if o.MaxAge <= 0 {
		o.MaxAge = DefaultMaxAge
	}
	if o.RealClock == nil {
		o.RealClock = clockwork.NewRealClock()
	}
	if o.Poster == nil {
		o.Poster = webhook.NewClient(webhook.Options{})
	}
	r := &Relay{
		Options: o, appendRow: webhook.AppendRow, tasks: newTasks(), loaded: make(chan struct{}), ended: make(chan struct{}),
		routes: map[string]*routes{}, waiting: map[storage.RelayEndpointKey]storedEndpoint{},
	}
	r.saver = newSaver(r)
	r.feed = newFeed(feedOptions{store: o.Store, logger: o.Logger, appendRow: r.appendRow, onEvents: r.onEvents})
	r.metrics = newMetrics(o.Registerer)
	return r
}

// Run posts events until the context ends, then waits for the requests in flight, though not for long, and saves how far they came. It
// returns nil after a stop, storage.ErrFenced when another leader has taken over. It may be called once.
func (r *Relay) Run(ctx context.Context) error {
	defer close(r.ended)
	defer r.metrics.observe(r)()
	if err := r.start(ctx); err != nil {
		r.tasks.stop(true)
		return ignoreStop(ctx, err)
	}
	from := r.saver.head
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return r.feed.run(running, from) })
	group.Go(func() error { return r.follow(running) })
	group.Go(func() error { return r.saver.run(running) })
	err := group.Wait()
	r.tasks.stop(err != nil)
	for _, e := range r.all() {
		e.stop()
	}
	if err != nil {
		return err
	}
	saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSave)
	defer cancel()
	if err := r.saver.save(saving); err != nil {
		r.Logger.Error("what was delivered last is not saved; it will be delivered again", "error", err)
	}
	return nil
}

// start loads the endpoints, however long the store needs.
func (r *Relay) start(ctx context.Context) error {
	pauses := newPauses()
	for {
		err := r.load(ctx)
		switch {
		case err == nil:
			if r.Subscriptions != nil {
				r.subscribe(r.Subscriptions.Snapshot().All())
			}
			close(r.loaded)
			return nil
		case ctx.Err() != nil, errors.Is(err, storage.ErrFenced):
			return err
		}
		pause := pauses.NextBackOff()
		r.Logger.Error("endpoints can't be loaded now", "retry_in", pause, "error", err)
		clock.Rest(ctx, pause)
	}
}

// ignoreStop drops an error that is only the stop that was asked for.
func ignoreStop(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
