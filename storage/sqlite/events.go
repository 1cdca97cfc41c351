package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"math"
	"slices"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// ListEvents implements storage.Callbacks. The registration ids of a page share memory.
func (s *Store) ListEvents(ctx context.Context, query storage.EventQuery) ([]storage.Event, error) {
	r := eventReader{kinds: s.writer.kinds, lookups: s.lookups, ctx: ctx, query: query, limit: page(query.Limit)}
	r.through, r.end = s.live.tail.get()
	if query.After == math.MaxInt64 {
		return nil, nil
	}
	return read(ctx, s, func(q querier) (_ []storage.Event, err error) {
		r.q = q
		switch {
		case query.RegistrationID != "":
			err = r.walkDevice()
		case query.PushID != 0:
			err = r.walkPush(query.PushID, nil)
		case query.App != "":
			err = r.walkApp()
		default:
			err = r.walkLog()
		}
		return r.events, err
	})
}

// LastSequence implements storage.Callbacks.
func (s *Store) LastSequence(ctx context.Context) (int64, error) {
	return read(ctx, s, func(q querier) (int64, error) {
		return first(ctx, q, value[int64], `SELECT MAX(sequence, COALESCE((SELECT sequence + events - 1 FROM segment
			ORDER BY sequence DESC LIMIT 1), 0)) FROM fold`)
	})
}

// SubscribeEvents implements storage.Callbacks. It knows of the events that this store commits, not of another
// process's.
func (s *Store) SubscribeEvents() (signal <-chan struct{}, cancel func()) {
	return s.signals.subscribe()
}

const (
	segmentColumns = `SELECT s.sequence, s.push_id, s.app_id, s.last_time, s.receive_time, s.events, s.body FROM `
	readSegments   = segmentColumns + `segment s WHERE s.sequence > ? `

	eventColumns = `SELECT s.sequence, s.push_id, s.app_id, s.receive_time, s.body FROM `

	// The following begin with the segment that has a sequence: the last one that does not begin behind it. Segments that end
	// before the query begins, in time, are passed over.
	logSegments = eventColumns + `segment s
		WHERE s.sequence >= COALESCE((SELECT MAX(sequence) FROM segment WHERE sequence <= ?), 0)
		AND s.sequence <= ? AND s.last_time >= ? ORDER BY s.sequence LIMIT ?`
	appSegments = eventColumns + `span_of_app i CROSS JOIN segment s
		ON s.sequence >= MAX(i.first, COALESCE((SELECT MAX(sequence) FROM segment WHERE sequence <= ?2), 0))
		AND s.sequence <= MIN(i.last, ?3)
		WHERE i.app_id = ?1 AND i.first >= COALESCE((SELECT MAX(first) FROM span_of_app WHERE app_id = ?1 AND first <= ?2), 0)
		AND i.first <= ?3 AND i.last_time >= ?4 AND s.last_time >= ?4 ORDER BY i.first, s.sequence LIMIT ?5`
	pushSegments = eventColumns + `segment_of_push i CROSS JOIN segment s ON s.sequence = i.sequence
		WHERE i.push_id = ?1 AND i.sequence >= COALESCE((SELECT MAX(sequence) FROM segment_of_push
			WHERE push_id = ?1 AND sequence <= ?2), 0)
		AND i.sequence <= ?3 AND i.low <= ?4 AND i.high >= ?5 AND s.last_time >= ?6 ORDER BY i.sequence LIMIT ?7`
	listedSegments = eventColumns + `segment s WHERE s.sequence IN ` + listed + ` ORDER BY s.sequence`

	// segmentsPerRead is how many segments are in memory at once.
	segmentsPerRead = segmentsAtOnce
	// eventsPerRead is how many events those have that are read at once, or a few more.
	eventsPerRead = 4096
)

type loggedSegment struct {
	sequence, push, app, received int64
	lastTime                      uint32
	events, bytes                 int // as the row says, and of its body
	layout.Segment
}

func scanSegment(rows *sql.Rows) (s loggedSegment, err error) {
	var body []byte
	if err = rows.Scan(&s.sequence, &s.push, &s.app, &s.lastTime, &s.received, &s.events, &body); err != nil {
		return s, err
	}
	s.bytes = len(body)
	s.Segment, err = layout.ReadSegment(body)
	return s, err
}

