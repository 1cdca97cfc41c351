package delivery_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"susul.dev/susul/server/delivery"
	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/storage"
)

// shared are two handles of one store that tell each other of their work, as those of different nodes do.
type shared struct {
	mu   sync.Mutex
	home map[int64]*handle           // whose pushes they are
	work map[*handle][]chan struct{} // who is told of work
}

// handle is one of them.
type handle struct {
	storage.Store
	shared  *shared
	other   *handle
	idle    bool // it claims nothing
	answers chan int64
}

func handles(store storage.Store) (a, b *handle) {
	all := &shared{home: map[int64]*handle{}, work: map[*handle][]chan struct{}{}}
	one := func() *handle {
		return &handle{Store: store, shared: all, answers: make(chan int64, 100)}
	}
	a, b = one(), one()
	a.other, b.other = b, a
	return a, b
}

func (h *handle) SubscribeWork() (<-chan struct{}, func()) {
	signal := make(chan struct{}, 1)
	h.shared.mu.Lock()
	defer h.shared.mu.Unlock()
	h.shared.work[h] = append(h.shared.work[h], signal)
	return signal, func() {}
}

func (h *handle) SubscribeAnswers() (<-chan int64, func()) { return h.answers, func() {} }

// worked tells the other.
func (h *handle) worked() {
	h.shared.mu.Lock()
	defer h.shared.mu.Unlock()
	for _, signal := range h.shared.work[h.other] {
		select {
		case signal <- struct{}{}:
		default:
		}
	}
}

func (h *handle) CreatePush(ctx context.Context, draft storage.PushDraft) (storage.Push, bool, error) {
	h.shared.mu.Lock()
	h.shared.home[draft.Push.ID] = h
	h.shared.mu.Unlock()
	defer h.worked()
	return h.Store.CreatePush(ctx, draft)
}

func (h *handle) ClaimDispatches(ctx context.Context, req storage.ClaimRequest) ([]storage.Claim, error) {
	if h.idle {
		return nil, nil
	}
	return h.Store.ClaimDispatches(ctx, req)
}

// NextDispatchTime leaves an idle handle to the signals.
func (h *handle) NextDispatchTime(ctx context.Context, app string) (time.Time, bool, error) {
	if h.idle {
		return time.Time{}, false, nil
	}
	return h.Store.NextDispatchTime(ctx, app)
}

func (h *handle) FinishDispatch(ctx context.Context, result storage.DispatchResult) (storage.Push, error) {
	push, err := h.Store.FinishDispatch(ctx, result)
	h.shared.mu.Lock()
	home := h.shared.home[push.ID]
	h.shared.mu.Unlock()
	if err == nil && home == h.other {
		home.answers <- push.ID
	}
	h.worked()
	return push, err
}

func (h *handle) PlanStep(ctx context.Context, plan storage.StepPlan) error {
	defer h.worked()
	return h.Store.PlanStep(ctx, plan)
}

// nodes runs a Service over each of two handles until the test ends. The first takes pushes, but does not send.
func nodes(t *testing.T, h *house) (taker, sender *delivery.Service) {
	t.Helper()
	h.stop() // the house's own
	a, b := handles(h.store)
	a.idle = true
	two := func() int { return 2 }
	service := func(store storage.Store) *delivery.Service {
		o := h.options()
		o.Store, o.Nodes = store, two
		return delivery.New(o)
	}
	taker, sender = service(a), service(b)
	ctx, cancel := context.WithCancel(context.Background())
	var group errgroup.Group
	group.Go(func() error { return taker.Run(ctx) })
	group.Go(func() error { return sender.Run(ctx) })
	group.Go(func() error { return taker.RunLeader(ctx) })
	t.Cleanup(func() {
		cancel()
		require.NoError(t, group.Wait())
	})
	return taker, sender
}

// A push that one node took and another sent is answered as if there were only one node, EngageLab's refusal included.
func TestWhatAnotherNodeSendsIsAnswered(t *testing.T) {
	h := newHouse(t)
	taker, sender := nodes(t, h)
	push, err := taker.CreatePush(t.Context(), h.request(3, nil))
	require.NoError(t, err)
	require.False(t, push.FirstSentTime.IsZero(), "the call returned when EngageLab had answered")
	require.Len(t, h.next().ids, 3)

	h.engageLab.hook(func(sending) error { return &engagelab.Error{HTTPStatus: 400, Code: 21003, Message: "no such thing"} }, nil)
	_, err = taker.CreatePush(t.Context(), h.request(3, nil))
	var refused *delivery.RefusedError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, 21003, refused.Code)
	h.engageLab.hook(nil, nil)

	got, err := sender.Report(t.Context(), app, push.ID)
	require.NoError(t, err)
	require.Equal(t, 1, got.Steps[0].Dispatches[storage.DispatchSent])
}

// What one node plans another sends at once, and what one sends another plans when it is due.
func TestANodeHeedsTheWorkOfAnother(t *testing.T) {
	h := newHouse(t)
	h.createPolicy(news())
	leader, _ := nodes(t, h)
	signal := leader.StepsDue()
	_, err := leader.CreatePush(t.Context(), h.request(3, nil))
	require.NoError(t, err)
	require.Len(t, h.next().ids, 3)
	select {
	case <-signal: // the sender set the steps' times
	case <-time.After(patience):
		require.Fail(t, "the leader does not know that steps have become due")
	}
	due, ok, err := leader.NextStep(t.Context())
	require.NoError(t, err)
	require.True(t, ok)
	h.clock.Advance(due.Sub(h.clock.Now()))
	require.NoError(t, leader.PlanDueSteps(t.Context()))
	require.Len(t, h.next().ids, 3, "the sender is told of the plan")
}
