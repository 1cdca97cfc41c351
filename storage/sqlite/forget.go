package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"time"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// forgetRows is how many rows of the log, held callbacks or dead letters one call of Forget deletes.
const forgetRows = 256

// Forget implements storage.Retention. The database's free pages are used again.
func (s *Store) Forget(ctx context.Context, before time.Time) (more bool, err error) {
	for _, slice := range []func(*tx, int64) (int64, error){(*tx).forgetEvents, (*tx).forgetHeld, (*tx).forgetDead,
		(*tx).forgetRecipients} {
		deleted, err := write(ctx, s, func(t *tx) (int64, error) { return slice(t, before.UnixMilli()) })
		if err != nil || deleted > 0 {
			return deleted > 0, err
		}
	}
	return false, nil
}

// oldRow is a row by its place in the order in which rows were received, about.
type oldRow struct{ id, received int64 }

func scanOld(rows *sql.Rows) (o oldRow, err error) {
	err = rows.Scan(&o.id, &o.received)
	return o, err
}

// scanLatest scans a segment by the latest of its events, for all of them go at once.
func scanLatest(rows *sql.Rows) (o oldRow, err error) {
	var body []byte
	if err = rows.Scan(&o.id, &o.received, &body); err != nil {
		return o, err
	}
	segment, err := layout.ReadSegment(body)
	if err != nil {
		return o, err
	}
	later := uint16(0)
	for i := range segment.Len() {
		later = max(later, segment.Event(i).Later)
	}
	o.received += int64(later)
	return o, nil
}

// lastOld returns the last of the first rows that are all old; 0 when the first is not.
func (t *tx) lastOld(scan func(*sql.Rows) (oldRow, error), query string, before int64) (last int64, err error) {
	rows, err := collect(t.ctx, t, scan, query, forgetRows)
	for _, row := range rows {
		if row.received >= before {
			break
		}
		last = row.id
	}
	return last, err
}

// forgetEvents deletes the beginning of the log, as far as it is folded.
func (t *tx) forgetEvents(before int64) (int64, error) {
	last, err := t.lastOld(scanLatest, `SELECT sequence, receive_time, body FROM segment
		WHERE sequence + events - 1 <= (SELECT sequence FROM fold) ORDER BY sequence LIMIT ?`, before)
	if err != nil || last == 0 {
		return 0, err
	}
	for _, statement := range []string{
		`DELETE FROM event_detail WHERE sequence < (SELECT sequence + events FROM segment WHERE sequence = ?1)`,
		`DELETE FROM span_of_app WHERE app_id IN (SELECT id FROM app) AND last < (SELECT sequence + events FROM segment WHERE sequence = ?1)`,
		`DELETE FROM segment_of_push WHERE (push_id, sequence) IN (SELECT push_id, sequence FROM segment WHERE sequence <= ?1)`,
	} {
		if _, err := t.exec(statement, last); err != nil {
			return 0, err
		}
	}
	return t.exec(`DELETE FROM segment WHERE sequence <= ?`, last)
}

func (t *tx) forgetHeld(before int64) (int64, error) {
	last, err := t.lastOld(scanOld, `SELECT id, receive_time FROM held_callback ORDER BY id LIMIT ?`, before)
	if err != nil || last == 0 {
		return 0, err
	}
	clear(t.writer.held)
	return t.exec(`DELETE FROM held_callback WHERE id <= ?`, last)
}

const (
	beingForgotten = `SELECT id FROM push WHERE forgotten = 1 AND forgotten < 2 LIMIT 1`

	// Pushes come in the order of the index's rowids, the oldest first. The index of segments lacks those that are yet to be
	// folded.
	toBeForgotten = `SELECT id FROM push p WHERE p.forgotten = 0 AND p.forgotten < 2 AND p.create_time < ? AND ` + visible + `
		AND p.id NOT IN ` + listed + `
		AND NOT EXISTS (SELECT 1 FROM segment_of_push s WHERE s.push_id = p.id)
		AND NOT EXISTS (SELECT 1 FROM step s WHERE s.push_id = p.id
			AND (s.state IN ('WAITING', 'SCHEDULED') OR s.measure_time IS NOT NULL))
		AND NOT EXISTS (SELECT 1 FROM dispatch d WHERE d.push_id = p.id AND (d.ready_time IS NOT NULL OR d.state = 'BLOCKED'))
		LIMIT 1`
)

// forgetRecipients deletes a slice of the recipients of a push that is old enough. From the first slice on it has none.
func (t *tx) forgetRecipients(before int64) (int64, error) {
	id, err := first(t.ctx, t, value[int64], beingForgotten)
	switch {
	case err == nil:
		return 1, t.forgetSlice(id)
	case !errors.Is(err, storage.ErrNotFound):
		return 0, err
	}
	id, err = first(t.ctx, t, value[int64], toBeForgotten, before, list[int64](t.unfolded()))
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return 0, nil
	case err != nil:
		return 0, err
	}
	t.writer.live.forget(id)
	return t.exec(`UPDATE push SET forgotten = 1 WHERE id = ?`, id)
}

// unfolded returns the pushes of which the disk may lack something.
func (t *tx) unfolded() []int64 {
	f := &t.writer.fold
	pushes := slices.AppendSeq([]int64{}, maps.Keys(f.next.refs))
	if f.round != nil {
		pushes = slices.AppendSeq(pushes, maps.Keys(f.round.refs))
	}
	for _, r := range t.journal.refs {
		pushes = append(pushes, r.push)
	}
	return pushes
}

func (t *tx) forgetSlice(id int64) error {
	found, err := t.deleteSlice(id, deleteRecipients...)
	if err == nil && !found {
		found, err = t.deleteBatch(id)
	}
	if err == nil && !found {
		_, err = t.exec(`UPDATE push SET forgotten = 2 WHERE id = ?`, id)
	}
	return err
}