// scanEvents scans a segment without what only describes it.
func scanEvents(rows *sql.Rows) (s loggedSegment, err error) {
	var body []byte
	if err = rows.Scan(&s.sequence, &s.push, &s.app, &s.received, &body); err != nil {
		return s, err
	}
	s.Segment, err = layout.ReadSegment(body)
	return s, err
}

func (s loggedSegment) ref() segmentRef {
	n := s.Len()
	return segmentRef{sequence: s.sequence, last: s.sequence + int64(n) - 1, app: s.app, push: s.push,
		low: s.Event(0).Ordinal, high: s.Event(n - 1).Ordinal, lastTime: s.lastTime}
}

// within returns the places of a segment's events whose sequences a query selects.
func (s *loggedSegment) within(q *storage.EventQuery) (from, to int) {
	from, to = int(max(q.After-s.sequence, -1)+1), s.Len()
	if q.Through != 0 {
		to = int(min(q.Through-s.sequence, int64(to)-1)) + 1
	}
	return from, max(from, to)
}

// walkLog reads the segments of all apps.
func (r *eventReader) walkLog() error {
	return r.walk(r.query.After+1, nil, nil, func(begin int64) ([]loggedSegment, bool, error) {
		return r.some(begin, nil, logSegments, begin, r.last(), r.since(), segmentsPerRead)
	})
}

// walkApp reads the segments of an app: by the index, then at the end of the log, which that does not have yet.
func (r *eventReader) walkApp() error {
	app, err := appID(r.ctx, r.q, r.query.App)
	if err != nil || app == 0 {
		return err
	}
	err = r.walk(r.query.After+1, nil, nil, func(begin int64) ([]loggedSegment, bool, error) {
		return r.some(begin, nil, appSegments, app, begin, min(r.through, r.last()), r.since(), segmentsPerRead)
	})
	if err != nil || r.full() {
		return err
	}
	if err = r.walkEnd(nil, func(ref *segmentRef) bool { return ref.app == app }); err != nil || r.full() {
		return err
	}
	return r.walkRest(nil, func(s *loggedSegment) bool { return s.app == app })
}

// walkPush reads the segments of a push likewise, those that may have a recipient if one is given.
func (r *eventReader) walkPush(push int64, ordinal *uint32) error {
	low, high := uint32(math.MaxUint32), uint32(0)
	if ordinal != nil {
		low, high = *ordinal, *ordinal
	}
	err := r.walk(r.query.After+1, ordinal, nil, func(begin int64) ([]loggedSegment, bool, error) {
		return r.some(begin, ordinal, pushSegments, push, begin, min(r.through, r.last()), low, high, r.since(), segmentsPerRead)
	})
	if err != nil || r.full() {
		return err
	}
	err = r.walkEnd(ordinal, func(ref *segmentRef) bool { return ref.push == push && ref.low <= low && ref.high >= high })
	if err != nil || r.full() {
		return err
	}
	return r.walkRest(ordinal, func(s *loggedSegment) bool { return s.push == push })
}

// walk reads segments from a sequence on, those that suit if not all do, until there are enough events. next returns those from a
// sequence on, and whether there may be more.
func (r *eventReader) walk(
	begin int64, ordinal *uint32, suits func(*loggedSegment) bool, next func(begin int64) ([]loggedSegment, bool, error),
) error {
	for more := true; more && !r.full(); {
		segments, again, err := next(begin)
		if err == nil {
			err = r.read(suiting(segments, suits), ordinal)
		}
		if err != nil {
			return err
		}
		if more = again; more {
			last := &segments[len(segments)-1]
			begin = last.sequence + int64(last.Len())
		}
	}
	return nil
}

// suiting returns the segments that suit, in memory of its own; all of them without a condition.
func suiting(segments []loggedSegment, suits func(*loggedSegment) bool) (those []loggedSegment) {
	if suits == nil {
		return segments
	}
	for i := range segments {
		if suits(&segments[i]) {
			those = append(those, segments[i])
		}
	}
	return those
}

