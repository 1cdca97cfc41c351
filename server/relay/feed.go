package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sort"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sync/singleflight"

	"susul.dev/susul/server/clock"
	"susul.dev/susul/server/subscription"
	"susul.dev/susul/storage"
)

// feedOptions are what a feed needs.
type feedOptions struct {
	store     Store
	logger    *slog.Logger
	appendRow rowAppender
	// onEvents gets each new stretch of an app's log, which has no event that it got before: in order per app, by the feed's
	// goroutine, before the head includes it and page returns it. When it fails it is called with the same stretch again, after a
	// while; but storage.ErrFenced ends run. nil does nothing. A stretch without entries tells only that the app has new events, and
	// that none of their pushes names a callback URL: nobody has asked for the app's pages lately.
	onEvents func(ctx context.Context, stretch *page) error

	cacheBytes int64 // of pages, their rendered rows included; default 64 MiB
	cachePush  int   // pushes that are remembered; default 4096
}

const (
	defaultCacheBytes = 64 << 20
	defaultCachePush  = 4096

	// followRuns is how many runs of events are followed at once, at most, and followEvents how many of their events are read, if any.
	followRuns   = 1024
	followEvents = 4096

	// followPause is how long the feed waits, in real time, after it has come to the end of the log: signals that come meanwhile are
	// answered together.
	followPause = 10 * time.Millisecond

	// storePause and maxStorePause are how long the feed waits at first, and at most, in real time, when the store fails.
	storePause    = 100 * time.Millisecond
	maxStorePause = 5 * time.Second
)

// feed follows the log for all apps and shares what it read.
//
//	store's log ─► step: pages grow ─► onEvents ─► shelf: head, cached pages ─► page, for whoever asks
//	      └──────────────────────────── a page that is not cached ───────────────┘
type feed struct {
	feedOptions
	shelf   *shelf
	pushes  *pushes
	limit   int                // how many runs are listed next
	flights singleflight.Group // reads of pages, by pageKey
	started chan struct{}      // closed when run has begun
	ended   chan struct{}      // closed when it has ended
}

// newFeed returns a feed for one run.
func newFeed(o feedOptions) *feed {
	if o.cacheBytes == 0 {
		o.cacheBytes = defaultCacheBytes
	}
	if o.cachePush == 0 {
		o.cachePush = defaultCachePush
	}
	return &feed{
		feedOptions: o, limit: followRuns, shelf: newShelf(o.cacheBytes), pushes: newPushes(o.store, o.logger, o.cachePush),
		started: make(chan struct{}), ended: make(chan struct{}),
	}
}

// run follows the log after a sequence until the context ends, then returns nil; or storage.ErrFenced when another leader has taken
// over. It waits out all other errors. It may be called once.
func (f *feed) run(ctx context.Context, from int64) error {
	defer close(f.ended)
	signal, cancel := f.store.SubscribeEvents()
	defer cancel()
	f.shelf.begin(from)
	close(f.started)
	pauses := newPauses()
	for {
		more, err := f.step(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, storage.ErrFenced):
			return err
		case err != nil:
			pause := pauses.NextBackOff()
			f.logger.Error("events can't be followed now", "after", f.head(), "retry_in", pause, "error", err)
			clock.Rest(ctx, pause)
			continue
		}
		pauses.Reset()
		if more {
			continue
		}
		clock.Rest(ctx, followPause)
		select {
		case <-ctx.Done():
		case <-signal:
		}
	}
}

func newPauses() *backoff.ExponentialBackOff {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = storePause, maxStorePause
	return pauses
}

// step follows the log by some runs of events. It reports whether there may be more at once. Events are read for those who have asked
// for an app's pages lately, and where a push may name a URL, so that the feed sees it first: nobody may want the others.
func (f *feed) step(ctx context.Context) (more bool, err error) {
	after := f.head()
	limit := f.limit
	runs, err := f.store.ListEventRuns(ctx, after, limit)
	if err != nil {
		return false, fmt.Errorf("follow the log: %w", err)
	}
	if len(runs) == 0 {
		return false, nil
	}
	wanted := map[string]bool{}
	for _, run := range runs {
		wanted[run.App] = wanted[run.App] || run.CallbackURLs || f.shelf.isAsked(run.App)
	}
	listed, last := len(runs), runs[len(runs)-1].Last
	runs = runs[:readable(runs, wanted)]
	f.limit = min(2*len(runs)+1, followRuns) // of which most will be readable too
	b := batch{head: runs[len(runs)-1].Last, read: map[string]int{}, passed: map[string]*page{}}
	for _, run := range runs {
		events := int(run.Last - run.First + 1)
		if wanted[run.App] {
			b.read[run.App] += events
			continue
		}
		p := b.passed[run.App]
		if p == nil {
			p = f.emptyPage(run.App, f.shelf.knownOf(run.App)+1)
			b.passed[run.App] = p
			b.stretches = append(b.stretches, p)
		}
		p.through, p.unread = run.Last, p.unread+events
	}
	if err := f.readBatch(ctx, &b, after); err != nil {
		return false, err
	}
	for _, stretch := range b.stretches {
		if err := f.offer(ctx, stretch); err != nil {
			return false, err
		}
	}
	f.shelf.publish(&b)
	return b.head < last || listed == limit, nil
}

