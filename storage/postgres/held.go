package postgres

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"susul.dev/susul/storage"
)

// heldCounts know about how many rows are held.
type heldCounts struct {
	max int

	mu   sync.Mutex
	apps map[heldKey]heldCount
}

type heldKey struct {
	app    string
	reason storage.HoldReason
}

// heldCount is how many rows an app has held for a reason, about: those that came again are counted again, and those of other nodes are
// not, until it looks.
type heldCount struct {
	rows   int
	looked time.Time
}

// A full table is taken to be full for fullPause without looking again; any other count is good for countPause, in real time.
const (
	fullPause  = time.Second
	countPause = 30 * time.Second
)

// rows returns how many rows are held. count is asked when it is time to look.
func (h *heldCounts) rows(key heldKey, count func() (int, error)) (int, error) {
	h.mu.Lock()
	c := h.apps[key]
	h.mu.Unlock()
	if age := time.Since(c.looked); !c.looked.IsZero() && age < countPause && (c.rows < h.max || age < fullPause) {
		return c.rows, nil
	}
	rows, err := count()
	if err == nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.apps[key] = heldCount{rows: rows, looked: time.Now()}
	}
	return rows, err
}

// add counts rows that were stored.
func (h *heldCounts) add(rows map[heldKey]int) {
	if len(rows) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for key, n := range rows {
		c := h.apps[key]
		c.rows += n
		h.apps[key] = c
	}
}

// reason says why a row is held that can't be applied.
func (e *entry) reason() storage.HoldReason {
	if e.target == nil {
		return storage.HoldUnknownMessage
	}
	return storage.HoldUnknownRecipient
}

// saveHeld holds the rows that can't be applied, unless there are as many as there may be: those of unknown recipients can never be
// applied, and are dropped; those of unknown messages are to come again. What was held before and is applied goes.
func (r *recording) saveHeld() error {
	if err := r.settleHeld(); err != nil {
		return err
	}
	var kept []*entry
	for _, e := range r.holds {
		if e.held != 0 {
			continue
		}
		key := heldKey{e.batch.app, e.reason()}
		rows, err := r.db.held.rows(key, func() (int, error) {
			return first(r.t.ctx, r.t, value[int], `SELECT count(*) FROM (SELECT FROM held_callback WHERE app = $1 AND reason = $2 LIMIT $3) h`,
				key.app, key.reason, r.db.held.max)
		})
		if err != nil {
			return err
		}
		if rows+r.newHeld[key] >= r.db.held.max {
			e.batch.summary.Dropped++
			e.batch.full = e.batch.full || e.target == nil
			continue
		}
		e.batch.summary.Held++
		if r.newHeld == nil {
			r.newHeld = map[heldKey]int{}
		}
		r.newHeld[key]++
		kept = append(kept, e)
	}
	return r.insertHeld(kept)
}

// settleHeld deletes held rows that are applied, and notes of the others that their recipients are unknown.
func (r *recording) settleHeld() error {
	var applied, kept []int64
	for i := range r.entries {
		if id := r.entries[i].held; id != 0 {
			applied = append(applied, id)
		}
	}
	for _, e := range r.holds {
		if e.held != 0 {
			kept = append(kept, e.held)
		}
	}
	if len(applied) > 0 {
		if _, err := r.t.exec(`DELETE FROM held_callback WHERE id = ANY($1)`, applied); err != nil {
			return err
		}
	}
	if len(kept) > 0 {
		if _, err := r.t.exec(`UPDATE held_callback SET reason = 'UNKNOWN_RECIPIENT' WHERE id = ANY($1) AND reason <> 'UNKNOWN_RECIPIENT'`,
			kept); err != nil {
			return err
		}
	}
	return nil
}

// Ids are given in the order in which the rows came, and rows are locked in the order of the key.
const insertHeld = `INSERT INTO held_callback (id, app, upstream_id, registration_id, status, digest, reason, milestone, time, receive_time,
	error_code, error_message, channel, loss_source, raw, invalidates) OVERRIDING SYSTEM VALUE
	SELECT * FROM (SELECT nextval('held_callback_id_seq'), k.* FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[],
		$6::text[], $7::smallint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::text[], $12::text[], $13::text[], $14::bytea[], $15::text[])
		AS k (app, upstream_id, registration_id, status, digest, reason, milestone, time, receive_time,
			error_code, error_message, channel, loss_source, raw, invalidates)) k
	ORDER BY app, upstream_id, registration_id, status, digest
	ON CONFLICT (app, upstream_id, registration_id, status, digest) DO UPDATE SET reason = EXCLUDED.reason
	WHERE held_callback.reason <> EXCLUDED.reason`

