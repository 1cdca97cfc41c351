package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"susul.dev/susul/storage"
)

// fewRecipients is up to how many recipients come with one ordinary statement. To copy them is faster for more.
const fewRecipients = 500

// What keeps a push from being stored.
const (
	pushIDTaken        = "push_pkey"
	pushRequestTaken   = "push_request"
	pushPolicyMissing  = "push_policy_uid_policy_revision_fkey"
	dispatchChunkTaken = "dispatch_push_id_step_chunk_key"
)

// creation is how storing a push went.
type creation struct {
	push    storage.Push
	created bool
}

// CreatePush implements storage.Pushes. It is one transaction, sent at once unless there are many recipients: nobody waits for it but who
// uses the same request id, and he for some seconds at most.
func (s *Store) CreatePush(ctx context.Context, draft storage.PushDraft) (storage.Push, bool, error) {
	dispatches, err := packDrafts(draft.Dispatches)
	if err != nil {
		return storage.Push{}, false, err
	}
	if err := s.pinPolicy(ctx, draft.Push.Policy); err != nil {
		return storage.Push{}, false, err
	}
	again := false // whether it was stored already is not known
	c, err := tried(s, func() (creation, error) {
		p, err := writeOnce(ctx, s, func(t *tx) (storage.Push, error) { return t.create(draft, dispatches) })
		switch {
		case errors.Is(err, errUncertain) && ctx.Err() == nil:
			again, err = true, fmt.Errorf("%w: %w", errLost, err)
		case violates(err, pushIDTaken), violates(err, pushRequestTaken):
			return s.earlierPush(ctx, draft.Push, again)
		case violates(err, pushPolicyMissing): // a PostgreSQL took over that did not get it
			if err = s.storePolicy(ctx, draft.Push.Policy); err == nil {
				err = errAgain
			}
		}
		return creation{push: p, created: true}, err
	})
	switch {
	case violates(err, "recipient_member"):
		err = errors.New("a push names a recipient twice")
	case err != nil:
		err = conflictOfChunks(err)
	}
	return c.push, c.created && err == nil, err
}

// pinPolicy stores a policy's revision, ahead of the push: other pushes of the same revision do not wait for it then. What is known to be
// there is not stored again.
func (s *Store) pinPolicy(ctx context.Context, v *storage.PinnedPolicy) error {
	if v == nil {
		return nil
	}
	key := policyRevision{v.UID, v.Revision}
	if _, known := s.policies.get(key); known {
		return nil
	}
	err := s.storePolicy(ctx, v)
	if err == nil {
		s.policies.put(key, struct{}{})
	}
	return err
}

// policyRevision names a revision of a policy.
type policyRevision struct {
	uid      string
	revision int64
}

