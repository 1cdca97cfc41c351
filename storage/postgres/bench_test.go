package postgres_test

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/postgres"
	"susul.dev/susul/storage/postgres/postgrestest"
)

const benchApp = "1f2e3d4c5b6a798081726354"

// durable opens a handle onto an empty database of a PostgreSQL that waits for the disk.
func durable(b *testing.B) *postgres.Store {
	b.Helper()
	postgrestest.Shared(b) // skips the benchmark where there is no PostgreSQL
	server, err := postgrestest.Start(postgrestest.Options{Durable: os.Getenv("NODUR") == "", Settings: []string{"shared_buffers=512MB", "max_wal_size=4GB"}})
	require.NoError(b, err)
	b.Cleanup(server.Stop)
	store, err := postgres.Open(b.Context(), postgres.Options{DSN: server.Database(b), Connections: 32})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, store.Close()) })
	return store
}

func benchID(i int) string { return fmt.Sprintf("%019x", uint64(i)*0x9e3779b97f4a7c15) }

// listed is a push in chunks of 1,000, with one follow-up.
func listed(id int64, recipients int) storage.PushDraft {
	now := time.Now()
	draft := storage.PushDraft{
		Push: storage.Push{ID: id, App: benchApp, Listed: true, CreateTime: now, TimeToLive: time.Hour,
			Document: []byte(`{"to":{"registration_id":[]},"body":{"platform":"all","notification":{"alert":"Hello"}}}`)},
		Steps: []storage.StepDraft{{Number: 1, Offset: time.Hour}},
	}
	for i := range recipients {
		draft.Recipients = append(draft.Recipients, benchID(i))
		if i%1000 == 0 {
			draft.Dispatches = append(draft.Dispatches, storage.DispatchDraft{Chunk: i / 1000, DueTime: now, ExpireTime: now.Add(time.Hour)})
		}
		last := &draft.Dispatches[len(draft.Dispatches)-1]
		last.Recipients = append(last.Recipients, uint32(i))
	}
	return draft
}

// deliver claims up to a number of due dispatches, starts and sends them, and returns how many there were.
func deliver(b *testing.B, store storage.Store, limit int) int {
	b.Helper()
	now := time.Now()
	claims, err := store.ClaimDispatches(b.Context(), storage.ClaimRequest{App: benchApp, Now: now, Lease: time.Hour, Limit: limit})
	require.NoError(b, err)
	for _, c := range claims {
		d := c.Dispatch
		require.NoError(b, store.StartDispatch(b.Context(), storage.DispatchStart{ID: d.ID, Attempt: d.Attempt}))
		_, err := store.FinishDispatch(b.Context(), storage.DispatchResult{ID: d.ID, Attempt: d.Attempt, State: storage.DispatchSent,
			Time: now, UpstreamID: fmt.Sprint(1666165485030000000 + d.ID)})
		require.NoError(b, err)
	}
	return len(claims)
}

// BenchmarkPush creates, claims, starts and finishes pushes to one recipient each.
func BenchmarkPush(b *testing.B) {
	for _, callers := range []int{1, 16} {
		b.Run(fmt.Sprint(callers, " callers"), func(b *testing.B) {
			store := durable(b)
			var next atomic.Int64
			var took [4]atomic.Int64
			b.ResetTimer()
			var wg sync.WaitGroup
			for range callers {
				wg.Go(func() {
					for id := next.Add(1); id <= int64(b.N); id = next.Add(1) {
						began := time.Now()
						_, _, err := store.CreatePush(b.Context(), listed(id, 1))
						require.NoError(b, err)
						created := time.Now()
						took[0].Add(int64(created.Sub(began)))
						claims, err := store.ClaimDispatches(b.Context(), storage.ClaimRequest{App: benchApp, Now: time.Now(), Lease: time.Hour, Limit: 1})
						require.NoError(b, err)
						claimed := time.Now()
						took[1].Add(int64(claimed.Sub(created)))
						for _, c := range claims {
							d := c.Dispatch
							require.NoError(b, store.StartDispatch(b.Context(), storage.DispatchStart{ID: d.ID, Attempt: d.Attempt}))
							started := time.Now()
							took[2].Add(int64(started.Sub(claimed)))
							_, err := store.FinishDispatch(b.Context(), storage.DispatchResult{ID: d.ID, Attempt: d.Attempt, State: storage.DispatchSent,
								Time: time.Now(), UpstreamID: fmt.Sprint(1666165485030000000 + d.ID)})
							require.NoError(b, err)
							took[3].Add(int64(time.Since(started)))
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pushes/s")
			for i, part := range []string{"create", "claim", "start", "finish"} {
				b.ReportMetric(float64(took[i].Load())/float64(b.N)/1000, part+"-µs")
			}
		})
	}
}
