package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// millisPerDay is how long a day of the log is.
const millisPerDay = 24 * 60 * 60 * 1000

// dayOf returns the day, since 1970, of a time in milliseconds.
func dayOf(millis int64) int32 {
	day := millis / millisPerDay
	if millis%millisPerDay < 0 {
		day--
	}
	return int32(min(max(day, -1<<30), 1<<30))
}

// partitions are the days of which the log is known to have a partition.
type partitions struct {
	mu   sync.Mutex
	days map[int32]bool
}

// maxDays bounds the days that are remembered.
const maxDays = 10_000

// missing returns those of the days that are not known to have a partition.
func (p *partitions) missing(days []int32) (some []int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, day := range days {
		if !p.days[day] {
			some = append(some, day)
		}
	}
	return some
}

// errNoPartition says that a transaction can't go on, as the log has no partition for some days.
type errNoPartition []int32

func (e errNoPartition) Error() string {
	return fmt.Sprintf("the log has no partition for the days %v", []int32(e))
}

// provide makes the partitions that a transaction missed, and returns errAgain; any other error comes back.
func (p *partitions) provide(ctx context.Context, pool *pgxpool.Pool, err error) error {
	var days errNoPartition
	switch {
	case errors.As(err, &days):
	case lacksPartition(err): // it was dropped with all that was in it
		p.mu.Lock()
		p.days = nil
		p.mu.Unlock()
		return errAgain
	default:
		return err
	}
	for _, day := range days {
		if err := makePartition(ctx, pool, day); err != nil {
			return fmt.Errorf("make the log's partition of day %d: %w", day, err)
		}
		p.mu.Lock()
		if p.days == nil || len(p.days) >= maxDays {
			p.days = map[int32]bool{}
		}
		p.days[day] = true
		p.mu.Unlock()
	}
	return errAgain
}

// lacksPartition reports whether a row had no partition to go to.
func lacksPartition(err error) bool {
	var fault *pgconn.PgError
	return errors.As(err, &fault) && fault.Code == "23514" && fault.TableName == "segment" && fault.ConstraintName == ""
}

// partitionName is the name of a day's partition.
func partitionName(day int32) string {
	if day < 0 {
		return fmt.Sprintf("segment_before_%d", -day)
	}
	return fmt.Sprintf("segment_%d", day)
}

// makePartition makes a day's partition, unless it is there. It is attached when it is complete, so that who appends to the log, or reads
// it, does not wait. A node at a time does that.
func makePartition(ctx context.Context, pool *pgxpool.Pool, day int32) error {
	name := partitionName(day)
	return pgx.BeginFunc(ctx, pool, func(t pgx.Tx) error {
		if _, err := t.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(partitionLock)); err != nil {
			return err
		}
		attached, err := first(ctx, t, value[bool], `SELECT EXISTS (SELECT FROM pg_inherits
			WHERE inhparent = 'segment'::regclass AND inhrelid = to_regclass($1))`, name)
		if err != nil || attached {
			return err
		}
		// The constraint saves a scan. A detached rest of an earlier one is in nobody's way.
		for _, statement := range []string{
			`DROP TABLE IF EXISTS ` + name,
			fmt.Sprintf(`CREATE TABLE %s (LIKE segment INCLUDING STORAGE, CHECK (day >= %d AND day < %d)) WITH (toast_tuple_target = 8160)`, name, day, day+1),
			fmt.Sprintf(`ALTER TABLE segment ATTACH PARTITION %s FOR VALUES FROM (%d) TO (%d)`, name, day, day+1),
		} {
			if _, err := t.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
}
