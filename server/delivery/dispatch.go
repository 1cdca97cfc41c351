package delivery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/storage"
)

const (
	// handover bounds one dispatch's calls to EngageLab, retries included, in real time.
	handover = 20 * time.Second

	// drain is how long requests in flight may go on after a stop, in real time.
	drain = 5 * time.Second

	// The pause before a dispatch is tried again doubles from the first to the second, in the clock's time.
	minRetryPause = time.Second
	maxRetryPause = time.Minute

	// storeRetry is the pause, in real time, after the store failed.
	storeRetry = time.Second

	// finishAttempts bounds how often a result is offered to a store that is unavailable. After that the claim's lease
	// runs out, and the dispatch is repeated with the same cid.
	finishAttempts = 5
)

// dispatcher sends one app's dispatches, so that no app waits for another's quota.
type dispatcher struct {
	service *Service
	app     string
	signal  chan struct{}
	slots   chan struct{} // holds a token per request in flight
}

func newDispatcher(s *Service, app string) *dispatcher {
	return &dispatcher{
		service: s, app: app,
		signal: make(chan struct{}, 1),
		slots:  make(chan struct{}, s.SendersPerApp),
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
	for {
		claims, err := d.claim(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, storage.ErrFenced):
			return err
		case err != nil:
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
}

// outlive returns a context that ends some time after its parent does: a request under way when the node stops is worth
// a short wait for its outcome.
func outlive(parent context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))
	stop := context.AfterFunc(parent, func() {
		rest(ctx, grace)
		cancel()
	})
	return ctx, func() { stop(); cancel() }
}

