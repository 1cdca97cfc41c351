package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"math"
	"time"

	"susul.dev/susul/storage"
)

// waiting is a dispatch's place in the order in which claims take them.
type waiting struct {
	followUp bool
	due, id  int64
	units    int
}

func scanWaiting(rows *sql.Rows) (w waiting, err error) {
	err = rows.Scan(&w.followUp, &w.due, &w.id, &w.units)
	return w, err
}

func compareWaiting(a, b waiting) int {
	if a.followUp != b.followUp {
		if b.followUp {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.id, b.id))
}

const (
	// The index of what may be claimed has what is on its way too; what is blocked has its own.
	claimedAhead = `SELECT COALESCE(SUM(units), 0) FROM dispatch
		WHERE app = ? AND (step > 0) = ? AND due_time <= ? AND ready_time IS NOT NULL AND state IN ('PENDING', 'CLAIMED')
		AND (due_time < ? OR id < ?) AND push_id <> ?`
	blockedAhead = `SELECT COALESCE(SUM(units), 0) FROM dispatch WHERE app = ? AND state = 'BLOCKED' AND due_time <= ?
		AND (due_time < ? OR id < ?) AND push_id <> ? AND push_id NOT IN (SELECT id FROM push WHERE ` + hidden + `)`
)

// Queue implements storage.Pushes.
func (s *Store) Queue(ctx context.Context, app string, id int64) (storage.Queue, error) {
	return read(ctx, s, func(q querier) (queue storage.Queue, err error) {
		if _, err := pushOfApp(ctx, q, app, id); err != nil {
			if errors.Is(err, storage.ErrNotFound) {
				err = nil
			}
			return queue, err
		}
		mine, err := collect(ctx, q, scanWaiting, `SELECT step > 0, due_time, id, units FROM dispatch
			WHERE push_id = ? AND state IN ('BLOCKED', 'PENDING', 'CLAIMED')`, id)
		if err != nil || len(mine) == 0 {
			return queue, err
		}
		last, due := mine[0], int64(math.MinInt64)
		for _, w := range mine {
			queue.Units += w.units
			due = max(due, w.due)
			if compareWaiting(last, w) < 0 {
				last = w
			}
		}
		queue.DueTime = time.UnixMilli(due).UTC()
		queue.Ahead, err = ahead(ctx, q, app, id, last)
		return queue, err
	})
}

// ahead returns what other pushes' dispatches cost that are claimed before one.
func ahead(ctx context.Context, q querier, app string, push int64, last waiting) (int, error) {
	firsts := last
	units := 0
	if last.followUp {
		var err error
		if units, err = first(ctx, q, value[int], claimedAhead, app, true, last.due, last.due, last.id, push); err != nil {
			return 0, err
		}
		firsts = waiting{due: math.MaxInt64, id: math.MaxInt64} // all of them
	}
	claimed, err := first(ctx, q, value[int], claimedAhead, app, false, firsts.due, firsts.due, firsts.id, push)
	if err != nil {
		return 0, err
	}
	blocked, err := first(ctx, q, value[int], blockedAhead, app, firsts.due, firsts.due, firsts.id, push)
	return units + claimed + blocked, err
}
