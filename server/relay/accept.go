package relay

import (
	"context"
	"time"

	"susul.dev/susul/storage"
)

const (
	// maxURLEndpoints is how many endpoints of callback URLs an app has, if not a few more. Pushes that would make others are refused.
	maxURLEndpoints = 1000

	// idleAfter is how long an endpoint of callback URLs has had no events when it may make room for others, in the clock's time.
	idleAfter = 7 * 24 * time.Hour

	// promiseFor is how long a callback URL counts for which a push was accepted, and that got no event yet, in the clock's time.
	promiseFor = 24 * time.Hour

	// spareURLEndpoints is how many endpoints of an app that is full are deleted at once, if they are idle.
	spareURLEndpoints = maxURLEndpoints / 20
)

// Accepts returns ErrTooManyEndpoints if a push with these callback URLs would make more endpoints than an app may have. It deletes
// idle ones to make room. Before Run knows the endpoints, it accepts everything.
func (r *Relay) Accepts(_ context.Context, app string, urls []string) error {
	select {
	case <-r.loaded:
	default:
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.routes[app]
	if a == nil {
		return nil
	}
	now := r.Clock.Now()
	wanted := map[string]bool{}
	for _, url := range urls {
		if id, _ := urlEndpointID(url); a.urls[id] == nil {
			if _, promised := a.promised[id]; !promised {
				wanted[id] = true
			}
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	if a.size()+len(wanted) > maxURLEndpoints {
		r.makeRoom(a, a.size()+len(wanted)-maxURLEndpoints, now)
	}
	if a.size()+len(wanted) > maxURLEndpoints {
		return ErrTooManyEndpoints
	}
	for id := range wanted {
		a.promised[id] = now
	}
	return nil
}

// size is how many endpoints of callback URLs there are, or will be.
func (a *routes) size() int { return len(a.urls) + len(a.promised) }

// makeRoom forgets old promises, and deletes as many idle endpoints as are asked for, if there are that many.
func (r *Relay) makeRoom(a *routes, number int, now time.Time) {
	for id, since := range a.promised {
		if now.Sub(since) > promiseFor {
			delete(a.promised, id)
			number--
		}
	}
	for id, e := range a.urls {
		if number <= 0 {
			return
		}
		if e.removeIdle(now.Add(-idleAfter)) {
			delete(a.urls, id)
			r.saver.forget(e.key())
			number--
		}
	}
}

// removeIdle removes an endpoint that has nothing, and has had nothing since a time. Nothing that somebody decided is lost.
func (e *endpoint) removeIdle(since time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.ledger
	if !l.caughtUp() || l.letters > 0 || len(l.spans) > 0 || l.row.State != storage.RelayActive {
		return false
	}
	for _, t := range []time.Time{e.lastEvent, l.row.LastSuccess, l.row.LastErrorTime, l.row.CreateTime} {
		if t.After(since) {
			return false
		}
	}
	e.removed = true
	e.quiet()
	return true
}
