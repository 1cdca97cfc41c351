package delivery

import (
	"context"
	"fmt"
	"time"

	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

// stepPlanner turns slices of recipients into dispatches.
type stepPlanner struct {
	*followUp
	words *words
}

// planPinned prepares to plan a step of the policy that the push is pinned to. The error is errUnusable if that, or the push,
// can't be read.
func (s *Service) planPinned(ctx context.Context, push storage.Push, step int) (*stepPlanner, error) {
	pinned, err := s.compiled.get(push.Policy)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnusable, err)
	}
	return s.newStepPlanner(ctx, push, pinned, step)
}

func (s *Service) newStepPlanner(ctx context.Context, push storage.Push, compiled *policy.Compiled, step int) (*stepPlanner, error) {
	f, err := s.newFollowUp(push, compiled, step)
	if err != nil {
		return nil, err
	}
	words, err := f.newWords(ctx)
	return &stepPlanner{followUp: f, words: words}, err
}

// slice plans the recipients with from ≤ ordinal.
func (p *stepPlanner) slice(ctx context.Context, recipients []storage.Recipient, from uint32) (storage.StepPlan, error) {
	now := p.service.Clock.Now()
	plan := storage.StepPlan{
		PushID: p.push.ID, Step: p.number, From: from, Through: from,
		PassedOver: storage.PassedOver{},
		Done:       len(recipients) < planSlice,
		Time:       now,
	}
	if len(recipients) > 0 {
		plan.Through = recipients[len(recipients)-1].Ordinal + 1
	}
	j, err := p.judge(ctx, recipients, now)
	if err != nil {
		return storage.StepPlan{}, err
	}
	groups, err := p.group(ctx, j)
	if err != nil {
		return storage.StepPlan{}, err
	}
	for i, r := range j.rulings {
		if r.reason != "" {
			plan.PassedOver[r.reason] = append(plan.PassedOver[r.reason], recipients[i].Ordinal)
		}
	}
	p.warn("condition", len(plan.PassedOver[storage.ReasonConditionFailed]), j.failure)
	plan.Dispatches = drafts(groups)
	last := now
	for i := range plan.Dispatches {
		draft := &plan.Dispatches[i]
		// A slice has no more dispatches than recipients, so that its first ordinal + index is used once.
		draft.Chunk = int(from) + i
		draft.ExpireTime = p.expiry(draft.DueTime)
		if draft.DueTime.After(last) {
			last = draft.DueTime
		}
	}
	plan.MeasureTime = last.Add(p.terms.ClickWindow())
	return plan, nil
}

// warn tells once for a slice what of the policy failed for some of its recipients.
func (p *stepPlanner) warn(what string, recipients int, last error) {
	if recipients > 0 {
		p.service.Logger.Warn("a policy fails for some recipients of a step", "what", what, "app", p.push.App,
			"msg_id", p.push.ID, "step", p.number, "recipients", recipients, "last_error", last)
	}
}

// likeness is what recipients have in common who may be in one dispatch.
type likeness struct {
	variant  int
	plain    bool
	sendTime int64 // in milliseconds
	// zone is the time zone, if there are quiet hours: a dispatch that is late is then deferred as a whole.
	zone string
	// message is the same for the recipients of one message; empty for a batch of single messages.
	message message
}

// message is what is sent, and in whose place.
type message struct {
	content, override string
}

// group is the recipients of one message, or of a batch.
type group struct {
	likeness
	variantID string
	dueTime   time.Time
	ordinals  []uint32
	messages  []message // of a batch, in the order of the ordinals
}

