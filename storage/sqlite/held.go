package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"slices"
	"time"

	"susul.dev/susul/storage"
)

// Why a callback is held.
const (
	heldMessage   = string(storage.HoldUnknownMessage)
	heldRecipient = string(storage.HoldUnknownRecipient)
)

var insertHeld = bulk{`INSERT INTO held_callback (app, upstream_id, registration_id, status, digest, reason, milestone, time,
	receive_time, error_code, error_message, channel, loss_source, raw, invalidates)`, 15,
	`ON CONFLICT (app, upstream_id, registration_id, status, digest) DO UPDATE SET reason = excluded.reason`}

// hold puts a row that can't be applied on stage, unless there are as many as there may be: those of unknown recipients
// can never be applied, and are dropped; those of unknown messages are to come again.
func (t *tx) hold(b *batch, c *storage.Callback, knownMessage bool) error {
	if c == nil || knownMessage && c.UpstreamID == "" { // not kept: the push was forgotten while the row was on its way
		b.summary.Dropped++
		return nil
	}
	reason := heldMessage
	if knownMessage {
		reason = heldRecipient
	}
	full, err := t.heldFull(b.app, reason)
	if err != nil {
		return err
	}
	if full {
		b.summary.Dropped++
		b.full = b.full || !knownMessage
		return nil
	}
	b.summary.Held++
	t.held = append(t.held, heldRow{app: b.app, reason: reason, received: b.received, callback: c})
	return nil
}

// heldCount knows about how many rows an app has held for a reason: those that came again are counted again, until it
// looks.
type heldCount struct {
	rows   int
	looked time.Time
}

// heldPause is how long a full table is taken to be full without looking again, in real time.
const heldPause = time.Second

type heldKey struct{ app, reason string }

// heldFull counts a row that is to be held, and reports whether there is no room for it.
func (t *tx) heldFull(app, reason string) (bool, error) {
	w := t.writer
	key := heldKey{app, reason}
	count := w.held[key]
	if now := time.Now(); count.looked.IsZero() || count.rows >= w.maxHeld && now.Sub(count.looked) >= heldPause {
		rows, err := first(t.ctx, t, value[int], `SELECT COUNT(*) FROM held_callback WHERE app = ? AND reason = ?`, app, reason)
		if err != nil {
			return false, err
		}
		for _, h := range t.held { // not stored yet
			if (heldKey{h.app, h.reason}) == key {
				rows++
			}
		}
		count = heldCount{rows: rows, looked: now}
	}
	full := count.rows >= w.maxHeld
	if !full {
		count.rows++
	}
	w.held[key] = count
	return full, nil
}

// writeHeld stores the rows that can't be applied.
func (t *tx) writeHeld() error {
	_, err := insertHeld.exec(t, len(t.held), func(args []any, i int) []any {
		h := &t.held[i]
		c := h.callback
		return append(args, h.app, c.UpstreamID, c.RegistrationID, c.Status, digest(c), h.reason, c.Milestone,
			c.Time.UnixMilli(), h.received, c.ErrorCode, c.ErrorMessage, c.Channel, c.LossSource, blob(cutRaw(c.Raw)), c.Invalidates)
	})
	t.held = t.held[:0]
	return err
}

// digest tells rows that miss an id apart by what is kept of them: their ids don't say that they are the same.
func digest(c *storage.Callback) string {
	if c.UpstreamID != "" && c.RegistrationID != "" {
		return ""
	}
	sum := sha256.Sum256(cutRaw(c.Raw))
	return hex.EncodeToString(sum[:])
}

// cutRaw bounds what is kept of a row as it came.
func cutRaw(raw []byte) []byte {
	return raw[:min(len(raw), storage.MaxRaw)]
}

// heldRow is a held callback.
type heldRow struct {
	id       int64
	app      string
	reason   string
	received int64
	callback *storage.Callback
}

