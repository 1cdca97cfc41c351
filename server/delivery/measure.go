package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

// judgeRetry is the pause, in the clock's time, after a policy could not be judged.
const judgeRetry = time.Minute

// judging is which policies are to be asked whether a step does harm. Measurements are stored before; that etcd is away only
// puts the question off. It is the leader's loop's alone.
type judging struct {
	begun   bool // all policies are asked about once, for what an earlier leader left
	due     map[string]bool
	retryAt time.Time // when what was put off is asked again; zero while nothing is
}

func (j *judging) add(policyID string) {
	if j.due == nil {
		j.due = make(map[string]bool)
	}
	j.due[policyID] = true
}

// MeasureDueSteps measures every step whose click window has ended, and pauses those that turn out to do harm. It is the
// leader's work; storage.ErrFenced ends it. A step that can't be measured stays due and keeps no other from being measured.
func (s *Service) MeasureDueSteps(ctx context.Context) error {
	if err := s.eachDue(ctx, "measure", s.Store.StepsToMeasure, s.measureStep); err != nil {
		return err
	}
	return s.judgeDue(ctx)
}

func (s *Service) measureStep(ctx context.Context, step storage.Step) error {
	push, err := s.Store.PushOf(ctx, step.PushID)
	if err != nil {
		return err
	}
	m := storage.Measurement{PushID: push.ID, Step: step.Number, Time: s.Clock.Now()}
	pinned, err := s.compiled.get(push.Policy)
	if err == nil && (step.Number < 1 || step.Number > len(pinned.Policy.Steps)) {
		err = errNoPolicy
	}
	if err != nil { // an empty measurement of nothing ends the matter
		s.Logger.Error("a step can't be measured", "app", push.App, "msg_id", push.ID, "step", step.Number, "error", err)
		return ignoreConflict(s.Store.RecordMeasurement(ctx, m))
	}
	outcomes, err := s.Store.Outcomes(ctx, push.ID)
	if err != nil {
		return err
	}
	m.PolicyUID, m.Key, m.Groups = push.Policy.UID, pinned.Policy.StepKey(step.Number), outcomes.Steps[step.Number]
	switch err := s.Store.RecordMeasurement(ctx, m); {
	case errors.Is(err, storage.ErrConflict): // it was measured before
	case err != nil:
		return err
	default:
		s.Metrics.stepMeasured(push.App)
	}
	s.judging.add(push.Policy.Name)
	return nil
}

// judgeDue asks about the policies of which something was measured.
func (s *Service) judgeDue(ctx context.Context) error {
	j := &s.judging
	if !j.begun {
		j.begun = true
		for _, live := range s.Policies.Snapshot().List() {
			j.add(live.Policy.ID)
		}
	}
	due := j.due
	j.due, j.retryAt = nil, time.Time{}
	for id := range due {
		err := s.judgePolicy(ctx, id)
		switch {
		case err == nil:
		case errors.Is(err, storage.ErrFenced) || ctx.Err() != nil:
			return err
		case errors.As(err, new(*policy.InvalidError)):
			s.Logger.Error("a step that does harm can't be paused", "policy", id, "error", err)
		default:
			s.Logger.Warn("whether a policy's steps do harm can't be judged now; trying again", "policy", id, "error", err)
			j.add(id)
			j.retryAt = s.Clock.Now().Add(judgeRetry)
		}
	}
	return nil
}

// judgePolicy pauses the steps of a policy that do harm.
func (s *Service) judgePolicy(ctx context.Context, id string) error {
	live, ok := s.Policies.Snapshot().Get(id)
	if !ok {
		return nil
	}
	for step := 1; step <= len(live.Policy.Steps); step++ {
		harm, err := s.harmOf(ctx, live.Policy, step)
		if err != nil {
			return err
		}
		if harm == "" {
			continue
		}
		if err := s.pauseStep(ctx, live.Policy, step); err != nil {
			return err
		}
	}
	return nil
}

// harmOf says in a sentence how a step does harm; empty if it is not known to, or is paused already. From the second step on, those
// who are left of the policy's holdout had a step less to click on than those they are compared with: only a holdout of the step's
// own can tell.
func (s *Service) harmOf(ctx context.Context, p policy.Policy, step int) (string, error) {
	held, hasHoldout := holdoutOf(p, step)
	if p.Steps[step-1].Paused || !hasHoldout || step > 1 && held != storage.ReasonStepHoldout {
		return "", nil
	}
	total, err := s.measured(ctx, p, step)
	if err != nil {
		return "", err
	}
	e := stepEffect(p, step, total.Groups)
	if min(e.Sent.Sent, e.Holdout.Sent) < p.MinimumSample() || e.Lift.Interval.High >= 0 {
		return "", nil
	}
	return fmt.Sprintf("Paused by Susul: over %d pushes, %d of the %d recipients whom the step was for clicked (%s), and %d of the %d"+
		" who were held out of it (%s). With 95 %% confidence, the step costs %s to %s of its recipients their click.",
		total.Pushes, e.Sent.Clicked, e.Sent.Sent, percent(e.Sent.Rate), e.Holdout.Clicked, e.Holdout.Sent,
		percent(e.Holdout.Rate), percent(-e.Lift.Interval.High), percent(-e.Lift.Interval.Low)), nil
}

func percent(share float64) string { return fmt.Sprintf("%.2f %%", 100*share) }

// errHarmless ends an update that is not needed any more.
var errHarmless = errors.New("the step is not to be paused")

// pauseStep pauses a step of a policy, if the policy that etcd has is the same and the step still does harm.
func (s *Service) pauseStep(ctx context.Context, p policy.Policy, step int) error {
	var why string
	_, err := s.Policies.Update(ctx, 0, p.ID, func(current policy.Policy) (policy.Policy, error) {
		if current.UID != p.UID || step > len(current.Steps) || current.StepKey(step) != p.StepKey(step) {
			return policy.Policy{}, errHarmless // what it has become is judged when that is measured
		}
		var err error
		if why, err = s.harmOf(ctx, current, step); err != nil {
			return policy.Policy{}, err
		}
		if why == "" {
			return policy.Policy{}, errHarmless
		}
		current.Steps = slices.Clone(current.Steps)
		current.Steps[step-1].Paused, current.Steps[step-1].PauseReason = true, why
		return current, nil
	})
	if errors.Is(err, errHarmless) || errors.Is(err, policy.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	s.Metrics.stepPaused()
	s.Logger.Warn("a step does harm and is paused", "policy", p.ID, "step", step, "why", why)
	return nil
}
