package delivery

import (
	"context"
	"errors"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/storage"
)

const (
	// dispatchPage is how many dispatches are read at once.
	dispatchPage = 500

	// withdrawals bounds the calls to EngageLab in flight.
	withdrawals = 8
)

// WithdrawPush cancels what is still to come of a push, then asks EngageLab to take back what it has sent. While EngageLab
// can't be reached, or may be about to take another dispatch, the push stays Withdrawing, and the call may be repeated. If EngageLab
// refuses for good, for example because a message is older than a day, the push is withdrawn as far as Susul goes, and
// *RefusedError says what EngageLab said. A push that is withdrawn already, or was never sent, gets storage.ErrConflict.
func (s *Service) WithdrawPush(ctx context.Context, app string, id int64) (storage.Push, error) {
	push, err := s.Store.WithdrawPush(ctx, app, id)
	if err != nil {
		return storage.Push{}, err
	}
	open, outcome := s.withdrawSent(ctx, push)
	var refused *RefusedError
	if outcome != nil && !errors.As(outcome, &refused) {
		return storage.Push{}, outcome
	}
	if open {
		return push, nil // what is on its way is taken back when its answer comes
	}
	if err := s.Store.ConfirmWithdrawal(ctx, id); err != nil && !errors.Is(err, storage.ErrConflict) {
		return storage.Push{}, err
	}
	if push, err = s.Store.GetPush(ctx, app, id); err != nil {
		return storage.Push{}, err
	}
	return push, outcome
}

// goOnWithdrawing takes back what a push's last dispatch that was on its way has sent, along with all the rest. While others are on
// their way it leaves that to them: there may be a million messages, and many dispatches that crossed the withdrawal.
func (s *Service) goOnWithdrawing(ctx context.Context, push storage.Push) error {
	report, err := s.Store.Report(ctx, push.App, push.ID)
	if err != nil {
		return err
	}
	for _, step := range report.Steps {
		if step.Dispatches[storage.DispatchClaimed]+step.Dispatches[storage.DispatchSending] > 0 {
			return nil
		}
	}
	_, err = s.WithdrawPush(engagelab.Yielding(ctx), push.App, push.ID)
	if errors.Is(err, storage.ErrConflict) {
		return nil // another was the last, too
	}
	return err
}

// withdrawSent asks EngageLab to take back each message that it took, and reports whether others are on their way. The
// error is EngageLab's refusal, if it took none back, or says why the call should be repeated.
func (s *Service) withdrawSent(ctx context.Context, push storage.Push) (open bool, err error) {
	var refused error
	taken := 0
	for after := int64(0); ; {
		dispatches, err := s.Store.ListDispatches(ctx, push.ID, after, dispatchPage)
		if err != nil {
			return false, err
		}
		open = open || slices.ContainsFunc(dispatches, func(d storage.Dispatch) bool {
			return d.State == storage.DispatchClaimed || d.State == storage.DispatchSending
		})
		messages, err := s.messagesOf(ctx, dispatches)
		if err != nil {
			return open, err
		}
		for _, outcome := range s.withdrawMessages(ctx, push.App, messages) {
			switch {
			case outcome == nil:
				taken++
			case permanent(outcome) != nil:
				refused = outcome
			default:
				return open, fromEngageLab(outcome)
			}
		}
		if len(dispatches) < dispatchPage {
			break
		}
		after = dispatches[len(dispatches)-1].ID
	}
	if taken > 0 || refused == nil {
		return open, nil
	}
	return open, fromEngageLab(refused)
}

// messagesOf returns what EngageLab calls the messages of the dispatches, as far as it took them.
func (s *Service) messagesOf(ctx context.Context, dispatches []storage.Dispatch) (upstreamIDs []string, err error) {
	for _, d := range dispatches {
		switch {
		case d.UpstreamID != "":
			upstreamIDs = append(upstreamIDs, d.UpstreamID)
		case d.Step > 0: // it was not taken, or is a batch
			singles, err := s.singlesOf(ctx, d.PushID, d.Step, d.Recipients)
			if err != nil {
				return nil, err
			}
			upstreamIDs = slices.AppendSeq(upstreamIDs, maps.Values(singles))
		}
	}
	return upstreamIDs, nil
}

// withdrawMessages returns EngageLab's answers.
func (s *Service) withdrawMessages(ctx context.Context, app string, upstreamIDs []string) []error {
	outcomes := make([]error, len(upstreamIDs))
	var group errgroup.Group
	group.SetLimit(withdrawals)
	for i, id := range upstreamIDs {
		group.Go(func() error {
			_, outcomes[i] = s.Apps[app].Sender.Withdraw(ctx, id)
			return nil
		})
	}
	_ = group.Wait() // the outcomes hold the errors
	return outcomes
}
