package relay

import (
	"container/heap"
	"time"

	"golang.org/x/time/rate"

	"susul.dev/susul/storage"
)

// ledger is what one endpoint is yet to get, and decides what is done next about it. It does no I/O, has no goroutines and knows no
// clock; its endpoint asks it, does what it says, and tells it what came of it. Of an endpoint's events, each is in one of these places:
//
//	log, behind position ──read──► lane of its push ──send──► delivered
//	                                     │ failed                ▲
//	                                     ▼                       │
//	                              retry span of its push ──load, send──► given up: dead letter ──► replay
//
// While a push has a retry span, its events go nowhere else. So the events of a push are posted in their order.
type ledger struct {
	row   storage.RelayEndpoint
	terms terms

	position int64 // up to where the log was looked at
	target   int64 // up to where the log may have something for the endpoint
	gaps     []gap // behind the position, up to the target, ascending
	lanes    lanes

	spans    map[int64]*span // retries and replays, by id
	parked   map[int64]*span // retries, by push
	retries  retryQueue
	replays  int
	letters  int // dead letters
	flying   [kinds]int
	reserved int  // pushes in requests that would have a retry span each if these failed
	turn     kind // what was sent last

	strikes int       // failures in a row of events that were not tried before
	rounds  int       // failures in a row while the circuit is open
	asked   bool      // the endpoint asked to be left alone until then
	trouble time.Time // after trouble of our own, when to go on

	burials []*span            // that have events which are to become dead letters
	buryLog time.Time          // the log's events that were received before are to become dead letters; zero: none
	dead    *storage.RelaySpan // the dead letter that was made of the log's events last
	beyond  int64              // where that ended

	recent  tally
	changed bool
	records map[int64]*storage.RelaySpan // spans that are to be saved, as they are by then; nil: deleted

	limits limits
	random func() float64
}

// limits bound what an endpoint has in memory, and what its requests have.
type limits struct {
	parked, queued, batch int
}

var usualLimits = limits{parked: maxParked, queued: maxQueued, batch: maxBatch}

// terms are what somebody decided about an endpoint.
type terms struct {
	concurrency int
	perSecond   float64 // requests; 0 for any number
	paused      bool    // its subscription is
	maxAge      time.Duration
	limiter     *rate.Limiter // follows from perSecond
}

// kind says what a request is made of.
type kind int

const (
	fresh  kind = iota // events that were not tried before, of any pushes
	retry              // a retry span's
	replay             // a replay's
	kinds
)

func (k kind) String() string { return [...]string{"first", "retry", "replay"}[k] }

// newLedger returns the ledger of an endpoint as it was saved.
func newLedger(row storage.RelayEndpoint, spans []storage.RelaySpan, t terms, now time.Time, random func() float64) *ledger {
	l := &ledger{
		row: row, position: row.Cursor, target: row.Cursor, lanes: newLanes(), spans: map[int64]*span{}, parked: map[int64]*span{},
		records: map[int64]*storage.RelaySpan{}, random: random, turn: kinds - 1,
		limits: usualLimits,
	}
	for i := range spans {
		l.restore(spans[i])
	}
	if !row.FailingSince.IsZero() {
		l.rounds = roundsIn(now.Sub(row.FailingSince))
	}
	l.setTerms(t, now)
	return l
}

func (l *ledger) restore(saved storage.RelaySpan) {
	l.row.LastSpan = max(l.row.LastSpan, saved.ID)
	s := &span{RelaySpan: saved, place: -1, end: saved.Last}
	switch saved.Kind {
	case storage.SpanDead:
		l.letters++
	case storage.SpanReplay:
		l.spans[s.ID] = s
		l.replays++
	case storage.SpanRetry:
		s.end = l.row.Cursor
		l.spans[s.ID], l.parked[s.PushID] = s, s
		l.retries.put(s)
	}
}

// setTerms replaces the terms. While it is paused, an endpoint does not fail.
func (l *ledger) setTerms(t terms, now time.Time) {
	if t.perSecond > 0 {
		limit, burst := rate.Limit(t.perSecond), max(1, int(t.perSecond/100))
		if t.limiter = l.terms.limiter; t.limiter == nil {
			t.limiter = rate.NewLimiter(limit, burst)
		} else if t.perSecond != l.terms.perSecond {
			t.limiter.SetLimitAt(now, limit)
			t.limiter.SetBurstAt(now, burst)
		}
	}
	changed := t.paused != l.terms.paused
	if l.terms = t; changed {
		l.forgive()
	}
}

