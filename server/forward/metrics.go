package forward

import "github.com/prometheus/client_golang/prometheus"

// What became of a call that this node could not answer itself.
const (
	outcomeAnswered = "answered"  // by the leader, also with an error
	outcomeBroken   = "broken"    // it was sent, and no answer came
	outcomeEnded    = "ended"     // by the caller, or its deadline
	outcomeNotTaken = "not_taken" // nobody led for as long as it was held
	outcomeFull     = "full"      // too many were held
)

type metrics struct {
	calls *prometheus.CounterVec
	held  prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) metrics {
	m := metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "susul_forwarded_calls_total", Help: "Calls that another node had to answer, by protocol and outcome.",
		}, []string{"protocol", "outcome"}),
		held: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "susul_held_calls", Help: "Calls that wait for a node that leads.",
		}),
	}
	if r != nil {
		r.MustRegister(m.calls, m.held)
	}
	return m
}

func (m metrics) count(protocol, outcome string) { m.calls.WithLabelValues(protocol, outcome).Inc() }
