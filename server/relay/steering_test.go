package relay

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/subscription"
	"susul.dev/susul/server/webhook"
	"susul.dev/susul/storage"
)

// status has all receivers answer alike, until it is changed.
type status struct {
	mu   sync.Mutex
	code int
}

func (s *status) set(code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.code = code
}

func (s *status) answer(string, []int64) webhook.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	return answer(s.code, 0)
}

func TestSubscriptionsChange(t *testing.T) {
	r := newRig(t)
	const old = "https://old.example/in"
	r.subscribe(subscription.Subscription{ID: "s", URL: old, Filter: `event.registration_id != "3"`})
	r.run()
	r.store.commit(testApp, 1, 0, 2)
	r.eventually(func() bool { return r.receivers.has(old) == 2 }, "nothing comes")

	r.subscribe(subscription.Subscription{ID: "s", URL: old, Paused: true})
	r.store.commit(testApp, 1, 0, 3)
	r.eventually(func() bool { return r.health("sub-s").LagEvents == 3 }, "no lag")
	h := r.health("sub-s")
	r.True(h.Paused)
	r.Equal("s", h.Subscription)
	_, err := r.relay.Resume(t.Context(), testApp, "sub-s")
	r.ErrorIs(err, storage.ErrConflict)
	_, err = r.relay.Pause(t.Context(), testApp, "sub-s")
	r.ErrorIs(err, storage.ErrConflict)

	// It goes on elsewhere, with another filter, where it was.
	moved := r.subscribe(subscription.Subscription{ID: "s", URL: "https://new.example/in?token=secret", Filter: `event.registration_id != "4"`})
	r.eventually(func() bool { return r.receivers.has(moved) == 2 }, "they do not come")
	r.Equal(2, r.receivers.has(old))
	r.Equal("https://new.example/in", r.health("sub-s").Address)

	// The same id again is another subscription: it begins where it says.
	again := r.subscribe(subscription.Subscription{ID: "s", UID: "another", URL: "https://again.example/", Start: 4})
	r.eventually(func() bool { return r.receivers.has(again) == 1 }, "it does not begin")
	r.eventually(func() bool { return r.health("sub-s").Delivered == 1 }, "it has what the other had")

	r.subs = nil
	r.relay.subscribe(nil)
	_, err = r.relay.Endpoint(t.Context(), testApp, "sub-s")
	r.ErrorIs(err, storage.ErrNotFound)
	r.stop()
	r.Empty(r.store.endpoints)
}

// What waits in the lanes is asked again when the filter changes.
func TestFilterChangesUnderWay(t *testing.T) {
	r := newRig(t)
	s := &status{code: 429}
	r.receivers.answers = s.answer
	url := r.subscribe(subscription.Subscription{ID: "s"})
	r.run()
	r.store.commit(testApp, 1, 0, 10)
	r.eventually(func() bool { return r.health("sub-s").Attempts > 0 }, "nothing is tried")
	r.subscribe(subscription.Subscription{ID: "s", Filter: `event.registration_id == "7"`})
	s.set(200)
	_, err := r.relay.Resume(t.Context(), testApp, "sub-s")
	r.NoError(err)
	r.eventually(func() bool { return r.health("sub-s").LagEvents == 0 }, "it does not go on")
	r.Equal([]int{1, 1}, []int{r.receivers.has(url), r.receivers.took(url, 7)})
}

func TestGoneUntilResumed(t *testing.T) {
	for name, mend := range map[string]func(r *rig){
		"resumed": func(r *rig) {
			h, err := r.relay.Resume(t.Context(), testApp, "sub-s")
			r.NoError(err)
			r.Equal(storage.RelayActive, h.State)
		},
		"moved": func(r *rig) { r.subscribe(subscription.Subscription{ID: "s", URL: "https://s.example/in?moved"}) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			s := &status{code: 410}
			r.receivers.answers = s.answer
			r.subscribe(subscription.Subscription{ID: "s"})
			r.run()
			r.store.commit(testApp, 1, 0, 2)
			r.eventually(func() bool { return r.health("sub-s").State == storage.RelayGone }, "it is not gone")
			s.set(200)
			r.store.commit(testApp, 1, 0, 1)
			r.stop()
			r.run()
			r.eventually(func() bool { return r.health("sub-s").LagEvents == 3 }, "no lag")
			mend(r)
			r.eventually(func() bool { h := r.health("sub-s"); return h.Delivered == 3 && h.LagEvents == 0 }, "they do not come")
		})
	}
}

