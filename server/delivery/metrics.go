package delivery

import (
	"github.com/prometheus/client_golang/prometheus"

	"susul.dev/susul/storage"
)

// Metrics counts what passes through a Service. Labels are configured apps and fixed words, so that their number is
// bounded.
type Metrics struct {
	pushes     *prometheus.CounterVec
	adopted    *prometheus.CounterVec
	dispatches *prometheus.CounterVec
	callbacks  *prometheus.CounterVec
	held       *prometheus.GaugeVec
	asked      *prometheus.CounterVec
	measured   *prometheus.CounterVec
	paused     prometheus.Counter
}

// NewMetrics registers them.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
		pushes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "susul_pushes_accepted_total", Help: "Pushes that were stored.",
		}, []string{"app"}),
		adopted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "susul_pushes_adopted_total", Help: "Pushes that were recorded after EngageLab had taken them from elsewhere, or for a group.",
		}, []string{"app"}),
		dispatches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "susul_dispatches_total", Help: "Attempts at handing a dispatch to EngageLab, by the state that they led to.",
		}, []string{"app", "state"}),
		callbacks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "susul_callbacks_total", Help: "Rows that EngageLab reported, by what became of them.",
		}, []string{"app", "outcome"}),
		held: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "susul_steps_held", Help: "Due steps that are not planned because it is not known who reacted.",
		}, []string{"app"}),
		asked: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "susul_reconciled_total",
			Help: "Recipients that EngageLab was asked about before a follow-up, by what it knew: reached and not_reached (the " +
				"trigger's milestone) were news, known and nothing were not.",
		}, []string{"app", "outcome"}),
		measured: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "susul_steps_measured_total", Help: "Steps of pushes whose click window has ended.",
		}, []string{"app"}),
		paused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "susul_steps_paused_total", Help: "Steps of resend policies that were paused because they did harm.",
		}),
	}
	registry.MustRegister(m.pushes, m.adopted, m.dispatches, m.callbacks, m.held, m.asked, m.measured, m.paused)
	return m
}

func (m *Metrics) pushAccepted(app string) { m.pushes.WithLabelValues(app).Inc() }

func (m *Metrics) pushAdopted(app string) { m.adopted.WithLabelValues(app).Inc() }

func (m *Metrics) dispatchFinished(app string, state storage.DispatchState) {
	m.dispatches.WithLabelValues(app, string(state)).Inc()
}

func (m *Metrics) stepsHeld(app string, steps int) { m.held.WithLabelValues(app).Set(float64(steps)) }

func (m *Metrics) reconciled(app, outcome string) { m.asked.WithLabelValues(app, outcome).Inc() }

func (m *Metrics) stepMeasured(app string) { m.measured.WithLabelValues(app).Inc() }

func (m *Metrics) stepPaused() { m.paused.Inc() }

func (m *Metrics) callbacksRecorded(app string, summary storage.CallbackSummary) {
	m.callbacks.WithLabelValues(app, "new").Add(float64(summary.New))
	m.callbacks.WithLabelValues(app, "repeated").Add(float64(summary.Repeated))
	m.callbacks.WithLabelValues(app, "held").Add(float64(summary.Held))
	m.callbacks.WithLabelValues(app, "dropped").Add(float64(summary.Dropped))
}
