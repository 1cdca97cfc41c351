package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"susul.dev/susul/storage"
)

// freeWithin bounds how long anybody waits for a free connection.
const freeWithin = 10 * time.Second

var (
	// forWrites sees what was committed while it waited for a lock, whatever the database's default is.
	forWrites = pgx.TxOptions{IsoLevel: pgx.ReadCommitted}
	// forReads sees one snapshot.
	forReads = pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
)

// Advisory locks. Whatever else uses the database must use other numbers.
const (
	partitionLock  = 0x5553_0000_0001 // of who makes or drops a partition
	leadershipLock = 0x5553_0000_0002 // shared by leaders' writes
)

// transact runs a closure in a transaction. If it returns errLost, nothing has happened.
func (d *database) transact(ctx context.Context, options pgx.TxOptions, run func(pgx.Tx) error) error {
	var uncertain error // of the commit
	err := d.connected(ctx, func(conn *pgxpool.Conn) error {
		t, err := conn.BeginTx(ctx, options)
		if err != nil {
			return err
		}
		if err := run(t); err != nil {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answersWithin)
			defer cancel()
			_ = t.Rollback(ctx) // a connection that can't do that is closed
			return err
		}
		uncertain = t.Commit(ctx)
		return nil
	})
	if err == nil {
		err = uncertain
	}
	return err
}

// connected runs a closure with a connection of the pool. If that breaks meanwhile, it returns errLost.
func (d *database) connected(ctx context.Context, run func(*pgxpool.Conn) error) error {
	conn, err := d.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if err = run(conn); err != nil && conn.Conn().IsClosed() && ctx.Err() == nil {
		return fmt.Errorf("%w: %w", errLost, err)
	}
	return err
}

// acquire returns a connection, to be released. What keeps it from that is the context, or the store is unavailable.
func (d *database) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	within, cancel := context.WithTimeout(ctx, freeWithin)
	defer cancel()
	conn, err := d.pool.Acquire(within)
	switch {
	case err == nil:
		return conn, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("wait for a connection: %w", context.Cause(ctx))
	}
	return nil, fmt.Errorf("%w: no connection: %v", storage.ErrUnavailable, err) //nolint:errorlint // its deadline is not the caller's
}