func TestPauseOfACallbackURL(t *testing.T) {
	r := newRig(t)
	const url = "https://shop.example/"
	id, _ := urlEndpointID(url)
	r.push(1, url)
	r.run()
	r.store.commit(testApp, 1, 0, 1)
	r.eventually(func() bool { return r.receivers.has(url) == 1 }, "nothing comes")
	h, err := r.relay.Pause(t.Context(), testApp, id)
	r.NoError(err)
	r.True(h.Paused)
	r.Equal(storage.RelayPaused, r.store.endpoints[storage.RelayEndpointKey{App: testApp, ID: id}].State, "it is on disk")
	r.store.commit(testApp, 1, 0, 5)
	r.kill()
	r.run()
	r.eventually(func() bool { return r.health(id).LagEvents == 5 }, "no lag")
	r.Equal(1, r.receivers.has(url))
	_, err = r.relay.Resume(t.Context(), testApp, id)
	r.NoError(err)
	r.eventually(func() bool { return r.receivers.has(url) == 6 }, "they do not come")

	_, err = r.relay.Pause(t.Context(), "other", id)
	r.ErrorIs(err, storage.ErrNotFound)
	list, err := r.relay.Endpoints(t.Context(), testApp, "", 10)
	r.NoError(err)
	r.Len(list, 1)
	list, err = r.relay.Endpoints(t.Context(), testApp, id, 10)
	r.NoError(err)
	r.Empty(list)
}

func TestReplays(t *testing.T) {
	r := newRig(t)
	url := r.subscribe(subscription.Subscription{ID: "s", Filter: `event.registration_id != "2"`})
	r.run()
	r.store.commit(testApp, 1, 0, 300)
	r.store.commit(testApp, 2, 0, 10)
	r.store.commit("other", 3, 0, 1)
	r.eventually(func() bool { return r.receivers.has(url) == 309 }, "not all come")
	taken := func(event int64) int { return r.receivers.took(url, event) }
	replay := func(s Selection) error {
		span, err := r.relay.Replay(t.Context(), testApp, "sub-s", s)
		if err == nil {
			r.Positive(span.ID)
			r.eventually(func() bool { return r.health("sub-s").Replays == 0 }, "it does not end")
		}
		return err
	}
	r.NoError(replay(Selection{Event: 7}))
	r.NoError(replay(Selection{Event: 2}))
	r.NoError(replay(Selection{PushID: 2}))
	r.Equal([]int{1, 0, 2, 1, 2}, []int{taken(1), taken(2), taken(7), taken(300), taken(301)})
	r.NoError(replay(Selection{StartTime: time.Unix(1, 0)}))
	r.Equal([]int{2, 0, 3, 2, 3}, []int{taken(1), taken(2), taken(7), taken(300), taken(301)})
	r.ErrorIs(replay(Selection{Event: 311}), storage.ErrNotFound, "another app's")
	r.ErrorIs(replay(Selection{Event: 400}), storage.ErrNotFound)
	r.ErrorIs(replay(Selection{PushID: 9}), storage.ErrNotFound)
	r.ErrorIs(replay(Selection{DeadLetter: 9}), storage.ErrNotFound)

	r.subscribe(subscription.Subscription{ID: "s", Paused: true})
	for range maxReplays {
		_, err := r.relay.Replay(t.Context(), testApp, "sub-s", Selection{Event: 1})
		r.NoError(err)
	}
	_, err := r.relay.Replay(t.Context(), testApp, "sub-s", Selection{Event: 1})
	r.ErrorIs(err, ErrTooManyReplays)
	spans, err := r.relay.Spans(t.Context(), testApp, "sub-s", storage.SpanReplay, 0, 2)
	r.NoError(err)
	r.Len(spans, 2)
	r.NoError(r.relay.DropSpan(t.Context(), testApp, "sub-s", storage.SpanReplay, spans[0].ID))
	r.ErrorIs(r.relay.DropSpan(t.Context(), testApp, "sub-s", storage.SpanReplay, spans[0].ID), storage.ErrNotFound)
	r.ErrorIs(r.relay.DropSpan(t.Context(), testApp, "sub-s", storage.SpanDead, spans[1].ID), storage.ErrNotFound)
	r.Equal(maxReplays-1, r.health("sub-s").Replays)
	r.kill()
	r.run()
	r.Equal(maxReplays-1, r.health("sub-s").Replays)
	before := taken(1)
	r.subscribe(subscription.Subscription{ID: "s"})
	r.eventually(func() bool { return r.health("sub-s").Replays == 0 }, "they do not end")
	r.Equal(before+maxReplays-1, taken(1))
}

