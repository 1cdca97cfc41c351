package delivery_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

	"susul.dev/susul/server/delivery"
	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/server/policy"
	"susul.dev/susul/server/replica/etcdtest"
	"susul.dev/susul/server/servertest/backend"
	"susul.dev/susul/storage"
)

const (
	app = "app"
	// patience bounds what a test waits for, in real time.
	patience = 20 * time.Second
)

// house is a Service with all that it needs, in a time of its own.
type house struct {
	t         *testing.T
	clock     *clockwork.FakeClock
	store     storage.Store
	claims    atomic.Int64 // that the service has, and has not finished
	policies  *policy.Store
	engageLab *engageLab
	senders   int
	retention time.Duration
	external  int
	dead      map[string]string // callbacks.dead_tokens
	deleting  bool              // apps[].delete_invalid_devices
	rate      float64           // apps[].requests_per_second
	registry  *prometheus.Registry
	service   *delivery.Service
	stop      func()

	stopPolicies func()
	remote       *remotePolicies // stands between the service and the policies, unless nil
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := newHouseOn(t, etcdtest.Start(t).Client())
	t.Cleanup(h.close)
	return h
}

// newHouseOn returns a house on the given etcd, to be closed by the caller.
func newHouseOn(t *testing.T, client *clientv3.Client) *house {
	t.Helper()
	h := &house{
		t: t, engageLab: newEngageLab(), senders: 4,
		clock: clockwork.NewFakeClockAt(time.Date(2026, 3, 1, 7, 0, 0, 0, time.UTC)),
	}
	h.store = backend.Open(t)
	h.startPolicies(client)
	h.start()
	return h
}

// close stops everything.
func (h *house) close() {
	h.t.Helper()
	h.stop()
	h.stopPolicies()
	require.NoError(h.t, h.store.Close())
}

func (h *house) startPolicies(client *clientv3.Client) {
	h.policies = policy.New(policy.Options{Client: client, Clock: h.clock, Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.policies.Run(ctx) }()
	h.stopPolicies = func() {
		cancel()
		require.NoError(h.t, <-done)
	}
	<-h.policies.Loaded()
}

// options are what a new Service over the same store needs.
func (h *house) options() delivery.Options {
	h.registry = prometheus.NewRegistry()
	policies := delivery.Policies(h.policies)
	if h.remote != nil {
		policies = h.remote
	}
	return delivery.Options{
		Store: claimCounter{h.store, &h.claims}, Policies: policies, Clock: h.clock, Logger: slog.New(slog.DiscardHandler),
		Apps: map[string]delivery.App{app: {
			Sender: h.engageLab, CallbackURL: "https://susul.example/cb", RequestsPerSecond: h.rate, DeleteInvalidDevices: h.deleting,
		}},
		DeadTokens:   h.dead,
		Metrics:      delivery.NewMetrics(h.registry),
		AnswerWithin: patience, SendersPerApp: h.senders, Retention: h.retention, ExternalPushes: h.external,
	}
}

// claimCounter counts the claims that were not finished.
type claimCounter struct {
	storage.Store
	open *atomic.Int64
}

func (c claimCounter) ClaimDispatches(ctx context.Context, req storage.ClaimRequest) ([]storage.Claim, error) {
	claims, err := c.Store.ClaimDispatches(ctx, req)
	c.open.Add(int64(len(claims)))
	return claims, err
}

func (c claimCounter) FinishDispatch(ctx context.Context, result storage.DispatchResult) (storage.Push, error) {
	defer c.open.Add(-1)
	return c.Store.FinishDispatch(ctx, result)
}

// start runs a new Service over the same store, as after a restart.
func (h *house) start() {
	h.claims.Store(0)
	h.service = delivery.New(h.options())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		var group errgroup.Group
		group.Go(func() error { return h.service.Run(ctx) })
		group.Go(func() error { return h.service.RunLeader(ctx) })
		done <- group.Wait()
	}()
	h.stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(h.t, <-done)
	})
}

