package delivery

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

const (
	// maxChunk is how many registration ids EngageLab takes in one request.
	maxChunk = 1000

	// maxDocument bounds a push's document without its registration ids: every dispatch repeats it.
	maxDocument = 1 << 20

	// minHandover is how long Susul tries to hand a push over, however short its time to live.
	minHandover = 10 * time.Second

	// msgIDAttempts bounds the search for a msg_id that nobody has.
	msgIDAttempts = 5
)

// PushRequest asks for a push.
type PushRequest struct {
	App      string
	Document engagelab.Document
	// PolicyID names the resend policy; empty leaves the choice to the policies' matches.
	PolicyID string

	external bool // EngageLab has it from somebody else
}

// CreatePush stores a push durably, lets it be sent, and waits a moment for EngageLab's answer to the first request. It
// returns *engagelab.InvalidDocument, ErrUnknownApp, ErrUnknownPolicy, storage.ErrRequestIDReused or *RefusedError for
// what the caller must mend; nothing was sent then. A repeated request returns the first push.
func (s *Service) CreatePush(ctx context.Context, req PushRequest) (storage.Push, error) {
	app, ok := s.outbox[req.App]
	if !ok {
		return storage.Push{}, fmt.Errorf("%w %q", ErrUnknownApp, req.App)
	}
	if err := req.Document.Validate(); err != nil {
		return storage.Push{}, err
	}
	chosen, err := s.choosePolicy(req)
	if err != nil {
		return storage.Push{}, err
	}
	draft, err := s.draftPush(req, chosen)
	if err != nil {
		return storage.Push{}, err
	}
	if urls := draft.Push.CallbackURLs; len(urls) > 0 && s.CallbackURLs != nil {
		if err := s.CallbackURLs.Accepts(ctx, req.App, urls); err != nil {
			return storage.Push{}, err
		}
	}
	// What is being stored is stored, also for a caller who has gone: somebody must then tell the dispatcher.
	storing := context.WithoutCancel(ctx)
	if err := s.leaveOutInvalid(storing, &draft); err != nil {
		return storage.Push{}, err
	}
	push, created, err := storePush(draft, func(draft storage.PushDraft) (storage.Push, bool, error) {
		return s.Store.CreatePush(storing, draft)
	})
	if err != nil {
		return storage.Push{}, err
	}
	if created {
		s.Metrics.pushAccepted(req.App)
	}
	app.wake()
	return s.awaitFirst(ctx, push)
}

// leaveOutInvalid takes recipients whose devices are invalid out of the first sending. If nobody is left, the push is accepted
// and there is nothing to come of it.
func (s *Service) leaveOutInvalid(ctx context.Context, draft *storage.PushDraft) error {
	invalid, err := s.invalidAmong(ctx, draft.Push.App, draft.Recipients)
	if err != nil || len(invalid) == 0 {
		return err
	}
	draft.PassedOver = storage.PassedOver{storage.ReasonInvalidDevice: invalid}
	first := draft.Dispatches[0]
	draft.Dispatches = firstSending(without(len(draft.Recipients), invalid), first.DueTime, first.ExpireTime)
	if len(draft.Dispatches) == 0 {
		draft.Steps = nil
	}
	return nil
}

// ValidatePush checks a push as CreatePush would, and lets EngageLab check it too. It returns the id of the policy that
// the push would get.
func (s *Service) ValidatePush(ctx context.Context, req PushRequest) (policyID string, err error) {
	app, ok := s.Apps[req.App]
	if !ok {
		return "", fmt.Errorf("%w %q", ErrUnknownApp, req.App)
	}
	if err := req.Document.Validate(); err != nil {
		return "", err
	}
	chosen, err := s.choosePolicy(req)
	if err != nil {
		return "", err
	}
	request := engagelab.Request{CallbackURL: app.CallbackURL}
	if ids, listed := req.Document.RegistrationIDs(); listed {
		request.RegistrationIDs = ids[:min(len(ids), maxChunk)]
	}
	if request.OverrideMsgID, err = s.overridden(ctx, req.App, req.Document); err != nil {
		return "", err
	}
	body, err := req.Document.For(request)
	if err != nil {
		return "", err
	}
	if _, err := app.Sender.Validate(ctx, body); err != nil {
		return "", fromEngageLab(err)
	}
	if chosen == nil {
		return "", nil
	}
	return chosen.Policy.ID, nil
}

// choosePolicy returns the policy that the push names, or the first whose match is true, or nil.
func (s *Service) choosePolicy(req PushRequest) (*policy.Compiled, error) {
	policies := s.Policies.Snapshot()
	if req.PolicyID != "" {
		chosen, ok := policies.Named(req.App, req.PolicyID)
		if !ok {
			return nil, unknownPolicy(req.App, req.PolicyID)
		}
		return chosen, nil
	}
	chosen, ok, err := policies.Select(attributesOf(req.App, req.Document, req.external))
	if err != nil {
		s.Logger.Warn("some policies could not be matched", "app", req.App, "error", err)
	}
	if !ok {
		return nil, nil //nolint:nilnil // no policy is an ordinary outcome
	}
	return chosen, nil
}

// attributesOf is what a policy's match sees of a push.
func attributesOf(app string, document engagelab.Document, external bool) policy.Attributes {
	return policy.Attributes{
		App:        app,
		PlanID:     document.PlanID(),
		RequestID:  document.RequestID(),
		CustomArgs: document.CustomArgs(),
		Platform:   document.Platforms(),
		Extras:     document.Extras(),
		External:   external,
	}
}

