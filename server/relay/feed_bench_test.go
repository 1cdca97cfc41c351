package relay

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/sqlite"
)

// The log of the benchmarks: as a busy hour leaves it, a thousand events in a transaction.
const (
	benchPushes  = 20
	benchDevices = 2500
	benchEvents  = benchPushes * benchDevices * 4
)

func benchLog(b *testing.B) *sqlite.Store {
	b.Helper()
	s := openStore(b)
	for push := range int64(benchPushes) {
		upstream := createPush(b, s, "app", push+1, benchDevices)
		for rows := callbacks(upstream, benchDevices); len(rows) > 0; rows = rows[1000:] {
			_, err := s.RecordCallbacks(b.Context(), "app", time.Now(), rows[:1000])
			require.NoError(b, err)
		}
	}
	return s
}

// BenchmarkFollow is what it costs to follow the log, when nobody wants its events and when somebody does, beside the reads of the log
// alone.
func BenchmarkFollow(b *testing.B) {
	s := benchLog(b)
	quiet := func(calls bool) Store { return callingLog{s, calls} }
	perEvent := func(b *testing.B) {
		b.Helper()
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchEvents, "ns/event")
		b.ReportMetric(float64(b.N)*benchEvents/b.Elapsed().Seconds(), "events/s")
	}
	for name, calls := range map[string]bool{"nobody": false, "callback URLs": true} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f := quietFeed(quiet(calls), 0).start(0)
				for f.head() < benchEvents {
					_, err := f.step(b.Context())
					require.NoError(b, err)
				}
			}
			perEvent(b)
		})
	}
	b.Run("reads alone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for after := int64(0); after < benchEvents; {
				events, err := s.ListEvents(b.Context(), storage.EventQuery{After: after, Limit: followEvents})
				require.NoError(b, err)
				after = events[len(events)-1].Sequence
			}
		}
		perEvent(b)
	})
}

// BenchmarkReaders is a log that readers go through from its beginning, each looking at every event and its row; the rate is of all
// together.
func BenchmarkReaders(b *testing.B) {
	s := benchLog(b)
	for _, readers := range []int{1, 100} {
		for name, cacheBytes := range map[string]int64{"cached": 0, "hardly cached": 4 << 20} {
			b.Run(fmt.Sprintf("%d %s", readers, name), func(b *testing.B) {
				for b.Loop() {
					f := quietFeed(s, cacheBytes).start(benchEvents)
					var group errgroup.Group
					for range readers {
						group.Go(func() error { return readAll(b, f) })
					}
					require.NoError(b, group.Wait())
				}
				b.ReportMetric(float64(b.N*readers)*benchEvents/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}

func readAll(b *testing.B, f *feed) error {
	seen, bytes := 0, 0
	for position := int64(0); position < benchEvents; {
		p, err := f.page(b.Context(), "app", position)
		if err != nil {
			return err
		}
		for i := p.after(position); i < len(p.entries); i++ {
			seen++
			bytes += len(p.row(i))
		}
		position = p.through
	}
	if seen != benchEvents || bytes < seen {
		return fmt.Errorf("%d events, %d bytes", seen, bytes)
	}
	return nil
}

// callingLog is a log in which no push names callback URLs, or every one.
type callingLog struct {
	*sqlite.Store
	calls bool
}

func (l callingLog) ListEventRuns(ctx context.Context, after int64, limit int) ([]storage.EventRun, error) {
	runs, err := l.Store.ListEventRuns(ctx, after, limit)
	for i := range runs {
		runs[i].CallbackURLs = l.calls
	}
	return runs, err
}
