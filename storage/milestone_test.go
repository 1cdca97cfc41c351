package storage_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"susul.dev/susul/storage"
)

var known = []storage.Milestone{storage.Sent, storage.Delivered, storage.Displayed, storage.Clicked, storage.Failed}

func TestImplied(t *testing.T) {
	for _, tc := range []struct {
		set, want storage.Milestones
	}{
		{storage.MilestonesOf(), storage.MilestonesOf()},
		{storage.MilestonesOf(storage.MilestoneUnknown), storage.MilestonesOf()},
		{storage.MilestonesOf(storage.Sent), storage.MilestonesOf(storage.Sent)},
		{storage.MilestonesOf(storage.Failed), storage.MilestonesOf(storage.Failed)},
		{storage.MilestonesOf(storage.Displayed), storage.MilestonesOf(storage.Sent, storage.Delivered, storage.Displayed)},
		{storage.MilestonesOf(storage.Clicked, storage.Failed), storage.MilestonesOf(known...)},
	} {
		require.Equal(t, tc.want, tc.set.Implied(), "%b", tc.set)
	}
}

func TestMilestoneNames(t *testing.T) {
	require.Equal(t, "UNKNOWN", storage.MilestoneUnknown.String())
	require.Equal(t, "FAILED", storage.Failed.String())
	require.Equal(t, "Milestone(6)", storage.Milestone(6).String())
	require.False(t, storage.Milestones(0xff).Has(storage.MilestoneUnknown))
	require.False(t, storage.Milestones(0xff).Has(storage.Milestone(6)))
}

func TestCountsAdd(t *testing.T) {
	var c storage.Counts
	for i, m := range known {
		c.Add(m, i+1)
	}
	c.Add(storage.MilestoneUnknown, 100)
	require.Equal(t, storage.Counts{Sent: 1, Delivered: 2, Displayed: 3, Clicked: 4, Failed: 5}, c)
}

// report is one milestone reported for one step.
type report struct {
	step      int
	milestone storage.Milestone
}

var reports = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) report {
	return report{
		step:      rapid.IntRange(0, storage.MaxSteps-1).Draw(t, "step"),
		milestone: rapid.SampledFrom(append(known, storage.MilestoneUnknown, storage.Failed+1)).Draw(t, "milestone"),
	}
}), 0, 30)

func fold(all []report) (p storage.Progress) {
	for _, r := range all {
		p = p.With(r.step, r.milestone)
	}
	return p
}

// TestProgressIsASet checks progress against sets of reports kept beside it.
func TestProgressIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := reports.Draw(t, "reports")
		perStep := make([]storage.Milestones, storage.MaxSteps)
		for _, r := range all {
			perStep[r.step] |= storage.MilestonesOf(r.milestone)
		}
		p := fold(all)
		var any storage.Milestones
		for step, set := range perStep {
			require.Equal(t, set.Implied(), p.At(step), "step %d", step)
			any |= set.Implied()
		}
		require.Equal(t, any, p.InAnyStep())
		for step := range storage.MaxSteps + 1 {
			for other, set := range perStep {
				if other >= step {
					set = 0
				}
				require.Equal(t, set.Implied(), p.Before(step).At(other), "step %d before %d", other, step)
			}
		}
	})
}

// TestProgressForgetsOrderAndRepeats checks what makes replay and merging safe.
func TestProgressForgetsOrderAndRepeats(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := reports.Draw(t, "reports")
		shuffled := rapid.Permutation(all).Draw(t, "shuffled")
		cut := rapid.IntRange(0, len(all)).Draw(t, "cut")
		require.Equal(t, fold(all), fold(append(shuffled, all...)))
		require.Equal(t, fold(all), fold(all[:cut])|fold(all[cut:]))
	})
}

// TestImpliedIsClosed checks that implying twice adds nothing and never takes anything away.
func TestImpliedIsClosed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := storage.MilestonesOf(rapid.SliceOf(rapid.SampledFrom(known)).Draw(t, "set")...)
		require.Equal(t, set.Implied(), set.Implied().Implied())
		require.Equal(t, set, set&set.Implied())
		require.Equal(t, set.Has(storage.Failed), set.Implied().Has(storage.Failed))
	})
}
