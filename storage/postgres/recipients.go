package postgres

import (
	"cmp"
	"context"
	"slices"

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
func (s *Store) ScanRecipients(ctx context.Context, id int64, from uint32, limit int) (list []storage.Recipient, err error) {
	var queries pgx.Batch
	queueSpan(&queries, id, int64(from), int64(from)+int64(page(limit)), &list)
	err = s.together(ctx, &queries)
	return list, err
}

const (
	recipientSpan = `SELECT ordinal, registration_id FROM recipient WHERE push_id = $1 AND ordinal >= $2 AND ordinal < $3 ORDER BY ordinal`
	progressSpan  = `SELECT ordinal, word FROM progress WHERE push_id = $1 AND ordinal >= $2 AND ordinal < $3`
)

// queueSpan reads the recipients with from ≤ ordinal < through, and their progress. They are put together here: there are plans for a join
// that take a hundred times as long.
func queueSpan(queries *pgx.Batch, push, from, through int64, to *[]storage.Recipient) {
	queries.Queue(recipientSpan, push, from, through).Query(func(rows pgx.Rows) error {
		*to = make([]storage.Recipient, 0, min(through-from, storage.MaxPage))
		var r storage.Recipient
		_, err := pgx.ForEachRow(rows, []any{&r.Ordinal, &r.RegistrationID}, func() error {
			*to = append(*to, r)
			return nil
		})
		return err
	})
	queries.Queue(progressSpan, push, from, through).Query(func(rows pgx.Rows) error {
		var r storage.Recipient
		_, err := pgx.ForEachRow(rows, []any{&r.Ordinal, &r.Progress}, func() error {
			if at, ok := placeOf(*to, int(int64(r.Ordinal)-from), r.Ordinal); ok {
				(*to)[at].Progress = r.Progress
			}
			return nil
		})
		return err
	})
}

// placeOf finds an ordinal in a list of recipients in ascending order; mostly it is where it is expected.
func placeOf(list []storage.Recipient, expected int, ordinal uint32) (at int, ok bool) {
	if expected < len(list) && list[expected].Ordinal == ordinal {
		return expected, true
	}
	return slices.BinarySearchFunc(list, ordinal, func(r storage.Recipient, o uint32) int { return cmp.Compare(r.Ordinal, o) })
}
