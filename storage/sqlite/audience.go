package sqlite

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/RoaringBitmap/roaring/v2"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// audience is what is in memory of one push's recipients. Callers look up ordinals and read progress; the writer alone
// changes anything.
type audience struct {
	push   int64
	app    string
	listed bool // gains no recipients

	forgotten atomic.Bool // has none any more; a caller's snapshot may have been too old to say so, the writer's is not

	used    atomic.Int64 // the fold round in which it was last needed
	lookups atomic.Int64 // ids that were looked up on disk since it came into memory

	mu      sync.RWMutex    // guards the fields below against the writer
	index   *index          // nil: not in memory
	loading chan struct{}   // closed when who reads the index has done so; nil: nobody does
	pages   []*progressPage // nil: as the page on disk is

	// The rest is the writer's own.
	gone  bool                        // evicted: another may stand for the push by now
	known bool                        // size was read, and forgotten again
	size  uint32                      // recipients known, with those of the current transaction
	grown map[string]uint32           // those of the current transaction
	fresh []string                    // those of them whose pages are yet to be written
	marks map[markKey]*roaring.Bitmap // those in memory
	dirty map[markKey]bool            // marks that are not folded yet
	stage stage

	// lastLife is the latest time at which a device reported life here, in seconds, as far as memory goes back; or later.
	lastLife uint32
}

// progressPage holds the words of the recipients of one page.
type progressPage struct {
	words [layout.PageSize]atomic.Uint64
	dirty bool // the writer's: not folded yet
}

// markKey names the recipients of whom a status came in a step.
type markKey struct {
	step   uint8
	status string
}

// What things take in memory, in bytes, about.
const (
	pageBytes  = 8*layout.PageSize + 64
	otherBytes = 512 // an audience by itself
)

// find looks an id up in memory; loaded is false if the index is not there.
func (a *audience) find(id string) (ordinal uint32, ok, loaded bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.index == nil || a.loading != nil {
		return 0, false, false
	}
	ordinal, ok = a.index.find(id)
	return ordinal, ok, true
}

// hotPage returns a page of progress if it is in memory.
func (a *audience) hotPage(n int) *progressPage {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if n < len(a.pages) {
		return a.pages[n]
	}
	return nil
}

// putPage puts a page in memory.
func (a *audience) putPage(n int, page *progressPage) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if missing := n + 1 - len(a.pages); missing > 0 {
		a.pages = append(a.pages, make([]*progressPage, missing)...)
	}
	a.pages[n] = page
}

// publish adds the recipients that a commit made known to the index.
func (a *audience) publish() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.index != nil {
		for id, ordinal := range a.grown {
			a.index.add(id, ordinal)
		}
	}
	clear(a.grown)
}

// bytes is what it takes in memory, about. It is the writer's to call.
func (a *audience) bytes() int {
	a.mu.RLock() // callers bring the index in
	defer a.mu.RUnlock()
	n := otherBytes + a.index.bytes() + 8*len(a.pages)
	for _, page := range a.pages {
		if page != nil {
			n += pageBytes
		}
	}
	for _, bitmap := range a.marks {
		n += int(bitmap.GetSizeInBytes())
	}
	return n
}

// upstream is an upstream id as an app's callbacks name it.
type upstream struct{ app, id string }

// target is what an upstream id stands for. It never changes.
type target struct {
	push     int64
	dispatch layout.Dispatch
}

// maxTargets bounds the upstream ids that are remembered.
const maxTargets = 1 << 17

// live is what is in memory of all pushes.
type live struct {
	budget int
	round  atomic.Int64 // counts folds: what audiences are aged by

	mu        sync.RWMutex
	audiences map[int64]*audience
	targets   map[upstream]target

	tail tail

	// cold is the latest time, in seconds, of what was reported about audiences that are not in memory, or that memory of
	// which begins later. It is the writer's own.
	cold uint32
}

func newLive(budget int) *live {
	return &live{budget: budget, audiences: map[int64]*audience{}, targets: map[upstream]target{}}
}

