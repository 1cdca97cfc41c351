package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
)

const day = 24 * time.Hour

// sentPush stores a push to two recipients that EngageLab has taken, with nothing more to come.
func sentPush(t *testing.T, store storage.Store, id int64, now time.Time) (upstreamID string) {
	t.Helper()
	d := draft(id)
	d.Push.CreateTime, d.Dispatches[0].DueTime, d.Dispatches[0].ExpireTime, d.Steps = now, now, now.Add(time.Hour), nil
	_, _, err := store.CreatePush(t.Context(), d)
	require.NoError(t, err)
	claims, err := store.ClaimDispatches(t.Context(), storage.ClaimRequest{App: "app", Now: now, Lease: time.Minute, Limit: 1})
	require.NoError(t, err)
	require.Len(t, claims, 1)
	c := claims[0].Dispatch
	require.NoError(t, store.StartDispatch(t.Context(), storage.DispatchStart{ID: c.ID, Attempt: c.Attempt}))
	upstreamID = fmt.Sprint("up-", id)
	_, err = store.FinishDispatch(t.Context(), storage.DispatchResult{ID: c.ID, Attempt: c.Attempt, State: storage.DispatchSent, Time: now,
		UpstreamID: upstreamID})
	require.NoError(t, err)
	return upstreamID
}

func report(t *testing.T, store storage.Store, now time.Time, upstreamID, device, status string) {
	t.Helper()
	row := storage.Callback{UpstreamID: upstreamID, RegistrationID: device, Milestone: storage.MilestoneUnknown, Status: status,
		Time: now.Truncate(time.Second), Raw: []byte("{}")}
	summary, err := store.RecordCallbacks(t.Context(), "app", now, []storage.Callback{row})
	require.NoError(t, err)
	require.Equal(t, storage.CallbackSummary{New: 1}, summary)
}

