package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"susul.dev/susul/storage"
)

var errClosed = fmt.Errorf("%w: it is closed", storage.ErrUnavailable)

// querier reads. A snapshot and the writer's transaction both are one.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// read runs a closure on one consistent snapshot.
func read[T any](ctx context.Context, s *Store, run func(querier) (T, error)) (result T, err error) {
	tx, err := s.begin(ctx)
	if err != nil {
		return result, err
	}
	view := &snapshot{Tx: tx, statements: &s.statements}
	defer func() {
		_ = tx.Rollback() // it only read
		s.statements.keep(ctx, s.readers, view.again)
	}()
	result, err = run(view)
	return result, unavailable(err)
}

// begin returns a snapshot, to be rolled back.
func (s *Store) begin(ctx context.Context) (*sql.Tx, error) {
	if s.closed.Load() {
		return nil, errClosed
	}
	snapshot, err := s.readers.BeginTx(ctx, nil)
	return snapshot, unavailable(err)
}

// collect reads all rows of a query.
func collect[T any](ctx context.Context, q querier, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// first reads the only row of a query; without a row it returns storage.ErrNotFound.
func first[T any](ctx context.Context, q querier, scan func(*sql.Rows) (T, error), query string, args ...any) (one T, err error) {
	all, err := collect(ctx, q, scan, query, args...)
	if err != nil {
		return one, err
	}
	if len(all) == 0 {
		return one, storage.ErrNotFound
	}
	return all[0], nil
}

// value scans a row of one column.
func value[T any](rows *sql.Rows) (v T, err error) {
	err = rows.Scan(&v)
	return v, err
}

// tx is the writer's transaction. Its statements are prepared once and kept: the number of different texts is small.
type tx struct {
	ctx    context.Context // the writer's
	writer *writer
	term   *int64 // see writer.term; takes effect with the commit
	apart  bool   // batches are not merged
	events bool   // events were stored

	sequence int64 // the last one given out
	touched  []*audience
	held     []heldRow
	deaths   []death
	lives    []life
	began    place
	journal  journal
	folded   int // pieces of the round that this transaction folds
	indexed  int // likewise, runs of segments that it indexes
}

func (t *tx) stmt(query string) (*sql.Stmt, error) {
	if stmt, ok := t.writer.stmts[query]; ok {
		return stmt, nil
	}
	stmt, err := t.writer.conn.PrepareContext(t.ctx, query)
	if err != nil {
		return nil, fmt.Errorf("prepare %.60q: %w", query, err)
	}
	t.writer.stmts[query] = stmt
	return stmt, nil
}

// QueryContext implements querier.
func (t *tx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, err := t.stmt(query) //nolint:sqlclosecheck // it is kept, and closed with the writer
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, args...)
}

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(query string, args ...any) (int64, error) {
	stmt, err := t.stmt(query) //nolint:sqlclosecheck // it is kept, and closed with the writer
	if err != nil {
		return 0, err
	}
	result, err := stmt.ExecContext(t.ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// control runs a statement that begins or ends something.
func (t *tx) control(query string) error {
	if _, err := t.exec(query); err != nil {
		return unavailable(fmt.Errorf("%s: %w", query, err))
	}
	return nil
}

// unavailable wraps an error with which SQLite says that it can't work now.
func unavailable(err error) error {
	var fault *sqlite.Error
	if !errors.As(err, &fault) || errors.Is(err, storage.ErrUnavailable) {
		return err
	}
	switch fault.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR,
		sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL:
		return fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
	}
	return err
}
