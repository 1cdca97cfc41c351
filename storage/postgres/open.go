package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"susul.dev/susul/storage"
)

// ErrDSN says that a DSN can't be read. It does not quote it.
var ErrDSN = errors.New("this is no PostgreSQL connection string or URL")

// Options say which database to use, and how. Zero fields get the defaults.
type Options struct {
	// DSN is a connection string or URL, as libpq takes them. What it sets counts, such as lock_timeout or search_path.
	DSN    string
	Logger *slog.Logger // default: discard
	// Connections is how many are open at once, at most. Default 16.
	Connections int
	// MaxHeld is how many callbacks are held for each app and reason, about. Default 1,000,000.
	MaxHeld int
	// RecipientsInMemory is of how many recipients it is remembered who they are, 24 bytes each, about. Default 8,000,000.
	RecipientsInMemory int

	// lookEvery is how often news is looked for that was lost: the log's end each time, work every second time. Default 1 s.
	lookEvery time.Duration
}

// complete fills in the defaults.
func (o *Options) complete() {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Connections <= 0 {
		o.Connections = 16
	}
	if o.MaxHeld <= 0 {
		o.MaxHeld = 1_000_000
	}
	if o.RecipientsInMemory <= 0 {
		o.RecipientsInMemory = 8_000_000
	}
	if o.lookEvery <= 0 {
		o.lookEvery = time.Second
	}
}

// Store is a handle onto a database.
type Store struct {
	*database
	// home names the handle among those of all nodes.
	home int64
	// term is the term that this handle leads with; 0: it never led.
	term   atomic.Int64
	closed atomic.Bool
}

var _ storage.Store = (*Store)(nil)

// How many upstream ids and pushes are remembered, at most. An id takes a quarter of a kilobyte, about.
const (
	knownUpstreams = 1 << 18
	knownPushes    = 1 << 14
	// What the log's events tell of a dispatch may be as large as a batch.
	knownDispatches = 1 << 12
	knownPolicies   = 1 << 12
)

// database is what handles share. It is closed with the last of them.
type database struct {
	options Options
	pool    *pgxpool.Pool
	signals *signals

	recorder   *recorder
	held       heldCounts
	kinds      *kinds
	targets    *cache[upstream, *target]
	pushes     *cache[int64, knownPush]
	partitions partitions
	invalid    invalids
	lives      *cache[int64, int64] // hours, by push
	dispatches *cache[int64, *loggedDispatch]
	policies   *cache[policyRevision, struct{}] // that are stored
	rosters    *rosters

	mu      sync.Mutex
	handles map[int64]bool // those that are open, by their homes
}

// What a connection is set to, unless the DSN says otherwise.
var settings = map[string]string{
	"application_name": "susul",
	// A node that dies in a transaction keeps others waiting for no longer than this, even if its connection seems to stand. Locks are
	// waited for somewhat longer, and statements as long as their callers wait.
	"idle_in_transaction_session_timeout": "10s",
	"lock_timeout":                        "15s",
	// A node whose machine is gone without a word keeps its connections, and what they lock, for no longer than a minute.
	"tcp_keepalives_idle":     "30s",
	"tcp_keepalives_interval": "10s",
	"tcp_keepalives_count":    "3",
	"tcp_user_timeout":        "1min",
	// Statements are short: to compile one would take longer than to run it.
	"jit": "off",
	// All that is asked for often has an index. A plan that was made while tables were small must not read them through when they are not.
	"enable_seqscan": "off",
}

// connectWithin bounds how long it takes to connect, unless the DSN says otherwise.
const connectWithin = 10 * time.Second

// Open connects to a database, brings its schema up to date and returns a handle. A schema that is newer than this program gets
// ErrSchemaTooNew, one that a migration fills ErrMigrating, and one that a migration left incomplete ErrIncomplete.
func Open(ctx context.Context, opts Options) (*Store, error) {
	opts.complete()
	pool, err := connect(ctx, opts, enter)
	switch {
	case errors.Is(err, ErrMigrating):
		return nil, ErrMigrating // who starts need not wait for it
	case err != nil:
		return nil, err
	}
	err = prepare(ctx, pool, opts.Logger)
	if err == nil {
		err = requireComplete(ctx, pool)
	}
	if err != nil {
		pool.Close()
		return nil, unavailable(err)
	}
	return newDatabase(ctx, opts, pool).handle(), nil
}

// newDatabase starts what works with a pool's database.
func newDatabase(ctx context.Context, opts Options, pool *pgxpool.Pool) *database {
	d := &database{options: opts, pool: pool, kinds: newKinds(), targets: newCache[upstream, *target](knownUpstreams),
		pushes: newCache[int64, knownPush](knownPushes), lives: newCache[int64, int64](knownPushes),
		dispatches: newCache[int64, *loggedDispatch](knownDispatches), policies: newCache[policyRevision, struct{}](knownPolicies), handles: map[int64]bool{}}
	d.held.max, d.held.apps = opts.MaxHeld, map[heldKey]heldCount{}
	d.rosters = newRosters(d, opts.RecipientsInMemory)
	d.signals = startSignals(d) //nolint:contextcheck // it goes on when Open has returned
	d.signals.begin(ctx)
	d.recorder = startRecorder(d) //nolint:contextcheck // likewise
	return d
}

// connect returns a pool of connections, each of which runs a function first, and sees that one can be made.
func connect(ctx context.Context, opts Options, begin func(context.Context, *pgx.Conn) error) (*pgxpool.Pool, error) {
	config, err := configure(opts)
	if err != nil {
		return nil, err
	}
	config.AfterConnect = begin
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err == nil {
		if err = pool.Ping(ctx); err != nil {
			pool.Close()
		}
	}
	if err != nil {
		return nil, unavailable(fmt.Errorf("connect: %w", err))
	}
	return pool, nil
}

func configure(opts Options) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(opts.DSN)
	if err != nil {
		return nil, ErrDSN // err may quote the password
	}
	config.MaxConns = int32(min(opts.Connections, 1000))
	config.MinConns = min(config.MinConns, config.MaxConns)
	config.MinIdleConns = min(config.MinIdleConns, config.MaxConns)
	for name, value := range settings {
		_, set := config.ConnConfig.RuntimeParams[name]
		if set = set || strings.Contains(config.ConnConfig.RuntimeParams["options"], name); !set {
			config.ConnConfig.RuntimeParams[name] = value
		}
	}
	config.ConnConfig.DialFunc = dial
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = connectWithin
	}
	return config, nil
}

// oldest is the oldest version of PostgreSQL that will do.
const oldest = 14

// prepare makes sure that the database will do, and brings its schema up to date.
func prepare(ctx context.Context, pool *pgxpool.Pool, logger *slog.Logger) error {
	var version int
	var encoding string
	if err := pool.QueryRow(ctx, `SELECT current_setting('server_version_num')::integer / 10000, current_setting('server_encoding')`).
		Scan(&version, &encoding); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	switch {
	case version < oldest:
		return fmt.Errorf("the database is of PostgreSQL %d: %d is needed, or later", version, oldest)
	case encoding != "UTF8":
		return fmt.Errorf("the database has the encoding %s: UTF8 is needed", encoding)
	}
	return migrate(ctx, pool, logger)
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
		s.recorder.stop()
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
