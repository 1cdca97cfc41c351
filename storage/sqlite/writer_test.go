package sqlite

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
)

// occupy keeps the writer busy until release is called; it returns once the writer is at it.
func occupy(t *testing.T, s *Store) (release func()) {
	t.Helper()
	began, end := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := write(context.Background(), s, func(*tx) (bool, error) {
			close(began)
			<-end
			return true, nil
		})
		if err != nil {
			t.Errorf("the occupying write: %v", err)
		}
	})
	<-began
	return func() {
		close(end)
		wg.Wait()
	}
}

// queue queues a write behind an occupied writer, and returns how to wait for its error.
func queue(t *testing.T, s *Store, run func(*tx) error) (wait func() error) {
	t.Helper()
	j := &job{ctx: context.Background(), run: run, done: make(chan error, 1)}
	require.NoError(t, s.writer.enqueue(j))
	return func() error { return <-j.done }
}

func insertLeader(term int) func(*tx) error {
	return func(t *tx) error {
		_, err := t.exec(`INSERT INTO leadership (one, term) VALUES (1, ?)`, term)
		return err
	}
}

func term(t *testing.T, s *Store) int64 {
	t.Helper()
	got, err := s.Term(t.Context())
	require.NoError(t, err)
	return got
}

func TestFullQueueAnswersAtOnce(t *testing.T) {
	s := fresh(t, Options{QueueSize: 2})
	release := occupy(t, s)
	ok := func(*tx) error { return nil }
	first, second := queue(t, s, ok), queue(t, s, ok)
	require.ErrorIs(t, s.Ping(t.Context()), storage.ErrUnavailable)
	_, err := s.RecordCallbacks(t.Context(), "app", time.Now(), make([]storage.Callback, 1))
	require.ErrorIs(t, err, storage.ErrUnavailable)
	release()
	require.NoError(t, first())
	require.NoError(t, second())
	require.NoError(t, s.Ping(t.Context()))
}

func TestFullQueueOfRowsAnswersAtOnce(t *testing.T) {
	s := fresh(t, Options{QueueRows: 10})
	rows := func(n int) []storage.Callback { return make([]storage.Callback, n) }
	unknown := func(n int) []entry { return slices.Repeat([]entry{{odd: 1}}, n) }
	release := occupy(t, s)
	record := func(n int) (chan error, error) {
		j := &job{ctx: t.Context(), batch: &batch{app: "app", entries: unknown(n), odd: rows(1)}, done: make(chan error, 1)}
		return j.done, s.writer.enqueue(j)
	}
	done, err := record(9)
	require.NoError(t, err)
	_, err = record(2)
	require.ErrorIs(t, err, storage.ErrUnavailable)
	full, err := record(1)
	require.NoError(t, err)
	_, err = s.RecordCallbacks(t.Context(), "app", time.Now(), rows(1))
	require.ErrorIs(t, err, storage.ErrUnavailable)
	release()
	require.NoError(t, <-done)
	require.NoError(t, <-full)
	require.Zero(t, s.writer.rows.Load())
	summary, err := s.RecordCallbacks(t.Context(), "app", time.Now(), rows(11))
	require.NoError(t, err, "a batch beyond the bound is taken when it is alone")
	require.Equal(t, 11, summary.Held)
}

