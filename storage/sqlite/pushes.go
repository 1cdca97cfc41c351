package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"math"

	"susul.dev/susul/storage"
)

// What a push is read from. A draft, and a discarded one, is hidden.
const (
	pushColumns = `SELECT p.id, p.app, p.request_id, p.fingerprint, p.listed, p.external, p.state, p.time_to_live, p.create_time,
	p.first_sent_time, p.recipients, p.refusal, p.callback_urls, v.uid, v.revision, v.name, `
	fromPush = ` FROM push p LEFT JOIN policy_revision v ON v.uid = p.policy_uid AND v.revision = p.policy_revision `
	visible  = `p.state NOT IN ('DRAFT', 'DISCARDED')`

	selectPush = pushColumns + `p.document, v.spec` + fromPush + `WHERE ` + visible + ` AND `
	// A page of pushes comes without what is large.
	selectPushes = pushColumns + `NULL, NULL` + fromPush + `WHERE ` + visible + ` AND `
	pageOfPushes = `p.app = ? AND p.id < ? ORDER BY p.id DESC LIMIT ?`
)

func scanPush(rows *sql.Rows) (p storage.Push, err error) {
	var uid, name sql.NullString
	var revision sql.NullInt64
	var spec []byte
	err = rows.Scan(&p.ID, &p.App, &p.RequestID, &p.Fingerprint, &p.Listed, &p.External, &p.State, millisSpan{&p.TimeToLive},
		millisTime{&p.CreateTime}, millisTime{&p.FirstSentTime}, &p.Recipients, fromJSON[*storage.Refusal]{&p.Refusal},
		fromJSON[[]string]{&p.CallbackURLs}, &uid, &revision, &name, &p.Document, &spec)
	if uid.Valid {
		p.Policy = &storage.PinnedPolicy{UID: uid.String, Revision: revision.Int64, Name: name.String, Spec: spec}
	}
	return p, err
}

func pushByID(ctx context.Context, q querier, id int64) (storage.Push, error) {
	return first(ctx, q, scanPush, selectPush+`p.id = ?`, id)
}

func pushOfApp(ctx context.Context, q querier, app string, id int64) (storage.Push, error) {
	return first(ctx, q, scanPush, selectPush+`p.id = ? AND p.app = ?`, id, app)
}

// readOf reads rows that belong to a push; one that is absent or hidden has none.
func readOf[T any](ctx context.Context, s *Store, id int64, run func(querier) ([]T, error)) ([]T, error) {
	return read(ctx, s, func(q querier) ([]T, error) {
		_, err := first(ctx, q, value[int64], `SELECT p.id FROM push p WHERE p.id = ? AND `+visible, id)
		switch {
		case errors.Is(err, storage.ErrNotFound):
			return nil, nil
		case err != nil:
			return nil, err
		}
		return run(q)
	})
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
		return collect(ctx, q, scanPush, selectPushes+pageOfPushes, query.App, before, page(query.Limit))
	})
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
	return t.cancelOpenSteps(id, reason)
}

// cancelOpenSteps cancels the steps that are not planned to their end, with what was planned of them and not claimed.
func (t *tx) cancelOpenSteps(id int64, reason storage.Reason) error {
	open, err := collect(t.ctx, t, value[int], `SELECT number FROM step
		WHERE push_id = ? AND state IN ('WAITING', 'SCHEDULED')`, id)
	for _, number := range open {
		err = errors.Join(err, t.cancelStep(id, number, reason))
	}
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
