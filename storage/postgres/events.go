package postgres

import (
	"context"
	"math"

	"github.com/jackc/pgx/v5"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// ListEvents implements storage.Callbacks.
func (s *Store) ListEvents(ctx context.Context, query storage.EventQuery) ([]storage.Event, error) {
	if query.After == math.MaxInt64 {
		return nil, nil
	}
	return read(ctx, s, func(q querier) ([]storage.Event, error) {
		r := eventReader{db: s.database, ctx: ctx, q: q, query: query, limit: page(query.Limit)}
		all, err := logWindows(ctx, q, query.After, r.last())
		if err != nil {
			return nil, err
		}
		if query.RegistrationID != "" {
			err = r.readDevice(joined(all))
		} else {
			if query.PushID != 0 {
				all = joined(all) // a push has little in each
			}
			err = r.readLog(all)
		}
		return r.events, err
	})
}

// LastSequence implements storage.Callbacks.
func (s *Store) LastSequence(ctx context.Context) (int64, error) {
	return look(ctx, s, func(q querier) (int64, error) { return first(ctx, q, value[int64], `SELECT sequence FROM log_head`) })
}

// window is a part of the log, and the days whose partitions have it. Days that have neighbouring sequences are in one window if their
// sequences are mixed.
type window struct {
	days        []int32
	first, last int64
}

// readInOrder makes PostgreSQL go along the indexes for the rest of a transaction. It knows little of a day that has just begun, and would
// rather read all that comes after a sequence, and sort it.
const readInOrder = `SELECT set_config('enable_sort', 'off', true) || set_config('enable_bitmapscan', 'off', true)
	|| set_config('enable_seqscan', 'off', true)`

// logWindows returns the parts of the log that have something after a sequence, up to another, in order.
func logWindows(ctx context.Context, q querier, after, last int64) ([]window, error) {
	if _, err := first(ctx, q, value[string], readInOrder); err != nil {
		return nil, err
	}
	days, err := collect(ctx, q, func(row pgx.CollectableRow) (w window, err error) {
		w.days = make([]int32, 1)
		err = row.Scan(&w.days[0], &w.first, &w.last)
		return w, err
	}, `SELECT day, first, last FROM log_day WHERE last > $1 AND first <= $2 ORDER BY first`, after, last)
	var all []window
	for _, day := range days {
		if n := len(all) - 1; n >= 0 && day.first <= all[n].last {
			all[n].days = append(all[n].days, day.days...)
			all[n].last = max(all[n].last, day.last)
		} else {
			all = append(all, day)
		}
	}
	return all, err
}

// joined makes one window of all.
func joined(all []window) []window {
	if len(all) < 2 {
		return all
	}
	one := window{first: all[0].first, last: all[len(all)-1].last}
	for _, w := range all {
		one.days = append(one.days, w.days...)
	}
	return []window{one}
}

const (
	segmentColumns = `SELECT s.sequence, s.app, s.push_id, s.receive_time, s.body`

	// Segments that end before the query begins, in sequences or in time, are passed over.
	fromSegments = ` FROM segment s WHERE s.day = ANY($1) AND s.sequence > $2::bigint - 248 AND s.sequence <= $3 AND s.sequence + s.events > $2
		AND s.last_time >= $4 `
	pageOfSegments = `ORDER BY s.sequence LIMIT $5`

	logSegments  = segmentColumns + fromSegments + pageOfSegments
	appSegments  = segmentColumns + fromSegments + `AND s.app = $6 ` + pageOfSegments
	pushSegments = segmentColumns + fromSegments + `AND s.push_id = $6 ` + pageOfSegments

	deviceSegments = segmentColumns + `, k.ordinal FROM unnest($6::bigint[], $7::bigint[]) AS k (push_id, ordinal)
		CROSS JOIN LATERAL (SELECT *` + fromSegments + `AND s.push_id = k.push_id AND s.low <= k.ordinal AND s.high >= k.ordinal ` +
		pageOfSegments + `) s ` + pageOfSegments
)

// Segments have no more events than the statements above know.
const _ = uint(248 - layout.MaxEvents)

// A read begins with few segments, and goes on with more: mostly they are full.
const (
	fewSegments  = 8
	manySegments = 256
)

type loggedSegment struct {
	sequence, push, received int64
	app                      string
	layout.Segment
}

func scanSegment(row pgx.CollectableRow) (s loggedSegment, err error) {
	var body []byte
	if err = row.Scan(&s.sequence, &s.app, &s.push, &s.received, &body); err == nil {
		s.Segment, err = layout.ReadSegment(body)
	}
	return s, err
}

// within returns the places of a segment's events whose sequences a query selects.
func (s *loggedSegment) within(q *storage.EventQuery) (from, to int) {
	from, to = int(max(q.After-s.sequence, -1)+1), s.Len()
	if q.Through != 0 {
		to = int(min(q.Through-s.sequence, int64(to)-1)) + 1
	}
	return from, max(from, to)
}

// readLog reads windows of the log, until there are enough events.
func (r *eventReader) readLog(all []window) error {
	statement, of := logSegments, []any(nil)
	switch {
	case r.query.PushID != 0:
		statement, of = pushSegments, []any{r.query.PushID}
	case r.query.App != "":
		statement, of = appSegments, []any{r.query.App}
	}
	n := min((r.limit-1)/layout.MaxEvents+fewSegments, manySegments)
	for _, w := range all {
		for begin := r.query.After + 1; !r.full(); {
			args := append([]any{w.days, begin, min(w.last, r.last()), r.since(), n}, of...)
			segments, err := collect(r.ctx, r.q, scanSegment, statement, args...)
			if err == nil {
				err = r.read(segments)
			}
			if err != nil {
				return err
			}
			if len(segments) < n {
				break
			}
			last := &segments[n-1]
			begin, n = last.sequence+int64(last.Len()), manySegments
		}
	}
	return nil
}

// readDevice reads the events of a registration id in each push that it is in: a device has few.
func (r *eventReader) readDevice(all []window) error {
	pushes, ordinals, err := r.memberships()
	if err != nil || len(pushes) == 0 {
		return err
	}
	for _, w := range all {
		for begin := r.query.After + 1; !r.full(); {
			type part struct {
				loggedSegment
				ordinal uint32
			}
			parts, err := collect(r.ctx, r.q, func(row pgx.CollectableRow) (p part, err error) {
				var body []byte
				if err = row.Scan(&p.sequence, &p.app, &p.push, &p.received, &body, &p.ordinal); err == nil {
					p.Segment, err = layout.ReadSegment(body)
				}
				return p, err
			}, deviceSegments, w.days, begin, min(w.last, r.last()), r.since(), manySegments, pushes, ordinals)
			if err != nil {
				return err
			}
			for i := range parts {
				r.ordinal = &parts[i].ordinal
				if err := r.read([]loggedSegment{parts[i].loggedSegment}); err != nil {
					return err
				}
			}
			if len(parts) < manySegments {
				break
			}
			last := &parts[len(parts)-1]
			begin = last.sequence + int64(last.Len())
		}
	}
	return nil
}

// memberships returns the pushes that a query for a device is about, and its ordinals in them.
func (r *eventReader) memberships() (pushes, ordinals []int64, err error) {
	rows, err := r.q.Query(r.ctx, `SELECT p.id, r.ordinal FROM push p CROSS JOIN LATERAL
		(SELECT ordinal FROM recipient WHERE push_id = p.id AND registration_id = $1 LIMIT 1) r
		WHERE ($2 = '' OR p.app = $2) AND ($3::bigint = 0 OR p.id = $3)`, keyText(r.query.RegistrationID), r.query.App, r.query.PushID)
	if err != nil {
		return nil, nil, err
	}
	var push, ordinal int64
	_, err = pgx.ForEachRow(rows, []any{&push, &ordinal}, func() error {
		pushes, ordinals = append(pushes, push), append(ordinals, ordinal)
		return nil
	})
	return pushes, ordinals, err
}

// last returns the last sequence that is selected.
func (r *eventReader) last() int64 {
	if r.query.Through == 0 {
		return math.MaxInt64
	}
	return r.query.Through
}

func (r *eventReader) since() int64 {
	since, _ := seconds(r.query.StartTime)
	return int64(since)
}

func (r *eventReader) full() bool { return len(r.events) >= r.limit }

const eventRuns = `SELECT s.sequence, s.events, s.app, s.push_id, COALESCE((SELECT callback_urls IS NOT NULL FROM push WHERE id = s.push_id), false)
	FROM segment s WHERE s.day = ANY($1) AND s.sequence > $2::bigint - 248 AND s.sequence + s.events - 1 > $2 ORDER BY s.sequence LIMIT $3`

// ListEventRuns implements storage.Callbacks. A run is a segment: what is in it is not read.
func (s *Store) ListEventRuns(ctx context.Context, after int64, limit int) ([]storage.EventRun, error) {
	return read(ctx, s, func(q querier) (runs []storage.EventRun, err error) {
		all, err := logWindows(ctx, q, after, math.MaxInt64)
		for _, w := range all {
			rest := page(limit) - len(runs)
			if rest == 0 {
				break
			}
			some, err := collect(ctx, q, func(row pgx.CollectableRow) (run storage.EventRun, err error) {
				var events int64
				err = row.Scan(&run.First, &events, &run.App, &run.PushID, &run.CallbackURLs)
				run.Last = run.First + events - 1
				run.First = max(run.First, after+1)
				return run, err
			}, eventRuns, w.days, after, rest)
			if err != nil {
				return nil, err
			}
			runs = append(runs, some...)
		}
		return runs, err
	})
}
