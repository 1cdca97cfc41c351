package sqlite

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
)

// heldReasons counts the held callbacks by reason.
func heldReasons(t *testing.T, s *Store) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, reason := range []string{heldMessage, heldRecipient} {
		n, err := read(t.Context(), s, func(q querier) (int, error) {
			return first(t.Context(), q, value[int], `SELECT COUNT(*) FROM held_callback WHERE reason = ?`, reason)
		})
		require.NoError(t, err)
		counts[reason] = n
	}
	return counts
}

// TestHeldCallbacksMoveInPages holds more callbacks than one page of them, and checks that what is applied is no longer
// held, and what can't be is held for the other reason.
func TestHeldCallbacksMoveInPages(t *testing.T) {
	t.Parallel()
	const n, strangers = maxRows + 500, 3
	s := fresh(t, Options{})
	createListed(t, s, 1, n)
	rows := []storage.Callback{{RegistrationID: "without an upstream id", Status: "sent"}}
	for i := range n + strangers {
		rows = append(rows, storage.Callback{UpstreamID: upstreamID(1), RegistrationID: benchID(i), Status: "sent",
			Milestone: storage.Sent, Time: time.Now()})
	}
	summary, err := s.RecordCallbacks(t.Context(), benchApp, time.Now(), rows)
	require.NoError(t, err)
	require.Equal(t, storage.CallbackSummary{Held: n + strangers + 1}, summary)
	require.Equal(t, map[string]int{heldMessage: n + strangers + 1, heldRecipient: 0}, heldReasons(t, s))
	sendAll(t, s)
	require.Equal(t, map[string]int{heldMessage: 1, heldRecipient: strangers}, heldReasons(t, s))
	report, err := s.Report(t.Context(), benchApp, 1)
	require.NoError(t, err)
	require.Equal(t, n, report.Total.Sent)
}

// TestRowsThatMissAnIDAreKeptApart also checks that a repeated one is kept once, as long as it may be.
func TestRowsThatMissAnIDAreKeptApart(t *testing.T) {
	s := fresh(t, Options{})
	long := strings.Repeat("x", storage.MaxRaw)
	for range 2 {
		_, err := s.RecordCallbacks(t.Context(), benchApp, time.Now(), []storage.Callback{
			{RegistrationID: "r", Status: "sent", Raw: []byte("1")},
			{RegistrationID: "r", Status: "sent", Raw: []byte("2")},
			{UpstreamID: "u", Status: "sent", Raw: []byte("1")},
			{UpstreamID: "u", Status: "sent", Raw: []byte(long + "cut")},
			{UpstreamID: "u", RegistrationID: "r", Status: "sent", Raw: []byte("1")},
			{UpstreamID: "u", RegistrationID: "r", Status: "sent", Raw: []byte("2")},
		})
		require.NoError(t, err)
	}
	require.Equal(t, map[string]int{heldMessage: 5, heldRecipient: 0}, heldReasons(t, s))
	createListed(t, s, 1, 1)
	claims, err := s.ClaimDispatches(t.Context(), storage.ClaimRequest{App: benchApp, Now: time.Now(), Lease: time.Minute, Limit: 1})
	require.NoError(t, err)
	_, err = s.FinishDispatch(t.Context(), storage.DispatchResult{ID: claims[0].Dispatch.ID, Attempt: 1,
		State: storage.DispatchSent, UpstreamID: "u", Time: time.Now()})
	require.NoError(t, err)
	require.Equal(t, map[string]int{heldMessage: 2, heldRecipient: 3}, heldReasons(t, s))
}

func TestSentWithoutUpstreamIDAppliesNothing(t *testing.T) {
	s := fresh(t, Options{})
	createListed(t, s, 1, 1)
	_, err := s.RecordCallbacks(t.Context(), benchApp, time.Now(), []storage.Callback{{RegistrationID: benchID(0), Status: "sent"}})
	require.NoError(t, err)
	claims, err := s.ClaimDispatches(t.Context(), storage.ClaimRequest{App: benchApp, Now: time.Now(), Lease: time.Minute, Limit: 1})
	require.NoError(t, err)
	_, err = s.FinishDispatch(t.Context(), storage.DispatchResult{ID: claims[0].Dispatch.ID, Attempt: 1,
		State: storage.DispatchSent, Time: time.Now()})
	require.NoError(t, err)
	require.Equal(t, map[string]int{heldMessage: 1, heldRecipient: 0}, heldReasons(t, s))
}

// TestHeldRowsAreBounded fills what an app may hold: strangers are dropped from then on, and batches with rows of unknown
// messages are to come again, though all else of them is stored.
func TestHeldRowsAreBounded(t *testing.T) {
	s := fresh(t, Options{MaxHeld: 2})
	createListed(t, s, 1, 3)
	sendAll(t, s)
	row := func(upstreamID, registrationID string) storage.Callback {
		return storage.Callback{UpstreamID: upstreamID, RegistrationID: registrationID, Status: "sent", Milestone: storage.Sent, Time: time.Now()}
	}
	record := func(app string, rows ...storage.Callback) (storage.CallbackSummary, error) {
		return s.RecordCallbacks(t.Context(), app, time.Now(), rows)
	}
	summary, err := record(benchApp, row(upstreamID(1), "a"), row(upstreamID(1), "b"), row(upstreamID(1), "c"), row("x", "a"))
	require.NoError(t, err)
	require.Equal(t, storage.CallbackSummary{Held: 3, Dropped: 1}, summary)
	summary, err = record(benchApp, row("x", "b"), row("x", "c"), row(upstreamID(1), benchID(0)), row(upstreamID(1), "d"))
	require.ErrorIs(t, err, storage.ErrHeldFull)
	require.Equal(t, storage.CallbackSummary{New: 1, Held: 1, Dropped: 2}, summary)
	require.Equal(t, map[string]int{heldMessage: 2, heldRecipient: 2}, heldReasons(t, s))
	_, err = record("another app", row("x", "a"))
	require.NoError(t, err, "each app has its own bound")
	report, err := s.Report(t.Context(), benchApp, 1)
	require.NoError(t, err)
	require.Equal(t, 1, report.Total.Sent)

	// Once there is room again, what came is stored.
	_, err = write(t.Context(), s, func(t *tx) (int64, error) { return t.exec(`DELETE FROM held_callback WHERE upstream_id = 'x'`) })
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err := record(benchApp, row("x", "c"))
		return err == nil
	}, 10*time.Second, 10*time.Millisecond)
}
