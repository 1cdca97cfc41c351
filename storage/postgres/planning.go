package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"susul.dev/susul/storage"
)

const selectStep = `SELECT push_id, number, state, offset_ms, due_time, next_ordinal, cancel_reason, hold_time,
	measure_time FROM step `

func scanStep(row pgx.CollectableRow) (st storage.Step, err error) {
	err = row.Scan(&st.PushID, &st.Number, &st.State, millisSpan{&st.Offset}, millisTime{&st.DueTime}, &st.NextOrdinal,
		&st.CancelReason, millisTime{&st.HoldTime}, millisTime{&st.MeasureTime})
	return st, err
}

// lockStep returns a step that nobody else changes until the transaction ends.
func (t *tx) lockStep(push int64, number int) (storage.Step, error) {
	return first(t.ctx, t, scanStep, selectStep+`WHERE push_id = $1 AND number = $2 FOR NO KEY UPDATE`, push, number)
}

// openSteps are the scheduled steps, save those that wait for an earlier step, and those of pushes of which nobody knows yet who got
// them.
const openSteps = `state = 'SCHEDULED' AND NOT EXISTS
	(SELECT 1 FROM dispatch d WHERE d.push_id = step.push_id AND d.state = 'SENDING') AND NOT EXISTS
	(SELECT 1 FROM step e WHERE e.push_id = step.push_id AND e.number < step.number AND e.state = 'SCHEDULED')`

const (
	dueSteps     = `WHERE ` + openSteps + ` AND due_time <= $1 ORDER BY due_time, push_id, number LIMIT $2`
	nextStepTime = `SELECT min(due_time) FROM step WHERE ` + openSteps
)

// DueSteps implements storage.Planning.
func (s *Store) DueSteps(ctx context.Context, now time.Time, limit int) ([]storage.Step, error) {
	return look(ctx, s, func(q querier) ([]storage.Step, error) {
		return collect(ctx, q, scanStep, selectStep+dueSteps, now.UnixMilli(), page(limit))
	})
}

// NextStepTime implements storage.Planning.
func (s *Store) NextStepTime(ctx context.Context) (time.Time, bool, error) {
	t, err := look(ctx, s, func(q querier) (time.Time, error) { return first(ctx, q, earliest, nextStepTime) })
	return t, !t.IsZero(), err
}

// HoldStep implements storage.Planning.
func (s *Store) HoldStep(ctx context.Context, id int64, step int, now, until time.Time) error {
	_, err := write(ctx, s, func(t *tx) (none struct{}, err error) {
		st, err := t.lockStep(id, step)
		if err != nil {
			return none, err
		}
		if st.State != storage.StepScheduled || st.NextOrdinal > 0 {
			return none, storage.ErrConflict
		}
		_, err = t.exec(`UPDATE step SET due_time = $3, hold_time = COALESCE(hold_time, $4) WHERE push_id = $1 AND number = $2`,
			id, step, until.UnixMilli(), now.UnixMilli())
		return none, err
	})
	return err
}

// PlanStep implements storage.Planning.
func (s *Store) PlanStep(ctx context.Context, plan storage.StepPlan) error {
	dispatches, err := packDrafts(plan.Dispatches)
	if err != nil {
		return err
	}
	_, err = write(ctx, s, func(t *tx) (none struct{}, err error) {
		st, err := t.lockStep(plan.PushID, plan.Step)
		if err != nil {
			return none, err
		}
		if st.State != storage.StepScheduled || st.NextOrdinal != plan.From {
			return none, storage.ErrConflict
		}
		t.news.work = len(dispatches) > 0
		return none, t.planStep(plan, dispatches)
	})
	return conflictOfChunks(err)
}

// planStep stores a plan for a step that is locked, and commits.
func (t *tx) planStep(plan storage.StepPlan, dispatches []packedDraft) error {
	app, err := first(t.ctx, t, value[string], `SELECT app FROM push WHERE id = $1`, plan.PushID)
	if err != nil {
		return err
	}
	state := storage.StepScheduled
	if plan.Done {
		state = storage.StepPlanned
	}
	var p pipeline
	p.add(`UPDATE step SET next_ordinal = $3, state = $4, hold_time = NULL, measure_time = GREATEST(measure_time, $5)
		WHERE push_id = $1 AND number = $2`, plan.PushID, plan.Step, plan.Through, state, millis(plan.MeasureTime))
	p.addDispatches(planned{app: app, push: plan.PushID, step: plan.Step, time: plan.Time}, dispatches)
	p.addPassedOver(plan.PushID, plan.Step, nil, plan.Time, plan.PassedOver)
	return p.runLast(t)
}

// CancelStep implements storage.Planning.
func (s *Store) CancelStep(ctx context.Context, id int64, step int, reason storage.Reason) error {
	_, err := write(ctx, s, func(t *tx) (none struct{}, err error) {
		st, err := t.lockStep(id, step)
		if err != nil {
			return none, err
		}
		if st.State != storage.StepScheduled && st.State != storage.StepWaiting {
			return none, storage.ErrConflict
		}
		t.news.work = true // a later step waits for it no more
		return none, t.cancelSteps(id, []int{step}, reason)
	})
	return err
}

// cancelRest cancels what is still to come of a push: its open steps and its blocked and pending dispatches.
func (t *tx) cancelRest(id int64, reason storage.Reason) error {
	if err := t.cancelOpenSteps(id, reason); err != nil {
		return err
	}
	_, err := t.exec(cancelDispatches+`WHERE push_id = $1 AND state IN ('BLOCKED', 'PENDING') ORDER BY id FOR NO KEY UPDATE)`, id, reason)
	return err
}

// cancelOpenSteps cancels the steps that are not planned to their end, with what was planned of them and not claimed.
func (t *tx) cancelOpenSteps(id int64, reason storage.Reason) error {
	open, err := collect(t.ctx, t, value[int], `SELECT number FROM step WHERE push_id = $1 AND state IN ('WAITING', 'SCHEDULED')
		ORDER BY number FOR NO KEY UPDATE`, id)
	if err != nil || len(open) == 0 {
		return err
	}
	return t.cancelSteps(id, open, reason)
}

// The dispatches are locked in order; whichever are claimed by the time that it is their turn are left alone.
const cancelDispatches = `UPDATE dispatch SET state = 'CANCELLED', reason = $2, ready_time = NULL WHERE id IN (SELECT id FROM dispatch `

// cancelSteps cancels steps that are locked, and those of their dispatches that nobody has claimed.
func (t *tx) cancelSteps(id int64, steps []int, reason storage.Reason) error {
	if _, err := t.exec(`UPDATE step SET state = 'CANCELLED', cancel_reason = $3, measure_time = NULL
		WHERE push_id = $1 AND number = ANY($2)`, id, steps, reason); err != nil {
		return err
	}
	_, err := t.exec(cancelDispatches+`WHERE push_id = $1 AND step = ANY($3) AND state = 'PENDING' ORDER BY id FOR NO KEY UPDATE)`,
		id, reason, steps)
	return err
}
