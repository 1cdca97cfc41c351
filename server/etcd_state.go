package server

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"susul.dev/susul/server/replica"
	"susul.dev/susul/server/schedule"
)

// etcdState is what /readyz tells of this node's way to etcd.
type etcdState struct {
	// Connected says that etcd answers everything that this node asks: both watches, and the renewals of its lease, once it stands for
	// election.
	Connected bool `json:"connected"`
	// Since is when that last changed, in real time.
	Since time.Time `json:"since"`
	// PolicyAge and SubscriptionAge are how long ago etcd last confirmed that this node has everything.
	PolicyAge       float64 `json:"policy_age_seconds"`
	SubscriptionAge float64 `json:"subscription_age_seconds"`
}

// electionState is what /readyz tells of the election.
type electionState struct {
	State schedule.State `json:"state"`
	Since time.Time      `json:"since"`
	// LeaseSeconds is how much longer this node's lease can be trusted if etcd is not heard of.
	LeaseSeconds float64 `json:"lease_seconds"`
	// Term is the latest that this node knows, whoever leads in it.
	Term    int64 `json:"term,omitempty"`
	Changes int64 `json:"changes"`
}

// tellEtcd adds etcd and the election to an answer, once there is either.
func (n *node) tellEtcd(answer *readiness) {
	policies, subscriptions, election := n.policies.Load(), n.subscriptions.Load(), n.election.Load()
	if policies == nil || subscriptions == nil || election == nil {
		return
	}
	now, standing := realNow(), election.Status()
	answer.Etcd = followed(standing, policies.Status(), subscriptions.Status(), now)
	answer.Election = &electionState{
		State: standing.State, Since: standing.Since.UTC(), Term: standing.Term, Changes: standing.Changes,
		LeaseSeconds: max(0, standing.Trusted.Sub(now).Seconds()),
	}
	if standing.State == schedule.InDoubt && !standing.Apart {
		answer.Faults = append(answer.Faults, fmt.Sprintf("etcd: this node's lease is in doubt since %s; it neither leads nor is it next",
			standing.Since.UTC().Format(time.RFC3339)))
	}
}

// followed sums up what depends on etcd: since the first of it was cut off, or since the last of it was back.
func followed(standing schedule.Status, policies, subscriptions replica.Status, now time.Time) *etcdState {
	state := &etcdState{Connected: true}
	leased := standing.Since
	if standing.State != schedule.InDoubt || standing.Apart {
		leased = standing.Leased // zero while this node does not stand for election: that tells nothing
	}
	for _, part := range []struct {
		connected bool
		since     time.Time
	}{
		{standing.State != schedule.InDoubt || standing.Apart, leased},
		{policies.Connected, policies.Since}, {subscriptions.Connected, subscriptions.Since},
	} {
		switch since := part.since.UTC(); {
		case part.connected && state.Connected && since.After(state.Since):
			state.Since = since
		case !part.connected && (state.Connected || since.Before(state.Since)):
			state.Connected, state.Since = false, since
		}
	}
	state.PolicyAge, state.SubscriptionAge = policies.Age(now).Seconds(), subscriptions.Age(now).Seconds()
	return state
}

// registerClusterMetrics tells of etcd and the election.
func (n *node) registerClusterMetrics(registry prometheus.Registerer) {
	newGauge := func(name, help string, labels prometheus.Labels, value func(schedule.Status) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: "susul", Name: name, Help: help, ConstLabels: labels,
		}, func() float64 { return value(n.standing()) })
	}
	gauge := func(name, help string, labels prometheus.Labels, value func(schedule.Status) float64) {
		registry.MustRegister(ofEtcd{n, newGauge(name, help, labels, value)})
	}
	truth := func(yes bool) float64 {
		if yes {
			return 1
		}
		return 0
	}
	gauge("etcd_connected", "1 while etcd answers everything that this node asks: its watches and the renewals of its lease.", nil,
		func(standing schedule.Status) float64 {
			policies, subscriptions := n.policies.Load(), n.subscriptions.Load()
			if policies == nil || subscriptions == nil {
				return 0
			}
			return truth(followed(standing, policies.Status(), subscriptions.Status(), realNow()).Connected)
		})
	for _, state := range schedule.States() {
		gauge("election_state", "1 for the state that this node is in.", prometheus.Labels{"state": string(state)},
			func(standing schedule.Status) float64 { return truth(standing.State == state) })
	}
	gauge("election_lease_seconds", "How much longer this node's lease can be trusted if etcd is not heard of.", nil,
		func(standing schedule.Status) float64 { return max(0, standing.Trusted.Sub(realNow()).Seconds()) })
	gauge("election_term", "The latest term that this node knows, whoever leads in it.", nil,
		func(standing schedule.Status) float64 { return float64(standing.Term) })
	registry.MustRegister(newGauge("working", "1 while this node works, with its store open.", nil,
		func(schedule.Status) float64 { return truth(n.active.Load() != nil) }))
	registry.MustRegister(newGauge("leading", "1 while this node leads those that work, with its store open.", nil,
		func(schedule.Status) float64 { return truth(n.leads.Load() != nil) }))
	registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Namespace: "susul", Name: "leadership_changes_total", Help: "How many terms this node has seen begin.",
	}, func() float64 { return float64(n.standing().Changes) }))
}

// ofEtcd is a metric of this node's way to etcd. A node that waits for the data directory with the embedded etcd in it has none, and
// must not look like one that is cut off.
type ofEtcd struct {
	node *node
	prometheus.Collector
}

func (m ofEtcd) Collect(metrics chan<- prometheus.Metric) {
	if len(m.node.server.config.Etcd.Endpoints) > 0 || m.node.election.Load() != nil {
		m.Collector.Collect(metrics)
	}
}

// standing is this node's in the election; in doubt as long as it does not take part.
func (n *node) standing() schedule.Status {
	if election := n.election.Load(); election != nil {
		return election.Status()
	}
	return schedule.Status{State: schedule.InDoubt}
}

func realNow() time.Time { return time.Now() } //nolint:forbidigo // operators' time
