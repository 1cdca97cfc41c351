package delivery_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/delivery"
	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/storage"
)

func TestAPushIsSentAsItCame(t *testing.T) {
	h := newHouse(t)
	push, s := h.push(3, map[string]any{"request_id": "r", "callback_url": []string{"https://shop.example/events"}, "future": 7})

	require.Equal(t, people(3), s.ids)
	require.Equal(t, "Read it", s.notification(t)["alert"])
	require.EqualValues(t, "7", s.document.Members()["future"])
	require.Equal(t, []string{"https://susul.example/cb"}, s.document.CallbackURLs(), "EngageLab reports to Susul")
	require.Equal(t, []string{"https://shop.example/events"}, push.CallbackURLs)
	require.Equal(t, storage.PushActive, push.State)
	require.Positive(t, push.ID)
	require.Equal(t, h.clock.Now(), push.FirstSentTime)
}

func TestALargeAudienceIsCutAndWaitsForItsFirstChunk(t *testing.T) {
	h := newHouse(t)
	var reached atomic.Int32
	h.engageLab.hook(nil, func(sending) error {
		if reached.Add(1) == 1 {
			require.Empty(t, h.claimable(), "the others wait until the first has been taken")
		}
		return nil
	})
	push, s := h.push(2500, nil)
	require.Len(t, s.ids, 1000)
	sizes := []int{len(h.next().ids), len(h.next().ids)}
	require.ElementsMatch(t, []int{1000, 500}, sizes)

	report := h.settled(push)
	require.Equal(t, 2500, report.Steps[0].Targets)
	require.Equal(t, 3, report.Steps[0].Dispatches[storage.DispatchSent])
}

// claimable takes what the dispatcher could take now.
func (h *house) claimable() []storage.Claim {
	claims, err := h.store.ClaimDispatches(h.t.Context(), storage.ClaimRequest{
		App: app, Now: h.clock.Now(), Lease: time.Minute, Limit: 100,
	})
	require.NoError(h.t, err)
	return claims
}

func TestARepeatedRequestSendsNothing(t *testing.T) {
	h := newHouse(t)
	push, _ := h.push(1, map[string]any{"request_id": "r"})

	again, err := h.service.CreatePush(t.Context(), h.request(1, map[string]any{"request_id": "r"}))
	require.NoError(t, err)
	require.Equal(t, push.ID, again.ID)

	_, err = h.service.CreatePush(t.Context(), h.request(2, map[string]any{"request_id": "r"}))
	require.ErrorIs(t, err, storage.ErrRequestIDReused)
	h.settled(push)
	require.Len(t, h.engageLab.sendings, 1)
}

func TestARefusalReachesTheCallerAndEndsThePush(t *testing.T) {
	h := newHouse(t)
	h.createPolicy(news())
	h.engageLab.hook(func(sending) error { return errRefused }, nil)
	_, err := h.service.CreatePush(t.Context(), h.request(1500, map[string]any{"request_id": "r"}))
	var refused *delivery.RefusedError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, storage.Refusal{HTTPStatus: 400, Code: engagelab.CodeInvalidParameter, Message: "the title is odd"}, refused.Refusal)

	pushes, err := h.service.ListPushes(t.Context(), storage.PushQuery{App: app, Limit: 10})
	require.NoError(t, err)
	require.Len(t, pushes, 1)
	require.Equal(t, storage.PushRejected, pushes[0].State)
	report := h.settled(pushes[0])
	require.Equal(t, map[storage.DispatchState]int{storage.DispatchRefused: 1, storage.DispatchCancelled: 1}, report.Steps[0].Dispatches)
	require.Equal(t, storage.StepCancelled, report.Steps[1].State)
	require.Empty(t, h.engageLab.sendings)

	h.engageLab.hook(nil, nil)
	push, _ := h.push(1, map[string]any{"request_id": "r"})
	require.NotEqual(t, pushes[0].ID, push.ID, "the request id of a rejected push is free again")
}

func TestAPushIsAcceptedWhileEngageLabIsDown(t *testing.T) {
	h := newHouse(t)
	tried := make(chan struct{}, 100)
	h.engageLab.hook(func(sending) error { tried <- struct{}{}; return errDown }, nil)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-tried; cancel() }() // the caller does not wait on
	push, err := h.service.CreatePush(ctx, h.request(1, nil))
	require.NoError(t, err)
	require.Equal(t, storage.PushActive, push.State)
	require.True(t, push.FirstSentTime.IsZero())

	h.engageLab.hook(nil, nil)
	s := h.retried()
	require.Equal(t, people(1), s.ids)
}

