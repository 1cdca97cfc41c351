package postgres

import (
	"context"
	"math"
	"time"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// batch is what one call of RecordCallbacks brought, or a part of what was held.
type batch struct {
	app      string
	received int64 // milliseconds
	summary  storage.CallbackSummary
	full     bool // rows of unknown messages could not be held
}

// entry is one reported row on its way into the log.
type entry struct {
	batch *batch
	row   *storage.Callback
	at    int32 // the row's place in its batch
	held  int64 // the row's id where it is held; 0 for one that is not

	target  *target // nil: its message is not known
	ordinal uint32
	member  bool // ordinal is known
	kind    uint32
	time    uint32 // in seconds
}

// upstreamID and registrationID are the row's, as they can be stored.
func (e *entry) upstreamID() string     { return keyText(e.row.UpstreamID) }
func (e *entry) registrationID() string { return keyText(e.row.RegistrationID) }

// raw returns the row as it came, as far as it is kept.
func (e *entry) raw() []byte {
	raw := e.row.Raw
	if raw == nil && e.row.Source != nil {
		raw = e.row.Source.Raw(int(e.at))
	}
	return blob(raw[:min(len(raw), storage.MaxRaw)])
}

// seconds returns a time as the log keeps it; ok is false for one that it has no room for.
func seconds(t time.Time) (s uint32, ok bool) {
	unix := t.Unix()
	clamped := min(max(unix, 0), math.MaxUint32)
	return uint32(clamped), unix == clamped
}

// RecordCallbacks implements storage.Callbacks. The batches of many callers are stored together.
func (s *Store) RecordCallbacks(ctx context.Context, app string, received time.Time, rows []storage.Callback) (storage.CallbackSummary, error) {
	switch {
	case s.closed.Load():
		return storage.CallbackSummary{}, errClosed
	case ctx.Err() != nil || len(rows) == 0:
		return storage.CallbackSummary{}, ctx.Err()
	}
	j := &job{store: s, rows: rows, batch: batch{app: app, received: received.UnixMilli()}, done: make(chan struct{})}
	if err := s.recorder.add(j); err != nil {
		return storage.CallbackSummary{}, err
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		if s.recorder.drop(j) {
			return storage.CallbackSummary{}, ctx.Err()
		}
		<-j.done // the rows are being read, and are not the caller's again yet
	}
	switch {
	case j.err != nil:
		return storage.CallbackSummary{}, j.err
	case j.full:
		return j.summary, storage.ErrHeldFull
	}
	return j.summary, nil
}

// statusRefused is the status of the events that Susul itself appends for a refused dispatch.
const statusRefused = "refused"

// appendRefusals has a Failed event appended for each of some recipients whom EngageLab refused, or for nil, for all. It comes with the end
// of the transaction.
func (t *tx) appendRefusals(push, dispatch int64, step int, ordinals []uint32, refusal storage.Refusal, at time.Time) error {
	r := t.record()
	app, size, err := t.appAndSize(push)
	if err != nil {
		return err
	}
	row := &storage.Callback{Status: statusRefused, Milestone: storage.Failed, Time: at, ErrorCode: refusal.Code, ErrorMessage: refusal.Message}
	b := &batch{app: app, received: at.UnixMilli()}
	to := &target{push: push, dispatch: layout.Dispatch{ID: dispatch, Step: uint8(step)}}
	if ordinals == nil {
		for ordinal := range size {
			r.entries = append(r.entries, entry{batch: b, row: row, target: to, ordinal: ordinal, member: true})
		}
	}
	for _, ordinal := range ordinals {
		r.entries = append(r.entries, entry{batch: b, row: row, target: to, ordinal: ordinal, member: true})
	}
	return nil
}

// record returns what the transaction is to append to the log at its end.
func (t *tx) record() *recording {
	if t.recording == nil {
		t.recording = &recording{t: t, db: t.store.database}
	}
	return t.recording
}
