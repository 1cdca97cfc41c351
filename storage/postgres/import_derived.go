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
	before  func(ctx context.Context, t pgx.Tx, rows []transfer.Row) error
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
		before:  prepareDays,
	},
}

const millisPerDay = 24 * 60 * 60 * 1000

// dayOfSegment is the day in which a segment was received.
func dayOfSegment(row transfer.Row) int64 {
	received, _ := row[7].(int64)
	day := received / millisPerDay
	if received%millisPerDay < 0 {
		day--
	}
	return day
}

// daySpan is a part of the log that is of one day.
type daySpan struct{ day, first, last int64 }

// prepareDays makes the partitions that segments need, and notes which sequences they have.
func prepareDays(ctx context.Context, t pgx.Tx, rows []transfer.Row) error {
	var spans []daySpan
	for _, row := range rows {
		sequence, _ := row[0].(int64)
		events, _ := row[3].(int64)
		span := daySpan{dayOfSegment(row), sequence, sequence + events - 1}
		if n := len(spans) - 1; n >= 0 && spans[n].day == span.day {
			spans[n].last = span.last
			continue
		}
		spans = append(spans, span)
	}
	for _, s := range spans {
		if err := prepareDay(ctx, t, s); err != nil {
			return err
		}
	}
	return nil
}
