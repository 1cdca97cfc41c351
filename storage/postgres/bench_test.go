package postgres_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/postgres"
)

const benchApp = "1f2e3d4c5b6a798081726354"

func benchID(i int) string { return fmt.Sprintf("%019x", uint64(i)*0x9e3779b97f4a7c15) }

// listed is a push in chunks of 1,000, with follow-ups.
func listed(id int64, recipients, steps int) storage.PushDraft {
	now := time.Now()
	draft := storage.PushDraft{Push: storage.Push{ID: id, App: benchApp, Listed: true, CreateTime: now, TimeToLive: time.Hour,
		Document: []byte(`{"to":{"registration_id":[]},"body":{"platform":"all","notification":{"alert":"Hello"}}}`)}}
	for i := range steps {
		draft.Steps = append(draft.Steps, storage.StepDraft{Number: i + 1, Offset: time.Hour})
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

// deliver claims up to a number of due dispatches, starts and sends them, and returns how many there were. It adds up what each call
// took.
func deliver(b *testing.B, store storage.Store, limit int, claiming, starting, finishing *atomic.Int64) int {
	b.Helper()
	began := time.Now()
	claims, err := store.ClaimDispatches(b.Context(), storage.ClaimRequest{App: benchApp, Now: began, Lease: time.Hour, Limit: limit})
	require.NoError(b, err)
	claiming.Add(int64(time.Since(began)))
	for _, c := range claims {
		d := c.Dispatch
		began = time.Now()
		require.NoError(b, store.StartDispatch(b.Context(), storage.DispatchStart{ID: d.ID, Attempt: d.Attempt}))
		started := time.Now()
		_, err := store.FinishDispatch(b.Context(), storage.DispatchResult{ID: d.ID, Attempt: d.Attempt, State: storage.DispatchSent,
			Time: started, UpstreamID: fmt.Sprint(1666165485030000000 + d.ID)})
		require.NoError(b, err)
		starting.Add(int64(started.Sub(began)))
		finishing.Add(int64(time.Since(started)))
	}
	return len(claims)
}

// BenchmarkPush creates, claims, starts and finishes pushes to one recipient each.
func BenchmarkPush(b *testing.B) {
	server := durableServer(b)
	for _, callers := range []int{1, 16} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			store, err := postgres.Open(b.Context(), postgres.Options{DSN: server.Database(b), Connections: callers})
			require.NoError(b, err)
			defer func() { require.NoError(b, store.Close()) }()
			var next, creating, claiming, starting, finishing atomic.Int64
			b.ResetTimer()
			var all sync.WaitGroup
			for range callers {
				all.Go(func() {
					for id := next.Add(1); id <= int64(b.N); id = next.Add(1) {
						began := time.Now()
						_, _, err := store.CreatePush(b.Context(), listed(id, 1, 1))
						require.NoError(b, err)
						creating.Add(int64(time.Since(began)))
						deliver(b, store, 1, &claiming, &starting, &finishing)
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pushes/s")
			for part, took := range map[string]*atomic.Int64{"create": &creating, "claim": &claiming, "start": &starting, "finish": &finishing} {
				b.ReportMetric(float64(took.Load())/float64(b.N)/1e6, part+"-ms")
			}
		})
	}
}

// million is a push to a million that was sent; everybody got it, and a third clicked.
func million(b *testing.B) (store *postgres.Store, id int64) {
	b.Helper()
	const recipients = 1_000_000
	dsn := durableServer(b).Database(b)
	store, err := postgres.Open(b.Context(), postgres.Options{DSN: dsn})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, store.Close()) })
	began := time.Now()
	_, _, err = store.CreatePush(b.Context(), listed(1, recipients, 11))
	require.NoError(b, err)
	b.Logf("created in %v", time.Since(began))
	began = time.Now()
	sendOut(b, store)
	b.Logf("sent in %v", time.Since(began))
	conn, err := pgx.Connect(b.Context(), dsn)
	require.NoError(b, err)
	defer conn.Close(b.Context())
	got := storage.Progress(0).With(0, storage.Delivered)
	_, err = conn.Exec(b.Context(), `INSERT INTO progress (push_id, ordinal, word, was)
		SELECT 1, o, CASE WHEN o % 3 = 0 THEN $1::bigint ELSE $2::bigint END, 0 FROM generate_series(0, $3::bigint - 1) o`,
		int64(got.With(0, storage.Clicked)), int64(got), recipients)
	require.NoError(b, err)
	_, err = conn.Exec(b.Context(), `VACUUM ANALYZE`)
	require.NoError(b, err)
	return store, 1
}

// sendOut sends all that is due.
func sendOut(b *testing.B, store storage.Store) {
	b.Helper()
	var took atomic.Int64
	for n := 1; n > 0; {
		n = deliver(b, store, 100, &took, &took, &took)
	}
}

// BenchmarkPlanStep plans steps for a million recipients: pages of 10,000 are read, and planned in chunks of 1,000 of those who did
// not click.
func BenchmarkPlanStep(b *testing.B) {
	store, id := million(b)
	step := 0
	for b.Loop() {
		if step++; step > 11 {
			b.StopTimer()
			step = 1
			id++
			_, _, err := store.CreatePush(b.Context(), listed(id, 1_000_000, 11))
			require.NoError(b, err)
			sendOut(b, store)
			b.StartTimer()
		}
		chunk, from := 0, uint32(0)
		for done := false; !done; {
			recipients, err := store.ScanRecipients(b.Context(), id, from, storage.MaxPage)
			require.NoError(b, err)
			done = len(recipients) < storage.MaxPage
			plan := storage.StepPlan{PushID: id, Step: step, From: from, Through: from + uint32(len(recipients)), Done: done, Time: time.Now(),
				PassedOver: storage.PassedOver{}}
			for i := 0; i < len(recipients); i += 1000 {
				d := storage.DispatchDraft{Chunk: chunk, DueTime: plan.Time}
				for _, r := range recipients[i:min(i+1000, len(recipients))] {
					if r.Progress.InAnyStep().Has(storage.Clicked) {
						plan.PassedOver[storage.ReasonMilestoneReached] = append(plan.PassedOver[storage.ReasonMilestoneReached], r.Ordinal)
					} else {
						d.Recipients = append(d.Recipients, r.Ordinal)
					}
				}
				plan.Dispatches = append(plan.Dispatches, d)
				chunk++
			}
			require.NoError(b, store.PlanStep(b.Context(), plan))
			from = plan.Through
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/step")
}

// BenchmarkOutcomes counts what two follow-ups to a million recipients brought.
func BenchmarkOutcomes(b *testing.B) {
	store, id := million(b)
	for step := 1; step <= 2; step++ {
		plan := storage.StepPlan{PushID: id, Step: step, Through: 1_000_000, Done: true, Time: time.Now()}
		for chunk := range 1000 {
			d := storage.DispatchDraft{Chunk: chunk, DueTime: plan.Time}
			for i := range uint32(1000) {
				if o := uint32(chunk)*1000 + i; o%3 > 0 {
					d.Recipients = append(d.Recipients, o)
				}
			}
			plan.Dispatches = append(plan.Dispatches, d)
		}
		require.NoError(b, store.PlanStep(b.Context(), plan))
	}
	sendOut(b, store)
	for b.Loop() {
		o, err := store.Outcomes(b.Context(), id)
		require.NoError(b, err)
		require.Equal(b, 666_666, o.FollowedUp.Recipients)
	}
}
