package delivery_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/storage"
)

// losing makes EngageLab take requests and their answers get lost, until it returns nil again.
func (h *house) losing() (lost <-chan sending, heal func()) {
	seen := make(chan sending, 1000)
	var healed atomic.Bool
	h.engageLab.hook(nil, func(s sending) error {
		if healed.Load() {
			return nil
		}
		seen <- s
		return errLost
	})
	return seen, func() { healed.Store(true) }
}

// passUntil lets time go by in steps until the condition holds. While the service sends, it waits a little: no lease is to end because the
// machine is slow.
func (h *house) passUntil(step time.Duration, done func() bool) {
	h.t.Helper()
	deadline := time.Now().Add(patience)
	for !done() {
		require.True(h.t, time.Now().Before(deadline), "waited in vain")
		waiting, cancel := context.WithTimeout(h.t.Context(), 100*time.Millisecond)
		if h.idle(waiting) == nil { // the dispatcher waits for its next try
			for h.claims.Load() > 0 && waiting.Err() == nil {
				runtime.Gosched()
			}
			h.clock.Advance(step)
		}
		cancel()
	}
}

func (h *house) dispatches(push storage.Push, step int, state storage.DispatchState) bool {
	h.t.Helper()
	report, err := h.service.Report(h.t.Context(), app, push.ID)
	require.NoError(h.t, err)
	return report.Steps[step].Dispatches[state] > 0
}

// soon is the time from step 1 to step 2, within which EngageLab recognises a cid.
const soon = 40 * time.Minute

// lostFollowUp brings a push to where step 1 was taken by EngageLab and its answer was lost.
func lostFollowUp(t *testing.T) (h *house, push storage.Push, first, second sending, heal func()) {
	t.Helper()
	h = newHouse(t)
	p := news()
	p.Steps[1].After = p.Steps[0].After + soon
	h.createPolicy(p)
	push, first = h.push(3, nil)
	h.settled(push)
	lost, heal := h.losing()
	h.pass(3 * time.Hour)
	second = <-lost
	h.next()
	require.Eventually(t, func() bool { return h.dispatches(push, 1, storage.DispatchSending) }, patience, time.Millisecond)
	return h, push, first, second, heal
}

func TestClicksOnALostDispatchCountOnceItsAnswerIsKnown(t *testing.T) {
	h, push, _, second, heal := lostFollowUp(t)
	require.Equal(t, 2, h.callback(second, "click", "r0", "r1").Held)

	h.pass(soon) // its time to live has ended, and step 2 is due
	report, err := h.service.Report(t.Context(), app, push.ID)
	require.NoError(t, err)
	require.Equal(t, storage.StepScheduled, report.Steps[2].State, "nobody knows who clicked")

	heal()
	h.passUntil(time.Minute, func() bool { return h.dispatches(push, 1, storage.DispatchSent) })
	require.NoError(t, h.service.PlanDueSteps(t.Context()))
	require.Equal(t, []string{"r2"}, h.next().ids)
	report = h.settled(push)
	require.Equal(t, 2, report.Total.Clicked)
	require.Equal(t, 3, report.Steps[1].Targets)
}

func TestALostDispatchIsRepeatedAsItWas(t *testing.T) {
	h, push, first, second, heal := lostFollowUp(t)
	repeated := make(chan sending, 10)
	h.callback(first, "click", "r0") // stored before the dispatch is claimed again, but EngageLab may have it
	h.engageLab.hook(nil, func(s sending) error { repeated <- s; return nil })
	heal()
	h.passUntil(time.Minute, func() bool { return h.dispatches(push, 1, storage.DispatchSent) })
	again := <-repeated
	require.Equal(t, second.cid, again.cid)
	require.Equal(t, second.document, again.document)
}

func TestALostDispatchOfAWithdrawnPushIsTakenBack(t *testing.T) {
	h, push, first, second, heal := lostFollowUp(t)
	withdrawn, err := h.service.WithdrawPush(t.Context(), app, push.ID)
	require.NoError(t, err)
	require.Equal(t, storage.PushWithdrawing, withdrawn.State)
	heal()
	h.passUntil(time.Minute, func() bool {
		push, err := h.service.GetPush(t.Context(), app, push.ID)
		require.NoError(t, err)
		return push.State == storage.PushWithdrawn
	})
	require.Contains(t, h.engageLab.withdrawn, first.upstream)
	require.Contains(t, h.engageLab.withdrawn, second.upstream)
}

func TestARefusalAfterALostAnswerRejectsNothing(t *testing.T) {
	h := newHouse(t)
	h.createPolicy(news())
	lost, _ := h.losing()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-lost; cancel() }()
	push, err := h.service.CreatePush(ctx, h.request(2, nil))
	require.NoError(t, err)
	h.engageLab.hook(func(sending) error { return errRefused }, nil) // as EngageLab might answer a cid that it knows
	h.passUntil(time.Second, func() bool { return h.dispatches(push, 0, storage.DispatchUnanswered) })
	report := h.settled(push)
	require.Equal(t, storage.PushActive, report.Push.State)
	require.Equal(t, storage.StepCancelled, report.Steps[1].State)
	require.Equal(t, storage.ReasonUnanswered, report.Steps[1].CancelReason)
}

