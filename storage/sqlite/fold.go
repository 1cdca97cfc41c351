package sqlite

import (
	"context"
	"errors"
	"slices"
	"time"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/sqlite/layout"
)

// A transaction folds foldAtOnce pieces beside its other work, foldIdle when it has none; of the log's indexes, so many
// more rows as they are smaller.
const (
	foldAtOnce   = 64
	foldIdle     = 1024
	refsPerPiece = 16
)

// piece is a part of what is in memory, as the disk keeps it: a page of progress, or a mark.
type piece struct {
	audience *audience
	page     int
	mark     *markKey
}

// fold carries progress from memory to disk behind the log, and brings the log's indexes up to date, in rounds. When a
// round ends, the disk has all of the log as it was when the round began; replaying what came later sets bits that are
// perhaps set already, which does no harm. It belongs to the writer.
type fold struct {
	dirty []piece // for the next round
	round *round  // nil: none is under way
	pause time.Duration
	ended time.Time
}

// round is what is left of a fold.
type round struct {
	pieces  []piece
	refs    []segmentRef
	spans   []span
	through int64 // the log's end when the round began
}

func (f *fold) add(p piece) { f.dirty = append(f.dirty, p) }

// due reports whether there is something to fold now.
func (f *fold) due(now time.Time) bool {
	return f.round != nil || len(f.dirty) > 0 && now.Sub(f.ended) >= f.pause
}

// foldSome writes some of a round, which it begins if there is none. It comes last in a transaction.
func (t *tx) foldSome(pieces, refs int) error {
	f := &t.writer.fold
	if f.round == nil {
		_, end := t.writer.live.tail.get()
		end = append(slices.Clone(end), t.journal.refs...)
		f.round = &round{pieces: f.dirty, refs: sortedByPush(end), spans: spansOf(end), through: t.sequence}
		f.dirty, t.beganRound = nil, true
	}
	r := f.round
	t.folded, t.indexed = r.pieces[:min(pieces, len(r.pieces))], r.refs[:min(refs, len(r.refs))]
	if err := t.writePieces(t.folded); err != nil {
		return err
	}
	if err := t.index(t.indexed); err != nil {
		return err
	}
	if len(t.folded) < len(r.pieces) || len(t.indexed) < len(r.refs) {
		return nil
	}
	if err := t.writeSpans(r.spans); err != nil {
		return err
	}
	_, err := t.exec(`UPDATE fold SET sequence = ?`, r.through)
	return err
}

// rolledBack takes back a round that began in a transaction which failed: its sequences will be others' events.
func (f *fold) rolledBack(began bool) {
	if began {
		f.dirty, f.round = append(f.round.pieces, f.dirty...), nil
	}
}

// foldCommitted ends what was folded by a transaction. The next round's pieces are those that changed since they were
// written, by transactions to come.
func (w *writer) foldCommitted(folded []piece, indexed []segmentRef) {
	r := w.fold.round
	if r == nil {
		return
	}
	for _, p := range folded {
		if p.mark != nil {
			delete(p.audience.dirty, *p.mark)
		} else {
			p.audience.pages[p.page].dirty = false
		}
	}
	r.pieces, r.refs = r.pieces[len(folded):], r.refs[len(indexed):]
	if len(r.pieces) == 0 && len(r.refs) == 0 {
		w.fold.round, w.fold.ended = nil, time.Now()
		w.live.tail.reset(r.through)
	}
}

var (
	upsertProgress = bulk{`INSERT INTO progress_page (push_id, page, words)`, 3, `ON CONFLICT DO UPDATE SET words = excluded.words`}
	upsertMarks    = bulk{`INSERT INTO mark (push_id, step, status, ordinals)`, 4, `ON CONFLICT DO UPDATE SET ordinals = excluded.ordinals`}
)

