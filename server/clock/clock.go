// Package clock makes time run faster than it does, so that an hour of a resend policy can pass in a second.
// Everything that waits or stamps takes a clockwork.Clock: clockwork's real clock in production, its fake clock in
// tests, and a Scaled one in the demo and the sandbox.
package clock

import (
	"context"
	"time"

	"github.com/jonboulle/clockwork"
)

// Scaled returns a clock that starts at the present time and runs speed times as fast as the real one.
// A speed of 1, or of 0 and less, gives the real clock.
func Scaled(speed float64) clockwork.Clock {
	real := clockwork.NewRealClock()
	if speed <= 0 || speed == 1 {
		return real
	}
	return &scaled{real: real, speed: speed, origin: time.Now()}
}

// Rest waits in real time, however fast a clock runs, or until the context ends: for the sake of a machine or of a network.
func Rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

type scaled struct {
	real   clockwork.Clock
	speed  float64
	origin time.Time
}

// shrink turns a duration of this clock into the real time that passes meanwhile. It never rounds a wait down to none.
func (c *scaled) shrink(d time.Duration) time.Duration {
	if d <= 0 {
		return d
	}
	return max(time.Duration(float64(d)/c.speed), 1)
}

// grow turns a moment of real time into this clock's.
func (c *scaled) grow(t time.Time) time.Time {
	return c.origin.Add(time.Duration(float64(t.Sub(c.origin)) * c.speed))
}

func (c *scaled) Now() time.Time                  { return c.grow(time.Now()) }
func (c *scaled) Since(t time.Time) time.Duration { return c.Now().Sub(t) }
func (c *scaled) Until(t time.Time) time.Duration { return t.Sub(c.Now()) }
func (c *scaled) Sleep(d time.Duration)           { c.real.Sleep(c.shrink(d)) }

func (c *scaled) After(d time.Duration) <-chan time.Time { return c.NewTimer(d).Chan() }

func (c *scaled) AfterFunc(d time.Duration, f func()) clockwork.Timer {
	return &scaledTimer{Timer: c.real.AfterFunc(c.shrink(d), f), clock: c}
}

func (c *scaled) NewTimer(d time.Duration) clockwork.Timer {
	return &scaledTimer{Timer: c.real.NewTimer(c.shrink(d)), clock: c}
}

func (c *scaled) NewTicker(d time.Duration) clockwork.Ticker {
	return &scaledTicker{Ticker: c.real.NewTicker(c.shrink(d)), clock: c}
}

// scaledTimer delivers moments of the real clock; who needs the time asks the clock for it.
type scaledTimer struct {
	clockwork.Timer
	clock *scaled
}

func (t *scaledTimer) Reset(d time.Duration) bool { return t.Timer.Reset(t.clock.shrink(d)) }

type scaledTicker struct {
	clockwork.Ticker
	clock *scaled
}

func (t *scaledTicker) Reset(d time.Duration) { t.Ticker.Reset(t.clock.shrink(d)) }
