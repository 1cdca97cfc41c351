package delivery_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

// oneStep is a policy with one follow-up, three hours after the first sending.
func oneStep() policy.Policy {
	p := news()
	p.Steps = p.Steps[:1]
	return p
}

// knows sets a device's attributes and time zone.
func (h *house) knows(id string, attributes map[string]any, zone string) {
	h.t.Helper()
	data, err := json.Marshal(attributes)
	require.NoError(h.t, err)
	device := storage.Device{RegistrationID: id, Attributes: data, TimeZone: zone}
	require.NoError(h.t, h.store.SetDevices(h.t.Context(), app, []storage.Device{device}, h.clock.Now()))
}

// buries reports that a device's token is dead.
func (h *house) buries(s sending, id string) {
	h.t.Helper()
	_, err := h.store.RecordCallbacks(h.t.Context(), app, h.clock.Now(), []storage.Callback{{
		UpstreamID: s.upstream, RegistrationID: id, Milestone: storage.Failed, Status: "target_invalid",
		Time: h.clock.Now(), Invalidates: "GONE",
	}})
	require.NoError(h.t, err)
}

// at plans a push whose follow-up is due at a time; it is three hours later by the house's clock.
func (h *house) at(due time.Time) {
	h.t.Helper()
	until := due.Add(-3 * time.Hour).Sub(h.clock.Now())
	require.Positive(h.t, until)
	h.clock.Advance(until)
}

// reasons are the passed-over recipients of a step, by registration id.
func (h *house) reasons(push storage.Push, step int) map[string]storage.Reason {
	h.t.Helper()
	reasons := make(map[string]storage.Reason)
	for i := range push.Recipients {
		id := fmt.Sprintf("r%d", i)
		history, err := h.store.History(h.t.Context(), app, push.ID, id)
		require.NoError(h.t, err)
		for _, once := range history.PassedOver {
			if once.Step == step {
				require.NotContains(h.t, reasons, id, "a recipient is passed over once")
				reasons[id] = once.Reason
			}
		}
	}
	return reasons
}

// requests are the dispatches of one of the push's steps.
func (h *house) requests(push storage.Push, step int) []storage.Dispatch {
	h.t.Helper()
	all, err := h.store.ListDispatches(h.t.Context(), push.ID, 0, storage.MaxPage)
	require.NoError(h.t, err)
	return slices.DeleteFunc(all, func(d storage.Dispatch) bool { return d.Step != step })
}

// Each reason passes r0 over, and nobody else, whether it holds when the step is planned or only when its dispatch is claimed.
func TestReasons(t *testing.T) {
	cases := map[string]struct {
		change  func(p *policy.Policy)
		before  func(h *house)
		happens func(h *house, first sending)
		want    storage.Reason
	}{
		"clicked": {
			happens: func(h *house, first sending) { h.callback(first, "click", "r0") },
			want:    storage.ReasonMilestoneReached,
		},
		"delivered": {
			change:  func(p *policy.Policy) { p.Trigger.Unless = storage.Delivered },
			happens: func(h *house, first sending) { h.callback(first, "delivered", "r0") },
			want:    storage.ReasonMilestoneReached,
		},
		"delivered is implied": {
			change:  func(p *policy.Policy) { p.Trigger.Unless = storage.Delivered },
			happens: func(h *house, first sending) { h.callback(first, "displayed", "r0") },
			want:    storage.ReasonMilestoneReached,
		},
		"delivered after all": {
			change:  func(p *policy.Policy) { p.Trigger = policy.Trigger{OnFailure: true, Within: 2 * time.Hour} },
			before:  func(h *house) { h.callback(h.engageLab.sendings[0], "sent_failed", "r0", "r1") },
			happens: func(h *house, first sending) { h.callback(first, "delivered", "r0") },
			want:    storage.ReasonMilestoneReached,
		},
		"a dead token": {
			happens: func(h *house, first sending) { h.buries(first, "r0") },
			want:    storage.ReasonInvalidDevice,
		},
		"a false condition": {
			change: func(p *policy.Policy) { p.Steps[0].OnlyIf = `device.attributes.tier == "gold" && step == 1` },
			before: func(h *house) {
				h.knows("r0", map[string]any{"tier": "gold"}, "")
				h.knows("r1", map[string]any{"tier": "gold"}, "")
			},
			happens: func(h *house, _ sending) { h.knows("r0", map[string]any{"tier": "tin"}, "") },
			want:    storage.ReasonConditionFalse,
		},
		"a condition about the recipient": {
			change:  func(p *policy.Policy) { p.Steps[0].OnlyIf = `!recipient.displayed && custom_args == "news"` },
			happens: func(h *house, first sending) { h.callback(first, "displayed", "r0") },
			want:    storage.ReasonConditionFalse,
		},
		"a condition that fails": {
			change: func(p *policy.Policy) { p.Steps[0].OnlyIf = `device.attributes.age >= 18.0` },
			before: func(h *house) {
				h.knows("r0", map[string]any{"age": 18}, "")
				h.knows("r1", map[string]any{"age": 18.5}, "")
			},
			happens: func(h *house, _ sending) { h.knows("r0", nil, "") },
			want:    storage.ReasonConditionFailed,
		},
		"too late after quiet hours": {
			change: func(p *policy.Policy) {
				p.Limits.QuietHours = &policy.QuietHours{From: hm("09:30"), Until: hm("12:30"), DefaultTimeZone: "Asia/Jakarta"}
				p.Limits.ExpireAfter = 4 * time.Hour
			},
			happens: func(h *house, _ sending) { h.knows("r0", nil, "UTC") },
			want:    storage.ReasonLimitExpired,
		},
		"dropped by quiet hours": {
			change: func(p *policy.Policy) {
				p.Limits.QuietHours = &policy.QuietHours{From: hm("09:30"), Until: hm("12:30"), Drop: true, DefaultTimeZone: "Asia/Jakarta"}
			},
			happens: func(h *house, _ sending) { h.knows("r0", nil, "UTC") },
			want:    storage.ReasonQuietHours,
		},
	}
	for name, c := range cases {
		prepare := func(t *testing.T) (*house, storage.Push, sending) {
			t.Helper()
			h := newHouse(t)
			p := oneStep()
			if c.change != nil {
				c.change(&p)
			}
			h.createPolicy(p)
			push, first := h.push(2, nil)
			h.settled(push)
			if c.before != nil {
				c.before(h)
			}
			return h, push, first
		}
		check := func(t *testing.T, h *house, push storage.Push) {
			t.Helper()
			require.Equal(t, []string{"r1"}, h.next().ids)
			h.settled(push)
			require.Equal(t, map[string]storage.Reason{"r0": c.want}, h.reasons(push, 1))
		}
		t.Run(name+", when planned", func(t *testing.T) {
			h, push, first := prepare(t)
			c.happens(h, first)
			h.pass(3 * time.Hour)
			check(t, h, push)
		})
		t.Run(name+", when claimed", func(t *testing.T) {
			h, push, first := prepare(t)
			h.stop()
			h.pass(3 * time.Hour)
			require.Empty(t, h.reasons(push, 1))
			c.happens(h, first)
			h.start()
			check(t, h, push)
		})
	}
}

