package relay

import (
	"container/heap"
	"time"

	"susul.dev/susul/storage"
)

// maxParked is how many pushes of an endpoint are tried again by themselves. A request is made only while there is room for those in
// it, so that beyond that the endpoint waits.
const maxParked = 1000

// maxReplays is how many replays of an endpoint may be open.
const maxReplays = 100

// maxMerged is how long a dead letter grows, so that it is forgotten not long after its events are.
const maxMerged = 24 * time.Hour

// span is a retry or a replay.
type span struct {
	storage.RelaySpan
	// end is the last sequence that is in it, as far as the log was looked at. A retry's grows with its push's events.
	end int64
	// slice is what was read of it and is yet to be delivered. With all before read delivered, it goes on behind that.
	slice []item
	read  int64

	flying  bool
	dropped bool
	place   int // in the queue of retries; below 0: not in it

	bury   time.Time          // events that were received before are to become dead letters; zero: none
	dead   *storage.RelaySpan // the dead letter that was made of it last
	beyond int64              // where that ended
	passed int64              // of a replay that becomes a dead letter: up to where its events were counted
	count  int64              // and how many they are
}

// done reports whether nothing is left of it.
func (s *span) done() bool { return len(s.slice) == 0 && s.Next > s.end }

// reset makes it look as if it had not failed.
func (s *span) reset() {
	s.Failures, s.FailingSince, s.NextAttempt = 0, time.Time{}, time.Time{}
	s.bury = time.Time{}
	if !s.flying {
		s.slice = nil
	}
}

// fail notes a failure at a time, and when it is tried again.
func (s *span) fail(since, next time.Time, text string) {
	if s.Failures++; s.FailingSince.IsZero() {
		s.FailingSince = since
	}
	s.NextAttempt, s.LastError = next, text
	s.slice = nil // it is read again, with what came since
}

// load notes what was read of it, through a sequence.
func (s *span) load(items []item, through int64) {
	if s.slice, s.read = items, through; len(items) == 0 {
		s.slice, s.Next = nil, through+1
	}
}

// batch returns what goes in its next request: what goes to the first event's URL.
func (s *span) batch() []item {
	items := s.slice
	for i := range items {
		if items[i].url != items[0].url {
			return without(s.slice, func(url string) bool { return url != s.slice[0].url })
		}
	}
	return items
}

// delivered takes a batch that was delivered out of it.
func (s *span) delivered(url string) {
	if s.slice = without(s.slice, func(other string) bool { return other == url }); len(s.slice) == 0 {
		s.slice, s.Next = nil, s.read+1
	} else {
		s.Next = s.slice[0].sequence
	}
	s.Failures, s.FailingSince, s.NextAttempt = 0, time.Time{}, time.Time{}
}

func without(items []item, leave func(url string) bool) (kept []item) {
	for _, it := range items {
		if !leave(it.url) {
			kept = append(kept, it)
		}
	}
	return kept
}

// retryQueue has the retries that are in no request, the next first.
type retryQueue []*span

func (q retryQueue) Len() int { return len(q) }

func (q retryQueue) Less(i, j int) bool {
	if q[i].NextAttempt.Equal(q[j].NextAttempt) {
		return q[i].ID < q[j].ID
	}
	return q[i].NextAttempt.Before(q[j].NextAttempt)
}

func (q retryQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

// Push implements heap.Interface.
func (q *retryQueue) Push(x any) {
	s := x.(*span)
	s.place = len(*q)
	*q = append(*q, s)
}

// Pop implements heap.Interface.
func (q *retryQueue) Pop() any {
	last := len(*q) - 1
	s := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	s.place = -1
	return s
}

func (q *retryQueue) put(s *span) {
	if s.place < 0 {
		heap.Push(q, s)
	} else {
		heap.Fix(q, s.place)
	}
}

func (q *retryQueue) take(s *span) {
	if s.place >= 0 {
		heap.Remove(q, s.place)
	}
}
