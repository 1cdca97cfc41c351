package sqlite

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// rowsOf counts what is stored of a push in each table, hidden or not.
func rowsOf(t *testing.T, s *Store, id int64) (n int) {
	t.Helper()
	require.NoError(t, s.readers.QueryRow(`SELECT (SELECT COUNT(*) FROM push WHERE id = ?1)
		+ (SELECT COUNT(*) FROM recipient_page WHERE push_id = ?1) + (SELECT COUNT(*) FROM member_bucket WHERE push_id = ?1)
		+ (SELECT COUNT(*) FROM dispatch WHERE push_id = ?1) + (SELECT COUNT(*) FROM step WHERE push_id = ?1)`, id).Scan(&n))
	return n
}

// swept waits until nothing is left of a push.
func swept(t *testing.T, s *Store, id int64) {
	t.Helper()
	require.Eventually(t, func() bool { return rowsOf(t, s, id) == 0 }, 30*time.Second, 5*time.Millisecond)
}

// requestedRows is what is stored of a requested draft: a push, pages of 400, a block, and dispatches to 1,000.
const requestedRows = 1 + 175 + layout.Buckets + 70

// requested is a draft of 70,000 recipients with a request id.
func requested(id int64) storage.PushDraft {
	d := listedDraft(id, 70_000)
	d.Push.RequestID = "request"
	return d
}

// runSome runs parts in jobs of their own, as CreatePush does.
func runSome(t *testing.T, s *Store, parts []part) (last creation) {
	t.Helper()
	for _, p := range parts {
		var err error
		last, err = write(t.Context(), s, p)
		require.NoError(t, err)
	}
	return last
}

// TestDraftOfADeadLeaderIsSweptAway stores all but the end of a push, and goes on in a new process.
func TestDraftOfADeadLeaderIsSweptAway(t *testing.T) {
	path := t.TempDir() + "/susul.db"
	s := open(t, path)
	require.NoError(t, s.Lead(t.Context(), 1))
	parts := partsOf(requested(1))
	runSome(t, s, parts[:len(parts)-1])
	require.NoError(t, s.Close())

	s = open(t, path)
	defer func() { require.NoError(t, s.Close()) }()
	require.Equal(t, requestedRows, rowsOf(t, s, 1))
	_, err := s.GetPush(t.Context(), benchApp, 1)
	require.ErrorIs(t, err, storage.ErrNotFound)
	_, _, err = s.CreatePush(t.Context(), requested(2))
	require.ErrorIs(t, err, storage.ErrUnavailable, "whose draft it is can't be known yet")
	require.NoError(t, s.Lead(t.Context(), 2))
	_, created, err := s.CreatePush(t.Context(), requested(3))
	require.NoError(t, err, "its request id is free at once")
	require.True(t, created)
	swept(t, s, 1)
	require.Equal(t, requestedRows, rowsOf(t, s, 3))
	require.Len(t, sendAll(t, s), 70)
}

// TestDraftOutlivesANewTermOfItsOwnStore leads anew while a push is being stored.
func TestDraftOutlivesANewTermOfItsOwnStore(t *testing.T) {
	s := fresh(t, Options{})
	parts := partsOf(requested(1))
	s.drafts.enter(1)
	runSome(t, s, parts[:3])
	require.NoError(t, s.Lead(t.Context(), 1))
	for more := true; more; {
		var err error
		more, err = s.sweep(t.Context())
		require.NoError(t, err)
	}
	require.True(t, runSome(t, s, parts[3:]).created)
	s.leave(t.Context(), 1, nil)
	require.Equal(t, requestedRows, rowsOf(t, s, 1))
}

// TestDiscardedDraftGrowsNoMore discards a draft behind the back of whoever stores it.
func TestDiscardedDraftGrowsNoMore(t *testing.T) {
	path := t.TempDir() + "/susul.db"
	s, leader := open(t, path), open(t, path)
	defer func() { require.NoError(t, s.Close()) }()
	defer func() { require.NoError(t, leader.Close()) }()
	parts := partsOf(requested(1))
	runSome(t, s, parts[:3])
	require.NoError(t, leader.Lead(t.Context(), 1))
	for _, p := range parts[3:] {
		_, err := write(t.Context(), s, p)
		require.ErrorIs(t, err, storage.ErrUnavailable)
	}
	swept(t, s, 1)
}

// TestCallerWhoGivesUpLeavesNoDraft cancels in the middle of a large push.
func TestCallerWhoGivesUpLeavesNoDraft(t *testing.T) {
	s := fresh(t, Options{})
	draft := listedDraft(1, 300_000)
	draft.Push.RequestID = "request"
	ctx, cancel := context.WithCancel(t.Context())
	errs := make(chan error)
	go func() {
		_, _, err := s.CreatePush(ctx, draft)
		errs <- err
	}()
	require.Eventually(t, func() bool { return rowsOf(t, s, 1) > 1 }, 30*time.Second, time.Millisecond)
	release := occupy(t, s) // it gets in between two slices
	cancel()
	release()
	require.ErrorIs(t, <-errs, context.Canceled)
	_, created, err := s.CreatePush(t.Context(), requested(2))
	require.NoError(t, err)
	require.True(t, created)
	swept(t, s, 1)
}

// TestDraftThatCannotBeDiscardedAtOnceIsDiscardedLater has the caller give up while the queue is full.
func TestDraftThatCannotBeDiscardedAtOnceIsDiscardedLater(t *testing.T) {
	s := fresh(t, Options{QueueSize: 1})
	s.drafts.enter(1)
	runSome(t, s, partsOf(requested(1))[:3])
	release := occupy(t, s)
	queued := queue(t, s, func(*tx) error { return nil })
	s.leave(t.Context(), 1, context.Canceled)
	require.Positive(t, rowsOf(t, s, 1))
	release()
	require.NoError(t, queued())
	swept(t, s, 1)
}

func TestTermOfAStoreThatNobodyLed(t *testing.T) {
	s := fresh(t, Options{})
	require.Zero(t, term(t, s))
	require.NoError(t, s.Lead(t.Context(), 41))
	require.EqualValues(t, 41, term(t, s))
}
