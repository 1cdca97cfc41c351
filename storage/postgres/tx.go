package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"susul.dev/susul/storage"
)

var errClosed = fmt.Errorf("%w: it is closed", storage.ErrUnavailable)

// errAgain says that what a transaction found changed while it ran.
var errAgain = fmt.Errorf("%w: it changes too often", storage.ErrUnavailable)

// maxTries is how often a transaction is tried that PostgreSQL undid for the sake of another.
const maxTries = 5

// querier reads. A pool, a connection and a transaction each are one.
type querier interface {
	Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
}

// tx is a transaction that writes.
type tx struct {
	pgx.Tx
	ctx   context.Context
	store *Store
	news  news // told once it has committed

	recording *recording // nil: nothing is appended to the log
}

// write runs a closure in a transaction and returns its result once that is durable. The closure may be run again. If the handle leads,
// the transaction is fenced.
func write[T any](ctx context.Context, s *Store, run func(*tx) (T, error)) (result T, err error) {
	return writeUnfenced(ctx, s, func(t *tx) (result T, err error) {
		if err = t.fence(); err == nil {
			result, err = run(t)
		}
		return result, err
	})
}

// writeUnfenced is write for those that nothing fences.
func writeUnfenced[T any](ctx context.Context, s *Store, run func(*tx) (T, error)) (result T, err error) {
	for range maxTries {
		if result, err = writeOnce(ctx, s, run); !undone(err) {
			break
		}
	}
	return result, unavailable(err)
}

func writeOnce[T any](ctx context.Context, s *Store, run func(*tx) (T, error)) (result T, err error) {
	if s.closed.Load() {
		return result, errClosed
	}
	var zero T
	t := &tx{ctx: ctx, store: s, news: news{by: s.home}}
	err = pgx.BeginFunc(ctx, s.pool, func(inner pgx.Tx) (err error) {
		t.Tx = inner
		if result, err = run(t); err == nil {
			err = t.finishRecording()
		}
		return err
	})
	if err != nil {
		return zero, s.partitions.provide(ctx, s.pool, err)
	}
	t.recorded()
	s.signals.tell(t.news)
	return result, nil
}

// fence returns storage.ErrFenced if the handle leads and a later leader has taken over. Until the transaction ends, none does.
func (t *tx) fence() error {
	term := t.store.term.Load()
	if term == 0 {
		return nil
	}
	var latest int64
	if err := t.QueryRow(t.ctx, `SELECT term FROM leadership FOR SHARE`).Scan(&latest); err != nil {
		return err
	}
	if latest > term {
		return storage.ErrFenced
	}
	return nil
}

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(query string, args ...any) (int64, error) {
	tag, err := t.Exec(t.ctx, query, args...)
	return tag.RowsAffected(), err
}

// read runs a closure on one consistent snapshot.
func read[T any](ctx context.Context, s *Store, run func(querier) (T, error)) (result T, err error) {
	if s.closed.Load() {
		return result, errClosed
	}
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = pgx.BeginTxFunc(ctx, s.pool, options, func(t pgx.Tx) (err error) {
		result, err = run(t)
		return err
	})
	return result, unavailable(err)
}

// look runs a closure that reads with one statement. Several would each see what others committed meanwhile.
func look[T any](s *Store, run func(querier) (T, error)) (result T, err error) {
	if s.closed.Load() {
		return result, errClosed
	}
	result, err = run(s.pool)
	return result, unavailable(err)
}

// collect reads all rows of a query; without any it returns nil.
func collect[T any](ctx context.Context, q querier, scan func(pgx.CollectableRow) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return pgx.AppendRows([]T(nil), rows, scan)
}

// first reads the only row of a query; without a row it returns storage.ErrNotFound.
func first[T any](ctx context.Context, q querier, scan func(pgx.CollectableRow) (T, error), query string, args ...any) (T, error) {
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		var zero T
		return zero, err
	}
	one, err := pgx.CollectOneRow(rows, scan)
	if errors.Is(err, pgx.ErrNoRows) {
		err = storage.ErrNotFound
	}
	return one, err
}

// undone reports whether a transaction is to be run anew, because PostgreSQL undid it so that another can go on, or it asks for that.
func undone(err error) bool {
	if errors.Is(err, errAgain) {
		return true
	}
	var fault *pgconn.PgError
	return errors.As(err, &fault) && (fault.Code == "40001" || fault.Code == "40P01") // serialization failure, deadlock
}

// violates reports whether a statement would have broken a constraint or a unique index.
func violates(err error, constraint string) bool {
	var fault *pgconn.PgError
	return errors.As(err, &fault) && strings.HasPrefix(fault.Code, "23") && fault.ConstraintName == constraint
}

// unavailable wraps an error with which PostgreSQL says that it can't work now, or with which it can't be reached.
func unavailable(err error) error {
	var (
		fault  *pgconn.PgError
		broken *pgconn.ConnectError
	)
	switch {
	case err == nil, errors.Is(err, storage.ErrUnavailable), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &fault):
		switch fault.Code[:2] {
		case "08", "25", "40", "53", "55", "57", "58": // connection, read-only, undone, resources, locks, intervention, system
			return fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
		}
		return err
	case errors.As(err, &broken), pgconn.SafeToRetry(err), pgconn.Timeout(err), isNetwork(err):
		return fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
	}
	return err
}
