package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/storage"
)

const (
	// adoptAfter is how long callbacks of an unknown message are held before it counts as somebody else's, in the
	// clock's time: the answer that tells us of a message of our own may still be on its way.
	adoptAfter = 5 * time.Second

	// adoptPoll is how often, in the clock's time, messages are looked for that had to wait for a dispatch's answer.
	adoptPoll = 5 * time.Minute

	// strayPage is how many messages are read at once.
	strayPage = 100
)

// AdoptPush records a push that EngageLab took by another way than a dispatch, under the id that it gave it. What it
// returns for a bad request, CreatePush would too. Its recipients become known by callbacks.
func (s *Service) AdoptPush(ctx context.Context, req PushRequest, upstreamID string) (storage.Push, error) {
	push, _, err := s.adoptPush(ctx, req, upstreamID, s.Clock.Now())
	return push, err
}

func (s *Service) adoptPush(ctx context.Context, req PushRequest, upstreamID string, sentTime time.Time) (push storage.Push, created bool, err error) {
	chosen, err := s.choosePolicy(req)
	if err != nil {
		return storage.Push{}, false, err
	}
	draft, err := s.draftPush(req, chosen)
	if err != nil {
		return storage.Push{}, false, err
	}
	draft.Recipients, draft.Dispatches = nil, nil
	draft.Push.RequestID, draft.Push.Listed = "", false
	draft.Push.FirstSentTime = sentTime
	push, created, err = storePush(draft, func(draft storage.PushDraft) (storage.Push, bool, error) {
		return s.Store.AdoptMessage(ctx, draft, upstreamID)
	})
	if err == nil && created {
		s.Metrics.pushAdopted(req.App)
		wake(s.stepsDue)
	}
	return push, created, err
}

// PushByUpstreamID returns the push that EngageLab knows by the id, or storage.ErrNotFound.
func (s *Service) PushByUpstreamID(ctx context.Context, app, upstreamID string) (storage.Push, error) {
	return s.Store.PushByUpstreamID(ctx, app, upstreamID)
}

// runAdoption makes external pushes of messages that nobody here sent, until the context ends or the store is fenced.
func (s *Service) runAdoption(ctx context.Context) error {
	for {
		for app := range s.Apps {
			err := s.adoptStrays(ctx, app)
			switch {
			case ctx.Err() != nil:
				return nil
			case errors.Is(err, storage.ErrFenced):
				return err
			case err != nil:
				s.Logger.Error("external pushes can't be recorded", "app", app, "error", err)
			}
		}
		select {
		case <-s.strays:
			s.pass(ctx, adoptAfter+time.Millisecond, nil) // times are kept to the millisecond
		default:
			s.pass(ctx, adoptPoll, s.strays)
		}
	}
}

// pass waits in the clock's time. A signal ends it, and is there to be taken again.
func (s *Service) pass(ctx context.Context, d time.Duration, signal chan struct{}) {
	timer := s.Clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.Chan():
	case <-signal:
		wake(signal)
	}
}

// adoptStrays records an app's messages that have been held for long enough. One that can't be recorded keeps no other
// from it.
func (s *Service) adoptStrays(ctx context.Context, app string) error {
	for {
		messages, err := s.Store.StrayMessages(ctx, app, s.Clock.Now().Add(-adoptAfter), strayPage)
		if err != nil {
			return err
		}
		adopted := 0
		for _, message := range messages {
			// Where nodes share the work, each has its share of what is let through.
			if !s.external[app].AllowN(s.Clock.Now(), min(s.Nodes(), max(s.ExternalPushes, 1))) {
				s.Logger.Warn("too many external pushes for now; the callbacks of more are held", "app", app)
				return nil
			}
			if err := s.adoptStray(ctx, app, message); err != nil {
				if errors.Is(err, storage.ErrFenced) || errors.Is(err, storage.ErrUnavailable) || ctx.Err() != nil {
					return err
				}
				s.Logger.Error("an external push can't be recorded", "app", app, "upstream_id", message.UpstreamID, "error", err)
				continue
			}
			adopted++
		}
		if adopted == 0 || len(messages) < strayPage {
			return nil
		}
	}
}

func (s *Service) adoptStray(ctx context.Context, app string, message storage.StrayMessage) error {
	document, err := externalDocument(message.Raw)
	if err != nil {
		return fmt.Errorf("make a document: %w", err)
	}
	now := s.Clock.Now()
	sentTime := message.FirstTime
	if sentTime.After(now) {
		sentTime = now
	}
	push, created, err := s.adoptPush(ctx, PushRequest{App: app, Document: document, external: true}, message.UpstreamID, sentTime)
	if err == nil && created {
		s.Logger.Info("external push recorded", "app", app, "msg_id", push.ID, "upstream_id", message.UpstreamID)
	}
	return err
}

// externalDocument is all that a callback tells of a push's document. Follow-ups are laid over it.
func externalDocument(callback []byte) (engagelab.Document, error) {
	members := map[string]any{
		"to":   map[string]any{},
		"body": map[string]any{"platform": "all", "notification": map[string]any{}},
	}
	var row struct {
		CustomArgs json.RawMessage `json:"custom_args"`
	}
	if err := json.Unmarshal(callback, &row); err == nil && len(row.CustomArgs) > 0 { // a long row was cut off
		members["custom_args"] = row.CustomArgs
	}
	data, err := json.Marshal(members)
	if err != nil {
		return engagelab.Document{}, err
	}
	return engagelab.ParseDocument(data)
}
