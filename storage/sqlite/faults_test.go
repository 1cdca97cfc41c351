package sqlite

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
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

// createUnlisted stores a push whose recipients become known by their callbacks, and sends it.
func createUnlisted(tb testing.TB, s *Store, id int64) {
	tb.Helper()
	_, _, err := s.CreatePush(tb.Context(), storage.PushDraft{Push: storage.Push{ID: id, App: benchApp, CreateTime: time.Now()},
		Dispatches: []storage.DispatchDraft{{DueTime: time.Now()}}})
	require.NoError(tb, err)
	sendAll(tb, s)
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

// TestStoreThatMayNotLeadLeavesTheFileAlone closes a store that read the end of the log while its owner goes on.
func TestStoreThatMayNotLeadLeavesTheFileAlone(t *testing.T) {
	path := emptyFile(t, "susul.db")
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

// TestSnapshotFromBeforeAPushWasForgotten lets a caller find a push in a snapshot that is older than Forget.
func TestSnapshotFromBeforeAPushWasForgotten(t *testing.T) {
	path := emptyFile(t, "susul.db")
	s := open(t, path)
	createUnlisted(t, s, 1)
	recorded(t, s, callback(1, 0, storage.Sent))
	s = reopened(t, s, path)
	defer func() { require.NoError(t, s.Close()) }()
	snapshot, err := s.begin(t.Context())
	require.NoError(t, err)
	_, err = first(t.Context(), snapshot, value[int64], `SELECT id FROM push`)
	require.NoError(t, err)
	newcomer := resolved(t, s, callback(1, 1, storage.Sent))
	member := resolved(t, s, callback(1, 0, storage.Sent))
	forgetAll(t, s, time.Now().Add(time.Hour))
	_, err = s.live.audience(t.Context(), snapshot, 1)
	require.NoError(t, err)
	require.NoError(t, snapshot.Rollback())

	for _, j := range []*job{newcomer, member} {
		require.NoError(t, s.writer.enqueue(j))
		require.NoError(t, <-j.done)
		require.Equal(t, storage.CallbackSummary{Dropped: 1}, j.batch.summary, "what the row said is not known any more")
	}
	require.Equal(t, storage.CallbackSummary{Held: 2}, recorded(t, s, callback(1, 0, storage.Sent), callback(1, 1, storage.Sent)))
	require.Equal(t, map[string]int{heldMessage: 0, heldRecipient: 2}, heldReasons(t, s))
	recipients, err := s.ScanRecipients(t.Context(), 1, 0, 10)
	require.NoError(t, err)
	require.Empty(t, recipients)
}

// TestMergedBatchesOfAppsMakeFewSpans merges batches of two apps that take turns.
func TestMergedBatchesOfAppsMakeFewSpans(t *testing.T) {
	const pushes = 10
	s := fresh(t, Options{foldPause: time.Hour})
	apps := []string{"a", "b"}
	for id := range int64(pushes) {
		draft := listedDraft(id+1, 10)
		draft.Push.App = apps[id%2]
		_, _, err := s.CreatePush(t.Context(), draft)
		require.NoError(t, err)
	}
	for _, app := range apps {
		claims, err := s.ClaimDispatches(t.Context(), storage.ClaimRequest{App: app, Now: time.Now(), Lease: time.Hour, Limit: pushes})
		require.NoError(t, err)
		for _, c := range claims {
			_, err := s.FinishDispatch(t.Context(), storage.DispatchResult{ID: c.Dispatch.ID, Attempt: c.Dispatch.Attempt,
				State: storage.DispatchSent, Time: time.Now(), UpstreamID: upstreamID(int(c.Dispatch.ID))})
			require.NoError(t, err)
		}
	}
	release := occupy(t, s)
	var jobs []*job
	for id := range pushes {
		b, err := s.resolve(t.Context(), apps[id%2], time.Now(), []storage.Callback{callback(id+1, 0, storage.Sent)})
		require.NoError(t, err)
		jobs = append(jobs, &job{ctx: t.Context(), batch: b, done: make(chan error, 1)})
		require.NoError(t, s.writer.enqueue(jobs[id]))
	}
	release()
	for _, j := range jobs {
		require.NoError(t, <-j.done)
		require.Equal(t, storage.CallbackSummary{New: 1}, j.batch.summary)
	}
	require.NoError(t, s.Ping(t.Context()))
	spans, err := read(t.Context(), s, func(q querier) (int, error) {
		return first(t.Context(), q, value[int], `SELECT COUNT(*) FROM span_of_app`)
	})
	require.NoError(t, err)
	require.Equal(t, len(apps), spans)
}