func (t *tx) writePieces(pieces []piece) error {
	var pages, marks []piece
	for _, p := range pieces {
		if p.mark != nil {
			marks = append(marks, p)
		} else {
			pages = append(pages, p)
		}
	}
	var words [layout.PageSize]uint64
	if _, err := upsertProgress.exec(t, len(pages), func(args []any, i int) []any {
		page := pages[i].audience.pages[pages[i].page]
		for at := range words {
			words[at] = page.words[at].Load()
		}
		return append(args, pages[i].audience.push, pages[i].page, layout.AppendProgress(nil, words[:]))
	}); err != nil {
		return err
	}
	var failure error
	_, err := upsertMarks.exec(t, len(marks), func(args []any, i int) []any {
		key := marks[i].mark
		ordinals, err := marks[i].audience.marks[*key].ToBytes()
		failure = errors.Join(failure, err)
		return append(args, marks[i].audience.push, key.step, key.status, ordinals)
	})
	return errors.Join(failure, err)
}

// readProgress reads a page as it is on disk.
func readProgress(ctx context.Context, q querier, push int64, page int) (words [layout.PageSize]uint64, err error) {
	stored, err := first(ctx, q, value[[]byte], `SELECT words FROM progress_page WHERE push_id = ? AND page = ?`, push, page)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return words, nil
	case err != nil:
		return words, err
	}
	return words, layout.ReadProgress(stored, words[:])
}

// recover brings memory to where the log ends: it forgets all that there is, then sets the bits of the events that were
// not folded when the file was left. The next fold writes them.
func (t *tx) recover() error {
	w := t.writer
	w.live.reset()
	w.fold = fold{pause: w.fold.pause}
	clear(w.apps)
	clear(w.held)
	if err := w.kinds.load(t.ctx, t); err != nil {
		return err
	}
	t.began.kinds = len(w.kinds.rows)
	through, err := first(t.ctx, t, value[int64], `SELECT sequence FROM fold`)
	if err != nil {
		return err
	}
	t.sequence = through
	w.live.tail = tail{through: through}
	for {
		segments, err := collect(t.ctx, t, scanSegment, readSegments+`ORDER BY sequence LIMIT ?`, t.sequence, segmentsAtOnce)
		if err != nil {
			return err
		}
		for _, s := range segments {
			if err := t.replay(s); err != nil {
				return err
			}
			t.sequence = s.sequence + int64(s.Len()) - 1
			w.live.tail.refs = append(w.live.tail.refs, s.ref())
		}
		if len(segments) < segmentsAtOnce {
			break
		}
	}
	t.journal, w.sequence = journal{}, t.sequence
	return nil
}

// segmentsAtOnce is how many segments are held in memory while the log is read.
const segmentsAtOnce = 256

// replay sets the bits of a segment's events.
func (t *tx) replay(s loggedSegment) error {
	a, err := t.writer.live.audience(t.ctx, t, s.push)
	if err != nil {
		return err
	}
	for i := range s.Len() {
		packed := s.Event(i)
		e := entry{audience: a, dispatch: s.DispatchOf(packed), ordinal: packed.Ordinal, kind: packed.Kind}
		var odd *storage.Callback
		if row, ok := t.writer.kinds.row(packed.Kind); ok {
			e.milestone = row.milestone
		} else {
			detail, err := first(t.ctx, t, scanDetail, selectDetails+`sequence = ?`, s.sequence+int64(i))
			if err != nil {
				return err
			}
			odd = &detail.callback
			e.milestone = odd.Milestone
		}
		if e.milestone == storage.Failed || e.milestone == storage.MilestoneUnknown {
			if _, err := t.mark(a, e, odd); err != nil {
				return err
			}
		}
		if e.milestone == storage.MilestoneUnknown {
			continue
		}
		page, err := t.page(a, int(e.ordinal/layout.PageSize))
		if err != nil {
			return err
		}
		before := page.progressOf(e.ordinal)
		t.setWord(a, page, e.ordinal, before, before.With(int(e.dispatch.Step), e.milestone))
	}
	return nil
}
