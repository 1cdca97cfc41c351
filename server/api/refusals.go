package api

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	susulv1 "susul.dev/susul/gen/susul/v1"
)

// keptRefusals is how many refused callbacks of an app are listed.
const keptRefusals = 100

// refusal is a request that was refused at an app's callbacks.
type refusal struct {
	reason susulv1.RefusalReason
	time   time.Time
	source netip.Addr
	size   int64
}

// refusals counts an app's refused callbacks, and keeps the latest. They are kept in memory only: nobody fills the disk by being
// refused.
type refusals struct {
	counters map[susulv1.RefusalReason]prometheus.Counter

	mu     sync.Mutex
	latest [keptRefusals]refusal
	total  int // the latest is at total-1, modulo their number
}

func newRefusedMetric() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "susul_callbacks_refused_total",
		Help: "Requests with callbacks that were refused, by the reason.",
	}, []string{"app", "reason"})
}

// count makes every refusal count in the metric, where each reason begins with 0.
func (r *refusals) count(metric *prometheus.CounterVec, app string) {
	r.counters = make(map[susulv1.RefusalReason]prometheus.Counter, len(susulv1.RefusalReason_name))
	for number, name := range susulv1.RefusalReason_name {
		if reason := susulv1.RefusalReason(number); reason != susulv1.RefusalReason_REFUSAL_REASON_UNSPECIFIED {
			label := strings.ToLower(strings.TrimPrefix(name, "REFUSAL_REASON_"))
			r.counters[reason] = metric.WithLabelValues(app, label)
		}
	}
}

func (r *refusals) add(one refusal) {
	r.counters[one.reason].Inc()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.latest[r.total%keptRefusals] = one
	r.total++
}

// list returns those that are kept, the latest first.
func (r *refusals) list() []refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := make([]refusal, 0, keptRefusals)
	for i := r.total; i > max(r.total-keptRefusals, 0); i-- {
		kept = append(kept, r.latest[(i-1)%keptRefusals])
	}
	return slices.Clip(kept)
}
