package susul

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

const (
	firstPause   = 100 * time.Millisecond
	longestPause = 10 * time.Second
)

// backoff tells the pauses between attempts: 0.1 s, 0.2 s … up to 10 s, each with jitter. Its zero value is ready.
type backoff struct {
	last time.Duration
}

// reset begins anew, after a success.
func (b *backoff) reset() { b.last = 0 }

// after returns the pause after an error: as long as the error says, or else the next.
func (b *backoff) after(err error) time.Duration {
	b.last = min(max(2*b.last, firstPause), longestPause)
	if e, ok := errors.AsType[*Error](err); ok && e.RetryAfter > 0 {
		return e.RetryAfter
	}
	return b.last/2 + rand.N(b.last/2)
}

// sleep waits, or returns why the context ended.
func sleep(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
