package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/sqlite/layout"
)

// A transaction folds foldAtOnce pieces beside its other work, foldIdle when it has none.
const (
	foldAtOnce = 64
	foldIdle   = 1024
)

// piece is a part of what is in memory, as the disk keeps it: a page of progress, or a mark.
type piece struct {
	audience *audience
	page     int
	mark     *markKey
}

// fold carries progress from memory to disk behind the log, in rounds. When a round ends, the disk has every event of the
// log as it was when the round began; replaying what came later sets bits that are perhaps set already, which does no
// harm. It belongs to the writer.
type fold struct {
	dirty   []piece // for the next round
	round   []piece // what is left of this one
	through int64   // the log's end when the round began
	pause   time.Duration
	ended   time.Time
}

func (f *fold) add(p piece) { f.dirty = append(f.dirty, p) }

// due reports whether there is something to fold now.
func (f *fold) due(now time.Time) bool {
	return len(f.round) > 0 || len(f.dirty) > 0 && now.Sub(f.ended) >= f.pause
}

// foldSome writes some pieces of a round, which it begins if there is none. It comes last in a transaction.
func (t *tx) foldSome(most int) error {
	f := &t.writer.fold
	if len(f.round) == 0 {
		f.round, f.dirty = f.dirty, nil
		f.through, t.beganRound = t.sequence, true
	}
	t.folded = f.round[:min(most, len(f.round))]
	if err := t.writePieces(t.folded); err != nil {
		return err
	}
	if len(t.folded) < len(f.round) {
		return nil
	}
	_, err := t.exec(`UPDATE fold SET sequence = ?`, f.through)
	return err
}

// rolledBack takes back a round that began in a transaction which failed: its sequences will be others' events.
func (f *fold) rolledBack(began bool) {
	if began {
		f.dirty, f.round = append(f.round, f.dirty...), nil
	}
}

// committed ends what was folded by a transaction. The next round's pieces are those that changed since they were
// written, by transactions to come.
func (f *fold) committed(folded []piece) {
	for _, p := range folded {
		if p.mark != nil {
			delete(p.audience.dirty, *p.mark)
		} else {
			p.audience.pages[p.page].dirty = false
		}
	}
	f.round = f.round[len(folded):]
	if len(folded) > 0 && len(f.round) == 0 {
		f.ended = time.Now()
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
	for after := through - layout.MaxEvents; ; {
		segments, err := collect(t.ctx, t, scanStoredSegment, `SELECT sequence, push_id, body FROM segment
			WHERE sequence > ? ORDER BY sequence LIMIT ?`, after, segmentsAtOnce)
		if err != nil {
			return err
		}
		for _, s := range segments {
			if err := t.replay(s); err != nil {
				return err
			}
			after = s.sequence
			t.sequence = max(t.sequence, s.sequence+int64(s.Len())-1)
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

type storedSegment struct {
	sequence, push int64
	layout.Segment
}

func scanStoredSegment(rows *sql.Rows) (s storedSegment, err error) {
	var body []byte
	if err = rows.Scan(&s.sequence, &s.push, &body); err != nil {
		return s, err
	}
	s.Segment, err = layout.ReadSegment(body)
	return s, err
}

// replay sets the bits of a segment's events.
func (t *tx) replay(s storedSegment) error {
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
