package relay

import (
	"cmp"
	"slices"
	"time"

	"susul.dev/susul/server/subscription"
)

// What a request has at most, and when it has less.
const (
	maxBatch      = 200     // events
	maxBatchBytes = 1 << 20 // of rows, about; a single larger row goes alone
	// linger is how long events wait for others to go with, in the clock's time.
	linger = 100 * time.Millisecond
)

// maxQueued is how many events wait in an endpoint's lanes, about. Those behind them stay in the log.
const maxQueued = 2048

// item is an event that is to be posted.
type item struct {
	sequence int64
	push     int64
	to       *target
	size     int // of the row in bytes, about
}

// target is where events go to. Many items share one; nil is a subscription's, without a filter.
type target struct {
	url    string               // of a callback_url's, in full; empty for a subscription's
	filter *subscription.Filter // what selected them
}

// url is where the item goes to, in full; empty for a subscription's.
func (it *item) url() string {
	if it.to == nil {
		return ""
	}
	return it.to.url
}

// beside reports whether two items go to the same URL.
func (it *item) beside(other *item) bool { return it.to == other.to || it.url() == other.url() }

// lane has the events of one push, in order, that wait to be posted. It is in one request at a time, and so they stay in order.
type lane struct {
	push   int64
	items  []item
	flying []item // those in a request; they come before items
	since  time.Time
}

// first returns the lowest sequence that is not delivered.
func (n *lane) first() int64 {
	if len(n.flying) > 0 {
		return n.flying[0].sequence
	}
	return n.items[0].sequence
}

// last returns the highest sequence.
func (n *lane) last() int64 {
	if len(n.items) > 0 {
		return n.items[len(n.items)-1].sequence
	}
	return n.flying[len(n.flying)-1].sequence
}

// lanes are those of an endpoint.
type lanes struct {
	byPush   map[int64]*lane
	ready    []*lane // those with items and no request: whose turn it is
	queued   int     // items that are in no request
	sendable int     // of these, those in ready lanes
}

func newLanes() lanes { return lanes{byPush: map[int64]*lane{}} }

// add appends an item to its push's lane.
func (l *lanes) add(it item, now time.Time) {
	n := l.byPush[it.push]
	if n == nil {
		n = &lane{push: it.push}
		l.byPush[it.push] = n
	}
	if len(n.items) == 0 {
		n.since = now
	}
	n.items = append(n.items, it)
	l.queued++
	if n.flying != nil {
		return
	}
	if l.sendable++; len(n.items) == 1 {
		l.ready = append(l.ready, n)
	}
}

// ripe returns when there is a request's worth of items; zero: now. It is not to be asked without ready lanes.
func (l *lanes) ripe(batch int, now time.Time) time.Time {
	if l.sendable >= batch {
		return time.Time{}
	}
	var at time.Time
	for _, n := range l.ready {
		at = earlier(at, n.since.Add(linger))
	}
	if !at.After(now) || at.Sub(now) > linger { // the latter after the clock was set back
		return time.Time{}
	}
	return at
}

// take takes a request's worth of items for one URL, of a number of pushes at most, in ascending order.
func (l *lanes) take(pushes, batch int) (taken []*lane, items []item) {
	first := &l.ready[0].items[0]
	count, size := 0, 0
	var passed []*lane
	i := 0
	for ; i < len(l.ready) && len(taken) < pushes && count < batch && size < maxBatchBytes; i++ {
		n := l.ready[i]
		k := 0
		for k < len(n.items) && n.items[k].beside(first) && count < batch && (count == 0 || size+n.items[k].size <= maxBatchBytes) {
			size += n.items[k].size
			count++
			k++
		}
		if k == 0 {
			passed = append(passed, n)
			continue
		}
		n.flying, n.items = n.items[:k:k], n.items[k:]
		l.queued -= k
		l.sendable -= k + len(n.items)
		taken = append(taken, n)
		items = append(items, n.flying...)
	}
	if l.ready = l.ready[i:]; len(passed) > 0 {
		l.ready = append(passed, l.ready...)
	}
	if !slices.IsSortedFunc(items, bySequence) {
		slices.SortFunc(items, bySequence)
	}
	return taken, items
}

// delivered ends the request of some lanes: their items were delivered.
func (l *lanes) delivered(of []*lane) {
	for _, n := range of {
		n.flying = nil
		if len(n.items) == 0 {
			delete(l.byPush, n.push)
			continue
		}
		l.ready = append(l.ready, n)
		l.sendable += len(n.items)
	}
}

// giveBack ends the request of some lanes: their items are to be posted again, before all others.
func (l *lanes) giveBack(of []*lane) {
	if len(of) == 0 {
		return
	}
	for _, n := range of {
		l.queued += len(n.flying)
		n.items = append(n.flying, n.items...)
		n.flying = nil
		l.sendable += len(n.items)
	}
	l.ready = append(slices.Clone(of), l.ready...)
}

// remove ends the request of a lane and forgets all its items.
func (l *lanes) remove(n *lane) {
	l.queued -= len(n.items)
	delete(l.byPush, n.push)
}

// lowest returns the lowest sequence that is not delivered; ok is false if all are.
func (l *lanes) lowest() (sequence int64, ok bool) {
	for _, n := range l.byPush {
		if first := n.first(); !ok || first < sequence {
			sequence, ok = first, true
		}
	}
	return sequence, ok
}

func bySequence(a, b item) int { return cmp.Compare(a.sequence, b.sequence) }
