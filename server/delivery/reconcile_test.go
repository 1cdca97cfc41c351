package delivery_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

// step returns where one of the push's steps stands.
func (h *house) step(push storage.Push, number int) storage.StepReport {
	h.t.Helper()
	report, err := h.service.Report(h.t.Context(), app, push.ID)
	require.NoError(h.t, err)
	return report.Steps[number]
}

// metric returns the value of the app's metric with that outcome, if it has one.
func (h *house) metric(name string, outcome ...string) (value float64) {
	h.t.Helper()
	families, err := h.registry.Gather()
	require.NoError(h.t, err)
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			labels := metric.GetLabel() // app, outcome
			if family.GetName() == name && (len(outcome) == 0 || labels[len(labels)-1].GetValue() == outcome[0]) {
				value += metric.GetGauge().GetValue() + metric.GetCounter().GetValue()
			}
		}
	}
	return value
}

// asked returns how often EngageLab's statistics were asked for, and about how many devices.
func (h *house) asked() (details, messages, devices int) {
	h.engageLab.mu.Lock()
	defer h.engageLab.mu.Unlock()
	return h.engageLab.asked.details, h.engageLab.asked.messages, h.engageLab.asked.devices
}

// followed are the people whom a step was sent to. It must have been planned.
func (h *house) followed(push storage.Push, number int) []string {
	h.t.Helper()
	h.settled(push)
	require.Equal(h.t, storage.StepPlanned, h.step(push, number).State)
	var ids []string
	for _, s := range h.engageLab.sendings[1:] {
		ids = append(ids, s.ids...)
	}
	return ids
}

// Before a step is planned, EngageLab's statistics make up for callbacks that never came.
func TestReconciliation(t *testing.T) {
	unless := func(m storage.Milestone) policy.Trigger { return policy.Trigger{Unless: m, Within: 2 * time.Hour} }
	cases := map[string]struct {
		trigger policy.Trigger
		happens func(h *house, first sending) // told by callbacks; h.engageLab.saw is not
		devices int                           // that EngageLab is asked about
		want    []string
	}{
		"equal": {unless(storage.Clicked), func(h *house, first sending) {
			h.callback(first, "click", "r0")
		}, 0, []string{"r1", "r2", "r3"}},
		"theirs lag behind": {unless(storage.Clicked), func(h *house, first sending) {
			h.callback(first, "click", "r0", "r1")
			h.engageLab.lags(first, "r1")
		}, 0, []string{"r2", "r3"}},
		"theirs are ahead": {unless(storage.Clicked), func(h *house, first sending) {
			h.callback(first, "click", "r0")
			h.engageLab.saw(first, "click", "r1", "r2")
		}, 3, []string{"r3"}},
		"theirs are ahead for a milestone that is not awaited": {unless(storage.Clicked), func(h *house, first sending) {
			h.callback(first, "delivered", "r0")
			h.engageLab.saw(first, "displayed", "r1")
		}, 0, people(4)},
		"displayed": {unless(storage.Displayed), func(h *house, first sending) {
			h.callback(first, "displayed", "r0")
			h.engageLab.saw(first, "displayed", "r1")
			h.engageLab.saw(first, "click", "r2")
		}, 3, []string{"r3"}},
		"delivered": {unless(storage.Delivered), func(h *house, first sending) {
			h.callback(first, "sent", "r0")
			h.engageLab.saw(first, "delivered", "r1")
		}, 4, []string{"r0", "r2", "r3"}},
		"failed, and delivered after all": {policy.Trigger{OnFailure: true, Within: 2 * time.Hour}, func(h *house, first sending) {
			h.callback(first, "sent_failed", "r0", "r1")
			h.engageLab.saw(first, "delivered", "r1")
		}, 4, []string{"r0"}},
		"failed, and nothing came of it": {policy.Trigger{OnFailure: true, Within: 2 * time.Hour}, func(h *house, first sending) {
			h.engageLab.saw(first, "delivered", "r1")
			h.engageLab.fails(first, "sent_failed", "r2")
		}, 4, []string{"r2"}},
		"none came": {unless(storage.Clicked), func(h *house, first sending) {
			h.engageLab.saw(first, "click", "r0")
			h.engageLab.saw(first, "delivered", "r1")
		}, 4, []string{"r1", "r2", "r3"}},
		"none came, and there is nothing to tell": {unless(storage.Clicked), func(*house, sending) {}, 4, people(4)},
		"it does not know a message that callbacks came of": {unless(storage.Clicked), func(h *house, first sending) {
			h.callback(first, "click", "r0")
			h.engageLab.forget(first)
		}, 0, []string{"r1", "r2", "r3"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			p := oneStep()
			p.Trigger = c.trigger
			h.createPolicy(p)
			push, first := h.push(4, nil)
			c.happens(h, first)
			h.pass(3 * time.Hour)
			require.Equal(t, c.want, h.followed(push, 1))
			_, _, devices := h.asked()
			require.Equal(t, c.devices, devices)
			require.Zero(t, h.step(push, 1).HoldTime, "it went on at once")
		})
	}
}

