package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"susul.dev/susul/storage/transfer"
)

// dayOfSegment is the day in which a segment was received.
func dayOfSegment(row transfer.Row) int32 {
	received, _ := row[7].(int64)
	return dayOf(received)
}

// makeDays makes the partitions that segments need.
func makeDays(ctx context.Context, i *Import, rows []transfer.Row) error {
	for _, row := range rows {
		day := dayOfSegment(row)
		if i.days[day] {
			continue
		}
		if err := makePartition(ctx, i.pool, day); err != nil {
			return err
		}
		i.days[day] = true
	}
	return nil
}

// daySpan is a part of the log that is of one day.
type daySpan struct {
	day         int32
	first, last int64
}

// noteDays notes which sequences the days have.
func noteDays(ctx context.Context, t pgx.Tx, rows []transfer.Row) error {
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
		if _, err := t.Exec(ctx, `INSERT INTO log_day (day, first, last) VALUES ($1, $2, $3)
			ON CONFLICT (day) DO UPDATE SET first = least(log_day.first, excluded.first), last = greatest(log_day.last, excluded.last)`,
			s.day, s.first, s.last); err != nil {
			return err
		}
	}
	return nil
}
