package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"

	"susul.dev/susul/storage"
)

var insertHeld = bulk{`INSERT INTO held_callback (app, upstream_id, registration_id, status, digest, reason, milestone, time,
	receive_time, error_code, error_message, channel, loss_source, raw)`, 14,
	`ON CONFLICT (app, upstream_id, registration_id, status, digest) DO UPDATE SET reason = excluded.reason`}

// hold stores the rows that can't be applied.
func (t *tx) hold(rows []row) error {
	var held []*row
	for i := range rows {
		if rows[i].recipient == nil {
			held = append(held, &rows[i])
		}
	}
	_, err := insertHeld.exec(t, len(held), func(args []any, i int) []any {
		r := held[i]
		reason := heldRecipient
		if r.target == nil {
			reason = heldMessage
		}
		return append(args, r.app, r.UpstreamID, r.RegistrationID, r.Status, digest(r.Callback), reason, r.Milestone,
			r.Time.UnixMilli(), r.received, r.ErrorCode, r.ErrorMessage, r.Channel, r.LossSource, blob(cutRaw(r.Raw)))
	})
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

// heldRow is a held callback as it is read back.
type heldRow struct {
	id       int64
	received int64
	callback storage.Callback
}

func scanHeld(rows *sql.Rows) (h heldRow, err error) {
	c := &h.callback
	err = rows.Scan(&h.id, &h.received, &c.UpstreamID, &c.RegistrationID, &c.Status, &c.Milestone, millisTime{&c.Time},
		&c.ErrorCode, &c.ErrorMessage, &c.Channel, &c.LossSource, &c.Raw)
	return h, err
}

// applyHeld applies what was reported for an upstream id before it was known. What names no recipient of the push goes
// on being held, for that reason.
func (t *tx) applyHeld(app, upstreamID string) error {
	for after := int64(0); ; {
		held, err := collect(t.ctx, t, scanHeld, `SELECT id, receive_time, upstream_id, registration_id, status, milestone,
			time, error_code, error_message, channel, loss_source, raw FROM held_callback
			WHERE app = ? AND upstream_id = ? AND id > ? ORDER BY id LIMIT ?`, app, upstreamID, after, maxRows)
		if err != nil {
			return err
		}
		if len(held) == 0 {
			break
		}
		rows := make([]row, len(held))
		for i := range held {
			rows[i] = row{Callback: &held[i].callback, app: app, received: held[i].received}
		}
		if err := t.apply(rows); err != nil {
			return err
		}
		after = held[len(held)-1].id
	}
	_, err := t.exec(`DELETE FROM held_callback WHERE app = ? AND upstream_id = ? AND reason = ?`, app, upstreamID, heldMessage)
	return err
}

const (
	selectHeld = `SELECT id, reason, receive_time, upstream_id, registration_id, status, milestone, time, error_code,
		error_message, channel, loss_source FROM held_callback WHERE app = ? AND reason = ? AND id > ?`

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
		millisTime{&h.Time}, &h.ErrorCode, &h.ErrorMessage, &h.Channel, &h.LossSource)
	return h, err
}
