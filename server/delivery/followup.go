package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

const (
	// planSlice is how many recipients one transaction of a plan looks at, so that callbacks never wait long.
	planSlice = 10 * maxChunk

	// dueStepsPage is how many due steps are read at once.
	dueStepsPage = 100

	// maxCompiled bounds the pinned policies that are kept compiled.
	maxCompiled = 256
)

// errNoPolicy says that a step belongs to a push without a usable policy; such a step can't have been made by CreatePush.
var errNoPolicy = errors.New("the push has no usable policy")

// PlanDueSteps plans every step that is due. It is the leader's work; storage.ErrFenced ends it. A step that can't be
// planned stays due and keeps no other from being planned.
func (s *Service) PlanDueSteps(ctx context.Context) error {
	for {
		steps, err := s.Store.DueSteps(ctx, s.Clock.Now(), dueStepsPage)
		if err != nil || len(steps) == 0 {
			return err
		}
		var failed []error
		for _, step := range steps {
			if err := s.planStep(ctx, step); err != nil {
				failed = append(failed, fmt.Errorf("plan step %d of push %d: %w", step.Number, step.PushID, err))
			}
		}
		if len(failed) > 0 {
			return errors.Join(failed...)
		}
	}
}

// NextStep returns when the next step is due to be planned or measured; ok is false when none is.
func (s *Service) NextStep(ctx context.Context) (due time.Time, ok bool, err error) {
	due, ok = s.judging.retryAt, !s.judging.retryAt.IsZero()
	for _, next := range []func(context.Context) (time.Time, bool, error){s.Store.NextStepTime, s.Store.NextMeasureTime} {
		t, some, err := next(ctx)
		if err != nil {
			return time.Time{}, false, err
		}
		if some && (!ok || t.Before(due)) {
			due, ok = t, true
		}
	}
	return due, ok, nil
}

// planStep looks at a push's recipients slice by slice and turns the eligible into dispatches.
func (s *Service) planStep(ctx context.Context, step storage.Step) error {
	push, err := s.Store.PushOf(ctx, step.PushID)
	if err != nil {
		return err
	}
	reason := s.stopReason(push)
	if s.outbox[push.App] == nil {
		reason = storage.ReasonUnknownApp
	}
	if reason != "" {
		s.Logger.Info("step cancelled", "app", push.App, "msg_id", push.ID, "step", step.Number, "reason", reason)
		return ignoreConflict(s.Store.CancelStep(ctx, push.ID, step.Number, reason))
	}
	plan, err := s.newStepPlanner(push, step)
	if err != nil {
		s.Logger.Error("step can't be planned", "app", push.App, "msg_id", push.ID, "step", step.Number, "error", err)
		return ignoreConflict(s.Store.CancelStep(ctx, push.ID, step.Number, storage.ReasonUnusable))
	}
	for from := step.NextOrdinal; ; {
		recipients, err := s.Store.ScanRecipients(ctx, push.ID, from, planSlice)
		if err != nil {
			return err
		}
		slice, err := plan.slice(ctx, recipients, from)
		if err != nil {
			return err
		}
		if err := s.Store.PlanStep(ctx, slice); err != nil {
			return ignoreConflict(err)
		}
		s.outbox[push.App].wake()
		if slice.Done {
			s.Logger.Info("step planned", "app", push.App, "msg_id", push.ID, "step", step.Number,
				"recipients", slice.Through)
			return nil
		}
		from = slice.Through
	}
}

// ignoreConflict drops the error of a step that was cancelled or planned meanwhile.
func ignoreConflict(err error) error {
	if errors.Is(err, storage.ErrConflict) {
		return nil
	}
	return err
}

// stopReason returns why no more follow-ups of the push may go out, or nothing. A paused or deleted policy stops what is
// pending; a policy that was deleted and made anew is another policy.
func (s *Service) stopReason(push storage.Push) storage.Reason {
	if push.State != storage.PushActive {
		return storage.ReasonWithdrawn
	}
	if push.Policy == nil {
		return storage.ReasonPolicyDeleted
	}
	live, ok := s.Policies.Snapshot().Get(push.Policy.Name)
	switch {
	case !ok || live.Policy.UID != push.Policy.UID:
		return storage.ReasonPolicyDeleted
	case live.Policy.Paused:
		return storage.ReasonPolicyPaused
	default:
		return ""
	}
}

