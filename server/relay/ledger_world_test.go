package relay

import (
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"susul.dev/susul/storage"
)

// trialEvent is an event for one URL, of the world of a trial, and what it has met.
type trialEvent struct {
	item
	received time.Time
	wanted   bool // every filter since it came selects it
	posted   bool
	taken    bool // the endpoint answered with success, or may have
	buried   bool
	excused  bool // somebody deleted its dead letter
}

// trialWorld is a log, an endpoint that answers as it likes, and a store; and the reference by which the ledger is judged.
type trialWorld struct {
	l      *ledger
	now    time.Time
	events []*trialEvent
	head   int64
	filter int // events whose sequence is a multiple of it are not selected; 0 selects all
	terms  terms
	flying []*request
	alarm  time.Time
	saving *trialSave

	failing   time.Time // since when nothing succeeded
	leftAlone time.Time // until when the endpoint asked to be

	row   storage.RelayEndpoint
	spans map[int64]storage.RelaySpan
}

const trialMaxAge = 72 * time.Hour

func newTrialWorld(t *rapid.T) *trialWorld {
	w := &trialWorld{now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC), spans: map[int64]storage.RelaySpan{}}
	w.row = storage.RelayEndpoint{RelayEndpointKey: storage.RelayEndpointKey{App: "a", ID: "sub-s"}, State: storage.RelayActive}
	w.terms = terms{concurrency: rapid.IntRange(1, 4).Draw(t, "concurrency"), maxAge: trialMaxAge}
	w.load()
	return w
}

// load is what a process does first.
func (w *trialWorld) load() {
	saved := slices.SortedFunc(maps.Values(w.spans), func(a, b storage.RelaySpan) int { return int(a.ID - b.ID) })
	w.l = newLedger(w.row, saved, w.terms, w.now, rand.New(rand.NewPCG(1, 2)).Float64)
	w.l.limits = limits{parked: 3, queued: 8, batch: 4}
	w.l.target = max(w.l.target, w.head)
}

func (w *trialWorld) selects(sequence int64) bool {
	return w.filter == 0 || sequence%int64(w.filter) != 0
}

func (w *trialWorld) arrive(t *rapid.T) {
	w.head += int64(rapid.IntRange(0, 4).Draw(t, "others")) // which are not for the endpoint
	first := w.head + 1
	for range rapid.IntRange(1, 12).Draw(t, "n") {
		w.head += int64(rapid.IntRange(1, 3).Draw(t, "gap"))
		push, size := int64(rapid.IntRange(1, 6).Draw(t, "push")), rapid.SampledFrom([]int{500, maxBatchBytes}).Draw(t, "size")
		for _, url := range trialURLs(push) {
			w.events = append(w.events, &trialEvent{
				item: item{sequence: w.head, push: push, size: size, to: &target{url: url}}, received: w.now, wanted: w.selects(w.head),
			})
		}
	}
	w.l.announce(first, w.head)
}

// trialURLs is where a push's events go.
func trialURLs(push int64) []string {
	switch push {
	case 1:
		return []string{"?a", "?b"}
	case 2:
		return []string{"?b"}
	default:
		return []string{"?a"}
	}
}

// between returns the events of a push, 0 for any, that are selected.
func (w *trialWorld) between(push, after, through int64) []*trialEvent {
	var found []*trialEvent
	for _, e := range w.events {
		if e.sequence > after && e.sequence <= through && (push == 0 || e.push == push) {
			found = append(found, e)
		}
	}
	return found
}

func (w *trialWorld) step(t *rapid.T) { w.do(t) }

func (w *trialWorld) steps(t *rapid.T) {
	for range 50 {
		if !w.do(t) {
			return
		}
	}
}

// do does what the ledger says; it reports whether that was anything.
func (w *trialWorld) do(t *rapid.T) bool {
	before := w.l.row.NextAttempt
	s := w.l.next(w.now)
	slice := rapid.IntRange(1, 6).Draw(t, "slice")
	switch {
	case s.send != nil:
		w.sent(t, s.send, before)
	case s.load != nil:
		w.loadSpan(s.load, slice)
	case s.read:
		w.read(slice)
	case s.bury != nil:
		w.bury(t, s.bury, slice)
	default:
		require.True(t, s.wait.IsZero() || s.wait.After(w.now), "waits for %s at %s", s.wait, w.now)
		w.alarm = s.wait
		return false
	}
	return true
}

