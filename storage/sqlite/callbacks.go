package sqlite

import (
	"context"
	"time"

	"susul.dev/susul/storage"
)

// Why a callback is held.
const (
	heldMessage   = string(storage.HoldUnknownMessage)
	heldRecipient = string(storage.HoldUnknownRecipient)
)

// batch is what one call of RecordCallbacks brought.
type batch struct {
	app      string
	received time.Time
	rows     []storage.Callback
	summary  storage.CallbackSummary
}

// row is one reported row on its way into the log.
type row struct {
	*storage.Callback
	app       string
	received  int64
	summary   *storage.CallbackSummary // where it counts; nil for rows of Susul's own
	target    *target                  // nil: the upstream id is unknown
	recipient *recipient               // nil: the push has no such recipient
	fresh     bool                     // the log did not have it yet
}

// target is what an upstream id stands for.
type target struct {
	push, dispatch int64
	step           int
	audience       *audience
}

// audience is what the rows of one push share.
type audience struct {
	push   int64
	listed bool
	size   int // recipients known
}

// recipient is one recipient of one push, whose progress the rows move on.
type recipient struct {
	push     int64
	ordinal  uint32
	progress storage.Progress
	before   storage.Progress // as stored
	known    bool             // it is stored
}

// RecordCallbacks implements storage.Callbacks.
func (s *Store) RecordCallbacks(ctx context.Context, app string, received time.Time, rows []storage.Callback) (storage.CallbackSummary, error) {
	if len(rows) == 0 {
		return storage.CallbackSummary{}, nil
	}
	b := &batch{app: app, received: received, rows: rows}
	if err := s.writer.do(ctx, &job{batch: b}); err != nil {
		return storage.CallbackSummary{}, err // the writer may still be at it: the summary is not ours to read
	}
	return b.summary, nil
}

// record records the batches of the jobs as one set.
func (t *tx) record(jobs []*job) error {
	n := 0
	for _, j := range jobs {
		n += len(j.batch.rows)
	}
	rows := make([]row, 0, n)
	for _, j := range jobs {
		b := j.batch
		b.summary = storage.CallbackSummary{}
		for i := range b.rows {
			rows = append(rows, row{Callback: &b.rows[i], app: b.app, received: b.received.UnixMilli(), summary: &b.summary})
		}
	}
	return t.apply(rows)
}

// apply takes rows all the way: whom they are about, the log, progress, counters, and what is held.
func (t *tx) apply(rows []row) error {
	if err := t.resolveTargets(rows); err != nil {
		return err
	}
	if err := t.resolveRecipients(rows); err != nil {
		return err
	}
	if err := t.hold(rows); err != nil {
		return err
	}
	if err := t.appendEvents(rows); err != nil {
		return err
	}
	for i := range rows {
		rows[i].count()
	}
	return nil
}

func (r *row) count() {
	switch {
	case r.summary == nil:
	case r.recipient == nil:
		r.summary.Held++
	case r.fresh:
		r.summary.New++
	default:
		r.summary.Repeated++
	}
}

// appendRefusals appends a Failed event for every recipient of a refused dispatch.
func (t *tx) appendRefusals(p storage.Push, d storage.Dispatch, result storage.DispatchResult) error {
	callback := storage.Callback{Status: statusRefused, Milestone: storage.Failed, Time: result.Time}
	if result.Refusal != nil {
		callback.ErrorCode, callback.ErrorMessage = result.Refusal.Code, result.Refusal.Message
	}
	to := &target{push: p.ID, dispatch: d.ID, step: d.Step}
	appendTo := func(recipients []storage.Recipient) error {
		rows := make([]row, len(recipients))
		for i, r := range recipients {
			rows[i] = row{Callback: &callback, app: p.App, received: result.Time.UnixMilli(), target: to,
				recipient: &recipient{push: p.ID, ordinal: r.Ordinal, progress: r.Progress, before: r.Progress, known: true}}
		}
		return t.appendEvents(rows)
	}
	if d.Recipients != nil {
		recipients, err := recipientsOf(t.ctx, t, d.ID)
		if err != nil {
			return err
		}
		return appendTo(recipients)
	}
	for from := uint32(0); ; {
		recipients, err := scanRecipients(t.ctx, t, p.ID, from, maxRows)
		if err != nil || len(recipients) == 0 {
			return err
		}
		if err := appendTo(recipients); err != nil {
			return err
		}
		from = recipients[len(recipients)-1].Ordinal + 1
	}
}