// What retention takes before it was delivered is gone, and nothing waits for it.
func TestForgottenEvents(t *testing.T) {
	r := newRig(t)
	s := &status{code: 500}
	r.receivers.answers = s.answer
	url := r.subscribe(subscription.Subscription{ID: "s"})
	r.run()
	r.store.commit(testApp, 1, 0, 3)
	r.store.commit(testApp, 2, 0, 3)
	r.eventually(func() bool { return r.health("sub-s").Retrying == 2 }, "nothing is tried again")
	r.subscribe(subscription.Subscription{ID: "s", Paused: true})
	r.store.commit(testApp, 3, 0, 2*maxQueued)
	r.store.forget(6 + 2*maxQueued - 10)
	s.set(200)
	r.stop()
	r.run()
	r.subscribe(subscription.Subscription{ID: "s"})
	r.eventually(func() bool { h := r.health("sub-s"); return h.LagEvents == 0 && h.Retrying == 0 }, "it does not end")
	r.Equal(10, r.receivers.has(url))
}

// Endpoints that have all they can have hold no goroutine, and nothing in memory.
func TestIdleEndpointsRest(t *testing.T) {
	r := newRig(t)
	for push := range int64(50) {
		r.push(push+1, fmt.Sprintf("https://%d.example/", push))
	}
	r.run()
	for push := range int64(50) {
		r.store.commit(testApp, push+1, 0, 3)
	}
	for push := range int64(50) {
		r.eventually(func() bool { return r.receivers.has(fmt.Sprintf("https://%d.example/", push)) == 3 }, "they do not come")
	}
	for _, e := range r.relay.all() {
		r.eventually(func() bool {
			e.mu.Lock()
			defer e.mu.Unlock()
			return !e.working && e.rings.IsZero() && len(e.ledger.lanes.byPush) == 0
		}, "%s does not rest", e.id)
	}
	posts := r.receivers.postsTo("https://7.example/")
	r.store.commit(testApp, 8, 0, 1)
	r.eventually(func() bool { return r.receivers.has("https://7.example/") == 4 }, "it does not wake")
	r.Equal(posts+1, r.receivers.postsTo("https://7.example/"))
}

// Trouble with the store loses nothing.
func TestStoreFails(t *testing.T) {
	r := newRig(t)
	url := r.subscribe(subscription.Subscription{ID: "s"})
	r.run()
	total := 0
	for range 20 {
		r.store.memoryLog.mu.Lock()
		r.store.fail = rand.IntN(4)
		r.store.memoryLog.mu.Unlock()
		r.store.commit(testApp, int64(1+rand.IntN(3)), 0, 50)
		total += 50
		r.eventually(func() bool { return r.receivers.has(url) == total }, "they do not come")
	}
}

func TestTestOfAnEndpoint(t *testing.T) {
	r := newRig(t)
	s := &status{code: 200}
	r.receivers.answers = s.answer
	url := r.subscribe(subscription.Subscription{ID: "s", Paused: true, Format: subscription.EngageLab})
	r.run()
	result, err := r.relay.Test(t.Context(), testApp, "sub-s")
	r.NoError(err)
	r.Equal(TestResult{WebhookID: r.receivers.last.ID, Status: 200}, result)
	var document postedDocument
	r.NoError(json.Unmarshal(r.receivers.last.Body, &document))
	r.Len(document.Rows, 1)
	r.Equal("test", document.Rows[0].To)
	r.Equal("click", document.Rows[0].Status.MessageStatus)
	r.True(document.Rows[0].Susul.Test)
	r.Equal([]string{"0123456789abcdef"}, r.receivers.last.Secrets)
	r.Equal(url, r.receivers.last.URL)
	s.set(500)
	result, err = r.relay.Test(t.Context(), testApp, "sub-s")
	r.NoError(err)
	r.Equal("Internal Server Error", result.Error)
	r.Zero(r.health("sub-s").Attempts, "its health is touched")
	_, err = r.relay.Test(t.Context(), testApp, "sub-t")
	r.ErrorIs(err, storage.ErrNotFound)
}

