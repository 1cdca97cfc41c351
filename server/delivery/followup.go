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

// PlanDueSteps plans every step that is due. It is the leader's work; storage.ErrFenced ends it.
func (s *Service) PlanDueSteps(ctx context.Context) error {
	for {
		steps, err := s.Store.DueSteps(ctx, s.Clock.Now(), dueStepsPage)
		if err != nil || len(steps) == 0 {
			return err
		}
		for _, step := range steps {
			if err := s.planStep(ctx, step); err != nil {
				return fmt.Errorf("plan step %d of push %d: %w", step.Number, step.PushID, err)
			}
		}
	}
}

// NextStep returns when the next step is due; ok is false when none is scheduled.
func (s *Service) NextStep(ctx context.Context) (due time.Time, ok bool, err error) {
	return s.Store.NextStepTime(ctx)
}

// planStep looks at a push's recipients slice by slice and turns the eligible into dispatches.
func (s *Service) planStep(ctx context.Context, step storage.Step) error {
	push, err := s.Store.PushOf(ctx, step.PushID)
	if err != nil {
		return err
	}
	if reason := s.stopReason(push); reason != "" {
		s.Logger.Info("step cancelled", "app", push.App, "msg_id", push.ID, "step", step.Number, "reason", reason)
		return ignoreConflict(s.Store.CancelStep(ctx, push.ID, step.Number, reason))
	}
	plan, err := s.newStepPlanner(push, step)
	if err != nil {
		s.Logger.Error("step can't be planned", "app", push.App, "msg_id", push.ID, "step", step.Number, "error", err)
		return ignoreConflict(s.Store.CancelStep(ctx, push.ID, step.Number, storage.ReasonPolicyDeleted))
	}
	for from := step.NextOrdinal; ; {
		recipients, err := s.Store.ScanRecipients(ctx, push.ID, from, planSlice)
		if err != nil {
			return err
		}
		slice := plan.slice(recipients, from)
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
func (s *Service) decideFollowUp(claim storage.Claim, result *storage.DispatchResult) {
	if reason := s.stopReason(claim.Push); reason != "" {
		result.State, result.Reason = storage.DispatchCancelled, reason
		return
	}
	pinned, err := s.compiled.get(claim.Push.Policy)
	if err != nil {
		result.State, result.Reason = storage.DispatchCancelled, storage.ReasonPolicyDeleted
		return
	}
	eligible := eligibleFor(pinned)
	kept := make([]uint32, 0, len(claim.Recipients))
	for _, recipient := range claim.Recipients {
		if eligible(recipient) {
			kept = append(kept, recipient.Ordinal)
		}
	}
	if passed := len(claim.Recipients) - len(kept); passed > 0 {
		result.Recipients = kept
		result.PassedOver = map[storage.Reason]int{storage.ReasonMilestoneReached: passed}
	}
	if len(kept) == 0 {
		result.State, result.Reason = storage.DispatchSkipped, storage.ReasonMilestoneReached
	}
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
	return &stepPlanner{
		service: s, push: push, step: step.Number,
		eligible: eligibleFor(pinned),
		content:  pinned.Steps[step.Number-1],
		variables: policy.Variables{
			Push: document.Members(), CustomArgs: document.CustomArgs(), Step: step.Number,
		},
		due: now, expire: expiry(now, push.TimeToLive),
	}, nil
}

// slice plans the recipients with from ≤ ordinal.
func (p *stepPlanner) slice(recipients []storage.Recipient, from uint32) storage.StepPlan {
	plan := storage.StepPlan{
		PushID: p.push.ID, Step: p.step, From: from, Through: from,
		PassedOver: make(map[storage.Reason]int),
		Done:       len(recipients) < planSlice,
	}
	if len(recipients) > 0 {
		plan.Through = recipients[len(recipients)-1].Ordinal + 1
	}
	groups := p.groupByContent(recipients, plan.PassedOver)
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
	return plan
}

// contentGroup is the recipients who get the same content.
type contentGroup struct {
	content  []byte
	ordinals []uint32
}

// groupByContent renders the step for the eligible and puts together those whose content is the same, in the order of
// their first recipient.
func (p *stepPlanner) groupByContent(recipients []storage.Recipient, passedOver map[storage.Reason]int) []*contentGroup {
	var groups []*contentGroup
	byContent := make(map[string]*contentGroup)
	var shared []byte
	for _, recipient := range recipients {
		if !p.eligible(recipient) {
			passedOver[storage.ReasonMilestoneReached]++
			continue
		}
		content := shared
		if content == nil {
			var err error
			if content, err = p.render(recipient); err != nil {
				passedOver[storage.ReasonTemplateFailed]++
				continue
			}
			if !p.content.Personal() {
				shared = content
			}
		}
		group := byContent[string(content)]
		if group == nil {
			group = &contentGroup{content: content}
			byContent[string(content)] = group
			groups = append(groups, group)
		}
		group.ordinals = append(group.ordinals, recipient.Ordinal)
	}
	return groups
}

func (p *stepPlanner) render(recipient storage.Recipient) ([]byte, error) {
	variables := p.variables
	variables.Device = map[string]any{"registration_id": recipient.RegistrationID}
	rendered, err := p.content.Render(variables)
	if err != nil {
		p.service.Logger.Warn("a step's template failed", "app", p.push.App, "msg_id", p.push.ID, "step", p.step,
			"registration_id", recipient.RegistrationID, "error", err)
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
