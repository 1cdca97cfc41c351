package sqlite

import (
	"context"
	"fmt"

	"susul.dev/susul/storage"
)

// statusRefused is the status of the events that Susul itself appends for a refused dispatch.
const statusRefused = "refused"

// FinishDispatch implements storage.Dispatches.
func (s *Store) FinishDispatch(ctx context.Context, result storage.DispatchResult) (storage.Push, error) {
	var d storage.Dispatch
	p, err := write(ctx, s, func(t *tx) (p storage.Push, err error) {
		if d, err = t.dispatch(result.ID); err != nil {
			return p, err
		}
		open := d.State == storage.DispatchClaimed || d.State == storage.DispatchSending
		if !open || d.Attempt != result.Attempt {
			return p, storage.ErrConflict
		}
		if p, err = pushByID(t.ctx, t, d.PushID); err != nil {
			return p, err
		}
		if err := t.finish(p, d, result); err != nil {
			return p, err
		}
		return pushByID(t.ctx, t, d.PushID)
	})
	if err == nil {
		s.live.expectSingles(p.App, d, result.Singles)
	}
	return p, err
}

func (t *tx) finish(p storage.Push, d storage.Dispatch, result storage.DispatchResult) error {
	if result.State == storage.DispatchPending {
		reason, cancelled, err := t.cancelledMeanwhile(p, d)
		if err != nil {
			return err
		}
		if cancelled {
			result.State, result.Reason = storage.DispatchCancelled, reason
		}
	}
	if err := t.updateDispatch(p.App, d, result); err != nil {
		return err
	}
	if err := t.leaveOut(&d, result); err != nil {
		return err
	}
	if err := t.settleSingles(p, &d, result); err != nil {
		return err
	}
	opening := d.Step == 0 && d.Chunk == 0 // the dispatch that all others wait for
	switch result.State {
	case storage.DispatchSent:
		return t.sent(p, d, result)
	case storage.DispatchRefused:
		if opening {
			if err := t.reject(p, result); err != nil {
				return err
			}
		}
		if err := t.refuse(p, d, d.Recipients, result.Refusal, result.Time); err != nil {
			return err
		}
		return t.flush()
	case storage.DispatchExpired, storage.DispatchCancelled, storage.DispatchSkipped, storage.DispatchUnanswered:
		switch {
		case opening:
			return t.endUnsent(p, result)
		case result.State == storage.DispatchUnanswered:
			return t.cancelOpenSteps(p.ID, result.Reason)
		}
	}
	return nil
}

// cancelledMeanwhile reports whether a claimed dispatch must not be sent any more, and why.
func (t *tx) cancelledMeanwhile(p storage.Push, d storage.Dispatch) (reason storage.Reason, cancelled bool, err error) {
	if p.State != storage.PushActive {
		return storage.ReasonWithdrawn, true, nil
	}
	if d.Step == 0 {
		return "", false, nil
	}
	st, err := t.step(p.ID, d.Step)
	return st.CancelReason, st.State == storage.StepCancelled, err
}

// updateDispatch writes what became of the dispatch itself.
func (t *tx) updateDispatch(app string, d storage.Dispatch, result storage.DispatchResult) error {
	var ready, sent, upstreamID any
	due, expire := d.DueTime, d.ExpireTime
	switch result.State {
	case storage.DispatchPending, storage.DispatchSending:
		due, ready = result.Time, result.Time.UnixMilli()
		if !result.ExpireTime.IsZero() {
			expire = result.ExpireTime
		}
	case storage.DispatchSent:
		sent = result.Time.UnixMilli()
		if result.UpstreamID != "" {
			upstreamID = result.UpstreamID
		}
	case storage.DispatchRefused, storage.DispatchUnanswered, storage.DispatchExpired, storage.DispatchCancelled,
		storage.DispatchSkipped:
	default:
		return fmt.Errorf("a dispatch can't be finished as %q", result.State)
	}
	taken, err := collect(t.ctx, t, scanTarget, selectTarget, app, upstreamID, app, upstreamID)
	if err != nil {
		return err
	}
	if len(taken) > 0 {
		return fmt.Errorf("%w: dispatch %d has the upstream id %q", storage.ErrConflict, taken[0].dispatch.ID, upstreamID)
	}
	refusal, err := asJSON(result.Refusal, result.Refusal == nil)
	if err != nil {
		return err
	}
	_, err = t.exec(`UPDATE dispatch SET state = ?, due_time = ?, expire_time = ?, ready_time = ?, sent_time = ?,
		upstream_id = ?, reason = ?, refusal = ? WHERE id = ?`,
		result.State, due.UnixMilli(), millis(expire), ready, sent, upstreamID, result.Reason, refusal, d.ID)
	return err
}

// sent starts the push's clock if this is its first sending, and applies what was reported ahead of us.
func (t *tx) sent(p storage.Push, d storage.Dispatch, result storage.DispatchResult) error {
	if p.FirstSentTime.IsZero() {
		now := result.Time.UnixMilli()
		if _, err := t.exec(`UPDATE push SET first_sent_time = ? WHERE id = ?`, now, p.ID); err != nil {
			return err
		}
		if _, err := t.exec(`UPDATE dispatch SET state = 'PENDING', ready_time = due_time
			WHERE push_id = ? AND state = 'BLOCKED'`, p.ID); err != nil {
			return err
		}
		if _, err := t.exec(`UPDATE step SET state = 'SCHEDULED', due_time = ? + offset_ms
			WHERE push_id = ? AND state = 'WAITING'`, now, p.ID); err != nil {
			return err
		}
	}
	if result.UpstreamID == "" {
		return nil
	}
	return t.applyHeld(p.App, result.UpstreamID)
}

// reject ends a push that EngageLab refused before anything was sent. One that is being withdrawn stays so, for its
// withdrawal is yet to be confirmed.
func (t *tx) reject(p storage.Push, result storage.DispatchResult) error {
	refusal, err := asJSON(result.Refusal, result.Refusal == nil)
	if err != nil {
		return err
	}
	if _, err := t.exec(`UPDATE push SET state = 'REJECTED', refusal = ? WHERE id = ? AND state = 'ACTIVE'`, refusal, p.ID); err != nil {
		return err
	}
	return t.cancelRest(p.ID, storage.ReasonRejected)
}

// endUnsent ends what waited for a first dispatch that was not sent, or perhaps not.
func (t *tx) endUnsent(p storage.Push, result storage.DispatchResult) error {
	if result.State == storage.DispatchExpired {
		if _, err := t.exec(`UPDATE push SET state = 'EXPIRED' WHERE id = ? AND state = 'ACTIVE'`, p.ID); err != nil {
			return err
		}
	}
	return t.cancelRest(p.ID, result.Reason)
}
