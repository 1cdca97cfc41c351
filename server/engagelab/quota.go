package engagelab

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"
	"golang.org/x/time/rate"
)

// ErrOverQuota is returned when the app's own quota has no room before the context's deadline. Nothing was sent.
var ErrOverQuota = errors.New("engagelab: the app's quota has no room before the deadline")

// yieldingKey marks a context's calls as ones that yield.
type yieldingKey struct{}

// Yielding returns a context whose calls go after those without it: while they wait for quota they hold none, so that a
// fresh push never waits for a follow-up's units. It is for follow-ups and for what can wait, such as reconciliation.
func Yielding(ctx context.Context) context.Context {
	return context.WithValue(ctx, yieldingKey{}, true)
}

// quota is a token bucket in the injected clock's time. It holds one second's worth. Calls get their units one after another,
// those that yield only when no other waits.
type quota struct {
	clock clockwork.Clock
	turn  chan struct{} // holds a token while a call waits for units that it has reserved
	last  chan struct{} // holds a token while a call that yields waits for units to be there

	mu      sync.Mutex
	limiter *rate.Limiter
	queued  int // units of the calls that wait for their turn
}

func newQuota(clock clockwork.Clock, perSecond float64) *quota {
	return &quota{
		clock:   clock,
		turn:    make(chan struct{}, 1),
		last:    make(chan struct{}, 1),
		limiter: rate.NewLimiter(rate.Limit(perSecond), burstOf(perSecond)),
	}
}

// take waits until n units are free. If the wait is cut short, or would be, the units go back.
func (q *quota) take(ctx context.Context, n int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if ctx.Value(yieldingKey{}) != nil {
		return q.takeLast(ctx, n)
	}
	return q.takeNext(ctx, n)
}

// takeNext waits for its turn and then for its units. Because only one call at a time has reserved any, they can be given
// back as if they had never been taken.
func (q *quota) takeNext(ctx context.Context, n int) error {
	if !q.join(ctx, n) {
		return ErrOverQuota
	}
	select {
	case q.turn <- struct{}{}:
		defer func() { <-q.turn }()
	case <-ctx.Done():
		q.leave(n)
		return gaveUp(ctx)
	}
	reserved, wait := q.reserve(n)
	if err := q.sleep(ctx, wait); err != nil {
		q.giveBack(reserved)
		return err
	}
	return nil
}

// takeLast waits for its turn among the calls that yield, and then until n units are there that nobody else waits for. More
// than the bucket holds it takes a bucketful at a time; should it give up in between, these are lost.
func (q *quota) takeLast(ctx context.Context, n int) error {
	select {
	case q.last <- struct{}{}:
		defer func() { <-q.last }()
	case <-ctx.Done():
		return gaveUp(ctx)
	}
	for n > 0 {
		portion := min(n, q.limiter.Burst())
		for wait := q.missing(portion); wait > 0; wait = q.missing(portion) {
			if err := q.sleep(ctx, wait); err != nil {
				return err
			}
		}
		if err := q.takeNext(ctx, portion); err != nil {
			return err
		}
		n -= portion
	}
	return nil
}

// sleep lets the clock run on, unless the context ends before that.
func (q *quota) sleep(ctx context.Context, wait time.Duration) error {
	if wait <= 0 {
		return nil
	}
	if tooLong(ctx, wait) {
		return ErrOverQuota
	}
	timer := q.clock.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.Chan():
		return nil
	case <-ctx.Done():
		return gaveUp(ctx)
	}
}

// tooLong reports whether a wait goes beyond the context's deadline. That is real time; a clock that runs faster only makes
// the wait shorter than is assumed here.
func tooLong(ctx context.Context, wait time.Duration) bool {
	left, limited := timeLeft(ctx)
	return limited && wait > left
}

// gaveUp says why a call did without quota.
func gaveUp(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return ErrOverQuota
	}
	return ctx.Err()
}

// join queues n units, unless there will be no room for them in time.
func (q *quota) join(ctx context.Context, n int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if tooLong(ctx, q.until(float64(q.queued+n))) {
		return false
	}
	q.queued += n
	return true
}

func (q *quota) leave(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queued -= n
}

// reserve takes n units from the queue into the bucket, in portions that fit, and returns the wait until the last is there.
func (q *quota) reserve(n int) (reserved []*rate.Reservation, wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queued -= n
	now := q.clock.Now()
	for burst := q.limiter.Burst(); n > 0; n -= burst {
		r := q.limiter.ReserveN(now, min(n, burst))
		reserved = append(reserved, r)
		wait = r.DelayFrom(now)
	}
	return reserved, wait
}

// giveBack cancels the latest reservation first, because one that has others after it is only partly restored.
func (q *quota) giveBack(reserved []*rate.Reservation) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.clock.Now()
	for _, r := range slices.Backward(reserved) {
		r.CancelAt(now)
	}
}

// missing returns the wait until another look is worth it for a call that yields; 0 or less if n units are there and nobody
// waits for them. A bucket need not be quite full: under a steady load it hardly ever is.
func (q *quota) missing(n int) time.Duration {
	const nearlyFull = 0.95
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.until(float64(q.queued) + min(float64(n), nearlyFull*float64(q.limiter.Burst())))
}

// until returns the wait until the bucket holds so many units. The caller has the lock.
func (q *quota) until(units float64) time.Duration {
	short := units - q.limiter.TokensAt(q.clock.Now())
	return time.Duration(short / float64(q.limiter.Limit()) * float64(time.Second))
}

// setRate changes how many units there are in a second from now on, and how many the bucket holds. What was reserved stays so.
func (q *quota) setRate(perSecond float64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.clock.Now()
	q.limiter.SetLimitAt(now, rate.Limit(perSecond))
	q.limiter.SetBurstAt(now, burstOf(perSecond))
}

func burstOf(perSecond float64) int { return max(int(math.Ceil(perSecond)), 1) }