// CheckPolicy returns ErrUnknownPolicy if the app's pushes can't name the policy; empty names none.
func (s *Service) CheckPolicy(app, policyID string) error {
	if _, ok := s.Policies.Snapshot().Named(app, policyID); !ok && policyID != "" {
		return unknownPolicy(app, policyID)
	}
	return nil
}

func unknownPolicy(app, id string) error {
	return fmt.Errorf("%w %q for app %q", ErrUnknownPolicy, id, app)
}

// draftPush lays out all that becomes durable with a push, but for its id.
func (s *Service) draftPush(req PushRequest, chosen *policy.Compiled) (storage.PushDraft, error) {
	whole, err := json.Marshal(req.Document)
	if err != nil {
		return storage.PushDraft{}, err
	}
	document, err := req.Document.For(engagelab.Request{})
	if err != nil {
		return storage.PushDraft{}, err
	}
	if len(document) > maxDocument {
		return storage.PushDraft{}, &engagelab.InvalidDocument{Faults: []engagelab.Fault{{
			Field: "body", Description: fmt.Sprintf("has more than %d bytes besides the registration ids", maxDocument),
		}}}
	}
	fingerprint := sha256.Sum256(append(whole, req.PolicyID...))
	recipients, listed := req.Document.RegistrationIDs()
	now := s.Clock.Now()
	draft := storage.PushDraft{
		Push: storage.Push{
			App:          req.App,
			RequestID:    repetitionKey(req.Document),
			Fingerprint:  fingerprint[:],
			Document:     document,
			Listed:       listed,
			External:     req.external,
			CallbackURLs: req.Document.CallbackURLs(),
			TimeToLive:   req.Document.TimeToLive(),
			State:        storage.PushActive,
			CreateTime:   now,
		},
		Recipients: recipients,
	}
	if expire := expiry(now, req.Document.TimeToLive()); listed {
		draft.Dispatches = firstSending(without(len(recipients), nil), now, expire)
	} else { // the audience is EngageLab's to resolve, in one request
		draft.Dispatches = []storage.DispatchDraft{{DueTime: now, ExpireTime: expire}}
	}
	if chosen != nil {
		draft.Push.Policy = pin(chosen)
		for i := range chosen.Policy.Steps {
			draft.Steps = append(draft.Steps, storage.StepDraft{Number: i + 1, Offset: chosen.Policy.Offset(i)})
		}
	}
	return draft, nil
}

// repetitionKey is what makes a repeated request recognisable: the request_id, or else the cid by which EngageLab itself would
// recognise it.
func repetitionKey(document engagelab.Document) string {
	if id := document.RequestID(); id != "" || document.CID() == "" {
		return id
	}
	return cidKey + document.CID()
}

// cidKey marks a repetition key that is a cid. No request_id in use begins like this.
const cidKey = "\x1fcid:"

// RequestID returns the request_id that the push was given, empty if there was none.
func RequestID(push storage.Push) string {
	if strings.HasPrefix(push.RequestID, cidKey) {
		return ""
	}
	return push.RequestID
}

func expiry(from time.Time, timeToLive time.Duration) time.Time {
	return from.Add(max(timeToLive, minHandover))
}

// firstSending cuts step 0 into dispatches to the given ordinals.
func firstSending(ordinals []uint32, due, expire time.Time) []storage.DispatchDraft {
	var drafts []storage.DispatchDraft
	for chunk := range slices.Chunk(ordinals, maxChunk) {
		drafts = append(drafts, storage.DispatchDraft{
			Chunk: len(drafts), Recipients: chunk, DueTime: due, ExpireTime: expire,
		})
	}
	return drafts
}

// storePush gives the draft an id that nobody has, and stores it.
func storePush(draft storage.PushDraft, store func(storage.PushDraft) (storage.Push, bool, error)) (push storage.Push, created bool, err error) {
	for range msgIDAttempts {
		draft.Push.ID = newMsgID(draft.Push.CreateTime)
		push, created, err = store(draft)
		if !errors.Is(err, storage.ErrConflict) {
			break
		}
	}
	return push, created, err
}

// awaitFirst returns the push once EngageLab has answered its first request, or as it is when that takes too long.
func (s *Service) awaitFirst(caller context.Context, push storage.Push) (storage.Push, error) {
	ctx, cancel := context.WithTimeout(caller, s.AnswerWithin)
	defer cancel()
	outcome, forget := s.waiting.expect(push.ID)
	defer forget()
	// The answer may have come before anybody waited for it.
	if now, err := s.Store.GetPush(ctx, push.App, push.ID); err == nil {
		push = now
	}
	if push.State == storage.PushActive && push.FirstSentTime.IsZero() && s.hasFirst(ctx, push) {
		select {
		case push = <-outcome:
		case <-ctx.Done(): // it is accepted all the same
			// Of a request that was repeated on another node than the first, nobody tells.
			if now, err := s.Store.GetPush(caller, push.App, push.ID); err == nil {
				push = now
			}
		case <-s.hurried:
		}
	}
	if push.State == storage.PushRejected && push.Refusal != nil {
		return storage.Push{}, &RefusedError{*push.Refusal}
	}
	return push, nil
}

// hasFirst reports whether there is a first request to wait for. There is none if all devices were invalid.
func (s *Service) hasFirst(ctx context.Context, push storage.Push) bool {
	dispatches, err := s.Store.ListDispatches(ctx, push.ID, 0, 1)
	return err != nil || len(dispatches) > 0
}
