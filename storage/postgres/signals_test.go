package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage/postgres"
)

// soon is how long anything may take before a test gives up.
const soon = 20 * time.Second

func openAll(t *testing.T, dsn string, n int) []*postgres.Store {
	t.Helper()
	stores := make([]*postgres.Store, n)
	for i := range stores {
		stores[i] = open(t, dsn)
		t.Cleanup(func() { require.NoError(t, stores[i].Close()) })
	}
	return stores
}

func requireSignal[T any](t *testing.T, ch <-chan T) (got T) {
	t.Helper()
	select {
	case got = <-ch:
	case <-time.After(soon):
		t.Fatal("no signal came")
	}
	return got
}

// drain takes a signal that has come already.
func drain(ch <-chan struct{}) {
	select {
	case <-ch:
	default:
	}
}

func TestAnswersReachTheHandleThatMadeThePush(t *testing.T) {
	t.Parallel()
	dsn := emptyDatabase(t)
	stores := openAll(t, dsn, 2)
	maker, other := stores[0], stores[1]
	second := maker.Handle()
	t.Cleanup(func() { require.NoError(t, second.Close()) })

	answers, cancel := maker.SubscribeAnswers()
	wrong, cancelWrong := second.SubscribeAnswers()
	t.Cleanup(cancelWrong)
	listening(t, dsn, 2)
	const n = 1000 // more than one message has room for
	for push := range int64(n) {
		other.Tell(false, false, maker, push)
	}
	got := map[int64]bool{}
	for len(got) < n {
		got[requireSignal(t, answers)] = true
	}
	second.Tell(false, false, maker, n)
	require.EqualValues(t, n, requireSignal(t, answers), "another handle of the same process")
	maker.Tell(false, false, maker, n+1)
	second.Tell(false, false, maker, n+2)
	require.EqualValues(t, n+2, requireSignal(t, answers), "what the handle did itself is not told")
	cancel()
	cancel()
	second.Tell(false, false, maker, n+3)
	require.Empty(t, answers)
	require.Empty(t, wrong)
}

func TestAnswersThatNobodyTakesAreDropped(t *testing.T) {
	t.Parallel()
	dsn := emptyDatabase(t)
	stores := openAll(t, dsn, 1)
	maker, other := stores[0], stores[0].Handle()
	t.Cleanup(func() { require.NoError(t, other.Close()) })
	answers, cancel := maker.SubscribeAnswers()
	t.Cleanup(cancel)
	for push := range int64(10_000) {
		other.Tell(false, false, maker, push)
	}
	require.Less(t, len(answers), 10_000)
	require.EqualValues(t, 0, requireSignal(t, answers), "the earliest are kept")
}

// Who listens is told once when it was not heard for a while: news may have been missed.
func TestAListenerThatWasCutOffIsTold(t *testing.T) {
	t.Parallel()
	dsn := emptyDatabase(t)
	store := openAll(t, dsn, 1)[0]
	listening(t, dsn, 1)
	answers, cancel := store.SubscribeAnswers()
	t.Cleanup(cancel)
	other := openAll(t, dsn, 1)[0]
	listening(t, dsn, 2)

	conn := admin(t, dsn)
	var cut int
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE datname = current_database() AND query = 'LISTEN susul'`).Scan(&cut))
	require.Equal(t, 2, cut)
	listening(t, dsn, 2)
	other.Tell(false, false, store, 7)
	require.EqualValues(t, 7, requireSignal(t, answers))
}

// What somebody stored of whom nothing is heard any more is found all the same.
func TestLostNewsIsFound(t *testing.T) {
	t.Parallel()
	dsn := emptyDatabase(t)
	store := openAll(t, dsn, 1)[0]
	events, cancelEvents := store.SubscribeEvents()
	t.Cleanup(cancelEvents)
	work, cancelWork := store.SubscribeWork()
	t.Cleanup(cancelWork)
	requireSignal(t, work)
	requireSignal(t, work)
	requireSignal(t, events) // the log's end was looked at
	drain(events)
	_, err := admin(t, dsn).Exec(t.Context(), `UPDATE log_head SET sequence = 7`)
	require.NoError(t, err)
	requireSignal(t, events)
}

// admin is a connection of the test's own.
func admin(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close(context.Background())) })
	return conn
}

// listening waits until a number of processes listen.
func listening(t *testing.T, dsn string, n int) {
	t.Helper()
	conn := admin(t, dsn)
	require.Eventually(t, func() bool {
		var all int
		err := conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND query = 'LISTEN susul' AND state = 'idle'`).Scan(&all)
		return err == nil && all == n
	}, soon, 10*time.Millisecond)
}