// heldName is what makes a repeated row recognisable.
type heldName struct{ app, upstreamID, registrationID, status, digest string }

func (r *recording) insertHeld(kept []*entry) error {
	seen := map[heldName]bool{}
	var list columns
	for _, e := range kept {
		c, raw := e.row, e.raw()
		name := heldName{e.batch.app, e.upstreamID(), e.registrationID(), keyText(c.Status), ""}
		if name.upstreamID == "" || name.registrationID == "" {
			sum := sha256.Sum256(raw) // their ids don't say that they are the same
			name.digest = hex.EncodeToString(sum[:])
		}
		if seen[name] {
			continue
		}
		seen[name] = true
		list.add(name.app, name.upstreamID, name.registrationID, name.status, name.digest, string(e.reason()), int64(c.Milestone),
			c.Time.UnixMilli(), e.batch.received, int64(c.ErrorCode), storable(c.ErrorMessage), keyText(c.Channel), keyText(c.LossSource), raw,
			storable(c.Invalidates))
	}
	return list.exec(r.t, insertHeld)
}

// heldAtOnce is how many held rows are read with one statement.
const heldAtOnce = 5000

// applyHeld applies what was reported for upstream ids before they were known: pushes gain their recipients at once, the rest comes with the
// end of the transaction. What names no recipient of the push goes on being held, for that reason. The transaction should have locked the
// ids with lockUpstreams before all else: otherwise it may have to be run again.
func (t *tx) applyHeld(app string, upstreamIDs []string) error {
	if len(upstreamIDs) == 0 {
		return nil
	}
	if err := t.lockUpstreams(upstreamIDs...); err != nil {
		return err
	}
	r := t.record()
	for after := int64(0); ; {
		held, err := collect(t.ctx, t, scanHeld, `SELECT id, receive_time, upstream_id, registration_id, status, milestone,
			time, error_code, error_message, channel, loss_source, raw, invalidates FROM held_callback
			WHERE app = $1 AND upstream_id = ANY($2) AND id > $3 ORDER BY id LIMIT $4`, app, upstreamIDs, after, heldAtOnce)
		if err != nil {
			return err
		}
		for i := range held {
			h := &held[i]
			after = h.id
			r.entries = append(r.entries, entry{batch: &batch{app: app, received: h.received}, row: &h.callback, held: h.id})
		}
		if len(held) < heldAtOnce {
			return r.resolve()
		}
	}
}

// heldRow is a held callback as it is to be applied.
type heldRow struct {
	id, received int64
	callback     storage.Callback
}

func scanHeld(row pgx.CollectableRow) (h heldRow, err error) {
	c := &h.callback
	err = row.Scan(&h.id, &h.received, &c.UpstreamID, &c.RegistrationID, &c.Status, &c.Milestone, millisTime{&c.Time},
		&c.ErrorCode, &c.ErrorMessage, &c.Channel, &c.LossSource, &c.Raw, &c.Invalidates)
	if c.Milestone != storage.MilestoneUnknown {
		c.Raw = nil // it is of no use any more
	}
	return h, err
}

const selectHeld = `SELECT id, reason, receive_time, upstream_id, registration_id, status, milestone, time, error_code,
	error_message, channel, loss_source, invalidates FROM held_callback WHERE app = $1 AND reason = $2 AND id > $3 ORDER BY id LIMIT $4`

// ListHeldCallbacks implements storage.Callbacks. What is held for one reason is one range of an index, in the order of ids.
func (s *Store) ListHeldCallbacks(ctx context.Context, query storage.HeldQuery) ([]storage.HeldCallback, error) {
	reasons := []storage.HoldReason{query.Reason}
	if query.Reason == "" {
		reasons = []storage.HoldReason{storage.HoldUnknownMessage, storage.HoldUnknownRecipient}
	}
	return read(ctx, s, func(q querier) (all []storage.HeldCallback, err error) {
		for _, reason := range reasons {
			some, err := collect(ctx, q, scanHeldCallback, selectHeld, query.App, reason, query.After, page(query.Limit))
			if err != nil {
				return nil, err
			}
			all = append(all, some...)
		}
		slices.SortFunc(all, func(a, b storage.HeldCallback) int { return cmp.Compare(a.ID, b.ID) })
		return all[:min(len(all), page(query.Limit))], nil
	})
}

func scanHeldCallback(row pgx.CollectableRow) (h storage.HeldCallback, err error) {
	err = row.Scan(&h.ID, &h.Reason, millisTime{&h.ReceiveTime}, &h.UpstreamID, &h.RegistrationID, &h.Status, &h.Milestone,
		millisTime{&h.Time}, &h.ErrorCode, &h.ErrorMessage, &h.Channel, &h.LossSource, &h.Invalidates)
	return h, err
}
