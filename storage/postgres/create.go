package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"susul.dev/susul/storage"
)

// fewRecipients is up to how many recipients come with one ordinary statement. To copy them is faster for more.
const fewRecipients = 500

// creation is how storing a push went.
type creation struct {
	push    storage.Push
	created bool
}

// CreatePush implements storage.Pushes. It is one transaction: nobody waits for it but who uses the same request id, and he for some
// seconds at most.
func (s *Store) CreatePush(ctx context.Context, draft storage.PushDraft) (storage.Push, bool, error) {
	dispatches, err := packDrafts(draft.Dispatches)
	if err != nil {
		return storage.Push{}, false, err
	}
	if err := s.pinPolicy(ctx, draft.Push.Policy); err != nil {
		return storage.Push{}, false, err
	}
	c, err := write(ctx, s, func(t *tx) (creation, error) {
		inserted, err := t.insertPush(draft.Push, storage.PushActive, len(draft.Recipients))
		if err != nil {
			return creation{}, err
		}
		if !inserted {
			earlier, err := t.earlierPush(draft.Push)
			return creation{push: earlier}, err
		}
		p, err := t.fillPush(draft, dispatches)
		return creation{push: p, created: true}, err
	})
	if violates(err, "recipient_member") {
		err = errors.New("a push names a recipient twice")
	}
	return c.push, c.created, err
}

// pinPolicy stores a policy's revision, ahead of the push: other pushes of the same revision do not wait for it then.
func (s *Store) pinPolicy(ctx context.Context, v *storage.PinnedPolicy) error {
	if v == nil {
		return nil
	}
	_, err := write(ctx, s, func(t *tx) (int64, error) {
		return t.exec(`INSERT INTO policy_revision (uid, revision, name, spec) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
			v.UID, v.Revision, v.Name, blob(v.Spec))
	})
	return err
}

// insertPush stores a push's own row, unless its id or its request id is taken. If somebody is about to take one of them, it waits for
// what comes of it.
func (t *tx) insertPush(p storage.Push, state storage.PushState, recipients int) (inserted bool, err error) {
	var policyUID *string
	var policyRevision *int64
	if v := p.Policy; v != nil {
		policyUID, policyRevision = &v.UID, &v.Revision
	}
	n, err := t.exec(`INSERT INTO push (id, app, request_id, fingerprint, listed, external, state, time_to_live, create_time,
		first_sent_time, recipients, policy_uid, policy_revision, callback_urls, document)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT DO NOTHING`,
		p.ID, p.App, p.RequestID, blob(p.Fingerprint), p.Listed, p.External, state, p.TimeToLive.Milliseconds(), p.CreateTime.UnixMilli(),
		millis(p.FirstSentTime), recipients, policyUID, policyRevision, p.CallbackURLs, blob(p.Document))
	return n > 0, err
}

const earlierByRequest = selectPush + `p.app = $1 AND p.request_id = $2 AND p.request_id <> '' AND p.state NOT IN ('REJECTED', 'EXPIRED')`

// earlierPush returns the push that used a request id before; if there is none, the push's own id is taken.
func (t *tx) earlierPush(p storage.Push) (storage.Push, error) {
	earlier, err := first(t.ctx, t, scanPush, earlierByRequest, p.App, p.RequestID)
	switch {
	case err == nil && !bytes.Equal(earlier.Fingerprint, p.Fingerprint):
		return storage.Push{}, storage.ErrRequestIDReused
	case !errors.Is(err, storage.ErrNotFound):
		return earlier, err
	}
	switch _, err := pushByID(t.ctx, t, p.ID); {
	case err == nil:
		return storage.Push{}, storage.ErrConflict
	case errors.Is(err, storage.ErrNotFound):
		return storage.Push{}, errAgain // the earlier one was rejected, or expired, a moment ago
	default:
		return storage.Push{}, err
	}
}

// fillPush stores all that belongs to a push, and returns it.
func (t *tx) fillPush(draft storage.PushDraft, dispatches []packedDraft) (storage.Push, error) {
	id := draft.Push.ID
	if err := t.insertRecipients(id, draft.Recipients); err != nil {
		return storage.Push{}, err
	}
	of := planned{app: draft.Push.App, push: id, home: t.store.home, time: draft.Push.CreateTime}
	if err := t.insertDispatches(of, dispatches); err != nil {
		return storage.Push{}, err
	}
	if err := t.insertSteps(id, storage.StepWaiting, draft.Steps); err != nil {
		return storage.Push{}, err
	}
	if err := t.passOver(id, 0, nil, draft.Push.CreateTime, draft.PassedOver); err != nil {
		return storage.Push{}, err
	}
	return pushByID(t.ctx, t, id)
}

// insertRecipients stores the first recipients of a push.
func (t *tx) insertRecipients(push int64, ids []string) error {
	switch {
	case len(ids) == 0:
		return nil
	case len(ids) <= fewRecipients:
		_, err := t.exec(`INSERT INTO recipient (push_id, ordinal, registration_id)
			SELECT $1, o.n - 1, o.id FROM unnest($2::text[]) WITH ORDINALITY AS o (id, n)`, push, ids)
		return err
	}
	rows := pgx.CopyFromSlice(len(ids), func(i int) ([]any, error) { return []any{push, i, ids[i]}, nil })
	_, err := t.CopyFrom(t.ctx, pgx.Identifier{"recipient"}, []string{"push_id", "ordinal", "registration_id"}, rows)
	return err
}

// insertSteps stores a push's timers.
func (t *tx) insertSteps(push int64, state storage.StepState, steps []storage.StepDraft) error {
	if len(steps) == 0 {
		return nil
	}
	numbers, offsets := make([]int, len(steps)), make([]int64, len(steps))
	for i, step := range steps {
		numbers[i], offsets[i] = step.Number, step.Offset.Milliseconds()
	}
	_, err := t.exec(`INSERT INTO step (push_id, number, state, offset_ms, next_ordinal, cancel_reason)
		SELECT $1, s.number, $2, s.offset_ms, 0, '' FROM unnest($3::smallint[], $4::bigint[]) AS s (number, offset_ms)`,
		push, state, numbers, offsets)
	return err
}

// oneRow returns storage.ErrConflict unless a statement changed a row.
func oneRow(tag pgconn.CommandTag) error {
	if tag.RowsAffected() == 0 {
		return fmt.Errorf("%w: there is one already", storage.ErrConflict)
	}
	return nil
}
