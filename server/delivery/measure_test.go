package delivery_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/delivery"
	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

// measured is a policy whose one step is measured an hour after it was planned.
func measured() policy.Policy {
	p := oneStep()
	p.HoldoutPermille = 500
	p.Measurement = policy.Measurement{ClickWindow: time.Hour, MinimumSample: 100}
	return p
}

// measuring sends a push whose step is planned, and returns who is held out.
func (h *house) measuring(n int, heldOut func(id string) bool) (push storage.Push, first sending, held map[string]bool) {
	h.t.Helper()
	push, first = h.push(n, nil)
	require.Len(h.t, first.ids, n)
	h.pass(3 * time.Hour)
	report := h.settled(push)
	require.Equal(h.t, storage.StepPlanned, report.Steps[1].State)
	held = make(map[string]bool)
	for _, id := range first.ids {
		if heldOut(id) {
			held[id] = true
		}
	}
	require.Equal(h.t, n-len(held), report.Steps[1].Targets)
	return push, first, held
}

// clicks lets recipients click with a rate, or with another if they are held out.
func (h *house) clicks(first sending, held map[string]bool, followedUp, heldOut float64) {
	h.t.Helper()
	var clicked []string
	rates, due := map[bool]float64{false: followedUp, true: heldOut}, map[bool]float64{}
	for _, id := range first.ids {
		group := held[id]
		if due[group] += rates[group]; due[group] >= 1 {
			due[group]--
			clicked = append(clicked, id)
		}
	}
	h.callback(first, "click", clicked...)
}

// measure lets time go by and measures what is due.
func (h *house) measure(d time.Duration) {
	h.t.Helper()
	h.clock.Advance(d)
	require.NoError(h.t, h.service.MeasureDueSteps(h.t.Context()))
}

func (h *house) live(id string) policy.Policy {
	h.t.Helper()
	found, ok := h.policies.Snapshot().Get(id)
	require.True(h.t, ok)
	return found.Policy
}

// A step that costs clicks pauses itself, and says so; one that does good, or nothing, or of which too little is known, goes on.
func TestAStepThatDoesHarmPausesItself(t *testing.T) {
	cases := map[string]struct {
		change              func(*policy.Policy)
		followedUp, heldOut float64
		paused              bool
	}{
		"it harms":                         {followedUp: 0.02, heldOut: 0.12, paused: true},
		"it harms, by its own holdout":     {change: ownHoldout, followedUp: 0.02, heldOut: 0.12, paused: true},
		"it helps":                         {followedUp: 0.12, heldOut: 0.02},
		"it makes no difference":           {followedUp: 0.05, heldOut: 0.05},
		"it harms, but too few are known":  {change: func(p *policy.Policy) { p.Measurement.MinimumSample = 600 }, followedUp: 0.02, heldOut: 0.12},
		"it harms, but nobody is held out": {change: func(p *policy.Policy) { p.HoldoutPermille = 0 }, followedUp: 0.02, heldOut: 0.12},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			p := measured()
			if c.change != nil {
				c.change(&p)
			}
			p = h.createPolicy(p)
			_, first, held := h.measuring(1000, func(id string) bool { return p.Held(id) || p.StepHeld(1, id) })
			h.clicks(first, held, c.followedUp, c.heldOut)

			h.measure(time.Hour - time.Second)
			require.False(t, h.live(p.ID).Steps[0].Paused, "its click window has not ended")
			h.measure(time.Second)
			step := h.live(p.ID).Steps[0]
			require.Equal(t, c.paused, step.Paused, "%s", step.PauseReason)
			if !c.paused {
				require.Empty(t, step.PauseReason)
				return
			}
			effects, err := h.service.PolicyEffects(t.Context(), h.live(p.ID))
			require.NoError(t, err)
			require.Equal(t, 1, effects[0].Pushes)
			require.Equal(t, len(held), effects[0].Holdout.Sent)
			require.Equal(t, 1000-len(held), effects[0].Sent.Sent)
			require.Negative(t, effects[0].Lift.Interval.High)
			require.Regexp(t, `^Paused by Susul: over 1 pushes, \d+ of the \d+ recipients whom the step was for clicked \(\d\.\d\d %\), and`+
				` \d+ of the \d+ who were held out of it \(\d+\.\d\d %\)\. With 95 % confidence, .*`, step.PauseReason)
			require.Equal(t, 1.0, h.metric("susul_steps_paused_total"))

			push, _ := h.push(1, nil)
			h.pass(3 * time.Hour)
			require.Equal(t, storage.ReasonStepPaused, h.settled(push).Steps[1].CancelReason)
		})
	}
}

