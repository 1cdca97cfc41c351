package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"susul.dev/susul/storage"
)

// strayMessages takes what no dispatch under way can be the cause of.
const strayMessages = `SELECT m.upstream_id, m.first_time, (SELECT h.raw FROM held_callback h
		WHERE h.app = $1 AND h.upstream_id = m.upstream_id AND h.raw IS NOT NULL AND ` + maybeStray + ` ORDER BY h.id LIMIT 1)
	FROM (SELECT h.upstream_id, min(h.time) AS first_time, min(h.receive_time) AS received FROM held_callback h
		WHERE h.app = $1 AND ` + maybeStray + ` GROUP BY h.upstream_id HAVING min(h.receive_time) < $2 ORDER BY received LIMIT $3) m
	ORDER BY m.received`

const maybeStray = `h.reason = 'UNKNOWN_MESSAGE' AND h.upstream_id <> '' AND h.registration_id <> ''`

// StrayMessages implements storage.Adoption.
func (s *Store) StrayMessages(ctx context.Context, app string, before time.Time, limit int) ([]storage.StrayMessage, error) {
	return read(ctx, s, func(q querier) ([]storage.StrayMessage, error) {
		underWay, err := first(ctx, q, value[int64],
			`SELECT COALESCE(min(claim_time), $2) FROM dispatch WHERE state = 'SENDING' AND app = $1`, app, int64(math.MaxInt64))
		if err != nil {
			return nil, err
		}
		return collect(ctx, q, scanStray, strayMessages, app, min(before.UnixMilli(), underWay), page(limit))
	})
}

func scanStray(row pgx.CollectableRow) (m storage.StrayMessage, err error) {
	err = row.Scan(&m.UpstreamID, millisTime{&m.FirstTime}, &m.Raw)
	return m, err
}

// AdoptMessage implements storage.Adoption. Of several who adopt a message at the same time, the others wait for the first, and find it.
func (s *Store) AdoptMessage(ctx context.Context, draft storage.PushDraft, upstreamID string) (storage.Push, bool, error) {
	if v := draft.Push.Policy; v != nil {
		if err := s.storePolicy(ctx, v); err != nil {
			return storage.Push{}, false, err
		}
	}
	c, err := write(ctx, s, func(t *tx) (creation, error) {
		if err := t.lockUpstreams(upstreamID); err != nil {
			return creation{}, err
		}
		known, err := pushByUpstream(t.ctx, t, draft.Push.App, upstreamID)
		if !errors.Is(err, storage.ErrNotFound) {
			return creation{push: known}, err
		}
		p, err := t.adopt(draft, upstreamID)
		switch {
		case violates(err, "dispatch_upstream"):
			err = errAgain
		case violates(err, pushIDTaken), violates(err, pushRequestTaken):
			err = fmt.Errorf("%w: there is such a push already", storage.ErrConflict)
		}
		return creation{push: p, created: true}, err
	})
	return c.push, c.created, err
}

const insertAdopted = `INSERT INTO dispatch (app, push_id, step, chunk, state, attempt, home, plan_time, due_time, expire_time, sent_time,
	upstream_id, reason, units, settled, low, high, variant, plain_content, override)
	VALUES ($1, $2, 0, 0, 'SENT', 0, 0, $3, $4, $4, $4, $5, '', 1, 0, $6, $7, '', false, '')`

// adopt stores the push as one whose first dispatch was sent.
func (t *tx) adopt(draft storage.PushDraft, upstreamID string) (storage.Push, error) {
	p := draft.Push
	var statements pipeline
	statements.addPush(p, 0)
	statements.addSteps(p.ID, draft.Steps)
	statements.add(scheduleSteps, p.ID)
	low, high := bounds(nil)
	statements.add(insertAdopted, p.App, p.ID, millis(p.CreateTime), p.FirstSentTime.UnixMilli(), upstreamID, low, high)
	if err := statements.run(t); err != nil {
		return storage.Push{}, err
	}
	t.news.work = len(draft.Steps) > 0
	if err := t.applyHeld(p.App, []string{upstreamID}); err != nil {
		return storage.Push{}, err
	}
	return pushByID(t.ctx, t, p.ID)
}

// PushByUpstreamID implements storage.Adoption.
func (s *Store) PushByUpstreamID(ctx context.Context, app, upstreamID string) (storage.Push, error) {
	return look(ctx, s, func(q querier) (storage.Push, error) { return pushByUpstream(ctx, q, app, upstreamID) })
}

const byUpstream = selectPush + `p.id = (SELECT push_id FROM dispatch WHERE app = $1 AND upstream_id = $2 UNION ALL
	SELECT d.push_id FROM single s JOIN dispatch d ON d.id = s.dispatch_id WHERE s.app = $1 AND s.upstream_id = $2 LIMIT 1)`

func pushByUpstream(ctx context.Context, q querier, app, upstreamID string) (storage.Push, error) {
	if !isText(upstreamID) {
		return storage.Push{}, storage.ErrNotFound
	}
	return first(ctx, q, scanPush, byUpstream, app, upstreamID)
}