// What was learnt from the statistics is as if the callbacks had come. When they do, they are repetitions.
func TestALateCallbackIsARepetition(t *testing.T) {
	h := newHouse(t)
	h.createPolicy(oneStep())
	push, first := h.push(3, nil)
	h.callback(first, "sent", "r0")
	h.engageLab.saw(first, "click", "r1")
	h.engageLab.fails(first, "target_invalid", "r2")
	h.pass(3 * time.Hour)
	require.Equal(t, []string{"r0"}, h.followed(push, 1), "r2's token is dead")
	require.Equal(t, 1, h.settled(push).Total.Clicked)
	require.Equal(t, 1, h.callback(first, "clicked", "r1").Repeated)
	require.Equal(t, 1, h.callback(first, "target_invalid", "r2").Repeated)
	events, err := h.service.ListEvents(t.Context(), storage.EventQuery{App: app, PushID: push.ID, RegistrationID: "r1"})
	require.NoError(t, err)
	require.Len(t, events, 1)
	require.Equal(t, push.FirstSentTime, events[0].Time, "when it was, EngageLab does not tell")
}

// What is learnt may be old: a device that died since stays invalid.
func TestWhatIsLearntRevivesNobody(t *testing.T) {
	h := newHouse(t)
	h.createPolicy(oneStep())
	push, first := h.push(3, nil)
	h.engageLab.saw(first, "displayed", "r1") // which no callback tells
	h.engageLab.saw(first, "click", "r2")
	h.clock.Advance(time.Hour)
	h.callback(first, "target_invalid", "r1")
	h.pass(2 * time.Hour)
	require.Equal(t, []string{"r0"}, h.followed(push, 1))
	recipients, err := h.service.Recipients(t.Context(), app, push.ID, []string{"r1"})
	require.NoError(t, err)
	require.True(t, recipients[0].Progress.InAnyStep().Has(storage.Displayed), "it is learnt")
}

func TestAStepIsHeldUntilTheStatisticsAnswer(t *testing.T) {
	for name, silence := range map[string]func(h *house){
		"all are down":        func(h *house) { h.engageLab.statistics(func([]string) error { return errDown }, nil) },
		"a part is down":      func(h *house) { h.engageLab.statistics(nil, func(string, []string) error { return errDown }) },
		"our secret is wrong": func(h *house) { h.engageLab.statistics(func([]string) error { return errForbidden }, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.createPolicy(oneStep())
			push, first := h.push(3, nil)
			h.callback(first, "click", "r0")
			h.engageLab.saw(first, "click", "r1")
			silence(h)
			h.pass(3 * time.Hour)
			since := h.clock.Now()
			for _, wait := range []time.Duration{time.Minute, time.Minute, 2 * time.Minute, 4 * time.Minute, 5 * time.Minute} {
				step := h.step(push, 1)
				require.Equal(t, storage.StepScheduled, step.State)
				require.Equal(t, since, step.HoldTime)
				require.Equal(t, h.clock.Now().Add(wait), step.DueTime)
				require.InDelta(t, 1, h.metric("susul_steps_held"), 0)
				h.pass(wait)
			}
			h.engageLab.statistics(nil, nil)
			h.pass(5 * time.Minute)
			require.Equal(t, []string{"r2"}, h.followed(push, 1))
			require.Zero(t, h.step(push, 1).HoldTime)
		})
	}
}

