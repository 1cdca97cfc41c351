package delivery

import (
	"context"
	"errors"
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
// differ among themselves; configuration adds to them. A status by which a token is dead is a failure, unless it is said to be
// something else.
func knownStatuses(extra map[string]storage.Milestone, dead deadTokens) map[string]storage.Milestone {
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
	for name := range dead.byName {
		if _, known := statuses[name]; !known {
			statuses[name] = storage.Failed
		}
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
	var named naming
	for i := range rows {
		s.normalise(&rows[i], now, &named)
	}
	summary, err := s.Store.RecordCallbacks(ctx, app, now, rows)
	if err != nil && !errors.Is(err, storage.ErrHeldFull) {
		return storage.CallbackSummary{}, err
	}
	s.Metrics.callbacksRecorded(app, summary)
	if summary.Held > 0 {
		wake(s.strays)
	}
	return summary, err
}

// naming is what a status was found to mean, for the next row that has it too.
type naming struct {
	reported, status string
	milestone        storage.Milestone
}

// normalise finds the row's milestone and gives its status one spelling, by which repeated rows are recognised. Failures
// and unknown statuses keep their own names.
func (s *Service) normalise(row *storage.Callback, now time.Time, last *naming) {
	if last.status == "" || row.Status != last.reported {
		*last = s.name(row.Status)
	}
	row.Status, row.Milestone = last.status, last.milestone
	row.UpstreamID = clip(row.UpstreamID, maxID)
	row.RegistrationID = clip(row.RegistrationID, maxID)
	row.ErrorMessage = clip(row.ErrorMessage, maxErrorMessage)
	row.Channel = clip(row.Channel, maxStatus)
	row.LossSource = clip(row.LossSource, maxStatus)
	if !readable(row.Time) {
		row.Time = now
	}
	row.Invalidates = ""
	if row.Milestone == storage.Failed {
		row.Invalidates = s.dead.reason(row.Status, row.ErrorCode, row.ErrorMessage)
	}
}

// name finds out what a reported status means.
func (s *Service) name(reported string) naming {
	status := clip(strings.ToLower(strings.TrimSpace(reported)), maxStatus)
	milestone := s.statuses[status]
	if milestone != storage.MilestoneUnknown && milestone != storage.Failed {
		status = strings.ToLower(milestone.String())
	}
	return naming{reported, status, milestone}
}

// The times that protos and JSON can tell, but for the zero time, which is none.
var (
	firstTime = time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC)
	lastTime  = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
)

func readable(t time.Time) bool { return !t.Before(firstTime) && t.Before(lastTime) }

// clip cuts a text to n bytes, and what is not UTF-8 out of it.
func clip(text string, n int) string {
	if text == "" {
		return ""
	}
	return strings.ToValidUTF8(text[:min(len(text), n)], "")
}

// AppendWire appends rows as EngageLab posts them as callbacks.
func AppendWire(callbacks []storage.Callback, batch *engagelab.CallbackBatch) []storage.Callback {
	for i := range batch.Rows {
		row := &batch.Rows[i]
		callbacks = append(callbacks, storage.Callback{
			UpstreamID:     row.MessageID,
			RegistrationID: row.To,
			Status:         row.Status.MessageStatus,
			Time:           engagelab.FromEpoch(row.ITime),
			ErrorCode:      row.Status.ErrorCode,
			ErrorMessage:   row.Status.ErrorDetail.Message,
			Channel:        row.Channel,
			LossSource:     row.Status.Loss.LossSource,
			Source:         batch,
		})
	}
	return callbacks
}
