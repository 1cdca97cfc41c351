package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"susul.dev/susul/server/engagelab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// everyone is a behaviour without chance: everything is delivered, displayed and clicked.
var everyone = Behaviour{
	DeliverWithin: time.Minute, DisplayRate: 1, DisplayWithin: 45 * time.Minute, ClickRate: 1, ClickWithin: time.Hour,
}

// bench is a running sandbox under a fake clock.
type bench struct {
	*Sandbox
	t     *testing.T
	clock *clockwork.FakeClock
	url   string
}

func newBench(t *testing.T, cfg Config) *bench {
	t.Helper()
	clock := clockwork.NewFakeClockAt(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC))
	cfg.Clock = clock
	if cfg.Apps == nil {
		cfg.Apps = map[string]string{"app": "secret", "other": "secret2"}
	}
	if cfg.Behaviour == (Behaviour{}) {
		cfg.Behaviour = everyone
	}
	s, err := New(cfg)
	require.NoError(t, err)
	server := httptest.NewServer(s.Handler())
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-stopped)
		server.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return &bench{Sandbox: s, t: t, clock: clock, url: server.URL}
}

// answer is what the API said.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) code() int {
	var read struct {
		Error struct{ Code int }
	}
	_ = json.Unmarshal([]byte(a.body), &read)
	return read.Error.Code
}

func (b *bench) as(key, secret, method, path, body string) answer {
	b.t.Helper()
	request, err := http.NewRequest(method, b.url+path, strings.NewReader(body))
	require.NoError(b.t, err)
	request.SetBasicAuth(key, secret)
	response, err := http.DefaultClient.Do(request)
	require.NoError(b.t, err)
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	require.NoError(b.t, err)
	return answer{response.StatusCode, response.Header, string(read)}
}

func (b *bench) call(method, path, body string) answer {
	b.t.Helper()
	return b.as("app", "secret", method, path, body)
}

// mustPush pushes to devices and returns the msg_id. options go into body.options, more beside the body.
func (b *bench) mustPush(devices []string, options, more string) string {
	b.t.Helper()
	a := b.call("POST", "/v4/push", document(devices, options, more))
	require.Equal(b.t, 200, a.status, a.body)
	var pushed engagelab.PushResponse
	require.NoError(b.t, json.Unmarshal([]byte(a.body), &pushed))
	return pushed.MsgID
}

func document(devices []string, options, more string) string {
	list, _ := json.Marshal(devices)
	return fmt.Sprintf(`{"to":{"registration_id":%s},"body":{"platform":"android","notification":{"alert":"hi"},"options":{%s}}%s}`,
		list, options, more)
}

// advance lets time pass in steps, after each of which everything that is due has happened.
func (b *bench) advance(total, step time.Duration) {
	b.t.Helper()
	for ; total > 0; total -= step {
		b.clock.Advance(step)
		b.settle()
	}
}

func (b *bench) settle() {
	b.t.Helper()
	require.Eventually(b.t, b.quiet, 10*time.Second, 200*time.Microsecond)
}

// quiet reports whether nothing is due or in flight. It wakes the goroutines, because a fake clock can move on between
// the moment at which one looks at it and the moment at which it waits.
func (b *bench) quiet() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	poke(b.wake)
	now := b.clock.Now()
	if len(b.agenda) > 0 && b.agenda[0].due() <= now.UnixNano() || len(b.firings) > 0 && b.firings[0].due() <= now.UnixNano() {
		return false
	}
	for _, o := range b.outboxes {
		poke(o.wake)
		o.mu.Lock()
		busy := o.inFlight > 0 || len(o.retries)+len(o.fresh) > 0 && !o.nextDue().After(now) || len(o.fresh) >= maxRows
		o.mu.Unlock()
		if busy {
			return false
		}
	}
	return true
}

// receiver is a callback address.
type receiver struct {
	url string

	mu     sync.Mutex
	rows   []engagelab.CallbackRow
	sizes  []int
	echoes int
	sigs   []string
	paths  map[string]bool
	answer func(echo string) int // what to answer; 200 if nil
}

func newReceiver(t *testing.T, answer func(echo string) int) *receiver {
	t.Helper()
	r := &receiver{answer: answer, paths: map[string]bool{}}
	server := httptest.NewServer(r)
	r.url = server.URL + "/callbacks?token=x"
	t.Cleanup(server.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	var batch engagelab.CallbackBatch
	if err := json.NewDecoder(request.Body).Decode(&batch); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	status := http.StatusOK
	if r.answer != nil {
		status = r.answer(batch.EchoStr)
	}
	if batch.EchoStr != "" {
		r.echoes++
	} else if status < 300 {
		r.rows = append(r.rows, batch.Rows...)
		r.paths[request.URL.EscapedPath()] = true
		r.sizes = append(r.sizes, batch.Total)
		r.sigs = append(r.sigs, request.Header.Get(engagelab.SignatureHeader))
	}
	w.WriteHeader(status)
	if status == http.StatusOK {
		_, _ = io.WriteString(w, batch.EchoStr)
	}
}

// addresses returns the paths that rows came to, sorted.
func (r *receiver) addresses() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.paths))
}

// statuses returns each device's statuses in the order of their arrival.
func (r *receiver) statuses() map[string][]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[string][]string{}
	for _, row := range r.rows {
		all[row.To] = append(all[row.To], row.Status.MessageStatus)
	}
	return all
}

func names(prefix string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%s%d", prefix, i)
	}
	return list
}
