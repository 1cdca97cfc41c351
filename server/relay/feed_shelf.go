package relay

import (
	"math"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// shelf is what the feed has published: how far it came, and the pages that were read or grew last.
type shelf struct {
	limit int64        // of the pages in the cache, in bytes, but that one page is always kept
	bytes atomic.Int64 // what they weigh

	mu      sync.Mutex
	from    int64              // where the feed began
	head    int64              // how far it came
	latest  map[string]int64   // the latest event of an app, of those that the feed followed
	byApp   map[string][]*page // the cached pages, ascending
	asked   map[string]int64   // when somebody asked for an app's pages last, in batches
	batches int64              // that were published
	recent  *simplelru.LRU[pageKey, *page]
	changed map[string]chan struct{} // closed when an app has new events
}

// askedFor is how many batches later an app's events are still read when they come: one second's, if there are as many as can be.
const askedFor = 100

type pageKey struct {
	app    string
	number int64
}

func (p *page) key() pageKey { return pageKey{p.app, p.number()} }

func newShelf(limit int64) *shelf {
	s := &shelf{limit: limit, latest: map[string]int64{}, byApp: map[string][]*page{}, asked: map[string]int64{},
		changed: map[string]chan struct{}{}}
	s.recent, _ = simplelru.NewLRU(math.MaxInt, func(_ pageKey, p *page) { s.dropped(p) }) // bounded by bytes, not by number
	return s
}

// begin is called before everything else.
func (s *shelf) begin(from int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.from, s.head = from, from
}

// followed returns how far the feed came.
func (s *shelf) followed() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.head
}

// known returns the sequence behind which there is no event of the app, through the head.
func (s *shelf) known(app string) int64 { return max(s.from, s.latest[app]) }

// find returns the cached page that has the app's next event after a sequence. Without one, more tells whether the store may have that
// event.
func (s *shelf) find(app string, after int64) (p *page, head int64, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked[app] = s.batches
	if after >= s.known(app) {
		return nil, s.head, false
	}
	pages := s.byApp[app]
	i := sort.Search(len(pages), func(i int) bool { return pages[i].last() > after })
	if i == len(pages) || pages[i].first > after+1 {
		return nil, s.head, true
	}
	p, _ = s.recent.Get(pages[i].key())
	return p, s.head, true
}

// knownOf returns the sequence behind which there is no event of the app, through the head.
func (s *shelf) knownOf(app string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known(app)
}

// growing returns the cached version of a page, if new events of the app can be appended to it: nothing is missing before them.
func (s *shelf) growing(key pageKey, known int64) *page {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, ok := s.recent.Peek(key); ok && p.through >= known {
		return p
	}
	return nil
}

// isAsked reports whether somebody has asked for pages of the app lately.
func (s *shelf) isAsked(app string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed[app] != nil {
		return true
	}
	at, ok := s.asked[app]
	return ok && s.batches-at <= askedFor
}

// publish moves the head, and puts out the pages that grew.
func (s *shelf) publish(b *batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.head = b.head
	s.batches++
	for app, p := range b.passed {
		s.announce(app, p.through)
	}
	for _, p := range b.grown {
		s.put(p)
		s.announce(p.app, p.last())
	}
	s.evict()
}

// announce tells those who wait of an app's latest event.
func (s *shelf) announce(app string, latest int64) {
	s.latest[app] = max(s.latest[app], latest)
	if changed, ok := s.changed[app]; ok {
		close(changed)
		delete(s.changed, app)
	}
}

// add puts a page that was read into the cache. It returns the cached one, which may have more.
func (s *shelf) add(p *page) *page {
	s.mu.Lock()
	defer s.mu.Unlock()
	p = s.put(p)
	s.evict()
	return p
}

// put replaces the cached version of a page, or joins the two; without the lock it must not be called.
func (s *shelf) put(p *page) *page {
	key := p.key()
	cached, ok := s.recent.Peek(key)
	switch {
	case !ok:
		p.account.place(s, p.weight)
		pages := s.byApp[p.app]
		i := sort.Search(len(pages), func(i int) bool { return pages[i].last() > p.last() })
		pages = append(pages, nil)
		copy(pages[i+1:], pages[i:])
		pages[i] = p
		s.byApp[p.app] = pages
	case cached.account == p.account: // it has grown
		p.account.place(s, p.weight)
		p.first = min(p.first, cached.first) // nobody else has it yet
		s.replace(cached, p)
	case !cached.touches(p) && p.through < cached.through:
		return p
	case !cached.touches(p): // there are events between them that nobody wanted
		cached.account.place(nil, 0)
		p.account.place(s, p.weight)
		s.replace(cached, p)
	case cached.first <= p.first && p.through <= cached.through:
		p = cached
	default:
		p = cached.union(p)
		cached.account.place(nil, 0)
		p.account.place(s, p.weight)
		s.replace(cached, p)
	}
	s.recent.Add(key, p)
	return p
}

// replace puts another version of a page in its place.
func (s *shelf) replace(old, p *page) {
	pages := s.byApp[p.app]
	number := old.number()
	pages[sort.Search(len(pages), func(i int) bool { return pages[i].number() >= number })] = p
}

// widen notes that there is no event of the app after a sequence and before a page.
func (s *shelf) widen(p *page, after int64) *page {
	s.mu.Lock()
	defer s.mu.Unlock()
	wider := *p
	if cached, ok := s.recent.Peek(p.key()); ok && cached.first <= p.first && p.through <= cached.through {
		wider = *cached
		wider.first = min(cached.first, after+1)
		s.replace(cached, &wider)
		s.recent.Add(p.key(), &wider)
		return &wider
	}
	wider.first = min(p.first, after+1)
	return &wider
}

// wait returns a channel that is closed when the app has new events.
func (s *shelf) wait(app string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked[app] = s.batches
	changed, ok := s.changed[app]
	if !ok {
		changed = make(chan struct{})
		s.changed[app] = changed
	}
	return changed
}

// trim makes the pages weigh no more than they may.
func (s *shelf) trim() {
	if s.bytes.Load() <= s.limit {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.evict()
}

func (s *shelf) evict() {
	for s.bytes.Load() > s.limit && s.recent.Len() > 1 {
		s.recent.RemoveOldest()
	}
}

// dropped follows an eviction.
func (s *shelf) dropped(p *page) {
	p.account.place(nil, 0)
	pages := s.byApp[p.app]
	number := p.number()
	i := sort.Search(len(pages), func(i int) bool { return pages[i].number() >= number })
	copy(pages[i:], pages[i+1:])
	pages[len(pages)-1] = nil
	if s.byApp[p.app] = pages[:len(pages)-1]; len(pages) == 1 {
		delete(s.byApp, p.app)
	}
}
