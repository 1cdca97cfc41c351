package relay

import (
	"context"
	"log/slog"

	"github.com/jonboulle/clockwork"

	"susul.dev/susul/server/clock"
	"susul.dev/susul/server/webhook"
)

// WatcherOptions are what a Watcher needs.
type WatcherOptions struct {
	Store  Store
	Clock  clockwork.Clock
	Logger *slog.Logger
}

// Watcher lets events be watched on a node that relays none. Run must be running.
type Watcher struct {
	WatcherOptions
	feed  *feed
	ended chan struct{} // closed when Run has ended
}

// NewWatcher returns a Watcher that is not running yet.
func NewWatcher(o WatcherOptions) *Watcher {
	return &Watcher{
		WatcherOptions: o, feed: newFeed(feedOptions{store: o.Store, logger: o.Logger, appendRow: webhook.AppendRow}),
		ended: make(chan struct{}),
	}
}

// Run follows the log from where it is now until the context ends, and returns nil then. It may be called once.
func (w *Watcher) Run(ctx context.Context) error {
	defer close(w.ended)
	pauses := newPauses()
	for {
		from, err := w.Store.LastSequence(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			return w.feed.run(ctx, from)
		}
		pause := pauses.NextBackOff()
		w.Logger.Error("events can't be followed now", "retry_in", pause, "error", err)
		clock.Rest(ctx, pause)
	}
}

// Watch is Relay's.
func (w *Watcher) Watch(ctx context.Context, q WatchQuery, tell Tell) error {
	return watch(ctx, w.feed, w.Clock, w.ended, q, tell)
}
