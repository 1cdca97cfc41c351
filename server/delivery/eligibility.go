package delivery

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

// followUp is one step of a push, with what is the same for all of its recipients. It is for one goroutine.
type followUp struct {
	service  *Service
	push     storage.Push
	terms    policy.Policy
	number   int
	step     *policy.CompiledStep
	document engagelab.Document
	// latest is until when the policy lets it go out; zero for however late.
	latest time.Time
	// hindsight says that it is judged as of times that are past: what became of a device since does not count.
	hindsight bool
	// locations are the time zones that were needed, by their names.
	locations map[string]*time.Location
}

// newFollowUp prepares a step, 1 and on. Its error is errUnusable.
func (s *Service) newFollowUp(push storage.Push, compiled *policy.Compiled, number int) (*followUp, error) {
	if number < 1 || number > len(compiled.Steps) {
		return nil, fmt.Errorf("%w: %w", errUnusable, errNoPolicy)
	}
	document, err := engagelab.ParseDocument(push.Document)
	if err != nil {
		return nil, fmt.Errorf("%w: stored push: %w", errUnusable, err)
	}
	f := &followUp{
		service: s, push: push, terms: compiled.Policy, number: number, step: compiled.Steps[number-1],
		document: document, locations: make(map[string]*time.Location),
	}
	if after := f.terms.Limits.ExpireAfter; after > 0 && !push.FirstSentTime.IsZero() {
		f.latest = push.FirstSentTime.Add(after)
	}
	return f, nil
}

// expiry is until when a dispatch that is due at a time may be handed to EngageLab.
func (f *followUp) expiry(due time.Time) time.Time {
	expire := expiry(due, f.push.TimeToLive)
	if !f.latest.IsZero() {
		expire = earlier(expire, f.latest)
	}
	return expire
}

// ruling is what is decided about one recipient.
type ruling struct {
	// reason is why it is passed over; empty if it may have the step.
	reason storage.Reason
	// sendTime is when it may have it: now, or at the end of its quiet hours.
	sendTime time.Time
	// zone is the recipient's time zone, if there are quiet hours.
	zone string
}

// judgement is what is decided about some recipients at one time. Planning, claiming and previewing all ask it.
type judgement struct {
	*followUp
	now        time.Time
	recipients []storage.Recipient
	rulings    []ruling        // in the order of the recipients
	devices    []policy.Device // likewise; nil if nobody asks for them
	quiet      map[string]quietTime
	failure    error // the last of the condition, if it failed for some
}

// judge decides who of the recipients gets the step, and when. A recipient is passed over for the first of the reasons
// that holds, in the order in which they are asked here.
func (f *followUp) judge(ctx context.Context, recipients []storage.Recipient, now time.Time) (*judgement, error) {
	j := &judgement{followUp: f, now: now, recipients: recipients, rulings: make([]ruling, len(recipients))}
	for i, recipient := range recipients {
		j.rulings[i].sendTime = now
		if !f.terms.Trigger.Holds(recipient.Progress) {
			j.rulings[i].reason = storage.ReasonMilestoneReached
		}
	}
	for _, ask := range []func(context.Context) error{
		j.askValidity, j.readDevices, j.askCondition, j.askTime, j.askFrequency, j.askDrop, j.askHoldouts,
	} {
		if err := ask(ctx); err != nil {
			return nil, err
		}
	}
	return j, nil
}

// remaining yields the places of those for whom no reason was found yet.
func (j *judgement) remaining() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range j.rulings {
			if j.rulings[i].reason == "" && !yield(i) {
				return
			}
		}
	}
}

// remainingIDs returns those of remaining with their registration ids.
func (j *judgement) remainingIDs() (places []int, ids []string) {
	places, ids = make([]int, 0, len(j.rulings)), make([]string, 0, len(j.rulings))
	for i := range j.remaining() {
		places, ids = append(places, i), append(ids, j.recipients[i].RegistrationID)
	}
	return places, ids
}

// askValidity leaves out devices whose tokens are dead.
func (j *judgement) askValidity(ctx context.Context) error {
	places, ids := j.remainingIDs()
	if len(ids) == 0 {
		return nil
	}
	invalid, err := j.service.Store.InvalidDevices(ctx, j.push.App, ids)
	if err == nil && j.hindsight && len(invalid) > 0 {
		invalid, err = j.invalidThen(ctx, invalid)
	}
	if err != nil {
		return err
	}
	for _, place := range placesAmong(ids, invalid) {
		j.rulings[places[place]].reason = storage.ReasonInvalidDevice
	}
	return nil
}

// invalidThen leaves those of invalid devices that were invalid at the judgement's time already.
func (j *judgement) invalidThen(ctx context.Context, ids []string) ([]string, error) {
	devices, err := j.service.Store.GetDevices(ctx, j.push.App, ids)
	if err != nil {
		return nil, err
	}
	var then []string
	for _, device := range devices {
		if device.Invalidity != nil && !device.Invalidity.Time.After(j.now) {
			then = append(then, device.RegistrationID)
		}
	}
	return then, nil
}

