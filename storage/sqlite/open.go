// Package sqlite keeps Susul's memory in one SQLite file. One goroutine writes: it takes every job that waits, runs
// them in one transaction and answers once that is durable. Reads run beside it on connections of their own.
//
//	callers ──► bounded queue ──► writer: BEGIN IMMEDIATE
//	                                      take the lead, check the fence
//	                                      all callbacks, merged into one set
//	                                      every other job in a savepoint of its own
//	                                      fold some progress
//	                                      COMMIT, then answer everybody
//
// A callback's caller finds its recipient beside others, in memory or on disk (resolve.go). The writer sets a bit in the
// recipient's progress word, which is in memory (callbacks.go, audience.go); if it was not set, the event is new. Events
// are appended to the log in packed segments, and counted (log.go); package layout draws the forms. That is all that a
// 200 waits for. Progress follows to disk behind the log (fold.go), from which it is made again after a crash; what a
// transaction that fails has changed in memory is undone (journal.go). What is large and not needed leaves memory.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"

	"susul.dev/susul/storage"
)

// Options say which file to open, and how. Zero fields get the defaults.
type Options struct {
	// Path is the database file; it is created if it does not exist, its folder is not.
	Path   string
	Logger *slog.Logger // default: discard
	// QueueSize is how many writes may wait for the writer before further ones get storage.ErrUnavailable. Default 1024.
	QueueSize int
	// QueueRows is how many rows of callbacks may wait in it. Default 100,000.
	QueueRows int
	// Readers is how many reads run at once; others wait. Default 4.
	Readers int
	// Memory is how many bytes recipients may take in memory, about. What was not needed for the longest gives way, once
	// it is on disk. Those who read events take up to an eighth of it in addition. Default 1 GiB.
	Memory int
	// MaxHeld is how many callbacks are held for each app and reason, about. Default 1,000,000.
	MaxHeld int

	foldPause time.Duration // between two folds; tests shorten it
}

// Store is a storage.Store in one SQLite file.
type Store struct {
	db      *sql.DB // holds the writer's connection
	readers *sql.DB
	writer  *writer
	live    *live
	lookups *lookups
	signals *signals
	drafts  *drafts
	setting chan struct{} // holds one when devices are being set
	closed  atomic.Bool

	checkpoints *checkpoints
	statements  statements
}

var _ storage.Store = (*Store)(nil)

// Open opens the file, brings its schema up to date and starts the writer. A schema that is newer than this program
// gets ErrSchemaTooNew.
func Open(ctx context.Context, opts Options) (*Store, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.QueueSize <= 0 {
		opts.QueueSize = 1024
	}
	if opts.QueueRows <= 0 {
		opts.QueueRows = 100_000
	}
	if opts.Readers <= 0 {
		opts.Readers = 4
	}
	if opts.MaxHeld <= 0 {
		opts.MaxHeld = 1_000_000
	}
	if opts.Memory <= 0 {
		opts.Memory = 1 << 30
	}
	if opts.foldPause <= 0 {
		opts.foldPause = 2 * time.Second
	}
	// A commit need not wait for timestamps. The switch holds for the whole process and is as durable.
	if _, err := sqlite.Fdatasync(true); err != nil && !errors.Is(err, sqlite.ErrFdatasyncUnavailable) {
		return nil, err
	}
	db, err := openPool(opts.Path, "immediate", 1,
		"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "temp_store(MEMORY)",
		"cache_size(-32768)", "wal_autocheckpoint(0)", fmt.Sprintf("journal_size_limit(%d)", walLimit/2))
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, db, opts.Logger); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	readers, err := openPool(opts.Path, "deferred", opts.Readers, "query_only(1)", "cache_size(-8192)")
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, readers.Close(), db.Close())
	}
	s := &Store{db: db, readers: readers, signals: newSignals(), setting: make(chan struct{}, 1)}
	s.checkpoints, err = startCheckpoints(ctx, opts)
	if err != nil {
		return nil, errors.Join(err, conn.Close(), readers.Close(), db.Close())
	}
	if s.writer, err = startWriter(ctx, conn, opts, s.checkpoints, s.signals.send); err != nil {
		return nil, errors.Join(err, s.checkpoints.close(), readers.Close(), db.Close())
	}
	s.live = s.writer.live
	s.lookups = newLookups(opts.Memory / 8)
	s.drafts = startDrafts(ctx, s.sweep)
	return s, nil
}

// openPool returns a pool of connections that all wait up to five seconds for a lock of another process.
func openPool(path, txlock string, size int, pragmas ...string) (*sql.DB, error) {
	return openWith(path, size, url.Values{"_txlock": {txlock}}, pragmas...)
}

// openWith returns a pool like openPool's, with parameters of SQLite's or the driver's.
func openWith(path string, size int, query url.Values, pragmas ...string) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", path, err)
	}
	query["_pragma"] = append([]string{"busy_timeout(5000)"}, pragmas...)
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: abs}).EscapedPath(), RawQuery: query.Encode()}
	connector, err := sqlite.NewConnector(dsn.String())
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", path, err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return db, nil
}

// Ping goes through the whole way of a write. What it writes changes nothing.
func (s *Store) Ping(ctx context.Context) error {
	if ago := time.Since(time.Unix(0, s.writer.failed.Load())); ago < failedFor {
		return fmt.Errorf("%w: a write failed %s ago", storage.ErrUnavailable, ago.Round(time.Second))
	}
	return s.writer.do(ctx, &job{run: func(t *tx) error {
		_, err := t.exec(`UPDATE fold SET sequence = sequence`)
		return err
	}})
}

// Close takes no more work, finishes what waits, and closes the file. It wakes subscribers, so that they notice when
// they read. A second call does nothing.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.signals.send()
	s.drafts.close()
	return errors.Join(s.writer.close(), s.checkpoints.close(), s.readers.Close(), s.db.Close())
}
