package schedule

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
)

// planner is a Planner whose steps are a list of due times.
type planner struct {
	planned  chan struct{} // a signal for each call of PlanDueSteps
	measured atomic.Int32
	next     chan time.Time
	due      chan struct{}
	fail     chan error
}

func (p *planner) PlanDueSteps(context.Context) error {
	p.planned <- struct{}{}
	select {
	case err := <-p.fail:
		return err
	default:
		return nil
	}
}

func (p *planner) MeasureDueSteps(context.Context) error {
	p.measured.Add(1)
	return nil
}

func (p *planner) NextStep(context.Context) (time.Time, bool, error) {
	select {
	case t := <-p.next:
		return t, true, nil
	default:
		return time.Time{}, false, nil
	}
}

func (p *planner) StepsDue() <-chan struct{} { return p.due }

func startLoop(t *testing.T) (*planner, *clockwork.FakeClock, <-chan error) {
	t.Helper()
	p := &planner{
		planned: make(chan struct{}), next: make(chan time.Time, 1),
		due: make(chan struct{}, 1), fail: make(chan error, 1),
	}
	clock := clockwork.NewFakeClock()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	p.next <- clock.Now().Add(time.Hour)
	go func() { done <- Loop{Planner: p, Clock: clock, Logger: slog.New(slog.DiscardHandler)}.Run(ctx) }()
	t.Cleanup(cancel)
	<-p.planned // at the start, for what came due while nobody led
	return p, clock, done
}

func TestLoopPlansWhenAStepIsDue(t *testing.T) {
	p, clock, _ := startLoop(t)
	require.NoError(t, clock.BlockUntilContext(t.Context(), 1))
	clock.Advance(time.Hour - 1)
	require.NoError(t, clock.BlockUntilContext(t.Context(), 1), "it waits on")
	clock.Advance(1)
	<-p.planned
}

func TestLoopPlansWhenItIsTold(t *testing.T) {
	p, _, _ := startLoop(t)
	p.due <- struct{}{}
	<-p.planned
}

func TestLoopTriesAgainAfterAFault(t *testing.T) {
	p, _, _ := startLoop(t)
	p.fail <- errors.New("the disk is full")
	p.due <- struct{}{}
	<-p.planned
	<-p.planned
	require.GreaterOrEqual(t, p.measured.Load(), int32(2), "what can't be planned keeps nothing from being measured")
}

func TestLoopEndsWhenALaterLeaderHasTakenOver(t *testing.T) {
	p, _, done := startLoop(t)
	p.fail <- storage.ErrFenced
	p.due <- struct{}{}
	<-p.planned
	require.ErrorIs(t, <-done, storage.ErrFenced)
}
