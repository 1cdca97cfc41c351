package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"susul.dev/susul/storage"
)

const (
	// planSlice is how many recipients one transaction of a plan looks at, so that callbacks never wait long.
	planSlice = 10 * maxChunk

	// dueStepsPage is how many due steps are read at once.
	dueStepsPage = 100
)

// PlanDueSteps plans every step that is due. It is the leader's work; storage.ErrFenced ends it. A step that can't be
// planned stays due and keeps no other from being planned.
func (s *Service) PlanDueSteps(ctx context.Context) error {
	return s.eachDue(ctx, "plan", s.Store.DueSteps, s.planStep)
}

// eachDue does something about every step that is due, page by page until none is left. A step that fails keeps no other of its page
// from its turn.
func (s *Service) eachDue(
	ctx context.Context, what string,
	due func(ctx context.Context, now time.Time, limit int) ([]storage.Step, error),
	do func(ctx context.Context, step storage.Step) error,
) error {
	for {
		steps, err := due(ctx, s.Clock.Now(), dueStepsPage)
		if err != nil || len(steps) == 0 {
			return err
		}
		var failed []error
		for _, step := range steps {
			if err := do(ctx, step); err != nil {
				failed = append(failed, fmt.Errorf("%s step %d of push %d: %w", what, step.Number, step.PushID, err))
			}
		}
		if len(failed) > 0 {
			return errors.Join(failed...)
		}
	}
}

// NextStep returns when the next step is due to be planned or measured; ok is false when none is.
func (s *Service) NextStep(ctx context.Context) (due time.Time, ok bool, err error) {
	due, ok = s.judging.retryAt, !s.judging.retryAt.IsZero()
	for _, next := range []func(context.Context) (time.Time, bool, error){s.Store.NextStepTime, s.Store.NextMeasureTime} {
		t, some, err := next(ctx)
		if err != nil {
			return time.Time{}, false, err
		}
		if some && (!ok || t.Before(due)) {
			due, ok = t, true
		}
	}
	return due, ok, nil
}

// planStep looks at a push's recipients slice by slice and turns the eligible into dispatches.
func (s *Service) planStep(ctx context.Context, step storage.Step) error {
	push, err := s.Store.PushOf(ctx, step.PushID)
	if err != nil {
		return err
	}
	reason := s.stopReason(push, step.Number)
	if s.outbox[push.App] == nil {
		reason = storage.ReasonUnknownApp
	}
	if reason != "" {
		s.Logger.Info("step cancelled", "app", push.App, "msg_id", push.ID, "step", step.Number, "reason", reason)
		return ignoreConflict(s.Store.CancelStep(ctx, push.ID, step.Number, reason))
	}
	if ready, err := s.reconcile(ctx, push, step); err != nil || !ready {
		return err
	}
	plan, err := s.planPinned(ctx, push, step.Number)
	if errors.Is(err, errUnusable) {
		s.Logger.Error("step can't be planned", "app", push.App, "msg_id", push.ID, "step", step.Number, "error", err)
		return ignoreConflict(s.Store.CancelStep(ctx, push.ID, step.Number, storage.ReasonUnusable))
	}
	if err != nil {
		return err
	}
	for from := step.NextOrdinal; ; {
		recipients, err := s.Store.ScanRecipients(ctx, push.ID, from, planSlice)
		if err != nil {
			return err
		}
		slice, err := plan.slice(ctx, recipients, from)
		if err != nil {
			return err
		}
		err = s.Store.PlanStep(ctx, slice)
		s.outbox[push.App].wake() // whatever the error says: the slice may be stored
		if err != nil {
			return ignoreConflict(err)
		}
		if slice.Done {
			s.Logger.Info("step planned", "app", push.App, "msg_id", push.ID, "step", step.Number,
				"recipients", slice.Through)
			return nil
		}
		from = slice.Through
	}
}

// ignoreConflict drops the error of a step that was cancelled or planned meanwhile.
func ignoreConflict(err error) error {
	if errors.Is(err, storage.ErrConflict) {
		return nil
	}
	return err
}

// stopReason returns why a follow-up of the push may not go out, or nothing. What stops it is what is said now, not what the
// push is pinned to: a paused or deleted policy stops what is pending, and so does a paused step or the app's switch. A policy
// that was deleted and made anew is another policy.
func (s *Service) stopReason(push storage.Push, step int) storage.Reason {
	if push.State != storage.PushActive {
		return storage.ReasonWithdrawn
	}
	if push.Policy == nil {
		return storage.ReasonPolicyDeleted
	}
	policies := s.Policies.Snapshot()
	live, ok := policies.Get(push.Policy.Name)
	switch {
	case policies.FollowUpsStopped(push.App):
		return storage.ReasonFollowUpsStopped
	case !ok || live.Policy.UID != push.Policy.UID:
		return storage.ReasonPolicyDeleted
	case live.Policy.Paused:
		return storage.ReasonPolicyPaused
	case step <= len(live.Policy.Steps) && live.Policy.Steps[step-1].Paused:
		return storage.ReasonStepPaused
	default:
		return ""
	}
}