// retried lets time pass until something reaches EngageLab.
func (h *house) retried() sending {
	h.t.Helper()
	for range 100 {
		waiting, cancel := context.WithTimeout(h.t.Context(), 100*time.Millisecond)
		if h.idle(waiting) == nil { // the dispatcher waits for its next try
			h.clock.Advance(5 * time.Second)
		}
		cancel()
		select {
		case s := <-h.engageLab.arrived:
			return s
		case <-time.After(20 * time.Millisecond):
		}
	}
	require.Fail(h.t, "it was not tried again")
	return sending{}
}

func TestAPushThatEngageLabNeverTakesExpires(t *testing.T) {
	h := newHouse(t)
	h.createPolicy(news())
	tried := make(chan struct{}, 1000)
	h.engageLab.hook(func(sending) error { tried <- struct{}{}; return errDown }, nil)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-tried; cancel() }()
	push, err := h.service.CreatePush(ctx, h.request(1500, nil))
	require.NoError(t, err)

	// Only what is known not to be at EngageLab can expire.
	require.Eventually(t, func() bool { return h.dispatches(push, 0, storage.DispatchPending) }, patience, time.Millisecond)
	h.clock.Advance(11 * time.Minute) // its time to live is 10
	report := h.settled(push)
	require.Equal(t, 1, report.Steps[0].Dispatches[storage.DispatchExpired])
	require.Equal(t, 1, report.Steps[0].Dispatches[storage.DispatchCancelled])
	require.Equal(t, storage.StepCancelled, report.Steps[1].State)
	require.Equal(t, storage.ReasonExpired, report.Steps[1].CancelReason)
	require.Empty(t, h.engageLab.sendings)
}

func TestALostAnswerIsAskedForAgainWithTheSameCID(t *testing.T) {
	h := newHouse(t)
	answers := make(chan string, 10)
	h.engageLab.hook(nil, func(s sending) error {
		answers <- s.cid
		if len(answers) == 1 {
			return errLost // EngageLab has it, and we do not know
		}
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	created := make(chan storage.Push, 1)
	go func() {
		push, err := h.service.CreatePush(ctx, h.request(2, nil))
		if err == nil {
			created <- push
		}
	}()
	s := h.next()
	h.passUntil(time.Second, func() bool { return len(created) > 0 })
	push := <-created
	require.False(t, push.FirstSentTime.IsZero())
	require.Equal(t, s.cid, <-answers)
	require.Equal(t, s.cid, <-answers)
	require.Len(t, h.engageLab.sendings, 1)
}

func TestBadRequestsStoreNothing(t *testing.T) {
	h := newHouse(t)
	other := news()
	other.ID, other.App = "others", "another-app"
	h.createPolicy(other)
	cases := map[string]struct {
		change func(*delivery.PushRequest)
		want   error
	}{
		"unknown app":          {func(r *delivery.PushRequest) { r.App = "nobody" }, delivery.ErrUnknownApp},
		"unknown policy":       {func(r *delivery.PushRequest) { r.PolicyID = "nothing" }, delivery.ErrUnknownPolicy},
		"another app's policy": {func(r *delivery.PushRequest) { r.PolicyID = "others" }, delivery.ErrUnknownPolicy},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			request := h.request(1, nil)
			c.change(&request)
			_, err := h.service.CreatePush(t.Context(), request)
			require.ErrorIs(t, err, c.want)
		})
	}
	_, err := h.service.CreatePush(t.Context(), h.request(1, map[string]any{"to": map[string]any{}}))
	var invalid *engagelab.InvalidDocument
	require.ErrorAs(t, err, &invalid)

	pushes, err := h.service.ListPushes(t.Context(), storage.PushQuery{App: app, Limit: 10})
	require.NoError(t, err)
	require.Empty(t, pushes)
}

// A node that stops keeps nobody waiting for EngageLab: the push is accepted, and will be sent.
func TestHurryAnswersThoseWhoWaitForEngageLab(t *testing.T) {
	h := newHouse(t)
	asked, release := make(chan struct{}), make(chan struct{})
	h.engageLab.hook(func(sending) error {
		close(asked)
		<-release
		return nil
	}, nil)
	created := make(chan storage.Push, 1)
	go func() {
		push, err := h.service.CreatePush(t.Context(), h.request(1, nil))
		if err != nil {
			t.Error(err)
		}
		created <- push
	}()
	<-asked
	h.service.Hurry()
	h.service.Hurry()
	push := <-created
	require.Equal(t, storage.PushActive, push.State)
	require.Zero(t, push.FirstSentTime)
	h.engageLab.hook(nil, nil)
	close(release)
	h.next()
	h.settled(push)
}
