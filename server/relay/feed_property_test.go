package relay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"susul.dev/susul/storage"
)

// feedModel is a feed over a log, and readers of it.
type feedModel struct {
	t     *rapid.T
	log   *memoryLog
	feed  *feed
	cache int64
	from  int64              // of the feed
	fails bool               // onEvents
	taken map[string][]int64 // what onEvents got
	upTo  map[string]int64   // how far
	reads []*reader
	slow  []*page // that were read, but are not cached yet
}

// reader goes through an app's log as an endpoint does.
type reader struct {
	app      string
	began    int64
	position int64
	got      []int64
}

var feedApps = []string{"a", "b", "c"}

func (m *feedModel) restart(from int64) {
	m.from, m.taken, m.upTo, m.slow = from, map[string][]int64{}, map[string]int64{}, nil
	m.feed = quietFeed(m.log, m.cache)
	m.feed.onEvents = func(_ context.Context, stretch *page) error {
		if m.fails {
			return errors.New("not now")
		}
		m.take(stretch)
		return nil
	}
	m.feed.start(from)
}

// take checks that a stretch has all that is new, or that nobody needs it.
func (m *feedModel) take(stretch *page) {
	app := stretch.app
	require.LessOrEqual(m.t, stretch.first, max(m.from, m.upTo[app])+1, "nothing is left out")
	require.Less(m.t, m.feed.head(), stretch.through, "the head does not include it yet")
	events := m.log.of(app, stretch.first-1, stretch.through)
	require.NotEmpty(m.t, events)
	m.upTo[app] = stretch.through
	m.taken[app] = append(m.taken[app], events...)
	if len(stretch.entries) > 0 {
		checkPage(m.t, stretch)
		m.checkClaim(stretch)
		return
	}
	require.False(m.t, m.feed.shelf.isAsked(app))
	for _, sequence := range events {
		require.Empty(m.t, m.log.urls[m.log.pushOf(sequence)])
	}
}

// checkPage checks what holds of every page.
func checkPage(t require.TestingT, p *page) {
	urls := map[string][]int{}
	var row []byte
	for i := range p.entries {
		e := &p.entries[i]
		row = testRow(row[:0], &e.Event, e.push)
		if p.app != e.App || e.Sequence < p.first || e.Sequence > p.through || i > 0 && p.entries[i-1].Sequence >= e.Sequence ||
			e.PushID != e.push.ID || !bytes.Equal(row, p.row(i)) {
			require.Fail(t, "a wrong entry", "%d: %+v in %d…%d of %s: %s", i, e, p.first, p.through, p.app, p.row(i))
		}
		seen := map[string]bool{}
		for _, url := range e.push.CallbackURLs {
			if id, _ := urlEndpointID(url); !seen[id] {
				seen[id] = true
				urls[id] = append(urls[id], i)
			}
		}
	}
	require.True(t, maps.EqualFunc(urls, p.urls, slices.Equal), "%v is not %v", p.urls, urls)
}

// sameEvents is require.Equal for long lists.
func sameEvents(t require.TestingT, want, got []int64, message string, args ...any) {
	if !slices.Equal(want, got) {
		require.Equal(t, want, got, append([]any{message}, args...)...)
	}
}

// read has a reader take its next page, or learn that there is none.
func (r *reader) read(t require.TestingT, f *feed) error {
	head := f.head()
	p, err := f.page(context.Background(), r.app, r.position)
	if err != nil {
		return err
	}
	if p == nil {
		r.position = max(r.position, head)
		return nil
	}
	checkPage(t, p)
	require.LessOrEqual(t, p.first, r.position+1, "what is before the page was seen")
	next := p.after(r.position)
	require.Less(t, next, len(p.entries), "a page has something new")
	for ; next < len(p.entries); next++ {
		r.got = append(r.got, p.entries[next].Sequence)
	}
	r.position = max(r.position, p.through)
	return nil
}

func (m *feedModel) step() {
	if _, err := m.feed.step(context.Background()); err != nil {
		require.ErrorIs(m.t, err, storage.ErrUnavailable)
	}
}

func (m *feedModel) check() {
	head := m.feed.head()
	for _, app := range feedApps {
		sameEvents(m.t, m.log.of(app, m.from, head), m.taken[app], "onEvents got all of %s, once, in order", app)
	}
	for _, r := range m.reads {
		sameEvents(m.t, m.log.of(r.app, r.began, r.position), r.got, "a reader of %s from %d to %d", r.app, r.began, r.position)
	}
	m.checkShelf()
}

// checkShelf checks that the cache keeps its own rules.
func (m *feedModel) checkShelf() {
	s := m.feed.shelf
	cached, bytes := 0, int64(0)
	for app, pages := range s.byApp {
		require.NotEmpty(m.t, pages)
		cached += len(pages)
		for i, p := range pages {
			require.Equal(m.t, app, p.app)
			require.True(m.t, i == 0 || pages[i-1].number() < p.number())
			require.Equal(m.t, pageOf(p.entries[0].Sequence), p.number(), "aligned")
			require.Equal(m.t, s, p.account.at)
			require.Equal(m.t, p.weight, p.account.weight)
			m.checkClaim(p)
			bytes += p.account.weight + p.account.rows
			kept, ok := s.recent.Peek(p.key())
			require.True(m.t, ok && kept == p)
		}
	}
	require.Equal(m.t, cached, s.recent.Len())
	require.Equal(m.t, bytes, s.bytes.Load())
	require.True(m.t, cached <= 1 || bytes <= s.limit)
}

