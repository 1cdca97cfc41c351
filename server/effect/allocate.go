package effect

import (
	"math/rand/v2"

	"gonum.org/v1/gonum/stat/distuv"
)

// Draws is how many draws make the shares of Allocate steady to about one and a half in a hundred.
const Draws = 1_000

// Allocate divides recipients among variants by Thompson sampling: a variant's share is how often, out of the given number of
// draws, it has the highest of the click rates drawn from what is known of each. What did better gets more, and what is hardly
// known keeps its chance. The shares add up to 1; the same source in the same state gives the same shares.
func Allocate(variants []Count, draws int, source rand.Source) []float64 {
	beliefs := make([]distuv.Beta, len(variants))
	for i, variant := range variants {
		c := variant.bounded()
		// Before anything is known, every rate is as likely as any other: Beta(1, 1).
		beliefs[i] = distuv.Beta{Alpha: 1 + float64(c.Clicked), Beta: 1 + float64(c.Sent-c.Clicked), Src: source}
	}
	shares := make([]float64, len(variants))
	draws = max(draws, 1)
	for range draws {
		best, highest := 0, -1.0
		for i, belief := range beliefs {
			if rate := belief.Rand(); rate > highest {
				best, highest = i, rate
			}
		}
		if len(shares) > 0 {
			shares[best]++
		}
	}
	for i := range shares {
		shares[i] /= float64(draws)
	}
	return shares
}

// Pick returns the index of the share into which u falls, a number from 0 up to but not 1, such as Unit returns. Shares are
// relative to their sum, so that weights will do as well. One that is not positive is never picked, unless no share is
// positive: then it is the first.
func Pick(shares []float64, u float64) int {
	sum := 0.0
	for _, share := range shares {
		sum += max(share, 0)
	}
	picked, left := 0, u*sum
	for i, share := range shares {
		if share <= 0 {
			continue
		}
		picked = i // the last positive one, should rounding leave something over
		if left < share {
			break
		}
		left -= share
	}
	return picked
}
