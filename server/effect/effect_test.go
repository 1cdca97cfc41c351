package effect_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"susul.dev/susul/server/effect"
)

// The examples of R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17
// (1998), method 3.
func TestWilsonAgreesWithTheLiterature(t *testing.T) {
	for _, c := range []struct {
		clicked, sent   int
		rate, low, high float64
	}{
		{81, 263, 0.3080, 0.2553, 0.3662},
		{15, 148, 0.1014, 0.0624, 0.1605},
		{0, 20, 0, 0, 0.1611},
		{1, 29, 0.0345, 0.0061, 0.1718},
		{20, 20, 1, 0.8389, 1},
		{0, 0, 0, 0, 1},
		{-3, -1, 0, 0, 1},
		{21, 20, 1, 0.8389, 1},
		{-1, 20, 0, 0, 0.1611},
	} {
		rate, interval := effect.Wilson(c.clicked, c.sent)
		require.InDelta(t, c.rate, rate, 0.00005, "%+v", c)
		require.InDelta(t, c.low, interval.Low, 0.00005, "%+v", c)
		require.InDelta(t, c.high, interval.High, 0.00005, "%+v", c)
	}
}

// The examples of R. G. Newcombe, "Interval estimation for the difference between independent proportions", Statistics in
// Medicine 17 (1998), table II, method 10.
func TestNewcombeAgreesWithTheLiterature(t *testing.T) {
	for _, c := range []struct {
		a, b                  effect.Count
		difference, low, high float64
	}{
		{effect.Count{Clicked: 56, Sent: 70}, effect.Count{Clicked: 48, Sent: 80}, 0.2, 0.0524, 0.3339},
		{effect.Count{Clicked: 9, Sent: 10}, effect.Count{Clicked: 3, Sent: 10}, 0.6, 0.1705, 0.8090},
		{effect.Count{Clicked: 6, Sent: 7}, effect.Count{Clicked: 2, Sent: 7}, 0.5714, 0.0582, 0.8062},
		{effect.Count{Clicked: 5, Sent: 56}, effect.Count{Clicked: 0, Sent: 29}, 0.0893, -0.0381, 0.1926},
		{effect.Count{Clicked: 0, Sent: 10}, effect.Count{Clicked: 0, Sent: 20}, 0, -0.1611, 0.2775},
		{effect.Count{Clicked: 0, Sent: 10}, effect.Count{Clicked: 0, Sent: 10}, 0, -0.2775, 0.2775},
		{effect.Count{Clicked: 10, Sent: 10}, effect.Count{Clicked: 0, Sent: 20}, 1, 0.6791, 1},
		{effect.Count{Clicked: 10, Sent: 10}, effect.Count{Clicked: 0, Sent: 10}, 1, 0.6075, 1},
		{effect.Count{}, effect.Count{Clicked: 5, Sent: 10}, 0, -1, 1},
		{effect.Count{Clicked: 5, Sent: 10}, effect.Count{}, 0, -1, 1},
		{effect.Count{}, effect.Count{}, 0, -1, 1},
	} {
		difference, interval := effect.Newcombe(c.a, c.b)
		require.InDelta(t, c.difference, difference, 0.00005, "%+v", c)
		require.InDelta(t, c.low, interval.Low, 0.00005, "%+v", c)
		require.InDelta(t, c.high, interval.High, 0.00005, "%+v", c)
	}
}

// count draws a group that someone is in.
func count(t *rapid.T, name string) effect.Count {
	sent := rapid.IntRange(1, 5_000_000).Draw(t, name+" sent")
	return effect.Count{Sent: sent, Clicked: rapid.IntRange(0, sent).Draw(t, name+" clicked")}
}

func width(i effect.Interval) float64 { return i.High - i.Low }