func TestURLsOfAnAppAreBounded(t *testing.T) {
	r := newRig(t)
	r.run()
	url := func(i int) string { return fmt.Sprintf("https://%d.example/?key=1", i) }
	for i := range maxURLEndpoints {
		r.NoError(r.relay.Accepts(t.Context(), testApp, []string{url(i)}))
		r.NoError(r.relay.Accepts(t.Context(), testApp, []string{url(i), strings.TrimSuffix(url(i), "1") + "2"}), "it is the same endpoint")
	}
	r.ErrorIs(r.relay.Accepts(t.Context(), testApp, []string{url(1), url(-1)}), ErrTooManyEndpoints)
	r.NoError(r.relay.Accepts(t.Context(), "unknown", []string{url(-1)}))
	r.NoError(r.relay.Accepts(t.Context(), testApp, nil))

	// Those that get events count; what was promised counts for a day.
	for i := range 3 {
		r.push(int64(i+1), url(i))
		r.store.commit(testApp, int64(i+1), 0, 1)
	}
	r.eventually(func() bool { return r.receivers.has(url(0))+r.receivers.has(url(1))+r.receivers.has(url(2)) == 3 }, "nothing comes")
	r.ErrorIs(r.relay.Accepts(t.Context(), testApp, []string{url(-1)}), ErrTooManyEndpoints)
	r.relay.mu.Lock()
	for id := range r.relay.routes[testApp].promised {
		r.relay.routes[testApp].promised[id] = r.clock.Now().Add(-promiseFor - 1)
	}
	r.relay.mu.Unlock()
	r.NoError(r.relay.Accepts(t.Context(), testApp, []string{url(-1)}))
	r.Len(r.relay.sorted(testApp), 3)
	r.Len(r.relay.routes[testApp].promised, 1)
}

// Idle endpoints make room, if nothing is lost by it.
func TestIdleEndpointsMakeRoom(t *testing.T) {
	r := newRig(t)
	long := r.clock.Now().Add(-30 * 24 * time.Hour)
	for i := range maxURLEndpoints {
		key := storage.RelayEndpointKey{App: testApp, ID: fmt.Sprintf("url-%d", i)}
		row := storage.RelayEndpoint{RelayEndpointKey: key, State: storage.RelayActive, CreateTime: long, LastSuccess: long}
		switch i {
		case 0:
			row.State = storage.RelayPaused
		case 1:
			r.store.spans[storage.RelaySpanKey{RelayEndpointKey: key, ID: 1}] = storage.RelaySpan{RelayEndpointKey: key, ID: 1, Kind: storage.SpanDead}
		case 2:
		default:
			row.LastSuccess = r.clock.Now()
		}
		r.store.endpoints[key] = row
	}
	r.run()
	r.NoError(r.relay.Accepts(t.Context(), testApp, []string{"https://new.example/"}))
	r.ErrorIs(r.relay.Accepts(t.Context(), testApp, []string{"https://newer.example/"}), ErrTooManyEndpoints)
	r.stop()
	r.Len(r.store.endpoints, maxURLEndpoints-1)
	r.NotContains(r.store.endpoints, storage.RelayEndpointKey{App: testApp, ID: "url-2"})
}

