package delivery_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

func TestTheNewsCase(t *testing.T) {
	h := newHouse(t)
	h.createPolicy(news())
	push, first := h.push(4, nil)
	h.callback(first, "click", "r0")

	h.pass(3*time.Hour - time.Millisecond)
	require.Equal(t, storage.StepScheduled, h.settled(push).Steps[1].State, "step 1 is due at T+3 h")
	h.pass(time.Millisecond)
	second := h.next()
	require.Equal(t, []string{"r1", "r2", "r3"}, second.ids)
	require.Equal(t, "Again: News", second.notification(t)["title"])
	require.Equal(t, "Read it", second.notification(t)["alert"])

	h.callback(second, "clicked", "r1")
	h.callback(first, "click", "r2") // a late click on the first sending counts just as much
	h.pass(2 * time.Hour)
	third := h.next()
	require.Equal(t, []string{"r3"}, third.ids)
	require.Equal(t, "News", third.notification(t)["title"], "each step is laid over the original")
	require.Equal(t, "Last call, step 2.", third.notification(t)["alert"])

	h.callback(third, "click", "r3")
	report := h.settled(push)
	require.Equal(t, storage.Counts{Targets: 4, Sent: 4, Delivered: 4, Displayed: 4, Clicked: 4}, report.Total)
	require.Equal(t, 3, report.Steps[1].Targets)
	require.Equal(t, map[storage.Reason]int{storage.ReasonMilestoneReached: 1}, report.Steps[1].PassedOver)
	require.Equal(t, map[storage.Reason]int{storage.ReasonMilestoneReached: 3}, report.Steps[2].PassedOver)
}

func TestStepsCountFromTheFirstSending(t *testing.T) {
	h := newHouse(t)
	h.createPolicy(news())
	push, _ := h.push(1, nil)
	report := h.settled(push)
	require.Equal(t, push.FirstSentTime.Add(3*time.Hour), report.Steps[1].DueTime)
	require.Equal(t, push.FirstSentTime.Add(5*time.Hour), report.Steps[2].DueTime)
}

// A click that is stored after the step was planned and before the dispatch is claimed wins.
func TestAClickBetweenPlanAndClaimWins(t *testing.T) {
	h := newHouse(t)
	h.createPolicy(news())
	push, first := h.push(3, nil)
	h.settled(push)
	h.stop() // nobody claims now
	h.pass(3 * time.Hour)
	h.callback(first, "click", "r1")

	h.start()
	require.Equal(t, []string{"r0", "r2"}, h.next().ids)
	report := h.settled(push)
	require.Equal(t, 2, report.Steps[1].Targets)
	require.Equal(t, 1, report.Steps[1].PassedOver[storage.ReasonMilestoneReached])
}

func TestADispatchThatNobodyIsLeftForIsSkipped(t *testing.T) {
	h := newHouse(t)
	h.createPolicy(news())
	push, first := h.push(2, nil)
	h.settled(push)
	h.stop()
	h.pass(3 * time.Hour)
	h.callback(first, "click", people(2)...)

	h.start()
	report := h.settled(push)
	require.Equal(t, map[storage.DispatchState]int{storage.DispatchSkipped: 1}, report.Steps[1].Dispatches)
	require.Len(t, h.engageLab.sendings, 1)
	require.Zero(t, report.Steps[1].Targets)
}

func TestWhatStopsFollowUps(t *testing.T) {
	pause := func(p policy.Policy) (policy.Policy, error) { p.Paused = true; return p, nil }
	cases := map[string]struct {
		stop func(h *house, p policy.Policy) error
		want storage.Reason
	}{
		"paused": {func(h *house, p policy.Policy) error {
			_, err := h.policies.Update(h.t.Context(), 0, p.ID, pause)
			return err
		}, storage.ReasonPolicyPaused},
		"deleted": {func(h *house, p policy.Policy) error {
			return h.policies.Delete(h.t.Context(), p.ID, 0)
		}, storage.ReasonPolicyDeleted},
		"deleted and made anew": {func(h *house, p policy.Policy) error {
			if err := h.policies.Delete(h.t.Context(), p.ID, 0); err != nil {
				return err
			}
			_, err := h.policies.Create(h.t.Context(), news())
			return err
		}, storage.ReasonPolicyDeleted},
		"step paused": {func(h *house, p policy.Policy) error {
			_, err := h.policies.Update(h.t.Context(), 0, p.ID, func(p policy.Policy) (policy.Policy, error) {
				p.Steps[0].Paused = true
				return p, nil
			})
			return err
		}, storage.ReasonStepPaused},
		"follow-ups stopped": {func(h *house, _ policy.Policy) error {
			_, err := h.policies.SetSwitch(h.t.Context(), policy.Switch{App: app, Stopped: true})
			return err
		}, storage.ReasonFollowUpsStopped},
	}
	for name, c := range cases {
		t.Run(name+" before the step is due", func(t *testing.T) {
			h := newHouse(t)
			p := h.createPolicy(news())
			push, _ := h.push(2, nil)
			require.NoError(t, c.stop(h, p))
			h.pass(3 * time.Hour)
			report := h.settled(push)
			require.Equal(t, storage.StepCancelled, report.Steps[1].State)
			require.Equal(t, c.want, report.Steps[1].CancelReason)
			require.Len(t, h.engageLab.sendings, 1)
		})
		t.Run(name+" before the dispatch is claimed", func(t *testing.T) {
			h := newHouse(t)
			p := h.createPolicy(news())
			push, _ := h.push(2, nil)
			h.settled(push)
			h.stop()
			h.pass(3 * time.Hour)
			require.NoError(t, c.stop(h, p))
			h.start()
			report := h.settled(push)
			require.Equal(t, map[storage.DispatchState]int{storage.DispatchCancelled: 1}, report.Steps[1].Dispatches)
			require.Equal(t, map[storage.Reason]int{c.want: 2}, report.Steps[1].Unsent)
			require.Zero(t, report.Steps[1].Targets)
			require.Equal(t, c.want, h.requests(push, 1)[0].Reason)
			require.Len(t, h.engageLab.sendings, 1)
		})
	}
}

