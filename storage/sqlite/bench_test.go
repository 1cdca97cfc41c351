package sqlite

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
)

const benchApp = "1f2e3d4c5b6a798081726354"

// BenchmarkRecordCallbacks sends batches of 100 from 64 callers about one push of 100,000 recipients: sent, delivered and
// clicked, in a random order of recipients, each callback once. After three rounds a new push begins.
func BenchmarkRecordCallbacks(b *testing.B) {
	const batch, recipients = 100, 100_000
	s := fresh(b, Options{})
	feed := newFeed(b, s, recipients, batch)
	b.SetParallelism(32) // times GOMAXPROCS
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			rows := feed.next()
			summary, err := s.RecordCallbacks(b.Context(), benchApp, time.Now(), rows)
			if err != nil || summary.New != batch {
				b.Errorf("%+v %v", summary, err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkRecordCallbacksOfManyPushes is the case that favours nobody: each batch touches a hundred pushes.
func BenchmarkRecordCallbacksOfManyPushes(b *testing.B) {
	const pushes, recipients = 1000, 100
	s := fresh(b, Options{})
	for i := range pushes {
		createListed(b, s, int64(i+1), recipients)
	}
	sendAll(b, s)
	b.SetParallelism(32)
	b.ResetTimer()
	work := make(chan int, b.N)
	for i := range b.N {
		work <- i
	}
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			n := <-work
			rows := make([]storage.Callback, 100)
			for i := range rows {
				at := n*100 + i
				rows[i] = storage.Callback{UpstreamID: upstreamID(1 + at%pushes), RegistrationID: benchID(at / pushes % recipients),
					Status: fmt.Sprint("status", at/pushes/recipients), Milestone: storage.Sent, Time: time.Now()}
			}
			if _, err := s.RecordCallbacks(context.Background(), benchApp, time.Now(), rows); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N*100)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkCreatePush also tells how long somebody else's callback waits at most meanwhile.
func BenchmarkCreatePush(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := fresh(b, Options{})
			drafts := make([]storage.PushDraft, b.N)
			for i := range drafts {
				drafts[i] = listedDraft(int64(i+1), n)
			}
			longest := waits(b, s)
			b.ResetTimer()
			for _, draft := range drafts {
				_, _, err := s.CreatePush(b.Context(), draft)
				require.NoError(b, err)
			}
			b.StopTimer()
			b.ReportMetric(float64(longest().Milliseconds()), "longest-wait-ms")
			b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "recipients/s")
		})
	}
}

// waits records one row after the other until it is asked for the longest wait of one.
func waits(tb testing.TB, s *Store) (longest func() time.Duration) {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())
	answer := make(chan time.Duration)
	go func() {
		var longest time.Duration
		for i := 0; ctx.Err() == nil; i++ {
			began := time.Now()
			_, err := s.RecordCallbacks(context.Background(), benchApp, began,
				[]storage.Callback{{UpstreamID: "unknown", RegistrationID: benchID(i), Status: "sent"}})
			if err != nil {
				tb.Errorf("a callback beside a large push: %v", err)
			}
			longest = max(longest, time.Since(began))
		}
		answer <- longest
	}()
	return func() time.Duration {
		cancel()
		return <-answer
	}
}

func benchID(i int) string { return fmt.Sprintf("%019x", uint64(i)*0x9e3779b97f4a7c15) }

// upstreamID is the upstream id that sendAll gives a dispatch.
func upstreamID(dispatch int) string { return fmt.Sprintf("16661654850300%06d", dispatch) }

// listedDraft is a push in chunks of 1,000.
func listedDraft(id int64, recipients int) storage.PushDraft {
	draft := storage.PushDraft{Push: storage.Push{ID: id, App: benchApp, Listed: true, CreateTime: time.Now()}}
	for i := range recipients {
		draft.Recipients = append(draft.Recipients, benchID(i))
		if i%1000 == 0 {
			draft.Dispatches = append(draft.Dispatches, storage.DispatchDraft{Chunk: i / 1000, DueTime: time.Now()})
		}
		last := &draft.Dispatches[len(draft.Dispatches)-1]
		last.Recipients = append(last.Recipients, uint32(i))
	}
	return draft
}

func createListed(tb testing.TB, s *Store, id int64, recipients int) {
	tb.Helper()
	_, created, err := s.CreatePush(context.Background(), listedDraft(id, recipients))
	require.NoError(tb, err)
	require.True(tb, created)
}

// feed hands out batches of callbacks, each callback once.
type feed struct {
	rows   [][]storage.Callback
	pushes int
	at     atomic.Int64
}

