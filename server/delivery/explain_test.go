package delivery_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/delivery"
	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

// explain returns what is told of a recipient.
func (h *house) explain(push storage.Push, id string) []delivery.Occurrence {
	h.t.Helper()
	explanation, err := h.service.ExplainRecipient(h.t.Context(), app, push.ID, id)
	require.NoError(h.t, err)
	return explanation.Occurrences
}

// story is what is told, in short: kinds with their steps and reasons.
func story(occurrences []delivery.Occurrence) []string {
	lines := make([]string, len(occurrences))
	for i, o := range occurrences {
		lines[i] = strings.TrimSuffix(strings.Join([]string{string(rune('0' + o.Step)), string(o.Kind), o.Reason}, " "), " ")
	}
	return lines
}

// texts are the sentences.
func texts(occurrences []delivery.Occurrence) []string {
	lines := make([]string, len(occurrences))
	for i, o := range occurrences {
		lines[i] = o.Text
	}
	return lines
}

// One recipient's whole story, and what is told of it before it has ended.
func TestExplainAWholeStory(t *testing.T) {
	h := newHouse(t)
	p := news()
	// Jakarta is seven hours ahead of UTC.
	p.Limits.QuietHours = &policy.QuietHours{From: 22 * 60, Until: 30, DefaultTimeZone: "Asia/Jakarta"}
	p = h.createPolicy(p)
	h.clock.Advance(6 * time.Hour)
	push, first := h.push(2, nil)
	h.clock.Advance(10 * time.Second)
	h.callback(first, "delivered", "r0")
	require.Equal(t, []string{"0 ACCEPTED", "0 SENT", "0 REPORTED", "1 SCHEDULED", "2 SCHEDULED"}, story(h.explain(push, "r0")))

	h.pass(3*time.Hour - 10*time.Second)
	require.Equal(t, []string{
		"0 ACCEPTED", "0 SENT", "0 REPORTED", "1 PLANNED", "1 QUEUED", "2 SCHEDULED",
	}, story(h.explain(push, "r0")))

	h.clock.Advance(90 * time.Minute)
	second := h.next()
	h.settled(push)
	h.clock.Advance(10 * time.Minute)
	h.callback(second, "click", "r0")
	before := h.explain(push, "r0")
	require.Equal(t, "Step 2 is to be planned at 2026-03-01T18:00:00Z, but as things stand not for this recipient: CLICKED had been reached.",
		before[len(before)-1].Text)

	h.pass(20 * time.Minute)
	h.settled(push)
	explanation, err := h.service.ExplainRecipient(t.Context(), app, push.ID, "r0")
	require.NoError(t, err)
	require.Equal(t, p.ID, explanation.Policy.Name)
	with := fmt.Sprintf("with resend policy news at revision %d", p.Revision)
	require.Equal(t, []string{
		"The push was accepted at 2026-03-01T13:00:00Z, " + with + ".",
		"The first sending was taken by EngageLab at 2026-03-01T13:00:00Z, as message " + first.upstream + ".",
		"EngageLab reported DELIVERED at 2026-03-01T13:00:10Z for the first sending.",
		"Step 1 was planned at 2026-03-01T16:00:00Z, " + with + "; quiet hours deferred it to 2026-03-01T17:30:00Z.",
		"Step 1 was taken by EngageLab at 2026-03-01T17:30:00Z, as message " + second.upstream + ".",
		"EngageLab reported CLICKED at 2026-03-01T17:40:00Z for step 1.",
		"Step 2 passed this recipient over at 2026-03-01T18:00:00Z: CLICKED had been reached.",
	}, texts(explanation.Occurrences))
	deferred, sent, clicked, last := explanation.Occurrences[3], explanation.Occurrences[4], explanation.Occurrences[5], explanation.Occurrences[6]
	require.Equal(t, deferred.Time.Add(90*time.Minute), deferred.DueTime)
	require.Equal(t, second.upstream, sent.UpstreamID)
	require.Equal(t, storage.Clicked, clicked.Event.Milestone)
	require.Equal(t, string(storage.ReasonMilestoneReached), last.Reason)

	_, err = h.service.ExplainRecipient(t.Context(), app, push.ID, "nobody")
	require.ErrorIs(t, err, storage.ErrNotFound)
	_, err = h.service.ExplainRecipient(t.Context(), app, push.ID+1, "r0")
	require.ErrorIs(t, err, storage.ErrNotFound)
}

