package api_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"susul.dev/susul/server/api"
	"susul.dev/susul/server/delivery"
	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/server/servertest"
	"susul.dev/susul/storage"
	"susul.dev/susul/storage/sqlite"
)

const (
	gateUser, gateSecret = "engagelab", "gate-callback-secret"
	gateAuthorization    = "Basic YTpi"
	maxAge, maxAhead     = 2 * time.Hour, 5 * time.Minute
)

// gate is the callbacks' address of some apps that ask for different proofs, over a real store.
type gate struct {
	*httptest.Server
	clock    *clockwork.FakeClock
	store    *brokenStore
	registry *prometheus.Registry
}

// brokenStore takes no callbacks while it is broken.
type brokenStore struct {
	storage.Store
	broken atomic.Bool
}

func (s *brokenStore) RecordCallbacks(ctx context.Context, app string, received time.Time, rows []storage.Callback) (storage.CallbackSummary, error) {
	if s.broken.Load() {
		return storage.CallbackSummary{}, storage.ErrUnavailable
	}
	return s.Store.RecordCallbacks(ctx, app, received, rows)
}

func newGate(t *testing.T, nonces int) *gate {
	t.Helper()
	kept, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "susul.db")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, kept.Close()) })
	g := &gate{
		clock: clockwork.NewFakeClockAt(time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)),
		store: &brokenStore{Store: kept}, registry: prometheus.NewRegistry(),
	}
	far := []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8::/32")}
	apps := map[string]api.App{}
	served := map[string]delivery.App{}
	for key, proof := range map[string]api.CallbackProof{
		"open":       {},
		"signed":     {Username: gateUser, Secret: gateSecret},
		"other":      {Username: gateUser, Secret: gateSecret},
		"authorized": {Authorization: gateAuthorization},
		"far":        {Networks: far},
		"near":       {Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
		"strict":     {Username: gateUser, Secret: gateSecret, Authorization: gateAuthorization, Networks: far},
	} {
		apps[key] = api.App{MasterSecret: "x", BaseURL: "http://127.0.0.1:1", Callbacks: proof}
		served[key] = delivery.App{}
	}
	core := delivery.New(delivery.Options{
		Store: g.store, Apps: served, Clock: g.clock, Logger: slog.New(slog.DiscardHandler), Metrics: delivery.NewMetrics(g.registry),
	})
	face := api.New(api.Options{
		Backend: func() (api.Backend, error) { return api.Backend{Delivery: core}, nil },
		Apps:    apps, Logger: slog.New(slog.DiscardHandler), Registry: g.registry,
		Callbacks: api.CallbackRules{
			TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/8")},
			MaxAge:         maxAge, MaxAhead: maxAhead, Nonces: nonces, Clock: g.clock,
		},
	})
	nowhere, err := grpc.NewClient("passthrough:nowhere", grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	handler, err := face.NewHTTPHandler(t.Context(), nowhere)
	require.NoError(t, err)
	g.Server = httptest.NewServer(handler)
	t.Cleanup(func() {
		g.Close()
		face.Close()
		require.NoError(t, nowhere.Close())
	})
	return g
}

// sign returns a signature that is made at the gate's time, moved by the age, and that nobody has used yet.
func (g *gate) sign(age time.Duration) string {
	return signedAt(g.clock.Now().Add(-age), rand.Text(), gateUser, gateSecret)
}

// post posts a body as EngageLab does. The headers are pairs of name and value; the same name may come twice.
func (g *gate) post(t testing.TB, app, body string, headers ...string) servertest.Response {
	t.Helper()
	resp, err := g.try(t.Context(), app, body, headers...)
	require.NoError(t, err)
	return resp
}

func (g *gate) try(ctx context.Context, app, body string, headers ...string) (servertest.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.URL+"/v1/apps/"+app+"/callbacks", strings.NewReader(body))
	if err != nil {
		return servertest.Response{}, err
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	resp, err := g.Client().Do(req)
	if err != nil {
		return servertest.Response{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return servertest.Response{Status: resp.StatusCode, Header: resp.Header, Body: string(text)}, err
}

// refused returns what the metric counts for an app, by reason; reasons that never occurred are left out.
func (g *gate) refused(t testing.TB, app string) map[string]int {
	t.Helper()
	families, err := g.registry.Gather()
	require.NoError(t, err)
	counted := map[string]int{}
	reasons := 0
	for _, family := range families {
		if family.GetName() != "susul_callbacks_refused_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			labels := map[string]string{}
			for _, label := range metric.GetLabel() {
				labels[label.GetName()] = label.GetValue()
			}
			if labels["app"] != app {
				continue
			}
			reasons++
			if n := int(metric.GetCounter().GetValue()); n > 0 {
				counted[labels["reason"]] = n
			}
		}
	}
	require.Equal(t, 10, reasons, "every reason is counted from the start")
	return counted
}

// held returns how many rows the store keeps for an app, whose messages it never knows here.
func (g *gate) held(t testing.TB, app string) int {
	t.Helper()
	held, err := g.store.ListHeldCallbacks(t.Context(), storage.HeldQuery{App: app})
	require.NoError(t, err)
	return len(held)
}

const signatureHeader = engagelab.SignatureHeader

// one is a body with one row for a device.
func one(device string) string { return rows(row("1", device, "sent", "")) }

func TestCallbackProofs(t *testing.T) {
	g := newGate(t, 1000)
	good := func() string { return g.sign(0) }
	for name, c := range map[string]struct {
		app     string
		headers []string
		status  int
		reason  string
	}{
		"open": {app: "open", status: 200},

		"signed":            {app: "signed", headers: []string{signatureHeader, good()}, status: 200},
		"unsigned":          {app: "signed", status: 401, reason: "signature_missing"},
		"empty signature":   {app: "signed", headers: []string{signatureHeader, ""}, status: 401, reason: "signature_missing"},
		"no signature":      {app: "signed", headers: []string{signatureHeader, "hello"}, status: 401, reason: "signature_malformed"},
		"wrong signature":   {app: "signed", headers: []string{signatureHeader, good() + "0"}, status: 401, reason: "signature_wrong"},
		"wrong user":        {app: "signed", headers: []string{signatureHeader, signedAt(g.clock.Now(), "1", "x", gateSecret)}, status: 401, reason: "signature_wrong"},
		"old":               {app: "signed", headers: []string{signatureHeader, g.sign(maxAge)}, status: 200},
		"too old":           {app: "signed", headers: []string{signatureHeader, g.sign(maxAge + time.Second)}, status: 401, reason: "stale"},
		"ahead":             {app: "signed", headers: []string{signatureHeader, g.sign(-maxAhead)}, status: 200},
		"too far ahead":     {app: "signed", headers: []string{signatureHeader, g.sign(-maxAhead - time.Second)}, status: 401, reason: "stale"},
		"in milliseconds":   {app: "signed", headers: []string{signatureHeader, signedWith(strconv.FormatInt(g.clock.Now().UnixMilli(), 10), "1")}, status: 200},
		"in microseconds":   {app: "signed", headers: []string{signatureHeader, signedWith(strconv.FormatInt(g.clock.Now().UnixMicro(), 10), "1")}, status: 401, reason: "stale"},
		"beyond all clocks": {app: "signed", headers: []string{signatureHeader, signedWith("9223372036854775807", "1")}, status: 401, reason: "stale"},
		"at no time":        {app: "signed", headers: []string{signatureHeader, signedWith("yesterday", "1")}, status: 401, reason: "signature_malformed"},

		"authorized":          {app: "authorized", headers: []string{"Authorization", gateAuthorization}, status: 200},
		"not authorized":      {app: "authorized", status: 401, reason: "authorization"},
		"wrongly authorized":  {app: "authorized", headers: []string{"Authorization", gateAuthorization + "x"}, status: 401, reason: "authorization"},
		"signature instead":   {app: "authorized", headers: []string{signatureHeader, good()}, status: 401, reason: "authorization"},
		"a look alike scheme": {app: "authorized", headers: []string{"Authorization", strings.ToLower(gateAuthorization)}, status: 401, reason: "authorization"},

		"near, directly":              {app: "near", status: 200},
		"near, behind proxies":        {app: "near", headers: []string{"X-Forwarded-For", "10.0.0.1, 127.0.0.1"}, status: 403, reason: "network"},
		"far, directly":               {app: "far", status: 403, reason: "network"},
		"far, through a proxy":        {app: "far", headers: []string{"X-Forwarded-For", "203.0.113.9"}, status: 200},
		"far, through two":            {app: "far", headers: []string{"X-Forwarded-For", "203.0.113.9, 10.1.1.1"}, status: 200},
		"far, over IPv6":              {app: "far", headers: []string{"X-Forwarded-For", "[2001:db8::1]:4711"}, status: 200},
		"far, says somebody":          {app: "far", headers: []string{"X-Forwarded-For", "203.0.113.9, 198.51.100.1"}, status: 403, reason: "network"},
		"far, says a line before":     {app: "far", headers: []string{"X-Forwarded-For", "203.0.113.9", "X-Forwarded-For", "198.51.100.1"}, status: 403, reason: "network"},
		"far, says nobody in words":   {app: "far", headers: []string{"X-Forwarded-For", "203.0.113.9, unknown"}, status: 403, reason: "network"},
		"far, by another header":      {app: "far", headers: []string{"X-Real-IP", "203.0.113.9", "Forwarded", "for=203.0.113.9"}, status: 403, reason: "network"},
		"strict, all of it":           {app: "strict", headers: []string{"X-Forwarded-For", "203.0.113.9", "Authorization", gateAuthorization, signatureHeader, good()}, status: 200},
		"strict, without network":     {app: "strict", headers: []string{"Authorization", gateAuthorization, signatureHeader, good()}, status: 403, reason: "network"},
		"strict, without header":      {app: "strict", headers: []string{"X-Forwarded-For", "203.0.113.9", signatureHeader, good()}, status: 401, reason: "authorization"},
		"strict, without a signature": {app: "strict", headers: []string{"X-Forwarded-For", "203.0.113.9", "Authorization", gateAuthorization}, status: 401, reason: "signature_missing"},
	} {
		t.Run(name, func(t *testing.T) {
			refused, held := g.refused(t, c.app), g.held(t, c.app)
			resp := g.post(t, c.app, one(name), c.headers...)
			if c.status == http.StatusOK {
				require.Equal(t, c.status, resp.Status, resp.Body)
				require.Equal(t, refused, g.refused(t, c.app))
				require.Equal(t, held+1, g.held(t, c.app))
				return
			}
			requireCallbackError(t, resp, c.status)
			require.NotContains(t, resp.Body, gateSecret)
			require.NotContains(t, resp.Body, gateAuthorization)
			refused[c.reason]++
			require.Equal(t, refused, g.refused(t, c.app))
			require.Equal(t, held, g.held(t, c.app), "what is refused leaves nothing on disk")
		})
	}
}

// signedWith signs any timestamp.
func signedWith(timestamp, nonce string) string {
	s := engagelab.Signature{Timestamp: timestamp, Nonce: nonce, Username: gateUser}
	s.Signature = engagelab.Sign(gateSecret, timestamp, nonce, gateUser)
	return s.Header()
}

func TestCallbackBodiesThatAreRefused(t *testing.T) {
	g := newGate(t, 1000)
	requireCallbackError(t, g.post(t, "open", "hello"), http.StatusBadRequest)
	requireCallbackError(t, g.post(t, "open", strings.Repeat(" ", 9<<20)), http.StatusRequestEntityTooLarge)
	require.Equal(t, map[string]int{"malformed": 1, "too_large": 1}, g.refused(t, "open"))
}

func TestASignatureIsTakenForOneBodyOnly(t *testing.T) {
	g := newGate(t, 1000)
	now := strconv.FormatInt(g.clock.Now().Unix(), 10)
	signature := signedWith(now, "0001234")
	require.Equal(t, http.StatusOK, g.post(t, "signed", one("a"), signatureHeader, signature).Status)
	require.Equal(t, http.StatusOK, g.post(t, "signed", one("a"), signatureHeader, signature).Status, "EngageLab repeats itself")
	moved := strings.NewReplacer("timestamp="+now, "timestamp="+now+"000", "nonce=0001234", "nonce=1234").Replace(signature)
	require.NotEqual(t, signature, moved)
	before, value, _ := strings.Cut(signature, "signature=")
	for name, replayed := range map[string]string{
		"as it was":                           signature,
		"in capitals":                         before + "signature=" + strings.ToUpper(value),
		"in another order":                    "signature=" + value + ";v=2; " + before,
		"with another boundary in what it is": moved,
	} {
		requireCallbackError(t, g.post(t, "signed", one("b"), signatureHeader, replayed), http.StatusUnauthorized)
		require.Equal(t, http.StatusOK, g.post(t, "signed", one("a"), signatureHeader, replayed).Status, name)
	}
	require.Equal(t, map[string]int{"replayed": 4}, g.refused(t, "signed"))
	require.Equal(t, 1, g.held(t, "signed"))
	require.Equal(t, http.StatusOK, g.post(t, "other", one("b"), signatureHeader, signature).Status, "each app has its own")

	g.clock.Advance(97 * time.Minute)
	require.Equal(t, http.StatusOK, g.post(t, "signed", one("a"), signatureHeader, signature).Status, "its last repetition")
	requireCallbackError(t, g.post(t, "signed", one("b"), signatureHeader, signature), http.StatusUnauthorized)
	g.clock.Advance(maxAge)
	requireCallbackError(t, g.post(t, "signed", one("a"), signatureHeader, signature), http.StatusUnauthorized)
	require.Equal(t, map[string]int{"replayed": 5, "stale": 1}, g.refused(t, "signed"))
}

// A receiver of events has signatures that Susul made, with the app's callback secret unless it has another for that.
func TestSusulsOwnSignaturesAreRefused(t *testing.T) {
	for _, nonces := range []int{0, 1000} {
		g := newGate(t, nonces)
		now := strconv.FormatInt(g.clock.Now().Unix(), 10)
		own := signedWith(now, engagelab.NewNonce(gateSecret))
		requireCallbackError(t, g.post(t, "signed", one("a"), signatureHeader, own), http.StatusUnauthorized)
		require.Equal(t, map[string]int{"replayed": 1}, g.refused(t, "signed"))
		require.Zero(t, g.held(t, "signed"))
	}
}

func TestWithoutNoncesASignatureIsTakenAgain(t *testing.T) {
	g := newGate(t, 0)
	signature := g.sign(0)
	for _, device := range []string{"a", "b"} {
		require.Equal(t, http.StatusOK, g.post(t, "signed", one(device), signatureHeader, signature).Status)
	}
}

func TestABodyThatFailedIsTakenWhenItIsRepeated(t *testing.T) {
	g := newGate(t, 1000)
	signature := g.sign(0)
	g.store.broken.Store(true)
	resp := g.post(t, "signed", one("a"), signatureHeader, signature)
	requireCallbackError(t, resp, http.StatusServiceUnavailable)
	require.NotEmpty(t, resp.Header.Get("Retry-After"))
	g.store.broken.Store(false)
	require.Equal(t, http.StatusOK, g.post(t, "signed", one("a"), signatureHeader, signature).Status)
	require.Equal(t, 1, g.held(t, "signed"))
	require.Empty(t, g.refused(t, "signed"), "a fault of Susul's own is no refusal")
}

// slowly begins to post a body and sends the half of it.
func (g *gate) slowly(t *testing.T, app, body, signature string) (conn net.Conn, rest string) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", g.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	half := len(body) / 2
	_, err = fmt.Fprintf(conn, "POST /v1/apps/%s/callbacks HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%s: %s\r\n\r\n%s",
		app, len(body), signatureHeader, signature, body[:half])
	require.NoError(t, err)
	return conn, body[half:]
}

func TestABodyThatIsNotThereYetTakesNoSignature(t *testing.T) {
	g := newGate(t, 1000)
	signature := g.sign(0)
	slow, rest := g.slowly(t, "signed", one("slow"), signature)
	broken, _ := g.slowly(t, "signed", one("broken"), signature)
	require.NoError(t, broken.Close())
	require.Eventually(t, func() bool { return g.refused(t, "signed")["incomplete"] == 1 }, patience, time.Millisecond)

	require.Equal(t, http.StatusOK, g.post(t, "signed", one("honest"), signatureHeader, signature).Status)
	_, err := io.WriteString(slow, rest)
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(slow), nil)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	require.Equal(t, map[string]int{"incomplete": 1, "replayed": 1}, g.refused(t, "signed"))
	require.Equal(t, 1, g.held(t, "signed"))
}

