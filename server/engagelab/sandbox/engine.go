package sandbox

import (
	"container/heap"
	"context"
	"time"

	"github.com/jonboulle/clockwork"
)

// milestone is what can happen to a message on a device, in the order in which it happens. A dead device only fails.
type milestone uint8

const (
	sent milestone = iota
	delivered
	displayed
	clicked
	failed
	milestones // how many there are
)

// status is EngageLab's name for a milestone in callbacks and answers.
func (m milestone) status() string {
	return [milestones]string{"sent", "delivered", "impression", "click", "target_invalid"}[m]
}

// maxBurst bounds what happens in one go, so that requests get their turn in between.
const maxBurst = 2_000

// timed is something that waits for its moment, in ns since the epoch.
type timed interface{ due() int64 }

// agenda is a heap of what is to come; the earliest is first.
type agenda[T timed] []T

func (a agenda[T]) Len() int           { return len(a) }
func (a agenda[T]) Less(i, j int) bool { return a[i].due() < a[j].due() }
func (a agenda[T]) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *agenda[T]) Push(x any)        { *a = append(*a, x.(T)) }
func (a *agenda[T]) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	(*a)[last] = *new(T)
	*a = (*a)[:last]
	return x
}

func (r *receipt) due() int64 { return r.at[r.next] }

// remaining counts the milestones that are still to come.
func (r *receipt) remaining() (n int) {
	for _, at := range r.at[r.next:] {
		if at != 0 {
			n++
		}
	}
	return n
}

// has reports whether a milestone has happened.
func (r *receipt) has(m milestone) bool { return m < r.next && r.at[m] != 0 }

// skip moves on to the next milestone that will happen, and reports whether there is one.
func (r *receipt) skip() bool {
	for r.next < milestones && r.at[r.next] == 0 {
		r.next++
	}
	return r.next < milestones
}

// schedule plans what the device will do with the message.
func (s *Sandbox) schedule(r *receipt, now time.Time) {
	d := r.device
	d.receipts = append(d.receipts, r)
	r.number = uint32(len(d.receipts))
	r.at = s.cfg.Behaviour.plan(s.cfg.Seed, d, uint64(r.number), now, r.message.timeToLive)
	s.planned += r.remaining()
	r.skip()
	heap.Push(&s.agenda, r)
}

// cancel keeps a message from a device that it has not reached. What is on the agenda is passed over in its time.
func (s *Sandbox) cancel(r *receipt) {
	if r.has(delivered) || r.has(failed) {
		return
	}
	r.cancelled = true
	s.planned -= r.remaining()
}

// advance lets happen what is due, and returns when the next thing is, if there is one.
func (s *Sandbox) advance() (next time.Time, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Clock.Now()
	next, more = s.fire(now)
	for range maxBurst {
		if len(s.agenda) == 0 {
			return next, more
		}
		r := s.agenda[0]
		if r.due() > now.UnixNano() {
			if due := time.Unix(0, r.due()); !more || due.Before(next) {
				next = due
			}
			return next, true
		}
		if !r.cancelled && s.reach(r) {
			heap.Fix(&s.agenda, 0)
		} else {
			heap.Pop(&s.agenda)
		}
	}
	return now, true
}

// reach records a receipt's next milestone and reports it. It says whether there is another one after it.
func (s *Sandbox) reach(r *receipt) (more bool) {
	s.planned--
	r.message.reached[r.next]++
	if s.loses(r) {
		s.dropped.Add(int64(len(r.message.outboxes)))
	} else {
		for _, o := range r.message.outboxes {
			o.add(row{receipt: r, milestone: r.next})
		}
	}
	r.next++
	return r.skip()
}

// loses reports whether the row about a receipt's next milestone gets lost on its way to everyone.
func (s *Sandbox) loses(r *receipt) bool {
	if s.loss == 0 {
		return false
	}
	row := uint64(r.number)*uint64(milestones) + uint64(r.next)
	return draws(s.cfg.Seed, "callback loss "+r.device.id, row).Float64() < s.loss
}

// poke wakes whoever waits on the channel; once is enough.
func poke(wake chan<- struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}

// waitUntil waits for the moment, if there is one, for a poke or for the end of ctx.
func waitUntil(ctx context.Context, clock clockwork.Clock, moment time.Time, known bool, wake <-chan struct{}) {
	var reached <-chan time.Time
	if known {
		timer := clock.NewTimer(clock.Until(moment))
		defer timer.Stop()
		reached = timer.Chan()
	}
	select {
	case <-reached:
	case <-wake:
	case <-ctx.Done():
	}
}
