package relay

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/clock"
	"susul.dev/susul/server/subscription"
	"susul.dev/susul/server/webhook"
	"susul.dev/susul/storage"
)

// memoryStore is a log and the relay's part of a store.
type memoryStore struct {
	*memoryLog
	*memoryRelays
	fenced *fence // one for each process
}

type memoryRelays struct {
	mu        sync.Mutex
	head      int64
	endpoints map[storage.RelayEndpointKey]storage.RelayEndpoint
	spans     map[storage.RelaySpanKey]storage.RelaySpan
	saves     int
}

type fence struct {
	mu sync.Mutex
	up bool
}

func newMemoryStore() memoryStore {
	return memoryStore{newMemoryLog(), &memoryRelays{
		endpoints: map[storage.RelayEndpointKey]storage.RelayEndpoint{}, spans: map[storage.RelaySpanKey]storage.RelaySpan{},
	}, &fence{}}
}

func (s memoryStore) RelayHead(context.Context) (int64, error) {
	s.memoryRelays.mu.Lock()
	defer s.memoryRelays.mu.Unlock()
	return s.head, nil
}

func (s memoryStore) ListRelayEndpoints(_ context.Context, after storage.RelayEndpointKey, limit int) (found []storage.RelayEndpoint, _ error) {
	s.memoryRelays.mu.Lock()
	defer s.memoryRelays.mu.Unlock()
	for key, e := range s.endpoints {
		if compareKeys(key, after) > 0 {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b storage.RelayEndpoint) int { return compareKeys(a.RelayEndpointKey, b.RelayEndpointKey) })
	return found[:min(len(found), limit)], nil
}

func compareKeys(a, b storage.RelayEndpointKey) int {
	return cmp.Or(cmp.Compare(a.App, b.App), cmp.Compare(a.ID, b.ID))
}

func compareSpans(a, b storage.RelaySpanKey) int {
	return cmp.Or(compareKeys(a.RelayEndpointKey, b.RelayEndpointKey), cmp.Compare(a.ID, b.ID))
}

func (s memoryStore) ListRelaySpans(_ context.Context, q storage.RelaySpanQuery) (found []storage.RelaySpan, _ error) {
	s.memoryRelays.mu.Lock()
	defer s.memoryRelays.mu.Unlock()
	for key, e := range s.spans {
		if compareSpans(key, q.After) > 0 && (q.App == "" || q.App == key.App) && (q.Endpoint == "" || q.Endpoint == key.RelayEndpointKey.ID) &&
			(len(q.Kinds) == 0 || slices.Contains(q.Kinds, e.Kind)) {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b storage.RelaySpan) int {
		return compareSpans(storage.RelaySpanKey{RelayEndpointKey: a.RelayEndpointKey, ID: a.ID}, storage.RelaySpanKey{RelayEndpointKey: b.RelayEndpointKey, ID: b.ID})
	})
	return found[:min(len(found), q.Limit)], nil
}

func (s memoryStore) SaveRelay(_ context.Context, change storage.RelayChange) error {
	s.fenced.mu.Lock()
	defer s.fenced.mu.Unlock()
	if s.fenced.up {
		return storage.ErrFenced
	}
	s.memoryRelays.mu.Lock()
	defer s.memoryRelays.mu.Unlock()
	s.saves++
	for _, key := range change.GoneEndpoints {
		delete(s.endpoints, key)
		for span := range s.spans {
			if span.RelayEndpointKey == key {
				delete(s.spans, span)
			}
		}
	}
	for _, key := range change.DoneSpans {
		delete(s.spans, key)
	}
	for _, e := range change.Endpoints {
		s.endpoints[e.RelayEndpointKey] = e
	}
	for _, span := range change.Spans {
		if _, ok := s.endpoints[span.RelayEndpointKey]; !ok {
			return storage.ErrNotFound
		}
		s.spans[storage.RelaySpanKey{RelayEndpointKey: span.RelayEndpointKey, ID: span.ID}] = span
	}
	if change.Head != 0 {
		s.head = change.Head
	}
	return nil
}

// errAnswer makes a result of a status.
func answer(status int, retryAfter time.Duration) webhook.Result {
	r := webhook.Result{Status: status, RetryAfter: retryAfter}
	if status < 200 || status > 299 {
		r.Err = errors.New(cmp.Or(http.StatusText(status), "no answer"))
	}
	return r
}

// receivers take posts, and judge them: events come in order per push, each with the same content.
type receivers struct {
	t       *testing.T
	answers func(url string, events []int64) webhook.Result // nil: 200

	mu     sync.Mutex
	taken  map[string]map[int64]int // by URL, how often an event was
	order  map[string]map[int64]int64
	posts  map[string]int
	bodies map[string]string // by webhook-id
	last   webhook.Request
}

func newReceivers(t *testing.T) *receivers {
	return &receivers{
		t: t, taken: map[string]map[int64]int{}, order: map[string]map[int64]int64{}, posts: map[string]int{}, bodies: map[string]string{},
	}
}

