package effect

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Count is a group of recipients: how many were sent something, and how many of these clicked.
type Count struct {
	Clicked, Sent int
}

// bounded keeps a count meaningful: 0 ≤ Clicked ≤ Sent.
func (c Count) bounded() Count {
	c.Sent = max(c.Sent, 0)
	c.Clicked = min(max(c.Clicked, 0), c.Sent)
	return c
}

// Interval holds the truth in 95 of 100 cases.
type Interval struct {
	Low, High float64
}

// confidence of all intervals.
const confidence = 0.95

// z is how many standard deviations around the mean hold the confidence.
var z = distuv.UnitNormal.Quantile((1 + confidence) / 2)

// Wilson returns a click rate and Wilson's score interval of it, without continuity correction. Of nobody the rate is 0 and
// the interval 0 to 1. A count that can't be, such as more clicks than recipients, is taken for the nearest that can.
func Wilson(clicked, sent int) (rate float64, interval Interval) {
	c := Count{Clicked: clicked, Sent: sent}.bounded()
	if c.Sent == 0 {
		return 0, Interval{Low: 0, High: 1}
	}
	n := float64(c.Sent)
	rate = float64(c.Clicked) / n
	centre := rate + z*z/(2*n)
	reach := z * math.Sqrt(rate*(1-rate)/n+z*z/(4*n*n))
	scale := 1 + z*z/n
	// At the ends the bound is the rate itself, which rounding may miss.
	return rate, Interval{
		Low:  max(min((centre-reach)/scale, rate), 0),
		High: min(max((centre+reach)/scale, rate), 1),
	}
}

// Newcombe returns by how much a's click rate is above b's, and the interval of this difference that Newcombe builds from
// the two Wilson intervals (his method 10, without continuity correction). If either group is empty, nothing is known: the
// difference is 0 and the interval -1 to 1.
func Newcombe(a, b Count) (difference float64, interval Interval) {
	if a.Sent <= 0 || b.Sent <= 0 {
		return 0, Interval{Low: -1, High: 1}
	}
	rateA, ofA := Wilson(a.Clicked, a.Sent)
	rateB, ofB := Wilson(b.Clicked, b.Sent)
	difference = rateA - rateB
	return difference, Interval{
		Low:  max(difference-math.Hypot(rateA-ofA.Low, ofB.High-rateB), -1),
		High: min(difference+math.Hypot(ofA.High-rateA, rateB-ofB.Low), 1),
	}
}
