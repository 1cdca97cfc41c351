package relay

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"susul.dev/susul/storage"
)

// metrics counts what is posted. Labels are configured apps and fixed words, so that their number is bounded. It is registered once, and
// outlasts the relay: what is asked of endpoints is asked of the one that runs.
type metrics struct {
	attempts *prometheus.CounterVec
	events   *prometheus.CounterVec
	buried   *prometheus.CounterVec
	duration *prometheus.HistogramVec

	lagEvents, lagSeconds, endpoints, retries, letters *prometheus.Desc

	mu    sync.Mutex
	relay *Relay
}

// scrapeTime bounds how long the endpoints are asked, in real time.
const scrapeTime = 2 * time.Second

func newMetrics(registerer prometheus.Registerer) *metrics {
	app := []string{"app"}
	m := &metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "susul_relay_attempts_total", Help: "Requests to endpoints, by what they met.",
		}, []string{"app", "result"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "susul_relay_events_total", Help: "Events that endpoints took, repeated ones included.",
		}, app),
		buried: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "susul_relay_dead_events_total", Help: "Events that became dead letters.",
		}, app),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "susul_relay_attempt_seconds", Help: "How long requests to endpoints took, in real time.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20},
		}, app),
		lagEvents: prometheus.NewDesc("susul_relay_lag_events", "Events from the oldest on that the endpoint which is the furthest behind is yet to get, about.",
			app, nil),
		lagSeconds: prometheus.NewDesc("susul_relay_lag_seconds", "How long the oldest has been stored, in the server's time.", app, nil),
		endpoints:  prometheus.NewDesc("susul_relay_endpoints", "Endpoints, by state.", []string{"app", "state"}, nil),
		retries:    prometheus.NewDesc("susul_relay_retrying_pushes", "Pushes whose events are tried again by themselves, of all endpoints.", app, nil),
		letters:    prometheus.NewDesc("susul_relay_dead_letters", "Dead letters of all endpoints.", app, nil),
	}
	if registerer == nil {
		return m
	}
	var registered prometheus.AlreadyRegisteredError
	if err := registerer.Register(m); errors.As(err, &registered) {
		m = registered.ExistingCollector.(*metrics)
	} else if err != nil {
		panic(err) // as promauto does
	}
	return m
}

// observe has a relay's endpoints in the metrics until done is called.
func (m *metrics) observe(r *Relay) (done func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.relay = r
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.relay == r {
			m.relay = nil
		}
	}
}

func (m *metrics) attempted(app string, o outcome, events int, took time.Duration) {
	m.attempts.WithLabelValues(app, o.result()).Inc()
	m.duration.WithLabelValues(app).Observe(took.Seconds())
	if o.delivered {
		m.events.WithLabelValues(app).Add(float64(events))
	}
}

func (m *metrics) died(app string, events int64) { m.buried.WithLabelValues(app).Add(float64(events)) }

func (m *metrics) vectors() []prometheus.Collector {
	return []prometheus.Collector{m.attempts, m.events, m.buried, m.duration}
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(to chan<- *prometheus.Desc) {
	for _, v := range m.vectors() {
		v.Describe(to)
	}
	for _, d := range []*prometheus.Desc{m.lagEvents, m.lagSeconds, m.endpoints, m.retries, m.letters} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(to chan<- prometheus.Metric) {
	for _, v := range m.vectors() {
		v.Collect(to)
	}
	m.mu.Lock()
	r := m.relay
	m.mu.Unlock()
	if r == nil {
		return
	}
	select {
	case <-r.loaded:
	default:
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	for app, s := range r.summaries(ctx) {
		gauge := func(d *prometheus.Desc, value float64, labels ...string) {
			to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, append([]string{app}, labels...)...)
		}
		if !s.unknown {
			gauge(m.lagEvents, float64(s.lagEvents))
			gauge(m.lagSeconds, s.lagTime.Seconds())
		}
		gauge(m.retries, float64(s.retries))
		gauge(m.letters, float64(s.letters))
		for state, n := range s.states {
			gauge(m.endpoints, float64(n), state)
		}
	}
}

// summary is what the metrics tell of an app's endpoints.
type summary struct {
	states           map[string]int
	retries, letters int
	lagEvents        int64
	lagTime          time.Duration
	unknown          bool // how far behind: the store does not tell
	behind           bool
	done             int64 // up to where the one has all that is the furthest behind
}

// summaries looks at all endpoints.
func (r *Relay) summaries(ctx context.Context) map[string]*summary {
	all := map[string]*summary{}
	for app := range r.Apps {
		all[app] = &summary{states: map[string]int{"healthy": 0, "failing": 0, "open": 0, "paused": 0, "gone": 0}}
	}
	for _, e := range r.all() {
		s := all[e.app]
		e.look(func(l *ledger) {
			s.states[l.state()]++
			s.retries += len(l.parked)
			s.letters += l.letters
			if done, owed := l.owed(); owed && !l.resting() && (!s.behind || done < s.done) {
				s.behind, s.done = true, done
			}
		})
	}
	for app, s := range all {
		if !s.behind {
			continue
		}
		events, since, err := r.lag(ctx, app, s.done)
		if s.unknown = err != nil; events > 0 {
			s.lagEvents, s.lagTime = events, max(r.Clock.Now().Sub(since), 0)
		}
	}
	return all
}

// state is how the endpoint is, in a word.
func (l *ledger) state() string {
	switch {
	case l.row.State == storage.RelayGone:
		return "gone"
	case l.resting():
		return "paused"
	case l.open():
		return "open"
	case l.row.Failures > 0:
		return "failing"
	default:
		return "healthy"
	}
}