// group renders the step for those who may have it, and puts together those who get the same, in the order of their first. For
// whom there is nothing to send, the judgement gets the reason.
func (p *stepPlanner) group(ctx context.Context, j *judgement) ([]*group, error) {
	replaced, err := p.replaced(ctx, j)
	if err != nil {
		return nil, err
	}
	var groups []*group
	byLikeness := make(map[likeness]*group)
	var latest *group
	failed, failure := 0, error(nil)
	for i := range j.remaining() {
		if err := ctx.Err(); err != nil {
			return nil, err // rendering for thousands may take its time
		}
		ordinal, ruled := j.recipients[i].Ordinal, &j.rulings[i]
		said := p.words.wordingFor(j.recipients[i], j.device(i))
		if said.failure != nil {
			failed, failure = failed+1, said.failure
		}
		if said.none {
			ruled.reason = storage.ReasonTemplateFailed
			continue
		}
		like := likeness{
			variant: said.variant, plain: said.plain, sendTime: ruled.sendTime.UnixMilli(), zone: ruled.zone,
			message: message{content: said.content, override: replaced.before(ordinal)},
		}
		if latest == nil || latest.likeness != like { // neighbours are often alike
			if latest = byLikeness[like]; latest == nil {
				latest = &group{likeness: like, variantID: p.words.variants[said.variant].ID, dueTime: ruled.sendTime}
				byLikeness[like] = latest
				groups = append(groups, latest)
			}
		}
		latest.ordinals = append(latest.ordinals, ordinal)
	}
	p.warn("template", failed, failure)
	return groups, nil
}

// drafts cuts groups into dispatches. Messages that go to one recipient each are gathered into batches.
func drafts(groups []*group) []storage.DispatchDraft {
	var drafts []storage.DispatchDraft
	for _, g := range gathered(groups) {
		size := maxChunk
		if g.messages != nil {
			size = engagelab.MaxBatchTargets
		}
		for from := 0; from < len(g.ordinals); from += size {
			through := min(from+size, len(g.ordinals))
			draft := storage.DispatchDraft{
				Recipients: g.ordinals[from:through:through],
				Variant:    g.variantID, PlainContent: g.plain, DueTime: g.dueTime,
			}
			sent := g.message
			if g.messages != nil && through-from == 1 {
				sent = g.messages[from] // an ordinary message costs the same, and takes no batch
			} else if g.messages != nil {
				draft.Singles = singles(g.messages[from:through])
			}
			draft.Content, draft.Override = []byte(sent.content), sent.override
			drafts = append(drafts, draft)
		}
	}
	return drafts
}

// gathered puts the groups of one recipient together who differ in nothing but the message. These batches come last.
func gathered(groups []*group) []*group {
	var shared, batches []*group
	byLikeness := make(map[likeness]*group)
	for _, g := range groups {
		if len(g.ordinals) > 1 {
			shared = append(shared, g)
			continue
		}
		like := g.likeness
		like.message = message{}
		batch := byLikeness[like]
		if batch == nil {
			batch = &group{likeness: like, variantID: g.variantID, dueTime: g.dueTime}
			byLikeness[like] = batch
			batches = append(batches, batch)
		}
		batch.ordinals, batch.messages = append(batch.ordinals, g.ordinals[0]), append(batch.messages, g.message)
	}
	return append(shared, batches...)
}

func singles(messages []message) []storage.Single {
	singles := make([]storage.Single, len(messages))
	for i, m := range messages {
		singles[i] = storage.Single{Content: []byte(m.content), Override: m.override}
	}
	return singles
}

// replacedMessages are the messages whose place a step takes, of those recipients that are not looked at yet, in their order.
type replacedMessages []storage.LastMessage

// replaced reads them, unless follow-ups are to stand beside the earlier notification.
func (p *stepPlanner) replaced(ctx context.Context, j *judgement) (*replacedMessages, error) {
	none := new(replacedMessages)
	if p.terms.Stack || len(j.recipients) == 0 {
		return none, nil
	}
	from, through := j.recipients[0].Ordinal, j.recipients[len(j.recipients)-1].Ordinal
	latest, err := p.service.Store.LastMessages(ctx, p.push.ID, p.number, from, int(through-from)+1)
	if err != nil {
		return none, err
	}
	return (*replacedMessages)(&latest), nil
}

// before returns what EngageLab calls the recipient's latest message; empty for none. It is to be asked in ascending order.
func (m *replacedMessages) before(ordinal uint32) string {
	for len(*m) > 0 && (*m)[0].Ordinal < ordinal {
		*m = (*m)[1:]
	}
	if len(*m) > 0 && (*m)[0].Ordinal == ordinal {
		return (*m)[0].UpstreamID
	}
	return ""
}
