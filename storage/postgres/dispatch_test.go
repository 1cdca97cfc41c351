package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/postgres"
)

// crowd is nodes that work on the same few pushes at once, with people who withdraw pushes and cancel steps meanwhile.
type crowd struct {
	*testing.T
	app     string
	dsn     string
	now     time.Time
	pushes  int64
	claimed sync.Map     // what was claimed, by id and attempt
	hot     atomic.Int64 // a push of which something is being sent

	withdrawn []atomic.Bool // by push: its withdrawal has returned
	cancelled []atomic.Bool // by push: the cancellation of its step 1 has returned
	sent      sync.Map      // dispatches that were sent of pushes which were active then
	recalled  sync.Map      // dispatches that whoever withdrew saw as sent

	clicks  atomic.Int64
	clicked sync.Map // which click of all a recipient's was, by push and ordinal, once it was stored
}

const crowdChunks = 6

func (c *crowd) create(store storage.Store, id int64) {
	draft := listed(id, 2*crowdChunks, 0)
	draft.Push.App, draft.Push.CreateTime = c.app, c.now
	draft.Dispatches = nil
	for i := range crowdChunks {
		draft.Dispatches = append(draft.Dispatches, storage.DispatchDraft{Chunk: i, Recipients: []uint32{uint32(2 * i), uint32(2*i + 1)}, DueTime: c.now})
	}
	draft.Steps = []storage.StepDraft{{Number: 1}, {Number: 2}}
	_, _, err := store.CreatePush(c.Context(), draft)
	require.NoError(c, err)
}

// work claims, starts and finishes dispatches until the crowd is done.
func (c *crowd) work(ctx context.Context, store storage.Store, random *rand.Rand) error {
	for ctx.Err() == nil {
		stored := c.clicks.Load()
		claims, err := store.ClaimDispatches(c.Context(), storage.ClaimRequest{App: c.app, Now: c.now, Lease: time.Hour, Limit: 1 + random.IntN(4)})
		if err != nil {
			return err
		}
		for _, claim := range claims {
			d := claim.Dispatch
			if _, twice := c.claimed.LoadOrStore([2]int64{d.ID, int64(d.Attempt)}, true); twice {
				return fmt.Errorf("dispatch %d was claimed twice", d.ID)
			}
			for _, r := range claim.Recipients {
				click, ok := c.clicked.Load([2]int64{d.PushID, int64(r.Ordinal)})
				if ok && click.(int64) <= stored && !r.Progress.At(0).Has(storage.Clicked) {
					return fmt.Errorf("dispatch %d was claimed without a click that was stored before", d.ID)
				}
			}
			if err := c.send(store, claim, random); err != nil {
				return err
			}
		}
	}
	return nil
}

var ends = []storage.DispatchState{storage.DispatchSent, storage.DispatchSent, storage.DispatchSent, storage.DispatchSent, storage.DispatchSent,
	storage.DispatchSent, storage.DispatchPending, storage.DispatchPending, storage.DispatchSending, storage.DispatchRefused,
	storage.DispatchUnanswered, storage.DispatchExpired, storage.DispatchSkipped}

func (c *crowd) send(store storage.Store, claim storage.Claim, random *rand.Rand) error {
	d := claim.Dispatch
	c.hot.Store(d.PushID)
	result := storage.DispatchResult{ID: d.ID, Attempt: d.Attempt, State: ends[random.IntN(len(ends))], Time: c.now}
	if d.State == storage.DispatchClaimed {
		withdrawn := c.withdrawn[d.PushID].Load()
		cancelled := d.Step == 1 && c.cancelled[d.PushID].Load()
		start := storage.DispatchStart{ID: d.ID, Attempt: d.Attempt}
		if random.IntN(2) == 0 {
			start.Recipients, start.PassedOver = d.Recipients[:1], storage.PassedOver{storage.ReasonMilestoneReached: d.Recipients[1:]}
		}
		err := store.StartDispatch(c.Context(), start)
		switch {
		case errors.Is(err, storage.ErrConflict):
			result.State = storage.DispatchPending
		case err != nil:
			return err
		case withdrawn || cancelled:
			return fmt.Errorf("dispatch %d was started after its push was withdrawn, or its step cancelled", d.ID)
		}
	}
	if result.State == storage.DispatchSent {
		result.UpstreamID = fmt.Sprint(d.ID)
	}
	p, err := store.FinishDispatch(c.Context(), result)
	if err != nil {
		return err
	}
	if result.State == storage.DispatchSent && p.State == storage.PushActive {
		c.sent.Store(d.ID, d.PushID)
	}
	if result.State == storage.DispatchSent && d.Step == 0 {
		return c.click(store, result.UpstreamID, d.PushID, claim.Recipients[random.IntN(len(claim.Recipients))])
	}
	return nil
}

func (c *crowd) click(store storage.Store, upstreamID string, push int64, r storage.Recipient) error {
	_, err := store.RecordCallbacks(c.Context(), c.app, c.now, []storage.Callback{{UpstreamID: upstreamID, RegistrationID: r.RegistrationID,
		Milestone: storage.Clicked, Status: "click", Time: c.now}})
	c.clicked.Store([2]int64{push, int64(r.Ordinal)}, c.clicks.Add(1))
	return err
}

