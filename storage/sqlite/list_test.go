package sqlite

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
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

// TestLongListsAreReadInParts reads a log of more segments than are read at once, of two pushes in turns, in every way: while its
// indexes lack it, and when they have it.
func TestLongListsAreReadInParts(t *testing.T) {
	const segments, recipients = 3 * segmentsPerRead, 2000
	path := emptyFile(t, "susul.db")
	s, err := Open(t.Context(), Options{Path: path, foldPause: time.Hour})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	createListed(t, s, 1, recipients)
	createListed(t, s, 2, recipients)
	sendAll(t, s)
	upstreams := [2]string{upstreamID(1), upstreamID(3)} // both pushes have two chunks
	fillSegments(t, s, segments, func(n, i int) storage.Callback {
		return storage.Callback{UpstreamID: upstreams[n%2], RegistrationID: benchID(n/2*3 + i), Milestone: storage.Sent, Status: "sent", Time: time.Now()}
	})
	for _, indexed := range []bool{false, true} {
		if indexed {
			require.NoError(t, s.Close())
			s = open(t, path)
		}
		require.Equal(t, indexed, folded(t, s) > 0)
		for name, q := range map[string]storage.EventQuery{
			"all": {}, "an app's": {App: benchApp}, "a push's": {PushID: 2}, "a device's": {RegistrationID: benchID(90)},
		} {
			want := []int64{}
			for sequence := int64(1); sequence <= 3*segments; sequence++ {
				n := int(sequence-1) / 3
				if q.PushID == 2 && n%2 == 0 || q.RegistrationID != "" && n/2 != 30 || q.RegistrationID != "" && sequence%3 != 1 {
					continue
				}
				want = append(want, sequence)
			}
			require.Equal(t, want, sequencesOf(t, s, q), name)
			for _, border := range []int64{1, 2, 3*segmentsPerRead - 1, 3*segmentsPerRead + 2, 3 * segments} {
				at, found := slices.BinarySearch(want, border)
				if found {
					at++
				}
				before, after := q, q
				before.Through, after.After = border, border
				require.Equal(t, want[:at], sequencesOf(t, s, before), name)
				require.Equal(t, want[at:], sequencesOf(t, s, after), name)
			}
		}
	}
}

// TestListsReadNothingBehindTheirEnd damages the segments behind a sequence.
func TestListsReadNothingBehindTheirEnd(t *testing.T) {
	path := emptyFile(t, "susul.db")
	s, err := Open(t.Context(), Options{Path: path, foldPause: time.Hour})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	createListed(t, s, 1, 100)
	sendAll(t, s)
	fillSegments(t, s, 10, func(n, _ int) storage.Callback {
		c := callback(1, 4, storage.Failed)
		c.Status = fmt.Sprint(n)
		return c
	})
	_, err = s.checkpoints.db.ExecContext(t.Context(), `UPDATE segment SET body = x'00' WHERE sequence > 5`)
	require.NoError(t, err)
	for _, indexed := range []bool{false, true} {
		for indexed && folded(t, s) < 10 {
			require.NoError(t, s.Ping(t.Context())) // each write folds a little
		}
		require.Equal(t, indexed, folded(t, s) > 0)
		for _, q := range []storage.EventQuery{{}, {App: benchApp}, {PushID: 1}, {RegistrationID: benchID(4)}} {
			_, err := s.ListEvents(t.Context(), q)
			require.ErrorIs(t, err, layout.ErrFormat)
			q.Through = 5
			require.Len(t, sequencesOf(t, s, q), 5)
			if q.RegistrationID == "" {
				q.Through, q.Limit = 0, 5
				require.Len(t, sequencesOf(t, s, q), 5)
			}
		}
	}
}

// fillSegments stores segments of three events, or of as many different ones as row returns, in one transaction.
func fillSegments(t *testing.T, s *Store, segments int, row func(segment, i int) storage.Callback) {
	t.Helper()
	jobs := make([]*job, segments)
	for n := range jobs {
		jobs[n] = resolved(t, s, row(n, 0), row(n, 1), row(n, 2))
	}
	_, err := write(t.Context(), s, func(t *tx) (none struct{}, err error) {
		for _, j := range jobs {
			if err := t.record([]*job{j}); err != nil {
				return none, err
			}
		}
		return none, nil
	})
	require.NoError(t, err)
}

func sequencesOf(t *testing.T, s *Store, q storage.EventQuery) (sequences []int64) {
	t.Helper()
	events, err := s.ListEvents(t.Context(), q)
	require.NoError(t, err)
	sequences = []int64{}
	for _, e := range events {
		sequences = append(sequences, e.Sequence)
	}
	return sequences
}
