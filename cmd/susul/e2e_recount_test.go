package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/storage"
)

// requireRecount requires that a push's report and each of its recipients say what its events come to.
func (n *node) requireRecount(t *testing.T, msgID string, to []string) {
	t.Helper()
	progress := map[string]storage.Progress{}
	for _, event := range n.events(t, msgID) {
		device := event.GetCallback().GetRegistrationId()
		progress[device] = progress[device].With(int(event.GetStep()), storage.Milestone(event.GetMilestone()))
	}
	recount := map[storage.Milestone]int64{}
	for _, p := range progress {
		for m := storage.Sent; m <= storage.Failed; m++ {
			if p.InAnyStep().Has(m) {
				recount[m]++
			}
		}
	}
	total := n.report(t, msgID).GetTotal()
	for m, got := range map[storage.Milestone]int64{
		storage.Sent: total.GetSent(), storage.Delivered: total.GetDelivered(), storage.Displayed: total.GetDisplayed(),
		storage.Clicked: total.GetClicked(), storage.Failed: total.GetFailed(),
	} {
		require.Equal(t, recount[m], got, "%s", m)
	}
	var group errgroup.Group
	group.SetLimit(reporters)
	for _, device := range to {
		group.Go(func() error { return n.compareRecipient(t, msgID, device, progress[device]) })
	}
	require.NoError(t, group.Wait())
}

// compareRecipient tells if a recipient's progress is another than wanted.
func (n *node) compareRecipient(t *testing.T, msgID, device string, want storage.Progress) error {
	t.Helper()
	got, err := n.callbacks.GetRecipient(t.Context(), &susulv1.GetRecipientRequest{Name: pushName(msgID) + "/recipients/" + device})
	if err != nil {
		return err
	}
	reached := map[int]storage.Milestones{}
	for _, step := range got.GetRecipient().GetSteps() {
		var set storage.Milestones
		for _, m := range step.GetMilestones() {
			set |= storage.MilestonesOf(storage.Milestone(m))
		}
		reached[int(step.GetStep())] = set
	}
	for step := range storage.MaxSteps {
		if reached[step] != want.At(step) {
			return fmt.Errorf("recipient %s, step %d: %v instead of %v", device, step, reached[step], want.At(step))
		}
	}
	return nil
}
