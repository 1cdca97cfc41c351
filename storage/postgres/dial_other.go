//go:build !linux

package postgres

import "time"

// boundSilence leaves it to the system how long what was sent may stay without an acknowledgement.
func boundSilence(uintptr, time.Duration) {}
