package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/engagelab"
)

// receiver is a service of the business's that takes events. It remembers what it took, by push, in the order in which it first
// saw it.
type receiver struct {
	*httptest.Server
	secret string // what requests are signed with

	mu     sync.Mutex
	rows   map[string]map[int64]string // the row of each event, by msg_id
	last   map[string]int64            // the latest event that was new, by msg_id
	again  int                         // how many rows came that had come before
	faults []string
}

// relayedRow is what a receiver reads of a row.
type relayedRow struct {
	MessageID string          `json:"message_id"`
	To        string          `json:"to"`
	Args      json.RawMessage `json:"custom_args"`
	Status    struct {
		Name string `json:"message_status"`
	} `json:"status"`
	Susul struct {
		EventID string `json:"event_id"`
	} `json:"susul"`
}

// startReceiver starts a receiver at an address; an empty one lets the system choose. What stands before it may answer in its stead.
func startReceiver(t *testing.T, address, secret string, before func(next http.Handler) http.Handler) *receiver {
	t.Helper()
	r := &receiver{secret: secret, rows: map[string]map[int64]string{}, last: map[string]int64{}}
	handler := http.Handler(http.HandlerFunc(r.take))
	if before != nil {
		handler = before(handler)
	}
	r.Server = httptest.NewUnstartedServer(handler)
	r.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // that a client was killed is no news
	if address != "" {
		require.NoError(t, r.Listener.Close())
		listener, err := net.Listen("tcp", address)
		require.NoError(t, err)
		r.Listener = listener
	}
	r.Start()
	t.Cleanup(r.Close)
	return r
}

// take remembers what a request brings, and says that it did.
func (r *receiver) take(w http.ResponseWriter, req *http.Request) {
	if r.keep(req) {
		w.WriteHeader(http.StatusNoContent)
	} else {
		w.WriteHeader(http.StatusBadRequest)
	}
}

// keep remembers what a request brings. One that was killed on its way is no fault.
func (r *receiver) keep(req *http.Request) bool {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return false
	}
	var document struct {
		Total int               `json:"total"`
		Rows  []json.RawMessage `json:"rows"`
	}
	err = json.Unmarshal(body, &document)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil || document.Total != len(document.Rows) || len(document.Rows) == 0 || len(document.Rows) > 200 {
		r.fault("a document that can't be: %v, %.200s", err, body)
	}
	if err := r.verify(req.Header, body); err != nil {
		r.fault("%v", err)
	}
	for _, row := range document.Rows {
		r.row(row)
	}
	return true
}

func (r *receiver) row(text json.RawMessage) {
	var row relayedRow
	if err := json.Unmarshal(text, &row); err != nil {
		r.fault("a row that can't be: %v, %s", err, text)
		return
	}
	event, err := strconv.ParseInt(row.Susul.EventID, 10, 64)
	if err != nil {
		r.fault("no event id: %s", text)
		return
	}
	known := r.rows[row.MessageID]
	if known == nil {
		known = map[int64]string{}
		r.rows[row.MessageID] = known
	}
	if earlier, came := known[event]; came {
		r.again++
		if earlier != string(text) {
			r.fault("event %d came as %s, then as %s", event, earlier, text)
		}
		return
	}
	if event < r.last[row.MessageID] {
		r.fault("event %d of push %s came after event %d", event, row.MessageID, r.last[row.MessageID])
	}
	known[event], r.last[row.MessageID] = string(text), event
}

// verify checks both signatures.
func (r *receiver) verify(header http.Header, body []byte) error {
	signed, err := engagelab.ParseSignature(header.Get(engagelab.SignatureHeader))
	if err != nil || !signed.Verify(testCallbackUser, r.secret) {
		return fmt.Errorf("X-CALLBACK-ID %q is wrong: %w", header.Get(engagelab.SignatureHeader), err)
	}
	webhook, err := standardwebhooks.NewWebhookRaw([]byte(r.secret))
	if err != nil {
		return err
	}
	return webhook.Verify(body, header)
}

func (r *receiver) fault(format string, args ...any) {
	if len(r.faults) < 10 {
		r.faults = append(r.faults, fmt.Sprintf(format, args...))
	}
}

// taken returns the events that came of a push, in ascending order.
func (r *receiver) taken(msgID string) []int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.rows[msgID]))
}

// count returns how many events came, each counted once.
func (r *receiver) count() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rows := range r.rows {
		n += len(rows)
	}
	return n
}

// requireSound requires that nothing that came was wrong, and returns how many rows came again.
func (r *receiver) requireSound(t *testing.T) (again int) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	require.Empty(t, r.faults)
	return r.again
}

// moods are the ways in which a receiver misbehaves.
type moods struct {
	t    *testing.T
	trap string // where it redirects to

	mu     sync.Mutex
	random *rand.Rand
	cured  bool
	seen   map[string]int
}

func newMoods(t *testing.T, trap string) *moods {
	t.Helper()
	return &moods{t: t, trap: trap, random: rand.New(rand.NewPCG(3, 4)), seen: map[string]int{}}
}

// cure makes the receiver well for good.
func (m *moods) cure() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cured = true
}

// draw chooses how to behave.
func (m *moods) draw() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	mood := "well"
	if !m.cured {
		mood = []string{"well", "well", "well", "slow", "fails", "busy", "hangs", "resets", "takes and resets", "redirects"}[m.random.IntN(10)]
	}
	m.seen[mood]++
	return mood
}

// before is the stage in front of the receiver.
func (m *moods) before(r **receiver) func(next http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			switch m.draw() {
			case "slow":
				pause := time.NewTimer(relayTimeout / 4)
				defer pause.Stop()
				select {
				case <-pause.C:
				case <-req.Context().Done():
				}
				next.ServeHTTP(w, req)
			case "fails":
				http.Error(w, "out of order", http.StatusInternalServerError)
			case "busy":
				w.Header().Set("Retry-After", "1")
				http.Error(w, "busy", http.StatusTooManyRequests)
			case "hangs":
				_, _ = io.Copy(io.Discard, req.Body)
				<-req.Context().Done()
			case "resets":
				reset(w)
			case "takes and resets":
				(*r).keep(req)
				reset(w)
			case "redirects":
				http.Redirect(w, req, m.trap, http.StatusTemporaryRedirect)
			default:
				next.ServeHTTP(w, req)
			}
		})
	}
}

// reset drops the connection as a crashed process does.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// tell logs how often the receiver was in each mood.
func (m *moods) tell() {
	m.mu.Lock()
	defer m.mu.Unlock()
	var text strings.Builder
	for _, mood := range slices.Sorted(maps.Keys(m.seen)) {
		fmt.Fprintf(&text, " %s %d;", mood, m.seen[mood])
	}
	m.t.Log("the receiver's moods:" + text.String())
}
