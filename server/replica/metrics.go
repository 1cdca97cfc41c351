package replica

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics tell how well a replica follows etcd.
type Metrics struct {
	applied, size, broken, connected, confirmed prometheus.Gauge
	loads, failures                             prometheus.Counter
}

// NewMetrics returns metrics whose names have what is followed in them, in the singular and in the plural: susul_policy_loads_total,
// susul_policies. A nil registerer keeps none.
func NewMetrics(r prometheus.Registerer, one, many string) *Metrics {
	factory := promauto.With(r)
	gauge := func(name, help string) prometheus.Gauge {
		return factory.NewGauge(prometheus.GaugeOpts{Namespace: "susul", Name: name, Help: help})
	}
	counter := func(name, help string) prometheus.Counter {
		return factory.NewCounter(prometheus.CounterOpts{Namespace: "susul", Name: name, Help: help})
	}
	return &Metrics{
		applied:   gauge(one+"_applied_revision", fmt.Sprintf("The etcd revision up to which this node has all %s.", many)),
		size:      gauge(many, fmt.Sprintf("How many %s this node serves.", many)),
		broken:    gauge(many+"_broken", fmt.Sprintf("How many %s in etcd are unusable.", many)),
		connected: gauge(one+"_watch_connected", fmt.Sprintf("1 while etcd answers this node's watch of %s.", many)),
		confirmed: gauge(one+"_confirmed_timestamp_seconds", fmt.Sprintf("When etcd last confirmed that this node has all %s.", many)),
		loads:     counter(one+"_loads_total", fmt.Sprintf("How often all %s were loaded.", many)),
		failures:  counter(one+"_watch_failures_total", fmt.Sprintf("How often the load or the watch of %s failed.", many)),
	}
}
