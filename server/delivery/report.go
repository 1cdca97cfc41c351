package delivery

import (
	"context"
	"encoding/json"
	"fmt"

	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/storage"
)

// GetPush returns one of an app's pushes, or storage.ErrNotFound.
func (s *Service) GetPush(ctx context.Context, app string, id int64) (storage.Push, error) {
	return s.Store.GetPush(ctx, app, id)
}

// ListPushes returns a page of an app's pushes, newest first.
func (s *Service) ListPushes(ctx context.Context, q storage.PushQuery) ([]storage.Push, error) {
	return s.Store.ListPushes(ctx, q)
}

// Report returns what became of a push, or storage.ErrNotFound.
func (s *Service) Report(ctx context.Context, app string, id int64) (storage.Report, error) {
	return s.Store.Report(ctx, app, id)
}

// ElsewhereStatus returns EngageLab's own statistics of messages that were not sent through Susul, by their ids there. Those that
// EngageLab does not know either are missing.
func (s *Service) ElsewhereStatus(ctx context.Context, app string, upstreamIDs []string) (map[string]engagelab.StatusDetail, error) {
	served, ok := s.Apps[app]
	if !ok {
		return nil, fmt.Errorf("%w %q", ErrUnknownApp, app)
	}
	details, err := served.Sender.StatusDetail(ctx, upstreamIDs)
	if err != nil {
		return nil, fromEngageLab(err)
	}
	return details, nil
}

// ElsewhereStates returns EngageLab's own words on how far such messages came, one for each that it knows.
func (s *Service) ElsewhereStates(ctx context.Context, app string, upstreamIDs []string) ([]json.RawMessage, error) {
	served, ok := s.Apps[app]
	if !ok {
		return nil, fmt.Errorf("%w %q", ErrUnknownApp, app)
	}
	states, err := served.Sender.StatusBatch(ctx, upstreamIDs)
	if err != nil {
		return nil, fromEngageLab(err)
	}
	return states, nil
}

// Recipients returns those of the registration ids that are recipients of an app's push, or storage.ErrNotFound if the
// app has no such push.
func (s *Service) Recipients(ctx context.Context, app string, id int64, registrationIDs []string) ([]storage.Recipient, error) {
	if _, err := s.Store.GetPush(ctx, app, id); err != nil {
		return nil, err
	}
	return s.Store.FindRecipients(ctx, id, registrationIDs)
}

// FailureOf returns what EngageLab last said about why a push failed for a recipient, empty if it said nothing.
func (s *Service) FailureOf(ctx context.Context, push storage.Push, registrationID string) (message string, err error) {
	events, err := s.Store.ListEvents(ctx, storage.EventQuery{App: push.App, PushID: push.ID, RegistrationID: registrationID})
	for _, event := range events {
		if event.Milestone == storage.Failed {
			message = event.ErrorMessage
		}
	}
	return message, err
}

// ListEvents returns a page of events in the order in which they were stored.
func (s *Service) ListEvents(ctx context.Context, q storage.EventQuery) ([]storage.Event, error) {
	return s.Store.ListEvents(ctx, q)
}

// ListHeldCallbacks returns a page of what an app's callbacks reported about nobody that is known.
func (s *Service) ListHeldCallbacks(ctx context.Context, q storage.HeldQuery) ([]storage.HeldCallback, error) {
	return s.Store.ListHeldCallbacks(ctx, q)
}

// LastSequence returns the place of the latest event.
func (s *Service) LastSequence(ctx context.Context) (int64, error) { return s.Store.LastSequence(ctx) }