// dayTables returns the names of the tables that days have.
func dayTables(t *testing.T, conn *pgx.Conn) (names []string) {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT relname::text FROM pg_class WHERE relname ~ '^segment_.*[0-9]$' AND relkind = 'r' ORDER BY 1`)
	require.NoError(t, err)
	names, err = pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return names
}

func forgetAll(t *testing.T, store storage.Store, before time.Time) {
	t.Helper()
	for more := true; more; {
		var err error
		more, err = store.Forget(t.Context(), before)
		require.NoError(t, err)
	}
}

func number(t *testing.T, conn *pgx.Conn, query string) (n int) {
	t.Helper()
	require.NoError(t, conn.QueryRow(t.Context(), query).Scan(&n))
	return n
}

// A day goes with its table, and leaves nothing. What is reported meanwhile, for whatever day, is kept.
func TestDaysGoWithTheirTables(t *testing.T) {
	t.Parallel()
	dsn := emptyDatabase(t)
	store, other := open(t, dsn), open(t, dsn)
	conn := admin(t, dsn)
	begin := time.UnixMilli(1_772_000_000_000).UTC().Truncate(day).Add(23 * time.Hour)
	for i := range 4 {
		now := begin.Add(time.Duration(i) * day)
		report(t, store, now, sentPush(t, store, int64(i+1), now), "a", "odd")
	}
	require.Len(t, dayTables(t, conn), 4)
	require.Equal(t, 4, number(t, conn, `SELECT count(*) FROM event_detail`))

	stop := make(chan struct{})
	recorded := make(chan int)
	young := sentPush(t, store, 5, begin.Add(4*day))
	go func() { // days that go are written to again, by one that does not know
		n := 0
		for ; ; n++ {
			select {
			case <-stop:
				recorded <- n
				return
			default:
				now := begin.Add(time.Duration(3+n%2) * day)
				row := storage.Callback{UpstreamID: young, RegistrationID: "b", Status: fmt.Sprint("odd-", n), Time: now}
				if _, err := other.RecordCallbacks(context.Background(), "app", now, []storage.Callback{row}); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	forgetAll(t, store, begin.Add(2*day))
	left, err := store.ListEvents(t.Context(), storage.EventQuery{RegistrationID: "a", App: "app"})
	require.NoError(t, err)
	require.Len(t, left, 2)
	forgetAll(t, store, begin.Add(3*day))
	close(stop)
	n := <-recorded
	require.Positive(t, n)
	all, err := store.ListEvents(t.Context(), storage.EventQuery{PushID: 5})
	require.NoError(t, err)
	require.Len(t, all, min(n, storage.MaxPage))
	left, err = store.ListEvents(t.Context(), storage.EventQuery{RegistrationID: "a", App: "app"})
	require.NoError(t, err)
	require.Len(t, left, 1)

	require.NoError(t, other.Close())
	forgetAll(t, store, begin.Add(30*day))
	require.Empty(t, dayTables(t, conn))
	for _, table := range []string{"event_detail", "log_day", "recipient", "progress", "mark"} {
		require.Zero(t, number(t, conn, `SELECT count(*) FROM `+table), table)
	}
	require.Equal(t, 5, number(t, conn, `SELECT count(*) FROM push WHERE forgotten = 2`))
	now := begin.Add(30 * day)
	report(t, store, now, sentPush(t, store, 6, now), "a", "odd")
	require.NoError(t, store.Close())
}

// Who reads the log for long, as a backup does, keeps old days from going. He keeps nobody from storing events, nor Forget from the rest.
func TestALongReaderHoldsUpNobody(t *testing.T) {
	t.Parallel()
	dsn := emptyDatabase(t)
	store := openAll(t, dsn, 1)[0]
	hasty := openAll(t, dsn+"&lock_timeout=100ms", 1)[0]
	now := time.UnixMilli(1_772_000_000_000).UTC()
	old := sentPush(t, store, 1, now)
	report(t, store, now, old, "a", "odd")
	later := now.Add(10 * day)
	young := sentPush(t, store, 2, later)
	report(t, store, later, young, "a", "odd")

	reader, err := admin(t, dsn).Begin(t.Context())
	require.NoError(t, err)
	var events int
	require.NoError(t, reader.QueryRow(t.Context(), `SELECT sum(events) FROM segment`).Scan(&events))
	require.Equal(t, 2, events)

	forgotten := make(chan error)
	go func() {
		var err error
		for more := true; more && err == nil; {
			more, err = store.Forget(t.Context(), later)
		}
		forgotten <- err
	}()
	waitingForLocks(t, dsn, 1)
	report(t, store, later, young, "b", "odd")
	seen, err := store.ListEvents(t.Context(), storage.EventQuery{PushID: 2})
	require.NoError(t, err)
	require.Len(t, seen, 2)
	require.Empty(t, forgotten, "it waits")

	forgetAll(t, hasty, later) // which finds that somebody is at it, and leaves it
	require.NoError(t, reader.Rollback(t.Context()))
	require.NoError(t, requireSignal(t, forgotten))
	forgetAll(t, store, later)
	require.Len(t, dayTables(t, admin(t, dsn)), 1)

	reader, err = admin(t, dsn).Begin(t.Context())
	require.NoError(t, err)
	require.NoError(t, reader.QueryRow(t.Context(), `SELECT sum(events) FROM segment`).Scan(&events))
	require.Equal(t, 2, events)
	muchLater := later.Add(10 * day)
	forgetAll(t, hasty, muchLater) // is cut short
	forgetAll(t, hasty, muchLater) // finds what was cut short
	require.Equal(t, 1, number(t, admin(t, dsn), `SELECT count(*) FROM pg_inherits WHERE inhdetachpending`))
	require.NoError(t, reader.Rollback(t.Context()))
	forgetAll(t, store, muchLater)
	require.Empty(t, dayTables(t, admin(t, dsn)))
}
