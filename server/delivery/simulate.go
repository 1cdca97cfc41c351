package delivery

import (
	"context"
	"fmt"
	"slices"
	"time"

	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

// simulation runs a policy's steps over what a push's recipients are known to have done. It is for one goroutine.
type simulation struct {
	service *Service
	push    storage.Push
	steps   []*simulatedStep // those whose time has come, in the order of their times
	// history is what each recipient reached in which of the spans between the steps' times, kept as if spans were steps: span 0
	// ends with the first step's time, the last span follows the last step's.
	history []storage.Progress
}

// simulatedStep is one step of it.
type simulatedStep struct {
	*words
	due    time.Time
	result BacktestPushStep
}

func (s *Service) newSimulation(ctx context.Context, push storage.Push, compiled *policy.Compiled) (*simulation, error) {
	sim := &simulation{service: s, push: push}
	for i := range compiled.Policy.Steps {
		due := push.FirstSentTime.Add(compiled.Policy.Offset(i))
		if due.After(s.Clock.Now()) {
			break // each step is later than the one before
		}
		f, err := s.newFollowUp(push, compiled, i+1)
		if err != nil {
			return nil, err
		}
		f.hindsight = true
		f.terms.Limits.FrequencyCap, f.terms.Limits.MinimumGap = nil, 0
		words, err := f.newWords(ctx)
		if err != nil {
			return nil, err
		}
		sim.steps = append(sim.steps, &simulatedStep{words: words, due: due, result: BacktestPushStep{
			Number: i + 1, DueTime: due, BacktestStep: BacktestStep{PassedOver: make(map[storage.Reason]int)},
		}})
	}
	return sim, nil
}

// spanOf returns in which span something happened.
func (s *simulation) spanOf(t time.Time) int {
	span := 0
	for span < len(s.steps) && t.After(s.steps[span].due) {
		span++
	}
	return span
}

// clickedAfter reports whether a recipient clicked after a step's time.
func (s *simulation) clickedAfter(ordinal uint32, step int) bool {
	history := s.history[ordinal]
	return (history &^ history.Before(step+1)).InAnyStep().Has(storage.Clicked)
}

// readEvents reads what was reported about the push.
func (s *simulation) readEvents(ctx context.Context) error {
	query := storage.EventQuery{App: s.push.App, PushID: s.push.ID, Limit: storage.MaxPage}
	for {
		events, err := s.service.Store.ListEvents(ctx, query)
		if err != nil {
			return err
		}
		if err := s.note(ctx, events); err != nil {
			return err
		}
		if len(events) < query.Limit {
			return nil
		}
		query.After = events[len(events)-1].Sequence
	}
}

// note adds events to the history of their recipients.
func (s *simulation) note(ctx context.Context, events []storage.Event) error {
	ids := make([]string, len(events))
	for i, event := range events {
		ids[i] = event.RegistrationID
	}
	slices.Sort(ids)
	found, err := s.service.Store.FindRecipients(ctx, s.push.ID, slices.Compact(ids))
	if err != nil {
		return err
	}
	ordinals := make(map[string]uint32, len(found))
	for _, recipient := range found {
		ordinals[recipient.RegistrationID] = recipient.Ordinal
	}
	for _, event := range events {
		ordinal, known := ordinals[event.RegistrationID]
		if !known {
			continue
		}
		if err := s.grow(int(ordinal) + 1); err != nil {
			return err
		}
		s.history[ordinal] = s.history[ordinal].With(s.spanOf(event.Time), event.Milestone)
	}
	return nil
}

// grow makes room for recipients. A push that is not listed may have gained some since it was chosen.
func (s *simulation) grow(recipients int) error {
	if recipients > maxBacktestRecipients {
		return fmt.Errorf("%w: a push has more than %d recipients", ErrTooLarge, maxBacktestRecipients)
	}
	if recipients > len(s.history) {
		s.history = slices.Grow(s.history, recipients-len(s.history))[:recipients]
	}
	return nil
}

// run decides about all recipients, in the slices in which they would have been planned.
func (s *simulation) run(ctx context.Context) error {
	for from := uint32(0); len(s.steps) > 0; {
		recipients, err := s.service.Store.ScanRecipients(ctx, s.push.ID, from, planSlice)
		if err != nil {
			return err
		}
		if err := s.slice(ctx, recipients); err != nil {
			return err
		}
		if len(recipients) < planSlice {
			return nil
		}
		from = recipients[len(recipients)-1].Ordinal + 1
	}
	return nil
}

// slice decides about some recipients, step by step.
func (s *simulation) slice(ctx context.Context, recipients []storage.Recipient) error {
	if len(recipients) == 0 {
		return nil
	}
	from, through := recipients[0].Ordinal, recipients[len(recipients)-1].Ordinal
	if err := s.grow(int(through) + 1); err != nil {
		return err
	}
	first, err := s.service.Store.LastMessages(ctx, s.push.ID, 1, from, int(through-from)+1)
	if err != nil {
		return err
	}
	// What the recipients would have got last: EngageLab's id of the first sending, or a name for a simulated message.
	last := make([]string, through-from+1)
	for _, message := range first {
		last[message.Ordinal-from] = message.UpstreamID
	}
	for i, step := range s.steps {
		then := s.asThen(recipients, i)
		j, err := step.judge(ctx, then, step.due)
		if err != nil {
			return err
		}
		s.record(j, i, last, from)
	}
	return nil
}

// asThen returns the recipients as they were at a step's time. Those of a push that is not listed are known from the first report
// on.
func (s *simulation) asThen(recipients []storage.Recipient, step int) []storage.Recipient {
	then := make([]storage.Recipient, 0, len(recipients))
	for _, recipient := range recipients {
		recipient.Progress = s.history[recipient.Ordinal].Before(step + 1)
		if s.push.Listed || recipient.Progress != 0 {
			then = append(then, recipient)
		}
	}
	return then
}

// record counts a step's decisions, and gives those whom it would have reached their latest message.
func (s *simulation) record(j *judgement, step int, last []string, from uint32) {
	sim := s.steps[step]
	groups := make(map[simulatedGroup][]uint32)
	for i, ruled := range j.rulings {
		if ruled.reason == "" {
			group, none := sim.groupOf(j, i)
			if none {
				ruled.reason = storage.ReasonTemplateFailed
			} else {
				if !sim.terms.Stack {
					group.override = last[j.recipients[i].Ordinal-from]
				}
				groups[group] = append(groups[group], j.recipients[i].Ordinal)
			}
		}
		if ruled.reason != "" {
			sim.result.PassedOver[ruled.reason]++
			continue
		}
		sim.result.Reached++
		if s.clickedAfter(j.recipients[i].Ordinal, step) {
			sim.result.ClickedAnyway++
		}
		if len(sim.result.Samples) < backtestSamples {
			sim.result.Samples = append(sim.result.Samples, j.recipients[i].RegistrationID)
		}
	}
	for group, ordinals := range groups {
		size := maxChunk
		if group.personal {
			size = 1 // at most
		}
		for chunk := range slices.Chunk(ordinals, size) {
			sim.result.QuotaUnits++
			message := fmt.Sprintf("step %d, from %d", step, chunk[0])
			for _, ordinal := range chunk {
				last[ordinal-from] = message
			}
		}
	}
}

// simulatedGroup is what recipients have in common who would have been in one dispatch.
type simulatedGroup struct {
	variant  int
	content  string // of one that is not personal
	plain    bool
	personal bool
	sendTime int64
	zone     string
	override string
}

// groupOf returns what one recipient would have been sent with. Personal contents are not rendered: the attributes of then are not
// known.
func (s *simulatedStep) groupOf(j *judgement, i int) (group simulatedGroup, none bool) {
	recipient := j.recipients[i]
	group = simulatedGroup{
		variant: s.variantOf(recipient.RegistrationID), sendTime: j.rulings[i].sendTime.UnixMilli(), zone: j.rulings[i].zone,
	}
	if s.variants[group.variant].For(recipient.Progress.InAnyStep()).Personal() {
		group.personal = true
		return group, false
	}
	said := s.wordingFor(recipient, policy.Device{})
	group.content, group.plain = said.content, said.plain
	return group, said.none
}
