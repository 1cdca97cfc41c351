package relay

import (
	"context"
	"time"

	"susul.dev/susul/server/subscription"
	"susul.dev/susul/storage"
)

// How much of the log is read at once.
const (
	slicePush = maxBatch // events of one push
	sliceApp  = 1000     // events of any
)

// selector tells where events go to.
type selector struct {
	id   string // of an endpoint of callback URLs
	sub  *subscription.Compiled
	own  []*target // the subscription's
	urls map[*subscription.Push][]*target
}

func (e *endpoint) selector() *selector {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := &selector{id: e.id, sub: e.sub, urls: map[*subscription.Push][]*target{}}
	if e.sub != nil {
		s.own = []*target{{filter: e.sub.Filter}}
	}
	return s
}

// of returns where an event goes to.
func (s *selector) of(event *storage.Event, push *subscription.Push) []*target {
	if s.sub != nil {
		// What can't be evaluated, for want of a member for example, is not selected.
		if matches, err := s.sub.Filter.Matches(event, push); err != nil || !matches {
			return nil
		}
		return s.own
	}
	targets, known := s.urls[push]
	if !known {
		for _, url := range push.CallbackURLs {
			if id, _ := urlEndpointID(url); id == s.id {
				targets = append(targets, &target{url: url})
			}
		}
		s.urls[push] = targets
	}
	return targets
}

// add appends an event's items.
func (s *selector) add(items []item, event *storage.Event, push *subscription.Push) []item {
	for _, to := range s.of(event, push) {
		items = append(items, item{sequence: event.Sequence, push: event.PushID, to: to, size: rowSize(push)})
	}
	return items
}

// still reports whether an event that was selected, by another filter perhaps, is so now.
func (s *selector) still(it *item, e *entry) bool {
	return s.sub == nil || it.to.filter == s.sub.Filter || len(s.of(&e.Event, e.push)) > 0
}

// rowSize estimates the bytes of a row without rendering it.
func rowSize(push *subscription.Push) int {
	const fixed = 512
	return fixed + len(push.CustomArgsAs)
}

// read has the ledger admit what comes behind its position.
func (e *endpoint) read(ctx context.Context) error {
	var position int64
	var room int
	e.look(func(l *ledger) { position, room = l.position, l.ahead()-l.lanes.queued })
	feed := e.relay.feed
	changed, head := feed.changed(e.app), feed.head()
	p, err := feed.page(ctx, e.app, position)
	switch {
	case err != nil:
		return err
	case p == nil && head > position: // there is nothing
		e.change(func(l *ledger, now time.Time) { l.admit(nil, head, now) })
		return nil
	case p == nil: // it was announced, and comes in a moment
		select {
		case <-changed:
		case <-ctx.Done():
		}
		return nil
	}
	selector := e.selector()
	items, through := selector.from(p, position, func(items []item, _ *entry) bool { return len(items) < room })
	e.change(func(l *ledger, now time.Time) { l.admit(items, through, now) })
	return nil
}

// from returns the items of a page's entries behind a sequence, as long as more says so, and where they end.
func (s *selector) from(p *page, after int64, more func(items []item, next *entry) bool) (items []item, through int64) {
	through = p.through
	look := func(i int) bool {
		next := &p.entries[i]
		if !more(items, next) {
			through = max(after, next.Sequence-1)
			return false
		}
		items = s.add(items, &next.Event, next.push)
		return true
	}
	first := p.after(after)
	if s.sub != nil {
		for i := first; i < len(p.entries) && look(i); i++ {
		}
		return items, through
	}
	for _, i := range p.urls[s.id] {
		if i >= first && !look(i) {
			break
		}
	}
	return items, through
}

// stretch reads stored events for a span, from behind a sequence, and returns where they end.
func (e *endpoint) stretch(ctx context.Context, s storage.RelaySpan, after, end int64) (events []storage.Event, through int64, err error) {
	limit := slicePush
	if s.PushID == 0 {
		limit = sliceApp
	}
	events, err = e.relay.Store.ListEvents(ctx, storage.EventQuery{
		App: e.app, PushID: s.PushID, StartTime: s.StartTime, EndTime: s.EndTime, After: after, Through: end, Limit: limit,
	})
	if err != nil {
		return nil, 0, err
	}
	if through = end; len(events) == limit {
		through = events[limit-1].Sequence
	}
	return events, through, nil
}

// load reads the next events of a span.
func (e *endpoint) load(ctx context.Context, s *span) error {
	var saved storage.RelaySpan
	var end int64
	e.look(func(*ledger) { saved, end = s.RelaySpan, s.end })
	events, through, err := e.stretch(ctx, saved, saved.Next-1, end)
	if err != nil {
		return err
	}
	selector := e.selector()
	var items []item
	rows := map[int64][]byte{}
	size := 0
	for i := range events {
		if len(items) >= maxBatch || size >= maxBatchBytes {
			through = events[i].Sequence - 1
			break
		}
		push, err := e.relay.feed.push(ctx, e.app, events[i].PushID)
		if err != nil {
			return err
		}
		from := len(items)
		if items = selector.add(items, &events[i], push); len(items) == from {
			continue
		}
		row := e.relay.appendRow(nil, &events[i], push)
		rows[events[i].Sequence] = row
		size += len(row)
	}
	e.change(func(l *ledger, _ time.Time) { l.loaded(s, items, rows, through) })
	return nil
}

// bury looks for the next events that become a dead letter.
func (e *endpoint) bury(ctx context.Context, b *burial) error {
	find := e.graveInSpan
	if b.span == nil {
		find = e.graveInLog
	}
	g, err := find(ctx, b)
	if err != nil {
		return err
	}
	var died int64
	e.change(func(l *ledger, now time.Time) { died = l.buried(b, g, now) })
	if died > 0 {
		e.relay.metrics.died(e.app, died)
		e.log.Warn("events were given up: they are dead letters, which can be replayed", "events", died, "after", b.after,
			"through", g.through)
	}
	return nil
}

func (e *endpoint) graveInLog(ctx context.Context, b *burial) (g grave, err error) {
	head := e.relay.feed.head()
	p, err := e.relay.feed.page(ctx, e.app, b.after)
	if err != nil {
		return g, err
	}
	if p == nil {
		return grave{through: max(head, b.after)}, nil
	}
	g.more = true
	g.items, g.through = e.selector().from(p, b.after, func(_ []item, next *entry) bool {
		g.more = next.ReceiveTime.Before(b.before)
		return g.more
	})
	return g, nil
}

func (e *endpoint) graveInSpan(ctx context.Context, b *burial) (g grave, err error) {
	var saved storage.RelaySpan
	var end int64
	e.look(func(*ledger) { saved, end = b.span.RelaySpan, b.span.end })
	events, through, err := e.stretch(ctx, saved, b.after, end)
	if err != nil {
		return g, err
	}
	g.through, g.more = through, through < end
	selector := e.selector()
	for i := range events {
		if !b.all && !events[i].ReceiveTime.Before(b.before) {
			g.through, g.more = events[i].Sequence-1, false
			break
		}
		push, err := e.relay.feed.push(ctx, e.app, events[i].PushID)
		if err != nil {
			return g, err
		}
		g.items = selector.add(g.items, &events[i], push)
	}
	return g, nil
}
