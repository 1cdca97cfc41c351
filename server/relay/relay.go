package relay

import (
	"context"
	"log/slog"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/prometheus/client_golang/prometheus"

	"susul.dev/susul/storage"
)

// Store is what the relay needs of a backend.
type Store interface {
	storage.Callbacks
	storage.Relays
	// PushOf is storage.Planning's.
	PushOf(ctx context.Context, id int64) (storage.Push, error)
}

// App is what the relay needs of an app: how what is posted to its pushes' callback URLs is signed.
type App struct {
	Username string
	Secrets  []string // the newest first; none: not signed
}

// Options are what a Relay needs.
type Options struct {
	Store Store
	Apps  map[string]App // by app key
	Clock clockwork.Clock
	// MaxAge is how long an event is tried before it is a dead letter, in the clock's time. Default 72 h.
	MaxAge     time.Duration
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Relay brings events out. Run must be running for anything to be posted.
type Relay struct {
	Options
	feed *feed
}

// New returns a Relay that is not running yet.
func New(o Options) *Relay {
	return &Relay{Options: o, feed: newFeed(feedOptions{store: o.Store, logger: o.Logger})}
}

// Run posts events until the context ends, then waits for the requests in flight and saves how far they came. It returns nil after a
// stop, storage.ErrFenced when another leader has taken over.
func (r *Relay) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Health is an endpoint and how deliveries to it go.
type Health struct {
	storage.RelayEndpoint
	// Subscription is the id of the endpoint's subscription; empty for one of callback URLs.
	Subscription string
	// Address is where events are posted to, without the query.
	Address string
	// Paused says that nobody wants it to be posted to: the endpoint or its subscription is paused.
	Paused bool
	// Open says that the circuit is: nothing is posted until NextAttempt.
	Open bool
	// LagEvents counts the app's events that the endpoint has not got to, up to 100,000; LagTime is how long the oldest has been stored.
	LagEvents int
	LagTime   time.Duration
	// SuccessRate is of the last 100 requests; below 0 before the first.
	SuccessRate float64
	Retrying    int // pushes in a retry span
	DeadLetters int
	Replays     int // that are not done
}

// Endpoints returns the app's endpoints whose ids are greater than after, in the order of their ids, up to a limit.
func (r *Relay) Endpoints(ctx context.Context, app, after string, limit int) ([]Health, error) {
	return nil, nil
}

// Endpoint returns one endpoint, or storage.ErrNotFound.
func (r *Relay) Endpoint(ctx context.Context, app, id string) (Health, error) {
	return Health{}, storage.ErrNotFound
}

// Pause keeps an endpoint of callback URLs from being posted to. A subscription's gets storage.ErrConflict: it has a pause of its own.
func (r *Relay) Pause(ctx context.Context, app, id string) (Health, error) {
	return Health{}, storage.ErrNotFound
}

// Resume has an endpoint that is paused, gone or failing tried at once. One whose subscription is paused gets storage.ErrConflict.
func (r *Relay) Resume(ctx context.Context, app, id string) (Health, error) {
	return Health{}, storage.ErrNotFound
}

// TestResult is what a made-up event met.
type TestResult struct {
	WebhookID string
	Status    int    // 0 if there was no answer
	Error     string // empty if it was taken
	Duration  time.Duration
	Body      string // its beginning, up to 1 KiB
}

// Test posts a made-up event to an endpoint.
func (r *Relay) Test(ctx context.Context, app, id string) (TestResult, error) {
	return TestResult{}, storage.ErrNotFound
}

// Spans returns a page of an endpoint's dead letters or replays, the earliest first.
func (r *Relay) Spans(ctx context.Context, app, id string, kind storage.RelaySpanKind, after int64, limit int) ([]storage.RelaySpan, error) {
	return nil, storage.ErrNotFound
}

// DropSpan forgets a dead letter or stops a replay, or returns storage.ErrNotFound.
func (r *Relay) DropSpan(ctx context.Context, app, id string, kind storage.RelaySpanKind, span int64) error {
	return storage.ErrNotFound
}

// Selection says what to replay: a dead letter's events, or one event, or those of a push, a time span or both.
type Selection struct {
	DeadLetter         int64
	Event              int64
	PushID             int64
	StartTime, EndTime time.Time
}

// Replay has stored events posted to an endpoint again.
func (r *Relay) Replay(ctx context.Context, app, id string, s Selection) (storage.RelaySpan, error) {
	return storage.RelaySpan{}, storage.ErrNotFound
}
