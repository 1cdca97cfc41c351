package relay

import (
	"context"
	"log/slog"
	"sync/atomic"

	"susul.dev/susul/server/subscription"
	"susul.dev/susul/storage"
)

// feedOptions are what a feed needs.
type feedOptions struct {
	store  Store
	logger *slog.Logger
	// appendRow renders an event as it is posted.
	appendRow func(dst []byte, e *storage.Event, p *subscription.Push) []byte
	// onEvents gets each new stretch of an app's log, which has no event that it got before: in order per app, by the feed's
	// goroutine, before the head includes it and page returns it. With storage.ErrUnavailable it is called with the same stretch
	// again, after a while; any other error ends run. nil does nothing.
	onEvents func(ctx context.Context, stretch *page) error

	cacheBytes int64 // of pages, their rendered rows included; default 64 MiB
	cachePush  int   // pushes that are remembered; default 4096
}

// feed follows the log for all apps and shares what it read.
type feed struct {
	feedOptions
	followed atomic.Int64
}

// newFeed returns a feed for one run.
func newFeed(o feedOptions) *feed { return &feed{feedOptions: o} }

// run follows the log after a sequence until the context ends, then returns nil; or the error that ended it, such as
// storage.ErrFenced. It may be called once.
func (f *feed) run(ctx context.Context, from int64) error {
	f.followed.Store(from)
	<-ctx.Done()
	return nil
}

// head returns the sequence up to which the log was followed, and onEvents has accepted what there was.
func (f *feed) head() int64 { return f.followed.Load() }

// page returns a page that has the app's next event after a sequence; between that sequence and the page's first there is none. It is
// nil if there is no event of the app through the head: whoever reads head() before calling page, and gets nil, has seen all through
// that head. Before run has begun, page waits for it. Errors are the store's, for the caller to wait and try again, or the context's.
func (f *feed) page(ctx context.Context, app string, after int64) (*page, error) { return nil, nil }

// changed returns a channel that is closed when page has new events of the app. Ask for it before calling page, so that nothing is
// missed between the two.
func (f *feed) changed(app string) <-chan struct{} { return nil }

// push returns what is told of a push. One that is not there any more has only its id and app.
func (f *feed) push(ctx context.Context, app string, id int64) (*subscription.Push, error) {
	return nil, nil
}
