package sqlite

import (
	"context"
	"database/sql"
	"time"

	"susul.dev/susul/storage"
)

const dispatchColumns = `id, push_id, step, chunk, state, attempt, plan_time, claim_time, due_time, expire_time, sent_time,
	COALESCE(upstream_id, ''), reason, refusal, variant, plain_content, override, recipients, content`

func scanDispatch(rows *sql.Rows) (d storage.Dispatch, err error) {
	err = rows.Scan(&d.ID, &d.PushID, &d.Step, &d.Chunk, &d.State, &d.Attempt, millisTime{&d.PlanTime}, millisTime{&d.ClaimTime},
		millisTime{&d.DueTime}, millisTime{&d.ExpireTime}, millisTime{&d.SentTime}, &d.UpstreamID, &d.Reason,
		fromJSON[*storage.Refusal]{&d.Refusal}, &d.Variant, &d.PlainContent, &d.Override, ordinalList{&d.Recipients}, &d.Content)
	return d, err
}

var insertDispatch = bulk{`INSERT INTO dispatch (app, push_id, step, chunk, state, attempt, plan_time, due_time, expire_time,
	ready_time, reason, units, settled, recipient_count, low, high, variant, plain_content, override, recipients, content)`, 21,
	`ON CONFLICT (push_id, step, chunk) DO NOTHING`}

// insertDispatches stores dispatches of a step that was planned at a time; those of step 0 are blocked at first. A chunk number
// that the step has already gets storage.ErrConflict.
func (t *tx) insertDispatches(app string, push int64, step int, planned time.Time, drafts []packedDraft) error {
	inserted, err := insertDispatch.exec(t, len(drafts), func(args []any, i int) []any {
		d := drafts[i]
		state, due := storage.DispatchPending, d.DueTime.UnixMilli()
		ready := any(due)
		if step == 0 {
			state, ready = storage.DispatchBlocked, nil
		}
		list, count := packOrdinals(d.Recipients)
		low, high := bounds(d.Recipients)
		return append(args, app, push, step, d.Chunk, state, 0, millis(planned), due, millis(d.ExpireTime), ready, "",
			d.Units(), 0, count, low, high, d.Variant, d.PlainContent, d.Override, list, blob(d.Content))
	})
	if err == nil && inserted < int64(len(drafts)) {
		err = storage.ErrConflict
	}
	if err != nil {
		return err
	}
	return t.insertSingles(push, step, drafts)
}

func (t *tx) dispatch(id int64) (storage.Dispatch, error) {
	return first(t.ctx, t, scanDispatch, `SELECT `+dispatchColumns+` FROM dispatch WHERE id = ?`, id)
}

const selectDispatches = `SELECT ` + dispatchColumns + ` FROM dispatch WHERE push_id = ? AND id > ? ORDER BY id LIMIT ?`

// ListDispatches implements storage.Pushes.
func (s *Store) ListDispatches(ctx context.Context, id int64, after int64, limit int) ([]storage.Dispatch, error) {
	return readOf(ctx, s, id, func(q querier) ([]storage.Dispatch, error) {
		return collect(ctx, q, scanDispatch, selectDispatches, id, after, page(limit))
	})
}

// NextDispatchTime implements storage.Dispatches.
func (s *Store) NextDispatchTime(ctx context.Context, app string) (time.Time, bool, error) {
	t, err := read(ctx, s, func(q querier) (time.Time, error) {
		return first(ctx, q, earliest, `SELECT MIN(ready_time) FROM dispatch WHERE app = ? AND ready_time IS NOT NULL`, app)
	})
	return t, !t.IsZero(), err
}

// ClaimDispatches implements storage.Dispatches. What goes along with the claims is read after they are stored, so
// that the writer goes on meanwhile.
func (s *Store) ClaimDispatches(ctx context.Context, req storage.ClaimRequest) ([]storage.Claim, error) {
	dispatches, err := write(ctx, s, func(t *tx) ([]storage.Dispatch, error) { return t.claim(req) })
	if err != nil || len(dispatches) == 0 {
		return nil, err
	}
	claims, err := read(ctx, s, func(q querier) ([]storage.Claim, error) { return claimsOf(ctx, q, dispatches) })
	if err != nil {
		return nil, err
	}
	for _, c := range claims {
		if err := s.fillProgress(ctx, c.Push.ID, c.Recipients); err != nil {
			return nil, err
		}
	}
	return claims, nil
}

func (t *tx) claim(req storage.ClaimRequest) ([]storage.Dispatch, error) {
	now, limit := req.Now.UnixMilli(), page(req.Limit)
	var ids []int64
	for _, followUp := range []int{0, 1} {
		some, err := collect(t.ctx, t, value[int64], `SELECT id FROM dispatch
			WHERE app = ? AND (step > 0) = ? AND due_time <= ? AND ready_time <= ? ORDER BY due_time, id LIMIT ?`,
			req.App, followUp, now, now, limit-len(ids))
		if err != nil {
			return nil, err
		}
		ids = append(ids, some...)
	}
	claimed := make([]storage.Dispatch, len(ids))
	for i, id := range ids {
		var err error
		if claimed[i], err = first(t.ctx, t, scanDispatch, `UPDATE dispatch
			SET state = iif(state = 'SENDING', state, 'CLAIMED'), claim_time = iif(state = 'SENDING', claim_time, ?),
			attempt = attempt + 1, ready_time = ? WHERE id = ? RETURNING `+dispatchColumns,
			now, req.Now.Add(req.Lease).UnixMilli(), id); err != nil {
			return nil, err
		}
	}
	return claimed, nil
}

func claimsOf(ctx context.Context, q querier, dispatches []storage.Dispatch) ([]storage.Claim, error) {
	claims := make([]storage.Claim, len(dispatches))
	pushes := map[int64]storage.Push{}
	for i, d := range dispatches {
		p, known := pushes[d.PushID]
		if !known {
			var err error
			if p, err = pushByID(ctx, q, d.PushID); err != nil {
				return nil, err
			}
			pushes[d.PushID] = p
		}
		if err := openSingles(ctx, q, &d); err != nil {
			return nil, err
		}
		recipients, err := recipientsOf(ctx, q, d.PushID, d.Recipients)
		if err != nil {
			return nil, err
		}
		claims[i] = storage.Claim{Dispatch: d, Push: p, Recipients: recipients}
	}
	return claims, nil
}