type postedDocument struct {
	Total int `json:"total"`
	Rows  []struct {
		MessageID string `json:"message_id"`
		To        string `json:"to"`
		Susul     struct {
			EventID int64 `json:"event_id,string"`
			Test    bool  `json:"test"`
		} `json:"susul"`
		Status struct {
			MessageStatus string `json:"message_status"`
		} `json:"status"`
	} `json:"rows"`
}

func (r *receivers) Post(ctx context.Context, q webhook.Request) webhook.Result {
	var document postedDocument
	err := json.Unmarshal(q.Body, &document)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil || document.Total != len(document.Rows) || document.Total == 0 {
		r.t.Errorf("a document can't be read: %v: %s", err, q.Body)
	}
	r.posts[q.URL]++
	r.last = q
	if former, ok := r.bodies[q.ID]; ok && former != string(q.Body) {
		r.t.Errorf("two bodies have the webhook-id %s", q.ID)
	}
	r.bodies[q.ID] = string(q.Body)
	if r.order[q.URL] == nil {
		r.taken[q.URL], r.order[q.URL] = map[int64]int{}, map[int64]int64{}
	}
	var ids []int64
	for _, row := range document.Rows {
		ids = append(ids, row.Susul.EventID)
	}
	result := webhook.Result{Status: 200}
	if r.answers != nil {
		r.mu.Unlock()
		result = r.answers(q.URL, ids)
		r.mu.Lock()
	}
	if result.Err != nil || ctx.Err() != nil {
		return result
	}
	for i, row := range document.Rows {
		if document.Rows[i].Susul.Test {
			continue
		}
		var push int64
		_, _ = fmt.Sscan(row.MessageID, &push)
		r.taken[q.URL][ids[i]]++
		if r.taken[q.URL][ids[i]] == 1 {
			if ids[i] < r.order[q.URL][push] {
				r.t.Errorf("%s: event %d of push %d came after %d", q.URL, ids[i], push, r.order[q.URL][push])
			}
			r.order[q.URL][push] = ids[i]
		}
	}
	return result
}

// has returns how many different events a URL took.
func (r *receivers) has(url string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.taken[url])
}

func (r *receivers) postsTo(url string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.posts[url]
}

// rig is a relay with all around it.
type rig struct {
	*require.Assertions
	t         *testing.T
	store     memoryStore
	clock     clockwork.Clock
	receivers *receivers
	subs      []*subscription.Compiled
	relay     *Relay
	stop      func() // as the server does
	kill      func() // as a SIGKILL does: nothing is saved any more
	maxAge    time.Duration

	subscriptions Subscriptions // that the relay has beside subs
}

const testApp = "app"

func newRig(t *testing.T) *rig {
	r := &rig{
		Assertions: require.New(t), t: t, store: newMemoryStore(), clock: clock.Scaled(2000), receivers: newReceivers(t),
	}
	t.Cleanup(func() { r.stop() })
	return r
}

// run starts a relay over what the store has.
func (r *rig) run() *rig {
	store := r.store
	store.fenced = &fence{}
	r.relay = New(Options{
		Store: store, Apps: map[string]App{testApp: {Username: "u", Secrets: []string{"s"}}}, Poster: r.receivers, Clock: r.clock,
		MaxAge: r.maxAge, Logger: slog.New(slog.DiscardHandler), Subscriptions: r.subscriptions,
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.relay.Run(ctx) }()
	end := func() error {
		cancel()
		r.stop, r.kill = func() {}, func() {}
		return <-ended
	}
	r.stop = func() { r.NoError(end()) }
	r.kill = func() {
		store.fenced.mu.Lock()
		store.fenced.up = true
		store.fenced.mu.Unlock()
		_ = end()
	}
	<-r.relay.loaded
	r.relay.subscribe(r.subs)
	return r
}

// subscribe adds a subscription, or replaces it.
func (r *rig) subscribe(s subscription.Subscription) string {
	s.App = testApp
	s.UID = cmp.Or(s.UID, "uid-"+s.ID)
	s.URL = cmp.Or(s.URL, "https://"+s.ID+".example/in")
	s.Secrets = []subscription.Secret{{Key: "0123456789abcdef"}}
	compiled, err := subscription.Compile(s)
	r.NoError(err)
	r.subs = append(slices.DeleteFunc(slices.Clone(r.subs), func(c *subscription.Compiled) bool { return c.Subscription.ID == s.ID }), compiled)
	if r.relay != nil {
		r.relay.subscribe(r.subs)
	}
	return s.URL
}

// push names callback URLs of a push.
func (r *rig) push(id int64, urls ...string) {
	r.store.memoryLog.mu.Lock()
	defer r.store.memoryLog.mu.Unlock()
	r.store.urls[id] = urls
}

// eventually waits until something holds.
func (r *rig) eventually(holds func() bool, message string, args ...any) {
	r.t.Helper()
	r.Eventually(holds, 20*time.Second, 2*time.Millisecond, fmt.Sprintf(message, args...))
}

func (r *rig) health(id string) Health {
	h, err := r.relay.Endpoint(r.t.Context(), testApp, id)
	r.NoError(err)
	return h
}