// known returns a push's audience if it is in memory.
func (l *live) known(push int64) *audience {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.audiences[push]
}

// audience returns a push's audience; what must be known of it is read if need be.
func (l *live) audience(ctx context.Context, q querier, push int64) (*audience, error) {
	if a := l.known(push); a != nil {
		a.used.Store(l.round.Load())
		return a, nil
	}
	a, err := first(ctx, q, func(rows *sql.Rows) (*audience, error) {
		a, forgotten := &audience{push: push}, false
		err := rows.Scan(&a.app, &a.listed, &forgotten)
		a.forgotten.Store(forgotten)
		return a, err
	}, `SELECT app, listed, forgotten > 0 FROM push WHERE id = ?`, push)
	if err != nil {
		return nil, err
	}
	return l.enter(a), nil
}

// enter makes an audience known, unless another is already: then it returns that.
func (l *live) enter(a *audience) *audience {
	a.used.Store(l.round.Load())
	l.mu.Lock()
	defer l.mu.Unlock()
	if earlier := l.audiences[a.push]; earlier != nil {
		return earlier
	}
	l.audiences[a.push] = a
	return a
}

// expect puts the index of a push that was just stored in memory: its callbacks come soon.
func (l *live) expect(p storage.Push, members *index) {
	if !p.Listed || members.bytes() > l.budget/2 {
		return
	}
	a := l.enter(&audience{push: p.ID, app: p.App, listed: true})
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.index == nil {
		a.index = members
	}
}

// target returns what an upstream id stands for, as far as that is remembered.
func (l *live) target(u upstream) (to target, ok bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	to, ok = l.targets[u]
	return to, ok
}

func (l *live) remember(u upstream, to target) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.targets) >= maxTargets {
		clear(l.targets)
	}
	l.targets[u] = to
}

// forget drops a push's audience from memory. It is the writer's to call.
func (l *live) forget(push int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.audiences[push]; a != nil {
		a.gone = true
		l.cold = max(l.cold, a.lastLife)
		delete(l.audiences, push)
	}
}

// replace drops all from memory, and puts others in its place, beside which cold is the latest time. It is the writer's to
// call.
func (l *live) replace(audiences map[int64]*audience, cold uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.audiences {
		a.gone = true
	}
	l.audiences, l.cold = audiences, cold
	clear(l.targets)
}

// evict makes room if more is in memory than may be: what was not needed for the longest goes first, and what is not
// folded yet stays. It is the writer's to call.
func (l *live) evict() {
	l.mu.RLock()
	all := slices.Collect(maps.Values(l.audiences))
	l.mu.RUnlock()
	total := 0
	sizes := make(map[*audience]int, len(all))
	for _, a := range all {
		sizes[a] = a.bytes()
		total += sizes[a]
	}
	if total <= l.budget {
		return
	}
	slices.SortFunc(all, func(a, b *audience) int { return int(a.used.Load() - b.used.Load()) })
	for _, a := range all {
		if total <= l.budget-l.budget/8 {
			return
		}
		if a.clean() {
			l.forget(a.push)
			total -= sizes[a]
		}
	}
}

// clean reports whether all of an audience is on disk as it is in memory.
func (a *audience) clean() bool {
	return len(a.dirty) == 0 && !slices.ContainsFunc(a.pages, func(p *progressPage) bool { return p != nil && p.dirty })
}

// worthLoading reports whether an index should be read into memory to look up some more ids: once there were so many that
// reading it all pays off, but not if it alone would take half of the memory that there is.
func (l *live) worthLoading(a *audience, size, ids int) bool {
	return a.lookups.Add(int64(ids)) > int64(size/1024) && size*indexBytes <= l.budget/2
}

// progressOf returns a recipient's word from a page that is in memory.
func (p *progressPage) progressOf(ordinal uint32) storage.Progress {
	return storage.Progress(p.words[ordinal%layout.PageSize].Load())
}
