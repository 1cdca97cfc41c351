package sqlite

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
)

// TestListsSeeEachEventOnceWhileTheLogIsFolded reads the log in every way while it grows and its indexes follow: what was
// acknowledged before a list began is in it, once and in order.
func TestListsSeeEachEventOnceWhileTheLogIsFolded(t *testing.T) {
	const recipients, rounds = 300, 60
	s := fresh(t, Options{Memory: 1, foldPause: time.Millisecond})
	createListed(t, s, 1, recipients)
	createListed(t, s, 2, recipients)
	sendAll(t, s)
	var wg sync.WaitGroup
	var mu sync.Mutex
	acknowledged := 0 // of each push
	wg.Go(func() {
		for round := range rounds {
			for push := 1; push <= 2; push++ {
				var rows []storage.Callback
				for i := range 5 {
					rows = append(rows, storage.Callback{UpstreamID: upstreamID(push), RegistrationID: benchID(round*5 + i),
						Milestone: storage.Sent, Status: "sent", Time: time.Now()})
				}
				if _, err := s.RecordCallbacks(t.Context(), benchApp, time.Now(), rows); err != nil {
					t.Error(err)
				}
			}
			mu.Lock()
			acknowledged += 5
			mu.Unlock()
		}
	})
	for done := false; !done; {
		mu.Lock()
		before := acknowledged
		mu.Unlock()
		done = before == recipients
		for name, list := range map[string]struct {
			query storage.EventQuery
			least int
		}{
			"all":         {storage.EventQuery{}, 2 * before},
			"an app's":    {storage.EventQuery{App: benchApp}, 2 * before},
			"a push's":    {storage.EventQuery{PushID: 2}, before},
			"a device's":  {storage.EventQuery{RegistrationID: benchID(max(before-1, 0))}, 2 * min(before, 1)},
			"a page":      {storage.EventQuery{App: benchApp, After: 7, Limit: 100}, min(2*before-7, 100)},
			"since a day": {storage.EventQuery{App: benchApp, StartTime: time.Now().Add(-24 * time.Hour)}, 2 * before},
		} {
			events, err := s.ListEvents(t.Context(), list.query)
			require.NoError(t, err)
			require.GreaterOrEqual(t, len(events), list.least, name)
			for i := 1; i < len(events); i++ {
				require.Greater(t, events[i].Sequence, events[i-1].Sequence, name)
			}
		}
	}
	wg.Wait()
}