func TestWhatBecomesOfAStepThatIsHeldTooLong(t *testing.T) {
	none, hour := time.Duration(0), time.Hour
	for name, c := range map[string]struct {
		unknown policy.UnknownProgress
		held    time.Duration
	}{
		"by default":        {policy.UnknownProgress{}, 30 * time.Minute},
		"longer":            {policy.UnknownProgress{HoldFor: &hour}, time.Hour},
		"not at all":        {policy.UnknownProgress{HoldFor: &none}, 0},
		"send":              {policy.UnknownProgress{Send: true}, 30 * time.Minute},
		"send, not at all":  {policy.UnknownProgress{Send: true, HoldFor: &none}, 0},
		"send after longer": {policy.UnknownProgress{Send: true, HoldFor: &hour}, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			p := oneStep()
			p.UnknownProgress = c.unknown
			h.createPolicy(p)
			push, first := h.push(2, nil)
			h.callback(first, "click", "r0")
			h.engageLab.statistics(func([]string) error { return errDown }, nil)
			h.pass(3 * time.Hour)
			for end := h.clock.Now().Add(c.held); h.clock.Now().Before(end); {
				step := h.step(push, 1)
				require.Equal(t, storage.StepScheduled, step.State)
				require.False(t, step.DueTime.After(end), "the decision comes in time")
				h.pass(step.DueTime.Sub(h.clock.Now()))
			}
			step := h.step(push, 1)
			if c.unknown.Send {
				require.Equal(t, []string{"r1"}, h.followed(push, 1))
			} else {
				require.Equal(t, storage.StepCancelled, step.State)
				require.Equal(t, storage.ReasonUnknownProgress, step.CancelReason)
			}
			require.InDelta(t, 0, h.metric("susul_steps_held"), 0)
		})
	}
}

// A message that EngageLab knows nothing of holds the step if no callback came of it either. The others are asked about first.
func TestAMessageThatNobodyKnows(t *testing.T) {
	for name, refuses := range map[string]bool{"it is missing": false, "the question is refused": true} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			p := oneStep()
			p.UnknownProgress.Send = true
			h.createPolicy(p)
			push, first := h.push(2500, nil)
			second, third := h.next(), h.next()
			h.settled(push)
			h.engageLab.forget(first)
			h.engageLab.saw(third, "click", third.ids...)
			if refuses {
				h.engageLab.statistics(func(ids []string) error {
					for _, id := range ids {
						if id == first.upstream {
							return errUnknownID
						}
					}
					return nil
				}, nil)
			}
			h.pass(3 * time.Hour)
			require.Equal(t, storage.StepScheduled, h.step(push, 1).State)
			require.NotZero(t, h.step(push, 1).HoldTime)
			_, messages, devices := h.asked()
			require.Equal(t, len(second.ids)+len(third.ids), devices)

			h.pass(time.Minute)
			_, again, _ := h.asked()
			require.Equal(t, messages, again, "the others are not asked about again")

			h.callback(first, "click", first.ids[0])
			h.pass(time.Minute)
			require.Len(t, h.followed(push, 1), 2500-1-len(third.ids)+len(second.ids)+len(third.ids))
		})
	}
}

// Many recipients are asked about in rounds, between which other steps have their turn; a failure does not begin anew.
func TestReconciliationInRounds(t *testing.T) {
	const n = 12_500
	h := newHouse(t)
	h.createPolicy(oneStep())
	push, _ := h.push(n, nil)
	for range n / 1000 {
		h.next()
	}
	h.settled(push)
	for _, s := range h.engageLab.sendings {
		h.engageLab.saw(s, "click", s.ids[len(s.ids)/2:]...)
	}
	other, _ := h.push(1, map[string]any{"custom_args": "news"})
	h.settled(other)
	calls, failures := 0, 0
	h.engageLab.statistics(nil, func(string, []string) error {
		h.engageLab.mu.Lock()
		defer h.engageLab.mu.Unlock()
		if calls++; calls == 70 || calls == 110 {
			failures++
			return errDown
		}
		return nil
	})
	h.clock.Advance(3 * time.Hour)
	for h.step(push, 1).State == storage.StepScheduled {
		require.NoError(t, h.service.PlanDueSteps(t.Context()))
		h.clock.Advance(time.Minute)
	}
	require.Equal(t, storage.StepPlanned, h.step(other, 1).State)
	require.Equal(t, 2, failures)
	_, messages, devices := h.asked()
	require.LessOrEqual(t, messages, n/100+13+2*8, "a failure costs no more than the calls in flight with it")
	require.LessOrEqual(t, devices, n+1+2*800)
	require.Equal(t, n/2, h.settled(push).Total.Clicked)
	require.InDelta(t, n/2, h.metric("susul_reconciled_total", "reached"), 0)
}

// A round that is cut short by another leader's rise leaves nothing that the other can't go on from.
func TestReconciliationByAnotherLeader(t *testing.T) {
	h := newHouse(t)
	h.createPolicy(oneStep())
	push, first := h.push(1000, nil)
	h.callback(first, "click", "r0")
	h.engageLab.saw(first, "click", first.ids[:500]...)
	asked := 0
	h.engageLab.statistics(nil, func(string, []string) error {
		h.engageLab.mu.Lock()
		defer h.engageLab.mu.Unlock()
		if asked++; asked > 5 {
			return errDown
		}
		return nil
	})
	h.pass(3 * time.Hour)
	h.stop()
	h.engageLab.statistics(nil, nil)
	_, _, before := h.asked()
	h.start()
	h.pass(time.Minute)
	require.Len(t, h.followed(push, 1), 500)
	_, _, after := h.asked()
	require.Less(t, after-before, 1000, "whom the first found out about needs no question")
}

