package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// prepareDay makes the partition of a day, unless it is there, and notes which sequences it has.
func prepareDay(ctx context.Context, t pgx.Tx, s daySpan) error {
	name := "segment_" + strings.ReplaceAll(fmt.Sprint(s.day), "-", "minus_")
	create := fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s PARTITION OF segment FOR VALUES FROM (%d) TO (%d)`, name, s.day, s.day+1)
	if _, err := t.Exec(ctx, create); err != nil {
		return err
	}
	_, err := t.Exec(ctx, `INSERT INTO log_day (day, first, last) VALUES ($1, $2, $3)
		ON CONFLICT (day) DO UPDATE SET first = least(log_day.first, excluded.first), last = greatest(log_day.last, excluded.last)`,
		s.day, s.first, s.last)
	return err
}