// What was stopped stays so; what comes due once it goes on is sent.
func TestStepsGoOnAfterAStop(t *testing.T) {
	h := newHouse(t)
	p := h.createPolicy(news())
	push, _ := h.push(2, nil)
	h.settled(push)
	_, err := h.policies.SetSwitch(t.Context(), policy.Switch{App: app, Stopped: true})
	require.NoError(t, err)
	h.pass(3 * time.Hour)
	_, err = h.policies.SetSwitch(t.Context(), policy.Switch{App: app})
	require.NoError(t, err)
	_, err = h.policies.Update(t.Context(), 0, p.ID, func(p policy.Policy) (policy.Policy, error) {
		p.Steps = p.Steps[:1] // of a policy that has no such step any more, the pushes that have it keep theirs
		p.Steps[0].Paused = true
		return p, nil
	})
	require.NoError(t, err)
	h.pass(2 * time.Hour)
	require.Equal(t, "Last call, step 2.", h.next().notification(t)["alert"])
	require.Equal(t, storage.ReasonFollowUpsStopped, h.settled(push).Steps[1].CancelReason)
}

func TestAChangedPolicyIsForLaterPushes(t *testing.T) {
	h := newHouse(t)
	p := h.createPolicy(news())
	_, first := h.push(1, nil)
	_, err := h.policies.Update(t.Context(), 0, p.ID, func(p policy.Policy) (policy.Policy, error) {
		p.Steps = p.Steps[:1]
		p.Steps[0].After, p.Steps[0].Contents = time.Minute, says(policy.Content{Title: "Changed"})
		return p, nil
	})
	require.NoError(t, err)
	h.pass(3 * time.Hour)
	second := h.next()
	require.Equal(t, first.ids, second.ids)
	require.Equal(t, "Again: News", second.notification(t)["title"])
}

func TestPersonalContentIsGroupedByWhatItSays(t *testing.T) {
	h := newHouse(t)
	p := news()
	p.Steps = []policy.Step{{After: time.Hour, Contents: says(policy.Content{
		Alert: "{{ custom_args.picks[device.registration_id] | default: 'a scarf' }}",
	})}}
	p.Match = "type(custom_args) == map"
	h.createPolicy(p)
	push, _ := h.push(2500, map[string]any{"custom_args": map[string]any{"picks": map[string]any{"r7": "a kettle"}}})
	h.next()
	h.next()
	h.settled(push)
	h.pass(3 * time.Hour)
	sizes := map[string][]int{}
	for range 4 {
		s := h.next()
		alert, _ := s.notification(t)["alert"].(string)
		sizes[alert] = append(sizes[alert], len(s.ids))
	}
	require.Equal(t, []int{1}, sizes["a kettle"])
	require.ElementsMatch(t, []int{999, 1000, 500}, sizes["a scarf"], "one for each message that they replace")
	require.Equal(t, 2500, h.settled(push).Steps[1].Targets)
}

func TestAPlanGoesOnWhereItStopped(t *testing.T) {
	h := newHouse(t)
	h.createPolicy(news())
	push, _ := h.push(12_000, nil)
	for range 11 {
		h.next()
	}
	h.settled(push)
	h.stop()
	h.clock.Advance(3 * time.Hour)
	// A leader that stopped after its first slice.
	first := make([]uint32, 1000)
	for i := range first {
		first[i] = uint32(i)
	}
	now := h.clock.Now()
	require.NoError(t, h.store.PlanStep(t.Context(), storage.StepPlan{
		PushID: push.ID, Step: 1, From: 0, Through: 10_000,
		Dispatches: []storage.DispatchDraft{{Chunk: 0, Recipients: first, DueTime: now, ExpireTime: now.Add(time.Hour)}},
	}))
	h.start()
	require.NoError(t, h.service.PlanDueSteps(t.Context()))
	total := 0
	for range 3 {
		total += len(h.next().ids)
	}
	require.Equal(t, 3000, total)
	require.Equal(t, storage.StepPlanned, h.settled(push).Steps[1].State)
}
