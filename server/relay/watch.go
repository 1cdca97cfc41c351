package relay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jonboulle/clockwork"

	"susul.dev/susul/server/subscription"
	"susul.dev/susul/storage"
)

// WatchQuery selects events to watch.
type WatchQuery struct {
	App    string
	PushID int64 // 0 for all pushes
	After  int64 // events with Sequence > After
	Filter *subscription.Filter
}

const (
	// watchProgress is how long a watcher is not told how far it came, in the clock's time, while there is nothing to tell.
	watchProgress = 5 * time.Second

	// watchPage is how many events of one push are read at once.
	watchPage = 500
)

// ErrEnded says that this Relay, or Watcher, has ended.
var ErrEnded = errors.New("events are not relayed any more")

// Tell is told an event that a query selects, with its push, and through, the sequence up to which all was told; now and then, when there
// was nothing to tell for a while, event and push are nil. An event and its push must not be changed.
type Tell = func(event *storage.Event, push *subscription.Push, through int64) error

// Watch calls tell with every event that the query selects, in order, those to come included, until the context ends or tell fails;
// it returns the context's error or tell's. It waits for Run to begin, and returns ErrEnded when Run has ended; storage.ErrUnavailable
// when the store can't be read.
func (r *Relay) Watch(ctx context.Context, q WatchQuery, tell Tell) error {
	return watch(ctx, r.feed, r.Clock, r.ended, q, tell)
}

func watch(ctx context.Context, f *feed, clock clockwork.Clock, ended <-chan struct{}, q WatchQuery, tell Tell) error {
	w := view{WatchQuery: q, feed: f, clock: clock, tell: tell, position: q.After, told: q.After, toldAt: clock.Now()}
	select {
	case <-f.started:
	case <-ended:
		return ErrEnded
	case <-ctx.Done():
		return ctx.Err()
	}
	if q.PushID != 0 {
		if err := w.catchUp(ctx); err != nil {
			return err
		}
	}
	return w.follow(ctx)
}

// view is a call of Watch.
type view struct {
	WatchQuery
	feed     *feed
	clock    clockwork.Clock
	tell     Tell
	position int64 // all up to it was looked at
	told     int64 // all up to it was told
	toldAt   time.Time
}

// catchUp reads the events that one push has so far: most pages may have none.
func (w *view) catchUp(ctx context.Context) error {
	feed := w.feed
	head := feed.head()
	for w.position < head {
		events, err := feed.store.ListEvents(ctx, storage.EventQuery{
			App: w.App, PushID: w.PushID, After: w.position, Through: head, Limit: watchPage,
		})
		if err != nil {
			return fmt.Errorf("read events of %s, push %d, after %d: %w", w.App, w.PushID, w.position, err)
		}
		push, err := feed.push(ctx, w.App, w.PushID)
		if err != nil {
			return err
		}
		for i := range events {
			if events[i].Sequence > head {
				break
			}
			if err := w.look(&entry{Event: events[i], push: push}); err != nil {
				return err
			}
		}
		if len(events) < watchPage {
			w.position = head
		}
	}
	return nil
}

// follow goes through the app's pages.
func (w *view) follow(ctx context.Context) error {
	feed := w.feed
	for ctx.Err() == nil {
		changed, head := feed.changed(w.App), feed.head()
		p, err := feed.page(ctx, w.App, w.position)
		if err != nil {
			return err
		}
		if p != nil {
			if err := w.lookThrough(ctx, p); err != nil {
				return err
			}
			continue
		}
		w.position = max(w.position, head)
		if err := w.wait(ctx, changed); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (w *view) lookThrough(ctx context.Context, p *page) error {
	for i := p.after(w.position); i < len(p.entries); i++ {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := w.look(&p.entries[i]); err != nil {
			return err
		}
	}
	w.position = max(w.position, p.through)
	return w.progress()
}

// look tells an event if it is selected.
func (w *view) look(e *entry) error {
	w.position = e.Sequence
	if w.PushID != 0 && e.PushID != w.PushID {
		return nil
	}
	if selected, err := w.Filter.Matches(&e.Event, e.push); err != nil || !selected {
		return nil //nolint:nilerr // a filter that can't be evaluated for an event does not select it
	}
	return w.say(&e.Event, e.push)
}

func (w *view) say(e *storage.Event, push *subscription.Push) error {
	w.told, w.toldAt = w.position, w.clock.Now()
	return w.tell(e, push, w.position)
}

// progress tells how far the watcher came, if it is time to.
func (w *view) progress() error {
	if w.position > w.told && w.clock.Since(w.toldAt) >= watchProgress {
		return w.say(nil, nil)
	}
	return nil
}

// wait waits for new events, or until it is time to tell how far the watcher came.
func (w *view) wait(ctx context.Context, changed <-chan struct{}) error {
	var due <-chan time.Time
	if w.position > w.told {
		timer := w.clock.NewTimer(watchProgress - w.clock.Since(w.toldAt))
		defer timer.Stop()
		due = timer.Chan()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-w.feed.ended:
		return ErrEnded
	case <-changed:
		return nil
	case <-due:
		return w.progress()
	}
}
