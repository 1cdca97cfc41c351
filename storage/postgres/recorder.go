package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"susul.dev/susul/storage"
)

const (
	// maxQueuedRows and maxQueuedJobs bound what waits.
	maxQueuedRows = 200_000
	maxQueuedJobs = 10_000

	// rowsTogether is how many rows one transaction stores, or those of one batch more.
	rowsTogether = 20_000

	// maxCommitters is how many transactions store callbacks at once. While one waits for the log's end or the disk, another can look up
	// what its rows are about.
	maxCommitters = 3

	// gatherFor bounds how long jobs wait for others to come along, while transactions are under way.
	gatherFor = 4 * time.Millisecond

	// recordWithin bounds such a transaction, with all its tries.
	recordWithin = 30 * time.Second
)

// job is a batch in the queue.
type job struct {
	batch
	store *Store
	rows  []storage.Callback
	err   error
	done  chan struct{} // closed when it has ended
}

// recorder stores the callbacks of all callers of this process.
type recorder struct {
	db      *database
	running sync.WaitGroup

	stopReading func() // of recipients ahead

	mu      sync.Mutex
	arrived sync.Cond
	queue   []*job
	rows    int // of the queue
	busy    int // transactions that are under way
	last    int // rows of the latest of them
	stopped bool
}

func startRecorder(db *database) *recorder {
	r := &recorder{db: db}
	r.arrived.L = &r.mu
	for range max(1, min(maxCommitters, db.options.Connections-1)) {
		r.running.Go(r.run)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.stopReading = cancel
	r.running.Go(func() { db.rosters.run(ctx) })
	return r
}

// stop lets transactions end that are under way, and refuses what waits.
func (r *recorder) stop() {
	r.mu.Lock()
	r.stopped = true
	rest := r.queue
	r.queue, r.rows = nil, 0
	r.mu.Unlock()
	r.arrived.Broadcast()
	r.stopReading()
	for _, j := range rest {
		j.err = errClosed
		close(j.done)
	}
	r.running.Wait()
}

// add puts a job into the queue, if there is room.
func (r *recorder) add(j *job) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.stopped:
		return errClosed
	case len(r.queue) >= maxQueuedJobs, r.rows > 0 && r.rows+len(j.rows) > maxQueuedRows:
		return fmt.Errorf("%w: too many callbacks wait", storage.ErrUnavailable)
	}
	r.queue = append(r.queue, j)
	r.rows += len(j.rows)
	r.arrived.Signal()
	return nil
}

// drop takes a job out of the queue, and reports whether it was there.
func (r *recorder) drop(j *job) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, other := range r.queue {
		if other == j {
			r.queue = append(r.queue[:i:i], r.queue[i+1:]...)
			r.rows -= len(j.rows)
			return true
		}
	}
	return false
}

// take waits for jobs and takes as many as belong into one transaction; none when the recorder stops.
func (r *recorder) take() []*job {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.queue) == 0 && !r.stopped {
		r.arrived.Wait()
	}
	r.gather()
	n, rows := 0, 0
	for n < len(r.queue) && rows < rowsTogether {
		rows += len(r.queue[n].rows)
		n++
	}
	jobs := r.queue[:n:n]
	r.queue = r.queue[n:]
	r.rows -= rows
	if len(r.queue) > 0 {
		r.arrived.Signal()
	}
	if len(jobs) > 0 {
		r.busy++
		r.last = rows
	}
	return jobs
}

// gather waits a moment for more jobs while other transactions are under way, who will let their callers come again: a few large transactions
// cost less than many small ones.
func (r *recorder) gather() {
	if r.busy == 0 || r.stopped {
		return
	}
	for until := time.Now().Add(gatherFor); r.rows < min(r.last, rowsTogether) && r.busy > 0 && !r.stopped && time.Now().Before(until); {
		r.mu.Unlock()
		time.Sleep(gatherFor / 8) //nolint:forbidigo // no event of its own is waited for
		r.mu.Lock()
	}
}

// ended notes that a transaction is over.
func (r *recorder) ended() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy--
}

func (r *recorder) run() {
	for {
		jobs := r.take()
		if len(jobs) == 0 {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), recordWithin)
		r.store(ctx, jobs)
		cancel()
		r.ended()
		for _, j := range jobs {
			close(j.done)
		}
	}
}

// store stores jobs together. If that fails, and not because PostgreSQL can't work now, one of them may be the cause: then each is tried
// apart.
func (r *recorder) store(ctx context.Context, jobs []*job) {
	err := r.try(ctx, jobs)
	if err != nil && len(jobs) > 1 && !errors.Is(err, storage.ErrUnavailable) && ctx.Err() == nil {
		for _, j := range jobs {
			if j.err == nil {
				j.err = r.try(ctx, []*job{j})
			}
		}
		return
	}
	for _, j := range jobs {
		if j.err == nil {
			j.err = err
		}
	}
}

// try stores those of the jobs that are not fenced, all or nothing.
func (r *recorder) try(ctx context.Context, jobs []*job) (err error) {
	for range maxTries {
		if err = r.tryOnce(ctx, jobs); !undone(err) {
			break
		}
	}
	if errors.Is(err, context.DeadlineExceeded) { // it is not the caller's
		err = fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
	}
	return unavailable(err)
}

func (r *recorder) tryOnce(ctx context.Context, jobs []*job) error {
	t := &tx{ctx: ctx, store: jobs[0].store}
	err := r.db.transact(ctx, forWrites, func(inner *transaction) (err error) {
		t.transaction = inner
		if jobs, err = t.unfenced(jobs); err != nil || len(jobs) == 0 {
			return err
		}
		record := t.record()
		for _, j := range jobs {
			j.summary, j.full = storage.CallbackSummary{}, false
			record.add(&j.batch, j.rows)
		}
		return t.finishRecording()
	})
	if err != nil {
		return r.db.partitions.provide(ctx, r.db.pool, err)
	}
	t.recorded()
	r.db.signals.tell(t.news)
	return nil
}

// unfenced returns those jobs whose handles either never led or lead still, and fails the others. Until the transaction ends, nobody takes
// over.
func (t *tx) unfenced(jobs []*job) ([]*job, error) {
	lead := false
	for _, j := range jobs {
		lead = lead || j.store.term.Load() > 0
	}
	if !lead {
		return jobs, nil
	}
	latest, err := t.latestTerm(`pg_advisory_xact_lock_shared`)
	if err != nil {
		return nil, err
	}
	var rest []*job
	for _, j := range jobs {
		if term := j.store.term.Load(); term > 0 && term < latest {
			j.err = storage.ErrFenced
		} else {
			rest = append(rest, j)
		}
	}
	return rest, nil
}
