package relay

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"susul.dev/susul/storage"
)

// Whatever an endpoint answers, and whenever the process dies: every event is posted until it was taken or became a dead letter, and
// those of a push in their order.
func TestLedgerLosesNothingAndKeepsTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newTrialWorld(t)
		t.Repeat(map[string]func(*rapid.T){
			"events":  w.arrive,
			"step":    w.step,
			"steps":   w.steps,
			"answer":  w.answer,
			"answers": w.answers,
			"outage":  w.outage,
			"wait":    w.wait,
			"save":    w.save,
			"saved":   w.saved,
			"crash":   w.crash,
			"pause":   w.pause,
			"resume":  w.resume,
			"terms":   w.changeTerms,
			"filter":  w.changeFilter,
			"replay":  w.replay,
			"revive":  w.revive,
			"drop":    w.drop,
			"":        w.check,
		})
		w.recover(t)
	})
}

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
	first := w.head + 1
	for range rapid.IntRange(1, 12).Draw(t, "n") {
		w.head += int64(rapid.IntRange(1, 3).Draw(t, "gap"))
		push, size := int64(rapid.IntRange(1, 6).Draw(t, "push")), rapid.SampledFrom([]int{500, maxBatchBytes}).Draw(t, "size")
		for _, url := range trialURLs(push) {
			w.events = append(w.events, &trialEvent{
				item: item{sequence: w.head, push: push, size: size, url: url}, received: w.now, wanted: w.selects(w.head),
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
	w.l.loaded(s, w.selected(all), through)
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
	i := slices.IndexFunc(w.events, func(e *trialEvent) bool { return e.sequence == it.sequence && e.url == it.url })
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
		require.Equal(t, q.items[0].url, it.url)
		inIt[it.sequence] = true
		e := w.event(it)
		if e.posted {
			continue
		}
		for _, former := range w.between(e.push, 0, e.sequence-1) {
			require.True(t, former.url != e.url || former.taken || former.buried || former.excused || !former.wanted || inIt[former.sequence],
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

func (w *trialWorld) answer(t *rapid.T) {
	if len(w.flying) == 0 {
		return
	}
	i := rapid.IntRange(0, len(w.flying)-1).Draw(t, "request")
	o := rapid.SampledFrom([]outcome{
		{delivered: true}, {delivered: true}, {status: 500}, {status: 500}, {text: "timed out"}, {status: http.StatusGone},
		{status: http.StatusTooManyRequests}, {status: 503, retryAfter: 3 * time.Minute}, {unreached: true}, {aborted: true},
	}).Draw(t, "outcome")
	w.answered(i, o)
}

func (w *trialWorld) answered(i int, o outcome) {
	q := w.flying[i]
	w.flying = slices.Delete(w.flying, i, i+1)
	if o.delivered {
		for _, it := range q.items {
			w.event(it).taken = true
		}
	}
	w.l.done(q, o, w.now)
	switch {
	case o.gone():
		w.forgiven()
	case o.delivered:
		w.failing = time.Time{}
		if q.probe {
			w.leftAlone = time.Time{}
		}
	case !o.aborted:
		if w.failing.IsZero() {
			w.failing = q.start
		}
		if until := w.now.Add(o.retryAfter); o.retryAfter > 0 && until.After(w.leftAlone) {
			w.leftAlone = until
		}
	}
}

// answers has everything fail, or succeed.
func (w *trialWorld) answers(t *rapid.T) {
	good := rapid.Bool().Draw(t, "good")
	for len(w.flying) > 0 {
		w.answered(0, outcome{delivered: good, status: 500})
	}
}

// outage has everything fail for some attempts, while time passes.
func (w *trialWorld) outage(t *rapid.T) {
	for range rapid.IntRange(1, 12).Draw(t, "attempts") {
		for w.do(t) {
		}
		for len(w.flying) > 0 {
			w.answered(0, outcome{status: 500})
		}
		if rapid.Bool().Draw(t, "days") {
			w.now = w.now.Add(80 * time.Hour)
		} else if w.alarm.After(w.now) {
			w.now = w.alarm
		}
	}
}

func (w *trialWorld) wait(t *rapid.T) {
	until := rapid.SampledFrom([]time.Duration{0, time.Millisecond, time.Second, time.Minute, time.Hour, 80 * time.Hour, -time.Hour}).Draw(t, "for")
	if until == 0 && w.alarm.After(w.now) {
		w.now = w.alarm
	} else {
		w.now = w.now.Add(until)
	}
}

// trialSave is a transaction under way.
type trialSave struct {
	change storage.RelayChange
	undo   map[int64]*storage.RelaySpan
}

// save begins to save; saved ends that, while all goes on.
func (w *trialWorld) save(*rapid.T) {
	if w.saving == nil {
		w.saving = &trialSave{}
		w.saving.undo = w.l.snapshot(&w.saving.change, w.head)
	}
}

func (w *trialWorld) saved(t *rapid.T) {
	switch {
	case w.saving == nil:
		return
	case rapid.IntRange(0, 4).Draw(t, "fails") == 0:
		w.l.unsave(w.saving.undo)
	default:
		w.commit()
	}
	w.saving = nil
}

func (w *trialWorld) commit() {
	w.row = w.saving.change.Endpoints[0]
	for _, s := range w.saving.change.Spans {
		w.spans[s.ID] = s
	}
	for _, key := range w.saving.change.DoneSpans {
		delete(w.spans, key.ID)
	}
}

// crash loses all that was not saved. What was under way may have been taken, or saved.
func (w *trialWorld) crash(t *rapid.T) {
	for _, q := range w.flying {
		if rapid.Bool().Draw(t, "taken") {
			for _, it := range q.items {
				w.event(it).taken = true
			}
		}
	}
	if w.saving != nil && rapid.Bool().Draw(t, "saved") {
		w.commit()
	}
	w.flying, w.saving = nil, nil
	w.load()
	w.failing, w.leftAlone = w.row.FailingSince, time.Time{}
}

func (w *trialWorld) pause(t *rapid.T) {
	if rapid.Bool().Draw(t, "subscription") {
		w.terms.paused = true
		w.l.setTerms(w.terms, w.now)
	} else {
		w.l.setState(storage.RelayPaused)
	}
	w.forgiven()
}

func (w *trialWorld) resume(*rapid.T) {
	w.terms.paused = false
	w.l.setTerms(w.terms, w.now)
	w.l.setState(storage.RelayActive)
	w.forgiven()
}

func (w *trialWorld) forgiven() { w.failing, w.leftAlone = time.Time{}, time.Time{} }

func (w *trialWorld) changeTerms(t *rapid.T) {
	w.terms.perSecond = rapid.SampledFrom([]float64{0, 0.5, 100}).Draw(t, "rate")
	w.l.setTerms(w.terms, w.now)
}

func (w *trialWorld) changeFilter(t *rapid.T) {
	w.filter = rapid.SampledFrom([]int{0, 2, 3}).Draw(t, "filter")
	for _, e := range w.events {
		e.wanted = e.wanted && w.selects(e.sequence)
	}
}

func (w *trialWorld) replay(t *rapid.T) {
	if w.head == 0 || w.l.replays >= 3 {
		t.Skip("no replay now")
	}
	push := int64(rapid.IntRange(0, 6).Draw(t, "push"))
	first := rapid.Int64Range(1, w.head).Draw(t, "first")
	w.l.addReplay(push, first, rapid.Int64Range(first, w.head).Draw(t, "last"), time.Time{}, time.Time{}, w.now)
}

// letter chooses a dead letter that is saved as it is.
func (w *trialWorld) letter(t *rapid.T) storage.RelaySpan {
	var letters []storage.RelaySpan
	for id, s := range w.spans {
		if _, unsaved := w.l.records[id]; s.Kind == storage.SpanDead && !unsaved && w.saving == nil {
			letters = append(letters, s)
		}
	}
	if len(letters) == 0 {
		t.Skip("no dead letters")
	}
	slices.SortFunc(letters, func(a, b storage.RelaySpan) int { return int(a.ID - b.ID) })
	return rapid.SampledFrom(letters).Draw(t, "letter")
}

func (w *trialWorld) revive(t *rapid.T) { w.l.revive(w.letter(t), w.now) }

func (w *trialWorld) drop(t *rapid.T) {
	s := w.letter(t)
	w.l.forget(s.ID)
	w.l.records[s.ID] = nil
	for _, e := range w.between(s.PushID, s.Next-1, s.Last) {
		e.excused = true
	}
}

// check holds what is saved, and what is in memory, against the reference.
func (w *trialWorld) check(t *rapid.T) {
	w.covered(t, "saved", w.row.Cursor, maps.Values(w.spans))
	now := maps.Clone(w.spans)
	if w.saving != nil {
		for _, s := range w.saving.change.Spans {
			now[s.ID] = s
		}
		for _, key := range w.saving.change.DoneSpans {
			delete(now, key.ID)
		}
	}
	for id, s := range w.l.records {
		if s == nil {
			delete(now, id)
		} else {
			now[id] = *s
		}
	}
	w.covered(t, "in memory", w.l.cursor(), maps.Values(now))
	for id, s := range w.l.spans {
		require.Equal(t, s.RelaySpan, now[id], "a span that changed is not to be saved")
	}
	require.LessOrEqual(t, len(w.l.parked)+w.l.reserved, w.l.limits.parked)
	require.LessOrEqual(t, w.l.lanes.queued, w.l.limits.queued+12+w.l.limits.batch*w.terms.concurrency)
	queued, sendable := 0, 0
	for _, n := range w.l.lanes.byPush {
		queued += len(n.items)
		if n.flying == nil {
			sendable += len(n.items)
		}
	}
	require.Equal(t, []int{queued, sendable}, []int{w.l.lanes.queued, w.l.lanes.sendable})
	letters := 0
	for _, s := range now {
		if s.Kind == storage.SpanDead {
			letters++
		}
	}
	require.Equal(t, letters, w.l.letters)
}

// covered requires that every event was taken, or is behind the cursor or in a span.
func (w *trialWorld) covered(t *rapid.T, where string, cursor int64, spans func(func(storage.RelaySpan) bool)) {
	for _, e := range w.events {
		if e.taken || e.excused || !e.wanted || e.sequence > cursor {
			continue
		}
		found := false
		for s := range spans {
			found = found || (s.PushID == 0 || s.PushID == e.push) && s.Next <= e.sequence && (s.Kind == storage.SpanRetry || e.sequence <= s.Last)
		}
		require.True(t, found, "%s, event %d of push %d is lost; cursor %d", where, e.sequence, e.push, cursor)
	}
}

// recover has all go well from now on. Everything must come in bounded time, and nothing be left but dead letters.
func (w *trialWorld) recover(t *rapid.T) {
	w.terms.perSecond = 0
	w.resume(t)
	for range 10_000 {
		if w.do(t) {
			continue
		}
		if len(w.flying) > 0 {
			w.answered(0, outcome{delivered: true})
			continue
		}
		if w.alarm.IsZero() {
			break
		}
		w.now = w.alarm
	}
	require.True(t, w.l.caughtUp())
	require.Empty(t, w.l.spans)
	require.Empty(t, w.l.parked)
	require.False(t, w.l.open())
	w.check(t)
	if w.saving != nil {
		w.l.unsave(w.saving.undo)
		w.saving = nil
	}
	w.save(t)
	w.commit()
	for _, s := range w.spans {
		require.Equal(t, storage.SpanDead, s.Kind, "a span that is done stays in the store")
	}
	for _, e := range w.events {
		require.True(t, e.taken || e.buried || e.excused || !e.wanted, "event %d never came", e.sequence)
	}
}

func TestBackoff(t *testing.T) {
	var waits []string
	for failures := range 8 {
		waits = append(waits, waitAfter(failures, 0).String())
	}
	require.Equal(t, "[10s 10s 1m0s 5m0s 30m0s 1h0m0s 1h0m0s 1h0m0s]", fmt.Sprint(waits))
	require.Equal(t, 66*time.Minute, waitAfter(9, 1))
	require.Equal(t, []int{0, 0, 1, 2, 5}, []int{roundsIn(-time.Hour), roundsIn(9 * time.Second), roundsIn(time.Minute), roundsIn(2 * time.Minute), roundsIn(99 * time.Hour)})
}
