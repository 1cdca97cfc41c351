package delivery_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/delivery"
	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/storage"
)

func TestStatusesBecomeMilestones(t *testing.T) {
	cases := map[string]storage.Counts{
		"sent":             {Targets: 1, Sent: 1},
		"delivered":        {Targets: 1, Sent: 1, Delivered: 1},
		"impression":       {Targets: 1, Sent: 1, Delivered: 1, Displayed: 1},
		"impressions":      {Targets: 1, Sent: 1, Delivered: 1, Displayed: 1},
		"displayed":        {Targets: 1, Sent: 1, Delivered: 1, Displayed: 1},
		" Click ":          {Targets: 1, Sent: 1, Delivered: 1, Displayed: 1, Clicked: 1},
		"clicked":          {Targets: 1, Sent: 1, Delivered: 1, Displayed: 1, Clicked: 1},
		"sent_failed":      {Targets: 1, Failed: 1},
		"delivered_failed": {Targets: 1, Failed: 1},
		"target_invalid":   {Targets: 1, Failed: 1},
		"plan":             {Targets: 1},
		"never heard of":   {Targets: 1},
	}
	h := newHouse(t)
	for status, want := range cases {
		t.Run(status, func(t *testing.T) {
			_, err := h.store.ReviveDevices(t.Context(), app, people(1), h.clock.Now()) // some statuses say that it is dead
			require.NoError(t, err)
			push, s := h.push(1, nil)
			for range 3 {
				h.callback(s, status, "r0")
			}
			report := h.settled(push)
			require.Equal(t, want, report.Total)
			events, err := h.service.ListEvents(t.Context(), storage.EventQuery{App: app, PushID: push.ID, Limit: 10})
			require.NoError(t, err)
			require.Len(t, events, 1, "three times the same is one event")
		})
	}
}

func TestTwoNamesOfOneStatusAreOneEvent(t *testing.T) {
	h := newHouse(t)
	_, s := h.push(1, nil)
	require.Equal(t, 1, h.callback(s, "click", "r0").New)
	require.Equal(t, 1, h.callback(s, "clicked", "r0").Repeated)
	require.Equal(t, 1, h.callback(s, "delivered", "r0").New, "implied before, reported now")
}

// EngageLab may report before its answer to the push has been read.
func TestACallbackMayOvertakeTheAnswer(t *testing.T) {
	h := newHouse(t)
	h.engageLab.hook(nil, func(s sending) error {
		require.Equal(t, 1, h.callback(s, "click", "r0").Held)
		return nil
	})
	push, s := h.push(1, nil)
	report := h.settled(push)
	require.Equal(t, 1, report.Total.Clicked)
	require.Equal(t, 1, h.callback(s, "click", "r0").Repeated)
}

func TestAStrangerInAListedAudienceIsHeld(t *testing.T) {
	h := newHouse(t)
	push, s := h.push(1, nil)
	require.Equal(t, 1, h.callback(s, "click", "stranger").Held)
	require.Zero(t, h.settled(push).Total.Clicked)
}

func TestAnAudienceThatIsNoListBecomesKnownByCallbacks(t *testing.T) {
	h := newHouse(t)
	h.createPolicy(news())
	push, s := h.push(0, map[string]any{"to": "all"})
	require.Nil(t, s.ids)
	require.Equal(t, "all", s.document.Members()["to"])
	h.callback(s, "delivered", "a", "b")
	h.callback(s, "click", "a")
	require.Equal(t, storage.Counts{Targets: 2, Sent: 2, Delivered: 2, Displayed: 1, Clicked: 1}, h.settled(push).Total)

	h.pass(3 * time.Hour)
	require.Equal(t, []string{"b"}, h.next().ids, "the follow-up is to those who are known")
}

func TestRowsAreReadWithWhatTheyLack(t *testing.T) {
	h := newHouse(t)
	_, s := h.push(1, nil)
	batch, err := engagelab.ParseCallbacks([]byte(`{"rows":[{"message_id":` + s.upstream + `,"to":"r0","status":{"message_status":"delivered"}}]}`))
	require.NoError(t, err)
	summary, err := h.service.RecordCallbacks(t.Context(), app, delivery.AppendWire(nil, batch))
	require.NoError(t, err)
	require.Equal(t, storage.CallbackSummary{New: 1}, summary)
	events, err := h.service.ListEvents(t.Context(), storage.EventQuery{App: app, Limit: 10})
	require.NoError(t, err)
	require.Equal(t, h.clock.Now(), events[0].Time, "without itime it happened now")
}
