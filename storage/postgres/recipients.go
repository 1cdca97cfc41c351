package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"susul.dev/susul/storage"
)

func scanRecipient(row pgx.CollectableRow) (r storage.Recipient, err error) {
	err = row.Scan(&r.Ordinal, &r.RegistrationID, &r.Progress)
	return r, err
}

// The progress of few recipients is looked up for each of them. A join would leave it to the planner whether to read that of all.
const recipientColumns = `SELECT r.ordinal, r.registration_id,
	COALESCE((SELECT word FROM progress p WHERE p.push_id = r.push_id AND p.ordinal = r.ordinal), 0) FROM recipient r `

// FindRecipients implements storage.Pushes.
func (s *Store) FindRecipients(ctx context.Context, id int64, registrationIDs []string) ([]storage.Recipient, error) {
	if len(registrationIDs) == 0 {
		return nil, nil
	}
	return look(ctx, s, func(q querier) ([]storage.Recipient, error) {
		return collect(ctx, q, scanRecipient, recipientColumns+`WHERE r.push_id = $1 AND r.registration_id = ANY($2) ORDER BY r.ordinal`,
			id, texts(registrationIDs))
	})
}

// ScanRecipients implements storage.Planning.
func (s *Store) ScanRecipients(ctx context.Context, id int64, from uint32, limit int) ([]storage.Recipient, error) {
	return look(ctx, s, func(q querier) ([]storage.Recipient, error) {
		return collect(ctx, q, scanRecipient, recipientColumns+`WHERE r.push_id = $1 AND r.ordinal >= $2 ORDER BY r.ordinal LIMIT $3`,
			id, from, page(limit))
	})
}