// newFeed prepares as many pushes as the benchmark's batches need.
func newFeed(b *testing.B, s *Store, recipients, batch int) *feed {
	b.Helper()
	f := &feed{}
	for len(f.rows) < b.N {
		f.pushes++
		id := int64(f.pushes)
		createListed(b, s, id, recipients)
		upstreams := sendAll(b, s)
		for _, m := range []storage.Milestone{storage.Sent, storage.Delivered, storage.Clicked} {
			order := rand.New(rand.NewPCG(uint64(id), uint64(m))).Perm(recipients)
			for first := 0; first < recipients; first += batch {
				rows := make([]storage.Callback, batch)
				for i := range rows {
					to := order[first+i]
					rows[i] = storage.Callback{UpstreamID: upstreams[to/1000], RegistrationID: benchID(to), Milestone: m,
						Status: m.String(), Time: time.Now(), Channel: "FCM"}
				}
				f.rows = append(f.rows, rows)
			}
		}
	}
	return f
}

func (f *feed) next() []storage.Callback { return f.rows[f.at.Add(1)-1] }

// sendAll claims and sends all dispatches of the only open push, and returns their upstream ids by chunk.
func sendAll(tb testing.TB, s *Store) map[int]string {
	tb.Helper()
	upstreams := map[int]string{}
	for {
		claims, err := s.ClaimDispatches(tb.Context(), storage.ClaimRequest{App: benchApp, Now: time.Now(), Lease: time.Hour, Limit: 100})
		require.NoError(tb, err)
		if len(claims) == 0 {
			return upstreams
		}
		for _, c := range claims {
			up := upstreamID(int(c.Dispatch.ID))
			upstreams[c.Dispatch.Chunk] = up
			_, err := s.FinishDispatch(tb.Context(), storage.DispatchResult{ID: c.Dispatch.ID, Attempt: c.Dispatch.Attempt,
				State: storage.DispatchSent, Time: time.Now(), UpstreamID: up})
			require.NoError(tb, err)
		}
	}
}

// BenchmarkListEventRuns follows a log of long runs, and one in which each event is of another push than its neighbours.
func BenchmarkListEventRuns(b *testing.B) {
	for _, pushes := range []int{1, 1000} {
		b.Run(fmt.Sprintf("%d pushes", pushes), func(b *testing.B) {
			const events = 100_000
			s := fresh(b, Options{})
			for i := range pushes {
				createListed(b, s, int64(i+1), events/pushes)
			}
			sendAll(b, s)
			for first := 0; first < events; first += 1000 {
				rows := make([]storage.Callback, 1000)
				for i := range rows {
					at := first + i
					rows[i] = storage.Callback{UpstreamID: upstreamID(1 + at%pushes), RegistrationID: benchID(at / pushes), Status: "sent",
						Milestone: storage.Sent, Time: time.Now()}
					if pushes == 1 {
						rows[i].UpstreamID = upstreamID(1 + at/1000)
					}
				}
				summary, err := s.RecordCallbacks(b.Context(), benchApp, time.Now(), rows)
				require.NoError(b, err)
				require.Equal(b, 1000, summary.New)
			}
			for b.Loop() {
				after := int64(0)
				for after < events {
					runs, err := s.ListEventRuns(b.Context(), after, 1000)
					require.NoError(b, err)
					after = runs[len(runs)-1].Last
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/events, "ns/event")
		})
	}
}

// BenchmarkSaveRelay saves a thousand endpoints at a time, and a span of each.
func BenchmarkSaveRelay(b *testing.B) {
	s := fresh(b, Options{})
	var change storage.RelayChange
	for i := range 1000 {
		key := storage.RelayEndpointKey{App: benchApp, ID: fmt.Sprintf("url-%016x", i)}
		change.Endpoints = append(change.Endpoints, storage.RelayEndpoint{RelayEndpointKey: key, State: storage.RelayActive,
			URL: "https://example.com/callbacks/of/engagelab", LastError: "503 Service Unavailable", LastErrorTime: time.Now(),
			LastSuccess: time.Now(), CreateTime: time.Now()})
		change.Spans = append(change.Spans, storage.RelaySpan{RelayEndpointKey: key, ID: 1, Kind: storage.SpanRetry, PushID: 1,
			NextAttempt: time.Now(), CreateTime: time.Now(), LastError: "503 Service Unavailable"})
	}
	for b.Loop() {
		change.Head++
		for i := range change.Endpoints {
			change.Endpoints[i].Cursor++
			change.Spans[i].Next++
		}
		require.NoError(b, s.SaveRelay(b.Context(), change))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*2000), "ns/row")
}
