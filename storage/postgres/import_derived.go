package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/transfer"
)

// derivation is what a table here has besides what every backend knows.
type derivation struct {
	columns []string
	values  func(i *Import, row transfer.Row) []any
	// prepare makes room before the transaction, after stores what else follows from the rows in it.
	prepare func(ctx context.Context, i *Import, rows []transfer.Row) error
	after   func(ctx context.Context, t pgx.Tx, rows []transfer.Row) error
}

var derivations = map[string]derivation{
	"progress": {
		columns: []string{"was"},
		values:  func(_ *Import, row transfer.Row) []any { return []any{row[2]} },
	},
	// No handle waits for the answers of those who were there before. What the latest leader had claimed, its successor may claim.
	"dispatch": {
		columns: []string{"home", "claim_term"},
		values: func(i *Import, row transfer.Row) []any {
			if state := row[5]; state == string(storage.DispatchClaimed) || state == string(storage.DispatchSending) {
				return []any{int64(0), i.source.Term}
			}
			return []any{int64(0), int64(0)}
		},
	},
	"segment": {
		columns: []string{"day"},
		values:  func(_ *Import, row transfer.Row) []any { return []any{dayOfSegment(row)} },
		prepare: makeDays,
		after:   noteDays,
	},
	// Nodes learn of them as of the first that became invalid.
	"invalid_device": {
		columns: []string{"death"},
		values:  func(*Import, transfer.Row) []any { return []any{int64(1)} },
	},
}

// keyColumns are those of which an index may be the key; see keyText.
var keyColumns = map[string]bool{"upstream_id": true, "registration_id": true, "status": true, "channel": true, "loss_source": true}

// Adapt changes a row to what is stored of it.
func (i *Import) Adapt(table *transfer.Table, row transfer.Row) {
	for n, c := range table.Columns {
		switch v := row[n].(type) {
		case string:
			if keyColumns[c.Name] && table.Name != "event_detail" && table.Name != "invalid_device" || c.Name == "registration_id" {
				row[n] = keyText(v)
			} else {
				row[n] = storable(v)
			}
		case []string:
			for at := range v {
				v[at] = storable(v[at])
			}
		}
	}
}
