package delivery

import (
	"context"
	"errors"
	"sync"
	"time"

	"susul.dev/susul/server/clock"
	"susul.dev/susul/storage"
)

const (
	// drain is how long requests in flight may go on after a stop, in real time.
	drain = 5 * time.Second

	// storeRetry is the pause, in real time, after the store failed.
	storeRetry = time.Second
)

// dispatcher sends one app's dispatches, so that no app waits for another's quota.
type dispatcher struct {
	service *Service
	app     string
	signal  chan struct{}
	slots   chan struct{} // holds a token per request in flight
	turn    chan struct{} // holds a token while a claim is decided about that depends on what else is sent
}

func newDispatcher(s *Service, app string) *dispatcher {
	return &dispatcher{
		service: s, app: app,
		signal: make(chan struct{}, 1),
		slots:  make(chan struct{}, s.SendersPerApp),
		turn:   make(chan struct{}, 1),
	}
}

// wake tells the dispatcher that dispatches may be due.
func (d *dispatcher) wake() { wake(d.signal) }

// run claims and sends until the context ends, then waits for what is in flight.
func (d *dispatcher) run(ctx context.Context) error {
	sending, stopSending := outlive(ctx, drain)
	defer stopSending()
	var inFlight sync.WaitGroup
	defer inFlight.Wait()
	for ctx.Err() == nil {
		// A claim is not broken off by the node's stop: what it got would wait until its lease runs out.
		claims, err := d.claim(sending)
		switch {
		case errors.Is(err, storage.ErrFenced):
			return err
		case err != nil && ctx.Err() == nil:
			d.service.Logger.Error("dispatches can't be claimed", "app", d.app, "error", err)
		}
		for _, claim := range claims {
			d.slots <- struct{}{} // claim took no more than are free
			inFlight.Go(func() {
				defer d.freeSlot()
				d.service.send(sending, claim)
			})
		}
		if err := d.pause(ctx, len(claims) > 0, err != nil); err != nil {
			return err
		}
	}
	return nil
}

// outlive returns a context that ends some time after its parent does: a request under way when the node stops is worth
// a short wait for its outcome.
func outlive(parent context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))
	stop := context.AfterFunc(parent, func() {
		clock.Rest(ctx, grace)
		cancel()
	})
	return ctx, func() { stop(); cancel() }
}

func (d *dispatcher) freeSlot() {
	<-d.slots
	d.wake()
}

// claim takes as many due dispatches as there are free slots.
func (d *dispatcher) claim(ctx context.Context) ([]storage.Claim, error) {
	free := cap(d.slots) - len(d.slots)
	if free == 0 {
		return nil, nil
	}
	return d.service.Store.ClaimDispatches(ctx, storage.ClaimRequest{
		App: d.app, Now: d.service.Clock.Now(), Lease: d.service.ClaimLease, Limit: free,
	})
}

// pause waits until there may be something to claim. It returns an error only for a fenced store.
func (d *dispatcher) pause(ctx context.Context, busy, failed bool) error {
	if busy {
		return nil // look again at once; without a free slot the claim comes back empty, and pauses
	}
	if failed {
		clock.Rest(ctx, storeRetry)
		return nil
	}
	var due <-chan time.Time
	if len(d.slots) < cap(d.slots) {
		next, ok, err := d.service.Store.NextDispatchTime(ctx, d.app)
		if errors.Is(err, storage.ErrFenced) {
			return err
		}
		if err != nil {
			clock.Rest(ctx, storeRetry)
			return nil
		}
		if ok {
			timer := d.service.Clock.NewTimer(max(next.Sub(d.service.Clock.Now()), 0))
			defer timer.Stop()
			due = timer.Chan()
		}
	}
	select {
	case <-ctx.Done():
	case <-d.signal:
	case <-due:
	}
	return nil
}
