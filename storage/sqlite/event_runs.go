package sqlite

import (
	"context"
	"database/sql"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

const eventRuns = `SELECT s.sequence, s.events, s.app_id, s.push_id, p.callback_urls IS NOT NULL
	FROM segment s LEFT JOIN push p ON p.id = s.push_id
	WHERE s.sequence > ? AND s.sequence + s.events - 1 > ? ORDER BY s.sequence LIMIT ?`

// ListEventRuns implements storage.Callbacks. A run is a segment: its body is not read.
func (s *Store) ListEventRuns(ctx context.Context, after int64, limit int) ([]storage.EventRun, error) {
	return read(ctx, s, func(q querier) ([]storage.EventRun, error) {
		apps := map[int64]string{}
		var ids []int64
		runs, err := collect(ctx, q, func(rows *sql.Rows) (run storage.EventRun, err error) {
			var app, events int64
			err = rows.Scan(&run.First, &events, &app, &run.PushID, &run.CallbackURLs)
			run.Last = run.First + events - 1
			run.First = max(run.First, after+1)
			ids, apps[app] = append(ids, app), ""
			return run, err
		}, eventRuns, after-layout.MaxEvents, after, page(limit))
		if err != nil {
			return nil, err
		}
		for id := range apps {
			if apps[id], err = first(ctx, q, value[string], `SELECT key FROM app WHERE id = ?`, id); err != nil {
				return nil, err
			}
		}
		for i := range runs {
			runs[i].App = apps[ids[i]]
		}
		return runs, nil
	})
}
