package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"

	"susul.dev/susul/storage"
)

// segmentRef says where a segment is, and what it is about.
type segmentRef struct {
	sequence, last      int64 // of its first and last event
	app, push           int64
	low, high, lastTime uint32
}

// tail is the end of the log, which the indexes on disk do not have yet. The writer changes it.
type tail struct {
	mu      sync.RWMutex
	through int64        // the indexes have every segment up to this sequence
	refs    []segmentRef // those that come later, in order
}

// get returns the sequence up to which the indexes are complete, and the segments after that. It is to be called before
// the snapshot begins in which the indexes are read: what is indexed in between is seen once, here.
func (l *tail) get() (through int64, refs []segmentRef) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.through, l.refs // who has them sees no changes: more are appended behind them, and fewer are a copy
}

func (l *tail) add(refs []segmentRef) {
	if len(refs) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refs = append(l.refs, refs...)
}

// set replaces the tail by another.
func (l *tail) set(through int64, refs []segmentRef) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.through, l.refs = through, refs
}

// reset begins the tail after a sequence.
func (l *tail) reset(through int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	after := slices.IndexFunc(l.refs, func(r segmentRef) bool { return r.sequence > through })
	if after < 0 {
		after = len(l.refs)
	}
	l.through, l.refs = through, slices.Clone(l.refs[after:])
}

// span is a part of the log in which every segment is of one app.
type span struct {
	app, first, last int64
	lastTime         uint32
}

// maxSpan is how many sequences a span has, about: the latest time in it lets a query pass over it.
const maxSpan = 1 << 20

// joined extends a span by a segment or a span that follows it, and reports whether that was possible.
func (s *span) joined(next span) bool {
	if s.app != next.app || s.last+1 != next.first || s.last-s.first >= maxSpan {
		return false
	}
	s.last, s.lastTime = next.last, max(s.lastTime, next.lastTime)
	return true
}

// appendSpan puts a segment behind spans.
func appendSpan(spans []span, r segmentRef) []span {
	next := span{r.app, r.sequence, r.last, r.lastTime}
	if len(spans) > 0 && spans[len(spans)-1].joined(next) {
		return spans
	}
	return append(spans, next)
}

var (
	insertRefs = bulk{`INSERT INTO segment_of_push (push_id, sequence, low, high)`, 4, `ON CONFLICT DO NOTHING`}
	upsertSpan = `INSERT INTO span_of_app (app_id, first, last, last_time) VALUES (?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET last = excluded.last, last_time = excluded.last_time`
)

// index writes segments into the index of pushes.
func (t *tx) index(refs []segmentRef) error {
	_, err := insertRefs.exec(t, len(refs), func(args []any, i int) []any {
		r := &refs[i]
		return append(args, r.push, r.sequence, r.low, r.high)
	})
	return err
}

func scanSpan(rows *sql.Rows) (s span, err error) {
	err = rows.Scan(&s.app, &s.first, &s.last, &s.lastTime)
	return s, err
}

// writeSpans writes spans into the index of apps; the first of an app may extend the last that is there.
func (t *tx) writeSpans(spans []span) error {
	for _, s := range spans {
		earlier, err := first(t.ctx, t, scanSpan, `SELECT app_id, first, last, last_time FROM span_of_app WHERE app_id = ?
			ORDER BY first DESC LIMIT 1`, s.app)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
		if err == nil && earlier.joined(s) {
			s = earlier
		}
		if _, err := t.exec(upsertSpan, s.app, s.first, s.last, s.lastTime); err != nil {
			return err
		}
	}
	return nil
}

// spans returns the spans of an app that have something later than a sequence and not all earlier than a time.
func spans(ctx context.Context, q querier, app, after, through int64, since uint32, end []segmentRef) ([]span, error) {
	stored, err := collect(ctx, q, scanSpan, selectSpans, app, after, through, since)
	if err != nil {
		return nil, err
	}
	for i := range stored {
		stored[i].last = min(stored[i].last, through) // it may have been extended since; what follows is in end
	}
	for _, r := range end {
		if r.app == app && r.last > after && r.lastTime >= since {
			stored = appendSpan(stored, r)
		}
	}
	return stored, nil
}

const selectSpans = `SELECT app_id, first, last, last_time FROM span_of_app
	WHERE app_id = ? AND last > ? AND first <= ? AND last_time >= ? ORDER BY first`
