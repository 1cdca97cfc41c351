package postgres

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// forgetSegments is how many segments of a day of which not all is old one call of Forget deletes.
const forgetSegments = 256

// dayTable is the table of one day's events.
type dayTable struct {
	day      int32
	name     string
	attached bool // it is a partition of segment
	pending  bool // it is about to be none: that was cut short
}

// listDays lists all of them, those too that were detached and not dropped.
const listDays = `SELECT c.relname, i.inhrelid IS NOT NULL, COALESCE(i.inhdetachpending, false)
	FROM pg_class s JOIN pg_class c ON c.relnamespace = s.relnamespace AND c.relkind = 'r' AND c.relname ~ '^segment_(before_)?[0-9]+$'
	LEFT JOIN pg_inherits i ON i.inhrelid = c.oid AND i.inhparent = s.oid
	WHERE s.oid = 'segment'::regclass`

func scanDayTable(row pgx.CollectableRow) (d dayTable, err error) {
	if err = row.Scan(&d.name, &d.attached, &d.pending); err != nil {
		return d, err
	}
	number := strings.Replace(strings.TrimPrefix(d.name, "segment_"), "before_", "-", 1)
	day, err := strconv.ParseInt(number, 10, 32)
	d.day = int32(day)
	return d, err
}

// end is when all events that a day's table may have were received, in milliseconds.
func (d dayTable) end() int64 { return (int64(d.day)+1)*millisPerDay + layout.MaxLater }

// dropDays drops the table of a day of which everything is old, and reports whether there may be more. What is reported meanwhile does
// not wait for that: the table is detached first, which waits for others without anybody waiting for it. If these take too long, it is
// left for the next time.
func (s *Store) dropDays(ctx context.Context, before int64) (more bool, err error) {
	old, err := write(ctx, s, func(t *tx) (dayTable, error) { return t.oldDay(before) })
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	}
	if old.attached {
		if more, err = write(ctx, s, func(t *tx) (bool, error) { return t.forgetDetails(old.day) }); err != nil || more {
			return more, err
		}
		if detached, err := s.detach(ctx, old); err != nil || !detached {
			return false, err
		}
	}
	return write(ctx, s, func(t *tx) (bool, error) { return t.dropDay(old) })
}

// oldDay returns the oldest day of which everything is old, or storage.ErrNotFound.
func (t *tx) oldDay(before int64) (oldest dayTable, err error) {
	days, err := collect(t.ctx, t, scanDayTable, listDays)
	if err != nil {
		return oldest, err
	}
	days = slices.DeleteFunc(days, func(d dayTable) bool { return d.end() > before })
	if len(days) == 0 {
		return oldest, storage.ErrNotFound
	}
	if i := slices.IndexFunc(days, func(d dayTable) bool { return d.pending }); i >= 0 {
		return days[i], nil // PostgreSQL detaches one at a time
	}
	return slices.MinFunc(days, func(a, b dayTable) int { return cmp.Compare(a.day, b.day) }), nil
}

// forgetDetails deletes some details of a day's events, and reports whether there were any.
func (t *tx) forgetDetails(day int32) (found bool, err error) {
	n, err := t.exec(`DELETE FROM event_detail WHERE sequence IN (SELECT e.sequence FROM log_day l
		JOIN event_detail e ON e.sequence BETWEEN l.first AND l.last
		JOIN LATERAL (SELECT s.sequence + s.events AS ends FROM segment s WHERE s.day = $1 AND s.sequence <= e.sequence
			ORDER BY s.sequence DESC LIMIT 1) s ON s.ends > e.sequence
		WHERE l.day = $1 LIMIT $2)`, day, forgetRows)
	return n > 0, err
}

// detach makes a day's table one of its own. It waits until all transactions have ended that may read or write it, for as long as
// PostgreSQL waits for locks: longer ones, such as a backup, may be there at any time.
func (s *Store) detach(ctx context.Context, d dayTable) (detached bool, err error) {
	statement := `ALTER TABLE segment DETACH PARTITION ` + d.name + ` CONCURRENTLY`
	if d.pending {
		statement = `ALTER TABLE segment DETACH PARTITION ` + d.name + ` FINALIZE`
	}
	_, err = s.pool.Exec(ctx, statement)
	if code(err) == "55P03" { // a lock was not free in time
		s.options.Logger.InfoContext(ctx, "old events are dropped later, for somebody uses the log", "table", d.name)
		return false, nil
	}
	return err == nil, unavailable(err)
}

// dropDay drops a day's table, unless it is part of the log again.
func (t *tx) dropDay(d dayTable) (dropped bool, err error) {
	// Who makes partitions waits for this.
	if _, err := t.exec(`SELECT set_config('lock_timeout', '1s', true), pg_advisory_xact_lock($1)`, int64(partitionLock)); err != nil {
		return false, err
	}
	attached, err := first(t.ctx, t, value[bool], `SELECT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass($1))`, d.name)
	if err != nil || attached {
		return attached, err
	}
	if _, err := t.exec(`DROP TABLE IF EXISTS ` + d.name); err != nil {
		return false, err
	}
	// Only who has the end of the log changes log_day.
	if _, err := first(t.ctx, t, value[int64], `SELECT sequence FROM log_head FOR UPDATE`); err != nil {
		return false, err
	}
	_, err = t.exec(`DELETE FROM log_day WHERE day = $1`, d.day)
	return true, err
}

const (
	// What may be young is looked at closely: its latest event counts.
	firstSegments = `SELECT sequence, receive_time, CASE WHEN receive_time >= $2 THEN body END FROM segment
		WHERE day = $1 ORDER BY sequence LIMIT $3`

	deleteDetails = `DELETE FROM event_detail e USING segment s WHERE s.day = $1 AND s.sequence <= $2
		AND e.sequence BETWEEN s.sequence AND s.sequence + s.events - 1`
	deleteSegments = `DELETE FROM segment WHERE day = $1 AND sequence <= $2`
)

// forgetEvents deletes the beginning of days of which something is old and something may not be. The others are dropDays'.
func (t *tx) forgetEvents(before int64) (int64, error) {
	days, err := collect(t.ctx, t, value[int32], `SELECT day FROM log_day WHERE day BETWEEN $1 AND $2 ORDER BY day`,
		dayOf(before-layout.MaxLater), dayOf(before))
	for _, day := range days {
		last, err := t.lastOld(day, before)
		if err != nil {
			return 0, err
		}
		if last == 0 {
			continue
		}
		if _, err := t.exec(deleteDetails, day, last); err != nil {
			return 0, err
		}
		return t.exec(deleteSegments, day, last)
	}
	return 0, err
}

// lastOld returns the last of a day's first segments that are all old; 0 when the first is not.
func (t *tx) lastOld(day int32, before int64) (last int64, err error) {
	type row struct{ sequence, latest int64 }
	rows, err := collect(t.ctx, t, func(r pgx.CollectableRow) (row, error) {
		var o row
		var body []byte
		if err := r.Scan(&o.sequence, &o.latest, &body); err != nil || body == nil {
			return o, err
		}
		segment, err := layout.ReadSegment(body)
		later := uint16(0)
		for i := range segment.Len() {
			later = max(later, segment.Event(i).Later)
		}
		o.latest += int64(later)
		return o, err
	}, firstSegments, day, before-layout.MaxLater, forgetSegments)
	for _, o := range rows {
		if o.latest >= before {
			break
		}
		last = o.sequence
	}
	return last, err
}
