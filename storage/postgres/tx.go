package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"susul.dev/susul/storage"
)

// maxTries is how often a transaction is tried that PostgreSQL undid for the sake of another.
const maxTries = 5

// querier reads. A pool, a connection and a transaction each are one.
type querier interface {
	Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
}

// tx is a transaction that writes.
type tx struct {
	*transaction
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
	err = s.transact(ctx, forWrites, func(inner *transaction) (err error) {
		t.transaction = inner
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
	latest, err := t.latestTerm(`pg_advisory_xact_lock_shared`)
	if err == nil && latest > term {
		err = storage.ErrFenced
	}
	return err
}

// latestTerm returns the latest leader's term once it has the lock of leadership, with the function that takes it. Whoever waits for that
// gets it in turn: a successor does not wait for what his predecessor begins after him.
func (t *tx) latestTerm(lock string) (term int64, err error) {
	var p pgx.Batch
	p.Queue(`SELECT `+lock+`($1)`, int64(leadershipLock))
	p.Queue(`SELECT term FROM leadership`).QueryRow(func(row pgx.Row) error { return row.Scan(&term) })
	return term, t.SendBatch(t.ctx, &p).Close()
}

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(query string, args ...any) (int64, error) {
	tag, err := t.Exec(t.ctx, query, args...)
	return tag.RowsAffected(), err
}

// read runs a closure on one consistent snapshot. The closure may be run again.
func read[T any](ctx context.Context, s *Store, run func(querier) (T, error)) (result T, err error) {
	return tried(s, func() (result T, err error) {
		err = s.transact(ctx, forReads, func(t *transaction) (err error) {
			result, err = run(t)
			return err
		})
		return result, err
	})
}

// look runs a closure that reads with one statement. Several would each see what others committed meanwhile. The closure may be run
// again.
func look[T any](ctx context.Context, s *Store, run func(querier) (T, error)) (result T, err error) {
	return tried(s, func() (result T, err error) {
		err = s.connected(ctx, func(conn *pgxpool.Conn) (err error) {
			result, err = run(conn)
			return err
		})
		return result, err
	})
}

func tried[T any](s *Store, run func() (T, error)) (result T, err error) {
	for range maxTries {
		if s.closed.Load() {
			return result, errClosed
		}
		if result, err = run(); !undone(err) {
			break
		}
	}
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
