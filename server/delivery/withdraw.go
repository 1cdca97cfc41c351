package delivery

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

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
// *RefusedError says what EngageLab said. Single messages of batches, which may be a million, are not taken back. A push that is withdrawn already, or was never sent, gets storage.ErrConflict.
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

// withdrawSent asks EngageLab to take back each dispatch that it took, and reports whether others are on their way. The
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
		for _, outcome := range s.withdrawDispatches(ctx, push.App, slices.Clone(dispatches)) {
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

// withdrawDispatches returns EngageLab's answers for those of the dispatches that were sent. A batch has no id of its own.
func (s *Service) withdrawDispatches(ctx context.Context, app string, dispatches []storage.Dispatch) []error {
	sent := slices.DeleteFunc(dispatches, func(d storage.Dispatch) bool {
		return d.State != storage.DispatchSent || d.UpstreamID == ""
	})
	outcomes := make([]error, len(sent))
	var group errgroup.Group
	group.SetLimit(withdrawals)
	for i, dispatch := range sent {
		group.Go(func() error {
			_, outcomes[i] = s.Apps[app].Sender.Withdraw(ctx, dispatch.UpstreamID)
			return nil
		})
	}
	_ = group.Wait() // the outcomes hold the errors
	return outcomes
}
