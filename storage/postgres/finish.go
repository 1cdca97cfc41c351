package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"susul.dev/susul/storage"
)

// FinishDispatch implements storage.Dispatches.
func (s *Store) FinishDispatch(ctx context.Context, result storage.DispatchResult) (storage.Push, error) {
	p, err := write(ctx, s, func(t *tx) (storage.Push, error) { return t.finish(result) })
	if violates(err, "dispatch_upstream") {
		err = fmt.Errorf("%w: another dispatch has the upstream id %q", storage.ErrConflict, result.UpstreamID)
	}
	return p, err
}

// finishing is a dispatch that is being finished.
type finishing struct {
	storage.DispatchResult
	again bool     // it is to be tried again, whatever becomes of that
	ids   []string // upstream ids that are given with the result

	push    storage.Push
	step    stepState
	d       storage.Dispatch
	opening bool  // all other dispatches of the push wait for it
	listed  bool  // the push
	home    int64 // the handle that made the push
	claimed bool  // the claim was the latest, and not over
	held    bool  // callbacks of the upstream ids are held
	freed   bool  // a step of the push is due soon, which may have waited for the dispatch
}

// ended reports whether the dispatch is over.
func (f *finishing) ended() bool {
	return f.State != storage.DispatchPending && f.State != storage.DispatchSending
}

// finish locks from the push downwards what may change: a push that is returned as active is not withdrawn before the result is stored.
func (t *tx) finish(result storage.DispatchResult) (storage.Push, error) {
	f := finishing{DispatchResult: result, ids: upstreamIDs(result.Singles)}
	f.again = !f.ended()
	if f.State == storage.DispatchSent && f.UpstreamID != "" {
		f.ids = append(f.ids, f.UpstreamID)
	}
	for _, part := range []func(*finishing) error{t.locate, t.settle, t.leaveOut, t.settleSingles, t.spread, t.publish} {
		if err := part(&f); err != nil {
			return storage.Push{}, err
		}
	}
	if f.opening && f.ended() && f.home != t.store.home {
		t.news.answers = append(t.news.answers, answer{home: f.home, push: f.push.ID})
	}
	return f.push, nil
}

// locate finds out where the dispatch belongs, which never changes, and whether callbacks are held that it is to explain. With the
// upstream ids locked, that does not change either.
func (t *tx) locate(f *finishing) error {
	var queries pgx.Batch
	queueUpstreams(&queries, f.ids)
	found := false
	queries.Queue(`SELECT d.push_id, d.step = 0 AND d.chunk = 0, d.home, p.listed FROM dispatch d JOIN push p ON p.id = d.push_id
		WHERE d.id = $1`, f.ID).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&f.d.PushID, &f.opening, &f.home, &f.listed}, func() error {
			found = true
			return nil
		})
		return err
	})
	if len(f.ids) > 0 {
		queries.Queue(`SELECT FROM held_callback WHERE app = (SELECT app FROM dispatch WHERE id = $1) AND upstream_id = ANY($2) LIMIT 1`,
			f.ID, f.ids).Query(func(rows pgx.Rows) error {
			f.held = rows.Next()
			return rows.Err()
		})
	}
	err := t.SendBatch(t.ctx, &queries).Close()
	if err == nil && !found {
		err = storage.ErrNotFound
	}
	return err
}

// hasDueStep asks for a step that is due, or will be before it is looked for without any news.
const hasDueStep = `SELECT EXISTS (SELECT FROM step WHERE push_id = $1 AND state = 'SCHEDULED' AND due_time <= $2)`

// settle stores what became of the dispatch itself.
func (t *tx) settle(f *finishing) (err error) {
	var queries pgx.Batch
	f.queueLocks(&queries)
	if f.State == storage.DispatchPending { // what it becomes depends on what is locked
		if err := t.SendBatch(t.ctx, &queries).Close(); err != nil {
			return err
		}
		f.cancelIfStopped()
		queries = pgx.Batch{}
	}
	if err := f.queueUpdate(&queries); err != nil {
		return err
	}
	if f.opening && f.State == storage.DispatchSent {
		f.queueClock(&queries)
	}
	if f.ended() && !f.opening {
		queries.Queue(hasDueStep, f.d.PushID, f.Time.Add(4*t.store.options.lookEvery).UnixMilli()).QueryRow(func(row pgx.Row) error { return row.Scan(&f.freed) })
	}
	if f.simple() {
		err = t.sendLast(t.ctx, &queries)
	} else {
		err = t.SendBatch(t.ctx, &queries).Close()
	}
	if err == nil && !f.claimed {
		err = fmt.Errorf("%w: the claim is over, or the upstream id %q is another message's", storage.ErrConflict, f.UpstreamID)
	}
	t.news.work = f.State == storage.DispatchSent && f.opening || !f.ended() || f.freed
	return err
}

