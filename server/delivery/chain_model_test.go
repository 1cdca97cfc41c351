package delivery_test

import (
	"maps"
	"time"

	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

// world is what is true between two events. Once it is part of the history it is not changed any more.
type world struct {
	now      time.Time
	progress map[int64]map[string]storage.Progress // by push and registration id
	// unsure is progress that EngageLab knows of and Susul may have learnt, or not.
	unsure  map[int64]map[string]storage.Progress
	invalid map[string]bool
	doubted map[string]bool // who may be invalid, or not
	tier    map[string]string
	zone    map[string]string

	stopped, paused, deleted bool
	stepPaused               [3]bool // by number
	withdrawn                map[int64]bool
}

func (w world) clone() world {
	copied := func(byPush map[int64]map[string]storage.Progress) map[int64]map[string]storage.Progress {
		copies := make(map[int64]map[string]storage.Progress, len(byPush))
		for push, byID := range byPush {
			copies[push] = maps.Clone(byID)
		}
		return copies
	}
	w.progress, w.unsure = copied(w.progress), copied(w.unsure)
	w.invalid, w.doubted = maps.Clone(w.invalid), maps.Clone(w.doubted)
	w.tier, w.zone, w.withdrawn = maps.Clone(w.tier), maps.Clone(w.zone), maps.Clone(w.withdrawn)
	return w
}

// model is the reference: what the policy says in a world, without a thought for how it comes about.
type model struct {
	policy    policy.Policy
	firstSent map[int64]time.Time
}

// stops are the reasons for which no follow-up of the push may go out.
func (m model) stops(w world, push int64, step int) storage.Reason {
	switch {
	case w.withdrawn[push]:
		return storage.ReasonWithdrawn
	case w.stopped:
		return storage.ReasonFollowUpsStopped
	case w.deleted:
		return storage.ReasonPolicyDeleted
	case w.paused:
		return storage.ReasonPolicyPaused
	case w.stepPaused[step]:
		return storage.ReasonStepPaused
	}
	return ""
}

// supersedes reports whether a step may be left out for a later one that is due.
func (m model) supersedes(w world, push int64, step int) bool {
	for later := step + 1; later <= len(m.policy.Steps); later++ {
		if !w.now.Before(m.firstSent[push].Add(m.policy.Offset(later-1))) && m.stops(w, push, later) == "" {
			return true
		}
	}
	return false
}

// passesOver returns the reasons for which a recipient may be passed over in a world; an empty one among them if it may have the
// step. There are several where it is open what is known. Caps and gaps are not asked.
func (m model) passesOver(w world, push int64, step int, id string) map[storage.Reason]bool {
	reasons := make(map[storage.Reason]bool)
	for _, progress := range []storage.Progress{w.progress[push][id], w.progress[push][id] | w.unsure[push][id]} {
		for _, invalid := range []bool{w.invalid[id], w.invalid[id] != w.doubted[id]} {
			reasons[m.passesOverIf(w, progress, invalid, push, step, id)] = true
		}
	}
	return reasons
}

func (m model) passesOverIf(w world, progress storage.Progress, invalid bool, push int64, step int, id string) storage.Reason {
	p := m.policy
	reached := progress.InAnyStep()
	over := reached.Has(p.Trigger.Unless)
	if p.Trigger.OnFailure {
		over = !reached.Has(storage.Failed) || reached.Has(storage.Delivered)
	}
	sendTime, asleep := w.now, false
	if q := p.Limits.QuietHours; q != nil {
		var end time.Time
		if end, asleep = q.End(w.now, m.location(w, id)); asleep && !q.Drop {
			sendTime = end
		}
	}
	latest := m.firstSent[push].Add(p.Limits.ExpireAfter)
	switch {
	case over:
		return storage.ReasonMilestoneReached
	case invalid:
		return storage.ReasonInvalidDevice
	case p.Steps[step-1].OnlyIf != "" && w.tier[id] == "":
		return storage.ReasonConditionFailed
	case p.Steps[step-1].OnlyIf != "" && w.tier[id] != "gold":
		return storage.ReasonConditionFalse
	case p.Limits.ExpireAfter > 0 && sendTime.After(latest):
		return storage.ReasonLimitExpired
	case asleep && p.Limits.QuietHours.Drop:
		return storage.ReasonQuietHours
	case p.Held(id):
		return storage.ReasonHoldout
	case p.StepHeld(step, id):
		return storage.ReasonStepHoldout
	}
	return ""
}

// asleep reports whether it is the quiet hours of a recipient.
func (m model) asleep(w world, id string) bool {
	if m.policy.Limits.QuietHours == nil {
		return false
	}
	_, asleep := m.policy.Limits.QuietHours.End(w.now, m.location(w, id))
	return asleep
}

func (m model) location(w world, id string) *time.Location {
	zone := w.zone[id]
	if zone == "" {
		zone = m.policy.Limits.QuietHours.DefaultTimeZone
	}
	location, err := time.LoadLocation(zone)
	if err != nil {
		panic(err)
	}
	return location
}

// beforeCaps are the reasons that are asked before caps and gaps.
var beforeCaps = map[storage.Reason]bool{
	storage.ReasonMilestoneReached: true, storage.ReasonInvalidDevice: true, storage.ReasonConditionFailed: true,
	storage.ReasonConditionFalse: true, storage.ReasonLimitExpired: true,
}