// The messages of a batch are asked about a hundred at a time, each by its own id.
func TestReconciliationOfBatches(t *testing.T) {
	h := newHouse(t)
	h.createPolicy(personal())
	push, first := h.push(250, nil)
	h.callback(first, "click", "r0")
	h.pass(3 * time.Hour)
	h.settled(push)
	singles := h.engageLab.sendings[1:]
	require.Len(t, singles, 249)
	h.callback(singles[0], "click", "r1")
	for _, s := range singles[1:200] {
		h.engageLab.saw(s, "click", s.ids...)
	}
	h.callback(singles[248], "delivered", "r249")
	h.engageLab.forget(singles[248])
	before, _, _ := h.asked()
	h.pass(2 * time.Hour)
	h.settled(push)
	require.Len(t, h.engageLab.sendings, 1+249+49)
	after, messages, _ := h.asked()
	require.Equal(t, 4, after-before, "one for the dispatches, three for the batch")
	require.Zero(t, messages)
	require.Equal(t, 201, h.settled(push).Total.Clicked)
	require.Equal(t, 200, h.step(push, 1).Clicked)
}

// Whoever was never listed became known by callbacks; EngageLab may know more about them.
func TestReconciliationOfAnAudience(t *testing.T) {
	h := newHouse(t)
	h.createPolicy(oneStep())
	push, first := h.push(0, map[string]any{"to": map[string]any{"tag": []string{"vip"}}})
	h.callback(first, "delivered", people(3)...)
	h.engageLab.saw(first, "click", "r0", "somebody else")
	h.pass(3 * time.Hour)
	require.Equal(t, []string{"r1", "r2"}, h.followed(push, 1))
}

// An app whose EngageLab is down must not hold up the planning of many steps by asking for each.
func TestManyStepsOfASilentApp(t *testing.T) {
	h := newHouse(t)
	h.createPolicy(oneStep())
	var pushes []storage.Push
	for i := range 20 {
		push, first := h.push(1, map[string]any{"request_id": fmt.Sprint(i)})
		h.callback(first, "delivered", "r0")
		pushes = append(pushes, push)
	}
	h.engageLab.statistics(func([]string) error { return errDown }, nil)
	h.pass(3 * time.Hour)
	details, _, _ := h.asked()
	require.Equal(t, 1, details)
	require.InDelta(t, 20, h.metric("susul_steps_held"), 0)
	h.engageLab.statistics(nil, nil)
	h.pass(time.Minute)
	for _, push := range pushes {
		require.Equal(t, 1, h.settled(push).Steps[1].Targets)
	}
}

// It may take more calls than a round has to find out which messages EngageLab knows. A round gets on all the same.
func TestStatisticsThatAreRefusedForMany(t *testing.T) {
	const pairs = 99
	h := newHouse(t)
	p := news()
	p.UnknownProgress.Send = true
	p.Steps[0].Contents = says(policy.Content{Alert: "{{ device.attributes.pair }}"})
	h.createPolicy(p)
	for i := range 2 * pairs {
		h.knows(fmt.Sprint("r", i), map[string]any{"pair": i / 2}, "")
	}
	push, first := h.push(2*pairs, nil)
	h.callback(first, "sent", first.ids...)
	h.pass(3 * time.Hour)
	h.settled(push)
	refused := make(map[string]bool)
	for i, s := range h.engageLab.sendings[1:] {
		require.Len(t, s.ids, 2)
		if i%2 == 0 {
			refused[s.upstream] = true
			continue
		}
		h.engageLab.saw(s, "click", s.ids...)
	}
	calls := 0
	h.engageLab.statistics(func(ids []string) error {
		if calls++; calls > 50_000 {
			return errDown
		}
		for _, id := range ids {
			if refused[id] {
				return errUnknownID
			}
		}
		return nil
	}, nil)
	for h.clock.Advance(2 * time.Hour); h.step(push, 2).State == storage.StepScheduled; h.clock.Advance(time.Minute) {
		require.NoError(t, h.service.PlanDueSteps(t.Context()))
	}
	require.Less(t, calls, 50_000)
	require.Equal(t, 2*len(refused), h.settled(push).Steps[2].Targets)
}
