package sqlite

import (
	"context"
	"database/sql"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
)

// walLimit is the size of the write-ahead log, in bytes, from which on its content is carried over into the database.
const walLimit = 32 << 20

// checkpoints carries the write-ahead log over into the database beside the writer, on a connection of its own, so that
// no commit waits for it. The little that is committed meanwhile the writer carries over itself: only when nothing is
// left does the file begin anew.
type checkpoints struct {
	db     *sql.DB
	path   string
	logger *slog.Logger
	wake   chan struct{}
	rest   atomic.Bool // the writer is to carry over the rest
	stop   context.CancelFunc
	done   sync.WaitGroup
}

func startCheckpoints(ctx context.Context, opts Options) (*checkpoints, error) {
	db, err := openPool(opts.Path, "deferred", 1, "synchronous(FULL)", "wal_autocheckpoint(0)")
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	c := &checkpoints{db: db, path: opts.Path + "-wal", logger: opts.Logger, wake: make(chan struct{}, 1), stop: stop}
	c.done.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-c.wake:
				c.run(ctx)
			}
		}
	})
	return c, nil
}

const carryOver = `PRAGMA wal_checkpoint(PASSIVE)`

// afterCommit starts a checkpoint if the log has grown enough and none is under way, or ends one on the connection of
// the writer, whose goroutine calls it.
func (c *checkpoints) afterCommit(w *writer) {
	if c.rest.CompareAndSwap(true, false) {
		_, err := w.conn.ExecContext(w.ctx, carryOver)
		c.check(w.ctx, err)
		return
	}
	if file, err := os.Stat(c.path); err != nil || file.Size() < walLimit {
		return
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *checkpoints) run(ctx context.Context) {
	if _, err := c.db.ExecContext(ctx, carryOver); c.check(ctx, err) {
		c.rest.Store(true)
	}
}

func (c *checkpoints) check(ctx context.Context, err error) (ok bool) {
	if err != nil && ctx.Err() == nil {
		c.logger.ErrorContext(ctx, "the write-ahead log can't be carried over", "error", err)
	}
	return err == nil
}

func (c *checkpoints) close() error {
	c.stop()
	c.done.Wait()
	return c.db.Close()
}
