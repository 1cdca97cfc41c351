package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"susul.dev/susul/storage"
)

// freeWithin bounds how long anybody waits for a free connection.
const freeWithin = 10 * time.Second

const (
	// forWrites sees what was committed while it waited for a lock, whatever the database's default is.
	forWrites = "begin isolation level read committed"
	// forReads sees one snapshot.
	forReads = "begin isolation level repeatable read read only"
)

// Advisory locks, besides those of presence.go, limits.go and upstreams.go. Whatever else uses the database must use other numbers.
const (
	partitionLock  = 0x5553_0000_0001 // of who makes or drops a partition
	leadershipLock = 0x5553_0000_0002 // shared by leaders' writes
)

// transact runs a closure in a transaction that begins so. If it returns errLost, nothing has happened; after errUncertain, that is not
// known.
func (d *database) transact(ctx context.Context, begin string, run func(*transaction) error) error {
	var last error // of the commit, or of what was sent along with it
	err := d.connected(ctx, func(conn *pgxpool.Conn) error {
		t := &transaction{conn: conn.Conn(), begin: begin}
		if err := run(t); err != nil {
			if t.ends && t.conn.IsClosed() && !pgconn.SafeToRetry(err) {
				last = fmt.Errorf("%w: %w", errUncertain, err)
				return nil
			}
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answersWithin)
			defer cancel()
			t.rollback(ctx)
			return err
		}
		if last = t.commit(ctx); last != nil && t.conn.IsClosed() {
			last = fmt.Errorf("%w: %w", errUncertain, last)
		}
		return nil
	})
	if err == nil {
		err = last
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
