package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sync/singleflight"

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
	// while; but storage.ErrFenced ends run. nil does nothing.
	onEvents func(ctx context.Context, stretch *page) error

	cacheBytes int64 // of pages, their rendered rows included; default 64 MiB
	cachePush  int   // pushes that are remembered; default 4096
}

const (
	defaultCacheBytes = 64 << 20
	defaultCachePush  = 4096

	// followPage is how many events are read at once when the log is followed.
	followPage = 4096

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
		feedOptions: o, shelf: newShelf(o.cacheBytes), pushes: newPushes(o.store, o.logger, o.cachePush),
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
		full, err := f.step(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, storage.ErrFenced):
			return err
		case err != nil:
			pause := pauses.NextBackOff()
			f.logger.Error("events can't be followed now", "after", f.head(), "retry_in", pause, "error", err)
			wait(ctx, pause)
			continue
		}
		pauses.Reset()
		if full {
			continue
		}
		wait(ctx, followPause)
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

// wait waits for a time, in real time, or until the context ends.
func wait(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause) //nolint:forbidigo // it spares the machine, whatever the clock's speed
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// step follows the log by one read. It reports whether there may be more to read at once.
func (f *feed) step(ctx context.Context) (full bool, err error) {
	events, err := f.store.ListEvents(ctx, storage.EventQuery{After: f.head(), Limit: followPage})
	if err != nil {
		return false, fmt.Errorf("read the log: %w", err)
	}
	if len(events) == 0 {
		return false, nil
	}
	infos, err := f.pushes.all(ctx, events)
	if err != nil {
		return false, err
	}
	head := events[len(events)-1].Sequence
	grown, stretches := f.grow(events, infos, head)
	for _, stretch := range stretches {
		if err := f.offer(ctx, stretch); err != nil {
			return false, err
		}
	}
	f.shelf.publish(head, grown)
	return len(events) == followPage, nil
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
		wait(ctx, pause)
	}
}

// grow makes longer versions of pages of what comes behind the head, which nobody sees before they are published, and returns them and
// what is new in each.
func (f *feed) grow(events []storage.Event, infos map[int64]*pushInfo, head int64) (grown, stretches []*page) {
	places := map[pageKey][]int{}
	var order []pageKey
	final := map[string]int64{} // the number of an app's last page
	var key pageKey
	for first := 0; first < len(events); {
		key = pageKey{events[first].App, pageOf(events[first].Sequence)}
		list, ok := places[key]
		if !ok {
			order = append(order, key)
			final[key.app] = key.number
		}
		for ; first < len(events) && events[first].App == key.app && pageOf(events[first].Sequence) == key.number; first++ {
			list = append(list, first)
		}
		places[key] = list
	}
	latest := map[string]int64{} // of an app that has an earlier page here
	for _, key := range order {
		list := places[key]
		p, known := f.shelf.growing(key.app, key.number)
		if p == nil {
			known = max(known, latest[key.app])
			p = f.emptyPage(key.app, known+1)
		}
		through := events[list[len(list)-1]].Sequence
		latest[key.app] = through
		if key.number == final[key.app] {
			through = head
		}
		next, stretch := p.extended(events, list, infos, through)
		grown, stretches = append(grown, next), append(stretches, stretch)
	}
	return grown, stretches
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
