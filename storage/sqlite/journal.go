package sqlite

import (
	"time"

	"github.com/RoaringBitmap/roaring/v2"
)

// journal is what a transaction has changed in memory. What SQLite rolls back is undone here, so that memory and disk
// never part.
type journal struct {
	words   []wordChange
	marks   []markChange
	grown   []growth
	apps    []string     // that were given a number
	refs    []segmentRef // of the segments that were written
	invalid []invalidChange
}

type wordChange struct {
	page   *progressPage
	at     uint32
	before uint64
}

type markChange struct {
	bitmap  *roaring.Bitmap
	ordinal uint32
}

type growth struct {
	audience *audience
	id       string
}

// emptied returns an empty journal that uses the memory of an earlier one, and keeps nothing in memory that it names.
func (j *journal) emptied() journal {
	return journal{words: emptied(j.words), marks: emptied(j.marks), grown: emptied(j.grown), apps: emptied(j.apps),
		refs: emptied(j.refs), invalid: emptied(j.invalid)}
}

// keptJournal is how many entries of a kind a journal keeps memory for.
const keptJournal = 4 * maxRows

func emptied[T any](entries []T) []T {
	if cap(entries) > keptJournal {
		return nil
	}
	clear(entries)
	return entries[:0]
}

// place is a point of a transaction to which it can go back.
type place struct {
	words, marks, grown, apps, refs, invalid, kinds int
}

func (t *tx) place() place {
	j := &t.journal
	return place{len(j.words), len(j.marks), len(j.grown), len(j.apps), len(j.refs), len(j.invalid), len(t.writer.kinds.rows)}
}

// undo takes back what was changed in memory since a place, at which nothing was on stage.
func (t *tx) undo(to place) {
	j := &t.journal
	for i := len(j.words) - 1; i >= to.words; i-- {
		change := j.words[i]
		change.page.words[change.at].Store(change.before)
	}
	for i := len(j.marks) - 1; i >= to.marks; i-- {
		j.marks[i].bitmap.Remove(j.marks[i].ordinal)
	}
	for i := len(j.grown) - 1; i >= to.grown; i-- {
		a := j.grown[i].audience
		delete(a.grown, j.grown[i].id)
		a.size--
		a.fresh = nil
	}
	for _, app := range j.apps[to.apps:] {
		delete(t.writer.apps, app)
	}
	j.words, j.marks, j.grown, j.apps = j.words[:to.words], j.marks[:to.marks], j.grown[:to.grown], j.apps[:to.apps]
	for i := len(j.invalid) - 1; i >= to.invalid; i-- {
		change := j.invalid[i]
		change.added = !change.added
		t.writer.invalid.apply(change)
	}
	j.refs, j.invalid = j.refs[:to.refs], j.invalid[:to.invalid]
	t.writer.kinds.truncate(to.kinds)
	for _, a := range t.touched {
		a.stage.clear()
	}
	t.touched = t.touched[:0]
	t.held, t.deaths, t.lives = t.held[:0], t.deaths[:0], t.lives[:0]
}

// committed makes known to all what the transaction changed.
func (t *tx) committed() {
	for _, g := range t.journal.grown {
		if len(g.audience.grown) > 0 {
			g.audience.publish()
		}
	}
	t.writer.kinds.publish(t.began.kinds)
	t.writer.sequence = t.sequence
	w := t.writer
	w.live.tail.add(t.journal.refs)
	w.fold.logged(t.journal.refs)
	w.folded(t.folded, t.indexed)
	w.fold.ours = w.fold.ours || t.events || t.term != nil
	w.fold.begin(time.Now(), w.sequence)
	w.journal = t.journal.emptied()
}
