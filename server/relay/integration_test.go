package relay_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/clock"
	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/server/relay"
	"susul.dev/susul/server/webhook"
	"susul.dev/susul/storage"
	"susul.dev/susul/storage/sqlite"
)

const (
	app      = "app"
	username = "shop"
	secret   = "a-secret-of-the-shop"
)

// service is a receiver as a business would write it. It is moody until it is healed.
type service struct {
	t *testing.T
	*httptest.Server

	mu     sync.Mutex
	moody  bool
	taken  map[int64]int
	latest map[string]int64 // event by message_id
}

func newService(t *testing.T, moody bool) *service {
	t.Helper()
	s := &service{t: t, moody: moody, taken: map[int64]int{}, latest: map[string]int64{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // broken off
	}
	s.check(r.Header, body)
	var document struct {
		Total int
		Rows  []struct {
			MessageID  string `json:"message_id"`
			To         string
			CustomArgs struct{ Kind string } `json:"custom_args"`
			Susul      struct {
				EventID string `json:"event_id"`
			}
		}
	}
	if err := json.Unmarshal(body, &document); err != nil || document.Total != len(document.Rows) {
		s.t.Errorf("%v: %s", err, body)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.moody {
		switch rand.IntN(10) {
		case 0, 1:
			w.WriteHeader(http.StatusInternalServerError)
			return
		case 2:
			w.Header().Set("Retry-After", "20")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		case 3:
			panic(http.ErrAbortHandler) // a reset
		case 4:
			http.Redirect(w, r, "/elsewhere", http.StatusPermanentRedirect)
			return
		}
	}
	for _, row := range document.Rows {
		id, err := strconv.ParseInt(row.Susul.EventID, 10, 64)
		if err != nil || row.To == "" || row.CustomArgs.Kind != "promotion" {
			s.t.Errorf("%v: %s", err, body)
		}
		if s.taken[id]++; s.taken[id] > 1 {
			continue
		}
		if id < s.latest[row.MessageID] {
			s.t.Errorf("event %d of push %s came after %d", id, row.MessageID, s.latest[row.MessageID])
		}
		s.latest[row.MessageID] = id
	}
}

// check checks both signatures.
func (s *service) check(header http.Header, body []byte) {
	hook, err := standardwebhooks.NewWebhookRaw([]byte(secret))
	if err == nil {
		err = hook.Verify(body, header)
	}
	if err != nil {
		s.t.Errorf("webhook-signature: %v", err)
	}
	signature, err := engagelab.ParseSignature(header.Get(engagelab.SignatureHeader))
	if err != nil || engagelab.Sign(secret, signature.Timestamp, signature.Nonce, username) != signature.Signature {
		s.t.Errorf("X-CALLBACK-ID: %v, %v", signature, err)
	}
}

func (s *service) has() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.taken)
}

// With a real store, real requests, and a relay that is stopped again and again.
func TestFromTheStoreToServices(t *testing.T) {
	moody, well := newService(t, true), newService(t, false)
	path := filepath.Join(t.TempDir(), "susul.db")
	poster := webhook.NewClient(webhook.Options{AllowPrivateNetworks: true})
	defer poster.Close()
	const pushes, people, rounds = 20, 30, 4
	scaled := clock.Scaled(2000)
	total := 0
	for round := range rounds {
		store, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
		require.NoError(t, err)
		require.NoError(t, store.Lead(t.Context(), int64(round+1)))
		if round == 0 {
			for push := range int64(pushes) {
				adopt(t, store, push+1, moody.URL+"/in?key="+strconv.Itoa(int(push%3)), well.URL)
			}
		}
		r := relay.New(relay.Options{
			Store: store, Apps: map[string]relay.App{app: {Username: username, Secrets: []string{secret}}}, Poster: poster,
			Clock: scaled, Logger: slog.New(slog.DiscardHandler),
		})
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx) }()
		for push := range int64(pushes) {
			report(t, store, push+1, round, people)
			total += people
		}
		require.Eventually(t, func() bool { return well.has() == total }, 20*time.Second, 5*time.Millisecond)
		if round == rounds-1 {
			moody.mu.Lock()
			moody.moody = false
			moody.mu.Unlock()
			endpoints, err := r.Endpoints(ctx, app, "", 10)
			require.NoError(t, err)
			require.Len(t, endpoints, 2)
			for _, e := range endpoints {
				_, err := r.Resume(ctx, app, e.ID)
				require.NoError(t, err)
			}
			require.Eventually(t, func() bool { return moody.has() == total }, 20*time.Second, 5*time.Millisecond)
		}
		stop()
		require.NoError(t, <-ended)
		require.NoError(t, store.Close())
	}
	for id, times := range well.taken {
		require.Equal(t, 1, times, "event %d came again, though nothing crashed", id)
	}
}

// adopt stores a push that was sent already.
func adopt(t *testing.T, store storage.Store, push int64, urls ...string) {
	t.Helper()
	now := time.Now()
	_, created, err := store.AdoptMessage(t.Context(), storage.PushDraft{Push: storage.Push{
		ID: push, App: app, Fingerprint: []byte{1}, CallbackURLs: urls, State: storage.PushActive, CreateTime: now, FirstSentTime: now,
		External: true, TimeToLive: time.Hour, Document: []byte(`{"from":"shop","to":"all","body":{"platform":"all"},"custom_args":{"kind":"promotion"}}`),
	}}, upstream(push))
	require.NoError(t, err)
	require.True(t, created)
}

func upstream(push int64) string { return fmt.Sprintf("upstream-%d", push) }

// report stores a callback about each of some people.
func report(t *testing.T, store storage.Store, push int64, round, people int) {
	t.Helper()
	rows := make([]storage.Callback, people)
	for i := range rows {
		rows[i] = storage.Callback{
			UpstreamID: upstream(push), RegistrationID: fmt.Sprintf("%d-%d", round, i), Milestone: storage.Clicked, Status: "click", Time: time.Now(),
		}
	}
	summary, err := store.RecordCallbacks(t.Context(), app, time.Now(), rows)
	require.NoError(t, err)
	require.Equal(t, people, summary.New)
}
