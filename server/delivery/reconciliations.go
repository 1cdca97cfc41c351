package delivery

import (
	"sync"
	"time"

	"susul.dev/susul/storage"
)

const (
	// silence is how long, in the clock's time, an app's other steps rely on EngageLab not answering one of them.
	silence = minHold / 2

	// forgottenAfter is after how long, in the clock's time, a reconciliation is given up that nobody goes on with: its step was
	// cancelled meanwhile.
	forgottenAfter = 4 * maxHold
)

// reconciliation is how far the comparison of a push with EngageLab's statistics has come for one step.
type reconciliation struct {
	push      storage.Push
	step      int
	milestone storage.Milestone // whoever reached it gets no follow-up
	lastTime  time.Time

	// Dispatches with ids above after are to come, until all had their turn; then those of again.
	after  int64
	walked bool
	again  []int64
	// unknown are dispatches of which neither callbacks nor EngageLab tell anything. They get another turn.
	unknown []int64
	// ordinal is where the next dispatch goes on, if EngageLab was asked about a part of its recipients; else 0.
	ordinal uint32
}

// settle moves on to the next dispatch.
func (r *reconciliation) settle(dispatch int64, known bool) {
	if r.walked {
		r.again = r.again[1:]
	} else {
		r.after = dispatch
	}
	if !known {
		r.unknown = append(r.unknown, dispatch)
	}
	r.ordinal = 0
}

type stepOf struct {
	push int64
	step int
}

// reconciliations are those under way.
type reconciliations struct {
	mu     sync.Mutex
	byStep map[stepOf]*reconciliation
	// silentSince is when EngageLab did not answer an app.
	silentSince map[string]time.Time
}

// of returns the step's reconciliation, a new one if there is none.
func (rs *reconciliations) of(push storage.Push, step int, milestone storage.Milestone, now time.Time) *reconciliation {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for key, r := range rs.byStep {
		if now.Sub(r.lastTime) > forgottenAfter {
			delete(rs.byStep, key)
		}
	}
	key := stepOf{push.ID, step}
	r := rs.byStep[key]
	if r == nil {
		r = &reconciliation{push: push, step: step, milestone: milestone}
		if rs.byStep == nil {
			rs.byStep = make(map[stepOf]*reconciliation)
		}
		rs.byStep[key] = r
	}
	r.lastTime = now
	return r
}

func (rs *reconciliations) forget(push storage.Push, step int) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	delete(rs.byStep, stepOf{push.ID, step})
}

// count tells how many of an app's are under way.
func (rs *reconciliations) count(app string) (n int) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for _, r := range rs.byStep {
		if r.push.App == app {
			n++
		}
	}
	return n
}

// silent notes that EngageLab does not answer an app.
func (rs *reconciliations) silent(app string, now time.Time) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.silentSince == nil {
		rs.silentSince = make(map[string]time.Time)
	}
	rs.silentSince[app] = now
}

// mayAsk reports whether it is worth asking for an app: many steps that wait for the same EngageLab must not hold up the
// planning of others.
func (rs *reconciliations) mayAsk(app string, now time.Time) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return now.Sub(rs.silentSince[app]) >= silence
}
