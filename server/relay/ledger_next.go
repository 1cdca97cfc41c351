package relay

import (
	"maps"
	"slices"
	"time"
)

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
	spans   []*span
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
		return l.spanStep(retry, l.nextRetries(now), now)
	default:
		return l.spanStep(replay, asOne(l.nextReplay()), now)
	}
}

// maxTogether is how many retries go in one request.
const maxTogether = 16

// nextRetries returns the retries whose turn is next. Those that failed once at most go together with their like, for the reason may
// have been that the endpoint was down; those that fail again are alone with it.
func (l *ledger) nextRetries(now time.Time) []*span {
	together := asOne(l.nextRetry(now))
	if len(together) == 0 || !together[0].mayGoTogether(now) {
		return together
	}
	count, size := 0, 0
	for s := together[0]; ; {
		for i := range s.slice {
			if !s.slice[i].beside(&together[0].slice[0]) {
				continue
			}
			count++
			size += s.slice[i].size
		}
		l.retries.take(s)
		next := l.nextRetry(now)
		if s.slice == nil || len(together) == maxTogether || next == nil || !next.mayGoTogether(now) || !l.fits(next, together[0], count, size) {
			break
		}
		s = next
		together = append(together, s)
	}
	for _, s := range together {
		l.retries.put(s)
	}
	return together
}

// mayGoTogether reports whether it is due, and may be in a request with others.
func (s *span) mayGoTogether(now time.Time) bool { return s.Failures <= 1 && due(s.NextAttempt, now) }

// fits reports whether what a span has next, if that was read, fits into a request with another's.
func (l *ledger) fits(s, first *span, count, size int) bool {
	if len(s.slice) == 0 {
		return count < l.limits.batch && size < maxBatchBytes
	}
	if !s.slice[0].beside(&first.slice[0]) {
		return false
	}
	for _, it := range s.batch() {
		count++
		size += it.size
	}
	return count <= l.limits.batch && size <= maxBatchBytes
}

// asOne makes a list of a span that may be nil.
func asOne(s *span) []*span {
	if s == nil {
		return nil
	}
	return []*span{s}
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

func (l *ledger) spanStep(k kind, together []*span, now time.Time) (_ step, at time.Time, ok bool) {
	if len(together) == 0 {
		return step{}, at, false
	}
	if first := together[0]; !due(first.NextAttempt, now) {
		return step{}, first.NextAttempt, true
	}
	return loadOrSend(k, together), at, true
}

// loadOrSend sends what spans have next, once all of it was read.
func loadOrSend(k kind, together []*span) step {
	for _, s := range together {
		if s.slice == nil {
			return step{load: s}
		}
	}
	return step{send: &request{kind: k, spans: together}}
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
	k, one := retry, l.nextRetry(now)
	if one == nil {
		k, one = replay, l.nextReplay()
	}
	if one == nil {
		return step{}, false
	}
	return loadOrSend(k, []*span{one}), true
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
		q.rows = map[int64][]byte{}
		for _, one := range q.spans {
			one.flying = true
			l.retries.take(one)
			q.items = append(q.items, one.batch()...)
			q.attempt = max(q.attempt, one.Failures+1)
			maps.Copy(q.rows, one.rows)
		}
		slices.SortFunc(q.items, bySequence)
	}
	l.flying[q.kind]++
	l.turn = q.kind
	return s
}

// readable reports whether the log is to be read.
func (l *ledger) readable() bool { return l.position < l.target && l.lanes.queued < l.ahead() }

// ahead is how many events wait in the lanes, about. Those of an endpoint that takes nothing would be in memory for long, and there may
// be many such endpoints.
func (l *ledger) ahead() int {
	if l.row.Failures > 0 || l.recent.n == 0 {
		return min(2*l.limits.batch, l.limits.queued)
	}
	return l.limits.queued
}
