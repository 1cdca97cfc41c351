package postgres_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/postgres"
	"susul.dev/susul/storage/postgres/postgrestest"
)

const (
	loadApp     = "load"
	loadBatch   = 100
	loadCallers = 64
)

var loadTotal = flag.Int("load.recipients", 1_000_000, "of how many recipients BenchmarkRecordCallbacks reports, of all pushes together")

func loadID(i int) string { return fmt.Sprintf("%019x", uint64(i)*0x9e3779b97f4a7c15) }

// BenchmarkRecordCallbacks sends batches of 100 from 64 callers about a million recipients of one push, or of a thousand: sent,
// delivered and clicked, in a random order, each callback once. Beside it, batches of 100 plain rows are inserted from as many callers.
func BenchmarkRecordCallbacks(b *testing.B) {
	server := durableServer(b)
	for _, pushes := range []int{1, 1000} {
		b.Run(fmt.Sprintf("pushes=%d", pushes), func(b *testing.B) {
			dsn := server.Database(b)
			store, err := postgres.Open(b.Context(), postgres.Options{DSN: dsn})
			require.NoError(b, err)
			defer func() { require.NoError(b, store.Close()) }()
			fill(b, store, dsn, pushes)
			order := rand.New(rand.NewPCG(1, 2)).Perm(*loadTotal)
			var stored atomic.Int64
			b.ResetTimer()
			callTogether(b, func(n int) error {
				summary, err := store.RecordCallbacks(b.Context(), loadApp, time.Now(), loadRows(order, pushes, n))
				stored.Add(int64(summary.New))
				return err
			})
			b.StopTimer()
			if b.N*loadBatch <= 3*(*loadTotal) {
				require.Equal(b, int64(b.N*loadBatch), stored.Load())
			}
			rate := float64(b.N*loadBatch) / b.Elapsed().Seconds()
			plain := plainInserts(b, dsn)
			b.ReportMetric(followLog(b, store), "ns/event-read")
			b.ReportMetric(followRuns(b, store), "ns/event-run")
			b.ReportMetric(rate, "rows/s")
			b.ReportMetric(plain, "plain-rows/s")
			b.ReportMetric(rate/plain, "of-plain")
		})
	}
}

// durableServer runs a PostgreSQL that waits for the disk, sized as an operator would.
func durableServer(b *testing.B) *postgrestest.Server {
	b.Helper()
	postgrestest.Shared(b) // skips the benchmark where PostgreSQL is not installed
	server, err := postgrestest.Start(postgrestest.Options{Durable: true,
		Settings: []string{"shared_buffers=1GB", "max_wal_size=8GB", "checkpoint_timeout=15min"}})
	require.NoError(b, err)
	b.Cleanup(server.Stop)
	return server
}

// fill creates pushes, of which EngageLab has all dispatches.
func fill(b *testing.B, store storage.Store, dsn string, pushes int) {
	b.Helper()
	size := (*loadTotal) / pushes
	for push := range pushes {
		d := storage.PushDraft{Push: storage.Push{ID: int64(push + 1), App: loadApp, Listed: true, CreateTime: time.Now()}}
		for i := range size {
			d.Recipients = append(d.Recipients, loadID(push*size+i))
			if i%1000 == 0 {
				d.Dispatches = append(d.Dispatches, storage.DispatchDraft{Chunk: i / 1000, DueTime: time.Now()})
			}
			last := &d.Dispatches[len(d.Dispatches)-1]
			last.Recipients = append(last.Recipients, uint32(i))
		}
		_, _, err := store.CreatePush(b.Context(), d)
		require.NoError(b, err)
	}
	pool, err := pgxpool.New(b.Context(), dsn)
	require.NoError(b, err)
	defer pool.Close()
	for _, statement := range []string{
		`UPDATE dispatch SET state = 'SENT', ready_time = NULL, upstream_id = push_id || '-' || chunk`,
		`VACUUM ANALYZE`, `CHECKPOINT`,
	} {
		_, err := pool.Exec(b.Context(), statement)
		require.NoError(b, err)
	}
}

// loadRows is the nth batch of callbacks.
func loadRows(order []int, pushes, n int) []storage.Callback {
	size := (*loadTotal) / pushes
	rows := make([]storage.Callback, loadBatch)
	for i := range rows {
		at := n*loadBatch + i
		m := [...]storage.Milestone{storage.Sent, storage.Delivered, storage.Clicked}[at/(*loadTotal)%3]
		to := order[at%*loadTotal]
		rows[i] = storage.Callback{UpstreamID: fmt.Sprintf("%d-%d", to/size+1, to%size/1000), RegistrationID: loadID(to), Milestone: m,
			Status: m.String(), Time: time.Now(), Channel: "FCM"}
	}
	return rows
}

// callTogether has many callers take turns until each of b.N calls was made.
func callTogether(b *testing.B, call func(n int) error) {
	b.Helper()
	var next atomic.Int64
	var callers errgroup.Group
	for range loadCallers {
		callers.Go(func() error {
			for n := int(next.Add(1)) - 1; n < b.N; n = int(next.Add(1)) - 1 {
				if err := call(n); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(b, callers.Wait())
}

// plainInserts returns how many rows a second can be inserted into a plain table, 100 with each commit.
func plainInserts(b *testing.B, dsn string) (rate float64) {
	b.Helper()
	config, err := pgxpool.ParseConfig(dsn)
	require.NoError(b, err)
	config.MaxConns = 16
	pool, err := pgxpool.NewWithConfig(b.Context(), config)
	require.NoError(b, err)
	defer pool.Close()
	_, err = pool.Exec(b.Context(), `CREATE TABLE plain (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, app text, upstream_id text,
		registration_id text, status text, time bigint)`)
	require.NoError(b, err)
	order := rand.New(rand.NewPCG(1, 2)).Perm(*loadTotal)
	began := time.Now()
	callTogether(b, func(n int) error {
		ids, names, statuses, times := make([]string, loadBatch), make([]string, loadBatch), make([]string, loadBatch), make([]int64, loadBatch)
		for i, row := range loadRows(order, 1, n) {
			ids[i], names[i], statuses[i], times[i] = row.UpstreamID, row.RegistrationID, row.Status, row.Time.UnixMilli()
		}
		_, err := pool.Exec(context.Background(), `INSERT INTO plain (app, upstream_id, registration_id, status, time)
			SELECT 'load', * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[])`, ids, names, statuses, times)
		return err
	})
	return float64(b.N*loadBatch) / time.Since(began).Seconds()
}

// followLog reads the whole log in pages, and returns how long an event takes, in nanoseconds.
func followLog(b *testing.B, store storage.Store) float64 {
	b.Helper()
	began, n := time.Now(), 0
	for q := (storage.EventQuery{Limit: 2048}); ; {
		events, err := store.ListEvents(b.Context(), q)
		require.NoError(b, err)
		if len(events) == 0 {
			return float64(time.Since(began).Nanoseconds()) / float64(n)
		}
		n += len(events)
		q.After = events[len(events)-1].Sequence
	}
}

// followRuns does likewise with the runs.
func followRuns(b *testing.B, store storage.Store) float64 {
	b.Helper()
	began, last := time.Now(), int64(0)
	for {
		runs, err := store.ListEventRuns(b.Context(), last, 1000)
		require.NoError(b, err)
		if len(runs) == 0 {
			return float64(time.Since(began).Nanoseconds()) / float64(last)
		}
		last = runs[len(runs)-1].Last
	}
}