func hm(text string) policy.TimeOfDay {
	t, err := policy.ParseTimeOfDay(text)
	if err != nil {
		panic(err)
	}
	return t
}

// Of several reasons, the first is recorded.
func TestTheFirstReasonIsRecorded(t *testing.T) {
	h := newHouse(t)
	p := oneStep()
	p.Limits = policy.Limits{
		QuietHours:   &policy.QuietHours{From: hm("09:30"), Until: hm("12:30"), Drop: true},
		FrequencyCap: &policy.FrequencyCap{Messages: 2, Window: 24 * time.Hour},
		MinimumGap:   4 * time.Hour,
	}
	p.Steps[0].OnlyIf = `device.attributes.tier == "gold"`
	p.HoldoutPermille, p.Steps[0].HoldoutPermille = 500, 500
	h.createPolicy(p)
	push, first := h.push(5, nil)
	h.settled(push)
	for i := range 5 {
		h.knows(fmt.Sprintf("r%d", i), map[string]any{"tier": "gold"}, "")
	}
	h.callback(first, "click", "r0")
	h.buries(first, "r0")
	h.buries(first, "r1")
	h.knows("r1", map[string]any{"tier": "tin"}, "")
	h.knows("r2", map[string]any{"tier": "tin"}, "")
	other, _ := h.push(4, map[string]any{"custom_args": "other"}) // to r0…r3
	h.settled(other)
	h.pass(3 * time.Hour)
	h.settled(push)
	require.Equal(t, map[string]storage.Reason{
		"r0": storage.ReasonMilestoneReached, "r1": storage.ReasonInvalidDevice, "r2": storage.ReasonConditionFalse,
		"r3": storage.ReasonFrequencyCap, "r4": storage.ReasonMinimumGap,
	}, h.reasons(push, 1))
}

// Who is held out is always held out, from all steps or from one.
func TestHoldouts(t *testing.T) {
	h := newHouse(t)
	p := news()
	p.HoldoutPermille, p.Steps[1].HoldoutPermille = 200, 300
	p = h.createPolicy(p)
	const n = 200
	for range 2 {
		push, _ := h.push(n, nil)
		h.settled(push)
		h.pass(3 * time.Hour)
		h.next()
		h.settled(push)
		h.pass(2 * time.Hour)
		h.next()
		h.settled(push)
		wants := []map[string]storage.Reason{{}, {}}
		for _, id := range people(n) {
			for step := range wants {
				switch {
				case p.Held(id):
					wants[step][id] = storage.ReasonHoldout
				case p.StepHeld(step+1, id):
					wants[step][id] = storage.ReasonStepHoldout
				}
			}
		}
		require.InDelta(t, n/5, len(wants[0]), 35, "six standard deviations of 200 ‰")
		require.Equal(t, wants[0], h.reasons(push, 1))
		require.Equal(t, wants[1], h.reasons(push, 2))
		require.Greater(t, len(wants[1]), len(wants[0]))
	}
}
