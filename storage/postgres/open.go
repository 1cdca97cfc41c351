package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"susul.dev/susul/storage"
)

// ErrDSN says that a DSN can't be read. It does not quote it.
var ErrDSN = errors.New("this is no PostgreSQL connection string or URL")

// Options say which database to use, and how. Zero fields get the defaults.
type Options struct {
	// DSN is a connection string or URL, as libpq takes them.
	DSN    string
	Logger *slog.Logger // default: discard
	// Connections is how many are open at once, at most. Default 16.
	Connections int
	// MaxHeld is how many callbacks are held for each app and reason, about. Default 1,000,000.
	MaxHeld int
}

// Store is a handle onto a database.
type Store struct {
	storage.Store // what is not written yet; it goes when everything is

	*database
	// home names the handle among those of all nodes.
	home int64
	// term is the term that this handle leads with; 0: it never led.
	term   atomic.Int64
	closed atomic.Bool
}

// database is what handles share. It is closed with the last of them.
type database struct {
	options Options
	pool    *pgxpool.Pool
	signals *signals

	mu      sync.Mutex
	handles map[int64]bool // those that are open, by their homes
}

// Open connects to a database, brings its schema up to date and returns a handle. A schema that is newer than this program gets
// ErrSchemaTooNew.
func Open(ctx context.Context, opts Options) (*Store, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Connections <= 0 {
		opts.Connections = 16
	}
	if opts.MaxHeld <= 0 {
		opts.MaxHeld = 1_000_000
	}
	pool, err := connect(ctx, opts, enter)
	if err != nil {
		return nil, unavailable(fmt.Errorf("connect: %w", err))
	}
	err = migrate(ctx, pool, opts.Logger)
	if err == nil {
		err = requireComplete(ctx, pool)
	}
	if err != nil {
		pool.Close()
		return nil, unavailable(err)
	}
	d := &database{options: opts, pool: pool, handles: map[int64]bool{}}
	d.signals = startSignals(d)
	return d.handle(), nil
}

// connect returns a pool of connections, each of which runs a function first, and sees that one can be made.
func connect(ctx context.Context, opts Options, begin func(context.Context, *pgx.Conn) error) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(opts.DSN)
	if err != nil {
		return nil, ErrDSN // err may quote the password
	}
	config.MaxConns = int32(min(opts.Connections, 1000)) //nolint:gosec // bounded
	config.ConnConfig.RuntimeParams["application_name"] = "susul"
	config.AfterConnect = begin
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return pool, nil
}

// Handle returns another handle onto the same database, which may lead while this one does not. Each must be closed.
func (s *Store) Handle() *Store { return s.handle() }

func (d *database) handle() *Store {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := &Store{database: d, home: rand.Int64N(math.MaxInt64) + 1}
	d.handles[s.home] = true
	return s
}

// homes returns the names of the handles that are open.
func (d *database) homes() map[int64]bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.handles)
}

// Close implements storage.Store. Calls that are under way may fail.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.mu.Lock()
	delete(s.handles, s.home)
	last := len(s.handles) == 0
	s.mu.Unlock()
	s.signals.wakeHandle(s.home)
	if last {
		s.signals.stop()
		s.pool.Close()
	}
	return nil
}

// CheckDSN returns ErrDSN for what is no connection string or URL.
func CheckDSN(dsn string) error {
	if _, err := pgxpool.ParseConfig(dsn); err != nil {
		return ErrDSN // err may quote the password
	}
	return nil
}