// simple reports whether nothing is left to do once the result is stored.
func (f *finishing) simple() bool {
	return f.State == storage.DispatchSent && !f.held && len(f.Singles) == 0 && len(f.PassedOver) == 0
}

// queueLocks locks the push, and of its steps those that may change or that decide what becomes of the dispatch. Where nothing of the push
// may change, others of its dispatches may be finished at the same time.
func (f *finishing) queueLocks(queries *pgx.Batch) {
	changes := f.opening && f.ended() || f.State == storage.DispatchUnanswered
	lock := ` FOR SHARE OF p`
	if changes || !f.listed { // a push that is not listed gains the recipients of held callbacks
		lock = ` FOR NO KEY UPDATE OF p`
	}
	queries.Queue(selectPush+`p.id = $1`+lock, f.d.PushID).Query(func(rows pgx.Rows) (err error) {
		f.push, err = pgx.CollectExactlyOneRow(rows, scanPush)
		return err
	})
	switch {
	case changes:
		queries.Queue(`SELECT FROM step WHERE push_id = $1 ORDER BY number FOR NO KEY UPDATE`, f.d.PushID)
	case f.State == storage.DispatchPending:
		f.step.queue(queries, f.ID)
	}
}

// A first sending has no step that could be cancelled.
const shareStepOf = `SELECT s.state, s.cancel_reason FROM dispatch d JOIN step s ON s.push_id = d.push_id AND s.number = d.step
	WHERE d.id = $1 FOR SHARE OF s`

// stepState is whether the step of a dispatch is cancelled, and why.
type stepState struct {
	cancelled bool
	reason    storage.Reason
}

// queue reads the state of a dispatch's step, and locks it for as long as the transaction goes on.
func (s *stepState) queue(queries *pgx.Batch, dispatch int64) {
	queries.Queue(shareStepOf, dispatch).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var state storage.StepState
			if err := rows.Scan(&state, &s.reason); err != nil {
				return err
			}
			s.cancelled = state == storage.StepCancelled
		}
		return rows.Err()
	})
}

// cancelIfStopped cancels a dispatch that is not to be sent any more.
func (f *finishing) cancelIfStopped() {
	switch {
	case f.push.State != storage.PushActive:
		f.State, f.Reason = storage.DispatchCancelled, storage.ReasonWithdrawn
	case f.step.cancelled:
		f.State, f.Reason = storage.DispatchCancelled, f.step.reason
	}
}

// finishClaimed says no if a single message has the upstream id; that no other dispatch has it, dispatch_upstream sees to.
const finishClaimed = `UPDATE dispatch SET state = $3, due_time = COALESCE($4, due_time), expire_time = COALESCE($5, expire_time),
	ready_time = $4, sent_time = $6, upstream_id = $7, reason = $8, refusal = $9
	WHERE id = $1 AND attempt = $2 AND state IN ('CLAIMED', 'SENDING')
	AND NOT EXISTS (SELECT FROM single s WHERE s.app = dispatch.app AND s.upstream_id = $7) RETURNING ` + dispatchColumns

// queueUpdate writes what became of the dispatch, if its claim is the latest and not over.
func (f *finishing) queueUpdate(queries *pgx.Batch) error {
	var ready, expire, sent *int64
	var upstreamID *string
	switch f.State {
	case storage.DispatchPending, storage.DispatchSending:
		ready, expire = millis(f.Time), millis(f.ExpireTime)
	case storage.DispatchSent:
		sent = millis(f.Time)
		if f.UpstreamID != "" {
			upstreamID = &f.UpstreamID
		}
	case storage.DispatchRefused, storage.DispatchUnanswered, storage.DispatchExpired, storage.DispatchCancelled,
		storage.DispatchSkipped:
	default:
		return fmt.Errorf("a dispatch can't be finished as %q", f.State)
	}
	queries.Queue(finishClaimed, f.ID, f.Attempt, f.State, ready, expire, sent, upstreamID, f.Reason, f.Refusal).
		Query(func(rows pgx.Rows) (err error) {
			f.d, err = pgx.CollectExactlyOneRow(rows, scanDispatch)
			if f.claimed = err == nil; errors.Is(err, pgx.ErrNoRows) {
				err = nil
			}
			return err
		})
	return nil
}

