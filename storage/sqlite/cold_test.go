package sqlite

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// TestColdPushesAreTaken records callbacks of pushes that are not in memory, from more callers than there are readers: by
// look-ups on disk while few come, then by an index in memory. The pushes have a full block of members and a part of one.
func TestColdPushesAreTaken(t *testing.T) {
	const recipients, callers = layout.BlockSize + 1000, 16
	path := emptyFile(t, "susul.db")
	s := open(t, path)
	createListed(t, s, 1, recipients)
	upstreams := sendAll(t, s)
	require.NoError(t, s.Close())

	s, err := Open(t.Context(), Options{Path: path, Readers: 2})
	require.NoError(t, err)
	row := func(i int) storage.Callback {
		return storage.Callback{UpstreamID: upstreams[i/1000], RegistrationID: benchID(i), Milestone: storage.Sent, Status: "sent", Time: time.Now()}
	}
	for _, i := range []int{0, recipients - 1, layout.BlockSize - 1, layout.BlockSize} {
		summary, err := s.RecordCallbacks(t.Context(), benchApp, time.Now(), []storage.Callback{row(i)})
		require.NoError(t, err)
		require.Equal(t, storage.CallbackSummary{New: 1}, summary)
	}
	require.Zero(t, s.live.known(1).index.bytes(), "a few look-ups are not worth an index")
	stranger := row(1)
	stranger.RegistrationID = "nobody"
	summary, err := s.RecordCallbacks(t.Context(), benchApp, time.Now(), []storage.Callback{stranger})
	require.NoError(t, err)
	require.Equal(t, storage.CallbackSummary{Held: 1}, summary)

	var wg sync.WaitGroup
	for caller := range callers {
		wg.Go(func() {
			for i := caller; i < recipients; i += callers * 50 {
				var rows []storage.Callback
				for j := i; j < min(i+callers*50, recipients); j += callers {
					rows = append(rows, row(j))
				}
				if _, err := s.RecordCallbacks(t.Context(), benchApp, time.Now(), rows); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.Positive(t, s.live.known(1).index.bytes())
	report, err := s.Report(t.Context(), benchApp, 1)
	require.NoError(t, err)
	require.Equal(t, recipients, report.Total.Sent)
	require.NoError(t, s.Close())
}

// TestNewcomersFillBlocks lets a push without a list gain more than a block of recipients, while its index comes and goes.
func TestNewcomersFillBlocks(t *testing.T) {
	const recipients = layout.BlockSize + 1500
	s := fresh(t, Options{Memory: 5 << 20, foldPause: 20 * time.Millisecond})
	draft := storage.PushDraft{Push: storage.Push{ID: 1, App: benchApp, CreateTime: time.Now()},
		Dispatches: []storage.DispatchDraft{{DueTime: time.Now()}}}
	_, _, err := s.CreatePush(t.Context(), draft)
	require.NoError(t, err)
	upstream := sendAll(t, s)[0]
	for first := 0; first < recipients; first += 500 {
		rows := make([]storage.Callback, 0, 1000)
		for i := range 500 {
			row := storage.Callback{UpstreamID: upstream, RegistrationID: benchID(first + i), Milestone: storage.Sent, Status: "sent", Time: time.Now()}
			rows = append(rows, row, row)
		}
		summary, err := s.RecordCallbacks(t.Context(), benchApp, time.Now(), rows)
		require.NoError(t, err)
		require.Equal(t, storage.CallbackSummary{New: 500, Repeated: 500}, summary)
	}
	for _, i := range []int{0, 399, 400, layout.BlockSize - 1, layout.BlockSize, recipients - 1} {
		found, err := s.FindRecipients(t.Context(), 1, []string{benchID(i)})
		require.NoError(t, err)
		require.Equal(t, []storage.Recipient{{Ordinal: uint32(i), RegistrationID: benchID(i), Progress: storage.Progress(0).With(0, storage.Sent)}}, found)
	}
}
