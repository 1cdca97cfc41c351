package relay

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/clock"
	"susul.dev/susul/server/subscription"
	"susul.dev/susul/server/webhook"
)

// BenchmarkRelay brings events of 100 pushes to endpoints that take everything at once, without signatures and HTTP.
func BenchmarkRelay(b *testing.B) {
	for _, endpoints := range []int{1, 100} {
		b.Run(fmt.Sprintf("endpoints=%d", endpoints), func(b *testing.B) { benchmarkRelay(b, endpoints) })
	}
}

func benchmarkRelay(b *testing.B, endpoints int) {
	b.Helper()
	store := newMemoryStore()
	for push := range int64(100) {
		store.urls[push+1] = nil
	}
	events := max(b.N/endpoints, 1)
	var rows atomic.Int64
	all := make(chan struct{})
	r := New(Options{
		Store: store, Apps: map[string]App{testApp: {}}, Clock: clock.Scaled(1), Logger: slog.New(slog.DiscardHandler),
		Poster: posterFunc(func(_ context.Context, q webhook.Request) webhook.Result {
			if rows.Add(int64(total(q.Body))) == int64(events*endpoints) {
				close(all)
			}
			return webhook.Result{Status: 200}
		}),
	})
	for range events/20 + 1 {
		store.commit(testApp, int64(len(store.events)/20%100+1), 0, 20)
	}
	events = len(store.events)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	b.ResetTimer()
	go func() { ended <- r.Run(ctx) }()
	<-r.loaded
	var subs []*subscription.Compiled
	for i := range endpoints {
		sub, err := subscription.Compile(subscription.Subscription{
			App: testApp, ID: fmt.Sprintf("s%d", i), UID: "u", URL: "https://s.example/", Secrets: []subscription.Secret{{Key: "0123456789abcdef"}},
		})
		require.NoError(b, err)
		subs = append(subs, sub)
	}
	r.subscribe(subs)
	<-all
	b.StopTimer()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events*endpoints), "ns/event")
	cancel()
	require.NoError(b, <-ended)
}

// total is how many rows a document says that it has.
func total(body []byte) (n int) {
	_, _ = fmt.Sscanf(string(body[:min(len(body), 24)]), `{"total":%d`, &n)
	return n
}
