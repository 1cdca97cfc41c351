package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// RecordCallbacks implements storage.Callbacks. The rows are resolved here, beside those of other callers; the writer
// gets what is left to decide.
func (s *Store) RecordCallbacks(ctx context.Context, app string, received time.Time, rows []storage.Callback) (storage.CallbackSummary, error) {
	if len(rows) == 0 {
		return storage.CallbackSummary{}, nil
	}
	if err := s.writer.room(len(rows)); err != nil {
		return storage.CallbackSummary{}, err
	}
	b, err := s.resolve(ctx, app, received, rows)
	if err != nil {
		return storage.CallbackSummary{}, err
	}
	if err := s.writer.do(ctx, &job{batch: b}); err != nil {
		return storage.CallbackSummary{}, err // the writer may still be at it: the summary is not ours to read
	}
	if b.full {
		return b.summary, storage.ErrHeldFull
	}
	return b.summary, nil
}

// record records the batches of the jobs as one set.
func (t *tx) record(jobs []*job) error {
	for _, j := range jobs {
		b := j.batch
		b.summary, b.full = storage.CallbackSummary{}, false
		for i := range b.entries {
			if err := t.take(b, b.entries[i]); err != nil {
				return err
			}
		}
	}
	return t.flush()
}

// take takes one row all the way: whom it is about, whether it is new, or where it is held.
func (t *tx) take(b *batch, e entry) error {
	var odd *storage.Callback
	if e.odd > 0 {
		odd = &b.odd[e.odd-1]
	}
	known, err := t.settle(b.app, &e, odd)
	if err != nil {
		return err
	}
	if !known {
		return t.hold(b, odd, e.audience != nil)
	}
	fresh, err := t.append(b.received, e, odd)
	if fresh {
		b.summary.New++
		t.note(b.app, e, odd)
	} else {
		b.summary.Repeated++
	}
	return err
}