func TestMetricsAndRecords(t *testing.T) {
	r := newRig(t)
	registry := prometheus.NewPedanticRegistry()
	var records lockedBuffer
	r.options = func(o *Options) {
		o.Registerer = registry
		o.Logger = slog.New(slog.NewJSONHandler(&records, nil))
	}
	s := &status{code: 200}
	r.receivers.answers = s.answer
	r.subscribe(subscription.Subscription{ID: "s", URL: "https://s.example/in?token=secret"})
	r.subscribe(subscription.Subscription{ID: "paused", Paused: true})
	r.run()
	r.store.commit(testApp, 1, 0, 3)
	r.eventually(func() bool { return r.health("sub-s").Delivered == 3 }, "nothing comes")
	s.set(500)
	r.store.commit(testApp, 1, 0, 2)
	r.eventually(func() bool { return r.health("sub-s").Failed == 1 }, "nothing fails")
	for series, want := range map[string]float64{
		"susul_relay_attempts_total delivered": 1, "susul_relay_attempts_total failed": 1, "susul_relay_events_total": 3,
		"susul_relay_endpoints failing": 1, "susul_relay_endpoints paused": 1, "susul_relay_endpoints healthy": 0,
		"susul_relay_retrying_pushes": 1, "susul_relay_lag_events": 2, "susul_relay_dead_letters": 0, "susul_relay_attempt_seconds": 2,
	} {
		r.Equal(want, gathered(t, registry)[series], series)
	}
	r.Greater(gathered(t, registry)["susul_relay_lag_seconds"], 1e9, "the events of the memory store are of 1970")
	r.stop()
	r.NotContains(gathered(t, registry), "susul_relay_endpoints paused", "a relay that has ended is told of")

	r.NotContains(records.String(), "secret")
	var failed map[string]any
	for line := range strings.Lines(records.String()) {
		var record map[string]any
		r.NoError(json.Unmarshal([]byte(line), &record))
		if record["outcome"] == "failed" && failed == nil {
			failed = record
		}
	}
	r.NotEmpty(failed["next_attempt"])
	r.NotEmpty(failed["webhook_id"])
	delete(failed, "next_attempt")
	delete(failed, "webhook_id")
	delete(failed, "time")
	r.Equal(map[string]any{
		"level": "INFO", "msg": "events posted", "app": "app", "endpoint": "sub-s", "kind": "first", "events": 2.0, "first_event": 4.0,
		"last_event": 5.0, "attempt": 1.0, "http_status": 500.0, "duration": 0.0, "outcome": "failed", "host": "s.example", "path": "/in",
		"error": "Internal Server Error", "subscription": "s",
	}, failed)

	r.run() // as the next leadership in the same process does
	r.Contains(gathered(t, registry), "susul_relay_endpoints paused")
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

// gathered returns the metrics of the app by their names and second labels.
func gathered(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	all := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, label := range m.GetLabel() {
				if label.GetName() != "app" {
					name += " " + label.GetValue()
				}
			}
			all[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return all
}

// A stop waits for requests under way, but not for ever; and what broke off is posted again.
func TestStop(t *testing.T) {
	r := newRig(t)
	arrived := make(chan struct{}, 1)
	hangs := true
	r.options = func(o *Options) {
		o.Poster = posterFunc(func(ctx context.Context, q webhook.Request) webhook.Result {
			if !hangs {
				return r.receivers.Post(ctx, q)
			}
			arrived <- struct{}{}
			<-ctx.Done()
			return webhook.NewClient(webhook.Options{}).Post(ctx, q)
		})
	}
	url := r.subscribe(subscription.Subscription{ID: "s"})
	r.run()
	r.relay.tasks.grace = time.Millisecond
	r.store.commit(testApp, 1, 0, 3)
	<-arrived
	r.stop()
	_, err := r.relay.Endpoint(t.Context(), testApp, "sub-s")
	r.ErrorIs(err, storage.ErrUnavailable)
	r.ErrorIs(r.relay.saver.flush(t.Context()), storage.ErrUnavailable)
	r.Zero(r.store.endpoints[storage.RelayEndpointKey{App: testApp, ID: "sub-s"}].Attempts)
	hangs = false
	r.run()
	r.eventually(func() bool { return r.receivers.has(url) == 3 }, "they do not come")
}

type posterFunc func(ctx context.Context, q webhook.Request) webhook.Result

func (f posterFunc) Post(ctx context.Context, q webhook.Request) webhook.Result { return f(ctx, q) }

// Another leader ends the relay at once.
func TestFenced(t *testing.T) {
	r := newRig(t)
	r.subscribe(subscription.Subscription{ID: "s"})
	r.run()
	ended := r.ended
	r.fence()
	r.store.commit(testApp, 1, 0, 1)
	r.ErrorIs(<-ended, storage.ErrFenced)
	r.stop, r.kill = func() {}, func() {}
}
