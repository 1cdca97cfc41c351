package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"

	"susul.dev/susul/storage"
)

// Both store recipients of whom nothing is reported yet. What finds them by their ids is best written in that order.
var (
	insertRecipients = bulk{"INSERT OR FAIL INTO recipient (push_id, ordinal, registration_id)", 3, ""}
	insertMembers    = bulk{"INSERT OR FAIL INTO member (push_id, registration_id, ordinal)", 3, ""}
)

func scanRecipient(rows *sql.Rows) (r storage.Recipient, err error) {
	err = rows.Scan(&r.Ordinal, &r.RegistrationID, &r.Progress)
	return r, err
}

// FindRecipients implements storage.Pushes.
func (s *Store) FindRecipients(ctx context.Context, id int64, registrationIDs []string) ([]storage.Recipient, error) {
	return readOf(ctx, s, id, func(q querier) ([]storage.Recipient, error) {
		var found []storage.Recipient
		for ids := range slices.Chunk(registrationIDs, 500) {
			args := []any{id}
			for _, registrationID := range ids {
				args = append(args, registrationID)
			}
			some, err := collect(ctx, q, scanRecipient, `SELECT r.ordinal, r.registration_id, r.progress
				FROM member m CROSS JOIN recipient r ON r.push_id = m.push_id AND r.ordinal = m.ordinal
				WHERE m.push_id = ? AND m.registration_id IN (?`+strings.Repeat(", ?", len(ids)-1)+`)`, args...)
			if err != nil {
				return nil, err
			}
			found = append(found, some...)
		}
		slices.SortFunc(found, func(a, b storage.Recipient) int { return cmp.Compare(a.Ordinal, b.Ordinal) })
		// An id asked for twice is found once, also when two queries found it.
		return slices.Compact(found), nil
	})
}

// ScanRecipients implements storage.Planning.
func (s *Store) ScanRecipients(ctx context.Context, id int64, from uint32, limit int) ([]storage.Recipient, error) {
	return readOf(ctx, s, id, func(q querier) ([]storage.Recipient, error) {
		return scanRecipients(ctx, q, id, from, page(limit))
	})
}

func scanRecipients(ctx context.Context, q querier, id int64, from uint32, limit int) ([]storage.Recipient, error) {
	return collect(ctx, q, scanRecipient, `SELECT ordinal, registration_id, progress FROM recipient
		WHERE push_id = ? AND ordinal >= ? ORDER BY ordinal LIMIT ?`, id, from, limit)
}

// recipientsOf returns the recipients that a dispatch names, in its order; none for the whole audience.
func recipientsOf(ctx context.Context, q querier, dispatch int64) ([]storage.Recipient, error) {
	return collect(ctx, q, scanRecipient, `SELECT r.ordinal, r.registration_id, r.progress
		FROM dispatch d CROSS JOIN json_each(d.recipients) j
		CROSS JOIN recipient r ON r.push_id = d.push_id AND r.ordinal = j.value
		WHERE d.id = ?`, dispatch)
}
