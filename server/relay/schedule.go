package relay

import "time"

// schedule is how long what failed waits: after the first failure, the second, and so on; then the last again and again.
var schedule = []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, time.Hour}

const (
	// jitter is the share of a wait that is added at most, so that what failed at once is not tried at once.
	jitter = 0.1

	// maxRetryAfter bounds what an endpoint may ask for.
	maxRetryAfter = 24 * time.Hour

	// maxWait is longer than anything waits. A moment further off comes of a clock that was set back.
	maxWait = maxRetryAfter + time.Hour
)

// waitAfter returns the wait after a number of failures, at least one. random is in [0, 1).
func waitAfter(failures int, random float64) time.Duration {
	wait := schedule[min(max(failures, 1), len(schedule))-1]
	return wait + time.Duration(jitter*random*float64(wait))
}

// roundsIn returns how many of the schedule's waits fit into a time.
func roundsIn(d time.Duration) int {
	for i, wait := range schedule {
		if d -= wait; d < 0 {
			return i
		}
	}
	return len(schedule)
}

// due reports whether a moment has come. The zero time always has.
func due(t, now time.Time) bool {
	return t.IsZero() || !t.After(now) || t.Sub(now) > maxWait
}

// earlier returns the earlier of two moments, of which zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
