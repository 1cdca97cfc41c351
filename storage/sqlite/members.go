package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// errDamaged says that a row which must be there is not.
func errDamaged(table string, key int64) error {
	return fmt.Errorf("the database is damaged: %s has no row %d", table, key)
}

// loadIndex reads a push's index into memory, or waits until another caller has.
func (s *Store) loadIndex(ctx context.Context, a *audience, size int) error {
	loading, mine := a.beginLoading()
	if !mine {
		select {
		case <-loading:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	whole := newIndex(size)
	_, err := read(ctx, s, func(q querier) (struct{}, error) {
		return struct{}{}, eachPage(ctx, q, a.push, 0, func(page int, ids layout.Recipients) (bool, error) {
			whole.addPage(ids, uint32(page)*layout.PageSize)
			return true, nil
		})
	})
	a.endLoading(whole, err == nil)
	return err
}

// beginLoading makes the caller the one who reads the index, unless there is one. What the writer publishes meanwhile
// goes into an empty index, so that none is missed: the snapshot that is read begins after that is there.
func (a *audience) beginLoading() (loading chan struct{}, mine bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.loading != nil:
		return a.loading, false
	case a.index != nil: // somebody has just done so
		done := make(chan struct{})
		close(done)
		return done, false
	}
	a.loading, a.index = make(chan struct{}), newIndex(0)
	return a.loading, true
}

func (a *audience) endLoading(whole *index, complete bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	published := a.index
	a.index = nil
	if complete {
		whole.addAll(published)
		a.index = whole
	}
	close(a.loading)
	a.loading = nil
}

// memberOf finds an id among the first size recipients of a push: in the full blocks by their buckets, in what follows
// page by page.
func memberOf(ctx context.Context, q querier, push int64, size int, id string) (ordinal uint32, ok bool, err error) {
	blocks := size / layout.BlockSize
	if blocks > 0 {
		if ordinal, ok, err = memberOfBlocks(ctx, q, push, id); ok || err != nil {
			return ordinal, ok, err
		}
	}
	firstPage := blocks * layout.BlockSize / layout.PageSize
	err = eachPage(ctx, q, push, firstPage, func(page int, ids layout.Recipients) (bool, error) {
		if at := ids.Find(id); at >= 0 {
			ordinal, ok = uint32(page*layout.PageSize+at), true
		}
		return !ok, nil
	})
	return ordinal, ok, err
}

type bucketRow struct {
	block   int
	members []byte
}

func scanBucket(rows *sql.Rows) (b bucketRow, err error) {
	err = rows.Scan(&b.block, &b.members)
	return b, err
}

func memberOfBlocks(ctx context.Context, q querier, push int64, id string) (ordinal uint32, ok bool, err error) {
	hash := layout.MemberHash(id)
	buckets, err := collect(ctx, q, scanBucket, selectBuckets, push, layout.BucketOf(hash))
	if err != nil {
		return 0, false, err
	}
	for _, bucket := range buckets {
		candidates, err := layout.Candidates(bucket.members, hash)
		if err != nil {
			return 0, false, err
		}
		for _, candidate := range candidates {
			ordinal := uint32(bucket.block*layout.BlockSize) + uint32(candidate)
			ids, err := recipientPage(ctx, q, push, int(ordinal/layout.PageSize))
			if err != nil {
				return 0, false, err
			}
			if at := int(ordinal % layout.PageSize); at < ids.Len() && ids.ID(at) == id {
				return ordinal, true, nil
			}
		}
	}
	return 0, false, nil
}

const (
	selectBuckets = `SELECT block, members FROM member_bucket WHERE push_id = ? AND bucket = ? ORDER BY block`
	selectPages   = `SELECT page, ids FROM recipient_page WHERE push_id = ? AND page >= ? ORDER BY page LIMIT ?`
)

type pageRow struct {
	page int
	ids  layout.Recipients
}

func scanPage(rows *sql.Rows) (p pageRow, err error) {
	var ids []byte
	if err = rows.Scan(&p.page, &ids); err != nil {
		return p, err
	}
	p.ids, err = layout.ReadRecipients(ids)
	return p, err
}

// pagesAtOnce is how many pages of recipients are held in memory while a push is read.
const pagesAtOnce = 64

// eachPage calls do for every page of a push from the given one on, until it returns false.
func eachPage(ctx context.Context, q querier, push int64, from int, do func(page int, ids layout.Recipients) (more bool, err error)) error {
	for {
		some, err := collect(ctx, q, scanPage, selectPages, push, from, pagesAtOnce)
		if err != nil {
			return err
		}
		for _, p := range some {
			if more, err := do(p.page, p.ids); err != nil || !more {
				return err
			}
			from = p.page + 1
		}
		if len(some) < pagesAtOnce {
			return nil
		}
	}
}

// recipientPage reads one page.
func recipientPage(ctx context.Context, q querier, push int64, page int) (layout.Recipients, error) {
	p, err := first(ctx, q, scanPage, selectPages, push, page, 1)
	if errors.Is(err, storage.ErrNotFound) || err == nil && p.page != page {
		return layout.Recipients{}, errDamaged("recipient_page", int64(page))
	}
	return p.ids, err
}

var (
	insertPages   = bulk{`INSERT INTO recipient_page (push_id, page, ids)`, 3, `ON CONFLICT DO UPDATE SET ids = excluded.ids`}
	insertBuckets = bulk{`INSERT INTO member_bucket (push_id, bucket, block, members)`, 4, ``}
)

// writePages writes ids that begin with the page of their first ordinal.
func (t *tx) writePages(push int64, firstPage int, ids []string) error {
	pages := (len(ids) + layout.PageSize - 1) / layout.PageSize
	_, err := insertPages.exec(t, pages, func(args []any, i int) []any {
		some := ids[i*layout.PageSize : min((i+1)*layout.PageSize, len(ids))]
		return append(args, push, firstPage+i, layout.AppendRecipients(nil, some))
	})
	return err
}

// writeBlock writes the buckets of a full block.
func (t *tx) writeBlock(push int64, block int, members *layout.BlockWriter) error {
	_, err := insertBuckets.exec(t, layout.Buckets, func(args []any, i int) []any {
		return append(args, push, i, block, members.AppendBucket(nil, i))
	})
	return err
}

// grow writes the pages of the recipients that an audience gained, and the blocks that they filled.
func (t *tx) grow(a *audience) error {
	if len(a.fresh) == 0 {
		return nil
	}
	before := int(a.size) - len(a.fresh)
	page := before / layout.PageSize
	ids := a.fresh
	if before%layout.PageSize > 0 {
		last, err := recipientPage(t.ctx, t, a.push, page)
		if err != nil {
			return err
		}
		ids = make([]string, 0, last.Len()+len(a.fresh))
		for i := range last.Len() {
			ids = append(ids, last.ID(i))
		}
		ids = append(ids, a.fresh...)
	}
	if err := t.writePages(a.push, page, ids); err != nil {
		return err
	}
	for block := before / layout.BlockSize; block < int(a.size)/layout.BlockSize; block++ {
		if err := t.indexBlock(a.push, block); err != nil {
			return err
		}
	}
	a.fresh = nil
	_, err := t.exec(`UPDATE push SET recipients = ? WHERE id = ?`, a.size, a.push)
	return err
}

// indexBlock writes the buckets of a block from its pages.
func (t *tx) indexBlock(push int64, block int) error {
	var members layout.BlockWriter
	start := block * layout.BlockSize
	if err := eachPage(t.ctx, t, push, start/layout.PageSize, func(page int, ids layout.Recipients) (bool, error) {
		at := page*layout.PageSize - start
		if at >= layout.BlockSize {
			return false, nil
		}
		for i := range ids.Len() {
			members.Add(layout.MemberHash(ids.ID(i)), uint16(at+i))
		}
		return true, nil
	}); err != nil {
		return err
	}
	return t.writeBlock(push, block, &members)
}