// spread changes what waited for the dispatch.
func (t *tx) spread(f *finishing) error {
	switch f.State {
	case storage.DispatchRefused:
		if f.opening {
			return t.endPush(f, storage.PushRejected, storage.ReasonRejected)
		}
	case storage.DispatchExpired:
		if f.opening {
			return t.endPush(f, storage.PushExpired, f.Reason)
		}
	case storage.DispatchUnanswered, storage.DispatchCancelled, storage.DispatchSkipped:
		switch {
		case f.opening:
			return t.cancelRest(f.push.ID, f.Reason)
		case f.State == storage.DispatchUnanswered:
			return t.cancelOpenSteps(f.push.ID, f.Reason)
		}
	}
	return nil
}

const (
	// A dispatch that was not finished starts no clock.
	startClock = `UPDATE push SET first_sent_time = $2 WHERE id = $1 AND first_sent_time IS NULL
		AND EXISTS (SELECT FROM dispatch WHERE id = $3 AND state = 'SENT') RETURNING first_sent_time`
	scheduleSteps = `UPDATE step SET state = 'SCHEDULED', due_time = first_sent_time + offset_ms FROM push p
		WHERE p.id = $1 AND first_sent_time IS NOT NULL AND push_id = $1 AND step.state = 'WAITING'`
	unblock = `UPDATE dispatch SET state = 'PENDING', ready_time = due_time WHERE push_id = $1 AND state = 'BLOCKED'
		AND EXISTS (SELECT FROM push WHERE id = $1 AND first_sent_time IS NOT NULL)`
)

// queueClock gives the steps their due times, and lets the other dispatches of the first sending go.
func (f *finishing) queueClock(queries *pgx.Batch) {
	queries.Queue(startClock, f.d.PushID, f.Time.UnixMilli(), f.ID).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{millisTime{&f.push.FirstSentTime}}, func() error { return nil })
		return err
	})
	queries.Queue(scheduleSteps, f.d.PushID)
	queries.Queue(unblock, f.d.PushID)
}

// endPush ends a push of which nothing was sent. One that is being withdrawn stays so, for its withdrawal is yet to be confirmed.
func (t *tx) endPush(f *finishing, state storage.PushState, reason storage.Reason) error {
	refusal := f.Refusal
	if state != storage.PushRejected {
		refusal = nil
	}
	if f.push.State == storage.PushActive {
		f.push.State, f.push.Refusal = state, refusal
		if _, err := t.exec(`UPDATE push SET state = $2, refusal = $3 WHERE id = $1`, f.push.ID, state, refusal); err != nil {
			return err
		}
	}
	return t.cancelRest(f.push.ID, reason)
}

// publish appends the events of what was refused, and applies what was reported ahead of us.
func (t *tx) publish(f *finishing) error {
	at := f.Time
	if f.again {
		at = f.d.ClaimTime // f.Time is when to try again
	}
	for _, s := range f.Singles {
		if s.Refusal == nil {
			continue
		}
		if err := t.appendRefusals(f.push.ID, f.ID, f.d.Step, []uint32{s.Ordinal}, *s.Refusal, at); err != nil {
			return err
		}
	}
	if f.State == storage.DispatchRefused {
		if err := t.appendRefusals(f.push.ID, f.ID, f.d.Step, f.d.Recipients, orEmpty(f.Refusal), at); err != nil {
			return err
		}
	}
	if !f.held {
		return nil
	}
	if err := t.applyHeld(f.push.App, f.ids); err != nil || f.listed {
		return err
	}
	var err error
	f.push, err = pushByID(t.ctx, t, f.push.ID)
	return err
}

func orEmpty(refusal *storage.Refusal) storage.Refusal {
	if refusal == nil {
		return storage.Refusal{}
	}
	return *refusal
}
