package delivery_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
)

func TestWhatIsTooOldIsForgotten(t *testing.T) {
	h := newHouse(t)
	h.stop()
	h.retention = 24 * time.Hour
	h.start()
	push, sent := h.push(2, map[string]any{"custom_args": "no policy"})
	h.callback(sent, "clicked", "r0")
	h.record(theirs("nobody's", "", "sent", "1"))
	began := h.clock.Now()
	events := func() []storage.Event {
		list, err := h.service.ListEvents(t.Context(), storage.EventQuery{})
		require.NoError(t, err)
		return list
	}
	require.Len(t, events(), 1)
	for deadline := time.Now().Add(patience); len(events()) > 0; {
		require.True(t, time.Now().Before(deadline), "waited in vain")
		require.NoError(t, h.clock.BlockUntilContext(t.Context(), 2)) // who adopts and who forgets wait
		h.clock.Advance(time.Hour)
	}
	require.Greater(t, h.clock.Since(began), h.retention)
	report, err := h.service.Report(t.Context(), app, push.ID)
	require.NoError(t, err)
	require.Equal(t, 1, report.Total.Clicked, "reports stay")
}

func TestExternalPushesAreLimited(t *testing.T) {
	h := newHouse(t)
	h.stop()
	h.external = 2
	h.start()
	h.record(theirs("one", "a", "sent", "1"), theirs("two", "a", "sent", "1"))
	began := h.clock.Now()
	h.clock.Advance(time.Second)
	h.record(theirs("three", "a", "sent", "1"))
	h.adopted("one", "two")
	_, err := h.service.PushByUpstreamID(t.Context(), app, "three")
	require.ErrorIs(t, err, storage.ErrNotFound)
	h.adopted("three")
	require.GreaterOrEqual(t, h.clock.Since(began), 29*time.Minute)
}

func TestNoExternalPushesAreRecordedIfNoneMayBe(t *testing.T) {
	h := newHouse(t)
	h.stop()
	h.external = -1
	h.start()
	h.record(theirs("one", "a", "sent", "1"))
	for range 10 {
		require.NoError(t, h.clock.BlockUntilContext(t.Context(), 1))
		h.clock.Advance(time.Minute)
	}
	require.NoError(t, h.clock.BlockUntilContext(t.Context(), 1))
	_, err := h.service.PushByUpstreamID(t.Context(), app, "one")
	require.ErrorIs(t, err, storage.ErrNotFound)
}
