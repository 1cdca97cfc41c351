package relay

import (
	"time"

	"susul.dev/susul/storage"
)

// burial says what is to become a dead letter: events of the log or of a span that were received before a time. It goes slice by
// slice, and each is saved at once with what it leaves.
type burial struct {
	span   *span // nil: the log
	after  int64 // events behind this sequence
	before time.Time
	all    bool // whenever they were received
}

// grave is what a slice of a burial found.
type grave struct {
	items   []item
	through int64 // where the slice ended
	more    bool  // there may be more behind it
}

// expire has events become dead letters that were tried in vain for too long. It is asked after a failure only, so that whatever the
// clock did, something was tried meanwhile.
func (l *ledger) expire(q *request, now time.Time) {
	before := now.Add(-l.terms.maxAge)
	switch {
	case q.probe && l.open() && !l.row.FailingSince.After(before):
		l.buryLog = before
		for _, s := range l.spans {
			if s.Kind == storage.SpanRetry || !s.CreateTime.After(before) {
				l.buryLater(s, before)
			}
		}
	default:
		for _, s := range q.spans {
			if !s.dropped && s.Failures > 0 && !s.FailingSince.After(before) {
				l.buryLater(s, before)
			}
		}
	}
}

func (l *ledger) buryLater(s *span, before time.Time) {
	s.bury, s.slice, s.passed, s.count = before, nil, s.Next-1, 0
	l.retries.take(s)
	l.burials = append(l.burials, s)
}

// nextBurial returns the next slice of what is to be buried: the log's first, for it tells the retries how far they go.
func (l *ledger) nextBurial() *burial {
	if !l.buryLog.IsZero() && l.inFlight() == 0 {
		l.rewind()
		if l.position < l.target {
			return &burial{after: l.position, before: l.buryLog}
		}
		l.buryLog = time.Time{}
	}
	for len(l.burials) > 0 {
		switch s := l.burials[0]; {
		case s.bury.IsZero():
			l.burials = l.burials[1:]
		case s.Kind == storage.SpanReplay:
			return &burial{span: s, after: s.passed, before: s.bury, all: true}
		default:
			return &burial{span: s, after: s.Next - 1, before: s.bury}
		}
	}
	return nil
}

// rewind forgets what was read of the log and not delivered. Little of what is between was delivered; it counts as if it were not.
func (l *ledger) rewind() {
	if len(l.lanes.byPush) == 0 {
		return
	}
	l.target = max(l.target, l.position)
	l.position = l.cursor()
	l.lanes = newLanes()
}

// buried notes what a slice found, and returns how many events became dead letters.
func (l *ledger) buried(b *burial, g grave, now time.Time) (died int64) {
	s := b.span
	switch {
	case s == nil:
		if b.before.Equal(l.buryLog) && b.after == l.position {
			died = l.buriedLog(b, g, now)
		}
	case s.dropped || !b.before.Equal(s.bury): // it was called off
	case s.Kind == storage.SpanReplay:
		died = l.buriedReplay(s, g, now)
	default:
		died = events(g.items)
		s.dead = l.letter(s.dead, s.beyond == b.after, s.PushID, g.items, s.Failures, s.FailingSince, s.LastError, now)
		s.Next, s.beyond = g.through+1, g.through
		l.save(&s.RelaySpan)
		if !g.more {
			s.bury = time.Time{}
			l.settled(s)
		}
	}
	return died
}

// buriedLog buries events of the log, but those that are their retries' to bury.
func (l *ledger) buriedLog(b *burial, g grave, now time.Time) (died int64) {
	var items []item
	for _, it := range g.items {
		if s := l.parked[it.push]; s != nil {
			s.end = max(s.end, it.sequence)
		} else {
			items = append(items, it)
		}
	}
	l.dead = l.letter(l.dead, l.beyond == b.after, 0, items, l.row.Failures, l.row.FailingSince, l.row.LastError, now)
	l.position, l.beyond, l.changed = g.through, g.through, true
	if !g.more {
		l.buryLog = time.Time{}
	}
	return events(items)
}

// letter makes a dead letter of events, or adds them to the one before if that ended where these begin.
func (l *ledger) letter(former *storage.RelaySpan, joins bool, push int64, items []item, failures int, since time.Time, text string,
	now time.Time,
) *storage.RelaySpan {
	if !joins || former != nil && now.Sub(former.CreateTime) > maxMerged {
		former = nil
	}
	if len(items) == 0 {
		return former
	}
	last := items[len(items)-1].sequence
	if former == nil {
		dead := l.newSpan(storage.SpanDead, push, items[0].sequence, last, now)
		dead.FailingSince = since
		former = &dead
		l.letters++
	}
	former.Last = max(former.Last, last)
	former.Events += events(items)
	former.Failures, former.LastError = failures, text
	l.save(former)
	return former
}

// events counts the events of ascending items; one may be for several URLs.
func events(items []item) (n int64) {
	for i := range items {
		if i == 0 || items[i].sequence != items[i-1].sequence {
			n++
		}
	}
	return n
}

// buriedReplay turns a replay into a dead letter once all its events are counted.
func (l *ledger) buriedReplay(s *span, g grave, now time.Time) (died int64) {
	s.passed = g.through
	if s.count += events(g.items); g.more {
		return 0
	}
	s.bury, s.dropped = time.Time{}, true
	delete(l.spans, s.ID)
	l.replays--
	if s.count == 0 { // they were forgotten
		l.records[s.ID] = nil
		return 0
	}
	s.Kind, s.Events, s.CreateTime, s.NextAttempt = storage.SpanDead, s.count, now, time.Time{}
	if s.FailingSince.IsZero() {
		s.FailingSince = l.row.FailingSince
	}
	l.letters++
	l.save(&s.RelaySpan)
	return s.count
}

// forget takes a dead letter out that somebody deleted, or had replayed.
func (l *ledger) forget(id int64) {
	l.letters--
	if l.dead != nil && l.dead.ID == id {
		l.dead = nil
	}
	for _, s := range l.spans {
		if s.dead != nil && s.dead.ID == id {
			s.dead = nil
		}
	}
}

// latest returns a dead letter as it is now: one that was saved may have grown.
func (l *ledger) latest(letter storage.RelaySpan) storage.RelaySpan {
	if grown := l.records[letter.ID]; grown != nil {
		return *grown
	}
	return letter
}
