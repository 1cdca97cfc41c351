package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"susul.dev/susul/storage"
)

const selectStep = `SELECT push_id, number, state, offset_ms, due_time, next_ordinal, cancel_reason, hold_time,
	measure_time FROM step `

func scanStep(rows *sql.Rows) (st storage.Step, err error) {
	err = rows.Scan(&st.PushID, &st.Number, &st.State, millisSpan{&st.Offset}, millisTime{&st.DueTime}, &st.NextOrdinal,
		&st.CancelReason, millisTime{&st.HoldTime}, millisTime{&st.MeasureTime})
	return st, err
}

// Lead implements storage.Planning.
func (s *Store) Lead(ctx context.Context, term int64) error {
	defer s.drafts.sweepSoon()
	return s.writer.do(ctx, &job{leads: true, run: func(t *tx) error {
		stored, ok, err := t.storedTerm()
		if err != nil {
			return err
		}
		if ok && stored > term {
			return storage.ErrFenced
		}
		if !ok || stored < term {
			if err := t.takeOver(term, s.drafts); err != nil {
				return err
			}
		}
		t.term = &term
		return nil
	}})
}

// takeOver stores a new term, ends the leases of the claims made before it, and discards what an earlier leader did not
// finish storing.
func (t *tx) takeOver(term int64, d *drafts) error {
	if _, err := t.exec(`INSERT INTO leadership (one, term) VALUES (1, ?)
		ON CONFLICT (one) DO UPDATE SET term = excluded.term`, term); err != nil {
		return err
	}
	if _, err := t.exec(`UPDATE dispatch SET ready_time = due_time
		WHERE state IN ('CLAIMED', 'SENDING') AND ready_time IS NOT NULL`); err != nil {
		return err
	}
	if err := t.recover(); err != nil {
		return err
	}
	return t.discardDrafts(d)
}

func (t *tx) storedTerm() (term int64, ok bool, err error) {
	term, err = first(t.ctx, t, value[int64], `SELECT term FROM leadership`)
	if errors.Is(err, storage.ErrNotFound) {
		return 0, false, nil
	}
	return term, err == nil, err
}

// openSteps are the scheduled steps, save those that wait for an earlier step, and those of pushes of which nobody knows yet who got
// them.
const openSteps = `state = 'SCHEDULED' AND NOT EXISTS
	(SELECT 1 FROM dispatch d WHERE d.push_id = step.push_id AND d.state = 'SENDING') AND NOT EXISTS
	(SELECT 1 FROM step e WHERE e.push_id = step.push_id AND e.number < step.number AND e.state = 'SCHEDULED')`

const (
	dueSteps     = `WHERE ` + openSteps + ` AND due_time <= ? ORDER BY due_time, push_id, number LIMIT ?`
	nextStepTime = `SELECT MIN(due_time) FROM step WHERE ` + openSteps
)

// Term returns the term of the latest leader, in whatever process; 0 if nobody ever led. A leader's next term must not
// be lower.
func (s *Store) Term(ctx context.Context) (int64, error) {
	return read(ctx, s, func(q querier) (int64, error) {
		return first(ctx, q, value[int64], `SELECT COALESCE(MAX(term), 0) FROM leadership`)
	})
}

// DueSteps implements storage.Planning.
func (s *Store) DueSteps(ctx context.Context, now time.Time, limit int) ([]storage.Step, error) {
	return read(ctx, s, func(q querier) ([]storage.Step, error) {
		return collect(ctx, q, scanStep, selectStep+dueSteps, now.UnixMilli(), page(limit))
	})
}

// NextStepTime implements storage.Planning.
func (s *Store) NextStepTime(ctx context.Context) (time.Time, bool, error) {
	t, err := read(ctx, s, func(q querier) (time.Time, error) {
		return first(ctx, q, earliest, nextStepTime)
	})
	return t, !t.IsZero(), err
}

// HoldStep implements storage.Planning.
func (s *Store) HoldStep(ctx context.Context, id int64, step int, now, until time.Time) error {
	_, err := write(ctx, s, func(t *tx) (struct{}, error) {
		st, err := t.step(id, step)
		if err != nil {
			return struct{}{}, err
		}
		if st.State != storage.StepScheduled || st.NextOrdinal > 0 {
			return struct{}{}, storage.ErrConflict
		}
		_, err = t.exec(`UPDATE step SET due_time = ?, hold_time = COALESCE(hold_time, ?) WHERE push_id = ? AND number = ?`,
			until.UnixMilli(), now.UnixMilli(), id, step)
		return struct{}{}, err
	})
	return err
}

// PlanStep implements storage.Planning.
func (s *Store) PlanStep(ctx context.Context, plan storage.StepPlan) error {
	dispatches, err := packDrafts(plan.Dispatches)
	if err != nil {
		return err
	}
	_, err = write(ctx, s, func(t *tx) (struct{}, error) {
		st, err := t.step(plan.PushID, plan.Step)
		if err != nil {
			return struct{}{}, err
		}
		if st.State != storage.StepScheduled || st.NextOrdinal != plan.From {
			return struct{}{}, storage.ErrConflict
		}
		return struct{}{}, t.planStep(plan, dispatches)
	})
	return err
}

func (t *tx) step(push int64, number int) (storage.Step, error) {
	return first(t.ctx, t, scanStep, selectStep+`WHERE push_id = ? AND number = ?`, push, number)
}

func (t *tx) planStep(plan storage.StepPlan, dispatches []packedDraft) error {
	app, err := first(t.ctx, t, value[string], `SELECT app FROM push WHERE id = ?`, plan.PushID)
	if err != nil {
		return err
	}
	if err := t.insertDispatches(app, plan.PushID, plan.Step, plan.Time, dispatches); err != nil {
		return err
	}
	if err := t.passOver(plan.PushID, plan.Step, nil, plan.Time, plan.PassedOver); err != nil {
		return err
	}
	state := storage.StepScheduled
	if plan.Done {
		state = storage.StepPlanned
	}
	measure := millis(plan.MeasureTime)
	_, err = t.exec(`UPDATE step SET next_ordinal = ?, state = ?, hold_time = NULL,
		measure_time = COALESCE(MAX(measure_time, ?), measure_time, ?) WHERE push_id = ? AND number = ?`,
		plan.Through, state, measure, measure, plan.PushID, plan.Step)
	return err
}

// CancelStep implements storage.Planning.
func (s *Store) CancelStep(ctx context.Context, id int64, step int, reason storage.Reason) error {
	_, err := write(ctx, s, func(t *tx) (struct{}, error) {
		st, err := t.step(id, step)
		if err != nil {
			return struct{}{}, err
		}
		if st.State != storage.StepScheduled && st.State != storage.StepWaiting {
			return struct{}{}, storage.ErrConflict
		}
		return struct{}{}, t.cancelStep(id, step, reason)
	})
	return err
}

// cancelStep cancels a step and those of its dispatches that nobody has claimed.
func (t *tx) cancelStep(id int64, step int, reason storage.Reason) error {
	if _, err := t.exec(`UPDATE step SET state = 'CANCELLED', cancel_reason = ?, measure_time = NULL
		WHERE push_id = ? AND number = ?`, reason, id, step); err != nil {
		return err
	}
	_, err := t.exec(`UPDATE dispatch SET state = 'CANCELLED', reason = ?, ready_time = NULL
		WHERE push_id = ? AND step = ? AND state = 'PENDING'`, reason, id, step)
	return err
}
