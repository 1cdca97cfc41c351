package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"susul.dev/susul/storage"
)

const dispatchColumns = `id, push_id, step, chunk, state, attempt, plan_time, claim_time, due_time, expire_time, sent_time,
	COALESCE(upstream_id, ''), reason, refusal, variant, plain_content, override, recipients, content`

func scanDispatch(row pgx.CollectableRow) (d storage.Dispatch, err error) {
	err = row.Scan(&d.ID, &d.PushID, &d.Step, &d.Chunk, &d.State, &d.Attempt, millisTime{&d.PlanTime}, millisTime{&d.ClaimTime},
		millisTime{&d.DueTime}, millisTime{&d.ExpireTime}, millisTime{&d.SentTime}, &d.UpstreamID, &d.Reason, &d.Refusal, &d.Variant,
		&d.PlainContent, &d.Override, ordinalList{&d.Recipients}, &d.Content)
	return d, err
}

// The sum keeps the planner from going through the dispatches of all pushes in the order of their ids.
const selectDispatches = `SELECT ` + dispatchColumns + ` FROM dispatch WHERE push_id = $1 AND id > $2 ORDER BY id + 0 LIMIT $3`

// ListDispatches implements storage.Pushes.
func (s *Store) ListDispatches(ctx context.Context, id int64, after int64, limit int) ([]storage.Dispatch, error) {
	return look(ctx, s, func(q querier) ([]storage.Dispatch, error) {
		return collect(ctx, q, scanDispatch, selectDispatches, id, after, page(limit))
	})
}