func TestCallerWhoseContextEndsStopsWaiting(t *testing.T) {
	s := fresh(t, Options{})
	release := occupy(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	errs := make(chan error)
	go func() {
		_, err := write(ctx, s, func(t *tx) (bool, error) { return true, insertLeader(1)(t) })
		errs <- err
	}()
	require.Eventually(t, func() bool { return len(s.writer.queue) == 1 }, 10*time.Second, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-errs, context.Canceled)
	release()
	require.NoError(t, s.Ping(t.Context()))
	require.Zero(t, term(t, s), "nobody waited for it when its turn came")
}

func TestOneJobsErrorIsItsOwn(t *testing.T) {
	s := fresh(t, Options{})
	release := occupy(t, s)
	mine := errors.New("mine")
	good := queue(t, s, insertLeader(1))
	bad := queue(t, s, func(t *tx) error {
		if _, err := t.exec(`UPDATE leadership SET term = 99`); err != nil {
			return err
		}
		return mine
	})
	panics := queue(t, s, func(t *tx) error {
		if _, err := t.exec(`UPDATE leadership SET term = 98`); err != nil {
			return err
		}
		panic("at the disco")
	})
	after := queue(t, s, func(t *tx) error {
		_, err := t.exec(`UPDATE leadership SET term = term + 1`)
		return err
	})
	release()
	require.NoError(t, good())
	require.ErrorIs(t, bad(), mine)
	require.ErrorContains(t, panics(), "at the disco")
	require.NoError(t, after())
	require.EqualValues(t, 2, term(t, s))
}

func TestFailedCommitFailsEverybodyAndTheWriterGoesOn(t *testing.T) {
	s := fresh(t, Options{})
	release := occupy(t, s)
	good := queue(t, s, insertLeader(1))
	// A foreign key that is checked only at the end makes COMMIT itself fail.
	bad := queue(t, s, func(t *tx) error {
		if _, err := t.exec(`PRAGMA defer_foreign_keys = 1`); err != nil {
			return err
		}
		_, err := t.exec(`INSERT INTO step (push_id, number, state, offset_ms, next_ordinal, cancel_reason)
			VALUES (404, 1, '', 0, 0, '')`)
		return err
	})
	release()
	require.ErrorIs(t, good(), storage.ErrUnavailable)
	require.ErrorIs(t, bad(), storage.ErrUnavailable)
	require.Zero(t, term(t, s))
	require.NoError(t, queue(t, s, insertLeader(2))())
	require.EqualValues(t, 2, term(t, s))
}

func TestFullDiskIsUnavailableAndPasses(t *testing.T) {
	s := fresh(t, Options{})
	limit := func(pages string) {
		require.NoError(t, queue(t, s, func(t *tx) error {
			_, err := collect(t.ctx, t, value[int64], `PRAGMA max_page_count = `+pages)
			return err
		})())
	}
	limit("1") // as many as there are
	rows := make([]storage.Callback, 2000)
	for i := range rows {
		rows[i] = storage.Callback{UpstreamID: benchID(i), RegistrationID: benchID(i), Status: "sent"}
	}
	_, err := s.RecordCallbacks(t.Context(), "app", time.Now(), rows)
	require.ErrorIs(t, err, storage.ErrUnavailable)
	held := func() int {
		n, err := read(t.Context(), s, func(q querier) (int, error) {
			return first(t.Context(), q, value[int], `SELECT COUNT(*) FROM held_callback`)
		})
		require.NoError(t, err)
		return n
	}
	require.Zero(t, held())
	require.ErrorIs(t, s.Ping(t.Context()), storage.ErrUnavailable, "a store that fails to write is not well")
	limit("1000000")
	summary, err := s.RecordCallbacks(t.Context(), "app", time.Now(), rows)
	require.NoError(t, err)
	require.Equal(t, storage.CallbackSummary{Held: 2000}, summary)
	require.Equal(t, 2000, held())
	require.NoError(t, s.Ping(t.Context()), "it is well again")
}

// resolved returns the job of a batch, ready to be queued.
func resolved(t *testing.T, s *Store, rows ...storage.Callback) *job {
	t.Helper()
	b, err := s.resolve(t.Context(), benchApp, time.Now(), rows)
	require.NoError(t, err)
	return &job{ctx: t.Context(), batch: b, done: make(chan error, 1)}
}

// TestMergedBatchesKeepTheirOwnFate checks batches that the writer takes together: each caller's summary is its own, and
// a batch that can't be stored fails alone.
func TestMergedBatchesKeepTheirOwnFate(t *testing.T) {
	s := fresh(t, Options{})
	createListed(t, s, 1, 10)
	sendAll(t, s)
	row := func(i int) storage.Callback {
		return storage.Callback{UpstreamID: upstreamID(1), RegistrationID: benchID(i), Status: "sent", Milestone: storage.Sent}
	}
	release := occupy(t, s)
	record := func(rows ...storage.Callback) (*batch, chan error) {
		j := resolved(t, s, rows...)
		require.NoError(t, s.writer.enqueue(j))
		return j.batch, j.done
	}
	a, doneA := record(row(0), row(1))
	b, doneB := record(row(1), row(2), row(2))
	c, doneC := record(storage.Callback{UpstreamID: "unknown", RegistrationID: "x", Status: "sent"}, row(0))
	release()
	require.NoError(t, <-doneA)
	require.NoError(t, <-doneB)
	require.NoError(t, <-doneC)
	require.Equal(t, storage.CallbackSummary{New: 2}, a.summary)
	require.Equal(t, storage.CallbackSummary{New: 1, Repeated: 2}, b.summary)
	require.Equal(t, storage.CallbackSummary{Held: 1, Repeated: 1}, c.summary)
}

func TestBatchThatCannotBeStoredFailsAlone(t *testing.T) {
	s := fresh(t, Options{})
	createListed(t, s, 1, 10)
	sendAll(t, s)
	release := occupy(t, s)
	// A trigger stands in for whatever makes one row impossible to store.
	trigger := queue(t, s, func(t *tx) error {
		_, err := t.exec(`CREATE TRIGGER poison BEFORE INSERT ON event_detail WHEN NEW.status = 'poison'
			BEGIN SELECT RAISE(ABORT, 'poisoned'); END`)
		return err
	})
	release()
	require.NoError(t, trigger())

	release = occupy(t, s)
	var jobs []*job
	for i, status := range []string{"sent", "poison", "sent"} {
		j := resolved(t, s,
			storage.Callback{UpstreamID: upstreamID(1), RegistrationID: benchID(5 + i), Status: "sent", Milestone: storage.Sent},
			storage.Callback{UpstreamID: upstreamID(1), RegistrationID: benchID(i), Status: status})
		require.NoError(t, s.writer.enqueue(j))
		jobs = append(jobs, j)
	}
	release()
	require.NoError(t, <-jobs[0].done)
	require.ErrorContains(t, <-jobs[1].done, "poisoned")
	require.NoError(t, <-jobs[2].done)
	for _, i := range []int{0, 2} {
		require.Equal(t, storage.CallbackSummary{New: 2}, jobs[i].batch.summary)
	}
	report, err := s.Report(t.Context(), benchApp, 1)
	require.NoError(t, err)
	require.Equal(t, 2, report.Total.Sent)
	events, err := s.ListEvents(t.Context(), storage.EventQuery{})
	require.NoError(t, err)
	require.Len(t, events, 4)
}

func TestCloseFinishesWhatWasQueued(t *testing.T) {
	path := t.TempDir() + "/susul.db"
	s := open(t, path)
	release := occupy(t, s)
	queued := queue(t, s, insertLeader(3))
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	release()
	require.NoError(t, queued())
	require.NoError(t, <-closed)
	require.NoError(t, s.Close())
	s = open(t, path)
	require.EqualValues(t, 3, term(t, s))
	require.NoError(t, s.Close())
}
