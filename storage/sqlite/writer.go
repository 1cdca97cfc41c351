package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// failedFor is how long a store is not taken to be well after a write failed, unless it stored callbacks meanwhile.
const failedFor = 10 * time.Second

// What one transaction takes at most. Whoever comes after waits for the next.
const (
	maxJobs = 512
	maxRows = 20_000 // callbacks
)

// job is one caller's write. Either run or batch is set.
type job struct {
	run   func(*tx) error
	batch *batch // callbacks, to be merged with those of others
	leads bool   // run decides who leads, and is not fenced itself

	ctx  context.Context // of the caller
	err  error
	done chan error // has room for the answer, so that the writer never waits for a caller
}

// writer owns the only connection that writes.
type writer struct {
	ctx      context.Context // of all statements; it never ends, as every transaction is many callers'
	conn     *sql.Conn
	logger   *slog.Logger
	onEvents func() // called after events were committed

	mu     sync.RWMutex // guards closed, and that nobody sends on a closed queue
	closed bool
	queue  chan *job
	ended  chan struct{}

	rows    atomic.Int64 // callbacks in the queue
	maxRows int64
	maxHeld int
	failed  atomic.Int64 // when a write failed last, in nanoseconds since the epoch; 0 once callbacks were stored again

	live        *live
	kinds       *kinds
	invalid     *invalids
	checkpoints *checkpoints

	// The rest belongs to the goroutine.
	stmts    map[string]*sql.Stmt
	texts    map[bulkSize]string
	term     *int64           // the term that this store leads with; nil: it never led
	sequence int64            // of the latest event
	apps     map[string]int64 // the log's numbers of apps
	held     map[heldKey]heldCount
	fold     fold
	keys     []uint64             // memory for sorting
	segment  layout.SegmentWriter // likewise for encoding
	journal  journal              // likewise for what a transaction changes
	idle     bool                 // the queue is empty
}

// startWriter reads the end of the log into memory, and starts the goroutine.
func startWriter(ctx context.Context, conn *sql.Conn, opts Options, checkpoints *checkpoints, onEvents func()) (*writer, error) {
	w := &writer{
		ctx: context.WithoutCancel(ctx), conn: conn, logger: opts.Logger, onEvents: onEvents, checkpoints: checkpoints,
		queue: make(chan *job, opts.QueueSize), ended: make(chan struct{}), maxRows: int64(opts.QueueRows),
		live: newLive(opts.Memory), kinds: newKinds(), invalid: newInvalids(), fold: fold{pause: opts.foldPause},
		stmts: map[string]*sql.Stmt{}, texts: map[bulkSize]string{}, apps: map[string]int64{},
		held: map[heldKey]heldCount{}, maxHeld: opts.MaxHeld,
	}
	if err := w.readEnd(); err != nil {
		return nil, errors.Join(err, w.closeConn())
	}
	go w.loop()
	return w, nil
}

// readEnd recovers in a transaction that only reads: another process may own the file still.
func (w *writer) readEnd() error {
	t := &tx{ctx: w.ctx, writer: w}
	if err := t.control("BEGIN"); err != nil {
		return err
	}
	err := t.recover()
	return errors.Join(err, t.control("ROLLBACK"))
}

// write runs a closure in the writer's transaction and returns its result once that is durable.
func write[T any](ctx context.Context, s *Store, run func(*tx) (T, error)) (T, error) {
	var result, zero T
	err := s.writer.do(ctx, &job{run: func(t *tx) (err error) {
		result, err = run(t)
		return err
	}})
	if err != nil {
		return zero, err // the closure may still be running: result is not ours to read
	}
	return result, nil
}

// do queues a job and waits for its answer, or until ctx ends.
func (w *writer) do(ctx context.Context, j *job) error {
	j.ctx, j.done = ctx, make(chan error, 1)
	if err := w.enqueue(j); err != nil {
		return err
	}
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *writer) enqueue(j *job) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return errClosed
	}
	rows := int64(j.rows())
	if waiting := w.rows.Add(rows); rows > 0 && waiting > max(w.maxRows, rows) {
		w.rows.Add(-rows)
		return tooManyRows(waiting - rows)
	}
	select {
	case w.queue <- j:
		return nil
	default:
		w.rows.Add(-rows)
		return fmt.Errorf("%w: %d writes are waiting", storage.ErrUnavailable, cap(w.queue))
	}
}

