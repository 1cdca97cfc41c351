package delivery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"susul.dev/susul/server/clock"
	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/storage"
)

const (
	// handover bounds one dispatch's calls to EngageLab, retries included, in real time.
	handover = 20 * time.Second

	// The pause before a dispatch is tried again doubles from the first to the second, in the clock's time.
	minRetryPause = time.Second
	maxRetryPause = time.Minute

	// repeatFor is how long a request that EngageLab may have is repeated: for as long as it surely recognises the cid.
	repeatFor = engagelab.CIDValidity - 5*time.Minute

	// finishAttempts bounds how often a result is offered to a store that is unavailable. After that the claim's lease
	// runs out, and the dispatch is repeated with the same cid.
	finishAttempts = 5
)

// send carries one claimed dispatch to its end, or to its next try.
func (s *Service) send(ctx context.Context, claim storage.Claim) {
	began := s.Clock.Now()
	result, err := s.attempt(ctx, claim)
	var push storage.Push
	if err == nil {
		push, err = s.finish(ctx, result)
	}
	s.logAttempt(claim, result, s.Clock.Since(began), err)
	if err != nil {
		return // when the claim's lease runs out, the dispatch is claimed again
	}
	s.Metrics.dispatchFinished(claim.Push.App, result.State)
	s.afterDispatch(ctx, claim, result, push)
}

// attempt decides about a claim and hands it over. A dispatch that EngageLab may have already is not decided about again, but
// repeated as it was: only the answer tells what its callbacks belong to.
func (s *Service) attempt(ctx context.Context, claim storage.Claim) (storage.DispatchResult, error) {
	result := storage.DispatchResult{ID: claim.Dispatch.ID, Attempt: claim.Dispatch.Attempt, Time: s.Clock.Now()}
	if claim.Dispatch.State == storage.DispatchSending {
		if result.Time.After(lastTry(claim.Dispatch)) {
			return unanswered(claim.Dispatch, result), nil
		}
		return s.handOver(ctx, claim, result), nil
	}
	claim, result, err := s.start(ctx, claim, result)
	if err != nil || result.State != "" {
		return result, err
	}
	return s.handOver(ctx, claim, result), nil
}

// start decides about a claim, narrows it to those whom it may go to, and tells the store that it is on its way. A result with a
// state is what becomes of it instead.
func (s *Service) start(
	ctx context.Context, claim storage.Claim, result storage.DispatchResult,
) (storage.Claim, storage.DispatchResult, error) {
	endTurn, err := s.takeTurn(ctx, claim, result.Time)
	if err != nil {
		return claim, result, err
	}
	defer endTurn()
	v, err := s.decide(ctx, claim)
	if err != nil {
		return claim, result, err
	}
	if v.state != "" {
		result.State, result.Reason, result.PassedOver = v.state, v.reason, v.passedOver
		if v.state == storage.DispatchPending {
			result.Time, result.ExpireTime = v.until, v.expire
		}
		return claim, result, nil
	}
	start := storage.DispatchStart{
		ID: result.ID, Attempt: result.Attempt, PassedOver: v.passedOver, Limits: s.messageLimits(claim, s.Clock.Now()),
	}
	if len(v.passedOver) > 0 {
		start.Recipients, claim.Recipients, claim.Dispatch.Singles = ordinals(v.kept), v.kept, v.singles
	}
	err = s.Store.StartDispatch(ctx, start)
	if errors.Is(err, storage.ErrConflict) {
		// The store knows what stopped it, and cancels it; or another node has sent something, and it is decided about anew.
		result.State = storage.DispatchPending
		return claim, result, nil
	}
	return claim, result, err
}

// lastTry is until when a dispatch that EngageLab may have is repeated. If EngageLab had been down instead, a repetition
// would be the first to arrive: a push must not come later than its time to live allows. A follow-up is worth asking
// about for longer, since later steps depend on who got it. Neither is repeated when EngageLab would take it for another.
func lastTry(d storage.Dispatch) time.Time {
	recognised := d.ClaimTime.Add(repeatFor)
	if d.Step == 0 {
		return earlier(d.ExpireTime, recognised)
	}
	return recognised
}

// unanswered ends a dispatch of which it was never learnt whether EngageLab took it. If all of its push depends on it,
// the push has expired, as far as anybody can tell. Should EngageLab have it after all, its callbacks make an external
// push.
func unanswered(d storage.Dispatch, result storage.DispatchResult) storage.DispatchResult {
	result.State, result.Reason = storage.DispatchUnanswered, storage.ReasonUnanswered
	if d.Step == 0 && d.Chunk == 0 {
		result.State, result.Reason = storage.DispatchExpired, storage.ReasonExpired
	}
	return result
}

