package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"susul.dev/susul/server/forward"
	"susul.dev/susul/server/replica"
)

// pingTimeout bounds the store's or the leader's part of a readiness check, in real time.
const pingTimeout = 2 * time.Second

// opsHandler serves operators: metrics, liveness, readiness, profiles.
func (s *Server) opsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{Registry: s.registry}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", s.serveReadiness)
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

// readiness is the answer of /readyz.
type readiness struct {
	Ready  bool   `json:"ready"`
	Role   string `json:"role"` // leader; or standby with SQLite, member with PostgreSQL
	Leader string `json:"leader,omitempty"`
	Term   int64  `json:"term,omitempty"`
	// Nodes is how many nodes work on the database, as far as this one knows; with PostgreSQL only.
	Nodes int `json:"nodes,omitempty"`
	// PolicyRevision is the revision of all resend policies that this node has applied.
	PolicyRevision int64    `json:"policy_revision"`
	BrokenPolicies []string `json:"broken_policies,omitempty"`
	// SubscriptionRevision is the same of subscriptions.
	SubscriptionRevision int64    `json:"subscription_revision"`
	BrokenSubscriptions  []string `json:"broken_subscriptions,omitempty"`

	Etcd     *etcdState     `json:"etcd,omitempty"`
	Election *electionState `json:"election,omitempty"`
	Faults   []string       `json:"faults,omitempty"`
}

// serveReadiness says 200 if this node takes calls: it works, its store takes writes, and its policies and subscriptions are loaded; or it
// reaches the node that leads. Those that are cut off from etcd go on serving as they were; that is told, and does not make the node
// unready.
func (s *Server) serveReadiness(w http.ResponseWriter, r *http.Request) {
	answer := s.node.readiness(r.Context())
	w.Header().Set("Content-Type", "application/json")
	if !answer.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (n *node) readiness(ctx context.Context) readiness {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	answer := readiness{Role: "standby", Leader: n.otherLeader()}
	if policies := n.policies.Load(); policies != nil {
		status := policies.Status()
		answer.PolicyRevision, answer.BrokenPolicies = status.AppliedRevision, status.Broken
		answer.follows("resend policies", status)
	}
	if subscriptions := n.subscriptions.Load(); subscriptions != nil {
		status := subscriptions.Status()
		answer.SubscriptionRevision, answer.BrokenSubscriptions = status.AppliedRevision, status.Broken
		answer.follows("subscriptions", status)
	}
	n.tellEtcd(&answer)
	if n.shared() {
		answer.Role = "member"
	}
	if members := n.members.Load(); members != nil {
		answer.Nodes = members.Nodes()
	}
	if leads := n.leads.Load(); leads != nil {
		answer.Role, answer.Term, answer.Leader = "leader", leads.term, "" // the former leader may still be known
	}
	active := n.active.Load()
	if active == nil {
		n.tellForwarding(ctx, &answer)
		return answer
	}
	if err := ping(ctx, active.store); err != nil {
		text := "storage takes no writes"
		if errors.Is(err, context.DeadlineExceeded) {
			text = "storage does not answer"
		}
		answer.Faults = append(answer.Faults, text)
		return answer
	}
	answer.Ready = true
	return answer
}

// tellForwarding says whether a node that does not work reaches the one that leads.
func (n *node) tellForwarding(ctx context.Context, answer *readiness) {
	if n.waits.Load() {
		answer.Faults = append(answer.Faults, "storage can't be reached")
	}
	switch err := n.forwarder.Ping(ctx); {
	case err == nil:
		answer.Ready = true
	case answer.Leader == "":
		answer.Faults = append(answer.Faults, "no leader is known")
	case errors.Is(err, forward.ErrNotTaken):
		answer.Faults = append(answer.Faults, "the leader that is known can't be reached, or leads no more")
	default:
		answer.Faults = append(answer.Faults, "the leader does not answer")
	}
}

// follows tells of what does not follow etcd.
func (r *readiness) follows(what string, status replica.Status) {
	if !status.Connected {
		r.Faults = append(r.Faults, fmt.Sprintf("etcd: disconnected since %s; %s serve as they were",
			status.Since.UTC().Format(time.RFC3339), what))
	}
}