// What else can become of a recipient.
func TestExplainOtherEnds(t *testing.T) {
	cases := map[string]struct {
		change func(*policy.Policy)
		story  func(h *house) storage.Push
		want   []string
		last   string
	}{
		"no policy": {
			change: func(p *policy.Policy) { p.Match = "" },
			story:  func(h *house) storage.Push { push, _ := h.push(1, nil); return push },
			want:   []string{"0 ACCEPTED", "0 SENT"},
			last:   "The first sending was taken by EngageLab at 2026-03-01T07:00:00Z, as message 1000.",
		},
		"held out": {
			change: func(p *policy.Policy) { p.Steps[0].HoldoutPermille = 500 },
			story: func(h *house) storage.Push {
				p := h.live("news")
				id := 0
				for !p.StepHeld(1, fmt.Sprint("r", id)) {
					id++
				}
				push, first := h.push(1, map[string]any{"to": map[string]any{"registration_id": []string{fmt.Sprint("r", id), "other"}}})
				h.callback(first, "delivered", "other")
				h.pass(3 * time.Hour)
				h.settled(push)
				return push
			},
			want: []string{"0 ACCEPTED", "0 SENT", "1 PASSED_OVER STEP_HOLDOUT"},
			last: "Step 1 passed this recipient over at 2026-03-01T10:00:00Z: the step's holdout keeps it from this one.",
		},
		"refused": {
			story: func(h *house) storage.Push {
				push, first := h.push(1, nil)
				h.callback(first, "delivered", "r0")
				h.engageLab.hook(func(sending) error { return errRefused }, nil)
				h.pass(3 * time.Hour)
				h.settled(push)
				return push
			},
			want: []string{"0 ACCEPTED", "0 SENT", "0 REPORTED", "1 PLANNED", "1 UNSENT REFUSED", "1 REPORTED"},
			last: "EngageLab reported FAILED at 2026-03-01T10:00:00Z for step 1, with code " + fmt.Sprint(engagelab.CodeInvalidParameter) + ": the title is odd.",
		},
		"refused, alone of a batch": {
			change: func(p *policy.Policy) {
				p.Steps[0].Contents = says(policy.Content{Alert: "For {{ device.registration_id }}"})
			},
			story: func(h *house) storage.Push {
				push, first := h.push(3, nil)
				h.callback(first, "delivered", "r0")
				h.engageLab.hook(func(s sending) error { return map[bool]error{true: errRefused}[s.ids[0] == "r0"] }, nil)
				h.pass(3 * time.Hour)
				h.settled(push)
				require.Contains(h.t, story(h.explain(push, "r1")), "1 SENT")
				return push
			},
			want: []string{"0 ACCEPTED", "0 SENT", "0 REPORTED", "1 PLANNED", "1 UNSENT REFUSED", "1 REPORTED"},
		},
		"cancelled": {
			story: func(h *house) storage.Push {
				push, first := h.push(1, nil)
				h.callback(first, "delivered", "r0")
				require.NoError(h.t, h.policies.Delete(h.t.Context(), "news", 0))
				h.pass(3 * time.Hour)
				return push
			},
			want: []string{"0 ACCEPTED", "0 SENT", "0 REPORTED", "1 CANCELLED POLICY_DELETED"},
			last: "Step 1 was cancelled for everybody: the resend policy was deleted.",
		},
		"cancelled when it was planned": {
			story: func(h *house) storage.Push {
				push, _ := h.push(1, nil)
				h.settled(push)
				h.stop()
				h.pass(3 * time.Hour)
				require.NoError(h.t, h.policies.Delete(h.t.Context(), "news", 0))
				h.start()
				h.settled(push)
				return push
			},
			want: []string{"0 ACCEPTED", "0 SENT", "1 PLANNED", "1 UNSENT POLICY_DELETED"},
			last: "Step 1 did not go out: the resend policy was deleted.",
		},
		"withdrawn": {
			story: func(h *house) storage.Push {
				push, _ := h.push(1, nil)
				_, err := h.service.WithdrawPush(h.t.Context(), app, push.ID)
				require.NoError(h.t, err)
				return push
			},
			want: []string{"0 ACCEPTED", "0 SENT", "1 CANCELLED WITHDRAWN"},
			last: "Step 1 was cancelled for everybody: the push was withdrawn.",
		},
		"held": {
			story: func(h *house) storage.Push {
				push, _ := h.push(1, nil)
				h.engageLab.statistics(func([]string) error { return errDown }, nil)
				h.pass(3 * time.Hour) // nothing was reported
				return push
			},
			want: []string{"0 ACCEPTED", "0 SENT", "1 HELD", "1 SCHEDULED"},
		},
		"an odd status": {
			story: func(h *house) storage.Push {
				push, first := h.push(1, nil)
				h.callback(first, "Folded", "r0")
				return push
			},
			want: []string{"0 ACCEPTED", "0 SENT", "0 REPORTED", "1 SCHEDULED"},
			last: "Step 1 is to be planned at 2026-03-01T10:00:00Z.",
		},
		"waiting": {
			story: func(h *house) storage.Push {
				tried := make(chan struct{}, 1000)
				h.engageLab.hook(func(sending) error { tried <- struct{}{}; return errDown }, nil)
				ctx, cancel := context.WithCancel(h.t.Context())
				go func() { <-tried; cancel() }()
				push, err := h.service.CreatePush(ctx, h.request(1, nil))
				require.NoError(h.t, err)
				return push
			},
			want: []string{"0 ACCEPTED", "0 QUEUED", "1 SCHEDULED"},
			last: "Step 1 waits for the first sending.",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			p := oneStep()
			if c.change != nil {
				c.change(&p)
			}
			h.createPolicy(p)
			push := c.story(h)
			recipients, err := h.store.ScanRecipients(t.Context(), push.ID, 0, 1)
			require.NoError(t, err)
			occurrences := h.explain(push, recipients[0].RegistrationID)
			require.Equal(t, c.want, story(occurrences))
			if c.last != "" {
				require.Equal(t, c.last, occurrences[len(occurrences)-1].Text)
			}
		})
	}
}
