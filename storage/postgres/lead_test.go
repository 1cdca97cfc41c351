package postgres_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
)

// waitingForLocks waits until a number of statements wait for locks.
func waitingForLocks(t *testing.T, dsn string, n int) {
	t.Helper()
	conn := admin(t, dsn)
	require.Eventually(t, func() bool {
		var all int
		err := conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&all)
		return err == nil && all == n
	}, soon, time.Millisecond)
}

// A leader's write that began before it was succeeded is either stored before that, or not at all.
func TestASuccessorWaitsForWhatIsBeingWritten(t *testing.T) {
	t.Parallel()
	dsn := emptyDatabase(t)
	stores := openAll(t, dsn, 3)
	old, leader, other := stores[0], stores[1], stores[2]
	require.NoError(t, old.Lead(t.Context(), 1))
	_, _, err := old.CreatePush(t.Context(), draft(1))
	require.NoError(t, err)
	held, err := admin(t, dsn).Begin(t.Context())
	require.NoError(t, err)
	_, err = held.Exec(t.Context(), `SELECT FROM push FOR UPDATE`)
	require.NoError(t, err)

	withdrawn, led, late := make(chan error), make(chan error), make(chan error)
	go func() {
		_, err := old.WithdrawPush(t.Context(), "app", 1)
		withdrawn <- err
	}()
	waitingForLocks(t, dsn, 1)
	go func() { led <- leader.Lead(t.Context(), 2) }()
	waitingForLocks(t, dsn, 2)
	go func() { late <- old.SaveRelay(t.Context(), storage.RelayChange{Head: 7}) }()
	waitingForLocks(t, dsn, 3)
	_, _, err = other.CreatePush(t.Context(), draft(2))
	require.NoError(t, err, "who never led waits for nobody")

	require.NoError(t, held.Rollback(t.Context()))
	require.NoError(t, requireSignal(t, withdrawn), "it had begun")
	require.NoError(t, requireSignal(t, led))
	require.ErrorIs(t, requireSignal(t, late), storage.ErrFenced)
	p, err := leader.PushOf(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, storage.PushWithdrawing, p.State)
	head, err := leader.RelayHead(t.Context())
	require.NoError(t, err)
	require.Zero(t, head)
}

// Leaders take over from each other while all of those that ever led go on writing: what one reads it wrote itself, as long as nobody
// takes over.
func TestOnlyTheLatestLeaderWrites(t *testing.T) {
	t.Parallel()
	dsn := emptyDatabase(t)
	stores := openAll(t, dsn, 3)
	const terms = 60
	stop := make(chan struct{})
	var running sync.WaitGroup
	errs := make(chan error, len(stores))
	for _, store := range stores {
		require.NoError(t, store.Lead(t.Context(), 1))
		running.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := store.SaveRelay(t.Context(), storage.RelayChange{Head: -1}); err != nil && !errors.Is(err, storage.ErrFenced) {
					errs <- err
					return
				}
			}
		})
	}
	for term := int64(2); term < terms; term++ {
		// A new handle leads, which nobody else writes through.
		leader := stores[term%3].Handle()
		require.NoError(t, leader.Lead(t.Context(), term))
		for n := range int64(5) {
			require.NoError(t, leader.SaveRelay(t.Context(), storage.RelayChange{Head: 100*term + n}))
			head, err := leader.RelayHead(t.Context())
			require.NoError(t, err)
			require.Equal(t, 100*term+n, head)
		}
		require.NoError(t, leader.Close())
		require.NoError(t, stores[term%3].Lead(t.Context(), term), "the same term again")
	}
	close(stop)
	running.Wait()
	require.Empty(t, errs)
}
