package engagelab

import "time"

// maxEpochSeconds is far beyond any time that EngageLab can mean: larger numbers are milliseconds.
const maxEpochSeconds = 1e11

// FromEpoch reads a time of EngageLab's, in seconds or milliseconds since the epoch; 0 and less is none, the zero time.
func FromEpoch(n int64) time.Time {
	switch {
	case n <= 0:
		return time.Time{}
	case n > maxEpochSeconds:
		return time.UnixMilli(n)
	default:
		return time.Unix(n, 0)
	}
}
