package delivery_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"susul.dev/susul/server/delivery"
	"susul.dev/susul/server/policy"
	"susul.dev/susul/server/replica/etcdtest"
	"susul.dev/susul/storage"
)

// backtest runs a draft over all that the house has.
func (h *house) backtest(draft policy.Policy) delivery.Backtest {
	h.t.Helper()
	compiled, err := policy.Compile(draft)
	require.NoError(h.t, err)
	result, err := h.service.BacktestPolicy(h.t.Context(), delivery.BacktestRequest{
		App: app, Policy: compiled, StartTime: time.Unix(0, 0), EndTime: h.clock.Now().Add(time.Hour), MaxPushes: 1000,
	})
	require.NoError(h.t, err)
	return result
}

// A table that was computed by hand. The draft's steps are three and five hours after the first sending:
//
//	        by 3 h      by 5 h     later    step 1            step 2
//	r0      clicked                         passed over       passed over
//	r1                  clicked             reached, clicked  passed over
//	r2                             clicked  reached, clicked  reached, clicked
//	r3      displayed                       reached           reached
//	r4                                      reached           reached
//	r5      dead                            passed over       passed over
//	r6                  dead                reached           passed over
func TestBacktestByHand(t *testing.T) {
	h := newHouse(t)
	push, first := h.push(7, map[string]any{"custom_args": "quiet"})
	due := push.FirstSentTime
	h.clock.Advance(2 * time.Hour)
	h.callback(first, "click", "r0")
	h.callback(first, "displayed", "r3")
	h.buries(first, "r5")
	h.clock.Advance(2 * time.Hour)
	h.callback(first, "click", "r1")
	h.buries(first, "r6")
	h.clock.Advance(2 * time.Hour)
	h.callback(first, "click", "r2")
	h.push(1, map[string]any{"custom_args": "another"})

	draft := news()
	draft.Match = `custom_args == "quiet"`
	result := h.backtest(draft)
	step1 := delivery.BacktestStep{Reached: 5, ClickedAnyway: 2, QuotaUnits: 1, PassedOver: map[storage.Reason]int{
		storage.ReasonMilestoneReached: 1, storage.ReasonInvalidDevice: 1,
	}}
	step2 := delivery.BacktestStep{Reached: 3, ClickedAnyway: 1, QuotaUnits: 1, PassedOver: map[storage.Reason]int{
		storage.ReasonMilestoneReached: 2, storage.ReasonInvalidDevice: 2,
	}}
	require.Equal(t, delivery.Backtest{
		Steps: []delivery.BacktestStep{step1, step2},
		Pushes: []delivery.BacktestPush{{ID: push.ID, Recipients: 7, Steps: []delivery.BacktestPushStep{
			{Number: 1, DueTime: due.Add(3 * time.Hour), BacktestStep: step1, Samples: []string{"r1", "r2", "r3", "r4", "r6"}},
			{Number: 2, DueTime: due.Add(5 * time.Hour), BacktestStep: step2, Samples: []string{"r2", "r3", "r4"}},
		}}},
	}, result)

	draft.Steps[1].After = 30 * time.Hour
	result = h.backtest(draft)
	require.Len(t, result.Pushes[0].Steps, 1, "the other step's time is still to come")
	require.Zero(t, result.Steps[1].Reached)
}

