package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"math"

	"susul.dev/susul/storage"
)

const selectPush = `SELECT p.id, p.app, p.request_id, p.fingerprint, p.listed, p.state, p.time_to_live, p.create_time,
	p.first_sent_time, p.recipients, p.refusal, p.callback_urls, p.document, v.uid, v.revision, v.name, v.spec
	FROM push p LEFT JOIN policy_revision v ON v.uid = p.policy_uid AND v.revision = p.policy_revision `

func scanPush(rows *sql.Rows) (p storage.Push, err error) {
	var uid, name sql.NullString
	var revision sql.NullInt64
	var spec []byte
	err = rows.Scan(&p.ID, &p.App, &p.RequestID, &p.Fingerprint, &p.Listed, &p.State, millisSpan{&p.TimeToLive},
		millisTime{&p.CreateTime}, millisTime{&p.FirstSentTime}, &p.Recipients, fromJSON[*storage.Refusal]{&p.Refusal},
		fromJSON[[]string]{&p.CallbackURLs}, &p.Document, &uid, &revision, &name, &spec)
	if uid.Valid {
		p.Policy = &storage.PinnedPolicy{UID: uid.String, Revision: revision.Int64, Name: name.String, Spec: spec}
	}
	return p, err
}

func pushByID(ctx context.Context, q querier, id int64) (storage.Push, error) {
	return first(ctx, q, scanPush, selectPush+`WHERE p.id = ?`, id)
}

func pushOfApp(ctx context.Context, q querier, app string, id int64) (storage.Push, error) {
	return first(ctx, q, scanPush, selectPush+`WHERE p.id = ? AND p.app = ?`, id, app)
}

// GetPush implements storage.Pushes.
func (s *Store) GetPush(ctx context.Context, app string, id int64) (storage.Push, error) {
	return read(ctx, s, func(q querier) (storage.Push, error) { return pushOfApp(ctx, q, app, id) })
}

// PushOf implements storage.Planning.
func (s *Store) PushOf(ctx context.Context, id int64) (storage.Push, error) {
	return read(ctx, s, func(q querier) (storage.Push, error) { return pushByID(ctx, q, id) })
}

// ListPushes implements storage.Pushes.
func (s *Store) ListPushes(ctx context.Context, query storage.PushQuery) ([]storage.Push, error) {
	before := query.Before
	if before == 0 {
		before = math.MaxInt64
	}
	return read(ctx, s, func(q querier) ([]storage.Push, error) {
		return collect(ctx, q, scanPush, selectPush+`WHERE p.app = ? AND p.id < ? ORDER BY p.id DESC LIMIT ?`,
			query.App, before, page(query.Limit))
	})
}

// CreatePush implements storage.Pushes.
func (s *Store) CreatePush(ctx context.Context, draft storage.PushDraft) (storage.Push, bool, error) {
	type outcome struct {
		push    storage.Push
		created bool
	}
	o, err := write(ctx, s, func(t *tx) (o outcome, err error) {
		o.push, err = t.earlierPush(draft.Push)
		if !errors.Is(err, storage.ErrNotFound) {
			return o, err
		}
		o.created = true
		if err := t.createPush(draft); err != nil {
			return o, err
		}
		o.push, err = pushByID(t.ctx, t, draft.Push.ID)
		return o, err
	})
	return o.push, o.created, err
}

// earlierPush returns the push that used the request id before, or storage.ErrNotFound.
func (t *tx) earlierPush(p storage.Push) (storage.Push, error) {
	if p.RequestID == "" {
		return storage.Push{}, storage.ErrNotFound
	}
	earlier, err := first(t.ctx, t, scanPush,
		selectPush+`WHERE p.app = ? AND p.request_id = ? AND p.request_id <> '' AND p.state <> 'REJECTED'`, p.App, p.RequestID)
	if err == nil && !bytes.Equal(earlier.Fingerprint, p.Fingerprint) {
		return storage.Push{}, storage.ErrRequestIDReused
	}
	return earlier, err
}

