package sqlite

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"susul.dev/susul/storage"
)

var benchEvents = flag.Int("bench.events", 2_000_000, "how many events BenchmarkListEvents reads")

// BenchmarkListEvents follows a log as the relay does: in pages of 2048 events, of all apps, or of 2048 sequences of one app.
// Its events came in batches of 100 from 64 callers, sent and delivered for each recipient, in a random order.
func BenchmarkListEvents(b *testing.B) {
	const page = 2048
	for _, pushes := range []int{1, 1000} {
		b.Run(fmt.Sprintf("pushes=%d", pushes), func(b *testing.B) {
			s := fresh(b, Options{})
			fillLog(b, s, pushes, *benchEvents/pushes/2)
			last, err := s.LastSequence(b.Context())
			require.NoError(b, err)
			for _, way := range []struct {
				name  string
				query storage.EventQuery
				step  int64
			}{
				{"all", storage.EventQuery{Limit: page}, 0},
				{"app", storage.EventQuery{App: benchApp}, page},
			} {
				b.Run(way.name, func(b *testing.B) {
					b.ReportAllocs()
					n := 0
					for b.Loop() {
						n += followLog(b, s, way.query, way.step, last)
					}
					require.Equal(b, int64(b.N)*last, int64(n))
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/event")
				})
			}
		})
	}
}

// followLog reads the whole log, in pages of a limit, or of so many sequences, and returns how many events it had.
func followLog(tb testing.TB, s *Store, q storage.EventQuery, step, last int64) (n int) {
	tb.Helper()
	for q.After = 0; q.After < last; {
		if step > 0 {
			q.Through = q.After + step
		}
		events, err := s.ListEvents(tb.Context(), q)
		require.NoError(tb, err)
		require.NotEmpty(tb, events)
		n += len(events)
		q.After = events[len(events)-1].Sequence
	}
	return n
}

// fillLog records that the messages of some pushes were sent and delivered.
func fillLog(tb testing.TB, s *Store, pushes, recipients int) {
	tb.Helper()
	upstreams := make([]map[int]string, pushes)
	for push := range pushes {
		createListed(tb, s, int64(push+1), recipients)
		upstreams[push] = sendAll(tb, s)
	}
	for _, m := range []storage.Milestone{storage.Sent, storage.Delivered} {
		order := rand.New(rand.NewPCG(1, uint64(m))).Perm(pushes * recipients)
		var callers errgroup.Group
		callers.SetLimit(64)
		for len(order) > 0 {
			some := order[:min(100, len(order))]
			order = order[len(some):]
			callers.Go(func() error {
				rows := make([]storage.Callback, len(some))
				for i, at := range some {
					to := at / pushes
					rows[i] = storage.Callback{UpstreamID: upstreams[at%pushes][to/1000], RegistrationID: benchID(to), Milestone: m,
						Status: m.String(), Time: time.Now(), Channel: "FCM"}
				}
				_, err := s.RecordCallbacks(tb.Context(), benchApp, time.Now(), rows)
				return err
			})
		}
		require.NoError(tb, callers.Wait())
	}
}