// ownHoldout gives the step a holdout of its own, beside which the policy's does not count.
func ownHoldout(p *policy.Policy) { p.HoldoutPermille, p.Steps[0].HoldoutPermille = 0, 500 }

// A step that was resumed begins anew: what was measured before does not count against it.
func TestAResumedStepIsMeasuredAnew(t *testing.T) {
	h := newHouse(t)
	p := h.createPolicy(measured())
	_, first, held := h.measuring(1000, p.Held)
	h.clicks(first, held, 0, 0.2)
	h.measure(time.Hour)
	require.True(t, h.live(p.ID).Steps[0].Paused)

	h.clock.Advance(time.Minute)
	_, err := h.policies.Update(t.Context(), 0, p.ID, func(current policy.Policy) (policy.Policy, error) {
		resumed := current
		resumed.Steps = []policy.Step{current.Steps[0]}
		resumed.Steps[0].Paused = false
		return resumed.WithMeasurementsOf(current), nil
	})
	require.NoError(t, err)
	h.engageLab.drain()
	_, first, held = h.measuring(1000, p.Held)
	h.clicks(first, held, 0.1, 0.1)
	h.measure(time.Hour)
	require.False(t, h.live(p.ID).Steps[0].Paused)
	effects, err := h.service.PolicyEffects(t.Context(), h.live(p.ID))
	require.NoError(t, err)
	require.Equal(t, 1, effects[0].Pushes)
}

// drain forgets what reached EngageLab.
func (e *engageLab) drain() {
	for len(e.arrived) > 0 {
		<-e.arrived
	}
}

// remotePolicies are policies whose etcd may be away.
type remotePolicies struct {
	*policy.Store
	away    atomic.Bool
	meddle  func() // called before a change is made
	changed atomic.Int32
}

// newRemoteHouse returns a house on such policies.
func newRemoteHouse(t *testing.T) (*house, *remotePolicies) {
	t.Helper()
	h := newHouse(t)
	h.stop()
	h.remote = &remotePolicies{Store: h.policies}
	h.start()
	return h, h.remote
}

func (r *remotePolicies) Update(
	ctx context.Context, revision int64, id string, mutate func(policy.Policy) (policy.Policy, error),
) (policy.Policy, error) {
	if r.away.Load() {
		return policy.Policy{}, policy.ErrUnavailable
	}
	return r.Store.Update(ctx, revision, id, func(current policy.Policy) (policy.Policy, error) {
		next, err := mutate(current)
		if r.changed.Add(1) == 1 && r.meddle != nil {
			r.meddle()
		}
		return next, err
	})
}

// While etcd is away, a step is measured all the same, and paused later: by the same leader, or by the next.
func TestAStepIsPausedOnceEtcdIsBack(t *testing.T) {
	for name, again := range map[string]func(*house){
		"by the same leader": func(h *house) {
			due, ok, err := h.service.NextStep(h.t.Context())
			require.NoError(h.t, err)
			require.True(h.t, ok)
			require.Equal(h.t, h.clock.Now().Add(time.Minute), due)
			h.measure(time.Minute)
			_, ok, err = h.service.NextStep(h.t.Context())
			require.NoError(h.t, err)
			require.False(h.t, ok)
		},
		"by the next leader": func(h *house) {
			h.stop()
			h.start()
			h.measure(0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, remote := newRemoteHouse(t)
			p := h.createPolicy(measured())
			_, first, held := h.measuring(1000, p.Held)
			h.clicks(first, held, 0, 0.2)
			remote.away.Store(true)
			h.measure(time.Hour)
			effects, err := h.service.PolicyEffects(t.Context(), p)
			require.NoError(t, err)
			require.Equal(t, 1, effects[0].Pushes, "what was measured is kept")
			require.False(t, h.live(p.ID).Steps[0].Paused)
			remote.away.Store(false)
			again(h)
			require.True(t, h.live(p.ID).Steps[0].Paused)
		})
	}
}