func TestIntervalsHoldWhatTheyPromise(t *testing.T) {
	const rounding = 1e-12
	rapid.Check(t, func(t *rapid.T) {
		a, b := count(t, "a"), count(t, "b")

		rate, interval := effect.Wilson(a.Clicked, a.Sent)
		require.True(t, 0 <= interval.Low && interval.Low <= rate && rate <= interval.High && interval.High <= 1, "%v", interval)
		missed, mirrored := effect.Wilson(a.Sent-a.Clicked, a.Sent)
		require.InDelta(t, 1-rate, missed, rounding)
		require.InDelta(t, 1-interval.High, mirrored.Low, rounding)
		require.InDelta(t, 1-interval.Low, mirrored.High, rounding)
		_, narrower := effect.Wilson(4*a.Clicked, 4*a.Sent)
		require.Less(t, width(narrower), width(interval), "the same rate of more recipients is surer")

		difference, lift := effect.Newcombe(a, b)
		require.True(t, -1 <= lift.Low && lift.Low <= difference && difference <= lift.High && lift.High <= 1, "%v", lift)
		reverse, exchanged := effect.Newcombe(b, a)
		require.InDelta(t, -difference, reverse, rounding)
		require.InDelta(t, -lift.High, exchanged.Low, rounding)
		require.InDelta(t, -lift.Low, exchanged.High, rounding)
		_, surer := effect.Newcombe(effect.Count{Clicked: 4 * a.Clicked, Sent: 4 * a.Sent}, effect.Count{Clicked: 4 * b.Clicked, Sent: 4 * b.Sent})
		require.Less(t, width(surer), width(lift))
	})
}

// An interval is worth its name if it holds the truth about as often as it says.
func TestIntervalsCoverTheTruth(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	draw := func(rate float64, n int) (clicked int) {
		for range n {
			if random.Float64() < rate {
				clicked++
			}
		}
		return clicked
	}
	const rounds, sentA, sentB, rateA, rateB = 2_000, 300, 500, 0.08, 0.05
	wilson, newcombe := 0, 0
	for range rounds {
		a, b := effect.Count{Clicked: draw(rateA, sentA), Sent: sentA}, effect.Count{Clicked: draw(rateB, sentB), Sent: sentB}
		if _, i := effect.Wilson(a.Clicked, a.Sent); i.Low <= rateA && rateA <= i.High {
			wilson++
		}
		if _, i := effect.Newcombe(a, b); i.Low <= rateA-rateB && rateA-rateB <= i.High {
			newcombe++
		}
	}
	require.InDelta(t, 0.95, float64(wilson)/rounds, 0.015)
	require.InDelta(t, 0.95, float64(newcombe)/rounds, 0.015)
}

func TestAllocateFollowsWhatIsKnown(t *testing.T) {
	for name, c := range map[string]struct {
		variants  []effect.Count
		low, high float64 // of the first one's share
	}{
		"nothing known":     {make([]effect.Count, 4), 0.2, 0.3},
		"clearly better":    {[]effect.Count{{Clicked: 100, Sent: 1_000}, {Clicked: 20, Sent: 1_000}}, 1, 1},
		"clearly worse":     {[]effect.Count{{Clicked: 20, Sent: 1_000}, {Clicked: 100, Sent: 1_000}}, 0, 0},
		"better, but few":   {[]effect.Count{{Clicked: 2, Sent: 10}, {Clicked: 1, Sent: 10}}, 0.55, 0.9},
		"unknown among bad": {[]effect.Count{{}, {Clicked: 10, Sent: 1_000}}, 0.9, 1},
		"alone":             {[]effect.Count{{Clicked: 0, Sent: 10_000}}, 1, 1},
		"cannot be":         {[]effect.Count{{Clicked: 9, Sent: -1}, {Clicked: -9, Sent: 0}}, 0.4, 0.6},
	} {
		t.Run(name, func(t *testing.T) {
			share := effect.Allocate(c.variants, effect.Draws, rand.NewPCG(1, 2))[0]
			require.GreaterOrEqual(t, share, c.low)
			require.LessOrEqual(t, share, c.high)
		})
	}
	require.Empty(t, effect.Allocate(nil, effect.Draws, rand.NewPCG(1, 2)))
}

func TestSharesAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		variants := make([]effect.Count, rapid.IntRange(1, 8).Draw(t, "variants"))
		for i := range variants {
			variants[i] = count(t, fmt.Sprint(i))
		}
		draws, seed := rapid.IntRange(1, 200).Draw(t, "draws"), rapid.Uint64().Draw(t, "seed")
		shares := effect.Allocate(variants, draws, rand.NewPCG(seed, 0))
		require.Len(t, shares, len(variants))
		sum := 0.0
		for _, share := range shares {
			require.GreaterOrEqual(t, share, 0.0)
			sum += share
		}
		require.InDelta(t, 1, sum, 1e-12)
		require.Equal(t, shares, effect.Allocate(variants, draws, rand.NewPCG(seed, 0)), "a seed decides all")
	})
}