func scanHeld(rows *sql.Rows) (h heldRow, err error) {
	c := &storage.Callback{}
	h.callback = c
	err = rows.Scan(&h.id, &h.received, &c.UpstreamID, &c.RegistrationID, &c.Status, &c.Milestone, millisTime{&c.Time},
		&c.ErrorCode, &c.ErrorMessage, &c.Channel, &c.LossSource, &c.Raw, &c.Invalidates)
	return h, err
}

// applyHeld applies what was reported for an upstream id before it was known. What names no recipient of the push goes
// on being held, for that reason.
func (t *tx) applyHeld(app, upstreamID string) error {
	for after := int64(0); ; {
		held, err := collect(t.ctx, t, scanHeld, `SELECT id, receive_time, upstream_id, registration_id, status, milestone,
			time, error_code, error_message, channel, loss_source, raw, invalidates FROM held_callback
			WHERE app = ? AND upstream_id = ? AND id > ? ORDER BY id LIMIT ?`, app, upstreamID, after, maxRows)
		if err != nil {
			return err
		}
		if len(held) == 0 {
			break
		}
		for _, h := range held {
			if err := t.takeHeld(app, h); err != nil {
				return err
			}
		}
		if err := t.flush(); err != nil {
			return err
		}
		after = held[len(held)-1].id
	}
	_, err := t.exec(`DELETE FROM held_callback WHERE app = ? AND upstream_id = ? AND reason = ?`, app, upstreamID, heldMessage)
	return err
}

// applyAllHeld applies what was reported for some upstream ids before they were known. Mostly nothing was.
func (t *tx) applyAllHeld(app string, ids []string) error {
	held, err := collect(t.ctx, t, value[string], `SELECT DISTINCT upstream_id FROM held_callback
		WHERE app = ? AND upstream_id IN `+listed, app, list[string](ids))
	if err != nil || len(held) == 0 {
		return err
	}
	for _, id := range ids { // in the order of the results
		if !slices.Contains(held, id) {
			continue
		}
		if err := t.applyHeld(app, id); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) takeHeld(app string, h heldRow) error {
	b := &batch{app: app, received: h.received, odd: []storage.Callback{*h.callback}}
	e := entry{milestone: h.callback.Milestone, odd: 1}
	e.time, _ = seconds(h.callback.Time)
	e.fingerprint = t.writer.invalid.fingerprint(h.callback.RegistrationID)
	return t.take(b, e)
}

const (
	selectHeld = `SELECT id, reason, receive_time, upstream_id, registration_id, status, milestone, time, error_code,
		error_message, channel, loss_source, invalidates FROM held_callback WHERE app = ? AND reason = ? AND id > ?`

	// Both ranges of one index are in the order of ids, so that they are merged and not sorted.
	selectAllHeld = selectHeld + ` UNION ALL ` + selectHeld
	pageOfHeld    = ` ORDER BY id LIMIT ?`
)

// ListHeldCallbacks implements storage.Callbacks.
func (s *Store) ListHeldCallbacks(ctx context.Context, q storage.HeldQuery) ([]storage.HeldCallback, error) {
	text, args := selectHeld, []any{q.App, q.Reason, q.After}
	if q.Reason == "" {
		text, args = selectAllHeld, []any{q.App, heldMessage, q.After, q.App, heldRecipient, q.After}
	}
	return read(ctx, s, func(r querier) ([]storage.HeldCallback, error) {
		return collect(ctx, r, scanHeldCallback, text+pageOfHeld, append(args, page(q.Limit))...)
	})
}

func scanHeldCallback(rows *sql.Rows) (h storage.HeldCallback, err error) {
	err = rows.Scan(&h.ID, &h.Reason, millisTime{&h.ReceiveTime}, &h.UpstreamID, &h.RegistrationID, &h.Status, &h.Milestone,
		millisTime{&h.Time}, &h.ErrorCode, &h.ErrorMessage, &h.Channel, &h.LossSource,
		&h.Invalidates)
	return h, err
}
