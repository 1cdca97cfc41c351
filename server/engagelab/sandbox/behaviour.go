package sandbox

import (
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// draws returns the random numbers that belong to a seed, a name and a number: always the same ones, in any order of
// asking and on any run.
func draws(seed uint64, name string, n uint64) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name)) // never fails
	return rand.New(rand.NewPCG(seed^h.Sum64(), n))
}

// traits are what stays the same about a device from message to message.
type traits struct {
	dead    bool
	offline time.Duration // from its first message on; 0 if it is online
}

func (b Behaviour) traits(seed uint64, registrationID string) traits {
	r := draws(seed, registrationID, 0)
	dead, offline, share := r.Float64() < b.DeadShare, r.Float64() < b.OfflineShare, r.Float64()
	if !offline {
		return traits{dead: dead}
	}
	return traits{dead: dead, offline: b.OfflineMin + portion(share, b.OfflineMax-b.OfflineMin)}
}

// plan decides what will become of the n-th message (from 1) to a device, and when. backAt is when the device is online
// again. Every number is drawn whether it is needed or not, so that one share does not change what another decides.
func (b Behaviour) plan(seed uint64, d *device, n uint64, now time.Time, timeToLive time.Duration) (at [milestones]int64) {
	r := draws(seed, d.id, n)
	sendAfter := portion(r.Float64(), time.Second)
	deliverAfter := portion(r.Float64(), b.DeliverWithin)
	displays, displayAfter := r.Float64() < b.DisplayRate, portion(r.Float64(), b.DisplayWithin)
	clicks, clickAfter := r.Float64() < b.ClickRate, portion(r.Float64(), b.ClickWithin)

	moment := now.Add(sendAfter)
	if d.dead {
		at[failed] = moment.UnixNano()
		return at
	}
	at[sent] = moment.UnixNano()
	if d.backAt.After(now.Add(timeToLive)) {
		return at
	}
	if moment = moment.Add(deliverAfter); moment.Before(d.backAt) {
		moment = d.backAt
	}
	at[delivered] = moment.UnixNano()
	if !displays {
		return at
	}
	moment = moment.Add(displayAfter)
	at[displayed] = moment.UnixNano()
	if clicks {
		at[clicked] = moment.Add(clickAfter).UnixNano()
	}
	return at
}

func portion(share float64, of time.Duration) time.Duration {
	return time.Duration(share * float64(of))
}

// population makes n registration ids of 19 lower-case hex digits.
func population(seed uint64, n int) []string {
	r := draws(seed, "population", 0)
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%016x%03x", r.Uint64(), r.Uint64N(1<<12))
	}
	return ids
}

// selectorShare of the population carries any one tag, or belongs to any one segment.
const selectorShare = 0.2

func (s *Sandbox) carries(selector, registrationID string) bool {
	return draws(s.cfg.Seed, selector+"\x00"+registrationID, 0).Float64() < selectorShare
}

// resolve returns the devices that an audience means. Its selectors narrow each other down. What was never set through the
// API, the population has by chance. The caller holds the lock.
func (s *Sandbox) resolve(a *app, to audience) []string {
	if len(to.RegistrationID) > 0 {
		return to.RegistrationID
	}
	if len(to.Alias) > 0 {
		return s.aliased(a, to.Alias)
	}
	var chosen []string
	for _, id := range s.population {
		if s.matches(a, to, id) {
			chosen = append(chosen, id)
		}
	}
	for id := range a.tags.members(slices.Concat(to.Tag, to.TagAnd)) {
		if s.matches(a, to, id) {
			chosen = append(chosen, id) // it may be one of the population; accept takes each once
		}
	}
	return chosen
}

func (s *Sandbox) matches(a *app, to audience, id string) bool {
	tagged := len(to.Tag) == 0
	for _, tag := range to.Tag {
		tagged = tagged || s.tagged(a, tag, id)
	}
	for _, tag := range to.TagAnd {
		tagged = tagged && s.tagged(a, tag, id)
	}
	for _, tag := range to.TagNot {
		tagged = tagged && !s.tagged(a, tag, id)
	}
	if len(to.Segment) > 0 {
		tagged = tagged && s.carries(fmt.Sprint("segment ", to.Segment), id)
	}
	if to.LiveActivityID != "" {
		tagged = tagged && s.carries("live activity "+to.LiveActivityID, id)
	}
	return tagged
}

func (s *Sandbox) tagged(a *app, tag, id string) bool {
	if devices, set := a.tags[tag]; set {
		return devices[id]
	}
	return s.carries("tag "+tag, id)
}

// aliased gives each alias that was never set one device of the population.
func (s *Sandbox) aliased(a *app, aliases []string) []string {
	var chosen []string
	for _, alias := range aliases {
		if devices, set := a.aliases[alias]; set {
			chosen = slices.AppendSeq(chosen, maps.Keys(devices))
			continue
		}
		if n := len(s.population); n > 0 {
			chosen = append(chosen, s.population[draws(s.cfg.Seed, "alias "+alias, 0).IntN(n)])
		}
	}
	return chosen
}
