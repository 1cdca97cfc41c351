package relay

import (
	"context"
	"errors"
	"fmt"

	"susul.dev/susul/storage"
)

// page returns a page that has the app's next event after a sequence; between that sequence and the page's first there is none. It is
// nil if there is no event of the app through the head: whoever reads head() before calling page, and gets nil, has seen all through
// that head. Before run has begun, page waits for it. Errors are the store's, for the caller to wait and try again, or the context's.
func (f *feed) page(ctx context.Context, app string, after int64) (*page, error) {
	select {
	case <-f.started:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for {
		p, head, more := f.shelf.find(app, after)
		if p != nil || !more {
			return p, nil
		}
		number := max(after, 0) / pageSize // of the page that has the sequence after that one
		p, err := f.read(ctx, pageKey{app, number})
		if err != nil {
			return nil, err
		}
		end := min((number+1)*pageSize, head)
		switch {
		case p.after(after) < len(p.entries):
			return p, nil
		case p.through < end: // it was read for somebody who saw an earlier head
			continue
		case end == head:
			return nil, nil // what there was has been forgotten
		}
		if p, err = f.beyond(ctx, app, end, head); err != nil || p == nil {
			return nil, err
		}
		if p.after(after) < len(p.entries) {
			return f.shelf.widen(p, after), nil
		}
	}
}

// beyond returns the page of the app's next event after the end of a page, nil if there is none through the head.
func (f *feed) beyond(ctx context.Context, app string, after, head int64) (*page, error) {
	// A backend may look at each part of the log that is the app's, so that it is not asked for all of a long log at once.
	for width := int64(16 * pageSize); after < head; width *= 4 {
		through := min(after+width, head)
		events, err := f.list(ctx, storage.EventQuery{App: app, After: after, Through: through, Limit: 1})
		if err != nil {
			return nil, fmt.Errorf("read events of %s after %d: %w", app, after, err)
		}
		if len(events) > 0 && events[0].Sequence <= head {
			return f.read(ctx, pageKey{app, pageOf(events[0].Sequence)})
		}
		after = through
	}
	return nil, nil
}

// read reads a page from the store, as far as the head, once for all who ask for it at the same time. It may be empty.
func (f *feed) read(ctx context.Context, key pageKey) (*page, error) {
	for {
		p, err, shared := f.flights.Do(fmt.Sprintf("%d %s", key.number, key.app), func() (any, error) {
			p, err := f.load(ctx, key)
			if err != nil || len(p.entries) == 0 {
				return p, err
			}
			return f.shelf.add(p), nil
		})
		switch {
		case err == nil:
			return p.(*page), nil
		case ctx.Err() == nil && shared && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)):
			continue // it was another's context that ended
		default:
			return nil, err
		}
	}
}

// load reads a page from the store.
func (f *feed) load(ctx context.Context, key pageKey) (*page, error) {
	before := key.number * pageSize
	through := min(before+pageSize, f.head())
	events, err := f.list(ctx, storage.EventQuery{App: key.app, After: before, Through: through, Limit: pageSize})
	if err != nil {
		return nil, fmt.Errorf("read events of %s after %d: %w", key.app, before, err)
	}
	infos, err := f.pushes.all(ctx, events)
	if err != nil {
		return nil, err
	}
	p, _ := f.emptyPage(key.app, before+1).extended(events, infos, through)
	return p, nil
}
