package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"susul.dev/susul/storage"
)

// decision is what was stored about a step, or one of its dispatches, and the part of the history in which it was decided.
type decision struct {
	push       int64
	step       int
	from, last int   // versions of the world
	dispatch   int64 // 0 for a plan
	// Of a claim, how many messages EngageLab had taken before it, and before what was decided was stored.
	takenAtClaim, takenAtStart int
	kept                       []uint32
	passedOver                 storage.PassedOver
	stopped                    storage.Reason // of all, instead
}

// witness notes what is decided, and what is known to be true meanwhile. It may let Susul crash at its writes.
type witness struct {
	storage.Store
	mu       sync.Mutex
	worlds   []world
	acked    int // the version that all know of; the next one may be under way
	claimed  map[int64]claimSeen
	decided  []decision
	taken    []takenMessage // in the order in which EngageLab took them
	cids     map[string]bool
	crashing func() bool
}

// claimSeen is the claim by which a dispatch was decided about, or is to be.
type claimSeen struct {
	storage.Claim
	from, taken int
	at, latest  time.Time // latest is of the claims that repeat it, too
}

// takenMessage is a message that EngageLab took for a device.
type takenMessage struct {
	id       string
	step     int
	dispatch int64
}

var errCrash = errors.New("crashed")

// change lets the world change along with what is done.
func (w *witness) change(next func(*world), do func()) {
	w.mu.Lock()
	changed := w.worlds[len(w.worlds)-1].clone()
	next(&changed)
	w.worlds = append(w.worlds, changed)
	w.mu.Unlock()
	do()
	w.mu.Lock()
	w.acked = len(w.worlds) - 1
	w.mu.Unlock()
}

func (w *witness) world() world {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.worlds[len(w.worlds)-1]
}

func (w *witness) note(d decision) {
	d.last = len(w.worlds) - 1
	w.decided = append(w.decided, d)
}

func (w *witness) crashes() bool { return w.crashing != nil && w.crashing() }

func (w *witness) PlanStep(ctx context.Context, plan storage.StepPlan) error {
	if w.crashes() {
		return errCrash
	}
	err := w.Store.PlanStep(ctx, plan)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	d := decision{push: plan.PushID, step: plan.Step, from: w.acked, passedOver: plan.PassedOver}
	for _, draft := range plan.Dispatches {
		d.kept = append(d.kept, draft.Recipients...)
	}
	w.note(d)
	if w.crashes() {
		return errCrash
	}
	return nil
}

func (w *witness) CancelStep(ctx context.Context, push int64, step int, reason storage.Reason) error {
	err := w.Store.CancelStep(ctx, push, step, reason)
	if err == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.note(decision{push: push, step: step, from: w.acked, stopped: reason})
	}
	return err
}

func (w *witness) ClaimDispatches(ctx context.Context, req storage.ClaimRequest) ([]storage.Claim, error) {
	w.mu.Lock()
	from := w.acked
	w.mu.Unlock()
	claims, err := w.Store.ClaimDispatches(ctx, req)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, claim := range claims {
		if seen, ok := w.claimed[claim.Dispatch.ID]; ok && claim.Dispatch.State == storage.DispatchSending {
			seen.latest = req.Now // it is repeated as it was decided before
			w.claimed[claim.Dispatch.ID] = seen
			continue
		}
		w.claimed[claim.Dispatch.ID] = claimSeen{Claim: claim, from: from, taken: len(w.taken), at: req.Now, latest: req.Now}
	}
	return claims, err
}

// of begins the note of a decision about a claim.
func (w *witness) of(id int64) decision {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.claimed[id]
	return decision{
		push: seen.Push.ID, step: seen.Dispatch.Step, from: seen.from, dispatch: id,
		takenAtClaim: seen.taken, takenAtStart: len(w.taken),
	}
}

func (w *witness) StartDispatch(ctx context.Context, start storage.DispatchStart) error {
	d := w.of(start.ID)
	if err := w.Store.StartDispatch(ctx, start); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	d.passedOver, d.kept = start.PassedOver, start.Recipients
	if d.kept == nil {
		for _, recipient := range w.claimed[start.ID].Recipients {
			d.kept = append(d.kept, recipient.Ordinal)
		}
	}
	w.note(d)
	if w.crashes() {
		return errCrash
	}
	return nil
}

func (w *witness) FinishDispatch(ctx context.Context, result storage.DispatchResult) (storage.Push, error) {
	if w.crashes() {
		return storage.Push{}, errCrash
	}
	d := w.of(result.ID)
	push, err := w.Store.FinishDispatch(ctx, result)
	if err != nil {
		return push, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case d.step == 0:
	case result.State == storage.DispatchSkipped:
		d.passedOver = result.PassedOver
		w.note(d)
	case result.State == storage.DispatchCancelled && result.Reason != "":
		d.stopped = result.Reason
		w.note(d)
	}
	return push, err
}

// arrives notes a message that EngageLab takes.
func (w *witness) arrives(s sending) error {
	var push int64
	var step, chunk int
	if _, err := fmt.Sscanf(s.cid, "%d-%d-%d", &push, &step, &chunk); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cids[s.cid] {
		return nil
	}
	w.cids[s.cid] = true
	for dispatch, seen := range w.claimed {
		if seen.Push.ID != push || seen.Dispatch.Step != step || seen.Dispatch.Chunk != chunk {
			continue
		}
		for _, id := range s.ids {
			w.taken = append(w.taken, takenMessage{id: id, step: step, dispatch: dispatch})
		}
	}
	return nil
}
