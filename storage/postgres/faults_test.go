package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/postgres"
	"susul.dev/susul/storage/postgres/postgrestest"
)

// ownServer runs a PostgreSQL for one test.
func ownServer(t *testing.T, settings ...string) *postgrestest.Server {
	t.Helper()
	postgrestest.Shared(t) // or the test is skipped
	server, err := postgrestest.Start(postgrestest.Options{Settings: settings})
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	return server
}

func draft(id int64) storage.PushDraft {
	now := time.UnixMilli(1_772_000_000_000).UTC()
	return storage.PushDraft{
		Push: storage.Push{ID: id, App: "app", RequestID: fmt.Sprint("request-", id), Listed: true, CreateTime: now, TimeToLive: time.Hour,
			Fingerprint: []byte{1}, Document: []byte(`{}`)},
		Recipients: []string{"a", "b"},
		Dispatches: []storage.DispatchDraft{{Recipients: []uint32{0, 1}, DueTime: now, ExpireTime: now.Add(time.Hour)}},
		Steps:      []storage.StepDraft{{Number: 1, Offset: time.Hour}},
	}
}

// creators store pushes until they are stopped, each again until that works.
type creators struct {
	stored  atomic.Int64
	refused atomic.Int64
	wrong   atomic.Pointer[error]
	stop    func() (stored []int64)
}

func startCreators(ctx context.Context, store *postgres.Store, n int) *creators {
	c := &creators{}
	var mu sync.Mutex
	var all []int64
	var running sync.WaitGroup
	var next atomic.Int64
	var stopped atomic.Bool
	for range n {
		running.Go(func() {
			for !stopped.Load() {
				id := next.Add(1)
				for {
					_, _, err := store.CreatePush(ctx, draft(id))
					if err == nil {
						break
					}
					c.refused.Add(1)
					if !errors.Is(err, storage.ErrUnavailable) {
						c.wrong.Store(&err)
						return
					}
				}
				c.stored.Add(1)
				mu.Lock()
				all = append(all, id)
				mu.Unlock()
			}
		})
	}
	c.stop = func() []int64 {
		stopped.Store(true)
		running.Wait()
		return all
	}
	return c
}

// await waits until some more pushes were stored.
func (c *creators) await(t *testing.T, more int64) {
	t.Helper()
	target := c.stored.Load() + more
	require.Eventually(t, func() bool { return c.stored.Load() >= target || c.wrong.Load() != nil }, soon, time.Millisecond)
}

func (c *creators) requireAll(t *testing.T, store *postgres.Store) {
	t.Helper()
	stored := c.stop()
	if wrong := c.wrong.Load(); wrong != nil {
		require.NoError(t, *wrong)
	}
	for _, id := range stored {
		p, err := store.PushOf(t.Context(), id)
		require.NoError(t, err)
		recipients, err := store.ScanRecipients(t.Context(), p.ID, 0, 10)
		require.NoError(t, err)
		require.Len(t, recipients, 2)
	}
	pushes, err := store.ListPushes(t.Context(), storage.PushQuery{App: "app"})
	require.NoError(t, err)
	require.Len(t, pushes, min(len(stored), storage.MaxPage), "and no others")
}

func TestRestartsAreSurvived(t *testing.T) {
	t.Parallel()
	server := ownServer(t)
	dsn := server.Database(t)
	stores := openAll(t, dsn, 2)
	store := stores[0]
	answers, cancel := store.SubscribeAnswers()
	t.Cleanup(cancel)
	creators := startCreators(t.Context(), store, 6)
	for _, crash := range []bool{false, true} {
		creators.await(t, 20)
		refused := creators.refused.Load()
		require.NoError(t, server.Down(crash))
		require.Eventually(t, func() bool { return creators.refused.Load() > refused }, soon, time.Millisecond)
		require.ErrorIs(t, store.Ping(t.Context()), storage.ErrUnavailable)
		_, err := store.PushOf(t.Context(), 1)
		require.ErrorIs(t, err, storage.ErrUnavailable)
		require.ErrorIs(t, store.Lead(t.Context(), 1), storage.ErrUnavailable)
		require.NoError(t, server.Up())
		creators.await(t, 20)
		require.NoError(t, store.Ping(t.Context()))
		listening(t, dsn, 2)
		stores[1].Tell(false, false, store, 7)
		require.EqualValues(t, 7, requireSignal(t, answers))
	}
	creators.requireAll(t, store)
}

