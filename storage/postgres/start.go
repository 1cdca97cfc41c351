package postgres

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"susul.dev/susul/storage"
)

// StartDispatch implements storage.Dispatches.
func (s *Store) StartDispatch(ctx context.Context, start storage.DispatchStart) error {
	started, err := write(ctx, s, func(t *tx) (bool, error) { return t.start(start) })
	if err != nil || started {
		return err
	}
	_, err = look(ctx, s, func(q querier) (int64, error) {
		return first(ctx, q, value[int64], `SELECT id FROM dispatch WHERE id = $1`, start.ID)
	})
	if err == nil {
		err = storage.ErrConflict
	}
	return err
}

// Who withdraws the push, or cancels the step, at the same time, leaves what is claimed alone: it does not matter who comes first.
const startClaimed = `UPDATE dispatch d SET state = 'SENDING' FROM push p
	WHERE d.id = $1 AND d.attempt = $2 AND d.state = 'CLAIMED' AND p.id = d.push_id AND p.state = 'ACTIVE' AND NOT EXISTS
		(SELECT FROM step s WHERE s.push_id = d.push_id AND s.number = d.step AND s.state = 'CANCELLED')
	RETURNING d.push_id, d.step, d.claim_time, d.recipients`

func (t *tx) start(start storage.DispatchStart) (started bool, err error) {
	if len(start.Limits) > 0 {
		if err := t.holdAgainst(start); err != nil {
			return false, err
		}
	}
	d := storage.Dispatch{ID: start.ID}
	var queries pgx.Batch
	queries.Queue(startClaimed, start.ID, start.Attempt).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&d.PushID, &d.Step, millisTime{&d.ClaimTime}, ordinalList{&d.Recipients}}, func() error {
			started = true
			return nil
		})
		return err
	})
	if start.Recipients == nil && len(start.PassedOver) == 0 {
		err := t.sendLast(t.ctx, &queries)
		return started, err
	}
	if err := t.SendBatch(t.ctx, &queries).Close(); err != nil || !started {
		return false, err
	}
	if start.Recipients != nil {
		if err := t.narrow(&d, start.Recipients); err != nil {
			return false, err
		}
	}
	var p pipeline
	p.addPassedOver(d.PushID, d.Step, &d.ID, d.ClaimTime, start.PassedOver)
	return true, p.runLast(t)
}

// narrow leaves a dispatch some of its recipients; of a batch, it keeps those who have a result too.
func (t *tx) narrow(d *storage.Dispatch, left []uint32) error {
	list, err := first(t.ctx, t, value[[]byte], `SELECT results FROM batch_result WHERE dispatch_id = $1`, d.ID)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	settled, err := unpackResults(list)
	if err != nil {
		return err
	}
	if len(settled) > 0 {
		among := setOf(left)
		left = kept(d.Recipients, func(ordinal uint32) bool { return among[ordinal] || settled.have(ordinal) })
	}
	d.Recipients = left
	packed, count := packOrdinals(left)
	// What is not a batch costs one unit anyway.
	_, err = t.exec(`UPDATE dispatch SET recipients = $2, recipient_count = $3, units = LEAST(units, $4) WHERE id = $1`,
		d.ID, packed, count, max(len(left)-len(settled), 1))
	return err
}

// leaveOut stores who was passed over while a dispatch was claimed. One that is tried again goes to the others.
func (t *tx) leaveOut(f *finishing) error {
	if len(f.PassedOver) == 0 {
		return nil
	}
	if f.State == storage.DispatchPending && f.d.Recipients != nil {
		out := setOf(slices.Concat(slices.Collect(maps.Values(f.PassedOver))...))
		if err := t.narrow(&f.d, kept(f.d.Recipients, func(ordinal uint32) bool { return !out[ordinal] })); err != nil {
			return err
		}
	}
	var p pipeline
	p.addPassedOver(f.d.PushID, f.d.Step, &f.d.ID, f.d.ClaimTime, f.PassedOver)
	return p.run(t)
}

func setOf(ordinals []uint32) map[uint32]bool {
	set := make(map[uint32]bool, len(ordinals))
	for _, ordinal := range ordinals {
		set[ordinal] = true
	}
	return set
}

// kept returns those of the ordinals that are to be kept, in their order. It is never nil.
func kept(ordinals []uint32, keep func(uint32) bool) []uint32 {
	some := make([]uint32, 0, len(ordinals))
	for _, ordinal := range ordinals {
		if keep(ordinal) {
			some = append(some, ordinal)
		}
	}
	return some
}