// verdict is what is decided about a claim: it may go to those who are kept, unless there is a state.
type verdict struct {
	state  storage.DispatchState
	reason storage.Reason
	// until and expire are, of a Pending one, the times to which it is deferred.
	until, expire time.Time
	kept          []storage.Recipient
	singles       []storage.Single // of a batch, what each of them gets
	passedOver    storage.PassedOver
}

// keep adds the i-th of a claim's recipients to those who are kept.
func (v *verdict) keep(claim storage.Claim, i int) {
	v.kept = append(v.kept, claim.Recipients[i])
	if claim.Dispatch.Singles != nil {
		v.singles = append(v.singles, claim.Dispatch.Singles[i])
	}
}

// decide asks once more whether, and to whom, the dispatch may go.
func (s *Service) decide(ctx context.Context, claim storage.Claim) (verdict, error) {
	now := s.Clock.Now()
	switch {
	case claim.Push.State != storage.PushActive:
		return verdict{state: storage.DispatchCancelled, reason: storage.ReasonWithdrawn}, nil
	case now.After(claim.Dispatch.ExpireTime):
		return verdict{state: storage.DispatchExpired, reason: storage.ReasonExpired}, nil
	case claim.Dispatch.Step == 0:
		return s.decideFirst(ctx, claim)
	default:
		return s.decideFollowUp(ctx, claim, now)
	}
}

// handOver makes the request, and reads from EngageLab's answer what became of the dispatch.
func (s *Service) handOver(ctx context.Context, claim storage.Claim, result storage.DispatchResult) storage.DispatchResult {
	ctx, cancel := context.WithTimeout(ctx, handover)
	defer cancel()
	if claim.Dispatch.Step > 0 {
		ctx = engagelab.Yielding(ctx) // fresh pushes go first
	}
	var err error
	if claim.Dispatch.Singles == nil {
		result.UpstreamID, err = s.request(ctx, claim)
	} else {
		result.Singles, err = s.requestSingles(ctx, claim)
	}
	result.Time = s.Clock.Now()
	uncertain := claim.Dispatch.State == storage.DispatchSending || engagelab.Ambiguous(err) || errors.Is(err, errUnmentioned)
	refusal := permanent(err)
	switch {
	case err == nil:
		result.State = storage.DispatchSent
		return result
	case errors.Is(err, errUnusable):
		s.Logger.Error("a stored push can't be sent", "app", claim.Push.App, "msg_id", claim.Push.ID, "error", err)
		result.State, result.Reason = storage.DispatchCancelled, storage.ReasonUnusable
		return result
	case refusal != nil && !uncertain:
		result.State, result.Refusal = storage.DispatchRefused, refusal
		return result
	case refusal != nil: // which does not say that an earlier request was not taken
		result.State, result.Reason, result.Refusal = storage.DispatchUnanswered, storage.ReasonUnanswered, refusal
		return result
	}
	return s.tryAgain(claim, result, err, uncertain)
}

// tryAgain has what EngageLab did not take, or did not say that it took, sent again after a while.
func (s *Service) tryAgain(claim storage.Claim, result storage.DispatchResult, err error, uncertain bool) storage.DispatchResult {
	end := claim.Dispatch.ExpireTime // after which there is no need to wait
	result.State = storage.DispatchPending
	if errors.Is(err, errTooMany) {
		// The rest of a batch has not been tried yet, nor was it before: what is posted first is always what may have been posted.
		return result
	}
	if uncertain {
		end, result.State = lastTry(claim.Dispatch), storage.DispatchSending
	}
	attempt := claim.Dispatch.Attempt
	if len(result.Singles) > 0 {
		attempt = 0 // EngageLab takes a batch bit by bit
	}
	result.Time = result.Time.Add(retryPause(attempt))
	if busy := (*engagelab.Error)(nil); errors.As(err, &busy) {
		result.Time = result.Time.Add(busy.RetryAfter)
	}
	result.Time = earlier(result.Time, end.Add(time.Millisecond)) // times are kept to the millisecond
	s.Logger.Warn("EngageLab did not take a dispatch, or did not say so; it will be tried again", "app", claim.Push.App,
		"msg_id", claim.Push.ID, "step", claim.Dispatch.Step, "chunk", claim.Dispatch.Chunk, "error", err)
	return result
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// retryPause grows with the attempts and differs from dispatch to dispatch.
func retryPause(attempt int) time.Duration {
	pause := min(minRetryPause<<min(attempt, 10), maxRetryPause)
	return pause/2 + rand.N(pause/2)
}

// errUnusable says that no request can be made of what is stored.
var errUnusable = errors.New("unusable")

// request turns a claim into EngageLab's push object, and posts it.
func (s *Service) request(ctx context.Context, claim storage.Claim) (upstreamID string, err error) {
	document, err := engagelab.ParseDocument(claim.Push.Document)
	if err == nil {
		document, err = layContent(document, claim.Dispatch.Content)
	}
	if err != nil {
		return "", fmt.Errorf("%w: stored push: %w", errUnusable, err)
	}
	app := s.Apps[claim.Push.App]
	request := engagelab.Request{
		CallbackURL: app.CallbackURL, CID: cid(claim.Push.ID, claim.Dispatch.Step, claim.Dispatch.Chunk),
		Narrowed: !claim.Push.Listed && claim.Dispatch.Step > 0, CollapseID: s.pinnedCollapseID(claim.Push),
		RegistrationIDs: registrationIDs(claim.Recipients),
	}
	if request.OverrideMsgID, err = s.overrideFor(ctx, claim.Push.App, document, claim.Dispatch.Override); err != nil {
		return "", err
	}
	body, err := document.For(request)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errUnusable, err)
	}
	answer, err := app.Sender.Push(ctx, body)
	return answer.MsgID, err
}

