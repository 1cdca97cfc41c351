package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"time"

	"susul.dev/susul/storage"
)

// strayMessages takes what no dispatch under way can be the cause of. Beside MIN, raw comes from any of a message's rows.
const strayMessages = `SELECT upstream_id, MIN(time), raw FROM held_callback
	WHERE app = ? AND reason = 'UNKNOWN_MESSAGE' AND upstream_id <> '' AND registration_id <> ''
	GROUP BY upstream_id HAVING MIN(receive_time) < ? ORDER BY MIN(receive_time) LIMIT ?`

// StrayMessages implements storage.Adoption.
func (s *Store) StrayMessages(ctx context.Context, app string, before time.Time, limit int) ([]storage.StrayMessage, error) {
	return read(ctx, s, func(q querier) ([]storage.StrayMessage, error) {
		underWay, err := first(ctx, q, value[int64],
			`SELECT COALESCE(MIN(claim_time), ?) FROM dispatch WHERE state = 'SENDING' AND app = ?`, int64(math.MaxInt64), app)
		if err != nil {
			return nil, err
		}
		return collect(ctx, q, scanStray, strayMessages, app, min(before.UnixMilli(), underWay), page(limit))
	})
}

func scanStray(rows *sql.Rows) (m storage.StrayMessage, err error) {
	err = rows.Scan(&m.UpstreamID, millisTime{&m.FirstTime}, &m.Raw)
	return m, err
}

// AdoptMessage implements storage.Adoption.
func (s *Store) AdoptMessage(ctx context.Context, draft storage.PushDraft, upstreamID string) (storage.Push, bool, error) {
	c, err := write(ctx, s, func(t *tx) (creation, error) {
		known, err := pushByUpstream(t.ctx, t, draft.Push.App, upstreamID)
		if !errors.Is(err, storage.ErrNotFound) {
			return creation{push: known}, err
		}
		p, err := t.adopt(draft, upstreamID)
		return creation{push: p, created: true}, err
	})
	return c.push, c.created, err
}

// adopt stores the push as any other, and finishes its dispatch at once.
func (t *tx) adopt(draft storage.PushDraft, upstreamID string) (storage.Push, error) {
	sentTime := draft.Push.FirstSentTime
	draft.Dispatches = []storage.DispatchDraft{{DueTime: sentTime, ExpireTime: sentTime}}
	c, err := t.runParts(partsOf(draft))
	if err != nil {
		return storage.Push{}, err
	}
	d, err := first(t.ctx, t, scanDispatch, `SELECT `+dispatchColumns+` FROM dispatch WHERE push_id = ?`, c.push.ID)
	if err != nil {
		return storage.Push{}, err
	}
	sent := storage.DispatchResult{ID: d.ID, State: storage.DispatchSent, Time: sentTime, UpstreamID: upstreamID}
	if err := t.finish(c.push, d, sent); err != nil {
		return storage.Push{}, err
	}
	return pushByID(t.ctx, t, c.push.ID)
}

// PushByUpstreamID implements storage.Adoption.
func (s *Store) PushByUpstreamID(ctx context.Context, app, upstreamID string) (storage.Push, error) {
	return read(ctx, s, func(q querier) (storage.Push, error) { return pushByUpstream(ctx, q, app, upstreamID) })
}

const byUpstream = `p.id = (SELECT push_id FROM (` + selectTarget + `))`

func pushByUpstream(ctx context.Context, q querier, app, upstreamID string) (storage.Push, error) {
	return first(ctx, q, scanPush, selectPush+byUpstream, app, upstreamID, app, upstreamID)
}
