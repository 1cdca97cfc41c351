package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

const (
	// maxBacktestRecipients bounds the recipients of all pushes of a backtest together.
	maxBacktestRecipients = 5_000_000

	// maxBacktestLooked bounds the pushes that are looked at to find those that the policy is for.
	maxBacktestLooked = 100_000

	// backtestsAtOnce bounds the backtests that run at the same time: each may hold 8 bytes for each recipient of a push.
	backtestsAtOnce = 2

	// backtestPage is how many pushes are listed at once.
	backtestPage = 1_000

	// backtestSamples is how many recipients are named for each step of a push.
	backtestSamples = 10
)

// ErrTooLarge says that a question is about more than one answer may be about.
var ErrTooLarge = errors.New("too large")

// BacktestRequest asks what a policy would have done.
type BacktestRequest struct {
	App string
	// Policy chooses the pushes by its match; one without chooses those that are pinned to a policy with its ID.
	Policy *policy.Compiled
	// StartTime and EndTime are between which the pushes were accepted: the start counts, the end does not.
	StartTime, EndTime time.Time
	MaxPushes          int // the newest are looked at
}

// Backtest is what a policy would have done.
type Backtest struct {
	MorePushes bool // there were more than MaxPushes
	Steps      []BacktestStep
	Pushes     []BacktestPush // the newest first
}

// BacktestStep is what a step would have done.
type BacktestStep struct {
	Reached       int
	ClickedAnyway int // of those reached, those who clicked after the step's time
	PassedOver    map[storage.Reason]int
	QuotaUnits    int // of personal contents, at most
}

// BacktestPush is what would have been done about one push.
type BacktestPush struct {
	ID         int64
	Recipients int
	Steps      []BacktestPushStep // those whose time has come
}

// BacktestPushStep is what a step would have done about one push.
type BacktestPushStep struct {
	Number  int
	DueTime time.Time
	BacktestStep
	Samples []string // registration ids of some whom it would have reached
}

// BacktestPolicy runs a policy over stored pushes, and stores nothing. Of what it depends on, only what was reported has a
// history: devices are as they are now, but for those that became invalid after a step's time. Frequency caps and minimum gaps,
// pauses and the app's switch are not part of it. ErrTooLarge says that there are too many pushes or recipients.
func (s *Service) BacktestPolicy(ctx context.Context, req BacktestRequest) (Backtest, error) {
	select {
	case s.backtests <- struct{}{}:
		defer func() { <-s.backtests }()
	case <-ctx.Done():
		return Backtest{}, ctx.Err()
	}
	chosen, more, err := s.backtestPushes(ctx, req)
	if err != nil {
		return Backtest{}, err
	}
	result := Backtest{MorePushes: more, Steps: make([]BacktestStep, len(req.Policy.Steps))}
	for i := range result.Steps {
		result.Steps[i].PassedOver = make(map[storage.Reason]int)
	}
	for _, id := range chosen {
		push, err := s.Store.GetPush(ctx, req.App, id)
		if err != nil {
			return Backtest{}, err
		}
		done, err := s.backtestPush(ctx, push, req.Policy)
		if err != nil {
			return Backtest{}, err
		}
		for _, step := range done.Steps {
			result.Steps[step.Number-1].add(step.BacktestStep)
		}
		result.Pushes = append(result.Pushes, done)
	}
	return result, nil
}

func (b *BacktestStep) add(other BacktestStep) {
	b.Reached += other.Reached
	b.ClickedAnyway += other.ClickedAnyway
	b.QuotaUnits += other.QuotaUnits
	for reason, n := range other.PassedOver {
		b.PassedOver[reason] += n
	}
}

// backtestPushes returns the ids of the newest pushes that the policy is for, and whether there are more.
func (s *Service) backtestPushes(ctx context.Context, req BacktestRequest) (chosen []int64, more bool, err error) {
	query := storage.PushQuery{App: req.App, Limit: backtestPage}
	if end := req.EndTime.Add(time.Millisecond); end.Before(s.Clock.Now()) {
		query.Before = max(firstMsgID(end), 1)
	}
	looked, recipients := 0, 0
	for {
		page, err := s.Store.ListPushes(ctx, query)
		if err != nil {
			return nil, false, err
		}
		for _, push := range page {
			query.Before = push.ID
			if push.CreateTime.Before(req.StartTime) {
				return chosen, false, nil
			}
			if looked++; looked > maxBacktestLooked {
				return nil, false, fmt.Errorf("%w: more than %d pushes to look at", ErrTooLarge, maxBacktestLooked)
			}
			switch ok, err := s.isFor(ctx, req, push); {
			case err != nil:
				return nil, false, err
			case !ok:
				continue
			}
			if len(chosen) == req.MaxPushes {
				return chosen, true, nil
			}
			if recipients += push.Recipients; recipients > maxBacktestRecipients {
				return nil, false, fmt.Errorf("%w: the pushes have more than %d recipients", ErrTooLarge, maxBacktestRecipients)
			}
			chosen = append(chosen, push.ID)
		}
		if len(page) < backtestPage {
			return chosen, false, nil
		}
	}
}

// isFor reports whether a push, without its document, is one that the policy would have followed up. One that was never
// sent, or was taken back, would not have been.
func (s *Service) isFor(ctx context.Context, req BacktestRequest, push storage.Push) (bool, error) {
	if push.State != storage.PushActive || push.FirstSentTime.IsZero() || !push.CreateTime.Before(req.EndTime) {
		return false, nil
	}
	if req.Policy.Policy.Match == "" {
		return push.Policy != nil && push.Policy.Name == req.Policy.Policy.ID, nil
	}
	whole, err := s.Store.GetPush(ctx, req.App, push.ID)
	if err != nil {
		return false, err
	}
	document, err := engagelab.ParseDocument(whole.Document)
	if err != nil {
		return false, fmt.Errorf("%w: stored push: %w", errUnusable, err)
	}
	// As for a new push, a match that fails does not match.
	matched, _ := req.Policy.Matches(attributesOf(push.App, document, push.External))
	return matched, nil
}

// backtestPush runs the steps over one push.
func (s *Service) backtestPush(ctx context.Context, push storage.Push, compiled *policy.Compiled) (BacktestPush, error) {
	done := BacktestPush{ID: push.ID, Recipients: push.Recipients}
	sim, err := s.newSimulation(ctx, push, compiled)
	if err != nil {
		return BacktestPush{}, err
	}
	if err := sim.readEvents(ctx); err != nil {
		return BacktestPush{}, err
	}
	if err := sim.run(ctx); err != nil {
		return BacktestPush{}, err
	}
	for _, step := range sim.steps {
		done.Steps = append(done.Steps, step.result)
	}
	return done, nil
}
