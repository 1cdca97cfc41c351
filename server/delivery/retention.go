package delivery

import (
	"context"
	"errors"
	"time"

	"susul.dev/susul/server/clock"
	"susul.dev/susul/storage"
)

const (
	// retentionPoll is how often, in the clock's time, it is looked for what is too old.
	retentionPoll = time.Hour

	// forgetPause is the time between two slices of what is forgotten, in real time, so that callbacks come first.
	forgetPause = 10 * time.Millisecond
)

// runRetention forgets what is older than is to be kept, until the context ends or the store is fenced.
func (s *Service) runRetention(ctx context.Context) error {
	if s.Retention == 0 {
		return nil
	}
	for ctx.Err() == nil {
		err := s.forget(ctx)
		switch {
		case errors.Is(err, storage.ErrFenced):
			return err
		case err != nil && ctx.Err() == nil:
			s.Logger.Error("what is too old can't be forgotten", "error", err)
		}
		s.pass(ctx, retentionPoll, nil)
	}
	return nil
}

func (s *Service) forget(ctx context.Context) error {
	before := s.Clock.Now().Add(-s.Retention)
	for slices := 0; ; slices++ {
		more, err := s.Store.Forget(ctx, before)
		if err != nil || !more {
			if slices > 0 {
				s.Logger.Info("forgot what was too old", "before", before, "slices", slices)
			}
			return err
		}
		clock.Rest(ctx, forgetPause)
	}
}