func (s *Store) storePolicy(ctx context.Context, v *storage.PinnedPolicy) error {
	_, err := write(ctx, s, func(t *tx) (int64, error) {
		return t.exec(`INSERT INTO policy_revision (uid, revision, name, spec) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
			v.UID, v.Revision, v.Name, blob(v.Spec))
	})
	return err
}

const earlierByRequest = selectPush + `p.app = $1 AND p.request_id = $2 AND p.request_id <> '' AND p.state NOT IN ('REJECTED', 'EXPIRED')`

// earlierPush returns the push that used a request id before; if there is none, the push's own id is taken. If the push is stored for
// the second time, the one that is there may be this one.
func (s *Store) earlierPush(ctx context.Context, p storage.Push, again bool) (creation, error) {
	return read(ctx, s, func(q querier) (creation, error) {
		same, err := pushByID(ctx, q, p.ID)
		taken := err == nil
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return creation{}, err
		}
		if again && taken && same.App == p.App && same.CreateTime.UnixMilli() == p.CreateTime.UnixMilli() &&
			bytes.Equal(same.Fingerprint, p.Fingerprint) {
			return creation{push: same, created: true}, nil
		}
		earlier, err := first(ctx, q, scanPush, earlierByRequest, p.App, p.RequestID)
		switch {
		case err == nil && !bytes.Equal(earlier.Fingerprint, p.Fingerprint):
			return creation{}, storage.ErrRequestIDReused
		case !errors.Is(err, storage.ErrNotFound):
			return creation{push: earlier}, err
		case taken:
			return creation{}, storage.ErrConflict
		}
		return creation{}, errAgain // the earlier one was rejected, or expired, a moment ago
	})
}

// create stores a push with all that belongs to it, returns it, and commits.
func (t *tx) create(draft storage.PushDraft, dispatches []packedDraft) (stored storage.Push, err error) {
	if err := t.fence(); err != nil {
		return storage.Push{}, err
	}
	p, id := pipeline{}, draft.Push.ID
	p.addPush(draft.Push, len(draft.Recipients))
	if few := len(draft.Recipients) <= fewRecipients; few {
		p.addRecipients(id, draft.Recipients)
	} else {
		if err := p.run(t); err != nil {
			return storage.Push{}, err
		}
		if err := t.copyRecipients(id, draft.Recipients); err != nil {
			return storage.Push{}, err
		}
		p = pipeline{}
	}
	p.addDispatches(planned{app: draft.Push.App, push: id, home: t.store.home, time: draft.Push.CreateTime}, dispatches)
	p.addSteps(id, draft.Steps)
	p.addPassedOver(id, 0, nil, draft.Push.CreateTime, draft.PassedOver)
	p.query(func(rows pgx.Rows) (err error) {
		stored, err = pgx.CollectExactlyOneRow(rows, scanPush)
		return err
	}, selectPush+`p.id = $1`, id)
	return stored, p.runLast(t)
}

// addPush stores a push's own row, unless its id or its request id is taken. If somebody is about to take one of them, it waits for what
// comes of it.
func (p *pipeline) addPush(push storage.Push, recipients int) {
	var policyUID *string
	var policyRevision *int64
	if v := push.Policy; v != nil {
		policyUID, policyRevision = &v.UID, &v.Revision
	}
	p.addLarge(len(push.Document), `INSERT INTO push (id, app, request_id, fingerprint, listed, external, state, time_to_live, create_time,
		first_sent_time, recipients, policy_uid, policy_revision, callback_urls, document)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
		push.ID, push.App, push.RequestID, blob(push.Fingerprint), push.Listed, push.External, storage.PushActive,
		push.TimeToLive.Milliseconds(), push.CreateTime.UnixMilli(), millis(push.FirstSentTime), recipients, policyUID, policyRevision,
		push.CallbackURLs, blob(push.Document))
}

// addRecipients stores the first recipients of a push.
func (p *pipeline) addRecipients(push int64, ids []string) {
	if len(ids) > 0 {
		p.add(`INSERT INTO recipient (push_id, ordinal, registration_id)
			SELECT $1, o.n - 1, o.id FROM unnest($2::text[]) WITH ORDINALITY AS o (id, n)`, push, ids)
	}
}

// copyRecipients is addRecipients for many.
func (t *tx) copyRecipients(push int64, ids []string) error {
	rows := pgx.CopyFromSlice(len(ids), func(i int) ([]any, error) { return []any{push, i, ids[i]}, nil })
	_, err := t.CopyFrom(t.ctx, pgx.Identifier{"recipient"}, []string{"push_id", "ordinal", "registration_id"}, rows)
	return err
}

// addSteps stores a push's timers.
func (p *pipeline) addSteps(push int64, steps []storage.StepDraft) {
	if len(steps) == 0 {
		return
	}
	numbers, offsets := make([]int, len(steps)), make([]int64, len(steps))
	for i, step := range steps {
		numbers[i], offsets[i] = step.Number, step.Offset.Milliseconds()
	}
	p.add(`INSERT INTO step (push_id, number, state, offset_ms, next_ordinal, cancel_reason)
		SELECT $1, s.number, $2, s.offset_ms, 0, '' FROM unnest($3::smallint[], $4::bigint[]) AS s (number, offset_ms)`,
		push, storage.StepWaiting, numbers, offsets)
}

// conflictOfChunks is storage.ErrConflict where a step has a chunk already.
func conflictOfChunks(err error) error {
	if violates(err, dispatchChunkTaken) {
		return fmt.Errorf("%w: the step has a chunk already", storage.ErrConflict)
	}
	return err
}
