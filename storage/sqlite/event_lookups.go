package sqlite

import (
	"cmp"
	"database/sql"
	"slices"
	"strconv"
	"sync"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// lookups is what those who read the log keep for each other, for neighbouring events need much the same. What is in it is
// committed and does not change, but for what is added: a page that gains recipients, a batch that gains results.
type lookups struct {
	dispatches *cache[int64, *loggedDispatch]
	pages      *cache[recipientPlace, layout.Recipients]
}

// recipientPlace is where a page of recipients is.
type recipientPlace struct {
	push int64
	page int
}

// newLookups returns lookups that take so many bytes, about.
func newLookups(budget int) *lookups {
	return &lookups{
		dispatches: newCache[int64](budget/2, (*loggedDispatch).bytes),
		pages:      newCache[recipientPlace](budget/2, layout.Recipients.Bytes),
	}
}

// loggedDispatch is what events tell of their dispatch.
type loggedDispatch struct {
	id                int64
	upstream, variant string
	singles           []loggedSingle // of a batch, by ordinal
	texts             []string
}

// loggedSingle is what became of a single message. Most upstream ids are decimal numbers; number is that, or the place in texts of
// another, or of the empty one of a message that was refused.
type loggedSingle struct {
	ordinal uint32
	text    bool
	number  uint64
}

const singleBytes = 16

const selectLoggedDispatches = `SELECT d.id, COALESCE(d.upstream_id, ''), d.variant, r.results FROM json_each(?) k
	CROSS JOIN dispatch d ON d.id = k.value LEFT JOIN batch_result r ON r.dispatch_id = d.id`

func scanLoggedDispatch(rows *sql.Rows) (*loggedDispatch, error) {
	d, results := &loggedDispatch{}, []byte(nil)
	if err := rows.Scan(&d.id, &d.upstream, &d.variant, &results); err != nil || results == nil {
		return d, err
	}
	list, err := layout.ReadResults(results)
	d.singles = make([]loggedSingle, len(list))
	for i, result := range list {
		number, err := strconv.ParseUint(result.UpstreamID, 10, 64)
		text := err != nil || strconv.FormatUint(number, 10) != result.UpstreamID
		if text {
			number, d.texts = uint64(len(d.texts)), append(d.texts, result.UpstreamID)
		}
		d.singles[i] = loggedSingle{result.Ordinal, text, number}
	}
	slices.SortFunc(d.singles, func(a, b loggedSingle) int { return cmp.Compare(a.ordinal, b.ordinal) })
	return d, err
}

func (d *loggedDispatch) bytes() int {
	n := 160 + len(d.upstream) + len(d.variant) + singleBytes*len(d.singles)
	for _, text := range d.texts {
		n += 16 + len(text)
	}
	return n
}

// tells reports whether it is known for good which upstream id an event of a recipient has.
func (d *loggedDispatch) tells(ordinal uint32) bool {
	return d.upstream != "" || d.single(ordinal) >= 0
}

func (d *loggedDispatch) single(ordinal uint32) int {
	at, ok := slices.BinarySearchFunc(d.singles, ordinal, func(s loggedSingle, o uint32) int { return cmp.Compare(s.ordinal, o) })
	if !ok {
		return -1
	}
	return at
}

// upstreamOf returns the upstream id of the dispatch, or, of a batch, that of the recipient's single message.
func (d *loggedDispatch) upstreamOf(ordinal uint32) string {
	if d.upstream != "" {
		return d.upstream
	}
	at := d.single(ordinal)
	switch {
	case at < 0:
		return ""
	case d.singles[at].text:
		return d.texts[d.singles[at].number]
	}
	return strconv.FormatUint(d.singles[at].number, 10)
}

const selectListedPages = `SELECT p.push_id, p.page, p.ids FROM json_each(?) k
	CROSS JOIN recipient_page p ON p.push_id = k.value ->> 0 AND p.page = k.value ->> 1`

type placedPage struct {
	recipientPlace
	ids layout.Recipients
}

func scanPlacedPage(rows *sql.Rows) (p placedPage, err error) {
	var ids []byte
	if err = rows.Scan(&p.push, &p.page, &ids); err != nil {
		return p, err
	}
	p.ids, err = layout.ReadRecipients(ids)
	return p, err
}

// readAhead is what is known of that which the events of some segments need, in the order in which they need it.
type readAhead struct {
	segments   []aheadOf
	dispatches []*loggedDispatch   // nil: not known
	pages      []layout.Recipients // of the recipients of each run of events that share one; empty: not known

	places []layout.Place // of the recipients of the events that are taken, on the pages above
	ids    []byte         // their registration ids, one after the other
	ends   []int
}

// aheadOf is where that which a segment needs begins.
type aheadOf struct{ dispatches, pages int }

// lookAhead looks up what the events of some segments need, all at once. What is missing or damaged is left to who needs it.
func (r *eventReader) lookAhead(segments []loggedSegment) error {
	p := &r.ahead
	*p = readAhead{p.segments[:0], p.dispatches[:0], p.pages[:0], p.places[:0], p.ids[:0], p.ends[:0]}
	r.dispatches, r.pages = map[int64]*loggedDispatch{}, map[recipientPlace]layout.Recipients{}
	r.details = map[int64]storage.Callback{}
	var dispatches, details list[int64]
	var places list[[2]int64]
	n := 0
	for i := range segments {
		s := &segments[i]
		p.segments = append(p.segments, aheadOf{len(p.dispatches), len(p.pages)})
		if from, to := s.within(&r.query); from < to {
			n += to - from
			dispatches = r.needDispatches(s, dispatches)
			places = r.needPages(s, from, to, places)
			details = needDetails(s, from, to, details)
		}
	}
	n = min(n, r.limit-len(r.events))
	r.events, p.places = slices.Grow(r.events, n), slices.Grow(p.places, n)
	p.ids, p.ends = slices.Grow(p.ids, n*idLength), slices.Grow(p.ends, n)
	if err := lookUp(r, selectLoggedDispatches, dispatches, scanLoggedDispatch, r.learnDispatch); err != nil {
		return err
	}
	if err := lookUp(r, selectListedDetails, details, scanDetail, func(d storedDetail) { r.details[d.sequence] = d.callback }); err != nil {
		return err
	}
	return lookUp(r, selectListedPages, places, scanPlacedPage, func(p placedPage) { r.learnPage(p.recipientPlace, p.ids) })
}

const selectListedDetails = selectDetails + `sequence IN ` + listed

// needDetails appends the sequences of a segment's events that have details of their own.
func needDetails(s *loggedSegment, from, to int, details list[int64]) list[int64] {
	for i := from; i < to; i++ {
		if s.Event(i).Kind == 0 {
			details = append(details, s.sequence+int64(i))
		}
	}
	return details
}

// idLength is how long most registration ids are, about.
const idLength = 20

// needDispatches adds what is known of a segment's dispatches, and appends those of which nothing is.
func (r *eventReader) needDispatches(s *loggedSegment, missing list[int64]) list[int64] {
	for _, d := range s.Dispatches() {
		known, ok := r.lookups.dispatch(d.ID)
		r.ahead.dispatches = append(r.ahead.dispatches, known)
		if _, seen := r.dispatches[d.ID]; !ok && !seen {
			r.dispatches[d.ID] = nil
			missing = append(missing, d.ID)
		}
	}
	return missing
}

// needPages does likewise with the pages of recipients that events of a segment need.
func (r *eventReader) needPages(s *loggedSegment, from, to int, missing list[[2]int64]) list[[2]int64] {
	for i, last := from, -1; i < to; i++ {
		page := int(s.Event(i).Ordinal / layout.PageSize)
		if page == last {
			continue
		}
		last = page
		place := recipientPlace{s.push, page}
		known, ok := r.lookups.page(place)
		r.ahead.pages = append(r.ahead.pages, known)
		if _, seen := r.pages[place]; !ok && !seen {
			r.pages[place] = layout.Recipients{}
			missing = append(missing, [2]int64{s.push, int64(page)})
		}
	}
	return missing
}

func lookUp[K, V any](r *eventReader, query string, keys list[K], scan func(*sql.Rows) (V, error), learn func(V)) error {
	if len(keys) == 0 {
		return nil
	}
	found, err := collect(r.ctx, r.q, attempted(scan), query, keys)
	for _, one := range found {
		if one.damage == "" {
			learn(one.row)
		}
	}
	return err
}

// learnDispatch remembers a dispatch as it is in this snapshot.
func (r *eventReader) learnDispatch(d *loggedDispatch) {
	if r.dispatches == nil || len(r.dispatches) >= maxRemembered {
		r.dispatches = map[int64]*loggedDispatch{}
	}
	r.dispatches[d.id] = d
	if r.lookups != nil && (d.upstream != "" || d.singles != nil) {
		r.lookups.dispatches.put(d.id, d)
	}
}

// learnPage does likewise with a page of recipients.
func (r *eventReader) learnPage(place recipientPlace, ids layout.Recipients) {
	if r.pages == nil || len(r.pages) >= maxRemembered {
		r.pages = map[recipientPlace]layout.Recipients{}
	}
	r.pages[place] = ids
	if r.lookups != nil {
		r.lookups.pages.put(place, ids)
	}
}

func (l *lookups) dispatch(id int64) (*loggedDispatch, bool) {
	if l == nil {
		return nil, false
	}
	return l.dispatches.get(id)
}

func (l *lookups) page(place recipientPlace) (layout.Recipients, bool) {
	if l == nil {
		return layout.Recipients{}, false
	}
	return l.pages.get(place)
}

// cache keeps what was used lately, in as many bytes as it may take: what was used since fresh was begun is in it, and old is
// the fresh of before.
type cache[K comparable, V any] struct {
	half   int // of the budget, in bytes
	weight func(V) int

	mu         sync.Mutex
	fresh, old map[K]V
	bytes      int // of fresh
}

func newCache[K comparable, V any](budget int, weight func(V) int) *cache[K, V] {
	return &cache[K, V]{half: budget / 2, weight: weight, fresh: map[K]V{}}
}

func (c *cache[K, V]) get(key K) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v, ok = c.fresh[key]; ok {
		return v, true
	}
	if v, ok = c.old[key]; ok {
		c.add(key, v)
	}
	return v, ok
}

func (c *cache[K, V]) put(key K, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(key, v)
}

func (c *cache[K, V]) add(key K, v V) {
	bytes := c.weight(v)
	if earlier, ok := c.fresh[key]; ok {
		c.bytes -= c.weight(earlier)
		delete(c.fresh, key)
	}
	if bytes > c.half {
		delete(c.old, key)
		return
	}
	if c.bytes+bytes > c.half {
		c.old, c.fresh, c.bytes = c.fresh, map[K]V{}, 0
	}
	c.fresh[key] = v
	c.bytes += bytes
}
