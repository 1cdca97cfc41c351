package sqlite

import (
	"context"
	"math"
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

// reopened closes a store, which folds all there is, and opens it anew.
func reopened(t *testing.T, s *Store, path string) *Store {
	t.Helper()
	require.NoError(t, s.Close())
	s, err := Open(t.Context(), Options{Path: path, foldPause: time.Hour})
	require.NoError(t, err)
	return s
}

func forgetAll(t *testing.T, s *Store, before time.Time) {
	t.Helper()
	for more := true; more; {
		var err error
		more, err = s.Forget(t.Context(), before)
		require.NoError(t, err)
	}
}

// TestOldPushKeepsRecipientsWhileItsEventsAreYoung forgets while the log's indexes don't have the push's events yet.
func TestOldPushKeepsRecipientsWhileItsEventsAreYoung(t *testing.T) {
	s := fresh(t, Options{foldPause: time.Hour})
	createListed(t, s, 1, 10)
	sendAll(t, s)
	created := time.Now()
	beginLog(t, s)
	_, err := s.RecordCallbacks(t.Context(), benchApp, created.Add(time.Hour), []storage.Callback{callback(1, 3, storage.Sent)})
	require.NoError(t, err)
	forgetAll(t, s, created.Add(time.Minute))
	events, err := s.ListEvents(t.Context(), storage.EventQuery{})
	require.NoError(t, err)
	require.Len(t, events, 1)
	require.NotZero(t, progressOf(t, s, 1, 3))
}

// TestOldPushKeepsRecipientsOfTheSameTransaction forgets along with a callback that comes at last.
func TestOldPushKeepsRecipientsOfTheSameTransaction(t *testing.T) {
	s := fresh(t, Options{})
	createListed(t, s, 1, 10)
	sendAll(t, s)
	release := occupy(t, s)
	late := resolved(t, s, callback(1, 0, storage.Sent))
	require.NoError(t, s.writer.enqueue(late))
	forget := queue(t, s, func(t *tx) error {
		_, err := t.forgetRecipients(math.MaxInt64)
		return err
	})
	release()
	require.NoError(t, <-late.done)
	require.NoError(t, forget())
	require.Equal(t, storage.CallbackSummary{New: 1}, late.batch.summary)
	require.NotZero(t, progressOf(t, s, 1, 0))
	require.Equal(t, storage.CallbackSummary{Repeated: 1}, recorded(t, s, callback(1, 0, storage.Sent)))
}

// TestYoungEventOutlivesTheOldInItsSegment records events that are received on both sides of a boundary together.
func TestYoungEventOutlivesTheOldInItsSegment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "susul.db")
	s := open(t, path)
	createListed(t, s, 1, 10)
	sendAll(t, s)
	release := occupy(t, s)
	begin := time.Now()
	var jobs []*job
	for i, received := range []time.Time{begin, begin.Add(time.Minute)} {
		b, err := s.resolve(t.Context(), benchApp, received, []storage.Callback{callback(1, i, storage.Sent)})
		require.NoError(t, err)
		j := &job{ctx: t.Context(), batch: b, done: make(chan error, 1)}
		require.NoError(t, s.writer.enqueue(j))
		jobs = append(jobs, j)
	}
	release()
	for _, j := range jobs {
		require.NoError(t, <-j.done)
	}
	s = reopened(t, s, path)
	defer func() { require.NoError(t, s.Close()) }()
	forgetAll(t, s, begin.Add(30*time.Second))
	events, err := s.ListEvents(t.Context(), storage.EventQuery{RegistrationID: benchID(1)})
	require.NoError(t, err)
	require.Len(t, events, 1, "it was received later")
	forgetAll(t, s, begin.Add(2*time.Minute))
	events, err = s.ListEvents(t.Context(), storage.EventQuery{})
	require.NoError(t, err)
	require.Empty(t, events)
}

// TestQuietLogIsFoldedToItsEnd changes a page that a round has yet to fold: the round takes the change along, and nothing
// but a segment is left for the next.
func TestQuietLogIsFoldedToItsEnd(t *testing.T) {
	const pages = 3 * foldAtOnce
	path := filepath.Join(t.TempDir(), "susul.db")
	s, err := Open(t.Context(), Options{Path: path, foldPause: time.Hour})
	require.NoError(t, err)
	createListed(t, s, 1, pages*layout.PageSize)
	sendAll(t, s)
	var rows []storage.Callback
	for page := range pages {
		rows = append(rows, callback(1, page*layout.PageSize, storage.Sent))
	}
	recorded(t, s, rows...)
	require.Equal(t, storage.CallbackSummary{New: 1}, recorded(t, s, callback(1, (pages-1)*layout.PageSize+1, storage.Sent)))
	s = reopened(t, s, path)
	defer func() { require.NoError(t, s.Close()) }()
	last, err := s.LastSequence(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, pages+1, last)
	require.Equal(t, last, folded(t, s))
}

// TestListWhileTheEndOfTheLogIsForgotten reads with the end of the log as it was before all of it was folded and forgotten.
func TestListWhileTheEndOfTheLogIsForgotten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "susul.db")
	s, err := Open(t.Context(), Options{Path: path, foldPause: time.Hour})
	require.NoError(t, err)
	createListed(t, s, 1, 10)
	sendAll(t, s)
	recorded(t, s, callback(1, 0, storage.Sent))
	r := eventReader{ctx: t.Context(), query: storage.EventQuery{PushID: 1}, limit: 10}
	r.through, r.end = s.live.tail.get()
	require.Len(t, r.end, 1)
	s = reopened(t, s, path)
	defer func() { require.NoError(t, s.Close()) }()
	forgetAll(t, s, time.Now().Add(time.Hour))
	r.store = s
	_, err = read(t.Context(), s, func(q querier) (struct{}, error) {
		r.q = q
		return struct{}{}, r.walkPush(1, nil)
	})
	require.NoError(t, err)
	require.Empty(t, r.events)
}

// TestIndexIsReadWhileRoomIsMade lets callers read an index again and again that the writer drops.
func TestIndexIsReadWhileRoomIsMade(t *testing.T) {
	const recipients = 2000
	s := fresh(t, Options{Memory: 400 << 10, foldPause: time.Millisecond})
	for id := range int64(8) {
		createListed(t, s, id+1, recipients)
	}
	sendAll(t, s)
	var wg sync.WaitGroup
	for caller := range 4 {
		wg.Go(func() {
			for i := range 200 {
				row := storage.Callback{RegistrationID: benchID((caller + 4*i) % recipients), Milestone: storage.Sent, Status: "sent",
					Time: time.Now(), UpstreamID: upstreamID(1 + (i+caller)%16)}
				if _, err := s.RecordCallbacks(context.Background(), benchApp, time.Now(), []storage.Callback{row}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
