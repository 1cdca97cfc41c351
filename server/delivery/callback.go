package delivery

import (
	"context"
	"fmt"
	"strings"
	"time"

	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/storage"
)

// What is kept of a callback's texts, in bytes.
const (
	maxStatus       = 64
	maxID           = 128
	maxErrorMessage = 1024
)

// knownStatuses maps EngageLab's names, lower-cased, to milestones. Names come from its documentation and SDKs, which
// differ among themselves; configuration adds to them.
func knownStatuses(extra map[string]storage.Milestone) map[string]storage.Milestone {
	statuses := map[string]storage.Milestone{
		"sent":             storage.Sent,
		"delivered":        storage.Delivered,
		"impression":       storage.Displayed,
		"impressions":      storage.Displayed,
		"displayed":        storage.Displayed,
		"click":            storage.Clicked,
		"clicked":          storage.Clicked,
		"sent_failed":      storage.Failed,
		"delivered_failed": storage.Failed,
		"target_invalid":   storage.Failed,
	}
	for name, milestone := range extra {
		statuses[strings.ToLower(name)] = milestone
	}
	return statuses
}

// RecordCallbacks stores what EngageLab reported about an app's pushes. It is durable when the method returns nil. Rows
// that were stored before count no second time.
func (s *Service) RecordCallbacks(ctx context.Context, app string, rows []storage.Callback) (storage.CallbackSummary, error) {
	if _, ok := s.Apps[app]; !ok {
		return storage.CallbackSummary{}, fmt.Errorf("%w %q", ErrUnknownApp, app)
	}
	if len(rows) == 0 {
		return storage.CallbackSummary{}, nil
	}
	now := s.Clock.Now()
	for i := range rows {
		s.normalise(&rows[i], now)
	}
	summary, err := s.Store.RecordCallbacks(ctx, app, now, rows)
	if err != nil {
		return storage.CallbackSummary{}, err
	}
	s.Metrics.callbacksRecorded(app, summary)
	if summary.Held > 0 {
		wake(s.strays)
	}
	return summary, nil
}

// normalise finds the row's milestone and gives its status one spelling, by which repeated rows are recognised. Failures
// and unknown statuses keep their own names.
func (s *Service) normalise(row *storage.Callback, now time.Time) {
	row.UpstreamID = clip(row.UpstreamID, maxID)
	row.RegistrationID = clip(row.RegistrationID, maxID)
	row.Status = clip(strings.ToLower(strings.TrimSpace(row.Status)), maxStatus)
	row.ErrorMessage = clip(row.ErrorMessage, maxErrorMessage)
	row.Channel = clip(row.Channel, maxStatus)
	row.LossSource = clip(row.LossSource, maxStatus)
	row.Raw = row.Raw[:min(len(row.Raw), storage.MaxRaw)]
	row.Milestone = s.statuses[row.Status]
	if row.Milestone != storage.MilestoneUnknown && row.Milestone != storage.Failed {
		row.Status = strings.ToLower(row.Milestone.String())
	}
	if year := row.Time.Year(); row.Time.IsZero() || year < 1 || year > 9999 { // protos and JSON know no others
		row.Time = now
	}
}

// clip cuts a text to n bytes, and what is not UTF-8 out of it.
func clip(text string, n int) string {
	return strings.ToValidUTF8(text[:min(len(text), n)], "")
}

// FromWire turns rows as EngageLab posts them into callbacks.
func FromWire(rows []engagelab.CallbackRow) []storage.Callback {
	callbacks := make([]storage.Callback, len(rows))
	for i, row := range rows {
		callbacks[i] = storage.Callback{
			UpstreamID:     row.MessageID,
			RegistrationID: row.To,
			Status:         row.Status.MessageStatus,
			ErrorCode:      row.Status.ErrorCode,
			ErrorMessage:   row.Status.ErrorDetail.Message,
			Channel:        row.Channel,
			LossSource:     row.Status.Loss.LossSource,
			Raw:            row.Raw,
		}
		callbacks[i].Time = engagelab.FromEpoch(row.ITime)
	}
	return callbacks
}
