package postgres

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"susul.dev/susul/storage"
)

// What waits is ready when it is due; what is on its way, when its lease ends. The latter is little.
const nextDispatchTime = `SELECT LEAST(
	(SELECT due_time FROM dispatch WHERE app = $1 AND LEAST(step, 1) = 0 AND state = 'PENDING' AND ready_time IS NOT NULL
		ORDER BY due_time, id LIMIT 1),
	(SELECT due_time FROM dispatch WHERE app = $1 AND LEAST(step, 1) = 1 AND state = 'PENDING' AND ready_time IS NOT NULL
		ORDER BY due_time, id LIMIT 1),
	(SELECT min(ready_time) FROM dispatch WHERE app = $1 AND state IN ('CLAIMED', 'SENDING')))`

// NextDispatchTime implements storage.Dispatches.
func (s *Store) NextDispatchTime(ctx context.Context, app string) (time.Time, bool, error) {
	t, err := look(ctx, s, func(q querier) (time.Time, error) { return first(ctx, q, earliest, nextDispatchTime, app) })
	return t, !t.IsZero(), err
}

// What others claim just now is passed over: nobody waits. A dispatch that was claimed since the statement began is seen as it is then,
// and left alone.
const claimDue = `WITH firsts AS (
		SELECT id FROM dispatch WHERE app = $1 AND LEAST(step, 1) = 0 AND ready_time <= $2 AND due_time <= $2
		ORDER BY due_time, id LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED
	), followups AS (
		SELECT id FROM dispatch WHERE app = $1 AND LEAST(step, 1) = 1 AND ready_time <= $2 AND due_time <= $2
		ORDER BY due_time, id LIMIT $3 - (SELECT count(*) FROM firsts) FOR NO KEY UPDATE SKIP LOCKED
	)
	UPDATE dispatch SET state = CASE state WHEN 'SENDING' THEN state ELSE 'CLAIMED' END,
		claim_time = CASE state WHEN 'SENDING' THEN claim_time ELSE $2 END, claim_term = $4, attempt = attempt + 1, ready_time = $5
	WHERE id IN (SELECT id FROM firsts UNION ALL SELECT id FROM followups) RETURNING ` + dispatchColumns

// ClaimDispatches implements storage.Dispatches. What goes along with the claims is read after they are stored: then no click that was
// stored before is missed.
func (s *Store) ClaimDispatches(ctx context.Context, req storage.ClaimRequest) ([]storage.Claim, error) {
	dispatches, err := write(ctx, s, func(t *tx) (dispatches []storage.Dispatch, err error) {
		var queries pgx.Batch
		queries.Queue(claimDue, req.App, req.Now.UnixMilli(), page(req.Limit), s.term.Load(), req.Now.Add(req.Lease).UnixMilli()).
			Query(into(&dispatches, scanDispatch))
		err = t.sendLast(ctx, &queries)
		return dispatches, err
	})
	if err != nil || len(dispatches) == 0 {
		return nil, err
	}
	slices.SortFunc(dispatches, compareClaimed)
	return s.claimsOf(ctx, dispatches)
}

// into collects the rows of a query that is one of several.
func into[T any](to *[]T, scan func(pgx.CollectableRow) (T, error)) func(pgx.Rows) error {
	return func(rows pgx.Rows) (err error) {
		*to, err = pgx.CollectRows(rows, scan)
		return err
	}
}

// compareClaimed is the order in which dispatches are claimed.
func compareClaimed(a, b storage.Dispatch) int {
	return cmp.Or(cmp.Compare(min(a.Step, 1), min(b.Step, 1)), a.DueTime.Compare(b.DueTime), cmp.Compare(a.ID, b.ID))
}

// claimsOf reads what goes along with dispatches that are claimed, all of it in one round trip.
func (s *Store) claimsOf(ctx context.Context, dispatches []storage.Dispatch) ([]storage.Claim, error) {
	var queries pgx.Batch
	var pushes map[int64]storage.Push
	var batches map[int64]singleBatch
	queuePushes(&queries, dispatches, &pushes)
	queueBatches(&queries, dispatches, &batches)
	claims := make([]storage.Claim, len(dispatches))
	for i, d := range dispatches {
		claims[i].Dispatch = d
		queueRecipients(&queries, d.PushID, d.Recipients, &claims[i].Recipients)
	}
	if err := s.together(ctx, &queries); err != nil {
		return nil, err
	}
	for i := range claims {
		d := claims[i].Dispatch
		claims[i].Push = pushes[d.PushID]
		var err error
		if claims[i].Recipients, err = inOrder(claims[i].Recipients, d.PushID, d.Recipients); err != nil {
			return nil, err
		}
		if b, ok := batches[d.ID]; ok {
			if err := b.narrow(&claims[i]); err != nil {
				return nil, err
			}
		}
	}
	return claims, nil
}

// queuePushes reads the pushes of dispatches, each once.
func queuePushes(queries *pgx.Batch, dispatches []storage.Dispatch, to *map[int64]storage.Push) {
	var ids []int64
	for _, d := range dispatches {
		ids = append(ids, d.PushID)
	}
	slices.Sort(ids)
	queries.Queue(selectPush+`p.id = ANY($1)`, slices.Compact(ids)).Query(func(rows pgx.Rows) error {
		pushes, err := pgx.CollectRows(rows, scanPush)
		*to = make(map[int64]storage.Push, len(pushes))
		for _, p := range pushes {
			(*to)[p.ID] = p
		}
		return err
	})
}

// sparse is how many ordinals a dispatch's span may have for each of its recipients, for the whole span to be read.
const sparse = 8

// queueRecipients reads the recipients with some ordinals, and perhaps others, in ascending order.
func queueRecipients(queries *pgx.Batch, push int64, ordinals []uint32, to *[]storage.Recipient) {
	if len(ordinals) == 0 {
		return
	}
	low, high := bounds(ordinals)
	if int(high-low)/sparse < len(ordinals) {
		queueSpan(queries, push, int64(low), int64(high)+1, to)
		return
	}
	sorted := slices.Clone(ordinals)
	slices.Sort(sorted)
	queries.Queue(recipientColumns+`WHERE r.push_id = $1 AND r.ordinal = ANY($2) ORDER BY r.ordinal`, push, sorted).Query(into(to, scanRecipient))
}

// inOrder picks those with the given ordinals from recipients that are in ascending order of theirs.
func inOrder(found []storage.Recipient, push int64, ordinals []uint32) ([]storage.Recipient, error) {
	if len(ordinals) == 0 {
		return nil, nil
	}
	list := make([]storage.Recipient, len(ordinals))
	next := 0
	for i, ordinal := range ordinals {
		at, ok := placeOf(found, next, ordinal)
		if !ok {
			return nil, errDamaged("push", push)
		}
		list[i], next = found[at], at+1
	}
	return list, nil
}

// together runs what was queued, in one round trip. Each query sees what was committed when it ran. All may be run again.
func (s *Store) together(ctx context.Context, queries *pgx.Batch) error {
	_, err := tried(s, func() (none struct{}, err error) {
		return none, s.connected(ctx, func(conn *pgxpool.Conn) error { return conn.SendBatch(ctx, queries).Close() })
	})
	return err
}
