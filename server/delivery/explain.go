package delivery

import (
	"cmp"
	"context"
	"slices"
	"time"

	"susul.dev/susul/storage"
)

// maxExplained is how many of a recipient's events are told. There are a few for each step.
const maxExplained = 1_000

// OccurrenceKind is what happened, or is to happen, to a recipient.
type OccurrenceKind string

// The kinds of occurrences.
const (
	OccurrenceAccepted   OccurrenceKind = "ACCEPTED"
	OccurrencePlanned    OccurrenceKind = "PLANNED"
	OccurrencePassedOver OccurrenceKind = "PASSED_OVER"
	OccurrenceSent       OccurrenceKind = "SENT"
	OccurrenceUnsent     OccurrenceKind = "UNSENT"
	OccurrenceReported   OccurrenceKind = "REPORTED"
	OccurrenceCancelled  OccurrenceKind = "CANCELLED"
	OccurrenceHeld       OccurrenceKind = "HELD"
	OccurrenceScheduled  OccurrenceKind = "SCHEDULED"
	OccurrenceQueued     OccurrenceKind = "QUEUED"
)

// Occurrence is one thing that happened, or is to happen, to one recipient of a push.
type Occurrence struct {
	Time time.Time // of what is to come, when it is due; zero if that is not known
	Step int
	Kind OccurrenceKind
	// Reason is a storage.Reason, or, of what was not sent without being cancelled, the dispatch's state.
	Reason       string
	Variant      string
	DueTime      time.Time // of what was planned
	UpstreamID   string
	PlainContent bool
	Event        *storage.Event // of what was reported
	Text         string         // a sentence for people

	order time.Time // as Time, but not before what it follows from
	later bool      // still to come
}

// Explanation is a recipient's whole way through a push.
type Explanation struct {
	Policy      *storage.PinnedPolicy // nil if the push has none
	Occurrences []Occurrence          // the earliest first, and last what is still to come
}

// ExplainRecipient tells all that a push meant for one recipient, or returns storage.ErrNotFound.
func (s *Service) ExplainRecipient(ctx context.Context, app string, id int64, registrationID string) (Explanation, error) {
	history, err := s.Store.History(ctx, app, id, registrationID)
	if err != nil {
		return Explanation{}, err
	}
	events, err := s.Store.ListEvents(ctx, storage.EventQuery{
		App: app, PushID: id, RegistrationID: registrationID, Limit: maxExplained,
	})
	if err != nil {
		return Explanation{}, err
	}
	e := explainer{history: history, say: s.sentencesFor(history), now: s.Clock.Now(), sent: make(map[int]time.Time)}
	e.accepted()
	for _, dispatch := range history.Dispatches {
		e.dispatch(dispatch)
	}
	for _, once := range history.PassedOver {
		e.passedOver(once)
	}
	for _, step := range history.Steps {
		e.step(step)
	}
	for i := range events {
		e.reported(&events[i])
	}
	slices.SortStableFunc(e.told, func(a, b Occurrence) int {
		return cmp.Or(compareBools(a.later, b.later), compareKnown(a.order, b.order))
	})
	return Explanation{Policy: history.Push.Policy, Occurrences: e.told}, nil
}

// explainer turns what is stored into occurrences.
type explainer struct {
	history storage.History
	say     sentences
	now     time.Time
	sent    map[int]time.Time // when EngageLab took each step
	told    []Occurrence
}

func (e *explainer) tell(o Occurrence, text string) {
	o.Text = text
	if o.order.IsZero() {
		o.order = o.Time
	}
	e.told = append(e.told, o)
}

func (e *explainer) accepted() {
	o := Occurrence{Time: e.history.Push.CreateTime, Kind: OccurrenceAccepted}
	e.tell(o, e.say.accepted())
}