// news is the policy of the seed case: unless clicked within 2 h, steps 1 h and 3 h later.
func news() policy.Policy {
	return policy.Policy{
		ID:      "news",
		Match:   `custom_args == "news"`,
		Trigger: policy.Trigger{Unless: storage.Clicked, Within: 2 * time.Hour},
		Steps: []policy.Step{
			{After: time.Hour, Contents: says(policy.Content{Title: "Again: {{ push.body.notification.android.title }}"})},
			{After: 3 * time.Hour, Contents: says(policy.Content{Alert: "Last call, step {{ step }}."})},
		},
	}
}

// says are the contents of a step that has one for all.
func says(content policy.Content) policy.Contents { return policy.Contents{Content: &content} }

func (h *house) createPolicy(p policy.Policy) policy.Policy {
	h.t.Helper()
	created, err := h.policies.Create(h.t.Context(), p)
	require.NoError(h.t, err)
	return created
}

// request asks for a push to n people, r0 and on; more sets further members.
func (h *house) request(n int, more map[string]any) delivery.PushRequest {
	h.t.Helper()
	members := map[string]any{
		"to": map[string]any{"registration_id": people(n)},
		"body": map[string]any{
			"platform":     "android",
			"notification": map[string]any{"android": map[string]any{"title": "News", "alert": "Read it"}},
			"options":      map[string]any{"time_to_live": 600},
		},
		"custom_args": "news",
	}
	for name, value := range more {
		members[name] = value
	}
	data, err := json.Marshal(members)
	require.NoError(h.t, err)
	document, err := engagelab.ParseDocument(data)
	require.NoError(h.t, err)
	return delivery.PushRequest{App: app, Document: document}
}

func people(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("r%d", i)
	}
	return ids
}

// push creates a push to n people and returns it with what reached EngageLab first.
func (h *house) push(n int, more map[string]any) (storage.Push, sending) {
	h.t.Helper()
	push, err := h.service.CreatePush(h.t.Context(), h.request(n, more))
	require.NoError(h.t, err)
	return push, h.next()
}

// next returns the next request that reached EngageLab.
func (h *house) next() sending {
	h.t.Helper()
	select {
	case s := <-h.engageLab.arrived:
		return s
	case <-time.After(patience):
		require.Fail(h.t, "nothing reached EngageLab")
		return sending{}
	}
}

// settled waits until no dispatch is pending, claimed or blocked, and returns the report.
func (h *house) settled(push storage.Push) storage.Report {
	h.t.Helper()
	var report storage.Report
	require.Eventually(h.t, func() bool {
		var err error
		report, err = h.service.Report(h.t.Context(), app, push.ID)
		require.NoError(h.t, err)
		for _, step := range report.Steps {
			if step.Dispatches[storage.DispatchPending]+step.Dispatches[storage.DispatchClaimed]+
				step.Dispatches[storage.DispatchSending]+step.Dispatches[storage.DispatchBlocked] > 0 {
				return false
			}
		}
		return true
	}, patience, time.Millisecond)
	return report
}

// callback reports a status for people of a sending.
func (h *house) callback(s sending, status string, ids ...string) storage.CallbackSummary {
	h.t.Helper()
	h.engageLab.saw(s, status, ids...)
	rows := make([]storage.Callback, len(ids))
	for i, id := range ids {
		rows[i] = storage.Callback{UpstreamID: s.upstream, RegistrationID: id, Status: status}
	}
	summary, err := h.service.RecordCallbacks(h.t.Context(), app, rows)
	require.NoError(h.t, err)
	return summary
}

// idle waits until the dispatcher waits for its next try, and the adopter for strays.
func (h *house) idle(ctx context.Context) error { return h.clock.BlockUntilContext(ctx, 2) }

// pass lets time go by and plans what is due.
func (h *house) pass(d time.Duration) {
	h.t.Helper()
	h.clock.Advance(d)
	require.NoError(h.t, h.service.PlanDueSteps(h.t.Context()))
}
