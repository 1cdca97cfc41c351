package policy

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	applied   prometheus.Gauge
	policies  prometheus.Gauge
	broken    prometheus.Gauge
	connected prometheus.Gauge
	reloads   prometheus.Counter
	failures  prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	factory := promauto.With(r)
	gauge := func(name, help string) prometheus.Gauge {
		return factory.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	counter := func(name, help string) prometheus.Counter {
		return factory.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	return &metrics{
		applied:   gauge("susul_policy_applied_revision", "The etcd revision up to which this node has all policies and switches."),
		policies:  gauge("susul_policies", "How many policies this node serves."),
		broken:    gauge("susul_policies_broken", "How many policies and switches in etcd are unusable."),
		connected: gauge("susul_policy_watch_connected", "1 while etcd answers this node's watch."),
		reloads:   counter("susul_policy_loads_total", "How often all policies were loaded."),
		failures:  counter("susul_policy_watch_failures_total", "How often the load or the watch failed."),
	}
}
