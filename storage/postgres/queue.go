package postgres

import (
	"context"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"susul.dev/susul/storage"
)

// waiting is what waits of a push, and the place of the last of it in the order in which claims take dispatches.
type waiting struct {
	units    int
	due      time.Time
	followUp int // 0 for a first sending, 1 for a follow-up
	last     int64
	id       int64
}

func scanWaiting(row pgx.CollectableRow) (w waiting, err error) {
	err = row.Scan(&w.units, millisTime{&w.due}, &w.followUp, &w.last, &w.id)
	return w, err
}

const (
	selectWaiting = `SELECT sum(d.units) OVER (), max(d.due_time) OVER (), LEAST(d.step, 1), d.due_time, d.id
		FROM dispatch d JOIN push p ON p.id = d.push_id
		WHERE d.push_id = $1 AND p.app = $2 AND d.state IN ('BLOCKED', 'PENDING', 'CLAIMED')
		ORDER BY LEAST(d.step, 1) DESC, d.due_time DESC, d.id DESC LIMIT 1`

	// The index of what may be claimed has what is on its way too; what is blocked has its own.
	claimedAhead = `SELECT COALESCE(sum(units), 0) FROM dispatch WHERE app = $1 AND LEAST(step, 1) = $2 AND (due_time, id) < ($3, $4)
		AND ready_time IS NOT NULL AND state IN ('PENDING', 'CLAIMED') AND push_id <> $5`
	blockedAhead = `SELECT COALESCE(sum(units), 0) FROM dispatch WHERE app = $1 AND state = 'BLOCKED' AND due_time <= $2
		AND (due_time, id) < ($2, $3) AND push_id <> $4`
)

// Queue implements storage.Pushes.
func (s *Store) Queue(ctx context.Context, app string, id int64) (storage.Queue, error) {
	return read(ctx, s, func(q querier) (queue storage.Queue, err error) {
		found, err := collect(ctx, q, scanWaiting, selectWaiting, id, app)
		if err != nil || len(found) == 0 {
			return queue, err
		}
		w := found[0]
		queue.Units, queue.DueTime = w.units, w.due
		queue.Ahead, err = ahead(ctx, q, app, id, w)
		return queue, err
	})
}

// ahead returns what other pushes' dispatches cost that are claimed before the last of a push.
func ahead(ctx context.Context, q querier, app string, push int64, w waiting) (int, error) {
	due, id, followUps := w.last, w.id, 0
	if w.followUp > 0 {
		var err error
		if followUps, err = first(ctx, q, value[int], claimedAhead, app, 1, due, id, push); err != nil {
			return 0, err
		}
		due, id = math.MaxInt64, math.MaxInt64 // all first sendings
	}
	claimed, err := first(ctx, q, value[int], claimedAhead, app, 0, due, id, push)
	if err != nil {
		return 0, err
	}
	blocked, err := first(ctx, q, value[int], blockedAhead, app, due, id, push)
	return followUps + claimed + blocked, err
}
