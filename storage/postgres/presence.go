package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/transfer"
)

// Errors of a database that is, or was, the target of a migration.
var (
	// ErrMigrating says that a migration is filling the database.
	ErrMigrating = errors.New("a migration is filling the database: wait until it is complete")

	// ErrIncomplete says that a migration did not come to its end.
	ErrIncomplete = errors.New("a migration left the database incomplete: run it again, it goes on where it was; or use another database")
)

// Who works with a database shows it by an advisory lock that each of its connections holds for as long as it lasts: nodes hold it shared,
// a migration alone. So neither begins while the other is at work, whatever becomes of single connections.
const (
	presence  = `1398099829, hashtext(current_schema())` // the first is any number that nobody else uses
	tryEnter  = `SELECT pg_try_advisory_lock_shared(` + presence + `)`
	tryOccupy = `SELECT pg_try_advisory_lock(` + presence + `)`
	leave     = `SELECT pg_advisory_unlock(` + presence + `)`
)

// enter lets a node's connection into the database, unless a migration is at work with it.
func enter(ctx context.Context, conn *pgx.Conn) error {
	var entered bool
	if err := conn.QueryRow(ctx, tryEnter).Scan(&entered); err != nil {
		return err
	}
	if !entered {
		return fmt.Errorf("%w: %w", storage.ErrUnavailable, ErrMigrating)
	}
	return nil
}

// occupyTries and occupyPause bound how long a migration waits for connections to end: PostgreSQL notices a moment later that a node is
// gone.
const (
	occupyTries = 20
	occupyPause = 100 * time.Millisecond
)

// occupy takes the database for a connection alone.
func occupy(ctx context.Context, conn *pgx.Conn) error {
	for range occupyTries {
		var alone bool
		if err := conn.QueryRow(ctx, tryOccupy).Scan(&alone); err != nil || alone {
			return err
		}
		select {
		case <-time.After(occupyPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return transfer.ErrInUse
}

// requireComplete returns ErrIncomplete for a database that a migration has not filled yet.
func requireComplete(ctx context.Context, pool *pgxpool.Pool) error {
	var incomplete bool
	err := pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM migration WHERE complete_time IS NULL)`).Scan(&incomplete)
	if err == nil && incomplete {
		return ErrIncomplete
	}
	return err
}