// readDevices reads what is known of the remaining devices, if anything depends on it.
func (j *judgement) readDevices(ctx context.Context) error {
	if !j.step.UsesDevice() && j.terms.Limits.QuietHours == nil {
		return nil
	}
	places, ids := j.remainingIDs()
	if len(ids) == 0 {
		return nil
	}
	known, err := j.service.Store.GetDevices(ctx, j.push.App, ids)
	if err != nil {
		return err
	}
	j.devices = make([]policy.Device, len(j.recipients))
	for _, i := range places {
		if len(known) > 0 && known[0].RegistrationID == j.recipients[i].RegistrationID { // in the order of the ids, too
			j.devices[i], known = deviceFrom(known[0]), known[1:]
		}
	}
	return nil
}

// device is what a recipient's condition and templates may refer to.
func (j *judgement) device(i int) policy.Device {
	var device policy.Device
	if j.devices != nil {
		device = j.devices[i]
	}
	device.RegistrationID = j.recipients[i].RegistrationID
	return device
}

// deviceFrom reads a stored device. Attributes that are no object, which SetDevices does not take, are as if there were none.
func deviceFrom(stored storage.Device) policy.Device {
	device := policy.Device{Known: !stored.UpdateTime.IsZero(), TimeZone: stored.TimeZone, Locale: stored.Locale}
	if len(stored.Attributes) > 0 {
		decoder := json.NewDecoder(bytes.NewReader(stored.Attributes))
		decoder.UseNumber()
		_ = decoder.Decode(&device.Attributes) // see above
	}
	return device
}

// askCondition asks the step's only_if.
func (j *judgement) askCondition(ctx context.Context) error {
	if !j.step.Conditional() {
		return nil
	}
	subject := policy.Subject{Push: j.document.Members(), CustomArgs: j.document.CustomArgs(), Step: j.number}
	for i := range j.remaining() {
		if err := ctx.Err(); err != nil {
			return err // asking thousands may take its time
		}
		subject.RegistrationID = j.recipients[i].RegistrationID
		subject.Reached = j.recipients[i].Progress.InAnyStep()
		subject.Device = j.device(i)
		switch holds, err := j.step.Holds(subject); {
		case err != nil:
			j.rulings[i].reason, j.failure = storage.ReasonConditionFailed, err
		case !holds:
			j.rulings[i].reason = storage.ReasonConditionFalse
		}
	}
	return nil
}

// askHoldouts leaves out those who are to show what would have become of them without the follow-up.
func (j *judgement) askHoldouts(context.Context) error {
	for i := range j.remaining() {
		switch id := j.recipients[i].RegistrationID; {
		case j.terms.Held(id):
			j.rulings[i].reason = storage.ReasonHoldout
		case j.terms.StepHeld(j.number, id):
			j.rulings[i].reason = storage.ReasonStepHoldout
		}
	}
	return nil
}

// decideFollowUp stops a claimed follow-up, defers it, or narrows it to those who may still have it.
func (s *Service) decideFollowUp(ctx context.Context, claim storage.Claim, now time.Time) (verdict, error) {
	if reason := s.stopReason(claim.Push, claim.Dispatch.Step); reason != "" {
		return verdict{state: storage.DispatchCancelled, reason: reason}, nil
	}
	pinned, err := s.compiled.get(claim.Push.Policy)
	if err == nil {
		var f *followUp
		if f, err = s.newFollowUp(claim.Push, pinned, claim.Dispatch.Step); err == nil {
			if f.superseded(now) {
				return verdict{state: storage.DispatchCancelled, reason: storage.ReasonSuperseded}, nil
			}
			return f.decide(ctx, claim, now)
		}
	}
	s.Logger.Error("a follow-up can't be decided about", "app", claim.Push.App, "msg_id", claim.Push.ID, "error", err)
	return verdict{state: storage.DispatchCancelled, reason: storage.ReasonUnusable}, nil
}

// superseded reports whether a later step is due that nothing stops. A dispatch that has not gone out until then must not any
// more: its recipients would get two at once, for example when their quiet hours end, or after an outage.
func (f *followUp) superseded(now time.Time) bool {
	for later := f.number + 1; later <= len(f.terms.Steps); later++ {
		due := f.push.FirstSentTime.Add(f.terms.Offset(later - 1))
		if !now.Before(due) && f.service.stopReason(f.push, later) == "" {
			return true
		}
	}
	return false
}

// decide judges a claim's recipients anew. The clocks of a dispatch's recipients agree, unless a device moved since it was
// planned: then those who sleep are passed over where others are awake, for a dispatch can't be divided.
func (f *followUp) decide(ctx context.Context, claim storage.Claim, now time.Time) (verdict, error) {
	j, err := f.judge(ctx, claim.Recipients, now)
	if err != nil {
		return verdict{}, err
	}
	var until time.Time // the earliest end of the quiet hours of those who are left
	awake := false
	for i := range j.remaining() {
		switch at := j.rulings[i].sendTime; {
		case !at.After(now):
			awake = true
		case until.IsZero() || at.Before(until):
			until = at
		}
	}
	if !awake && !until.IsZero() {
		return verdict{state: storage.DispatchPending, until: until, expire: f.expiry(until)}, nil
	}
	v := verdict{passedOver: storage.PassedOver{}}
	for i, r := range j.rulings {
		if r.reason == "" && r.sendTime.After(now) {
			r.reason = storage.ReasonQuietHours
		}
		if r.reason != "" {
			v.passedOver[r.reason] = append(v.passedOver[r.reason], claim.Recipients[i].Ordinal)
			continue
		}
		v.keep(claim, i)
	}
	if len(v.kept) == 0 {
		v.state, v.reason = storage.DispatchSkipped, storage.ReasonNobodyLeft
	}
	return v, nil
}
