package relay

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"
	"unsafe"

	"susul.dev/susul/server/subscription"
	"susul.dev/susul/storage"
)

// pageSize is how many sequences a page is of. Page k of an app has those of k·pageSize+1 … (k+1)·pageSize that are its events.
const pageSize = 2048

// page is a stretch of one app's log, immutable and shared.
type page struct {
	app string
	// Every event of the app with first ≤ Sequence ≤ through is in it. It may be known of sequences far before and behind its
	// entries that there is none.
	first, through int64
	entries        []entry          // ascending by Sequence
	urls           map[string][]int // by endpoint id ("url-…"): ascending indexes of the entries whose push names a URL of that endpoint
	unread         int              // of a stretch without entries, about how many events it has

	appendRow rowAppender
	weight    int64 // in bytes, without rendered rows
	account   *account
}

// entry is an event and its push.
type entry struct {
	storage.Event
	push *subscription.Push // never nil
	text *text
}

// text is an entry's row, which all versions of its page share.
type text struct {
	once sync.Once
	row  []byte
}

// rowAppender appends an event as it is posted.
type rowAppender func(dst []byte, e *storage.Event, p *subscription.Push) []byte

// scratch has memory to render rows in, whose length is not known before.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

// maxScratch is how much of that is kept, in bytes.
const maxScratch = 64 << 10

// row returns an entry's row as it is posted, rendered once for all. It must not be changed.
func (p *page) row(i int) []byte {
	e := &p.entries[i]
	e.text.once.Do(func() {
		memory := scratch.Get().(*[]byte)
		row := p.appendRow((*memory)[:0], &e.Event, e.push)
		e.text.row = bytes.Clone(row)
		if cap(row) <= maxScratch {
			*memory = row
		}
		scratch.Put(memory)
		if at := p.account.charge(int64(cap(e.text.row))); at != nil {
			at.trim()
		}
	})
	return e.text.row
}

// after returns the index of the first entry with a sequence greater than the given one.
func (p *page) after(sequence int64) int {
	return sort.Search(len(p.entries), func(i int) bool { return p.entries[i].Sequence > sequence })
}

// last returns the sequence of the last event.
func (p *page) last() int64 {
	if len(p.entries) == 0 {
		return p.through
	}
	return p.entries[len(p.entries)-1].Sequence
}

// number returns which page of its app it is.
func (p *page) number() int64 { return pageOf(p.last()) }

// pageOf returns the number of the page that has a sequence.
func pageOf(sequence int64) int64 { return (sequence - 1) / pageSize }

// extended returns a version of the page with more entries, and the stretch that these are. It is called once at most for each version,
// by one goroutine: the new entries stand behind those of the page, in the same memory if there is room, where its readers do not look.
func (p *page) extended(events []storage.Event, pushes map[int64]*pushInfo, through int64) (next, stretch *page) {
	next, stretch = new(page), new(page)
	*next = *p
	next.through = through
	next.entries = slices.Grow(p.entries, len(events))
	texts := make([]text, len(events))
	urls := map[string][]int{}
	counted := map[*pushInfo]bool{}
	for i := range events {
		push := pushes[events[i].PushID]
		next.entries = append(next.entries, entry{Event: events[i], push: push.Push, text: &texts[i]})
		next.weight += weightOf(&events[i])
		for _, id := range push.endpoints {
			urls[id] = append(urls[id], i)
		}
		if !counted[push] {
			counted[push] = true
			next.weight += push.weight
		}
	}
	next.weight += int64(cap(next.entries)-cap(p.entries)) * int64(unsafe.Sizeof(entry{}))
	next.urls = joined(p.urls, urls, len(p.entries))
	*stretch = *next
	stretch.first, stretch.urls = p.through+1, urls
	stretch.entries = next.entries[len(p.entries):len(next.entries):len(next.entries)]
	return next, stretch
}

// joined returns the index of a longer page. Its lists stand where the shorter's do, as the entries of extended.
func joined(shorter, more map[string][]int, offset int) map[string][]int {
	if len(more) == 0 {
		return shorter
	}
	all := maps.Clone(shorter)
	if all == nil {
		all = make(map[string][]int, len(more))
	}
	for id, places := range more {
		list := all[id]
		for _, i := range places {
			list = append(list, offset+i)
		}
		all[id] = list
	}
	return all
}

// moved returns an index of the entries from one place to another, counted anew.
func moved(urls map[string][]int, from, to, by int) map[string][]int {
	some := map[string][]int{}
	for id, places := range urls {
		for _, i := range places {
			if from <= i && i < to {
				some[id] = append(some[id], i+by)
			}
		}
	}
	return some
}

// union returns a page of what two versions of one page have that leave no gap between them. Entries that both have are taken from p.
func (p *page) union(q *page) *page {
	u := &page{app: p.app, first: min(p.first, q.first), through: max(p.through, q.through), appendRow: p.appendRow}
	before, behind := sort.Search(len(q.entries), func(i int) bool { return q.entries[i].Sequence >= p.first }), q.after(p.through)
	for _, entries := range [][]entry{q.entries[:before], p.entries, q.entries[behind:]} {
		u.entries = append(u.entries, entries...)
	}
	u.weight = p.weight + q.weight
	u.urls = joined(joined(moved(q.urls, 0, before, 0), p.urls, before), moved(q.urls, behind, len(q.entries), -behind),
		before+len(p.entries))
	u.account = &account{rows: p.account.rendered() + q.account.rendered()}
	return u
}

// touches reports whether there is no gap between two pages of an app.
func (p *page) touches(q *page) bool { return p.first <= q.through+1 && q.first <= p.through+1 }

// weightOf estimates what an event keeps in memory, in bytes, beside its entry.
func weightOf(e *storage.Event) int64 {
	return int64(unsafe.Sizeof(text{})) + int64(len(e.RegistrationID)+len(e.UpstreamID)+len(e.Status)+len(e.ErrorMessage)+cap(e.Raw))
}

// account is what the versions of a page, of which one is cached at a time, weigh together.
type account struct {
	mu     sync.Mutex
	rows   int64  // that were rendered, in bytes
	weight int64  // of the cached version
	at     *shelf // nil while none is cached
}

// charge adds a rendered row, and returns the shelf whose cache the page is in.
func (a *account) charge(bytes int64) *shelf {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rows += bytes
	if a.at != nil {
		a.at.bytes.Add(bytes)
	}
	return a.at
}

// place notes that a version of some weight is in the cache of a shelf now; nil for none.
func (a *account) place(at *shelf, weight int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.at != nil {
		a.at.bytes.Add(-a.weight - a.rows)
	}
	if a.at, a.weight = at, weight; at != nil {
		at.bytes.Add(weight + a.rows)
	}
}

func (a *account) rendered() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.rows
}

// urlEndpointID returns the id of the endpoint of a callback URL, and its address: the URL without query and fragment.
func urlEndpointID(url string) (id, address string) {
	address = url
	if i := strings.IndexAny(url, "?#"); i >= 0 {
		address = url[:i]
	}
	sum := sha256.Sum256([]byte(address))
	return urlPrefix + hex.EncodeToString(sum[:8]), address
}