func TestConnectionsThatAreCutAreMadeAgain(t *testing.T) {
	t.Parallel()
	dsn := emptyDatabase(t)
	store := openAll(t, dsn, 1)[0]
	creators := startCreators(t.Context(), store, 6)
	conn := admin(t, dsn)
	for range 10 {
		creators.await(t, 10)
		_, err := conn.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		require.NoError(t, err)
	}
	creators.requireAll(t, store)
}

func TestADatabaseThatTakesNoWritesIsUnavailable(t *testing.T) {
	t.Parallel()
	dsn := emptyDatabase(t)
	conn := admin(t, dsn)
	store := openAll(t, dsn, 1)[0]
	_, _, err := store.CreatePush(t.Context(), draft(1))
	require.NoError(t, err)
	cut := func(setting string) {
		_, err := conn.Exec(t.Context(), `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I `+setting+`', current_database()); END $$`)
		require.NoError(t, err)
		_, err = conn.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		require.NoError(t, err)
	}
	cut(`SET default_transaction_read_only = on`)
	require.ErrorIs(t, store.Ping(t.Context()), storage.ErrUnavailable)
	_, _, err = store.CreatePush(t.Context(), draft(2))
	require.ErrorIs(t, err, storage.ErrUnavailable)
	_, err = store.PushOf(t.Context(), 1)
	require.NoError(t, err, "reading goes on")

	cut(`RESET default_transaction_read_only`)
	require.NoError(t, store.Ping(t.Context()))
	_, _, err = store.CreatePush(t.Context(), draft(2))
	require.NoError(t, err)
}