// checkClaim checks that a page has all of its stretch.
func (m *feedModel) checkClaim(p *page) {
	want := m.log.of(p.app, p.first-1, p.through)
	same := len(want) == len(p.entries)
	for i := 0; same && i < len(want); i++ {
		same = want[i] == p.entries[i].Sequence
	}
	require.True(m.t, same, "%s, %d…%d has %d entries, not %d", p.app, p.first, p.through, len(p.entries), len(want))
}

// load reads a page that is not cached yet, as a reader does who is overtaken then.
func (m *feedModel) load(rt *rapid.T) {
	key := pageKey{feedApps[0], pageOf(max(m.feed.head()-rapid.Int64Range(0, 3*pageSize).Draw(rt, "back"), 1))}
	m.log.fail = 0
	p, err := m.feed.load(context.Background(), key)
	require.NoError(rt, err)
	m.checkClaim(p)
	if len(p.entries) > 0 {
		m.slow = append(m.slow, p)
	}
}

// arrive has a page that was read cached, and said to have nothing before it.
func (m *feedModel) arrive(rt *rapid.T) {
	if len(m.slow) == 0 {
		rt.Skip("nobody waits")
	}
	i := rapid.IntRange(0, len(m.slow)-1).Draw(rt, "read")
	p := m.slow[i]
	m.slow = slices.Delete(m.slow, i, i+1)
	got := p
	if rapid.Bool().Draw(rt, "cached") {
		got = m.feed.shelf.add(p)
	}
	m.checkClaim(got)
	require.True(rt, got.first <= p.entries[0].Sequence && p.last() <= got.through)
	before := m.log.of(p.app, 0, p.entries[0].Sequence-1)
	after := int64(0)
	if len(before) > 0 {
		after = before[len(before)-1]
	}
	got = m.feed.shelf.widen(p, after)
	m.checkClaim(got)
	require.True(rt, got.first <= after+1 && p.last() <= got.through)
}

// logShape is what the model's log looks like.
type logShape struct {
	apps  []string
	gaps  []int64 // of unused sequences
	sizes []int   // of runs of events
	steps int     // of readers and commits, at most, in one action
	times int     // of the usual number of checks
}

func TestFeedAgreesWithItsLog(t *testing.T) {
	for name, shape := range map[string]logShape{
		"far apart": {
			apps: feedApps, gaps: []int64{0, 0, 0, 1, 100, pageSize, 5 * pageSize, 100 * pageSize},
			sizes: []int{1, 1, 1, 3, 3, 3, 50, 50, 300, pageSize + 1}, steps: 5, times: 1,
		},
		"close together": {apps: feedApps[:1], gaps: []int64{0, 0, 0, 0, 0, 0, 0, 0, 0, pageSize}, sizes: []int{1, 2}, steps: 1, times: 20},
	} {
		t.Run(name, func(t *testing.T) {
			for range shape.times {
				rapid.Check(t, func(rt *rapid.T) { checkFeed(rt, shape) })
			}
		})
	}
}

func checkFeed(rt *rapid.T, shape logShape) {
	m := &feedModel{t: rt, log: newMemoryLog()}
	m.cache = rapid.SampledFrom([]int64{1, 100_000, 1_000_000, 64 << 20}).Draw(rt, "cache")
	for push := range int64(5) { // push 5 is not there
		for i := range push {
			m.log.urls[push] = append(m.log.urls[push], fmt.Sprintf("https://example.com/%d?push=%d", i%2, push))
		}
	}
	m.restart(0)
	rt.Repeat(map[string]func(*rapid.T){
		"": func(rt *rapid.T) { m.t = rt; m.check() },
		"commit": func(rt *rapid.T) {
			for range rapid.IntRange(1, shape.steps).Draw(rt, "runs") {
				m.log.commit(rapid.SampledFrom(shape.apps).Draw(rt, "app"), rapid.Int64Range(0, 5).Draw(rt, "push"),
					rapid.SampledFrom(shape.gaps).Draw(rt, "gap"), rapid.SampledFrom(shape.sizes).Draw(rt, "events"))
			}
		},
		"follow": func(*rapid.T) { m.step() },
		"begin": func(rt *rapid.T) {
			at := rapid.Int64Range(0, m.feed.head()+10).Draw(rt, "after")
			m.reads = append(m.reads, &reader{app: rapid.SampledFrom(shape.apps).Draw(rt, "app"), began: at, position: at})
		},
		"read": func(rt *rapid.T) {
			if len(m.reads) == 0 {
				rt.Skip("nobody reads")
			}
			r := rapid.SampledFrom(m.reads).Draw(rt, "reader")
			for range rapid.IntRange(1, shape.steps).Draw(rt, "pages") {
				if err := r.read(rt, m.feed); err != nil {
					require.ErrorIs(rt, err, storage.ErrUnavailable)
				}
			}
		},
		"load":   m.load,
		"arrive": m.arrive,
		"fail":   func(rt *rapid.T) { m.log.fail = rapid.IntRange(0, 2).Draw(rt, "calls") },
		"restart": func(rt *rapid.T) {
			m.restart(rapid.Int64Range(0, m.feed.head()).Draw(rt, "head"))
		},
		"evict": func(rt *rapid.T) {
			for range rapid.IntRange(1, 2).Draw(rt, "pages") {
				m.feed.shelf.recent.RemoveOldest()
			}
		},
	})
	m.log.fail = 0
	for last := m.log.last(); m.feed.head() < last; {
		m.step()
	}
	for _, r := range m.reads {
		for r.position < m.feed.head() {
			require.NoError(rt, r.read(rt, m.feed))
		}
	}
	m.check()
}
