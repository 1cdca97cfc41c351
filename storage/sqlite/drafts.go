package sqlite

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// The states of a push that nobody sees.
const (
	stateDraft     storage.PushState = "DRAFT"     // it is being stored in slices
	stateDiscarded storage.PushState = "DISCARDED" // that failed; it is being deleted in slices
)

// hidden is the condition of the index of both.
const hidden = `state IN ('DRAFT', 'DISCARDED')`

// sweepRetry is how long the sweeper waits after a failure. It waits in real time, as it waits for a disk or a queue.
const sweepRetry = time.Second

// drafts knows the drafts that this store is at, and has a goroutine that sweeps away those that nobody is at: a caller
// gave up, or an earlier leader died.
type drafts struct {
	mu      sync.Mutex
	current map[int64]int // callers at it, by push

	wake chan struct{}
	stop context.CancelFunc
	done sync.WaitGroup
}

// startDrafts starts the sweeper. It begins to sweep when it is first told to: until then another store may own the file.
func startDrafts(ctx context.Context, sweep func(context.Context) (more bool, err error)) *drafts {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	d := &drafts{current: map[int64]int{}, wake: make(chan struct{}, 1), stop: stop}
	d.done.Go(func() {
		for d.wait(ctx) {
			for more := true; more && ctx.Err() == nil; {
				var err error
				if more, err = sweep(ctx); err != nil {
					more = d.pause(ctx, err)
				}
			}
		}
	})
	return d
}

func (d *drafts) wait(ctx context.Context) bool {
	select {
	case <-d.wake:
		return true
	case <-ctx.Done():
		return false
	}
}

// pause reports whether to go on after an error: a store that is fenced or closed leaves the sweeping to the next leader.
func (d *drafts) pause(ctx context.Context, err error) bool {
	if errors.Is(err, storage.ErrFenced) || errors.Is(err, errClosed) {
		return false
	}
	select {
	case <-time.After(sweepRetry):
		return true
	case <-ctx.Done():
		return false
	}
}

func (d *drafts) close() {
	d.stop()
	d.done.Wait()
}

func (d *drafts) sweepSoon() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *drafts) enter(id int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.current[id]++
}

func (d *drafts) exit(id int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.current[id]--; d.current[id] == 0 {
		delete(d.current, id)
	}
}

func (d *drafts) ids() []int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.AppendSeq([]int64{}, maps.Keys(d.current))
}

// leave ends this store's work at a draft. After a failure, what is there of it is swept; its request id is free once
// leave returns, unless the writer takes no work: then the sweeper goes on trying.
func (s *Store) leave(ctx context.Context, id int64, failure error) {
	s.drafts.exit(id)
	if failure == nil {
		return
	}
	if _, err := write(context.WithoutCancel(ctx), s, func(t *tx) (struct{}, error) {
		return struct{}{}, t.discardDrafts(s.drafts)
	}); err != nil {
		s.writer.logger.WarnContext(ctx, "a draft is discarded later", "push", id, "failure", failure, "error", err)
	}
	s.drafts.sweepSoon()
}

// draftStands returns storage.ErrUnavailable if a draft was discarded meanwhile.
func (t *tx) draftStands(id int64) error {
	_, err := first(t.ctx, t, value[int64], `SELECT id FROM push WHERE id = ? AND state = 'DRAFT'`, id)
	if errors.Is(err, storage.ErrNotFound) {
		return fmt.Errorf("%w: the push was discarded while it was stored", storage.ErrUnavailable)
	}
	return err
}

const discardDrafts = `UPDATE push SET state = 'DISCARDED'
	WHERE ` + hidden + ` AND state = 'DRAFT' AND id NOT IN ` + listed

// discardDrafts gives up the drafts that this store is not at, so that their request ids are free again.
func (t *tx) discardDrafts(d *drafts) error {
	_, err := t.exec(discardDrafts, list[int64](d.ids()))
	return err
}

const selectDiscarded = `SELECT id FROM push WHERE ` + hidden + ` AND state = 'DISCARDED' LIMIT 1`

// sweep discards drafts that nobody is at, and deletes a slice of a discarded one. It reports whether there may be more.
func (s *Store) sweep(ctx context.Context) (more bool, err error) {
	return write(ctx, s, func(t *tx) (bool, error) {
		if err := t.discardDrafts(s.drafts); err != nil {
			return false, err
		}
		id, err := first(t.ctx, t, value[int64], selectDiscarded)
		if errors.Is(err, storage.ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		return true, t.deleteDraft(id)
	})
}

// deletion deletes up to a number of a push's rows in one table.
type deletion struct {
	statement string
	rows      int
}

// What is deleted of a push, in this order: what leads to recipients goes before them.
var (
	deleteCounts     = []deletion{{`DELETE FROM passed_over WHERE push_id = ? AND ? > 0`, 1}}
	deleteDispatches = deletion{`DELETE FROM dispatch WHERE id IN (SELECT id FROM dispatch WHERE push_id = ? LIMIT ?)`, 10}
	deleteRecipients = []deletion{
		{`DELETE FROM member_bucket WHERE rowid IN (SELECT rowid FROM member_bucket WHERE push_id = ? LIMIT ?)`, layout.Buckets},
		{`DELETE FROM recipient_page WHERE rowid IN (SELECT rowid FROM recipient_page WHERE push_id = ? LIMIT ?)`, pagesAtOnce},
		{`DELETE FROM progress_page WHERE rowid IN (SELECT rowid FROM progress_page WHERE push_id = ? LIMIT ?)`, pagesAtOnce},
		{`DELETE FROM mark WHERE rowid IN (SELECT rowid FROM mark WHERE push_id = ? LIMIT ?)`, layout.Buckets},
		{`DELETE FROM decision WHERE id IN (SELECT id FROM decision WHERE push_id = ? LIMIT ?)`, pagesAtOnce},
	}
)

// deleteSlice runs the first of the deletions that finds something, and reports whether there was anything.
func (t *tx) deleteSlice(id int64, all ...deletion) (found bool, err error) {
	for _, d := range all {
		if n, err := t.exec(d.statement, id, d.rows); err != nil || n > 0 {
			return true, err
		}
	}
	return false, nil
}

// deleteDraft deletes some rows of a discarded push, the last time the push itself.
func (t *tx) deleteDraft(id int64) error {
	if found, err := t.deleteBatch(id); err != nil || found {
		return err
	}
	found, err := t.deleteSlice(id, slices.Concat([]deletion{deleteDispatches}, deleteRecipients, deleteCounts)...)
	if err == nil && !found {
		_, err = t.exec(`DELETE FROM push WHERE id = ?`, id)
	}
	return err
}