// A change that somebody else makes at the same time stays, and is judged.
func TestAStepThatChangesMeanwhileIsJudgedAsItIs(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*policy.Policy)
		paused bool
	}{
		"another description": {func(p *policy.Policy) { p.Description = "for the morning" }, true},
		"another text":        {func(p *policy.Policy) { p.Steps[0].Contents = says(policy.Content{Alert: "Better."}) }, false},
		"a larger sample":     {func(p *policy.Policy) { p.Measurement.MinimumSample = 10_000 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			h, remote := newRemoteHouse(t)
			p := h.createPolicy(measured())
			remote.meddle = func() {
				_, err := h.policies.Update(context.Background(), 0, p.ID, func(current policy.Policy) (policy.Policy, error) {
					c.change(&current)
					return current, nil
				})
				require.NoError(t, err)
			}
			_, first, held := h.measuring(1000, p.Held)
			h.clicks(first, held, 0, 0.2)
			h.measure(time.Hour)
			want := p
			c.change(&want)
			live := h.live(p.ID)
			require.Equal(t, c.paused, live.Steps[0].Paused)
			require.Equal(t, want.Description, live.Description)
			require.Equal(t, want.Steps[0].Content, live.Steps[0].Content)
			require.Equal(t, want.Measurement, live.Measurement)
		})
	}
}

// The report of a push counts who got what and who was held out, with intervals that were computed elsewhere.
func TestEffectOfAPush(t *testing.T) {
	h := newHouse(t)
	p := measured()
	p.Steps[0].Contents = policy.Contents{}
	p.Steps[0].Variants = []policy.Variant{
		{ID: "a", Weight: 1, Contents: says(policy.Content{Alert: "A"})}, {ID: "b", Weight: 0, Contents: says(policy.Content{Alert: "B"})},
	}
	p = h.createPolicy(p)
	push, first, held := h.measuring(200, p.Held)
	var followed, kept []string
	for _, id := range first.ids {
		if held[id] {
			kept = append(kept, id)
		} else {
			followed = append(followed, id)
		}
	}
	h.callback(first, "click", followed[:10]...)
	h.callback(first, "click", kept[:5]...)
	effect, err := h.service.Effect(t.Context(), h.settled(push))
	require.NoError(t, err)
	step := effect.Steps[1]
	require.Len(t, step.Variants, 2)
	require.Equal(t, "a", step.Variants[0].Variant)
	require.Equal(t, len(followed), step.Variants[0].Clicks.Sent)
	require.Equal(t, 10, step.Variants[0].Clicks.Clicked)
	require.Zero(t, step.Variants[1].Clicks.Sent, "a variant that nobody got is told")
	require.Equal(t, step.Variants[0].Clicks, step.Sent)
	require.Equal(t, len(kept), step.Holdout.Sent)
	require.Equal(t, 5, step.Holdout.Clicked)
	require.Equal(t, 10/float64(len(followed)), step.Sent.Rate)
	require.Equal(t, step.Sent.Rate-step.Holdout.Rate, step.Lift.Difference)
	require.Equal(t, delivery.WholeEffect{FollowedUp: step.Sent, Holdout: *step.Holdout, Lift: *step.Lift}, *effect.Whole)
}

// known is a store that has measured what is said.
type known struct {
	storage.Store
	total storage.MeasuredTotal
}

