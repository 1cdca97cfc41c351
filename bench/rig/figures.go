package rig

import (
	"math"
	"slices"
	"syscall"
	"time"
)

// Megabytes returns bytes in millions, to one digit.
func Megabytes(bytes int64) float64 { return Round(float64(bytes)/1e6, 1) }

// Round rounds to some digits after the point.
func Round(x float64, digits int) float64 {
	unit := math.Pow10(digits)
	return math.Round(x*unit) / unit
}

// Latency describes many durations, in milliseconds.
type Latency struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50_ms"`
	P99   float64 `json:"p99_ms"`
	Max   float64 `json:"max_ms"`
}

// LatencyOf sorts the durations and describes them.
func LatencyOf(all []time.Duration) Latency {
	if len(all) == 0 {
		return Latency{}
	}
	slices.Sort(all)
	at := func(share float64) float64 {
		return Round(all[int(share*float64(len(all)-1))].Seconds()*1000, 2)
	}
	return Latency{Count: len(all), P50: at(0.5), P99: at(0.99), Max: at(1)}
}

// OwnCPU returns the CPU time that this process has taken, 0 if it can't be told.
func OwnCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
