package postgres

import (
	"github.com/jackc/pgx/v5"

	"susul.dev/susul/storage"
)

// Of dispatches that are held against limits, an app's start one after the other, on all nodes: each sees what the one before has
// started. This lock comes after leadership's, and ahead of all others.
const lockLimits = `SELECT pg_advisory_xact_lock(hashtextextended('limits of ' || $1, 0))`

// holdAgainst returns storage.ErrConflict if one of a dispatch's recipients has come to one of the limits.
func (t *tx) holdAgainst(start storage.DispatchStart) error {
	var app string
	d, err := first(t.ctx, t, func(row pgx.CollectableRow) (d storage.Dispatch, err error) {
		err = row.Scan(&app, &d.PushID, ordinalList{&d.Recipients})
		return d, err
	}, `SELECT app, push_id, recipients FROM dispatch WHERE id = $1`, start.ID)
	if err != nil {
		return err
	}
	if start.Recipients != nil {
		d.Recipients = start.Recipients
	}
	if _, err := t.exec(lockLimits, app); err != nil {
		return err
	}
	ordinals := make([]int64, len(d.Recipients))
	for i, ordinal := range d.Recipients {
		ordinals[i] = int64(ordinal)
	}
	ids, err := collect(t.ctx, t, value[string],
		`SELECT DISTINCT registration_id FROM recipient WHERE push_id = $1 AND ordinal = ANY($2)`, d.PushID, ordinals)
	if err != nil {
		return err
	}
	for _, limit := range start.Limits {
		counts, err := countMessages(t.ctx, t, app, ids, limit.Since)
		if err != nil {
			return err
		}
		for _, count := range counts {
			if count >= limit.Messages {
				return storage.ErrConflict
			}
		}
	}
	return nil
}