// overrideFor returns what EngageLab calls the message that a document is to replace: the one that it names itself, or else the
// given.
func (s *Service) overrideFor(ctx context.Context, app string, document engagelab.Document, earlier string) (upstreamID string, err error) {
	if document.OverrideMsgID() == "" {
		return earlier, nil
	}
	return s.overridden(ctx, app, document)
}

// overridden returns EngageLab's id of the push that the document overrides, empty if it names none of Susul's. The
// first request of that push stands for all of it: EngageLab takes one id.
func (s *Service) overridden(ctx context.Context, app string, document engagelab.Document) (upstreamID string, err error) {
	id, err := strconv.ParseInt(document.OverrideMsgID(), 10, 64)
	if err != nil || id <= 0 {
		return "", nil //nolint:nilerr // it is no msg_id of ours: EngageLab will judge it
	}
	push, err := s.Store.GetPush(ctx, app, id)
	if errors.Is(err, storage.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	dispatches, err := s.Store.ListDispatches(ctx, push.ID, 0, 1)
	if err != nil || len(dispatches) == 0 {
		return "", err
	}
	return dispatches[0].UpstreamID, nil
}

// registrationIDs are nil for nobody, as of a dispatch to the whole audience.
func registrationIDs(recipients []storage.Recipient) []string {
	if len(recipients) == 0 {
		return nil
	}
	list := make([]string, len(recipients))
	for i, recipient := range recipients {
		list[i] = recipient.RegistrationID
	}
	return list
}

func ordinals(recipients []storage.Recipient) []uint32 {
	list := make([]uint32, len(recipients))
	for i, recipient := range recipients {
		list[i] = recipient.Ordinal
	}
	return list
}

// finish stores a result, again and again for a while if the store can't take it. An outcome is worth storing even when
// the time for requests is over.
func (s *Service) finish(ctx context.Context, result storage.DispatchResult) (push storage.Push, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishAttempts*storeRetry)
	defer cancel()
	for attempt := range finishAttempts {
		if attempt > 0 {
			clock.Rest(ctx, storeRetry)
		}
		push, err = s.Store.FinishDispatch(ctx, result)
		if !errors.Is(err, storage.ErrUnavailable) {
			break
		}
	}
	return push, err
}

// afterDispatch tells those who wait for the outcome.
func (s *Service) afterDispatch(ctx context.Context, claim storage.Claim, result storage.DispatchResult, push storage.Push) {
	s.outbox[push.App].wake() // for the next try, or for the chunks that waited for this one
	if result.State != storage.DispatchPending && result.State != storage.DispatchSending {
		wake(s.stepsDue)
		if claim.Dispatch.Step == 0 && claim.Dispatch.Chunk == 0 {
			s.waiting.tell(push)
		}
	}
	if push.State != storage.PushWithdrawing {
		return
	}
	// The push was withdrawn while this dispatch was on its way.
	if err := s.goOnWithdrawing(ctx, push); err != nil {
		s.Logger.Warn("a withdrawal is not complete; it may be repeated", "app", push.App, "msg_id", push.ID, "error", err)
	}
}

// logAttempt writes one wide record per attempt.
func (s *Service) logAttempt(claim storage.Claim, result storage.DispatchResult, took time.Duration, err error) {
	log := s.Logger.With("app", claim.Push.App, "msg_id", claim.Push.ID, "step", claim.Dispatch.Step,
		"chunk", claim.Dispatch.Chunk, "attempt", claim.Dispatch.Attempt, "recipients", len(claim.Recipients),
		"state", result.State, "upstream_id", result.UpstreamID,
		"singles", len(result.Singles), "reason", result.Reason, "took_ms", took.Milliseconds())
	switch {
	case err != nil:
		log.Error("a dispatch goes on when its lease has run out", "error", err)
	case result.Refusal != nil:
		log.Warn("dispatch refused", "code", result.Refusal.Code, "message", result.Refusal.Message)
	default:
		log.Info("dispatch")
	}
}