// Others may have taken all the connections that there may be.
func TestADatabaseWithoutFreeConnectionsIsUnavailable(t *testing.T) {
	t.Parallel()
	server := ownServer(t, "max_connections=12", "superuser_reserved_connections=3")
	name, err := server.Create(t.Context(), "")
	require.NoError(t, err)
	superuser, err := pgx.Connect(t.Context(), server.DSN(name))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, superuser.Close(context.Background())) })
	for _, statement := range []string{`CREATE ROLE plain LOGIN`, `ALTER DATABASE ` + name + ` OWNER TO plain`,
		`ALTER SCHEMA public OWNER TO plain`} {
		_, err := superuser.Exec(t.Context(), statement)
		require.NoError(t, err)
	}
	dsn := strings.Replace(server.DSN(name), "susul@", "plain@", 1)
	store := openAll(t, dsn, 1)[0] // who owns the database need not be more than that
	_, _, err = store.CreatePush(t.Context(), draft(1))
	require.NoError(t, err)

	_, err = superuser.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'plain'`)
	require.NoError(t, err)
	var others []*pgx.Conn
	for {
		conn, err := pgx.Connect(t.Context(), dsn)
		if err != nil {
			break
		}
		others = append(others, conn)
	}
	require.Eventually(t, func() bool { // the listener may have been quicker, and gives its connection to nobody
		err = store.Ping(t.Context())
		return errors.Is(err, storage.ErrUnavailable)
	}, soon, time.Millisecond)
	for _, conn := range others {
		require.NoError(t, conn.Close(t.Context()))
	}
	require.Eventually(t, func() bool { return store.Ping(t.Context()) == nil }, soon, time.Millisecond)
}

// A statement ends with the context of its caller, and its connection is of use again.
func TestAStatementEndsWithItsContext(t *testing.T) {
	t.Parallel()
	dsn := emptyDatabase(t)
	store := openAll(t, dsn, 1)[0]
	_, _, err := store.CreatePush(t.Context(), draft(1))
	require.NoError(t, err)
	holder := admin(t, dsn)
	held, err := holder.Begin(t.Context())
	require.NoError(t, err)
	_, err = held.Exec(t.Context(), `SELECT FROM push FOR UPDATE`)
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := store.WithdrawPush(ctx, "app", 1)
		ended <- err
	}()
	watcher := admin(t, dsn)
	waiting := func() (n int) {
		require.NoError(t, watcher.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&n))
		return n
	}
	require.Eventually(t, func() bool { return waiting() == 1 }, soon, time.Millisecond)
	cancel()
	require.ErrorIs(t, requireSignal(t, ended), context.Canceled)
	require.Eventually(t, func() bool { return waiting() == 0 }, soon, time.Millisecond)
	require.NoError(t, held.Rollback(t.Context()))
	p, err := store.WithdrawPush(t.Context(), "app", 1)
	require.NoError(t, err)
	require.Equal(t, storage.PushWithdrawing, p.State)
}

// Who holds a lock and does not move keeps others waiting for a bounded time.
func TestLocksAreWaitedForWithinBounds(t *testing.T) {
	t.Parallel()
	dsn := emptyDatabase(t)
	store := openAll(t, dsn+"&lock_timeout=50ms", 1)[0]
	_, _, err := store.CreatePush(t.Context(), draft(1))
	require.NoError(t, err)
	held, err := admin(t, dsn).Begin(t.Context())
	require.NoError(t, err)
	_, err = held.Exec(t.Context(), `SELECT FROM push FOR UPDATE`)
	require.NoError(t, err)
	_, err = store.WithdrawPush(t.Context(), "app", 1)
	require.ErrorIs(t, err, storage.ErrUnavailable)
	require.NoError(t, held.Rollback(t.Context()))
	_, err = store.WithdrawPush(t.Context(), "app", 1)
	require.NoError(t, err)
}

// Where the disk is full nothing is stored, and all of it is when there is room again.
func TestAFullDiskIsUnavailable(t *testing.T) {
	t.Parallel()
	dsn := emptyDatabase(t)
	store := openAll(t, dsn, 1)[0]
	announced(t, store, 1, 2, 2)
	sendEverything(t, store)
	conn := admin(t, dsn)
	_, err := conn.Exec(t.Context(), `CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN RAISE 'could not extend the file: No space left on device' USING ERRCODE = 'disk_full'; END $$`)
	require.NoError(t, err)
	callback := reported(upstreamOf(1, 0), deviceID(0), storage.Delivered)
	for _, table := range []string{"push", "recipient", "dispatch", "progress", "log_head", "segment"} {
		_, err := conn.Exec(t.Context(), `CREATE TRIGGER no_room BEFORE INSERT OR UPDATE ON `+table+` EXECUTE FUNCTION no_room()`)
		require.NoError(t, err)
		switch table {
		case "push", "recipient", "dispatch":
			_, _, err = store.CreatePush(t.Context(), draft(2))
		default:
			_, err = store.RecordCallbacks(t.Context(), recordApp, recordTime, []storage.Callback{callback})
		}
		require.ErrorIs(t, err, storage.ErrUnavailable, table)
		_, err = conn.Exec(t.Context(), `DROP TRIGGER no_room ON `+table)
		require.NoError(t, err)
	}
	require.Equal(t, storage.CallbackSummary{New: 1}, record(t, store, callback), "nothing of it was counted before")
	_, created, err := store.CreatePush(t.Context(), draft(2))
	require.NoError(t, err)
	require.True(t, created)
}

// A PostgreSQL that took over may lack what the former was the only one to have.
func TestAPolicyThatWasLostIsStoredAgain(t *testing.T) {
	t.Parallel()
	dsn := emptyDatabase(t)
	store := openAll(t, dsn, 1)[0]
	d := draft(1)
	d.Push.Policy = &storage.PinnedPolicy{UID: "uid", Revision: 7, Name: "policy", Spec: []byte{1}}
	_, _, err := store.CreatePush(t.Context(), d)
	require.NoError(t, err)
	_, err = admin(t, dsn).Exec(t.Context(), `TRUNCATE policy_revision CASCADE`)
	require.NoError(t, err)
	d.Push.ID++
	p, created, err := store.CreatePush(t.Context(), d)
	require.NoError(t, err)
	require.True(t, created)
	require.Equal(t, d.Push.Policy, p.Policy)
}
