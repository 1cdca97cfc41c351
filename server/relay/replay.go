package relay

import (
	"context"
	"time"

	"susul.dev/susul/storage"
)

// Spans returns a page of an endpoint's dead letters or replays, the earliest first.
func (r *Relay) Spans(ctx context.Context, app, id string, kind storage.RelaySpanKind, after int64, limit int) ([]storage.RelaySpan, error) {
	e, err := r.find(ctx, app, id)
	if err != nil {
		return nil, err
	}
	if err := r.saver.flush(ctx); err != nil {
		return nil, err
	}
	return r.Store.ListRelaySpans(ctx, storage.RelaySpanQuery{
		App: app, Endpoint: id, Kinds: []storage.RelaySpanKind{kind},
		After: storage.RelaySpanKey{RelayEndpointKey: e.key(), ID: after}, Limit: limit,
	})
}

// DropSpan forgets a dead letter or stops a replay, or returns storage.ErrNotFound.
func (r *Relay) DropSpan(ctx context.Context, app, id string, kind storage.RelaySpanKind, span int64) error {
	e, err := r.find(ctx, app, id)
	if err != nil {
		return err
	}
	e.steering.Lock()
	defer e.steering.Unlock()
	if kind == storage.SpanReplay {
		err = e.stopReplay(span)
	} else {
		err = e.dropLetter(ctx, span)
	}
	if err != nil {
		return err
	}
	return r.saver.flush(ctx)
}

func (e *endpoint) stopReplay(id int64) (err error) {
	e.change(func(l *ledger, _ time.Time) {
		s := l.spans[id]
		if s == nil || s.Kind != storage.SpanReplay {
			err = storage.ErrNotFound
			return
		}
		l.finish(s)
	})
	return err
}

func (e *endpoint) dropLetter(ctx context.Context, id int64) error {
	if _, err := e.letter(ctx, id); err != nil {
		return err
	}
	e.change(func(l *ledger, _ time.Time) {
		l.forget(id)
		l.records[id] = nil
	})
	return nil
}

// letter returns a dead letter, or storage.ErrNotFound. The caller steers.
func (e *endpoint) letter(ctx context.Context, id int64) (storage.RelaySpan, error) {
	found, err := e.relay.Spans(ctx, e.app, e.id, storage.SpanDead, id-1, 1)
	if err != nil {
		return storage.RelaySpan{}, err
	}
	if len(found) == 0 || found[0].ID != id {
		return storage.RelaySpan{}, storage.ErrNotFound
	}
	return found[0], nil
}

// Selection says what to replay: a dead letter's events, or one event, or those of a push, a time span or both.
type Selection struct {
	DeadLetter         int64
	Event              int64
	PushID             int64
	StartTime, EndTime time.Time
}

// Replay has stored events posted to an endpoint again. It returns storage.ErrNotFound if nothing that is stored is selected, and
// ErrTooManyReplays. A dead letter's events come again as a replay of the same id. Events that are yet to come to the endpoint for the
// first time are not in a replay.
func (r *Relay) Replay(ctx context.Context, app, id string, s Selection) (storage.RelaySpan, error) {
	e, err := r.find(ctx, app, id)
	if err != nil {
		return storage.RelaySpan{}, err
	}
	e.steering.Lock()
	defer e.steering.Unlock()
	var open func(l *ledger, now time.Time) *span
	if s.DeadLetter != 0 {
		open, err = e.revive(ctx, s.DeadLetter)
	} else {
		open, err = e.again(ctx, s)
	}
	if err != nil {
		return storage.RelaySpan{}, err
	}
	var made storage.RelaySpan
	e.change(func(l *ledger, now time.Time) {
		if l.replays >= maxReplays {
			err = ErrTooManyReplays
			return
		}
		made = open(l, now.UTC()).RelaySpan
	})
	if err == nil {
		err = r.saver.flush(ctx)
	}
	return made, err
}

func (e *endpoint) revive(ctx context.Context, id int64) (func(l *ledger, now time.Time) *span, error) {
	letter, err := e.letter(ctx, id)
	if err != nil {
		return nil, err
	}
	return func(l *ledger, now time.Time) *span { return l.revive(l.latest(letter), now) }, nil
}

func (e *endpoint) again(ctx context.Context, s Selection) (func(l *ledger, now time.Time) *span, error) {
	head := e.relay.feed.head()
	query := storage.EventQuery{App: e.app, PushID: s.PushID, StartTime: s.StartTime, EndTime: s.EndTime, Through: head, Limit: 1}
	if s.Event != 0 {
		query.After, query.Through = s.Event-1, s.Event
	}
	first, err := e.relay.Store.ListEvents(ctx, query)
	if err != nil {
		return nil, err
	}
	if len(first) == 0 {
		return nil, storage.ErrNotFound
	}
	next, last := first[0].Sequence, query.Through
	return func(l *ledger, now time.Time) *span {
		if !l.caughtUp() {
			last = min(last, l.position)
		}
		return l.addReplay(s.PushID, next, last, s.StartTime, s.EndTime, now)
	}, nil
}
