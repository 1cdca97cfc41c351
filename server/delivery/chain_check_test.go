package delivery_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
)

// check holds all decisions against the reference, and the outcome against the decisions.
func (c *chain) check() {
	got := c.deliveries()
	settled := map[string]bool{} // by push, step and recipient
	for _, d := range c.decided {
		if d.step == 0 {
			continue
		}
		c.checkDecision(d)
		for _, ordinals := range d.passedOver {
			for _, ordinal := range ordinals {
				place := fmt.Sprintf("%d-%d-r%d", d.push, d.step, ordinal)
				require.False(c.rt, settled[place], "%s is passed over once", place)
				require.NotContains(c.rt, got, place, "%s was passed over", place)
				settled[place] = true
			}
		}
	}
	for _, push := range c.pushes {
		report, err := c.service.Report(c.t.Context(), app, push.ID)
		require.NoError(c.rt, err)
		for _, step := range report.Steps[1:] {
			c.checkOutcome(push, step, got, settled)
		}
	}
}

// deliveries are the messages of follow-ups that arrived, by push, step and recipient.
func (c *chain) deliveries() map[string]sending {
	got := map[string]sending{}
	upstream := map[string][]string{} // by push and recipient
	for _, s := range c.engageLab.sendings {
		var push int64
		var step int
		_, err := fmt.Sscanf(s.cid, "%d-%d", &push, &step)
		require.NoError(c.rt, err)
		for _, id := range s.ids {
			place := fmt.Sprintf("%d-%d-%s", push, step, id)
			require.NotContains(c.rt, got, place, "a step reaches a recipient at most once")
			got[place] = s
			device := fmt.Sprintf("%d-%s", push, id)
			if step > 0 {
				c.checkMessage(s, step, id, upstream[device])
			}
			upstream[device] = append(upstream[device], s.upstream)
		}
	}
	return got
}

// checkMessage looks at what a recipient got.
func (c *chain) checkMessage(s sending, step int, id string, earlier []string) {
	want := fmt.Sprintf("step %d", step)
	alert, _ := s.notification(c.t)["alert"].(string)
	if strings.Contains(alert, "for") {
		want += " for " + id
	}
	require.Equal(c.rt, want, alert)
	replaced, has := s.options()["override_msg_id"]
	require.Equal(c.rt, !c.policy.Stack, has)
	if has {
		require.Contains(c.rt, earlier, fmt.Sprint(replaced))
	}
}

// checkDecision asks whether there was a world, while it was made, in which the reference agrees.
func (c *chain) checkDecision(d decision) {
	worlds := c.worlds[d.from : d.last+1]
	if d.stopped == storage.ReasonSuperseded {
		require.True(c.rt, slices.ContainsFunc(worlds, func(w world) bool { return c.supersedes(w, d.push, d.step) }), "superseded: %+v", d)
		return
	}
	if d.stopped != "" {
		require.True(c.rt, slices.ContainsFunc(worlds, func(w world) bool { return c.stops(w, d.push, d.step) == d.stopped }), "%s: %+v", d.stopped, d)
		return
	}
	require.True(c.rt, slices.ContainsFunc(worlds, func(w world) bool { return c.stops(w, d.push, d.step) == "" }), "stopped: %+v", d)
	if d.dispatch == 0 {
		due := c.firstSent[d.push].Add(c.policy.Offset(d.step - 1))
		require.False(c.rt, worlds[len(worlds)-1].now.Before(due), "planned before it is due")
	}
	for _, ordinal := range d.kept {
		id := fmt.Sprintf("r%d", ordinal)
		require.True(c.rt, slices.ContainsFunc(worlds, func(w world) bool {
			return c.passesOver(w, d.push, d.step, id)[""] && (d.dispatch == 0 || !c.asleep(w, id)) && c.belowCaps(w, d, id)
		}), "%s gets it: %+v", id, d)
	}
	for reason, ordinals := range d.passedOver {
		for _, ordinal := range ordinals {
			id := fmt.Sprintf("r%d", ordinal)
			require.True(c.rt, slices.ContainsFunc(worlds, func(w world) bool { return c.agrees(w, d, reason, id) }), "%s, %s: %+v", id, reason, d)
		}
	}
}

// agrees reports whether the reference passes a recipient over for the reason, too.
func (c *chain) agrees(w world, d decision, reason storage.Reason, id string) bool {
	reasons := c.passesOver(w, d.push, d.step, id)
	switch reason {
	case storage.ReasonFrequencyCap, storage.ReasonMinimumGap:
		messages, window := 1, c.policy.Limits.MinimumGap
		if reason == storage.ReasonFrequencyCap {
			messages, window = c.policy.Limits.FrequencyCap.Messages, c.policy.Limits.FrequencyCap.Window
		}
		for before := range reasons {
			if !beforeCaps[before] {
				return c.started(w, d, id, window) >= messages
			}
		}
		return false
	case storage.ReasonQuietHours:
		// Of a dispatch whose recipients moved, those who sleep are left out.
		return reasons[reason] || d.dispatch != 0 && reasons[""] && c.asleep(w, id)
	default:
		return reasons[reason]
	}
}

// belowCaps reports whether neither cap nor gap certainly forbids a message.
func (c *chain) belowCaps(w world, d decision, id string) bool {
	limits := c.policy.Limits
	if limit := limits.FrequencyCap; limit != nil && c.known(w, d, id, limit.Window) >= limit.Messages {
		return false
	}
	return limits.MinimumGap == 0 || c.known(w, d, id, limits.MinimumGap) == 0
}

// known counts the messages to a device in a window that had certainly been taken when a claim was decided about. First sendings
// do not wait for others' turns.
func (c *chain) known(w world, d decision, id string, window time.Duration) int {
	n := 0
	for i, m := range c.taken {
		before := d.takenAtStart
		if m.step == 0 {
			before = d.takenAtClaim
		}
		if i < before && m.id == id && m.dispatch != d.dispatch && c.claimed[m.dispatch].at.After(w.now.Add(-window)) {
			n++
		}
	}
	return n
}

// started counts the messages to a device that may have been in a window.
func (c *chain) started(w world, d decision, id string, window time.Duration) int {
	n := 0
	for _, other := range c.decided {
		if other.dispatch == 0 || other.dispatch == d.dispatch || !c.claimed[other.dispatch].latest.After(w.now.Add(-window)) {
			continue
		}
		for _, ordinal := range other.kept {
			if fmt.Sprintf("r%d", ordinal) == id {
				n++
				break
			}
		}
	}
	return n
}

// checkOutcome asks whether everybody has got a step, or there is a reason.
func (c *chain) checkOutcome(push storage.Push, step storage.StepReport, got map[string]sending, settled map[string]bool) {
	if step.State == storage.StepCancelled {
		return // which was checked as a decision, or is what a withdrawal and an unanswered dispatch do
	}
	require.Equal(c.rt, storage.StepPlanned, step.State)
	all := step.Targets
	for _, n := range step.PassedOver {
		all += n
	}
	for _, n := range step.Unsent {
		all += n
	}
	require.Equal(c.rt, c.n, all, "the report adds up: %+v", step)
	excused := step.Dispatches[storage.DispatchCancelled] + step.Dispatches[storage.DispatchExpired] +
		step.Dispatches[storage.DispatchUnanswered] + step.Dispatches[storage.DispatchRefused]
	for i := range c.n {
		place := fmt.Sprintf("%d-%d-r%d", push.ID, step.Number, i)
		if _, ok := got[place]; !ok && !settled[place] && excused == 0 {
			require.Fail(c.rt, "there is no reason", "%s: %+v", place, step)
		}
	}
}