// settle finds what the row's caller could not, which may be known by now. It reports whether the recipient is.
func (t *tx) settle(app string, e *entry, odd *storage.Callback) (known bool, err error) {
	live := t.writer.live
	if e.audience == nil {
		if odd.UpstreamID == "" {
			return false, nil
		}
		var to target
		e.audience, to, err = live.find(t.ctx, t, upstream{app, odd.UpstreamID})
		if errors.Is(err, storage.ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		e.dispatch = to.dispatch
	}
	if e.audience.gone {
		if e.audience, err = live.audience(t.ctx, t, e.audience.push); err != nil {
			return false, err
		}
	}
	if err = t.know(e.audience); err != nil || e.audience.forgotten.Load() {
		return false, err
	}
	if !e.member {
		if odd.RegistrationID == "" {
			return false, nil
		}
		if e.ordinal, e.member, err = t.member(e.audience, odd.RegistrationID); err != nil || !e.member {
			return false, err
		}
	}
	if e.kind == 0 && odd.Milestone != storage.MilestoneUnknown {
		if _, inTime := seconds(odd.Time); inTime {
			e.kind, err = t.kindID(odd)
		}
	}
	return true, err
}

// know reads what a caller's snapshot may have been too old for.
func (t *tx) know(a *audience) error {
	if a.known {
		return nil
	}
	forgotten, err := first(t.ctx, t, func(rows *sql.Rows) (forgotten bool, err error) {
		err = rows.Scan(&a.size, &forgotten)
		return forgotten, err
	}, `SELECT recipients, forgotten > 0 FROM push WHERE id = ?`, a.push)
	if err == nil {
		a.known = true
		a.forgotten.Store(forgotten)
	}
	return err
}

// member returns a recipient's ordinal. A push that is not listed gains those whom it did not know.
func (t *tx) member(a *audience, id string) (ordinal uint32, ok bool, err error) {
	if ordinal, ok, err = t.ordinalOf(a, id); ok || err != nil || a.listed {
		return ordinal, ok, err
	}
	if a.grown == nil {
		a.grown = map[string]uint32{}
	}
	ordinal = a.size
	a.grown[id] = ordinal
	a.fresh = append(a.fresh, id)
	a.size++
	t.journal.grown = append(t.journal.grown, growth{a, id})
	t.touch(a)
	return ordinal, true, nil
}

// ordinalOf returns the ordinal of a recipient that the push has.
func (t *tx) ordinalOf(a *audience, id string) (ordinal uint32, ok bool, err error) {
	if ordinal, ok = a.grown[id]; ok {
		return ordinal, true, nil
	}
	var loaded bool
	if ordinal, ok, loaded = a.find(id); !loaded {
		// The pages of this transaction's newcomers may not be written yet; those were looked for above.
		ordinal, ok, err = memberOf(t.ctx, t, a.push, int(a.size)-len(a.fresh), id)
	}
	return ordinal, ok, err
}

// append puts an event on stage for the log unless it is there already, and moves on the recipient's progress.
func (t *tx) append(received int64, e entry, odd *storage.Callback) (fresh bool, err error) {
	a := e.audience
	if e.milestone == storage.Failed || e.milestone == storage.MilestoneUnknown {
		if fresh, err = t.mark(a, e, odd); !fresh || err != nil {
			return false, err
		}
	}
	if e.milestone != storage.MilestoneUnknown {
		page, err := t.page(a, int(e.ordinal/layout.PageSize))
		if err != nil {
			return false, err
		}
		before := page.progressOf(e.ordinal)
		after := before.With(int(e.dispatch.Step), e.milestone)
		if after == before && !fresh {
			return false, nil
		}
		t.setWord(a, page, e.ordinal, before, after)
		t.touch(a)
		a.stage.gain(int(e.dispatch.Step), before, after)
	}
	t.touch(a)
	staged := stagedEvent{ordinal: e.ordinal, time: e.time, kind: e.kind, dispatch: e.dispatch, received: received}
	if e.kind == 0 {
		staged.detail = odd
	}
	a.stage.events = append(a.stage.events, staged)
	return true, nil
}

// setWord changes a recipient's word, and remembers how to undo that.
func (t *tx) setWord(a *audience, page *progressPage, ordinal uint32, before, after storage.Progress) {
	if before == after {
		return
	}
	at := ordinal % layout.PageSize
	t.journal.words = append(t.journal.words, wordChange{page, at, uint64(before)})
	page.words[at].Store(uint64(after))
	if !page.dirty {
		page.dirty = true
		t.writer.fold.add(piece{audience: a, page: int(ordinal / layout.PageSize)})
	}
}

// mark notes that a status without a bit of its own came for a recipient, and reports whether that is new.
func (t *tx) mark(a *audience, e entry, odd *storage.Callback) (fresh bool, err error) {
	key := markKey{step: e.dispatch.Step}
	if e.kind != 0 {
		row, _ := t.writer.kinds.row(e.kind)
		key.status = row.status
	} else {
		key.status = odd.Status
	}
	bitmap, err := t.marks(a, key)
	if err != nil || !bitmap.CheckedAdd(e.ordinal) {
		return false, err
	}
	t.journal.marks = append(t.journal.marks, markChange{bitmap, e.ordinal})
	if !a.dirty[key] {
		if a.dirty == nil {
			a.dirty = map[markKey]bool{}
		}
		a.dirty[key] = true
		t.writer.fold.add(piece{audience: a, mark: &key})
	}
	return true, nil
}

// page returns a page of progress, from disk if it is not in memory.
func (t *tx) page(a *audience, n int) (*progressPage, error) {
	if n < len(a.pages) && a.pages[n] != nil { // the writer is the only one that changes pages
		return a.pages[n], nil
	}
	words, err := readProgress(t.ctx, t, a.push, n)
	if err != nil {
		return nil, err
	}
	page := &progressPage{}
	for i, word := range words {
		if word != 0 {
			page.words[i].Store(word)
		}
	}
	a.putPage(n, page)
	return page, nil
}

// marks returns the recipients of whom a status came, from disk if that is not in memory.
func (t *tx) marks(a *audience, key markKey) (*roaring.Bitmap, error) {
	if bitmap := a.marks[key]; bitmap != nil {
		return bitmap, nil
	}
	bitmap := roaring.New()
	stored, err := first(t.ctx, t, value[[]byte], `SELECT ordinals FROM mark WHERE push_id = ? AND step = ? AND status = ?`,
		a.push, key.step, key.status)
	switch {
	case errors.Is(err, storage.ErrNotFound):
	case err != nil:
		return nil, err
	default:
		if err := bitmap.UnmarshalBinary(stored); err != nil {
			return nil, err
		}
	}
	if a.marks == nil {
		a.marks = map[markKey]*roaring.Bitmap{}
	}
	a.marks[key] = bitmap
	return bitmap, nil
}

// refuse puts a Failed event on stage for each of some recipients whom EngageLab refused; for nil, for all.
func (t *tx) refuse(p storage.Push, d storage.Dispatch, ordinals []uint32, refusal *storage.Refusal, at time.Time) error {
	callback := storage.Callback{Status: statusRefused, Milestone: storage.Failed, Time: at}
	if refusal != nil {
		callback.ErrorCode, callback.ErrorMessage = refusal.Code, refusal.Message
	}
	a, err := t.writer.live.audience(t.ctx, t, p.ID)
	if err != nil {
		return err
	}
	e := entry{audience: a, dispatch: layout.Dispatch{ID: d.ID, Step: uint8(d.Step)}, milestone: storage.Failed, member: true}
	var inTime bool
	if e.time, inTime = seconds(at); inTime {
		if e.kind, err = t.kindID(&callback); err != nil {
			return err
		}
	}
	appendTo := func(ordinal uint32) error {
		e.ordinal = ordinal
		_, err := t.append(at.UnixMilli(), e, &callback)
		return err
	}
	if ordinals == nil {
		for ordinal := range uint32(p.Recipients) {
			if err := appendTo(ordinal); err != nil {
				return err
			}
		}
	}
	for _, ordinal := range ordinals {
		if err := appendTo(ordinal); err != nil {
			return err
		}
	}
	return nil
}