// setState pauses or resumes it.
func (l *ledger) setState(state storage.RelayState) {
	l.row.State, l.changed = state, true
	l.forgive()
}

// forgive has what failed tried at once, and for as long as if it had not failed yet.
func (l *ledger) forgive() {
	if l.row.Failures > 0 || !l.row.NextAttempt.IsZero() {
		l.row.Failures, l.row.FailingSince, l.row.NextAttempt = 0, time.Time{}, time.Time{}
		l.changed = true
	}
	l.strikes, l.rounds, l.asked, l.trouble, l.buryLog = 0, 0, false, time.Time{}, time.Time{}
	for _, s := range l.spans {
		if s.Failures > 0 || !s.NextAttempt.IsZero() {
			l.save(&s.RelaySpan)
		}
		s.reset()
		if s.Kind == storage.SpanRetry && !s.flying && s.place < 0 { // it was to be buried
			l.retries.put(s)
		}
	}
	heap.Init(&l.retries)
}

// resting reports whether nothing is to be posted.
func (l *ledger) resting() bool { return l.row.State != storage.RelayActive || l.terms.paused }

// open reports whether the circuit is: nothing is posted before the next attempt, and then one request.
func (l *ledger) open() bool { return !l.row.NextAttempt.IsZero() }

// inFlight returns how many requests are under way.
func (l *ledger) inFlight() int { return l.flying[fresh] + l.flying[retry] + l.flying[replay] }

// room is how many pushes more may be in requests.
func (l *ledger) room() int { return l.limits.parked - len(l.parked) - l.reserved }

// caughtUp reports whether nothing of the log is left for it. There may be spans.
func (l *ledger) caughtUp() bool { return l.position >= l.target && len(l.lanes.byPush) == 0 }

// cursor is the sequence up to which all was delivered, or is in a span.
func (l *ledger) cursor() int64 {
	if lowest, ok := l.lanes.lowest(); ok {
		return lowest - 1
	}
	return l.position
}

// owed returns the sequence up to which nothing is left to be delivered, and whether anything is left behind it. Replays don't count.
func (l *ledger) owed() (after int64, ok bool) {
	after = l.cursor()
	for _, s := range l.parked {
		after = min(after, s.Next-1)
	}
	return after, !l.caughtUp() || len(l.parked) > 0
}

// announce says that the log has something for the endpoint between two sequences, and had nothing before that was not announced.
func (l *ledger) announce(first, through int64) {
	if through <= l.target {
		return
	}
	if first-1 > l.target && len(l.gaps) < maxGaps {
		l.gaps = append(l.gaps, gap{l.target, first - 1})
	}
	l.target = through
	l.jump()
}

// gap is a part of the log that has nothing for the endpoint: what comes behind a sequence, through another.
type gap struct{ after, through int64 }

// maxGaps bounds the gaps that an endpoint knows which is behind. Others are read like the rest.
const maxGaps = 1024

// jump moves the position over gaps.
func (l *ledger) jump() {
	for len(l.gaps) > 0 && l.position >= l.gaps[0].after {
		l.position = max(l.position, l.gaps[0].through)
		l.gaps = l.gaps[1:]
	}
}

// admit takes what the log has for the endpoint up to a sequence, which becomes the position.
func (l *ledger) admit(items []item, through int64, now time.Time) {
	for _, it := range items {
		if s := l.parked[it.push]; s != nil {
			s.end = max(s.end, it.sequence)
		} else {
			l.lanes.add(it, now)
		}
	}
	l.position, l.changed = max(l.position, through), true
	l.jump()
}

// refilter has what is not delivered selected anew. While requests are under way, it is only asked again whether what was selected
// still is.
func (l *ledger) refilter() {
	if l.flying[fresh] == 0 {
		l.rewind()
	}
	for _, s := range l.spans {
		if !s.flying {
			s.slice = nil
		}
	}
}

// pending reports whether an event is yet to be posted for the first time, as far as the endpoint knows.
func (l *ledger) pending(push, sequence int64) bool {
	if sequence > l.position && l.position < l.target {
		return true
	}
	if s := l.parked[push]; s != nil {
		return sequence >= s.Next
	}
	n := l.lanes.byPush[push]
	return n != nil && sequence >= n.first()
}

// newSpan makes a span that is to be saved.
func (l *ledger) newSpan(kind storage.RelaySpanKind, push, next, last int64, now time.Time) storage.RelaySpan {
	l.row.LastSpan++
	l.changed = true
	return storage.RelaySpan{
		RelayEndpointKey: l.row.RelayEndpointKey, ID: l.row.LastSpan, Kind: kind, PushID: push, Next: next, Last: last, CreateTime: now,
	}
}

