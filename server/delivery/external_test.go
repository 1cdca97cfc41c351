package delivery_test

import (
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/delivery"
	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

// theirs is a row of a message that Susul did not send.
func theirs(upstreamID, registrationID, status, customArgs string) storage.Callback {
	return storage.Callback{
		UpstreamID: upstreamID, RegistrationID: registrationID, Status: status,
		Raw: []byte(`{"message_id":"` + upstreamID + `","custom_args":` + customArgs + `}`),
	}
}

func (h *house) record(rows ...storage.Callback) {
	h.t.Helper()
	for i := range rows {
		rows[i].Time = h.clock.Now()
	}
	_, err := h.service.RecordCallbacks(h.t.Context(), app, rows)
	require.NoError(h.t, err)
}

// adopted lets time pass until the messages are pushes, and returns these.
func (h *house) adopted(upstreamIDs ...string) []storage.Push {
	h.t.Helper()
	var pushes []storage.Push
	for deadline := time.Now().Add(patience); len(pushes) < len(upstreamIDs); {
		require.True(h.t, time.Now().Before(deadline), "waited in vain")
		require.NoError(h.t, h.clock.BlockUntilContext(h.t.Context(), 1)) // the adopter waits
		h.clock.Advance(time.Second)
		pushes = nil
		for _, id := range upstreamIDs {
			if push, err := h.service.PushByUpstreamID(h.t.Context(), app, id); err == nil {
				pushes = append(pushes, push)
			}
		}
	}
	return pushes
}

func TestCallbacksOfOthersMessagesMakeExternalPushes(t *testing.T) {
	h := newHouse(t)
	began := h.clock.Now()
	h.record(
		theirs("one", "a", "sent", `{"kind":"news","big":9007199254740993}`), theirs("one", "b", "click", `{"kind":"news"}`),
		theirs("two", "a", "delivered", `"text"`), theirs("three", "a", "sent", `{"cut`), theirs("four", "", "sent", `1`))
	pushes := h.adopted("one", "two", "three")
	for _, push := range pushes {
		require.True(t, push.External)
		require.Equal(t, began, push.FirstSentTime)
		require.Nil(t, push.Policy)
		require.Empty(t, push.RequestID)
	}
	require.GreaterOrEqual(t, h.clock.Since(began), 5*time.Second, "they might have been Susul's own")
	require.JSONEq(t, `{"to":{},"custom_args":{"kind":"news","big":9007199254740993},"body":{"platform":"all","notification":{}}}`,
		string(pushes[0].Document))
	require.Contains(t, string(pushes[1].Document), `"custom_args":"text"`)
	require.JSONEq(t, `{"to":{},"body":{"platform":"all","notification":{}}}`, string(pushes[2].Document))

	h.record(theirs("one", "b", "clicked", `1`), theirs("one", "c", "sent_failed", `1`))
	report, err := h.service.Report(t.Context(), app, pushes[0].ID)
	require.NoError(t, err)
	require.Equal(t, storage.Counts{Targets: 3, Sent: 2, Delivered: 1, Displayed: 1, Clicked: 1, Failed: 1}, report.Total)
	events, err := h.service.ListEvents(t.Context(), storage.EventQuery{App: app, PushID: pushes[0].ID})
	require.NoError(t, err)
	require.Len(t, events, 3)
	_, err = h.service.PushByUpstreamID(t.Context(), app, "four")
	require.ErrorIs(t, err, storage.ErrNotFound, "a row without a recipient is nobody's")
}

func TestACallbackAheadOfItsAnswerIsNoExternalPush(t *testing.T) {
	h := newHouse(t)
	taken, answer := make(chan struct{}), make(chan struct{})
	arrive := sync.OnceFunc(func() { close(taken) })
	h.engageLab.hook(nil, func(sending) error { arrive(); <-answer; return nil })
	created := make(chan storage.Push, 1)
	request := h.request(1, map[string]any{"body": map[string]any{"message": map[string]any{}}}) // it is good for a day
	go func() {
		if push, err := h.service.CreatePush(t.Context(), request); err == nil {
			created <- push
		}
	}()
	<-taken
	h.clock.Advance(time.Second)
	s := h.next()
	require.Equal(t, storage.CallbackSummary{Held: 1}, h.callback(s, "click", "r0"))
	for range 3 { // far beyond the moment at which it would be somebody else's
		require.NoError(t, h.clock.BlockUntilContext(t.Context(), 1))
		h.clock.Advance(10 * time.Minute)
	}
	_, err := h.service.PushByUpstreamID(t.Context(), app, s.upstream)
	require.ErrorIs(t, err, storage.ErrNotFound)
	close(answer)
	push := <-created
	report := h.settled(push)
	require.Equal(t, 1, report.Total.Clicked)
	pushes, err := h.service.ListPushes(t.Context(), storage.PushQuery{App: app})
	require.NoError(t, err)
	require.Len(t, pushes, 1)
}

func TestExternalPushesSurviveARestart(t *testing.T) {
	h := newHouse(t)
	h.record(theirs("one", "a", "sent", `null`))
	h.stop()
	h.clock.Advance(time.Hour)
	h.start()
	t.Cleanup(func() { h.stop() })
	push := h.adopted("one")[0]
	require.Equal(t, 1, push.Recipients)
}

// A policy that matches an external push follows up with those who did not click, with content of its own.
func TestAnExternalPushIsFollowedUp(t *testing.T) {
	h := newHouse(t)
	p := news()
	p.Match = `external && custom_args == "theirs"`
	p.Steps = []policy.Step{{After: time.Hour, Contents: says(policy.Content{Title: "Missed it?", Alert: "Have a look, {{ custom_args }}."})}}
	h.createPolicy(p)
	h.record(theirs("one", "a", "sent", `"theirs"`), theirs("one", "b", "click", `"theirs"`), theirs("one", "c", "delivered", `"theirs"`),
		theirs("two", "a", "sent", `"others"`))
	pushes := h.adopted("one", "two")
	require.NotNil(t, pushes[0].Policy)
	require.Nil(t, pushes[1].Policy)
	h.pass(3 * time.Hour)
	s := h.next()
	slices.Sort(s.ids)
	require.Equal(t, []string{"a", "c"}, s.ids)
	body, err := json.Marshal(s.document.Members()["body"])
	require.NoError(t, err)
	for _, want := range []string{`"alert":"Have a look, theirs."`, `"title":"Missed it?"`, `"platform":"all"`} {
		require.Contains(t, string(body), want)
	}
	report := h.settled(pushes[0])
	require.Equal(t, 2, report.Steps[1].Targets)
	require.Equal(t, 1, report.Steps[1].PassedOver[storage.ReasonMilestoneReached])
}

func TestAPushThatWentAnotherWayIsRecordedWithItsDocument(t *testing.T) {
	h := newHouse(t)
	h.createPolicy(news())
	request := h.request(2, map[string]any{"callback_url": []string{"https://news.example/cb"}, "request_id": "r"})
	h.record(theirs("one", "r0", "click", `"news"`))
	push, err := h.service.AdoptPush(t.Context(), request, "one")
	require.NoError(t, err)
	require.False(t, push.External)
	require.NotNil(t, push.Policy)
	require.Equal(t, []string{"https://news.example/cb"}, push.CallbackURLs)
	require.Equal(t, h.clock.Now(), push.FirstSentTime)
	require.Equal(t, 1, push.Recipients)
	again, err := h.service.AdoptPush(t.Context(), request, "one")
	require.NoError(t, err)
	require.Equal(t, push.ID, again.ID)

	request.PolicyID = "nobody"
	_, err = h.service.AdoptPush(t.Context(), request, "two")
	require.ErrorIs(t, err, delivery.ErrUnknownPolicy)
}
