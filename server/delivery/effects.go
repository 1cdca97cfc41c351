package delivery

import (
	"context"
	"maps"
	"slices"

	"susul.dev/susul/server/effect"
	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

// Clicks is a group of recipients and how many of them clicked.
type Clicks struct {
	effect.Count
	Rate     float64
	Interval effect.Interval
}

// Lift is by how much one group's click rate is above another's.
type Lift struct {
	Difference float64
	Interval   effect.Interval
}

// VariantEffect is what one variant of a step brought.
type VariantEffect struct {
	Variant string // empty for a step without variants
	Clicks  Clicks
	Lift    *Lift // nil without a holdout
}

// StepEffect is what a step brought.
type StepEffect struct {
	Variants []VariantEffect // by id
	Sent     Clicks          // all variants together
	// Holdout are those who were held out of the step, by its own holdout if it has one, else by the policy's; nil without
	// either.
	Holdout *Clicks
	// Lift is that of Sent; nil without a holdout.
	Lift *Lift
}

// PushEffect is what the follow-ups of one push brought until now.
type PushEffect struct {
	Steps map[int]StepEffect // those that were planned, by number
	// Whole compares all that got a follow-up with those whom the policy held out; nil without a holdout.
	Whole *WholeEffect
}

// WholeEffect compares those who got at least one follow-up with those who got none on purpose.
type WholeEffect struct {
	FollowedUp, Holdout Clicks
	Lift                Lift
}

// Effect returns what the follow-ups of a push brought until now. It looks at all recipients who got one.
func (s *Service) Effect(ctx context.Context, report storage.Report) (PushEffect, error) {
	planned := func(step storage.StepReport) bool {
		return step.Number > 0 && (step.State == storage.StepPlanned || step.NextOrdinal > 0)
	}
	if report.Push.Policy == nil || !slices.ContainsFunc(report.Steps, planned) {
		return PushEffect{}, nil
	}
	pinned, err := s.compiled.get(report.Push.Policy)
	if err != nil {
		s.Logger.Error("a pinned policy can't be used", "app", report.Push.App, "msg_id", report.Push.ID, "error", err)
		return PushEffect{}, nil // the rest of the report is good
	}
	outcomes, err := s.Store.Outcomes(ctx, report.Push.ID)
	if err != nil {
		return PushEffect{}, err
	}
	e := PushEffect{Steps: make(map[int]StepEffect, len(outcomes.Steps))}
	for number, groups := range outcomes.Steps {
		if number >= 1 && number <= len(pinned.Policy.Steps) {
			e.Steps[number] = stepEffect(pinned.Policy, number, groups)
		}
	}
	if pinned.Policy.HoldoutPermille > 0 {
		followedUp, heldOut := countOf(outcomes.FollowedUp), countOf(outcomes.HeldOut)
		e.Whole = &WholeEffect{FollowedUp: clicksOf(followedUp), Holdout: clicksOf(heldOut), Lift: liftOver(followedUp, heldOut)}
	}
	return e, nil
}

// PolicyEffect is what a step of a policy brought, over all pushes that were measured.
type PolicyEffect struct {
	Pushes int
	StepEffect
}

// PolicyEffects returns what each step of a policy brought, as long as it was what it is now.
func (s *Service) PolicyEffects(ctx context.Context, p policy.Policy) ([]PolicyEffect, error) {
	effects := make([]PolicyEffect, len(p.Steps))
	for i := range p.Steps {
		total, err := s.measured(ctx, p, i+1)
		if err != nil {
			return nil, err
		}
		effects[i] = PolicyEffect{Pushes: total.Pushes, StepEffect: stepEffect(p, i+1, total.Groups)}
	}
	return effects, nil
}

// measured adds up what was measured of a step.
func (s *Service) measured(ctx context.Context, p policy.Policy, step int) (storage.MeasuredTotal, error) {
	return s.Store.SumMeasurements(ctx, p.UID, p.StepKey(step), p.Steps[step-1].MeasuredSince)
}

// stepEffect compares the groups of a step: 1 is the first.
func stepEffect(p policy.Policy, step int, groups map[storage.Group]storage.ClickCount) StepEffect {
	held, hasHoldout := holdoutOf(p, step)
	holdout := countOf(groups[storage.Group{Holdout: held}])
	var e StepEffect
	if hasHoldout {
		clicks := clicksOf(holdout)
		e.Holdout = &clicks
	}
	lift := func(c effect.Count) *Lift {
		if !hasHoldout {
			return nil
		}
		l := liftOver(c, holdout)
		return &l
	}
	byVariant := variantCounts(p, step, groups)
	var all effect.Count
	for _, id := range slices.Sorted(maps.Keys(byVariant)) {
		count := byVariant[id]
		all.Clicked, all.Sent = all.Clicked+count.Clicked, all.Sent+count.Sent
		e.Variants = append(e.Variants, VariantEffect{Variant: id, Clicks: clicksOf(count), Lift: lift(count)})
	}
	e.Sent, e.Lift = clicksOf(all), lift(all)
	return e
}

// variantCounts has an entry for each of a step's variants, and for each other one that somebody got.
func variantCounts(p policy.Policy, step int, groups map[storage.Group]storage.ClickCount) map[string]effect.Count {
	counts := make(map[string]effect.Count)
	for _, variant := range p.Steps[step-1].Variants {
		counts[variant.ID] = effect.Count{}
	}
	if len(counts) == 0 {
		counts[""] = effect.Count{}
	}
	for group, count := range groups {
		if group.Holdout == "" {
			counts[group.Variant] = countOf(count)
		}
	}
	return counts
}

// holdoutOf returns the reason of those whom a step is compared with: its own holdout if it has one, else the policy's.
func holdoutOf(p policy.Policy, step int) (storage.Reason, bool) {
	if p.Steps[step-1].HoldoutPermille > 0 {
		return storage.ReasonStepHoldout, true
	}
	return storage.ReasonHoldout, p.HoldoutPermille > 0
}

func countOf(c storage.ClickCount) effect.Count {
	return effect.Count{Clicked: c.Clicked, Sent: c.Recipients}
}

func clicksOf(c effect.Count) Clicks {
	rate, interval := effect.Wilson(c.Clicked, c.Sent)
	return Clicks{Count: c, Rate: rate, Interval: interval}
}

func liftOver(c, holdout effect.Count) Lift {
	difference, interval := effect.Newcombe(c, holdout)
	return Lift{Difference: difference, Interval: interval}
}