func (k known) SumMeasurements(context.Context, string, string, time.Time) (storage.MeasuredTotal, error) {
	return k.total, nil
}

// The example of docs/resend-policies.md.
func TestEffectsOfAPolicy(t *testing.T) {
	h := newHouse(t)
	h.stop()
	plain := h.store
	h.store = known{plain, storage.MeasuredTotal{Pushes: 7, Groups: map[storage.Group]storage.ClickCount{
		{Variant: ""}:                        {Recipients: 90_000, Clicked: 4500},
		{Holdout: storage.ReasonHoldout}:     {Recipients: 10_000, Clicked: 300},
		{Holdout: storage.ReasonStepHoldout}: {Recipients: 1000, Clicked: 1000},
	}}}
	h.start()
	defer func() { h.store = plain }()
	effects, err := h.service.PolicyEffects(t.Context(), measured())
	require.NoError(t, err)
	require.Equal(t, 7, effects[0].Pushes)
	sent, held, lift := effects[0].Sent, effects[0].Holdout, effects[0].Lift
	for _, c := range []struct{ want, got float64 }{
		{0.05, sent.Rate}, {0.0486, sent.Interval.Low}, {0.0514, sent.Interval.High},
		{0.03, held.Rate}, {0.0268, held.Interval.Low}, {0.0335, held.Interval.High},
		{0.02, lift.Difference}, {0.0162, lift.Interval.Low}, {0.0235, lift.Interval.High},
	} {
		require.InDelta(t, c.want, c.got, 0.00005)
	}
	p := measured()
	p.HoldoutPermille = 0
	effects, err = h.service.PolicyEffects(t.Context(), p)
	require.NoError(t, err)
	require.Nil(t, effects[0].Holdout)
	require.Nil(t, effects[0].Lift)
	require.Nil(t, effects[0].Variants[0].Lift)
}

// Who clicks while the step waits to go out does not get it. As those who are held out and click by then count, so do they: else a
// step would seem to cost the clicks that it waited for.
func TestClicksBeforeAStepGoesOutCountForBothSides(t *testing.T) {
	h := newHouse(t)
	p := h.createPolicy(measured())
	push, first := h.push(1000, nil)
	h.settled(push)
	h.stop()
	h.pass(3 * time.Hour)
	held := make(map[string]bool)
	for _, id := range first.ids {
		held[id] = p.Held(id)
	}
	h.clicks(first, held, 0.2, 0.2)
	h.start()
	report := h.settled(push)
	clicked := report.Steps[1].PassedOver[storage.ReasonMilestoneReached]
	require.Greater(t, clicked, 50)

	effect, err := h.service.Effect(t.Context(), report)
	require.NoError(t, err)
	require.Equal(t, report.Steps[1].Targets+clicked, effect.Steps[1].Sent.Sent)
	require.Equal(t, clicked, effect.Steps[1].Sent.Clicked)
	h.measure(time.Hour)
	require.Empty(t, h.live(p.ID).Steps[0].PauseReason)
}

// Those who are left of the policy's holdout for a later step are not like those who are left of the others, so that they can't tell
// whether it does harm.
func TestALaterStepPausesItselfByItsOwnHoldoutAlone(t *testing.T) {
	for name, own := range map[string]int{"the policy's holdout": 0, "its own": 300} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			p := measured()
			second := p.Steps[0]
			second.After, second.HoldoutPermille = 2*time.Hour, own
			p.Steps = append(p.Steps, second)
			p = h.createPolicy(p)
			push, first := h.push(2000, nil)
			h.pass(3 * time.Hour)
			h.settled(push)
			h.pass(time.Hour)
			h.settled(push)
			var clicked []string
			for i, id := range first.ids {
				if i%4 == 0 && (p.Held(id) || p.StepHeld(2, id)) {
					clicked = append(clicked, id)
				}
			}
			h.callback(first, "click", clicked...)
			h.measure(time.Hour)
			require.Equal(t, own > 0, h.live(p.ID).Steps[1].Paused)
		})
	}
}
