package engagelab

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// grant is quota that a call got.
type grant struct {
	asked, at time.Duration // since the start
	units     int
	yields    bool
}

// ask is a call for quota.
type ask struct {
	at, patience time.Duration // patience 0: waits for ever
	units        int
	yields       bool
	cancel       bool // give up without a deadline, when the patience ends
}

// grants plays calls against a quota, in time of their own, and returns what they got, in order, and how many gave up.
func grants(t *testing.T, perSecond float64, asks []ask) (got []grant, gaveUp int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		q := newQuota(clockwork.NewRealClock(), perSecond) // the bubble's clock
		began := time.Now()
		var mu sync.Mutex
		var calls sync.WaitGroup
		for _, a := range asks {
			calls.Go(func() {
				<-time.After(a.at)
				ctx := t.Context()
				switch {
				case a.patience > 0 && a.cancel:
					cancellable, cancel := context.WithCancel(ctx)
					defer time.AfterFunc(a.patience, cancel).Stop()
					defer cancel()
					ctx = cancellable
				case a.patience > 0:
					limited, cancel := context.WithTimeout(ctx, a.patience)
					defer cancel()
					ctx = limited
				}
				if a.yields {
					ctx = Yielding(ctx)
				}
				err := q.take(ctx, a.units)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					gaveUp++
					return
				}
				got = append(got, grant{asked: a.at, at: time.Since(began), units: a.units, yields: a.yields})
			})
		}
		calls.Wait()
	})
	return got, gaveUp
}

// Whatever is asked for, by whomever, and whoever gives up: no stretch of time sees more units than it may, and no follow-up
// overtakes a fresh push that waits, but for one that was as good as through.
func TestQuotaIsNeverExceededAndFreshGoesFirst(t *testing.T) {
	const perSecond, burst = 20.0, 20
	rapid.Check(t, func(rt *rapid.T) {
		asks := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) ask {
			return ask{
				at:       time.Duration(rapid.IntRange(0, 5_000).Draw(rt, "at")) * time.Millisecond,
				patience: time.Duration(rapid.IntRange(0, 3_000).Draw(rt, "patience")) * time.Millisecond,
				units:    rapid.IntRange(1, burst).Draw(rt, "units"),
				yields:   rapid.Bool().Draw(rt, "yields"),
				cancel:   rapid.Bool().Draw(rt, "cancel"),
			}
		}), 1, 40).Draw(rt, "asks")
		got, gaveUp := grants(t, perSecond, asks)
		require.Len(rt, asks, len(got)+gaveUp, "nobody waits for ever")
		for i, from := range got {
			units := 0
			for _, to := range got[i:] {
				units += to.units
				require.LessOrEqual(rt, float64(units), burst+perSecond*(to.at-from.at).Seconds()+1e-3, "from %v to %v", from.at, to.at)
				if to.yields {
					continue
				}
				const asGoodAsThrough = 50 * time.Millisecond
				require.False(rt, from.yields && to.asked+asGoodAsThrough < from.at, "%+v before %+v", from, to)
			}
		}
	})
}

// Where fresh pushes leave something over, follow-ups get it, the largest ones too.
func TestFollowUpsDoNotStarve(t *testing.T) {
	const perSecond = 500
	var asks []ask
	for i := range 450 * 20 { // nine tenths of the quota, evenly, for 20 s
		asks = append(asks, ask{at: time.Duration(i) * time.Second / 450, units: 1})
	}
	for range 3 {
		asks = append(asks, ask{units: 500, yields: true})
	}
	got, gaveUp := grants(t, perSecond, asks)
	require.Zero(t, gaveUp)
	followUps := 0
	for _, g := range got {
		if g.yields && g.at < 20*time.Second {
			followUps++
		}
	}
	require.GreaterOrEqual(t, followUps, 2, "a tenth of 20 s' quota is two batches, and a full bucket")
}

func TestAFollowUpLargerThanTheBucket(t *testing.T) {
	got, _ := grants(t, 10, []ask{{units: 10}, {at: time.Millisecond, units: 35, yields: true}, {at: 1500 * time.Millisecond, units: 1}})
	require.Len(t, got, 3)
	require.Equal(t, 1, got[1].units, "the fresh one went first")
	require.Less(t, got[1].at, 1700*time.Millisecond)
	require.InDelta(t, 3.6, got[2].at.Seconds(), 0.15)
}

func TestCallsThatYieldHonourDeadlines(t *testing.T) {
	got, gaveUp := grants(t, 10, []ask{
		{units: 10},
		{at: time.Millisecond, units: 9, yields: true},                                // waits
		{at: 2 * time.Millisecond, units: 1, yields: true, patience: time.Second / 2}, // has not got its turn by then
		{at: 2 * time.Millisecond, units: 5, patience: time.Second / 10},              // can't have as many
		{at: time.Second, units: 1, yields: true, patience: time.Second},
	})
	require.Equal(t, 2, gaveUp)
	require.Len(t, got, 3)
}

// A quota that becomes another counts by the new one at once: what is in the bucket beyond that is gone, and calls that wait for
// units to be there look again.
func TestQuotaChangesWhileItIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQuota(clockwork.NewRealClock(), 100)
		q.setRate(10)
		began := time.Now()
		require.NoError(t, q.take(t.Context(), 10))
		require.Zero(t, time.Since(began), "the bucket holds what the new rate lets it")
		require.NoError(t, q.take(t.Context(), 10))
		require.Equal(t, time.Second, time.Since(began), "and fills by it")

		var waiting sync.WaitGroup
		took := make(chan time.Duration, 1)
		waiting.Go(func() {
			if q.take(Yielding(t.Context()), 30) == nil {
				took <- time.Since(began)
			}
		})
		synctest.Wait()
		q.setRate(1000)
		waiting.Wait()
		require.Less(t, <-took, 2500*time.Millisecond, "a call that waits gains by a higher rate: at 10 a second it would take 3 s more")

		q.setRate(1000)
		require.NoError(t, q.take(t.Context(), 1000))
		before := time.Now()
		q.setRate(500)
		require.NoError(t, q.take(t.Context(), 1000), "more than the bucket holds")
		require.GreaterOrEqual(t, time.Since(before), time.Second)
	})
}
