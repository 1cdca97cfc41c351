package sqlite

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/sqlite/layout"
)

// callback is a row that reports a milestone of a recipient, for the dispatch that sendAll numbered.
func callback(dispatch, recipient int, m storage.Milestone) storage.Callback {
	return storage.Callback{UpstreamID: upstreamID(dispatch), RegistrationID: benchID(recipient), Milestone: m,
		Status: m.String(), Time: time.Now()}
}

func recorded(t *testing.T, s *Store, rows ...storage.Callback) storage.CallbackSummary {
	t.Helper()
	summary, err := s.RecordCallbacks(t.Context(), benchApp, time.Now(), rows)
	require.NoError(t, err)
	return summary
}

// beginLog records a first callback and has it folded: what comes later in the fold's pause is in the log and in memory.
func beginLog(t *testing.T, s *Store) {
	t.Helper()
	recorded(t, s, callback(1, 0, storage.Sent))
	require.NoError(t, s.Ping(t.Context()))
}

func progressOf(t *testing.T, s *Store, push int64, recipient int) storage.Progress {
	t.Helper()
	found, err := s.FindRecipients(t.Context(), push, []string{benchID(recipient)})
	require.NoError(t, err)
	require.Len(t, found, 1)
	return found[0].Progress
}

// folded returns up to which sequence the disk has everything in its place.
func folded(t *testing.T, s *Store) int64 {
	t.Helper()
	through, err := read(t.Context(), s, func(q querier) (int64, error) {
		return first(t.Context(), q, value[int64], `SELECT sequence FROM fold`)
	})
	require.NoError(t, err)
	return through
}

// TestStoreThatMayNotLeadLeavesTheFileAlone closes a store that read the end of the log while its owner goes on.
func TestStoreThatMayNotLeadLeavesTheFileAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "susul.db")
	owner, err := Open(t.Context(), Options{Path: path, foldPause: time.Hour})
	require.NoError(t, err)
	require.NoError(t, owner.Lead(t.Context(), 5))
	createListed(t, owner, 1, 10)
	sendAll(t, owner)
	beginLog(t, owner)
	recorded(t, owner, callback(1, 1, storage.Sent))
	other, err := Open(t.Context(), Options{Path: path, foldPause: time.Millisecond})
	require.NoError(t, err)
	require.ErrorIs(t, other.Lead(t.Context(), 4), storage.ErrFenced)
	recorded(t, owner, callback(1, 2, storage.Sent))
	before := folded(t, owner)
	require.NoError(t, other.Close())
	require.Equal(t, before, folded(t, owner))
	require.NoError(t, owner.Close())
}

// TestLeadThatCannotReadTheLogChangesNothing breaks a segment while a store becomes the leader.
func TestLeadThatCannotReadTheLogChangesNothing(t *testing.T) {
	s := fresh(t, Options{foldPause: time.Hour})
	createListed(t, s, 1, 10)
	sendAll(t, s)
	beginLog(t, s)
	recorded(t, s, callback(1, 3, storage.Sent), callback(1, 4, storage.Failed))
	exec := func(query string) {
		_, err := write(t.Context(), s, func(t *tx) (int64, error) { return t.exec(query) })
		require.NoError(t, err)
	}
	recorded(t, s, callback(1, 5, storage.Sent))
	exec(`UPDATE segment SET body = CAST(x'ff' || substr(body, 2) AS BLOB) WHERE sequence = (SELECT MAX(sequence) FROM segment)`)
	require.ErrorIs(t, s.Lead(t.Context(), 1), layout.ErrFormat)
	exec(`UPDATE segment SET body = CAST(x'01' || substr(body, 2) AS BLOB) WHERE sequence = (SELECT MAX(sequence) FROM segment)`)
	for i, m := range map[int]storage.Milestone{3: storage.Sent, 4: storage.Failed, 5: storage.Sent} {
		require.Equal(t, storage.Progress(0).With(0, m), progressOf(t, s, 1, i))
		require.Equal(t, storage.CallbackSummary{Repeated: 1}, recorded(t, s, callback(1, i, m)))
	}
}

// TestReadersSeeAllWhileALeaderReloads leads again and again while progress that is only in the log is read.
func TestReadersSeeAllWhileALeaderReloads(t *testing.T) {
	const recipients = 5 * layout.PageSize
	s := fresh(t, Options{foldPause: time.Hour})
	createListed(t, s, 1, recipients)
	sendAll(t, s)
	beginLog(t, s)
	var rows []storage.Callback
	for i := range recipients {
		rows = append(rows, callback(1, i, storage.Delivered))
	}
	recorded(t, s, rows...)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		defer close(stop)
		for term := range int64(100) {
			if err := s.Lead(context.Background(), term+1); err != nil {
				t.Error(err)
			}
		}
	})
	for leading := true; leading; {
		select {
		case <-stop:
			leading = false
		default:
		}
		require.True(t, progressOf(t, s, 1, recipients-1).At(0).Has(storage.Delivered))
		events, err := s.ListEvents(t.Context(), storage.EventQuery{PushID: 1})
		require.NoError(t, err)
		require.Len(t, events, recipients+1)
	}
	wg.Wait()
}

// TestFailedBatchMakesTheStoreUnready fills the disk for a batch, not for what Ping writes.
func TestFailedBatchMakesTheStoreUnready(t *testing.T) {
	s := fresh(t, Options{})
	pages := func(limit string) {
		require.NoError(t, queue(t, s, func(t *tx) error {
			_, err := collect(t.ctx, t, value[int64], `PRAGMA max_page_count = `+limit)
			return err
		})())
	}
	pages("1")
	rows := make([]storage.Callback, 2000)
	for i := range rows {
		rows[i] = callback(1, i, storage.Sent)
	}
	_, err := s.RecordCallbacks(t.Context(), benchApp, time.Now(), rows)
	require.ErrorIs(t, err, storage.ErrUnavailable)
	require.ErrorIs(t, s.Ping(t.Context()), storage.ErrUnavailable)
	pages("1000000")
	createListed(t, s, 1, 10)
	sendAll(t, s)
	recorded(t, s, callback(1, 0, storage.Sent))
	require.NoError(t, s.Ping(t.Context()))
}
