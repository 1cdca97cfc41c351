package relay

import "time"

// step is what is to be done next about an endpoint. Exactly one of its fields is set, but that with none, it is to be asked again
// only when something has happened.
type step struct {
	send *request  // post it, and tell done
	load *span     // read the events of the span, and tell loaded
	read bool      // read the log behind the position, and tell admit
	bury *burial   // count what becomes a dead letter, and tell buried
	wait time.Time // ask again then
}

// request is one post.
type request struct {
	kind    kind
	items   []item           // ascending by sequence, all for one URL
	rows    map[int64][]byte // of a span's, by sequence
	posted  int              // events that the document has
	lanes   []*lane
	span    *span
	probe   bool // the circuit is open
	attempt int  // of these events
	start   time.Time
}

// next says what is to be done. When it is something to do, it is asked again at once.
func (l *ledger) next(now time.Time) step {
	switch {
	case l.resting():
		return step{}
	case !due(l.trouble, now):
		return step{wait: l.trouble}
	}
	if b := l.nextBurial(); b != nil {
		return step{bury: b}
	}
	if l.open() {
		return l.nextProbe(now)
	}
	wait := time.Time{}
	if l.inFlight() < l.terms.concurrency {
		// The kinds take turns, so that none waits for all of another.
		for i := range kinds {
			s, at, ok := l.candidate((l.turn+1+i)%kinds, now)
			switch {
			case !ok:
			case !at.IsZero():
				wait = earlier(wait, at)
			case s.load != nil:
				return s
			default:
				if at = l.allowed(now); at.IsZero() {
					return l.start(s, now)
				}
				wait = earlier(wait, at)
			}
		}
	}
	if l.readable() {
		return step{read: true}
	}
	return step{wait: wait}
}

// candidate returns what could be sent of a kind, or loaded to be sent; or when; ok is false if there is nothing.
func (l *ledger) candidate(k kind, now time.Time) (s step, at time.Time, ok bool) {
	switch k {
	case fresh:
		if len(l.lanes.ready) == 0 || l.room() <= 0 {
			return s, at, false
		}
		return step{send: &request{kind: fresh}}, l.lanes.ripe(l.limits.batch, now), true
	case retry:
		// Retries may hang, and there may be many: they must leave something to the others.
		if l.flying[retry] >= max(1, l.terms.concurrency/2) {
			return s, at, false
		}
		return l.spanStep(retry, l.nextRetry(now), now)
	default:
		return l.spanStep(replay, l.nextReplay(), now)
	}
}

// nextRetry returns the retry whose turn is next. It finishes those that have nothing left.
func (l *ledger) nextRetry(now time.Time) *span {
	for len(l.retries) > 0 {
		s := l.retries[0]
		if !s.done() || !due(s.NextAttempt, now) {
			return s
		}
		l.finish(s)
	}
	return nil
}

func (l *ledger) spanStep(k kind, s *span, now time.Time) (_ step, at time.Time, ok bool) {
	switch {
	case s == nil:
		return step{}, at, false
	case !due(s.NextAttempt, now):
		return step{}, s.NextAttempt, true
	case s.slice == nil:
		return step{load: s}, at, true
	default:
		return step{send: &request{kind: k, span: s}}, at, true
	}
}

// nextProbe says what is to be done while the circuit is open.
func (l *ledger) nextProbe(now time.Time) step {
	if l.inFlight() > 0 {
		return step{}
	}
	if !due(l.row.NextAttempt, now) {
		return step{wait: l.row.NextAttempt}
	}
	s, ok := l.probe(now)
	if !ok || s.send == nil {
		return s
	}
	if at := l.allowed(now); !at.IsZero() {
		return step{wait: at}
	}
	return l.start(s, now)
}

// probe chooses what an open circuit is tried with: a push that did not fail yet, if there is one, for one that did may be at fault
// itself. The retries take turns, as each failure puts them off.
func (l *ledger) probe(now time.Time) (step, bool) {
	if l.room() > 0 {
		if len(l.lanes.ready) > 0 {
			return step{send: &request{kind: fresh}}, true
		}
		if l.readable() {
			return step{read: true}, true
		}
	}
	k, s := retry, l.nextRetry(now)
	if s == nil {
		k, s = replay, l.nextReplay()
	}
	switch {
	case s == nil:
		return step{}, false
	case s.slice == nil:
		return step{load: s}, true
	default:
		return step{send: &request{kind: k, span: s}}, true
	}
}

// allowed returns when the endpoint's rate allows a request, and counts it if that is now.
func (l *ledger) allowed(now time.Time) time.Time {
	if l.terms.limiter == nil {
		return time.Time{}
	}
	reservation := l.terms.limiter.ReserveN(now, 1)
	wait := reservation.DelayFrom(now)
	if wait <= 0 {
		return time.Time{}
	}
	reservation.CancelAt(now)
	return now.Add(wait)
}

// start puts together a request and counts it.
func (l *ledger) start(s step, now time.Time) step {
	q := s.send
	q.start, q.attempt, q.probe = now, 1, l.open()
	if q.kind == fresh {
		pushes := l.room()
		if q.probe {
			pushes = 1
		}
		q.lanes, q.items = l.lanes.take(pushes, l.limits.batch)
		l.reserved += len(q.lanes)
	} else {
		q.items, q.rows, q.attempt = q.span.batch(), q.span.rows, q.span.Failures+1
		q.span.flying = true
		l.retries.take(q.span)
	}
	l.flying[q.kind]++
	l.turn = q.kind
	return s
}

// readable reports whether the log is to be read.
func (l *ledger) readable() bool { return l.position < l.target && l.lanes.queued < l.limits.queued }