// decideFollowUp stops a claimed follow-up, or narrows it to those who are still eligible.
func (s *Service) decideFollowUp(claim storage.Claim) verdict {
	if reason := s.stopReason(claim.Push); reason != "" {
		return verdict{state: storage.DispatchCancelled, reason: reason}
	}
	pinned, err := s.compiled.get(claim.Push.Policy)
	if err != nil {
		s.Logger.Error("a pinned policy can't be used", "app", claim.Push.App, "msg_id", claim.Push.ID, "error", err)
		return verdict{state: storage.DispatchCancelled, reason: storage.ReasonUnusable}
	}
	eligible := eligibleFor(pinned)
	var v verdict
	for _, recipient := range claim.Recipients {
		if eligible(recipient) {
			v.kept = append(v.kept, recipient)
			continue
		}
		if v.passedOver == nil {
			v.passedOver = storage.PassedOver{}
		}
		v.passedOver[storage.ReasonMilestoneReached] = append(v.passedOver[storage.ReasonMilestoneReached], recipient.Ordinal)
	}
	if len(v.kept) == 0 {
		v.state, v.reason = storage.DispatchSkipped, storage.ReasonMilestoneReached
	}
	return v
}

// eligibleFor returns the one test that planning and claiming share.
func eligibleFor(pinned *policy.Compiled) func(storage.Recipient) bool {
	unless := pinned.Policy.Trigger.Unless
	return func(r storage.Recipient) bool { return !r.Progress.InAnyStep().Has(unless) }
}

// stepPlanner turns slices of recipients into dispatches.
type stepPlanner struct {
	service   *Service
	push      storage.Push
	step      int
	eligible  func(storage.Recipient) bool
	content   *policy.CompiledStep
	variables policy.Variables
	shared    func() ([]byte, error) // the content of a step that is not personal
	due       time.Time
	expire    time.Time
}

func (s *Service) newStepPlanner(push storage.Push, step storage.Step) (*stepPlanner, error) {
	pinned, err := s.compiled.get(push.Policy)
	if err != nil {
		return nil, err
	}
	if step.Number < 1 || step.Number > len(pinned.Steps) {
		return nil, errNoPolicy
	}
	document, err := engagelab.ParseDocument(push.Document)
	if err != nil {
		return nil, err
	}
	now := s.Clock.Now()
	content := pinned.Steps[step.Number-1]
	variables := policy.Variables{Push: document.Members(), CustomArgs: document.CustomArgs(), Step: step.Number}
	return &stepPlanner{
		service: s, push: push, step: step.Number,
		eligible: eligibleFor(pinned), content: content, variables: variables,
		shared: sync.OnceValues(func() ([]byte, error) { return render(content, variables) }),
		due:    now, expire: expiry(now, push.TimeToLive),
	}, nil
}

// slice plans the recipients with from ≤ ordinal.
func (p *stepPlanner) slice(ctx context.Context, recipients []storage.Recipient, from uint32) (storage.StepPlan, error) {
	plan := storage.StepPlan{
		PushID: p.push.ID, Step: p.step, From: from, Through: from,
		PassedOver: storage.PassedOver{},
		Done:       len(recipients) < planSlice,
	}
	if len(recipients) > 0 {
		plan.Through = recipients[len(recipients)-1].Ordinal + 1
	}
	groups, err := p.groupByContent(ctx, recipients, plan.PassedOver)
	if err != nil {
		return storage.StepPlan{}, err
	}
	for _, group := range groups {
		for ordinals := range slices.Chunk(group.ordinals, maxChunk) {
			plan.Dispatches = append(plan.Dispatches, storage.DispatchDraft{
				// A slice has no more dispatches than recipients, so that its first ordinal + index is used once.
				Chunk:      int(from) + len(plan.Dispatches),
				Recipients: ordinals,
				Content:    group.content,
				DueTime:    p.due,
				ExpireTime: p.expire,
			})
		}
	}
	return plan, nil
}

