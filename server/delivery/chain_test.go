package delivery_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"susul.dev/susul/server/policy"
	"susul.dev/susul/server/policy/etcdtest"
	"susul.dev/susul/storage"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// witness notes, for each claim that is decided about, whose clicks had been acknowledged before it. A dispatch that
// EngageLab may have is repeated as it was: its earlier claim is the one that counts.
type witness struct {
	storage.Store
	mu      sync.Mutex
	clicked map[string]bool            // by registration id
	atClaim map[string]map[string]bool // by cid: clicked as it was before the latest claim that decided who gets it
}

func (w *witness) ClaimDispatches(ctx context.Context, req storage.ClaimRequest) ([]storage.Claim, error) {
	w.mu.Lock()
	before := maps.Clone(w.clicked)
	w.mu.Unlock()
	claims, err := w.Store.ClaimDispatches(ctx, req)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, claim := range claims {
		if claim.Dispatch.State == storage.DispatchSending {
			continue // repeated as it was decided before
		}
		w.atClaim[fmt.Sprintf("%d-%d-%d", claim.Push.ID, claim.Dispatch.Step, claim.Dispatch.Chunk)] = before
	}
	return claims, err
}

// Whatever happens, in whatever order, a step reaches a recipient at most once; nobody whose click was acknowledged
// before the claim gets a follow-up; and in the end everybody who did not click, and whose policy was left alone, got
// every step.
func TestChainsUnderRandomEvents(t *testing.T) {
	etcd := etcdtest.Start(t)
	rapid.Check(t, func(rt *rapid.T) {
		h := newHouseOn(t, etcd.Client())
		defer h.close()
		watch := &witness{Store: h.store, clicked: map[string]bool{}, atClaim: map[string]map[string]bool{}}
		h.stop()
		h.store = watch
		h.start()
		h.createPolicy(news())
		defer func() { require.NoError(t, h.policies.Delete(t.Context(), "news", 0)) }()

		n := rapid.IntRange(1, 8).Draw(rt, "people")
		push, first := h.push(n, nil)
		paused := false
		flaky := 0
		h.engageLab.hook(
			func(sending) error { flaky++; return pick(flaky, errDown) },
			func(sending) error { return pick(flaky+1, errLost) },
		)
		running := true
		rt.Repeat(map[string]func(*rapid.T){
			"click": func(rt *rapid.T) {
				who := fmt.Sprintf("r%d", rapid.IntRange(0, n-1).Draw(rt, "who"))
				h.callback(first, "click", who)
				watch.mu.Lock()
				watch.clicked[who] = true
				watch.mu.Unlock()
			},
			"time passes": func(rt *rapid.T) {
				h.clock.Advance(time.Duration(rapid.IntRange(1, 90).Draw(rt, "minutes")) * time.Minute)
			},
			"plan":    func(*rapid.T) { require.NoError(t, h.service.PlanDueSteps(t.Context())) },
			"restart": func(*rapid.T) { h.stop(); h.start(); running = true },
			"stop":    func(*rapid.T) { h.stop(); running = false },
			"pause": func(rt *rapid.T) {
				if rapid.IntRange(0, 9).Draw(rt, "rarely") > 0 {
					return
				}
				paused = true
				_, err := h.policies.Update(t.Context(), 0, "news", func(p policy.Policy) (policy.Policy, error) {
					p.Paused = true
					return p, nil
				})
				require.NoError(t, err)
			},
		})

		// Let it come to its end.
		if !running {
			h.start()
		}
		h.engageLab.hook(nil, nil)
		report := h.settledWhileTimePasses(push)
		for range 3 { // each step, and once more
			h.clock.Advance(6 * time.Hour)
			require.NoError(t, h.service.PlanDueSteps(t.Context()))
			report = h.settledWhileTimePasses(push)
		}
		h.stop()
		checkChain(rt, h, watch, n, report, paused)
	})
}

// pick returns the error for every third call.
func pick(call int, err error) error {
	if call%3 == 0 {
		return err
	}
	return nil
}

func checkChain(t *rapid.T, h *house, watch *witness, n int, report storage.Report, paused bool) {
	got := map[string][]int{} // steps by registration id
	for _, s := range h.engageLab.sendings {
		var push int64
		var step, chunk int
		_, err := fmt.Sscanf(s.cid, "%d-%d-%d", &push, &step, &chunk)
		require.NoError(t, err)
		for _, id := range s.ids {
			require.NotContains(t, got[id], step, "%s got step %d twice", id, step)
			got[id] = append(got[id], step)
			if step > 0 {
				require.False(t, watch.atClaim[s.cid][id], "%s had clicked before %s was claimed", id, s.cid)
			}
		}
	}
	require.Len(t, got, n)
	if paused {
		return
	}
	for id, steps := range got {
		slices.Sort(steps)
		if !watch.clicked[id] && !expiredAny(report) {
			require.Equal(t, []int{0, 1, 2}, steps, "%s never clicked", id)
		}
	}
}

// expiredAny reports whether EngageLab was down, or Susul stopped, for longer than a step's time to live.
func expiredAny(report storage.Report) bool {
	return slices.ContainsFunc(report.Steps, func(s storage.StepReport) bool {
		return s.Dispatches[storage.DispatchExpired] > 0
	})
}

// settledWhileTimePasses is settled for dispatches that wait for another try.
func (h *house) settledWhileTimePasses(push storage.Push) storage.Report {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	defer cancel()
	go func() {
		for h.idle(ctx) == nil {
			h.clock.Advance(time.Second)
		}
	}()
	return h.settled(push)
}