func TestNobodyIsFollowedUpIfTheAnswerNeverComes(t *testing.T) {
	h, push, _, _, _ := lostFollowUp(t)
	h.passUntil(time.Hour, func() bool { return h.dispatches(push, 1, storage.DispatchUnanswered) })
	require.NoError(t, h.service.PlanDueSteps(t.Context()))
	report := h.settled(push)
	require.Equal(t, storage.StepCancelled, report.Steps[2].State)
	require.Equal(t, storage.ReasonUnanswered, report.Steps[2].CancelReason)
}

func TestALostDispatchIsNotRepeatedOnceEngageLabHasForgottenIt(t *testing.T) {
	h, push, _, _, heal := lostFollowUp(t)
	h.stop()
	heal()
	h.engageLab.hook(func(s sending) error {
		require.Fail(t, "EngageLab would send it again", s.cid)
		return nil
	}, nil)
	h.clock.Advance(engagelab.CIDValidity)
	h.start()
	h.passUntil(time.Minute, func() bool { return h.dispatches(push, 1, storage.DispatchUnanswered) })
}

// A node that dies between the request and its record leaves a dispatch that EngageLab may have.
func TestADispatchOfADeadNodeIsRepeatedAsItWas(t *testing.T) {
	h := newHouse(t)
	h.createPolicy(news())
	push, first := h.push(2, nil)
	h.settled(push)
	h.stop()
	h.pass(3 * time.Hour)
	require.NoError(t, h.store.Lead(t.Context(), 1)) // claims of leaders end with them
	claims := h.claimable()
	require.Len(t, claims, 1)
	require.NoError(t, h.store.StartDispatch(t.Context(), storage.DispatchStart{
		ID: claims[0].Dispatch.ID, Attempt: claims[0].Dispatch.Attempt,
	}))
	h.callback(first, "click", "r0")
	require.NoError(t, h.store.Lead(t.Context(), 2))
	h.start()
	require.Equal(t, people(2), h.next().ids)
}

func TestARemovedAppStopsNobodyElse(t *testing.T) {
	h := newHouse(t)
	h.createPolicy(news())
	orphan, err := engagelab.ParseDocument([]byte(`{"body":{"message":{}}}`))
	require.NoError(t, err)
	document, err := orphan.MarshalJSON()
	require.NoError(t, err)
	now := h.clock.Now()
	_, _, err = h.store.CreatePush(t.Context(), storage.PushDraft{
		Push:       storage.Push{ID: 1, App: "gone", Document: document, Listed: true, State: storage.PushActive, CreateTime: now},
		Recipients: people(1),
		Dispatches: []storage.DispatchDraft{{Recipients: []uint32{0}, DueTime: now, ExpireTime: now.Add(time.Hour)}},
		Steps:      []storage.StepDraft{{Number: 1, Offset: time.Hour}},
	})
	require.NoError(t, err)
	claims, err := h.store.ClaimDispatches(t.Context(), storage.ClaimRequest{App: "gone", Now: now, Lease: time.Hour, Limit: 1})
	require.NoError(t, err)
	claim := claims[0].Dispatch
	require.NoError(t, h.store.StartDispatch(t.Context(), storage.DispatchStart{ID: claim.ID, Attempt: claim.Attempt}))
	_, err = h.store.FinishDispatch(t.Context(), storage.DispatchResult{
		ID: claim.ID, Attempt: claim.Attempt, State: storage.DispatchSent, UpstreamID: "u", Time: now,
	})
	require.NoError(t, err)

	push, _ := h.push(1, nil)
	h.pass(3 * time.Hour)
	require.Equal(t, people(1), h.next().ids)
	h.settled(push)
	report, err := h.store.Report(t.Context(), "gone", 1)
	require.NoError(t, err)
	require.Equal(t, storage.ReasonUnknownApp, report.Steps[1].CancelReason)
}

func TestACallerWhoLeavesEarlyIsServedAllTheSame(t *testing.T) {
	h := newHouse(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	push, err := h.service.CreatePush(ctx, h.request(1, map[string]any{"request_id": "r"}))
	require.NoError(t, err)
	require.Equal(t, people(1), h.next().ids)
	again, err := h.service.CreatePush(t.Context(), h.request(1, map[string]any{"request_id": "r"}))
	require.NoError(t, err)
	require.Equal(t, push.ID, again.ID)
	require.False(t, again.FirstSentTime.IsZero(), "a repeated request waits for the outcome too")
}

func TestACIDMakesARepeatedRequestRecognisable(t *testing.T) {
	h := newHouse(t)
	withCID := map[string]any{"body": map[string]any{
		"notification": map[string]any{"alert": "a"}, "options": map[string]any{"cid": "mine-1"},
	}}
	push, s := h.push(1, withCID)
	require.NotEqual(t, "mine-1", s.cid)
	again, err := h.service.CreatePush(t.Context(), h.request(1, withCID))
	require.NoError(t, err)
	require.Equal(t, push.ID, again.ID)
	h.settled(push)
	require.Len(t, h.engageLab.sendings, 1)
}