// Which pushes are looked at.
func TestBacktestChoosesPushes(t *testing.T) {
	h := newHouse(t)
	h.createPolicy(news())
	var pushes []storage.Push
	for i := range 5 {
		push, _ := h.push(1, map[string]any{"custom_args": map[bool]string{true: "news", false: "other"}[i%2 == 0]})
		pushes = append(pushes, push)
		h.clock.Advance(time.Hour)
	}
	withdrawn, err := h.service.WithdrawPush(t.Context(), app, pushes[4].ID)
	require.NoError(t, err)
	require.NotEqual(t, storage.PushActive, withdrawn.State)

	named, matching := news(), news()
	named.Match, matching.Match = "", `custom_args == "other"`
	request := func(p policy.Policy, change func(*delivery.BacktestRequest)) []int64 {
		compiled, err := policy.Compile(p)
		require.NoError(t, err)
		r := delivery.BacktestRequest{
			App: app, Policy: compiled, StartTime: pushes[0].CreateTime, EndTime: h.clock.Now(), MaxPushes: 10,
		}
		if change != nil {
			change(&r)
		}
		result, err := h.service.BacktestPolicy(t.Context(), r)
		require.NoError(t, err)
		ids := []int64{}
		for _, push := range result.Pushes {
			ids = append(ids, push.ID)
		}
		if r.MaxPushes == 1 {
			require.True(t, result.MorePushes)
		} else {
			require.False(t, result.MorePushes)
		}
		return ids
	}
	require.Equal(t, []int64{pushes[2].ID, pushes[0].ID}, request(named, nil), "those that are pinned to it, but for what was withdrawn")
	require.Equal(t, []int64{pushes[3].ID, pushes[1].ID}, request(matching, nil))
	require.Equal(t, []int64{pushes[2].ID}, request(named, func(r *delivery.BacktestRequest) { r.MaxPushes = 1 }))
	require.Equal(t, []int64{pushes[2].ID}, request(named, func(r *delivery.BacktestRequest) { r.StartTime = pushes[2].CreateTime }))
	require.Equal(t, []int64{pushes[0].ID}, request(named, func(r *delivery.BacktestRequest) { r.EndTime = pushes[2].CreateTime }))
	require.Empty(t, request(named, func(r *delivery.BacktestRequest) { r.EndTime = time.Unix(-1, 0) }))
	require.Empty(t, request(named, func(r *delivery.BacktestRequest) { r.App = "another" }))
}

// A backtest of a policy over the push that it followed up tells what was sent.
func TestBacktestOfWhatWasSent(t *testing.T) {
	for name, change := range map[string]func(*policy.Policy){
		"replacing": func(*policy.Policy) {},
		"stacking":  func(p *policy.Policy) { p.Stack = true },
		"variants": func(p *policy.Policy) {
			p.Steps[0].Contents = policy.Contents{}
			p.Steps[0].Variants = []policy.Variant{
				{ID: "a", Weight: 1, Contents: says(policy.Content{Alert: "A"})}, {ID: "b", Weight: 3, Contents: says(policy.Content{Alert: "B"})},
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			p := news()
			change(&p)
			p = h.createPolicy(p)
			push, first := h.push(2500, nil)
			h.settled(push)
			h.callback(first, "click", first.ids[:300]...)
			h.pass(3 * time.Hour)
			h.settled(push)
			h.clock.Advance(time.Hour)
			h.callback(first, "click", first.ids[:900]...)
			h.pass(time.Hour)
			h.settled(push)
			h.clock.Advance(time.Minute)
			h.callback(first, "click", first.ids...)

			p.Match = ""
			result := h.backtest(p)
			for i, step := range result.Pushes[0].Steps {
				report := h.step(push, i+1)
				require.Equal(t, report.DueTime, step.DueTime)
				require.Equal(t, report.Targets, step.Reached)
				require.Equal(t, report.PassedOver, step.PassedOver)
				require.Equal(t, len(h.requests(push, i+1)), step.QuotaUnits)
				require.Equal(t, []int{700, 100}[i], step.ClickedAnyway)
			}
		})
	}
}

// crowded is a store whose pushes have as many recipients as are said.
type crowded struct {
	storage.Store
	recipients int
}

func (c crowded) ListPushes(ctx context.Context, q storage.PushQuery) ([]storage.Push, error) {
	pushes, err := c.Store.ListPushes(ctx, q)
	for i := range pushes {
		pushes[i].Recipients = c.recipients
	}
	return pushes, err
}

// A backtest is about five million recipients at most.
func TestBacktestIsBounded(t *testing.T) {
	h := newHouse(t)
	h.push(1, nil)
	h.push(1, nil)
	compiled, err := policy.Compile(oneStep())
	require.NoError(t, err)
	request := delivery.BacktestRequest{App: app, Policy: compiled, EndTime: h.clock.Now().Add(time.Hour), MaxPushes: 10}
	within := func(recipients, maxPushes int) error {
		plain := h.store
		defer func() { h.store = plain }()
		h.stop()
		h.store = crowded{plain, recipients}
		h.start()
		request.MaxPushes = maxPushes
		_, err := h.service.BacktestPolicy(t.Context(), request)
		return err
	}
	require.NoError(t, within(2_500_000, 2))
	require.ErrorIs(t, within(2_500_001, 2), delivery.ErrTooLarge)
	require.NoError(t, within(2_500_001, 1), "of what is not looked at, the size does not count")

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = h.service.BacktestPolicy(ended, request)
	require.ErrorIs(t, err, context.Canceled)
}

