package delivery

import (
	"context"
	"errors"
	"time"

	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

// A step is held for the first of these when EngageLab does not answer, then ever longer up to the second, in the clock's time.
const (
	minHold = time.Minute
	maxHold = 5 * time.Minute
)

// reconcile finds out, before anything of a step is planned, whether EngageLab knows of reactions that its callbacks did not
// tell, and makes up for them. It returns true when the step is to be planned now. Else the step is held, because there is more to
// ask or EngageLab does not answer, or it is cancelled, if that went on for as long as the policy allows.
//
// How far it came is kept in memory. Another leader begins anew, and has less to ask: what was learnt are bits of the recipients.
func (s *Service) reconcile(ctx context.Context, push storage.Push, step storage.Step) (ready bool, err error) {
	pinned, err := s.compiled.get(push.Policy)
	if err != nil || step.NextOrdinal > 0 {
		return true, nil //nolint:nilerr // planning says what is wrong with the policy
	}
	terms := pinned.Policy
	now := s.Clock.Now()
	r := &round{Service: s, terms: terms, reconciliation: s.reconciliations.of(push, step.Number, awaited(terms.Trigger), now)}
	asked, done, err := s.reconciliations.mayAsk(push.App, now), false, errSilent
	if asked {
		done, err = r.run(ctx)
	}
	now = s.Clock.Now()
	switch {
	case done:
		s.endHold(push, step, "it goes on")
		return true, nil
	case err == nil: // other steps have their turn before the next round
		return false, s.hold(ctx, push, step, now, now)
	case ctx.Err() != nil || !errors.Is(err, errNoAnswer):
		return false, err
	case asked && !errors.Is(err, errUnknownMessage):
		s.reconciliations.silent(push.App, now)
	}
	since := step.HoldTime
	if since.IsZero() {
		since = now
	}
	end := since.Add(terms.HoldFor())
	if now.Before(end) {
		s.Logger.Warn("a step is held: it is not known who reacted", "app", push.App, "msg_id", push.ID, "step", step.Number,
			"at_most_until", end, "error", err)
		return false, s.hold(ctx, push, step, now, earlier(now.Add(min(max(now.Sub(since), minHold), maxHold)), end))
	}
	if terms.UnknownProgress.Send {
		s.endHold(push, step, "it goes to all who are not known to have reacted")
		return true, nil
	}
	s.endHold(push, step, "it is cancelled")
	return false, ignoreConflict(s.Store.CancelStep(ctx, push.ID, step.Number, storage.ReasonUnknownProgress))
}

// awaited is the milestone whose recipients get no follow-up.
func awaited(trigger policy.Trigger) storage.Milestone {
	if trigger.OnFailure {
		return storage.Delivered
	}
	return trigger.Unless
}

func (s *Service) hold(ctx context.Context, push storage.Push, step storage.Step, now, until time.Time) error {
	s.Metrics.stepsHeld(push.App, s.reconciliations.count(push.App))
	return ignoreConflict(s.Store.HoldStep(ctx, push.ID, step.Number, now, until))
}

// endHold forgets a reconciliation, and logs how it ended if the step was held.
func (s *Service) endHold(push storage.Push, step storage.Step, how string) {
	s.reconciliations.forget(push, step.Number)
	s.Metrics.stepsHeld(push.App, s.reconciliations.count(push.App))
	if !step.HoldTime.IsZero() {
		s.Logger.Info("a step is held no longer", "app", push.App, "msg_id", push.ID, "step", step.Number,
			"held_since", step.HoldTime, "what_now", how)
	}
}
