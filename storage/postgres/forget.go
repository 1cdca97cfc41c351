package postgres

import (
	"context"
	"errors"
	"time"

	"susul.dev/susul/storage"
)

// forgetRows is how many rows of any table but segment one call of Forget deletes, about.
const forgetRows = 5000

// Forget implements storage.Retention.
func (s *Store) Forget(ctx context.Context, before time.Time) (more bool, err error) {
	ms := before.UnixMilli()
	if more, err = s.dropDays(ctx, ms); err != nil || more {
		return more, err
	}
	for _, slice := range []func(*tx, int64) (int64, error){(*tx).forgetEvents, (*tx).forgetHeld, (*tx).forgetDead, (*tx).forgetRecipients} {
		deleted, err := write(ctx, s, func(t *tx) (int64, error) { return slice(t, ms) })
		if err != nil || deleted > 0 {
			return deleted > 0, err
		}
	}
	return false, nil
}

// forgetHeld deletes some held callbacks. Those that somebody is about to apply are left to him.
func (t *tx) forgetHeld(before int64) (int64, error) {
	return t.exec(`DELETE FROM held_callback WHERE id IN (SELECT id FROM held_callback WHERE receive_time < $1
		ORDER BY receive_time LIMIT $2 FOR UPDATE SKIP LOCKED)`, before, forgetRows)
}

const (
	beingForgotten = `SELECT id FROM push WHERE forgotten = 1 AND forgotten < 2 ORDER BY create_time LIMIT 1`

	toBeForgotten = `SELECT id FROM push p WHERE p.forgotten = 0 AND p.forgotten < 2 AND p.create_time < $1 AND NOT EXISTS ` + hasEvents + `
		AND NOT EXISTS (SELECT 1 FROM step s WHERE s.push_id = p.id
			AND (s.state IN ('WAITING', 'SCHEDULED') OR s.measure_time IS NOT NULL))
		AND NOT EXISTS (SELECT 1 FROM dispatch d WHERE d.push_id = p.id AND (d.ready_time IS NOT NULL OR d.state = 'BLOCKED'))
		ORDER BY p.create_time LIMIT 1`

	hasEvents = `(SELECT 1 FROM segment s WHERE s.push_id = p.id)`

	// Who stores callbacks sees by the count of forgets that what he knows of pushes may have changed.
	countForget = `UPDATE log_head SET forgets = forgets + 1`
)

// forgetRecipients deletes a slice of the recipients of a push that is old enough. From the first slice on it has none.
func (t *tx) forgetRecipients(before int64) (int64, error) {
	id, err := first(t.ctx, t, value[int64], beingForgotten)
	if err == nil {
		return 1, t.forgetSlice(id)
	}
	if errors.Is(err, storage.ErrNotFound) {
		id, err = first(t.ctx, t, value[int64], toBeForgotten, before)
	}
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return 0, nil
	case err != nil:
		return 0, err
	}
	if _, err := t.lockPush(id); err != nil {
		return 0, err
	}
	// Nobody appends to the log from here on, until the commit. So either what was reported meanwhile is seen, or he who is about to store
	// it sees that the push is forgotten. Of a push that gained events, its recipients are left until the next time.
	if _, err := t.exec(countForget); err != nil {
		return 0, err
	}
	return t.exec(`UPDATE push p SET forgotten = 1 WHERE p.id = $1 AND NOT EXISTS `+hasEvents, id)
}

// What is deleted of a push, in this order: a number of rows at a time.
var deletions = []string{
	`DELETE FROM single WHERE ctid = ANY (ARRAY(SELECT s.ctid FROM single s JOIN dispatch d ON d.id = s.dispatch_id
		WHERE d.push_id = $1 LIMIT $2))`,
	`DELETE FROM batch_result WHERE ctid = ANY (ARRAY(SELECT b.ctid FROM batch_result b JOIN dispatch d ON d.id = b.dispatch_id
		WHERE d.push_id = $1 LIMIT $2))`,
	`DELETE FROM batch WHERE ctid = ANY (ARRAY(SELECT b.ctid FROM batch b JOIN dispatch d ON d.id = b.dispatch_id
		WHERE d.push_id = $1 LIMIT $2))`,
	`DELETE FROM decision WHERE ctid = ANY (ARRAY(SELECT ctid FROM decision WHERE push_id = $1 LIMIT $2))`,
	`DELETE FROM mark WHERE ctid = ANY (ARRAY(SELECT ctid FROM mark WHERE push_id = $1 LIMIT $2))`,
	`DELETE FROM progress WHERE ctid = ANY (ARRAY(SELECT ctid FROM progress WHERE push_id = $1 LIMIT $2))`,
	`DELETE FROM recipient WHERE ctid = ANY (ARRAY(SELECT ctid FROM recipient WHERE push_id = $1 LIMIT $2))`,
}

// forgetSlice deletes some rows of a push. Nobody else writes any of them by now.
func (t *tx) forgetSlice(id int64) error {
	for _, statement := range deletions {
		if n, err := t.exec(statement, id, forgetRows); err != nil || n > 0 {
			return err
		}
	}
	_, err := t.exec(`UPDATE push SET forgotten = 2 WHERE id = $1`, id)
	return err
}
