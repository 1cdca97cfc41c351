package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/engagelab"
)

// The nonces keep their bounds, always take what is new to them, never a second body of what they know, and know the
// latest half of what they may, for a lifetime at least.
func TestNonces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		capacity := rapid.IntRange(1, 20).Draw(t, "capacity")
		lifetime := rapid.SampledFrom([]time.Duration{0, time.Minute}).Draw(t, "lifetime")
		n := newNonces(capacity, lifetime)
		now := time.Unix(1_700_000_000, 0)
		type use struct {
			body uint64
			at   time.Time
			nth  int
		}
		bound := map[uint64]use{}
		total := 0
		for range rapid.IntRange(1, 200).Draw(t, "uses") {
			now = now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "passed")) * time.Second)
			signed, body := rapid.Uint64Range(1, 40).Draw(t, "signed"), rapid.Uint64Range(1, 3).Draw(t, "body")
			_, recent := n.recent[signed]
			_, older := n.older[signed]
			first, used := bound[signed]
			if used && total-first.nth < (capacity+1)/2 && (lifetime == 0 || now.Sub(first.at) <= lifetime) {
				require.True(t, recent || older, "it must be remembered")
			}
			taken := n.use(signed, body, now)
			if recent || older {
				require.Equal(t, first.body == body, taken)
			} else {
				require.True(t, taken)
				total++
				bound[signed] = use{body, now, total}
			}
			require.LessOrEqual(t, len(n.recent)+len(n.older), capacity+1)
		}
	})
}

func TestNoncesForgetWhatIsOldAsAWhole(t *testing.T) {
	const lifetime = time.Minute
	n := newNonces(10, lifetime)
	now := time.Unix(1_700_000_000, 0)
	require.True(t, n.use(1, 1, now))
	require.True(t, n.use(2, 1, now.Add(lifetime)))
	require.True(t, n.use(3, 1, now.Add(lifetime+time.Second)))
	for _, signed := range []uint64{1, 2, 3} {
		require.False(t, n.use(signed, 2, now.Add(lifetime+time.Second)))
	}
	require.True(t, n.use(4, 1, now.Add(3*lifetime)))
	require.Equal(t, []int{1, 1}, []int{len(n.recent), len(n.older)})
	require.True(t, n.use(1, 2, now.Add(3*lifetime)), "the first two are forgotten")
	require.Nil(t, newNonces(0, lifetime))
}

func TestSourceOf(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for name, c := range map[string]struct {
		remote    string
		forwarded []string
		want      string
	}{
		"direct":                       {"192.0.2.1:1", nil, "192.0.2.1"},
		"direct, over IPv6":            {"[2001:db8::1]:1", nil, "2001:db8::1"},
		"direct, mapped":               {"[::ffff:192.0.2.1]:1", nil, "192.0.2.1"},
		"direct, with a zone":          {"[fe80::1%eth0]:1", nil, "fe80::1"},
		"nobody believes a stranger":   {"192.0.2.1:1", []string{"203.0.113.1"}, "192.0.2.1"},
		"proxy":                        {"10.0.0.1:1", []string{"203.0.113.1"}, "203.0.113.1"},
		"proxy of its own":             {"10.0.0.1:1", nil, "10.0.0.1"},
		"proxy over IPv6":              {"[fd00::1]:1", []string{"2001:db8::2"}, "2001:db8::2"},
		"two proxies":                  {"10.0.0.1:1", []string{"198.51.100.1, 203.0.113.1,10.0.0.2"}, "203.0.113.1"},
		"two lines":                    {"10.0.0.1:1", []string{"203.0.113.1", "10.0.0.3, 10.0.0.2"}, "203.0.113.1"},
		"only proxies":                 {"10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"with a port":                  {"10.0.0.1:1", []string{"203.0.113.1:80"}, "203.0.113.1"},
		"in brackets":                  {"10.0.0.1:1", []string{"[2001:db8::2]"}, "2001:db8::2"},
		"in brackets, with a port":     {"10.0.0.1:1", []string{"[2001:db8::2]:80"}, "2001:db8::2"},
		"unreadable":                   {"10.0.0.1:1", []string{"203.0.113.1, _hidden"}, ""},
		"empty at the end":             {"10.0.0.1:1", []string{"203.0.113.1,"}, ""},
		"empty at the beginning":       {"10.0.0.1:1", []string{",10.0.0.2"}, "10.0.0.2"},
		"unreadable behind a readable": {"10.0.0.1:1", []string{"_hidden, 203.0.113.1"}, "203.0.113.1"},
		"no address at all":            {"@", []string{"203.0.113.1"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: c.remote, Header: http.Header{"X-Forwarded-For": c.forwarded}}
			got := sourceOf(r, trusted)
			if c.want == "" {
				require.False(t, got.IsValid(), got)
				return
			}
			require.Equal(t, c.want, got.String())
		})
	}
}

func TestRefusalsKeepTheLatest(t *testing.T) {
	var r refusals
	r.count(newRefusedMetric(), "app")
	require.Empty(t, r.list())
	for i := range keptRefusals + 7 {
		r.add(refusal{reason: susulv1.RefusalReason_REFUSAL_REASON_STALE, size: int64(i)})
		list := r.list()
		require.Len(t, list, min(i+1, keptRefusals))
		require.EqualValues(t, i, list[0].size)
		require.EqualValues(t, max(i+1-keptRefusals, 0), list[len(list)-1].size)
	}
}

// BenchmarkGuard measures what the guard adds to a request with a body of a hundred rows.
func BenchmarkGuard(b *testing.B) {
	clock := clockwork.NewFakeClock()
	networks := []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("192.0.2.0/24")}
	for name, proof := range map[string]CallbackProof{
		"open":     {},
		"networks": {Networks: networks},
		"signed":   {Username: "u", Secret: "s3cret"},
		"all":      {Username: "u", Secret: "s3cret", Authorization: "Basic YTpi", Networks: networks},
	} {
		b.Run(name, func(b *testing.B) {
			o := Options{
				Apps: map[string]App{"app": {Callbacks: proof}}, Registry: prometheus.NewRegistry(),
				Callbacks: CallbackRules{MaxAge: time.Hour, MaxAhead: time.Minute, Nonces: 1_000_000, Clock: clock},
			}
			g := newGuards(o)["app"]
			requests := make([]*http.Request, 10_000)
			for i := range requests {
				requests[i] = httptest.NewRequest(http.MethodPost, "/", nil)
				s := engagelab.Signature{Timestamp: strconv.FormatInt(clock.Now().Unix(), 10), Nonce: fmt.Sprint(i), Username: "u"}
				s.Signature = engagelab.Sign("s3cret", s.Timestamp, s.Nonce, s.Username)
				requests[i].Header.Set(engagelab.SignatureHeader, s.Header())
				requests[i].Header.Set("Authorization", "Basic YTpi")
			}
			body := make([]byte, 20<<10)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				visit := g.visit(requests[i%len(requests)])
				if err := visit.enter(); err != nil {
					b.Fatal(err)
				}
				if err := visit.bring(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkNonces measures what one more nonce costs when there are as many as there may be.
func BenchmarkNonces(b *testing.B) {
	n := newNonces(1_000_000, time.Hour)
	now := time.Unix(1_700_000_000, 0)
	b.ReportAllocs()
	for i := uint64(0); b.Loop(); i++ {
		n.use(i*0x9E3779B97F4A7C15, i, now)
	}
}
