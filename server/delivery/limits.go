package delivery

import (
	"context"
	"errors"
	"time"

	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

// errLeaseEnded says that a claim waited for so long that it is another's by now.
var errLeaseEnded = errors.New("the claim's lease ended while it waited for others of its app")

// quietTime is what quiet hours say at one time in one time zone.
type quietTime struct {
	zone  string
	quiet bool
	end   time.Time
}

// quietTimeOf tells by the recipient's clock. It may be asked only of policies with quiet hours.
func (j *judgement) quietTimeOf(i int) quietTime {
	zone := j.devices[i].TimeZone
	if known, ok := j.quiet[zone]; ok {
		return known
	}
	hours := j.terms.Limits.QuietHours
	location := j.location(zone, hours.DefaultTimeZone)
	q := quietTime{zone: location.String()}
	q.end, q.quiet = hours.End(j.now, location)
	if j.quiet == nil {
		j.quiet = make(map[string]quietTime)
	}
	j.quiet[zone] = q
	return q
}

// location returns the first of the zones that is known here; UTC if none is.
func (f *followUp) location(zones ...string) *time.Location {
	for _, zone := range zones {
		if zone == "" {
			continue
		}
		location, ok := f.locations[zone]
		if !ok {
			location, _ = time.LoadLocation(zone) // nil for a zone that this system's data does not have
			f.locations[zone] = location
		}
		if location != nil {
			return location
		}
	}
	return time.UTC
}

// askTime defers to the end of quiet hours, and leaves out those for whom it gets too late.
func (j *judgement) askTime(context.Context) error {
	hours := j.terms.Limits.QuietHours
	if hours == nil && j.latest.IsZero() {
		return nil
	}
	for i := range j.remaining() {
		r := &j.rulings[i]
		if hours != nil {
			q := j.quietTimeOf(i)
			r.zone = q.zone
			if q.quiet && !hours.Drop {
				r.sendTime = q.end
			}
		}
		if !j.latest.IsZero() && r.sendTime.After(j.latest) {
			r.reason = storage.ReasonLimitExpired
		}
	}
	return nil
}

// askDrop leaves out those whose quiet hours it are, if the policy says so.
func (j *judgement) askDrop(context.Context) error {
	hours := j.terms.Limits.QuietHours
	if hours == nil || !hours.Drop {
		return nil
	}
	for i := range j.remaining() {
		if j.quietTimeOf(i).quiet {
			j.rulings[i].reason = storage.ReasonQuietHours
		}
	}
	return nil
}

// limitsFrequency reports whether it depends on other messages who gets a follow-up.
func limitsFrequency(limits policy.Limits) bool {
	return limits.FrequencyCap != nil || limits.MinimumGap > 0
}

// askFrequency counts the messages of the app to each device, up to the time at which it would get this one.
func (j *judgement) askFrequency(ctx context.Context) error {
	if !limitsFrequency(j.terms.Limits) {
		return nil
	}
	byTime := make(map[int64][]int)
	for i := range j.remaining() {
		at := j.rulings[i].sendTime.UnixMilli()
		byTime[at] = append(byTime[at], i)
	}
	for _, places := range byTime {
		if err := j.countMessages(ctx, places); err != nil {
			return err
		}
	}
	return nil
}

// countMessages asks about recipients who would all get it at the same time.
func (j *judgement) countMessages(ctx context.Context, places []int) error {
	ids := make([]string, len(places))
	for n, i := range places {
		ids[n] = j.recipients[i].RegistrationID
	}
	for _, limit := range frequencyLimits(j.terms.Limits, j.rulings[places[0]].sendTime) {
		counted, err := j.service.Store.CountMessages(ctx, j.push.App, ids, limit.Since)
		if err != nil {
			return err
		}
		for n, i := range places {
			if counted[n] >= limit.Messages && j.rulings[i].reason == "" {
				j.rulings[i].reason = limit.reason
			}
		}
	}
	return nil
}

// frequencyLimit is a limit as the store counts, and why a recipient who has come to it is passed over.
type frequencyLimit struct {
	storage.MessageLimit
	reason storage.Reason
}

// frequencyLimits are a policy's, in the order in which they are asked. A message that is as old as the window is long has left it.
// Times are kept to the millisecond.
func frequencyLimits(limits policy.Limits, at time.Time) (all []frequencyLimit) {
	add := func(window time.Duration, messages int, reason storage.Reason) {
		all = append(all, frequencyLimit{
			storage.MessageLimit{Since: at.Add(time.Millisecond - window), Messages: messages}, reason,
		})
	}
	if limit := limits.FrequencyCap; limit != nil {
		add(limit.Window, limit.Messages, storage.ReasonFrequencyCap)
	}
	if limits.MinimumGap > 0 {
		add(limits.MinimumGap, 1, storage.ReasonMinimumGap)
	}
	return all
}

// messageLimits are those that a claim's recipients were held against: another node may have started to send to them since.
func (s *Service) messageLimits(claim storage.Claim, now time.Time) (all []storage.MessageLimit) {
	if claim.Dispatch.Step == 0 {
		return nil
	}
	pinned, err := s.compiled.get(claim.Push.Policy)
	if err != nil {
		return nil // the decision says what is wrong with the policy
	}
	for _, limit := range frequencyLimits(pinned.Policy.Limits, now) {
		all = append(all, limit.MessageLimit)
	}
	return all
}

// takeTurn lets the claims of an app that depend on what is sent besides be decided about one after the other: each must see
// what the one before it has started. What other nodes start, the store sees (storage.DispatchStart.Limits). A claim that nothing of the
// kind holds back gets its turn at once.
func (s *Service) takeTurn(ctx context.Context, claim storage.Claim, claimTime time.Time) (end func(), err error) {
	if claim.Dispatch.Step == 0 {
		return func() {}, nil
	}
	pinned, err := s.compiled.get(claim.Push.Policy)
	if err != nil || !limitsFrequency(pinned.Policy.Limits) {
		return func() {}, nil //nolint:nilerr // the decision says what is wrong with the policy
	}
	turn := s.outbox[claim.Push.App].turn
	select {
	case turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s.Clock.Since(claimTime) > s.ClaimLease {
		<-turn
		return nil, errLeaseEnded
	}
	return func() { <-turn }, nil
}