// some reads the first segments that end at or after a sequence, as many as the query needs for now.
func (r *eventReader) some(begin int64, ordinal *uint32, query string, args ...any) (segments []loggedSegment, more bool, err error) {
	rows, err := r.q.QueryContext(r.ctx, query, args...)
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	room, n := r.room(), 0
	for rows.Next() {
		s, err := scanEvents(rows)
		if err != nil {
			return nil, false, err
		}
		n++
		if s.sequence+int64(s.Len()) <= begin {
			continue // it was read before, or is before all that is asked for
		}
		segments = append(segments, s)
		if ordinal == nil {
			from, to := s.within(&r.query)
			room -= to - from
		}
		if room <= 0 {
			return segments, true, nil
		}
	}
	return segments, n == segmentsPerRead && len(segments) > 0, rows.Err()
}

// room is how many events are to be read at once.
func (r *eventReader) room() int { return min(r.limit-len(r.events), eventsPerRead) }

// walkEnd reads those segments at the end of the log that suit.
func (r *eventReader) walkEnd(ordinal *uint32, suits func(*segmentRef) bool) error {
	at, _ := slices.BinarySearchFunc(r.end, r.query.After+1, func(ref segmentRef, begin int64) int { return cmp.Compare(ref.last, begin) })
	for refs := r.end[at:]; len(refs) > 0 && !r.full(); {
		var sequences list[int64]
		for room := r.room(); len(refs) > 0 && room > 0 && len(sequences) < segmentsPerRead; refs = refs[1:] {
			ref := &refs[0]
			if ref.sequence > r.last() {
				refs = nil
				break
			}
			if !suits(ref) || ref.lastTime < r.since() {
				continue
			}
			sequences = append(sequences, ref.sequence)
			if ordinal == nil {
				room -= int(ref.last - ref.sequence + 1)
			}
		}
		segments, err := collect(r.ctx, r.q, scanEvents, listedSegments, sequences) // those that were forgotten since are not there
		if err == nil {
			err = r.read(segments, ordinal)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// walkRest reads those segments that suit of what the snapshot has and the end of the log, as it was known before, has not: a transaction
// is committed a moment before the end is. Without them, a query for an app or push could miss what another query saw.
func (r *eventReader) walkRest(ordinal *uint32, suits func(*loggedSegment) bool) error {
	known := max(r.through, r.query.After)
	if n := len(r.end); n > 0 {
		known = max(known, r.end[n-1].last)
	}
	return r.walk(known+1, ordinal, suits, func(begin int64) ([]loggedSegment, bool, error) {
		return r.some(begin, ordinal, logSegments, begin, r.last(), r.since(), segmentsPerRead)
	})
}

// walkDevice reads the events of a registration id in each push that it is in, and sorts them: a device has few.
func (r *eventReader) walkDevice() error {
	pushes, err := r.pushes()
	if err != nil {
		return err
	}
	var all []storage.Event
	for _, push := range pushes {
		ordinal, ok, err := memberOf(r.ctx, r.q, push.id, push.size, r.query.RegistrationID)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		r.events = nil
		if err := r.walkPush(push.id, &ordinal); err != nil {
			return err
		}
		all = append(all, r.events...)
	}
	slices.SortFunc(all, func(a, b storage.Event) int { return cmp.Compare(a.Sequence, b.Sequence) })
	r.events = all[:min(len(all), r.limit)]
	return nil
}

type pushSize struct {
	id   int64
	size int
}

// pushes returns the pushes that a query for a device is about.
func (r *eventReader) pushes() ([]pushSize, error) {
	where, args := visible, []any{}
	if r.query.App != "" {
		where, args = where+` AND p.app = ?`, append(args, r.query.App)
	}
	if r.query.PushID != 0 {
		where, args = where+` AND p.id = ?`, append(args, r.query.PushID)
	}
	return collect(r.ctx, r.q, func(rows *sql.Rows) (p pushSize, err error) {
		err = rows.Scan(&p.id, &p.size)
		return p, err
	}, `SELECT p.id, p.recipients FROM push p WHERE `+where, args...)
}

// last returns the last sequence that is selected.
func (r *eventReader) last() int64 {
	if r.query.Through == 0 {
		return math.MaxInt64
	}
	return r.query.Through
}

func (r *eventReader) since() uint32 {
	since, _ := seconds(r.query.StartTime)
	return since
}

func (r *eventReader) full() bool { return len(r.events) >= r.limit }