// readable returns how many of the first runs have no more wanted events than are read at once. It shortens the first if that has more.
func readable(runs []storage.EventRun, wanted map[string]bool) int {
	events := int64(0)
	for i, run := range runs {
		if !wanted[run.App] {
			continue
		}
		if events += run.Last - run.First + 1; events <= followEvents {
			continue
		}
		if i == 0 {
			runs[0].Last = run.First + followEvents - 1
		}
		return max(i, 1)
	}
	return len(runs)
}

// batch is what one step adds.
type batch struct {
	head      int64
	read      map[string]int   // how many events are read at most, by app
	passed    map[string]*page // stretches of the other apps
	grown     []*page          // which nobody sees before they are published
	stretches []*page          // what is new
}

// readBatch reads the events after a sequence.
func (f *feed) readBatch(ctx context.Context, b *batch, after int64) error {
	for app, n := range b.read {
		events, err := f.list(ctx, storage.EventQuery{App: app, After: after, Through: b.head, Limit: n})
		if err != nil {
			return fmt.Errorf("read events of %s after %d: %w", app, after, err)
		}
		infos, err := f.pushes.all(ctx, events)
		if err != nil {
			return err
		}
		f.grow(b, app, events, infos)
	}
	return nil
}

// offer has onEvents take a stretch, however long that needs.
func (f *feed) offer(ctx context.Context, stretch *page) error {
	if f.onEvents == nil {
		return nil
	}
	pauses := newPauses()
	for {
		err := f.onEvents(ctx, stretch)
		if err == nil || errors.Is(err, storage.ErrFenced) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		pause := pauses.NextBackOff()
		f.logger.Error("new events can't be taken now", "app", stretch.app, "after", stretch.first-1, "retry_in", pause, "error", err)
		clock.Rest(ctx, pause)
	}
}

// grow makes longer versions of an app's pages.
func (f *feed) grow(b *batch, app string, events []storage.Event, infos map[int64]*pushInfo) {
	known := f.shelf.knownOf(app)
	for len(events) > 0 {
		number, n := pageOf(events[0].Sequence), 1
		for n < len(events) && pageOf(events[n].Sequence) == number {
			n++
		}
		through := events[n-1].Sequence
		p := f.shelf.growing(pageKey{app, number}, known)
		if p == nil {
			p = f.emptyPage(app, known+1)
		}
		known = through
		if n == len(events) {
			through = b.head
		}
		next, stretch := p.extended(events[:n], infos, through)
		b.grown, b.stretches = append(b.grown, next), append(b.stretches, stretch)
		events = events[n:]
	}
}

// list reads events through a sequence.
func (f *feed) list(ctx context.Context, q storage.EventQuery) ([]storage.Event, error) {
	events, err := f.store.ListEvents(ctx, q)
	n := sort.Search(len(events), func(i int) bool { return events[i].Sequence > q.Through })
	return events[:n], err
}

func (f *feed) emptyPage(app string, first int64) *page {
	return &page{app: app, first: first, through: first - 1, appendRow: f.appendRow, account: &account{}}
}

// head returns the sequence up to which the log was followed, and onEvents has accepted what there was.
func (f *feed) head() int64 { return f.shelf.followed() }

// changed returns a channel that is closed when there are new events of the app. Ask for it before calling page, so that nothing is
// missed between the two.
func (f *feed) changed(app string) <-chan struct{} { return f.shelf.wait(app) }

// push returns what is told of a push. One that is not there any more has only its id and app.
func (f *feed) push(ctx context.Context, app string, id int64) (*subscription.Push, error) {
	info, err := f.pushes.of(ctx, app, id)
	if err != nil {
		return nil, err
	}
	return info.Push, nil
}