// dispatch tells of a request that the recipient is, or was to be, in.
func (e *explainer) dispatch(d storage.Dispatch) {
	o := Occurrence{
		Step: d.Step, Variant: d.Variant, PlainContent: d.PlainContent, DueTime: d.DueTime,
	}
	if d.Step > 0 {
		planned := o
		planned.Kind, planned.Time = OccurrencePlanned, d.PlanTime
		e.tell(planned, e.say.planned(planned))
	}
	if e.wasPassedOver(d.Step) {
		return // it was taken out when the request was about to go
	}
	o.DueTime, o.PlainContent = time.Time{}, false
	switch stateFor(d) {
	case storage.DispatchSent:
		o.Kind, o.Time, o.UpstreamID = OccurrenceSent, d.SentTime, d.UpstreamID
		e.sent[d.Step] = d.SentTime
		e.tell(o, e.say.sent(o))
	case storage.DispatchBlocked, storage.DispatchPending, storage.DispatchClaimed, storage.DispatchSending:
		o.Kind, o.Time, o.later = OccurrenceQueued, d.DueTime, true
		e.tell(o, e.say.queued(o, d))
	default:
		o.Kind, o.Reason, o.Time = OccurrenceUnsent, string(stateFor(d)), d.DueTime
		switch d.State {
		case storage.DispatchExpired:
			o.Time = d.ExpireTime
		case storage.DispatchCancelled:
			if stateFor(d) == d.State {
				o.Reason = string(d.Reason)
			}
		}
		o.Time = e.past(o.Time)
		e.tell(o, e.say.unsent(o, d))
	}
}

// stateFor is where a dispatch stands for the recipient. Of a batch, its own message may be sent, or refused, before the rest is.
func stateFor(d storage.Dispatch) storage.DispatchState {
	switch {
	case d.UpstreamID != "":
		return storage.DispatchSent
	case d.Refusal != nil && d.State != storage.DispatchUnanswered:
		return storage.DispatchRefused
	default:
		return d.State
	}
}

// past returns the time, unless it is still to come: then nobody noted when it happened.
func (e *explainer) past(t time.Time) time.Time {
	if t.After(e.now) {
		return time.Time{}
	}
	return t
}

func (e *explainer) wasPassedOver(step int) bool {
	return slices.ContainsFunc(e.history.PassedOver, func(once storage.PassedOverOnce) bool { return once.Step == step })
}

func (e *explainer) passedOver(once storage.PassedOverOnce) {
	o := Occurrence{Time: once.Time, Step: once.Step, Kind: OccurrencePassedOver, Reason: string(once.Reason)}
	e.tell(o, e.say.passedOver(o))
}

// step tells of a follow-up that is not decided about for the recipient.
func (e *explainer) step(step storage.Step) {
	decided := e.wasPassedOver(step.Number) ||
		slices.ContainsFunc(e.history.Dispatches, func(d storage.Dispatch) bool { return d.Step == step.Number })
	if decided {
		return
	}
	switch step.State {
	case storage.StepCancelled:
		o := Occurrence{Time: e.past(step.DueTime), Step: step.Number, Kind: OccurrenceCancelled, Reason: string(step.CancelReason)}
		e.tell(o, e.say.cancelled(o))
	case storage.StepWaiting, storage.StepScheduled:
		if !step.HoldTime.IsZero() {
			o := Occurrence{Time: step.HoldTime, Step: step.Number, Kind: OccurrenceHeld}
			e.tell(o, e.say.held(o))
		}
		o := Occurrence{Time: step.DueTime, Step: step.Number, Kind: OccurrenceScheduled, later: true}
		e.tell(o, e.say.scheduled(o))
	}
}

// reported tells of an event. EngageLab tells the second in which a status changed: of what Susul itself noted to the
// millisecond, it comes after the sending.
func (e *explainer) reported(event *storage.Event) {
	o := Occurrence{Time: event.Time, Step: event.Step, Kind: OccurrenceReported, Event: event, order: event.Time}
	if sent := e.sent[event.Step]; sent.After(o.order) {
		o.order = sent
	}
	e.tell(o, e.say.reported(event))
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

// compareKnown puts a time that is not known after all others.
func compareKnown(a, b time.Time) int {
	return cmp.Or(compareBools(a.IsZero(), b.IsZero()), a.Compare(b))
}