// happening is what became of one recipient of a push at some time.
type happening struct {
	push   int
	who    string
	status string
	after  time.Duration // since the push was sent
}

// A backtest agrees with one that is written down naively, over the same events.
func TestBacktestAgainstANaiveOne(t *testing.T) {
	etcd := etcdtest.Start(t)
	rapid.Check(t, func(rt *rapid.T) {
		h := newHouseOn(t, etcd.Client())
		defer h.close()
		people := rapid.IntRange(1, 12).Draw(rt, "people")
		draft := drawDraft(rt)
		tiers := make(map[string]string)
		for i := range people {
			id := fmt.Sprintf("r%d", i)
			if tiers[id] = rapid.SampledFrom([]string{"", "gold", "tin"}).Draw(rt, "tier"); tiers[id] != "" {
				h.knows(id, map[string]any{"tier": tiers[id]}, "")
			}
		}
		var pushes []storage.Push
		var firsts []sending
		for range rapid.IntRange(1, 3).Draw(rt, "pushes") {
			push, first := h.push(people, nil)
			pushes, firsts = append(pushes, push), append(firsts, first)
		}
		happenings := rapid.SliceOfNDistinct(rapid.Custom(func(rt *rapid.T) happening {
			return happening{
				push: rapid.IntRange(0, len(pushes)-1).Draw(rt, "push"), who: fmt.Sprintf("r%d", rapid.IntRange(0, people-1).Draw(rt, "who")),
				status: rapid.SampledFrom([]string{"delivered", "displayed", "click", "sent_failed"}).Draw(rt, "status"),
				after:  time.Duration(rapid.IntRange(0, 12*60).Draw(rt, "minutes")) * time.Minute,
			}
		}), 0, 40, func(e happening) string { return fmt.Sprint(e.push, e.who, e.status) }).Draw(rt, "happenings") // the first report counts
		for _, e := range happenings {
			_, err := h.service.RecordCallbacks(t.Context(), app, []storage.Callback{{
				UpstreamID: firsts[e.push].upstream, RegistrationID: e.who, Status: e.status, Time: pushes[e.push].FirstSentTime.Add(e.after),
			}})
			require.NoError(t, err)
		}
		h.clock.Advance(10 * time.Hour)

		result := h.backtest(draft)
		require.Len(t, result.Pushes, len(pushes))
		totals := make([]int, len(draft.Steps))
		for _, got := range result.Pushes {
			n := slices.IndexFunc(pushes, func(p storage.Push) bool { return p.ID == got.ID })
			require.Len(t, got.Steps, len(naiveSteps(draft)))
			for i, step := range got.Steps {
				want := naive(draft, i, people, tiers, slices.Collect(of(happenings, n)), pushes[n].FirstSentTime)
				require.Equal(t, want.Reached, step.Reached)
				require.Equal(t, want.ClickedAnyway, step.ClickedAnyway)
				require.Equal(t, want.PassedOver, step.PassedOver)
				require.Equal(t, want.Samples, step.Samples)
				totals[i] += step.Reached
			}
		}
		for i, total := range totals {
			require.Equal(t, total, result.Steps[i].Reached)
		}
	})
}

