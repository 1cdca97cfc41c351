package postgres

import (
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/jackc/pgx/v5"

	"susul.dev/susul/storage/layout"
)

// upstream is an upstream id of an app.
type upstream struct{ app, id string }

// target is the dispatch that an upstream id stands for. It never changes.
type target struct {
	push     int64
	dispatch layout.Dispatch
}

// selectTargets finds several dispatches, by their own upstream ids, or by those of their single messages. No id is both.
const selectTargets = `SELECT k.id, d.id, d.push_id, d.step FROM unnest($2::text[]) AS k (id)
	CROSS JOIN LATERAL (SELECT id, push_id, step FROM dispatch WHERE app = $1 AND upstream_id = k.id LIMIT 1) d UNION ALL
	SELECT k.id, d.id, d.push_id, d.step FROM unnest($2::text[]) AS k (id)
	CROSS JOIN LATERAL (SELECT dispatch_id FROM single WHERE app = $1 AND upstream_id = k.id LIMIT 1) s
	CROSS JOIN LATERAL (SELECT id, push_id, step FROM dispatch WHERE id = s.dispatch_id LIMIT 1) d`

// findTargets finds what upstream ids stand for, all of which are of the given apps. Those that are not known are absent.
func (t *tx) findTargets(missing []upstream) (map[upstream]*target, error) {
	found := map[upstream]*target{}
	byApp := map[string][]string{}
	for _, u := range missing {
		byApp[u.app] = append(byApp[u.app], u.id)
	}
	for app, ids := range byApp {
		if _, err := collect(t.ctx, t, func(row pgx.CollectableRow) (struct{}, error) {
			to, u := &target{}, upstream{app: app}
			err := row.Scan(&u.id, &to.dispatch.ID, &to.push, &to.dispatch.Step)
			found[u] = to
			return struct{}{}, err
		}, selectTargets, app, ids); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Who gives a dispatch an upstream id, and who holds callbacks because no dispatch has it, take turns: else neither would see what the
// other is about to commit. Ids share locks, so that they are few.
const (
	upstreamLocks = 256
	upstreamClass = 0x5553 // the first half of the advisory locks' keys
)

const (
	shareUpstreams = `SELECT pg_advisory_xact_lock_shared($1, k) FROM unnest($2::integer[]) AS k`
	lockUpstreams  = `SELECT pg_advisory_xact_lock($1, k) FROM unnest($2::integer[]) AS k`
)

func upstreamLockOf(id string) int32 { return int32(xxhash.Sum64String(id) % upstreamLocks) }

// lockUpstreams makes the transaction the only one that knows of some upstream ids. It must come before all other locks.
func (t *tx) lockUpstreams(ids ...string) error {
	var queries pgx.Batch
	queueUpstreams(&queries, ids)
	return t.SendBatch(t.ctx, &queries).Close()
}

// queueUpstreams is lockUpstreams as one of several statements.
func queueUpstreams(queries *pgx.Batch, ids []string) {
	if len(ids) == 0 {
		return
	}
	keys := make([]int32, 0, len(ids))
	for _, id := range ids {
		keys = append(keys, upstreamLockOf(id))
	}
	slices.Sort(keys)
	queries.Queue(lockUpstreams, upstreamClass, slices.Compact(keys))
}

// shareUpstreams keeps dispatches from getting some upstream ids until the transaction ends.
func (t *tx) shareUpstreams(ids []upstream) error {
	keys := make([]int32, 0, len(ids))
	for _, u := range ids {
		keys = append(keys, upstreamLockOf(u.id))
	}
	if len(keys) == 0 {
		return nil
	}
	slices.Sort(keys)
	_, err := t.exec(shareUpstreams, upstreamClass, slices.Compact(keys))
	return err
}

// rememberTargets keeps what upstream ids stand for, once that is committed: more of their callbacks come soon.
func (d *database) rememberTargets(found map[upstream]*target) {
	for u, to := range found {
		d.targets.put(upstream{strings.Clone(u.app), strings.Clone(u.id)}, to)
	}
}