// meddle plans, cancels and withdraws.
func (c *crowd) meddle(store storage.Store, random *rand.Rand) error {
	for range 2 * c.pushes {
		id := max(c.hot.Load(), 1)
		var err error
		switch random.IntN(8) {
		case 0:
			err = c.withdraw(store, id)
		case 1:
			err = store.CancelStep(c.Context(), id, 1, storage.ReasonStepPaused)
			if err == nil {
				c.cancelled[id].Store(true)
			}
		default:
			err = c.plan(store, id, 1+random.IntN(2))
		}
		if err != nil && !errors.Is(err, storage.ErrConflict) {
			return err
		}
	}
	return nil
}

func (c *crowd) withdraw(store storage.Store, id int64) error {
	if _, err := store.WithdrawPush(c.Context(), c.app, id); err != nil {
		return err
	}
	c.withdrawn[id].Store(true)
	dispatches, err := store.ListDispatches(c.Context(), id, 0, storage.MaxPage)
	for _, d := range dispatches {
		if d.State == storage.DispatchSent {
			c.recalled.Store(d.ID, true)
		}
	}
	return err
}

// plan plans the next slice of a step, of two recipients.
func (c *crowd) plan(store storage.Store, id int64, step int) error {
	h, err := store.History(c.Context(), c.app, id, benchID(0))
	if err != nil {
		return err
	}
	from := h.Steps[step-1].NextOrdinal
	return store.PlanStep(c.Context(), storage.StepPlan{PushID: id, Step: step, From: from, Through: from + 2, Done: from+2 >= 2*crowdChunks,
		Time: c.now, Dispatches: []storage.DispatchDraft{{Chunk: int(from) / 2, DueTime: c.now, Recipients: []uint32{from, from + 1}}},
		PassedOver: storage.PassedOver{storage.ReasonHoldout: {from + 2}}})
}

// lead takes over again and again.
func (c *crowd) lead(ctx context.Context, store storage.Store) error {
	for term := int64(1); ctx.Err() == nil; term++ {
		if err := store.Lead(c.Context(), term); err != nil {
			return err
		}
	}
	return nil
}

// TestNodesAreInNobodysWay has several nodes send, plan, withdraw and cancel the same pushes at once: each dispatch has one claimer at a
// time, who sees all clicks, nothing starts that was stopped, whoever withdraws learns of every message that was sent, and nobody waits in a circle.
func TestNodesAreInNobodysWay(t *testing.T) {
	t.Parallel()
	const pushes = 150
	c := &crowd{T: t, app: benchApp, dsn: emptyDatabase(t), now: time.UnixMilli(1_800_000_000_000), pushes: pushes,
		withdrawn: make([]atomic.Bool, pushes+1), cancelled: make([]atomic.Bool, pushes+1)}
	var nodes []*postgres.Store
	for range 3 {
		node := open(t, c.dsn)
		defer node.Close()
		nodes = append(nodes, node)
	}
	leader := nodes[0].Handle()
	defer leader.Close()
	for id := range int64(pushes) {
		c.create(nodes[id%3], id+1)
	}
	ctx, done := context.WithCancel(t.Context())
	errs := make(chan error, 100)
	var workers, meddlers sync.WaitGroup
	for i := range uint64(9) {
		workers.Go(func() { errs <- c.work(ctx, nodes[i%3], rand.New(rand.NewPCG(i, 1))) })
	}
	for i := range uint64(3) {
		meddlers.Go(func() { errs <- c.meddle(nodes[i], rand.New(rand.NewPCG(i, 2))) })
	}
	workers.Go(func() { errs <- c.lead(ctx, leader) })
	meddlers.Wait()
	done()
	workers.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	c.check(nodes[0])
}

// check looks at what is left.
func (c *crowd) check(store storage.Store) {
	for id := int64(1); id <= c.pushes; id++ {
		h, err := store.History(c.Context(), c.app, id, benchID(0))
		require.NoError(c, err)
		dispatches, err := store.ListDispatches(c.Context(), id, 0, storage.MaxPage)
		require.NoError(c, err)
		for _, d := range dispatches {
			waits := d.State == storage.DispatchPending || d.State == storage.DispatchBlocked
			require.False(c, waits && h.Push.State != storage.PushActive, "%s push has %s", h.Push.State, d.State)
			require.False(c, waits && d.Step > 0 && h.Steps[d.Step-1].State == storage.StepCancelled, "cancelled step has %s", d.State)
			require.False(c, d.State == storage.DispatchBlocked && !h.Push.FirstSentTime.IsZero())
		}
	}
	c.sent.Range(func(dispatch, push any) bool {
		_, seen := c.recalled.Load(dispatch)
		require.Equal(c, c.withdrawn[push.(int64)].Load(), seen, "dispatch %d of push %d", dispatch, push)
		return true
	})
	require.Zero(c, c.deadlocks())
}

// deadlocks returns how many PostgreSQL has found in the database.
func (c *crowd) deadlocks() (n int) {
	conn, err := pgx.Connect(c.Context(), c.dsn)
	require.NoError(c, err)
	defer conn.Close(c.Context())
	require.NoError(c, conn.QueryRow(c.Context(), `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`).Scan(&n))
	return n
}