// park takes a push out of the lanes: its events are tried again by themselves.
func (l *ledger) park(n *lane, since, next time.Time, text string, now time.Time) {
	s := &span{RelaySpan: l.newSpan(storage.SpanRetry, n.push, n.first(), 0, now), end: n.last(), place: -1}
	s.fail(since, next, text)
	l.lanes.remove(n)
	l.spans[s.ID], l.parked[s.PushID] = s, s
	l.retries.put(s)
	l.save(&s.RelaySpan)
}

// addReplay opens a replay.
func (l *ledger) addReplay(push, next, last int64, start, end, now time.Time) *span {
	made := l.newSpan(storage.SpanReplay, push, next, last, now)
	made.StartTime, made.EndTime = start, end
	return l.openReplay(made)
}

// revive makes a replay of a dead letter.
func (l *ledger) revive(letter storage.RelaySpan, now time.Time) *span {
	l.forget(letter.ID)
	letter.Kind, letter.Events, letter.CreateTime = storage.SpanReplay, 0, now
	letter.Failures, letter.FailingSince, letter.NextAttempt, letter.LastError = 0, time.Time{}, time.Time{}, ""
	return l.openReplay(letter)
}

func (l *ledger) openReplay(made storage.RelaySpan) *span {
	s := &span{RelaySpan: made, end: made.Last, place: -1}
	l.spans[s.ID] = s
	l.replays++
	l.save(&s.RelaySpan)
	return s
}

// finish ends a span of which nothing is left. A retry's push goes back to the lanes.
func (l *ledger) finish(s *span) {
	s.dropped = true
	delete(l.spans, s.ID)
	if s.Kind == storage.SpanRetry {
		delete(l.parked, s.PushID)
		l.retries.take(s)
	} else {
		l.replays--
	}
	l.records[s.ID] = nil
}

// save has a span saved.
func (l *ledger) save(s *storage.RelaySpan) { l.records[s.ID] = s }

// unsaved reports whether there is anything to save.
func (l *ledger) unsaved() bool { return l.changed || len(l.records) > 0 }

// snapshot adds what changed to what is to be saved, all as of one moment. head is a sequence up to which all was announced to
// the endpoint. It returns what unsave takes if the change can't be saved.
func (l *ledger) snapshot(change *storage.RelayChange, head int64) (undo map[int64]*storage.RelaySpan) {
	if l.caughtUp() {
		l.position = max(l.position, head)
	}
	l.row.Cursor = l.cursor()
	change.Endpoints = append(change.Endpoints, l.row)
	for id, s := range l.records {
		if s == nil {
			change.DoneSpans = append(change.DoneSpans, storage.RelaySpanKey{RelayEndpointKey: l.row.RelayEndpointKey, ID: id})
		} else {
			change.Spans = append(change.Spans, *s)
		}
	}
	undo, l.records, l.changed = l.records, map[int64]*storage.RelaySpan{}, false
	return undo
}

// unsave has saved again what a change had that could not be saved.
func (l *ledger) unsave(records map[int64]*storage.RelaySpan) {
	l.changed = true
	for id, s := range records {
		if _, newer := l.records[id]; !newer {
			l.records[id] = s
		}
	}
}

// nextReplay returns the replay whose turn is next; nil if there is none, or one is in a request.
func (l *ledger) nextReplay() *span {
	var next *span
	if l.replays == 0 || l.flying[replay] > 0 {
		return nil
	}
	for _, s := range l.spans {
		if s.Kind == storage.SpanReplay && s.done() {
			l.finish(s)
		}
	}
	for _, s := range l.spans {
		if s.Kind != storage.SpanReplay || !s.bury.IsZero() {
			continue
		}
		if next == nil || s.NextAttempt.Before(next.NextAttempt) || s.NextAttempt.Equal(next.NextAttempt) && s.ID < next.ID {
			next = s
		}
	}
	return next
}

// tally remembers how the last requests went.
type tally struct {
	failed [100]bool
	n      int
}

func (t *tally) note(failed bool) {
	t.failed[t.n%len(t.failed)] = failed
	t.n++
}

// rate is the share of those that succeeded; below 0 without any.
func (t *tally) rate() float64 {
	n := min(t.n, len(t.failed))
	if n == 0 {
		return -1
	}
	good := 0
	for _, failed := range t.failed[:n] {
		if !failed {
			good++
		}
	}
	return float64(good) / float64(n)
}
