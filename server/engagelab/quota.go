package engagelab

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/jonboulle/clockwork"
	"golang.org/x/time/rate"
)

// ErrOverQuota is returned when the app's own quota has no room before the context's deadline. Nothing was sent.
var ErrOverQuota = errors.New("engagelab: the app's quota has no room before the deadline")

// quota is a token bucket in the injected clock's time. It holds one second's worth.
type quota struct {
	clock   clockwork.Clock
	limiter *rate.Limiter
}

func newQuota(clock clockwork.Clock, perSecond float64) *quota {
	burst := max(int(math.Ceil(perSecond)), 1)
	return &quota{clock: clock, limiter: rate.NewLimiter(rate.Limit(perSecond), burst)}
}

// take waits until n units are free. If the wait is cut short, or would be, the units go back.
func (q *quota) take(ctx context.Context, n int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	now := q.clock.Now()
	reserved, wait := q.reserve(now, n)
	if wait <= 0 {
		return nil
	}
	// The deadline is real time. A clock that runs faster only makes the wait shorter than is assumed here.
	if left, limited := timeLeft(ctx); limited && wait > left {
		giveBack(reserved, now)
		return ErrOverQuota
	}
	timer := q.clock.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.Chan():
		return nil
	case <-ctx.Done():
		giveBack(reserved, q.clock.Now())
		return ctx.Err()
	}
}

// reserve takes n units in portions that fit into the bucket, and returns the wait until the last of them is there.
func (q *quota) reserve(now time.Time, n int) (reserved []*rate.Reservation, wait time.Duration) {
	for burst := q.limiter.Burst(); n > 0; n -= burst {
		r := q.limiter.ReserveN(now, min(n, burst))
		reserved = append(reserved, r)
		wait = r.DelayFrom(now)
	}
	return reserved, wait
}

// giveBack cancels the latest reservation first, because one that has others after it is only partly restored.
func giveBack(reserved []*rate.Reservation, now time.Time) {
	for _, r := range slices.Backward(reserved) {
		r.CancelAt(now)
	}
}