func TestManyUseASignatureAtOnce(t *testing.T) {
	const callers = 24
	g := newGate(t, 1000)
	for name, c := range map[string]struct {
		bodies int
		taken  func(taken int) bool
	}{
		"one body":    {1, func(taken int) bool { return taken == callers }},
		"two bodies":  {2, func(taken int) bool { return taken == callers/2 }},
		"a body each": {callers, func(taken int) bool { return taken == 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			signature, held, refused := g.sign(0), g.held(t, "signed"), g.refused(t, "signed")["replayed"]
			var taken atomic.Int64
			var wg sync.WaitGroup
			errs := make(chan error, callers)
			for i := range callers {
				wg.Go(func() {
					resp, err := g.try(t.Context(), "signed", one(fmt.Sprint(name, i%c.bodies)), signatureHeader, signature)
					switch {
					case err != nil:
					case resp.Status == http.StatusOK:
						taken.Add(1)
					case resp.Status != http.StatusUnauthorized:
						err = fmt.Errorf("HTTP %d: %s", resp.Status, resp.Body)
					}
					errs <- err
				})
			}
			wg.Wait()
			close(errs)
			for err := range errs {
				require.NoError(t, err)
			}
			require.True(t, c.taken(int(taken.Load())), taken.Load())
			require.Equal(t, refused+callers-int(taken.Load()), g.refused(t, "signed")["replayed"])
			require.Equal(t, held+1, g.held(t, "signed"), "one body is stored")
		})
	}
}

func TestAFullMemoryOfNoncesRefusesNobody(t *testing.T) {
	g := newGate(t, 8)
	first := g.sign(0)
	require.Equal(t, http.StatusOK, g.post(t, "signed", one("a"), signatureHeader, first).Status)
	requireCallbackError(t, g.post(t, "signed", one("b"), signatureHeader, first), http.StatusUnauthorized)
	for i := range 20 {
		require.Equal(t, http.StatusOK, g.post(t, "signed", one(fmt.Sprint(i)), signatureHeader, g.sign(0)).Status)
	}
	require.Equal(t, http.StatusOK, g.post(t, "signed", one("a"), signatureHeader, first).Status, "a late repetition")
}