// read reads some of the log.
func (w *trialWorld) read(slice int) {
	all, through := cut(w.between(0, w.l.position, w.l.target), slice, w.l.target)
	w.l.admit(w.selected(all), through, w.now)
}

// cut returns about as many events as a slice has, all items of each, and where they end.
func cut(all []*trialEvent, slice int, end int64) ([]*trialEvent, int64) {
	for i := slice; i < len(all); i++ {
		if all[i].sequence != all[i-1].sequence {
			return all[:i], all[i-1].sequence
		}
	}
	return all, end
}

func (w *trialWorld) selected(events []*trialEvent) (items []item) {
	for _, e := range events {
		if w.selects(e.sequence) {
			items = append(items, e.item)
		}
	}
	return items
}

func (w *trialWorld) loadSpan(s *span, slice int) {
	all, through := cut(w.between(s.PushID, s.Next-1, s.end), slice, s.end)
	w.l.loaded(s, w.selected(all), nil, through)
}

func (w *trialWorld) bury(t *rapid.T, b *burial, slice int) {
	push, end := int64(0), w.l.target
	if b.span != nil {
		push, end = b.span.PushID, b.span.end
	}
	all, through := cut(w.between(push, b.after, end), slice, end)
	g := grave{through: through, more: through < end}
	for _, e := range all {
		if !b.all && !e.received.Before(b.before) {
			g.through, g.more = e.sequence-1, false
			break
		}
		if w.selects(e.sequence) {
			g.items = append(g.items, e.item)
		}
	}
	require.False(t, w.l.resting())
	if b.span == nil {
		require.False(t, w.failing.IsZero())
		require.GreaterOrEqual(t, w.now.Sub(w.failing), trialMaxAge, "the log's events became dead letters too early")
	}
	w.l.buried(b, g, w.now)
	for _, it := range g.items {
		if b.span == nil && w.l.parked[it.push] != nil {
			continue
		}
		e := w.event(it)
		require.True(t, b.all || e.received.Before(w.now.Add(-trialMaxAge)), "event %d became a dead letter too early", e.sequence)
		e.buried = true
	}
}

func (w *trialWorld) event(it item) *trialEvent {
	i := slices.IndexFunc(w.events, func(e *trialEvent) bool { return e.sequence == it.sequence && e.url() == it.url() })
	return w.events[i]
}

// sent judges a request when it is made.
func (w *trialWorld) sent(t *rapid.T, q *request, nextAttempt time.Time) {
	require.True(t, due(nextAttempt, w.now), "posted while the circuit is open")
	require.True(t, due(w.leftAlone, w.now), "posted before the time that the endpoint asked for")
	require.NotEmpty(t, q.items)
	require.LessOrEqual(t, len(q.items), 12)
	require.True(t, slices.IsSortedFunc(q.items, bySequence))
	inIt := map[int64]bool{}
	for _, it := range q.items {
		require.Equal(t, q.items[0].url(), it.url())
		inIt[it.sequence] = true
		e := w.event(it)
		if e.posted {
			continue
		}
		for _, former := range w.between(e.push, 0, e.sequence-1) {
			require.True(t, former.url() != e.url() || former.taken || former.buried || former.excused || !former.wanted || inIt[former.sequence],
				"event %d of push %d was posted before %d was taken: %s of %v", e.sequence, e.push, former.sequence, q.kind, q.items)
		}
	}
	for _, other := range w.flying {
		require.False(t, q.probe, "a probe goes alone")
		for _, it := range other.items {
			require.False(t, q.kind != replay && other.kind != replay && w.pushIn(q, it.push), "push %d is in two requests", it.push)
		}
	}
	for _, it := range q.items {
		w.event(it).posted = true
	}
	w.flying = append(w.flying, q)
	require.LessOrEqual(t, len(w.flying), w.terms.concurrency)
}

func (w *trialWorld) pushIn(q *request, push int64) bool {
	return slices.ContainsFunc(q.items, func(it item) bool { return it.push == push })
}