// rest waits in real time: for the sake of the machine, not of a policy.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d) //nolint:forbidigo // see above
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
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
		rest(ctx, storeRetry)
		return nil
	}
	var due <-chan time.Time
	if len(d.slots) < cap(d.slots) {
		next, ok, err := d.service.Store.NextDispatchTime(ctx, d.app)
		if errors.Is(err, storage.ErrFenced) {
			return err
		}
		if err != nil {
			rest(ctx, storeRetry)
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

// send carries one claimed dispatch to its end, or to its next try.
func (s *Service) send(ctx context.Context, claim storage.Claim) {
	started := s.Clock.Now()
	result := s.decide(claim)
	if result.State == "" {
		result = s.handOver(ctx, claim, result)
	}
	push, err := s.finish(ctx, result)
	s.logAttempt(claim, result, s.Clock.Since(started), err)
	if err != nil {
		return
	}
	s.Metrics.dispatchFinished(claim.Push.App, result.State)
	s.afterDispatch(ctx, claim, result, push)
}

// decide asks once more whether, and to whom, the dispatch may go. A result without a state says that it may.
func (s *Service) decide(claim storage.Claim) storage.DispatchResult {
	now := s.Clock.Now()
	result := storage.DispatchResult{ID: claim.Dispatch.ID, Attempt: claim.Dispatch.Attempt, Time: now}
	switch {
	case claim.Push.State != storage.PushActive:
		result.State, result.Reason = storage.DispatchCancelled, storage.ReasonWithdrawn
	case now.After(claim.Dispatch.ExpireTime):
		result.State, result.Reason = storage.DispatchExpired, storage.ReasonExpired
	case claim.Dispatch.Step == 0:
	default:
		s.decideFollowUp(claim, &result)
	}
	return result
}

func (s *Service) handOver(ctx context.Context, claim storage.Claim, result storage.DispatchResult) storage.DispatchResult {
	ctx, cancel := context.WithTimeout(ctx, handover)
	defer cancel()
	app := s.Apps[claim.Push.App]
	body, err := s.requestBody(app, claim, result.Recipients)
	if err != nil {
		// The stored push can't be turned into a request; trying again would not change that.
		result.State = storage.DispatchRefused
		result.Refusal = &storage.Refusal{Code: engagelab.CodeInternal, Message: err.Error()}
		return result
	}
	answer, err := app.Sender.Push(ctx, body)
	result.Time = s.Clock.Now()
	switch refusal := permanent(err); {
	case err == nil:
		result.State, result.UpstreamID = storage.DispatchSent, answer.MsgID
	case refusal != nil:
		result.State, result.Refusal = storage.DispatchRefused, refusal
	default:
		// Who was passed over is counted by the try that ends the dispatch.
		result.State, result.Recipients, result.PassedOver = storage.DispatchPending, nil, nil
		result.Time = result.Time.Add(retryPause(claim.Dispatch.Attempt))
		if busy := (*engagelab.Error)(nil); errors.As(err, &busy) {
			result.Time = result.Time.Add(busy.RetryAfter)
		}
		s.Logger.Warn("EngageLab did not take a dispatch; it will be tried again", "app", claim.Push.App,
			"msg_id", claim.Push.ID, "step", claim.Dispatch.Step, "chunk", claim.Dispatch.Chunk, "error", err)
	}
	return result
}

// retryPause grows with the attempts and differs from dispatch to dispatch.
func retryPause(attempt int) time.Duration {
	pause := min(minRetryPause<<min(attempt, 10), maxRetryPause)
	return pause/2 + rand.N(pause/2)
}

// requestBody turns a claim into EngageLab's push object. Kept are the ordinals that it may still go to, nil for all.
func (s *Service) requestBody(app App, claim storage.Claim, kept []uint32) ([]byte, error) {
	document, err := engagelab.ParseDocument(claim.Push.Document)
	if err != nil {
		return nil, fmt.Errorf("stored push: %w", err)
	}
	if document, err = layContent(document, claim.Dispatch.Content); err != nil {
		return nil, err
	}
	return document.For(engagelab.Request{
		RegistrationIDs: registrationIDs(claim.Recipients, kept),
		CallbackURL:     app.CallbackURL,
		CID:             cid(claim.Push.ID, claim.Dispatch.Step, claim.Dispatch.Chunk),
	})
}

// registrationIDs returns the ids of the kept recipients, of all if kept is nil, and nil if there is no list.
func registrationIDs(recipients []storage.Recipient, kept []uint32) []string {
	if len(recipients) == 0 {
		return nil
	}
	ids := make([]string, 0, len(recipients))
	for _, recipient := range recipients {
		if kept != nil {
			// Both are in ordinal order.
			if len(kept) == 0 || kept[0] != recipient.Ordinal {
				continue
			}
			kept = kept[1:]
		}
		ids = append(ids, recipient.RegistrationID)
	}
	return ids
}

// finish stores a result, again and again for a while if the store can't take it.
func (s *Service) finish(ctx context.Context, result storage.DispatchResult) (push storage.Push, err error) {
	for range finishAttempts {
		push, err = s.Store.FinishDispatch(ctx, result)
		if !errors.Is(err, storage.ErrUnavailable) {
			return push, err
		}
		rest(ctx, storeRetry)
	}
	return push, err
}

// afterDispatch tells those who wait for the outcome.
func (s *Service) afterDispatch(ctx context.Context, claim storage.Claim, result storage.DispatchResult, push storage.Push) {
	if result.State == storage.DispatchPending {
		s.outbox[push.App].wake()
		return
	}
	if claim.Dispatch.Step == 0 && claim.Dispatch.Chunk == 0 {
		s.outbox[push.App].wake() // the other chunks are free to go
		wake(s.stepsDue)
		s.waiting.tell(push)
	}
	withdrawn := push.State == storage.PushWithdrawing || push.State == storage.PushWithdrawn
	if result.State == storage.DispatchSent && withdrawn {
		s.withdrawLate(ctx, push, result.UpstreamID)
	}
}

// logAttempt writes one wide record per attempt.
func (s *Service) logAttempt(claim storage.Claim, result storage.DispatchResult, took time.Duration, err error) {
	log := s.Logger.With("app", claim.Push.App, "msg_id", claim.Push.ID, "step", claim.Dispatch.Step,
		"chunk", claim.Dispatch.Chunk, "attempt", claim.Dispatch.Attempt, "recipients", len(claim.Recipients),
		"passed_over", result.PassedOver, "state", result.State, "upstream_id", result.UpstreamID,
		"reason", result.Reason, "took_ms", took.Milliseconds())
	switch {
	case err != nil:
		log.Error("the outcome of a dispatch was not stored", "error", err)
	case result.Refusal != nil:
		log.Warn("dispatch refused", "code", result.Refusal.Code, "message", result.Refusal.Message)
	default:
		log.Info("dispatch")
	}
}