// room returns an error if a batch of so many rows would find no room in the queue. A batch that is larger than the
// bound is taken when nothing else waits, or else it never would be.
func (w *writer) room(rows int) error {
	if waiting := w.rows.Load(); waiting+int64(rows) > max(w.maxRows, int64(rows)) {
		return tooManyRows(waiting)
	}
	if len(w.queue) == cap(w.queue) {
		return fmt.Errorf("%w: %d writes are waiting", storage.ErrUnavailable, cap(w.queue))
	}
	return nil
}

func tooManyRows(waiting int64) error {
	return fmt.Errorf("%w: %d rows are waiting", storage.ErrUnavailable, waiting)
}

// close lets the writer finish what waits.
func (w *writer) close() error {
	w.mu.Lock()
	w.closed = true
	close(w.queue)
	w.mu.Unlock()
	<-w.ended
	return w.closeConn()
}

func (w *writer) closeConn() error {
	var errs []error
	for _, stmt := range w.stmts {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(append(errs, w.conn.Close())...)
}

func (w *writer) loop() {
	defer close(w.ended)
	tick := time.NewTicker(w.fold.pause)
	defer tick.Stop()
	for {
		select {
		case first, ok := <-w.queue:
			if !ok {
				w.foldAll()
				return
			}
			w.idle = false
			w.serve(w.drain(first))
		case <-tick.C:
			w.idle = len(w.queue) == 0
			for w.idle && w.fold.begin(time.Now(), w.sequence) && w.serve(nil) {
				w.idle = len(w.queue) == 0
			}
			w.live.round.Add(1)
			w.live.evict()
		}
	}
}

// serve runs jobs and answers their callers. It reports whether the transaction was committed.
func (w *writer) serve(jobs []*job) bool {
	events, err := w.transact(jobs)
	w.noteHealth(jobs, err)
	for _, j := range jobs {
		if err != nil {
			j.err = err
		}
		j.done <- j.err
	}
	if err == nil {
		if events {
			w.onEvents()
		}
		w.checkpoints.afterCommit(w)
	}
	return err == nil
}

// noteHealth remembers when a transaction, or a batch of callbacks, could not be written, until one can.
func (w *writer) noteHealth(jobs []*job, err error) {
	recorded := false
	for _, j := range jobs {
		if j.batch == nil {
			continue
		}
		recorded = recorded || j.err == nil
		if errors.Is(j.err, storage.ErrUnavailable) {
			err = j.err
		}
	}
	switch {
	case err != nil:
		w.failed.Store(time.Now().UnixNano())
	case recorded:
		w.failed.Store(0)
	}
}

// foldAll leaves nothing to be replayed, if it can.
func (w *writer) foldAll() {
	w.idle, w.fold.pause = true, 0
	for w.fold.begin(time.Now(), w.sequence) && w.serve(nil) {
	}
}

// drain returns the job with all that wait behind it, up to the limits of one transaction.
func (w *writer) drain(first *job) []*job {
	jobs := []*job{first}
	rows := first.rows()
	defer func() { w.rows.Add(-int64(rows)) }()
	for len(jobs) < maxJobs && rows < maxRows {
		select {
		case j, ok := <-w.queue:
			if !ok {
				return jobs
			}
			jobs = append(jobs, j)
			rows += j.rows()
		default:
			return jobs
		}
	}
	return jobs
}

func (j *job) rows() int {
	if j.batch == nil {
		return 0
	}
	return len(j.batch.entries)
}

// transact runs the jobs in one transaction and reports whether that stored events. The error is every job's; an
// error of one job alone is left in the job.
func (w *writer) transact(jobs []*job) (events bool, err error) {
	events, err = w.attempt(jobs, false)
	if errors.Is(err, errMerged) {
		return w.attempt(jobs, true)
	}
	return events, err
}

func (w *writer) attempt(jobs []*job, apart bool) (events bool, err error) {
	t := &tx{ctx: w.ctx, writer: w, term: w.term, apart: apart, sequence: w.sequence, journal: w.journal}
	t.began = t.place()
	if err := t.control("BEGIN IMMEDIATE"); err != nil {
		return false, err
	}
	defer func() {
		if err == nil {
			return
		}
		t.undo(t.began)
		w.logger.Error("transaction failed", "jobs", len(jobs), "error", err)
		// After some faults SQLite has rolled back by itself, and then says that there is nothing to roll back.
		if rollback := t.control("ROLLBACK"); rollback != nil {
			w.logger.Warn("rollback failed", "error", rollback)
		}
	}()
	if err := t.runAll(jobs); err != nil {
		return false, err
	}
	if err := t.control("COMMIT"); err != nil {
		return false, fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
	}
	w.term = t.term
	t.committed()
	return t.events, nil
}

// runAll runs the jobs in the order in which they depend on each other: callbacks come before claims, so that a claim
// sees every click that arrived with it.
func (t *tx) runAll(jobs []*job) error {
	var leads, batches, others []*job
	for _, j := range jobs {
		switch {
		case j.ctx.Err() != nil:
			j.err = j.ctx.Err() // nobody waits for it any more
		case j.leads:
			leads = append(leads, j)
		case j.batch != nil:
			batches = append(batches, j)
		default:
			others = append(others, j)
		}
	}
	if err := t.runEach(leads); err != nil {
		return err
	}
	fenced, err := t.fenced()
	if err != nil {
		return err
	}
	if fenced {
		// The later leader's log goes on without what is in memory here.
		t.writer.fold = fold{pause: t.writer.fold.pause}
		t.writer.live.replace(map[int64]*audience{}, math.MaxUint32)
		for _, j := range append(batches, others...) {
			j.err = storage.ErrFenced
		}
		return nil
	}
	if err := t.runBatches(batches); err != nil {
		return err
	}
	if err := t.runEach(others); err != nil {
		return err
	}
	return t.foldBeside()
}

// foldBeside folds a little beside the jobs, or more if there are none.
func (t *tx) foldBeside() error {
	w := t.writer
	if w.fold.round == nil {
		return nil
	}
	pieces := foldAtOnce
	if w.idle {
		pieces = foldIdle
	}
	return unavailable(t.foldSome(pieces, pieces*refsPerPiece))
}

// errMerged says that batches could not be stored together. It stays within the writer.
var errMerged = errors.New("a merged write failed")

// runBatches records all batches as one set, without a savepoint: to keep one costs a copy of every page touched.
// Should that fail, the transaction is begun anew with each batch apart, so that one that can't be stored fails alone.
func (t *tx) runBatches(jobs []*job) error {
	switch {
	case len(jobs) == 0:
		return nil
	case t.apart:
		return t.runEach(jobs)
	}
	if err := t.shield(func() error { return t.record(jobs) }); err != nil {
		return fmt.Errorf("%w: %w", errMerged, err)
	}
	return nil
}

// runEach runs each job in a savepoint of its own.
func (t *tx) runEach(jobs []*job) error {
	for _, j := range jobs {
		var fatal error
		if j.err, fatal = t.isolate(func() error { return t.runOne(j) }); fatal != nil {
			return fatal
		}
	}
	return nil
}

func (t *tx) runOne(j *job) error {
	if j.batch != nil {
		return t.record([]*job{j})
	}
	return j.run(t)
}

// isolate runs fn so that its error, or panic, undoes what it did and nothing else. A fatal error says that the whole
// transaction is lost.
func (t *tx) isolate(fn func() error) (err, fatal error) {
	if fatal := t.control("SAVEPOINT job"); fatal != nil {
		return nil, fatal
	}
	before := t.place()
	if err = t.shield(fn); err != nil {
		t.undo(before)
		if fatal := t.control("ROLLBACK TO job"); fatal != nil {
			return nil, fmt.Errorf("%w: %w: %w", storage.ErrUnavailable, err, fatal)
		}
	}
	return err, t.control("RELEASE job")
}

// shield turns a panic of fn into an error.
func (t *tx) shield(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			t.writer.logger.Error("panic in a write", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic in a write: %v", p)
		}
	}()
	return unavailable(fn())
}

// fenced reports whether a leader with a later term has taken over. A store that never led is not fenced.
func (t *tx) fenced() (bool, error) {
	if t.term == nil {
		return false, nil
	}
	stored, _, err := t.storedTerm()
	return stored != *t.term, err
}
