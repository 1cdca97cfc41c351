package postgres

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// transaction is a transaction of PostgreSQL. Most are short, and each wait for an answer counts: it begins along with its first
// statement, and may end along with its last ones.
type transaction struct {
	conn  *pgx.Conn
	begin string // empty once it has begun
	ends  bool   // COMMIT was sent along with the last statements
}

// Exec runs a statement.
func (t *transaction) Exec(ctx context.Context, query string, args ...any) (pgconn.CommandTag, error) {
	rows, err := t.Query(ctx, query, args...)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	rows.Close()
	return rows.CommandTag(), rows.Err()
}

// Query runs a query.
func (t *transaction) Query(ctx context.Context, query string, args ...any) (pgx.Rows, error) {
	if t.begin == "" {
		return t.conn.Query(ctx, query, args...)
	}
	var batch pgx.Batch
	batch.Queue(query, args...)
	results := t.SendBatch(ctx, &batch)
	if _, err := results.Exec(); err != nil { // of BEGIN
		_ = results.Close() // with the same error
		return nil, err
	}
	rows, err := results.Query()
	if err != nil {
		_ = results.Close() // with the same error
		return nil, err
	}
	return &onlyRows{rows, results}, nil
}

// QueryRow runs a query that returns one row.
func (t *transaction) QueryRow(ctx context.Context, query string, args ...any) pgx.Row {
	rows, err := t.Query(ctx, query, args...)
	return onlyRow{rows, err}
}

// SendBatch runs statements, none of which waits for the answers of others.
func (t *transaction) SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults {
	if t.begin != "" {
		begin := &pgx.QueuedQuery{SQL: t.begin}
		batch = &pgx.Batch{QueuedQueries: slices.Concat([]*pgx.QueuedQuery{begin}, batch.QueuedQueries)}
		t.begin = ""
	}
	return t.conn.SendBatch(ctx, batch)
}

// sendLast runs the last statements, and commits unless one of them fails. What comes of them must be right to commit.
func (t *transaction) sendLast(ctx context.Context, batch *pgx.Batch) error {
	batch.Queue("commit")
	t.ends = true
	return t.SendBatch(ctx, batch).Close()
}

// CopyFrom stores rows of a table.
func (t *transaction) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error) {
	if t.begin != "" {
		if err := t.SendBatch(ctx, &pgx.Batch{}).Close(); err != nil {
			return 0, err
		}
	}
	return t.conn.CopyFrom(ctx, table, columns, rows)
}

// commit ends the transaction.
func (t *transaction) commit(ctx context.Context) error {
	if t.begin != "" || t.ends {
		return nil
	}
	tag, err := t.conn.Exec(ctx, "commit")
	if err == nil && tag.String() != "COMMIT" {
		err = pgx.ErrTxCommitRollback
	}
	return err
}

// rollback undoes the transaction. A connection that can't do that is closed when it is released.
func (t *transaction) rollback(ctx context.Context) {
	if t.begin == "" {
		_, _ = t.conn.Exec(ctx, "rollback")
	}
}

// onlyRows are the rows of the only query of a batch.
type onlyRows struct {
	pgx.Rows
	batch pgx.BatchResults
}

// Next implements pgx.Rows.
func (r *onlyRows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

// Close implements pgx.Rows.
func (r *onlyRows) Close() {
	r.Rows.Close()
	_ = r.batch.Close() // an error is that of the rows
}

// onlyRow is the first of some rows.
type onlyRow struct {
	rows pgx.Rows
	err  error
}

// Scan implements pgx.Row.
func (r onlyRow) Scan(to ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return pgx.ErrNoRows
	}
	if err := r.rows.Scan(to...); err != nil {
		return err
	}
	r.rows.Close()
	return r.rows.Err()
}
