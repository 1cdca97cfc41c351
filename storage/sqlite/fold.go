package sqlite

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
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
	next  round
	round *round // nil: none is under way
	pause time.Duration
	ended time.Time
	ours  bool // this store led, or stored events: until then the file may be another's
}

// round is what is to be folded.
type round struct {
	pieces  []piece
	refs    map[int64][]segmentRef // by push
	runs    [][]segmentRef         // those of refs that are left, in order of pushes
	spans   []span
	through int64 // the log's end when the round began
}

// maxRun is how many segments a run has at most.
const maxRun = 256

func (r *round) empty() bool { return len(r.pieces) == 0 && len(r.runs) == 0 }

// add notes a piece that is no longer as the disk has it.
func (f *fold) add(p piece) { f.next.pieces = append(f.next.pieces, p) }

// logged notes segments that were committed.
func (f *fold) logged(refs []segmentRef) {
	if f.next.refs == nil {
		f.next.refs = map[int64][]segmentRef{}
	}
	for _, r := range refs {
		f.next.refs[r.push] = append(f.next.refs[r.push], r)
		f.next.spans = appendSpan(f.next.spans, r)
	}
}

// begin begins a round, if it is time and there is something to fold. It comes after a commit, when the log ends with
// sequence. It reports whether a round is under way.
func (f *fold) begin(now time.Time, sequence int64) bool {
	// A page that changed before an earlier round came to it is on disk already; its segments are not in the indexes.
	something := len(f.next.pieces) > 0 || len(f.next.refs) > 0
	if f.round == nil && f.ours && something && now.Sub(f.ended) >= f.pause {
		r := f.next
		r.through = sequence
		for _, push := range slices.Sorted(maps.Keys(r.refs)) {
			r.runs = slices.AppendSeq(r.runs, slices.Chunk(r.refs[push], maxRun))
		}
		f.round, f.next = &r, round{}
	}
	return f.round != nil
}

// foldSome writes some of a round. It comes last in a transaction.
func (t *tx) foldSome(pieces, refs int) error {
	r := t.writer.fold.round
	t.folded = min(pieces, len(r.pieces))
	if err := t.writePieces(r.pieces[:t.folded]); err != nil {
		return err
	}
	var some []segmentRef
	for len(some) < refs && t.indexed < len(r.runs) {
		some = append(some, r.runs[t.indexed]...)
		t.indexed++
	}
	if err := t.index(some); err != nil {
		return err
	}
	if t.folded < len(r.pieces) || t.indexed < len(r.runs) {
		return nil
	}
	if err := t.writeSpans(r.spans); err != nil {
		return err
	}
	_, err := t.exec(`UPDATE fold SET sequence = ?`, r.through)
	return err
}

// folded ends what was folded by a transaction that is committed. Pieces that change from now on are the next round's.
func (w *writer) folded(pieces, runs int) {
	r := w.fold.round
	if r == nil {
		return
	}
	for _, p := range r.pieces[:pieces] {
		if p.mark != nil {
			delete(p.audience.dirty, *p.mark)
		} else {
			p.audience.pages[p.page].dirty = false
		}
	}
	r.pieces, r.runs = r.pieces[pieces:], r.runs[runs:]
	if r.empty() {
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

// recover brings memory to where the log ends: beside what there is, it sets the bits of the events that were not folded
// when the file was left, then puts that in its place. So readers miss nothing meanwhile, and a recovery that fails
// changes nothing. The next fold writes what was set.
func (t *tx) recover() (err error) {
	w := t.writer
	l, f := newLive(w.live.budget), w.fold
	l.round.Store(w.live.round.Load())
	w.fold = fold{pause: f.pause, ours: f.ours}
	defer func() {
		t.journal = journal{}
		if err != nil {
			w.fold = f
		}
	}()
	if err := w.kinds.load(t.ctx, t); err != nil {
		return err
	}
	if err := w.invalid.load(t.ctx, t); err != nil {
		return err
	}
	cold, err := first(t.ctx, t, value[uint32], `SELECT COALESCE(MAX(last_time), 0) FROM span_of_app`)
	if err != nil {
		return err
	}
	through, err := first(t.ctx, t, value[int64], `SELECT sequence FROM fold`)
	if err != nil {
		return err
	}
	last, refs, err := t.replayAfter(through, l)
	if err != nil {
		return err
	}
	w.fold.logged(refs)
	w.live.replace(l.audiences, cold)
	w.live.tail.set(through, refs)
	clear(w.apps)
	clear(w.held)
	t.began.kinds = len(w.kinds.rows)
	t.sequence, w.sequence = last, last
	return nil
}

// replayAfter replays the log after a sequence, and returns the last sequence and where the segments are.
func (t *tx) replayAfter(last int64, l *live) (int64, []segmentRef, error) {
	var refs []segmentRef
	for {
		segments, err := collect(t.ctx, t, scanSegment, readSegments+`ORDER BY sequence LIMIT ?`, last, segmentsAtOnce)
		if err != nil {
			return 0, nil, err
		}
		for _, s := range segments {
			if err := t.replay(l, s); err != nil {
				return 0, nil, err
			}
			last = s.sequence + int64(s.Len()) - 1
			refs = append(refs, s.ref())
		}
		if len(segments) < segmentsAtOnce {
			return last, refs, nil
		}
	}
}

// segmentsAtOnce is how many segments are held in memory while the log is read.
const segmentsAtOnce = 256

// replay sets the bits of a segment's events.
func (t *tx) replay(l *live, s loggedSegment) error {
	a, err := l.audience(t.ctx, t, s.push)
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
		if isLife(e.milestone) {
			a.lastLife = max(a.lastLife, packed.Time)
		}
	}
	return nil
}
