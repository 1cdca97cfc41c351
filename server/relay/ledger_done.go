package relay

import (
	"net/http"
	"time"

	"susul.dev/susul/storage"
)

const (
	// maxStrikes is how many requests in a row fail until the circuit opens.
	maxStrikes = 5

	// troublePause is how long an endpoint rests after trouble of our own, in the clock's time.
	troublePause = time.Second
)

// outcome is what a request met.
type outcome struct {
	delivered  bool
	aborted    bool // it was not made, or broken off by ourselves
	status     int
	retryAfter time.Duration
	// unreached says that nothing of the request can have been the reason: the endpoint was not reached.
	unreached bool
	text      string
}

func (o outcome) gone() bool { return o.status == http.StatusGone }

// whole reports whether the endpoint as a whole is the reason, and not what was posted.
func (o outcome) whole() bool {
	return o.unreached || o.retryAfter > 0 || o.status == http.StatusTooManyRequests
}

// done notes what became of a request.
func (l *ledger) done(q *request, o outcome, now time.Time) {
	l.flying[q.kind]--
	l.reserved -= len(q.lanes)
	if q.span != nil {
		q.span.flying = false
	}
	if o.aborted {
		l.giveBack(q)
		l.trouble = now.Add(troublePause)
		return
	}
	l.changed = true
	l.row.Attempts++
	l.recent.note(!o.delivered)
	if o.delivered {
		l.succeeded(q, now)
	} else {
		l.failed(q, o, now)
	}
}

// giveBack has what a request had posted again.
func (l *ledger) giveBack(q *request) {
	switch {
	case q.span == nil:
		l.lanes.giveBack(q.lanes)
	case q.kind == retry && !q.span.dropped:
		l.retries.put(q.span)
	}
}

// skip ends a request that had nothing to post: its events are not stored any more.
func (l *ledger) skip(q *request) {
	l.flying[q.kind]--
	l.reserved -= len(q.lanes)
	l.settle(q)
}

func (l *ledger) succeeded(q *request, now time.Time) {
	l.row.LastSuccess = now
	l.row.Delivered += int64(len(q.items))
	l.row.Failures, l.row.FailingSince, l.strikes = 0, time.Time{}, 0
	if q.probe || !l.asked { // who asked to be left alone is, whatever else was under way
		l.row.NextAttempt, l.rounds, l.asked = time.Time{}, 0, false
	}
	l.settle(q)
}

// settle notes that what a request had is done with.
func (l *ledger) settle(q *request) {
	s := q.span
	if s == nil {
		l.lanes.delivered(q.lanes)
		l.changed = true
		return
	}
	if s.flying = false; s.dropped {
		return
	}
	s.delivered(q.items[0].url)
	if q.kind == replay {
		s.Events += int64(len(q.items))
	}
	l.save(&s.RelaySpan)
	l.settled(s)
}

// settled finishes a span or has it go on.
func (l *ledger) settled(s *span) {
	switch {
	case s.done():
		l.finish(s)
	case s.Kind == storage.SpanRetry:
		l.retries.put(s)
	}
}

func (l *ledger) failed(q *request, o outcome, now time.Time) {
	l.row.Failed++
	l.row.LastError, l.row.LastErrorTime = o.text, now
	if o.gone() {
		l.reject(q)
		l.setState(storage.RelayGone)
		return
	}
	if l.row.Failures++; l.row.FailingSince.IsZero() {
		l.row.FailingSince = q.start
	}
	l.trip(q, o, now)
	switch {
	case q.span != nil:
		if !q.span.dropped {
			next := now.Add(max(waitAfter(q.span.Failures+1, l.random()), min(o.retryAfter, maxRetryAfter)))
			q.span.fail(q.start, next, o.text)
			l.save(&q.span.RelaySpan)
			l.giveBack(q)
		}
	case o.whole():
		l.giveBack(q)
	default:
		for _, n := range q.lanes {
			l.park(n, q.start, now.Add(waitAfter(1, l.random())), o.text, now)
		}
	}
	l.expire(q, now)
}

// reject gives back what a request had, as if it had not been made.
func (l *ledger) reject(q *request) {
	if q.span != nil {
		q.span.slice = nil
	}
	l.giveBack(q)
}

// trip opens the circuit, or leaves it open, if a failure is a reason to. Retries are none: their events may be at fault.
func (l *ledger) trip(q *request, o outcome, now time.Time) {
	wasOpen := l.open()
	switch {
	case wasOpen && q.probe:
		l.rounds++
	case wasOpen && o.retryAfter == 0:
		return
	case !wasOpen && q.kind != fresh && !o.whole():
		return
	case !wasOpen:
		if l.strikes++; l.strikes < maxStrikes && !o.whole() {
			return
		}
	}
	next := now.Add(max(waitAfter(l.rounds+1, l.random()), min(o.retryAfter, maxRetryAfter)))
	if wasOpen && !q.probe && next.Before(l.row.NextAttempt) {
		next = l.row.NextAttempt
	}
	l.row.NextAttempt = next
	l.asked = l.asked && !q.probe || o.retryAfter > 0
}

// loaded notes what was read of a span: events that are to be posted, and the sequence through which that is all. Of a replay, those
// that are yet to be posted for the first time are left out: they come in their turn.
func (l *ledger) loaded(s *span, items []item, through int64) {
	if s.dropped || s.flying || !s.bury.IsZero() {
		return
	}
	if s.Kind == storage.SpanReplay {
		repeated := items[:0]
		for _, it := range items {
			if !l.pending(it.push, it.sequence) {
				repeated = append(repeated, it)
			}
		}
		items = repeated
	}
	if s.load(items, through); len(items) == 0 {
		l.save(&s.RelaySpan)
		l.settled(s)
	}
}

// nextAttempt returns when what a request had, which is done, is tried again at the earliest; zero: now, or never.
func (l *ledger) nextAttempt(q *request) time.Time {
	at := l.row.NextAttempt
	s := q.span
	if s == nil && len(q.lanes) > 0 {
		s = l.parked[q.lanes[0].push]
	}
	if s != nil && !s.dropped && s.NextAttempt.After(at) {
		at = s.NextAttempt
	}
	return at
}