// contentGroup is the recipients who get the same content.
type contentGroup struct {
	content  []byte
	ordinals []uint32
}

// groupByContent renders the step for the eligible and puts together those whose content is the same, in the order of
// their first recipient.
func (p *stepPlanner) groupByContent(ctx context.Context, recipients []storage.Recipient, passedOver storage.PassedOver) ([]*contentGroup, error) {
	var groups []*contentGroup
	byContent := make(map[string]*contentGroup)
	var failure error
	for _, recipient := range recipients {
		if err := ctx.Err(); err != nil {
			return nil, err // rendering for thousands may take its time
		}
		if !p.eligible(recipient) {
			passedOver[storage.ReasonMilestoneReached] = append(passedOver[storage.ReasonMilestoneReached], recipient.Ordinal)
			continue
		}
		content, err := p.contentFor(recipient)
		if err != nil {
			passedOver[storage.ReasonTemplateFailed] = append(passedOver[storage.ReasonTemplateFailed], recipient.Ordinal)
			failure = err
			continue
		}
		group := byContent[string(content)]
		if group == nil {
			group = &contentGroup{content: content}
			byContent[string(content)] = group
			groups = append(groups, group)
		}
		group.ordinals = append(group.ordinals, recipient.Ordinal)
	}
	if failure != nil {
		p.service.Logger.Warn("a step's template failed", "app", p.push.App, "msg_id", p.push.ID, "step", p.step,
			"recipients", len(passedOver[storage.ReasonTemplateFailed]), "last_error", failure)
	}
	return groups, nil
}

// contentFor renders the step for a recipient, or once for all if it says nothing personal.
func (p *stepPlanner) contentFor(recipient storage.Recipient) ([]byte, error) {
	if !p.content.Personal() {
		return p.shared()
	}
	variables := p.variables
	variables.Device = map[string]any{"registration_id": recipient.RegistrationID}
	return render(p.content, variables)
}

func render(content *policy.CompiledStep, variables policy.Variables) ([]byte, error) {
	rendered, err := content.Render(variables)
	if err != nil {
		return nil, err
	}
	return rendered.Encode(), nil
}

// layContent lays a follow-up's rendered content over the push.
func layContent(document engagelab.Document, content []byte) (engagelab.Document, error) {
	if len(content) == 0 {
		return document, nil
	}
	rendered, err := policy.DecodeRendered(content)
	if err != nil {
		return engagelab.Document{}, fmt.Errorf("stored content: %w", err)
	}
	return document.Overlay(rendered.Title, rendered.Alert, rendered.Overlay)
}

// pin freezes a policy for a push.
func pin(chosen *policy.Compiled) *storage.PinnedPolicy {
	return &storage.PinnedPolicy{
		Name: chosen.Policy.ID, UID: chosen.Policy.UID, Revision: chosen.Policy.Revision, Spec: chosen.Spec(),
	}
}

// compiledPolicies keeps pinned policies ready for use, by their revision.
type compiledPolicies struct {
	mu    sync.Mutex
	byKey map[string]*policy.Compiled
}

func (c *compiledPolicies) get(pinned *storage.PinnedPolicy) (*policy.Compiled, error) {
	if pinned == nil {
		return nil, errNoPolicy
	}
	key := fmt.Sprintf("%s/%d", pinned.UID, pinned.Revision)
	c.mu.Lock()
	defer c.mu.Unlock()
	if compiled, ok := c.byKey[key]; ok {
		return compiled, nil
	}
	spec, err := policy.Decode(pinned.Spec, pinned.Revision)
	if err != nil {
		return nil, fmt.Errorf("stored policy %s: %w", pinned.Name, err)
	}
	compiled, err := policy.Compile(spec)
	if err != nil {
		return nil, fmt.Errorf("stored policy %s: %w", pinned.Name, err)
	}
	if c.byKey == nil || len(c.byKey) >= maxCompiled {
		c.byKey = make(map[string]*policy.Compiled)
	}
	c.byKey[key] = compiled
	return compiled, nil
}
