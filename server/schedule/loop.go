package schedule

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jonboulle/clockwork"

	"susul.dev/susul/server/clock"
	"susul.dev/susul/storage"
)

// planRetry is the pause, in real time, after planning or measuring failed.
const planRetry = time.Second

// Planner is what the leader's loop drives.
type Planner interface {
	// PlanDueSteps plans every step that is due.
	PlanDueSteps(ctx context.Context) error
	// MeasureDueSteps measures every step whose click window has ended.
	MeasureDueSteps(ctx context.Context) error
	// NextStep returns when the next step is due to be planned or measured; ok is false when none is.
	NextStep(ctx context.Context) (due time.Time, ok bool, err error)
	// StepsDue gets a signal when a step may be due earlier than NextStep last said.
	StepsDue() <-chan struct{}
}

// Loop plans and measures steps as they come due. Only the leader runs it.
type Loop struct {
	Planner Planner
	Clock   clockwork.Clock
	Logger  *slog.Logger
}

// Run returns nil when the context ends, and storage.ErrFenced when a later leader has taken over. Other errors are
// logged and tried again.
func (l Loop) Run(ctx context.Context) error {
	for {
		// What can't be planned must not keep the rest from being measured.
		err := errors.Join(l.Planner.PlanDueSteps(ctx), l.Planner.MeasureDueSteps(ctx))
		if err == nil {
			err = l.await(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, storage.ErrFenced):
			return err
		case err != nil:
			l.Logger.Error("due steps can't be planned or measured; trying again", "error", err)
			clock.Rest(ctx, planRetry)
		}
	}
}

// await returns when a step may be due.
func (l Loop) await(ctx context.Context) error {
	next, ok, err := l.Planner.NextStep(ctx)
	if err != nil {
		return err
	}
	var due <-chan time.Time
	if ok {
		timer := l.Clock.NewTimer(max(next.Sub(l.Clock.Now()), 0))
		defer timer.Stop()
		due = timer.Chan()
	}
	select {
	case <-ctx.Done():
	case <-due:
	case <-l.Planner.StepsDue():
	}
	return nil
}