func (t *tx) createPush(draft storage.PushDraft) error {
	p := draft.Push
	if err := t.insertPush(p, len(draft.Recipients)); err != nil {
		return err
	}
	if _, err := insertRecipients.exec(t, len(draft.Recipients), func(args []any, i int) []any {
		return append(args, p.ID, i, draft.Recipients[i])
	}); err != nil {
		return err
	}
	for _, step := range draft.Steps {
		if _, err := t.exec(`INSERT INTO step (push_id, number, state, offset_ms, next_ordinal, cancel_reason)
			VALUES (?, ?, ?, ?, 0, '')`, p.ID, step.Number, storage.StepWaiting, step.Offset.Milliseconds()); err != nil {
			return err
		}
	}
	return t.insertDispatches(p.App, p.ID, 0, draft.Dispatches)
}

func (t *tx) insertPush(p storage.Push, recipients int) error {
	var policyUID, policyRevision any
	if v := p.Policy; v != nil {
		policyUID, policyRevision = v.UID, v.Revision
		if _, err := t.exec(`INSERT INTO policy_revision (uid, revision, name, spec) VALUES (?, ?, ?, ?)
			ON CONFLICT DO NOTHING`, v.UID, v.Revision, v.Name, blob(v.Spec)); err != nil {
			return err
		}
	}
	urls, err := asJSON(p.CallbackURLs, p.CallbackURLs == nil)
	if err != nil {
		return err
	}
	inserted, err := t.exec(`INSERT INTO push (id, app, request_id, fingerprint, listed, state, time_to_live, create_time,
		recipients, policy_uid, policy_revision, callback_urls, document)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
		p.ID, p.App, p.RequestID, blob(p.Fingerprint), p.Listed, storage.PushActive, p.TimeToLive.Milliseconds(),
		p.CreateTime.UnixMilli(), recipients, policyUID, policyRevision, urls, blob(p.Document))
	if err == nil && inserted == 0 {
		err = storage.ErrConflict
	}
	return err
}

// WithdrawPush implements storage.Pushes.
func (s *Store) WithdrawPush(ctx context.Context, app string, id int64) (storage.Push, error) {
	return write(ctx, s, func(t *tx) (storage.Push, error) {
		p, err := pushOfApp(t.ctx, t, app, id)
		switch {
		case err != nil:
			return p, err
		case p.State == storage.PushWithdrawing:
			return p, nil
		case p.State != storage.PushActive:
			return p, storage.ErrConflict
		}
		p.State = storage.PushWithdrawing
		if _, err := t.exec(`UPDATE push SET state = ? WHERE id = ?`, p.State, id); err != nil {
			return p, err
		}
		return p, t.cancelRest(id, storage.ReasonWithdrawn)
	})
}

// cancelRest cancels what is still to come of a push: its blocked and pending dispatches and its open steps.
func (t *tx) cancelRest(id int64, reason storage.Reason) error {
	if _, err := t.exec(`UPDATE dispatch SET state = 'CANCELLED', reason = ?, ready_time = NULL
		WHERE push_id = ? AND state IN ('BLOCKED', 'PENDING')`, reason, id); err != nil {
		return err
	}
	_, err := t.exec(`UPDATE step SET state = 'CANCELLED', cancel_reason = ?
		WHERE push_id = ? AND state IN ('WAITING', 'SCHEDULED')`, reason, id)
	return err
}

// ConfirmWithdrawal implements storage.Pushes.
func (s *Store) ConfirmWithdrawal(ctx context.Context, id int64) error {
	_, err := write(ctx, s, func(t *tx) (struct{}, error) {
		p, err := pushByID(t.ctx, t, id)
		if err == nil && p.State != storage.PushWithdrawing {
			err = storage.ErrConflict
		}
		if err == nil {
			_, err = t.exec(`UPDATE push SET state = ? WHERE id = ?`, storage.PushWithdrawn, id)
		}
		return struct{}{}, err
	})
	return err
}
