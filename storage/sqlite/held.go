package sqlite

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"

	"susul.dev/susul/storage"
)

// Why a callback is held.
const (
	heldMessage   = "UNKNOWN_MESSAGE"   // its upstream id may yet turn up
	heldRecipient = "UNKNOWN_RECIPIENT" // the push is known and has no such recipient
)

var insertHeld = bulk{`INSERT INTO held_callback (app, upstream_id, registration_id, status, digest, reason, milestone, time,
	receive_time, error_code, error_message, channel, loss_source, raw)`, 14,
	`ON CONFLICT (app, upstream_id, registration_id, status, digest) DO UPDATE SET reason = excluded.reason`}

// hold puts a row that can't be applied on stage.
func (t *tx) hold(app string, received int64, c *storage.Callback, knownMessage bool) {
	reason := heldMessage
	if knownMessage {
		reason = heldRecipient
	}
	t.held = append(t.held, heldRow{app: app, reason: reason, received: received, callback: c})
}

// writeHeld stores the rows that can't be applied.
func (t *tx) writeHeld() error {
	_, err := insertHeld.exec(t, len(t.held), func(args []any, i int) []any {
		h := &t.held[i]
		c := h.callback
		return append(args, h.app, c.UpstreamID, c.RegistrationID, c.Status, digest(c), h.reason, c.Milestone,
			c.Time.UnixMilli(), h.received, c.ErrorCode, c.ErrorMessage, c.Channel, c.LossSource, blob(cutRaw(c.Raw)))
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

func (t *tx) takeHeld(app string, h heldRow) error {
	b := &batch{app: app, received: h.received, odd: []storage.Callback{*h.callback}}
	e := entry{milestone: h.callback.Milestone, odd: 1}
	e.time, _ = seconds(h.callback.Time)
	return t.take(b, e)
}