func drawDraft(t *rapid.T) policy.Policy {
	p := news()
	p.UID = "of-a-draft"
	if rapid.Bool().Draw(t, "on failure") {
		p.Trigger = policy.Trigger{OnFailure: true, Within: time.Hour}
	} else {
		p.Trigger.Unless = rapid.SampledFrom([]storage.Milestone{storage.Delivered, storage.Displayed, storage.Clicked}).Draw(t, "unless")
	}
	p.HoldoutPermille = rapid.SampledFrom([]int{0, 300}).Draw(t, "holdout")
	p.Steps[0].HoldoutPermille = rapid.SampledFrom([]int{0, 300}).Draw(t, "holdout of step 1")
	p.Steps[1].OnlyIf = rapid.SampledFrom([]string{"", `device.attributes.tier == "gold"`, `recipient.delivered`}).Draw(t, "only if")
	if rapid.Bool().Draw(t, "quiet") {
		from := policy.TimeOfDay(rapid.IntRange(0, 23).Draw(t, "from") * 60)
		p.Limits.QuietHours = &policy.QuietHours{From: from, Until: (from + 60) % (24 * 60), Drop: rapid.Bool().Draw(t, "drop")}
	}
	if rapid.Bool().Draw(t, "expires") {
		p.Limits.ExpireAfter = time.Duration(rapid.IntRange(3*60, 7*60).Draw(t, "expire after")) * time.Minute
	}
	return p
}

func of(happenings []happening, push int) func(yield func(happening) bool) {
	return func(yield func(happening) bool) {
		for _, e := range happenings {
			if e.push == push && !yield(e) {
				return
			}
		}
	}
}

// naiveSteps are the offsets of the steps.
func naiveSteps(p policy.Policy) []time.Duration {
	return []time.Duration{p.Trigger.Within + p.Steps[0].After, p.Trigger.Within + p.Steps[1].After}
}

// naive decides about each recipient by going over all that happened to it.
func naive(p policy.Policy, i, people int, tiers map[string]string, happenings []happening, sent time.Time) delivery.BacktestPushStep {
	step := delivery.BacktestPushStep{BacktestStep: delivery.BacktestStep{PassedOver: map[storage.Reason]int{}}}
	after := naiveSteps(p)[i]
	for r := range people {
		id := fmt.Sprintf("r%d", r)
		reached, later := map[storage.Milestone]bool{}, false
		for _, e := range happenings {
			switch {
			case e.who != id:
			case e.after > after:
				later = later || e.status == "click"
			default:
				maps.Copy(reached, implied[e.status])
			}
		}
		if reason := naiveReason(p, i, id, tiers[id], reached, sent.Add(after), sent); reason != "" {
			step.PassedOver[reason]++
			continue
		}
		step.Reached++
		if later {
			step.ClickedAnyway++
		}
		if len(step.Samples) < 10 {
			step.Samples = append(step.Samples, id)
		}
	}
	return step
}

var implied = map[string]map[storage.Milestone]bool{
	"delivered":   {storage.Delivered: true},
	"displayed":   {storage.Delivered: true, storage.Displayed: true},
	"click":       {storage.Delivered: true, storage.Displayed: true, storage.Clicked: true},
	"sent_failed": {storage.Failed: true},
}

func naiveReason(p policy.Policy, i int, id, tier string, reached map[storage.Milestone]bool, due, sent time.Time) storage.Reason {
	quiet, sendTime := false, due
	if q := p.Limits.QuietHours; q != nil {
		if quiet = due.Hour() == int(q.From)/60; quiet && !q.Drop {
			sendTime = due.Truncate(time.Hour).Add(time.Hour)
		}
	}
	switch {
	case p.Trigger.OnFailure && (!reached[storage.Failed] || reached[storage.Delivered]):
		return storage.ReasonMilestoneReached
	case reached[p.Trigger.Unless]:
		return storage.ReasonMilestoneReached
	case p.Steps[i].OnlyIf == "recipient.delivered" && !reached[storage.Delivered]:
		return storage.ReasonConditionFalse
	case p.Steps[i].OnlyIf == `device.attributes.tier == "gold"` && tier == "":
		return storage.ReasonConditionFailed
	case p.Steps[i].OnlyIf == `device.attributes.tier == "gold"` && tier != "gold":
		return storage.ReasonConditionFalse
	case p.Limits.ExpireAfter > 0 && sendTime.After(sent.Add(p.Limits.ExpireAfter)):
		return storage.ReasonLimitExpired
	case quiet && p.Limits.QuietHours.Drop:
		return storage.ReasonQuietHours
	case p.Held(id):
		return storage.ReasonHoldout
	case p.StepHeld(i+1, id):
		return storage.ReasonStepHoldout
	default:
		return ""
	}
}