// Dividing batches by what was learnt must cost far fewer clicks than dividing them evenly, whatever the seed.
func TestThompsonSamplingRegretsLittle(t *testing.T) {
	rates := []float64{0.02, 0.05, 0.03, 0.04}
	const best, batches, batchSize = 0.05, 60, 1_000
	for seed := range uint64(10) {
		random := rand.New(rand.NewPCG(seed, 7))
		known := make([]effect.Count, len(rates))
		regret, even := 0.0, 0.0
		for batch := range batches {
			shares := effect.Allocate(known, effect.Draws, rand.NewPCG(seed, uint64(batch)))
			for recipient := range batchSize {
				chosen := effect.Pick(shares, effect.Unit(fmt.Sprint(seed, batch), fmt.Sprint(recipient)))
				known[chosen].Sent++
				if random.Float64() < rates[chosen] {
					known[chosen].Clicked++
				}
				regret += best - rates[chosen]
				even += best - rates[recipient%len(rates)]
			}
		}
		require.Less(t, regret, even/4, "seed %d", seed)
		require.Greater(t, known[1].Sent, batches*batchSize*3/4, "seed %d: the best one gets most", seed)
	}
}

func TestPick(t *testing.T) {
	below := math.Nextafter(1, 0)
	for _, c := range []struct {
		shares []float64
		u      float64
		want   int
	}{
		{[]float64{0.5, 0.5}, 0, 0},
		{[]float64{0.5, 0.5}, math.Nextafter(0.5, 0), 0},
		{[]float64{0.5, 0.5}, 0.5, 1},
		{[]float64{0.5, 0.5}, below, 1},
		{[]float64{0, 1, 0}, 0, 1},
		{[]float64{0, 1, 0}, below, 1},
		{[]float64{0.1, 0.2, 0.3, 0.4, 0}, below, 3},
		{[]float64{3, 1}, 0.74, 0},
		{[]float64{3, 1}, 0.75, 1},
		{[]float64{-1, 2}, 0, 1},
		{[]float64{0, 0}, 0.9, 0},
		{nil, 0.9, 0},
	} {
		require.Equal(t, c.want, effect.Pick(c.shares, c.u), "%+v", c)
	}
}

func TestPickGivesEachItsShare(t *testing.T) {
	weights := []float64{1, 0, 5, 2}
	got := make([]float64, len(weights))
	const n = 80_000
	for i := range n {
		got[effect.Pick(weights, effect.Unit("push", fmt.Sprint(i)))]++
	}
	require.Zero(t, got[1])
	for i, weight := range weights {
		require.InDelta(t, n*weight/8, got[i], 600, "variant %d", i)
	}
}

// What was hashed before a release must be hashed alike after it.
func TestUnitNeverChanges(t *testing.T) {
	require.Equal(t, 0.9346749315317059, effect.Unit()) // of no bytes, xxHash64 is ef46db3751d8e999
	require.Equal(t, 0.08431988446226746, effect.Unit("holdout", "1666165485030094861", "18071adc030dcba91c0"))
}

func TestUnitKeepsItsPartsApart(t *testing.T) {
	seen := map[float64][]string{}
	for _, parts := range [][]string{
		nil, {""}, {"", ""}, {"abc"}, {"a", "bc"}, {"ab", "c"}, {"a", "b", "c"}, {"", "abc"}, {"abc", ""}, {"a\x00bc"},
		{"\x01\x00\x00\x00\x00\x00\x00\x00a"}, {"a", "\x00"},
	} {
		u := effect.Unit(parts...)
		require.NotContains(t, seen, u, "%q", parts)
		seen[u] = parts
	}
}

// Ids that count up, as push ids and test devices do, must spread evenly, for each purpose anew.
func TestUnitIsUniform(t *testing.T) {
	const n, cells = 200_000, 100
	for _, purpose := range []string{"holdout", "variant"} {
		chi, joint := make([]float64, cells), make([]float64, cells)
		for i := range n {
			id := fmt.Sprintf("%019x", i)
			u := effect.Unit(purpose, "7", id)
			require.True(t, 0 <= u && u < 1)
			chi[int(u*cells)]++
			joint[int(u*10)*10+int(effect.Unit(purpose, "8", id)*10)]++ // the same device in the next push
		}
		// 99 degrees of freedom: 158 is exceeded once in 10,000 times by an even spread. These ids are always the same.
		require.Less(t, chiSquare(chi, n/cells), 158.0, purpose)
		require.Less(t, chiSquare(joint, n/cells), 158.0, purpose)
	}
}

func chiSquare(observed []float64, expected float64) (sum float64) {
	for _, o := range observed {
		sum += (o - expected) * (o - expected) / expected
	}
	return sum
}

func BenchmarkUnit(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		effect.Unit("holdout", "1666165485030094861", "18071adc030dcba91c0")
	}
}
