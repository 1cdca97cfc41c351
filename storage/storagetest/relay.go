package storagetest

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"susul.dev/susul/storage"
)

var relayCases = []testCase{
	{"an empty store has no endpoints", func(w *world) {
		w.Equal(relayed{spans: map[storage.RelaySpanKey]storage.RelaySpan{}, endpoints: map[storage.RelayEndpointKey]storage.RelayEndpoint{}},
			w.relayed())
		w.saveRelay(storage.RelayChange{})
	}},
	{"what is saved comes back, and outlives the process", func(w *world) {
		full, bare := w.fullEndpoint("sub-a"), storage.RelayEndpoint{RelayEndpointKey: endpointKey(app, "url-1"), State: storage.RelayGone}
		span, bareSpan := w.fullSpan(full, 7), storage.RelaySpan{RelayEndpointKey: bare.RelayEndpointKey, ID: 1, Kind: storage.SpanRetry}
		w.saveRelay(storage.RelayChange{Head: 99, Endpoints: []storage.RelayEndpoint{bare, full}, Spans: []storage.RelaySpan{bareSpan, span}})
		for range 2 {
			head, err := w.store.RelayHead(w.ctx)
			w.NoError(err)
			w.EqualValues(99, head)
			w.Equal([]storage.RelayEndpoint{full, bare}, w.endpoints(storage.RelayEndpointKey{}, 0))
			w.Equal([]storage.RelaySpan{span, bareSpan}, w.spans(storage.RelaySpanQuery{}))
			w.NoError(w.store.Close())
			w.store = w.open()
		}
	}},
	{"times are kept to the millisecond", func(w *world) {
		e := storage.RelayEndpoint{RelayEndpointKey: endpointKey(app, "e"), NextAttempt: w.now.Add(999 * time.Microsecond).Local(),
			FailingSince: time.Unix(0, 0), CreateTime: w.now}
		w.saveRelay(storage.RelayChange{Endpoints: []storage.RelayEndpoint{e}})
		e.NextAttempt, e.FailingSince = w.now, time.Unix(0, 0).UTC()
		w.Equal([]storage.RelayEndpoint{e}, w.endpoints(storage.RelayEndpointKey{}, 0))
	}},
	{"what is saved again replaces all that was there", func(w *world) {
		e := w.fullEndpoint("e")
		s := w.fullSpan(e, 1)
		w.saveRelay(storage.RelayChange{Head: 5, Endpoints: []storage.RelayEndpoint{e}, Spans: []storage.RelaySpan{s}})
		e = storage.RelayEndpoint{RelayEndpointKey: e.RelayEndpointKey, UID: "other", State: storage.RelayPaused, Cursor: 1}
		w.saveRelay(storage.RelayChange{Endpoints: []storage.RelayEndpoint{e}})
		w.Equal([]storage.RelaySpan{s}, w.spans(storage.RelaySpanQuery{}), "its spans stay")
		s = storage.RelaySpan{RelayEndpointKey: e.RelayEndpointKey, ID: 1, Kind: storage.SpanReplay, Next: 3, Last: 4}
		older := s
		older.Next = 2
		w.saveRelay(storage.RelayChange{Spans: []storage.RelaySpan{older, s}})
		head, err := w.store.RelayHead(w.ctx)
		w.NoError(err)
		w.EqualValues(5, head, "0 leaves it as it is")
		w.Equal([]storage.RelayEndpoint{e}, w.endpoints(storage.RelayEndpointKey{}, 0))
		w.Equal([]storage.RelaySpan{s}, w.spans(storage.RelaySpanQuery{}), "the last of a change counts")
	}},
	{"an endpoint goes with all its spans, and nothing else does", func(w *world) {
		a, b, foreign := w.fullEndpoint("a"), w.fullEndpoint("b"), w.fullEndpoint("a")
		foreign.App = otherApp
		var spans []storage.RelaySpan
		for _, e := range []storage.RelayEndpoint{a, b, foreign} {
			spans = append(spans, w.fullSpan(e, 1), w.fullSpan(e, 2))
		}
		w.saveRelay(storage.RelayChange{Endpoints: []storage.RelayEndpoint{a, b, foreign}, Spans: spans})
		absent := endpointKey(app, "absent")
		w.saveRelay(storage.RelayChange{GoneEndpoints: []storage.RelayEndpointKey{a.RelayEndpointKey, absent}, DoneSpans: []storage.RelaySpanKey{
			spanKey(spans[2]), {RelayEndpointKey: b.RelayEndpointKey, ID: 3}, {RelayEndpointKey: absent, ID: 1}}})
		w.Equal([]storage.RelayEndpoint{b, foreign}, w.endpoints(storage.RelayEndpointKey{}, 0))
		w.Equal(spans[3:], w.spans(storage.RelaySpanQuery{}))
	}},
	{"what is deleted and stored at once is there anew", func(w *world) {
		e := w.fullEndpoint("e")
		first, second := w.fullSpan(e, 1), w.fullSpan(e, 2)
		w.saveRelay(storage.RelayChange{Endpoints: []storage.RelayEndpoint{e}, Spans: []storage.RelaySpan{first, second}})
		e.UID = "later"
		w.saveRelay(storage.RelayChange{Endpoints: []storage.RelayEndpoint{e}, Spans: []storage.RelaySpan{second},
			GoneEndpoints: []storage.RelayEndpointKey{e.RelayEndpointKey}, DoneSpans: []storage.RelaySpanKey{spanKey(second)}})
		w.Equal([]storage.RelayEndpoint{e}, w.endpoints(storage.RelayEndpointKey{}, 0))
		w.Equal([]storage.RelaySpan{second}, w.spans(storage.RelaySpanQuery{}))
	}},
	{"a change with a span of an endpoint that is not there stores nothing", func(w *world) {
		e, gone, stranger := w.fullEndpoint("e"), w.fullEndpoint("gone"), w.fullEndpoint("stranger")
		w.saveRelay(storage.RelayChange{Head: 1, Endpoints: []storage.RelayEndpoint{e, gone}, Spans: []storage.RelaySpan{w.fullSpan(e, 1)}})
		before := w.relayed()
		for _, bad := range []storage.RelaySpan{w.fullSpan(stranger, 1), w.fullSpan(gone, 1)} {
			changed := e
			changed.Cursor++
			w.ErrorIs(w.store.SaveRelay(w.ctx, storage.RelayChange{Head: 2, Endpoints: []storage.RelayEndpoint{changed, w.fullEndpoint("new")},
				Spans: []storage.RelaySpan{w.fullSpan(e, 2), bad}, DoneSpans: []storage.RelaySpanKey{{RelayEndpointKey: e.RelayEndpointKey, ID: 1}},
				GoneEndpoints: []storage.RelayEndpointKey{gone.RelayEndpointKey}}), storage.ErrNotFound)
			w.Equal(before, w.relayed())
		}
	}},
	{"a thousand endpoints are saved at once, and listed in pages", func(w *world) {
		const n = 1000
		var change storage.RelayChange
		for i := range n {
			e := w.fullEndpoint(fmt.Sprintf("url-%d", i))
			e.App, e.Cursor = []string{app, otherApp}[i%2], int64(i)
			change.Endpoints, change.Spans = append(change.Endpoints, e), append(change.Spans, w.fullSpan(e, 1))
		}
		w.saveRelay(change)
		slices.SortFunc(change.Endpoints, func(a, b storage.RelayEndpoint) int { return compareKeys(a.RelayEndpointKey, b.RelayEndpointKey) })
		var listed []storage.RelayEndpoint
		for after := (storage.RelayEndpointKey{}); ; after = listed[len(listed)-1].RelayEndpointKey {
			page := w.endpoints(after, 300)
			if len(page) == 0 {
				break
			}
			listed = append(listed, page...)
		}
		w.Equal(change.Endpoints, listed)
		w.Len(w.spans(storage.RelaySpanQuery{}), n)
	}},
	{"every filter of spans narrows as it says, on every page", func(w *world) {
		var all []storage.RelaySpan
		for _, key := range []storage.RelayEndpointKey{endpointKey(app, "a"), endpointKey(app, "aa"), endpointKey(app, "b"),
			endpointKey("app-aa", "a"), endpointKey(otherApp, "a")} {
			e := storage.RelayEndpoint{RelayEndpointKey: key}
			spans := []storage.RelaySpan{w.fullSpan(e, 2), w.fullSpan(e, 10), w.fullSpan(e, math.MaxInt64)}
			spans[0].Kind, spans[1].Kind, spans[2].Kind = storage.SpanRetry, storage.SpanReplay, storage.SpanDead
			w.saveRelay(storage.RelayChange{Endpoints: []storage.RelayEndpoint{e}, Spans: spans})
			all = append(all, spans...)
		}
		slices.SortFunc(all, func(a, b storage.RelaySpan) int { return compareSpans(spanKey(a), spanKey(b)) })
		afters := []storage.RelaySpanKey{{}, {RelayEndpointKey: endpointKey(app, "a"), ID: 5}, {RelayEndpointKey: endpointKey(app, "ab")},
			spanKey(all[len(all)-1])}
		for _, app := range []string{"", app, otherApp, "app-%"} {
			for _, endpoint := range []string{"", "a", "nobody"} {
				for _, kinds := range [][]storage.RelaySpanKind{nil, {storage.SpanDead}, {storage.SpanReplay, storage.SpanRetry}} {
					for _, after := range afters {
						q := storage.RelaySpanQuery{App: app, Endpoint: endpoint, Kinds: kinds, After: after}
						w.Equal(selectedSpans(all, q), w.spans(q), "%+v", q)
						q.Limit = 2
						w.Equal(selectedSpans(all, q), w.spans(q), "%+v", q)
					}
				}
			}
		}
	}},
	{"old dead letters are forgotten, and no other spans", func(w *world) {
		e := w.fullEndpoint("e")
		var spans, kept []storage.RelaySpan
		for i := range 900 {
			s := w.fullSpan(e, int64(i))
			s.Kind = []storage.RelaySpanKind{storage.SpanDead, storage.SpanRetry, storage.SpanReplay}[i%3]
			s.CreateTime = w.now.Add(time.Duration(i-300) * time.Millisecond)
			if spans = append(spans, s); i%3 > 0 || i >= 300 {
				kept = append(kept, s)
			}
		}
		w.saveRelay(storage.RelayChange{Endpoints: []storage.RelayEndpoint{e}, Spans: spans})
		w.forget(w.now)
		w.Equal(kept, w.spans(storage.RelaySpanQuery{}))
		w.Equal([]storage.RelayEndpoint{e}, w.endpoints(storage.RelayEndpointKey{}, 0))
	}},
	{"a relay agrees with a model", func(w *world) {
		rapid.Check(w.t, func(t *rapid.T) {
			world := *w
			world.Assertions = require.New(t)
			m := &relayModel{w: &world, want: relayed{endpoints: map[storage.RelayEndpointKey]storage.RelayEndpoint{},
				spans: map[storage.RelaySpanKey]storage.RelaySpan{}}}
			m.empty()
			t.Repeat(map[string]func(*rapid.T){"save": m.save, "forget": m.forget, "": m.check})
		})
	}},
}

func endpointKey(app, id string) storage.RelayEndpointKey {
	return storage.RelayEndpointKey{App: app, ID: id}
}

func spanKey(s storage.RelaySpan) storage.RelaySpanKey {
	return storage.RelaySpanKey{RelayEndpointKey: s.RelayEndpointKey, ID: s.ID}
}

// fullEndpoint has something in every field.
func (w *world) fullEndpoint(id string) storage.RelayEndpoint {
	at := func(minutes int) time.Time { return w.now.Add(time.Duration(minutes) * time.Minute) }
	return storage.RelayEndpoint{RelayEndpointKey: endpointKey(app, id), URL: "https://example.com/" + id, UID: "uid-" + id,
		State: storage.RelayActive, Cursor: math.MaxInt64, LastSpan: 12, Failures: 3, FailingSince: at(1), NextAttempt: at(2),
		LastError: "503 \"it's gone\"\x00", LastErrorTime: at(3), LastSuccess: at(4), Attempts: 5, Failed: 4, Delivered: 900, CreateTime: at(-5)}
}

// fullSpan likewise.
func (w *world) fullSpan(e storage.RelayEndpoint, id int64) storage.RelaySpan {
	at := func(minutes int) time.Time { return w.now.Add(time.Duration(minutes) * time.Minute) }
	return storage.RelaySpan{RelayEndpointKey: e.RelayEndpointKey, ID: id, Kind: storage.SpanDead, PushID: 1 << 60, Next: 17, Last: 1 << 61,
		StartTime: at(-9), EndTime: at(9), Events: 6, Failures: 2, FailingSince: at(-1), NextAttempt: at(6), LastError: "no route", CreateTime: at(-2)}
}

func (w *world) saveRelay(change storage.RelayChange) {
	w.t.Helper()
	w.NoError(w.store.SaveRelay(w.ctx, change))
}

func (w *world) endpoints(after storage.RelayEndpointKey, limit int) []storage.RelayEndpoint {
	w.t.Helper()
	list, err := w.store.ListRelayEndpoints(w.ctx, after, limit)
	w.NoError(err)
	return list
}

func (w *world) spans(q storage.RelaySpanQuery) []storage.RelaySpan {
	w.t.Helper()
	list, err := w.store.ListRelaySpans(w.ctx, q)
	w.NoError(err)
	return list
}

// relayed is all that a store has of the relay.
type relayed struct {
	head      int64
	endpoints map[storage.RelayEndpointKey]storage.RelayEndpoint
	spans     map[storage.RelaySpanKey]storage.RelaySpan
}

// relayed reads it, and finds it in order.
func (w *world) relayed() relayed {
	w.t.Helper()
	head, err := w.store.RelayHead(w.ctx)
	w.NoError(err)
	all := relayed{head, map[storage.RelayEndpointKey]storage.RelayEndpoint{}, map[storage.RelaySpanKey]storage.RelaySpan{}}
	var keys []storage.RelayEndpointKey
	for _, e := range w.endpoints(storage.RelayEndpointKey{}, 0) {
		all.endpoints[e.RelayEndpointKey] = e
		keys = append(keys, e.RelayEndpointKey)
	}
	w.True(slices.IsSortedFunc(keys, compareKeys))
	var spanKeys []storage.RelaySpanKey
	for _, s := range w.spans(storage.RelaySpanQuery{}) {
		all.spans[spanKey(s)] = s
		spanKeys = append(spanKeys, spanKey(s))
	}
	w.True(slices.IsSortedFunc(spanKeys, compareSpans))
	return all
}

func compareKeys(a, b storage.RelayEndpointKey) int {
	return cmp.Or(strings.Compare(a.App, b.App), strings.Compare(a.ID, b.ID))
}

func compareSpans(a, b storage.RelaySpanKey) int {
	return cmp.Or(compareKeys(a.RelayEndpointKey, b.RelayEndpointKey), cmp.Compare(a.ID, b.ID))
}

// selectedSpans are those of the spans, which are in order, that a query selects.
func selectedSpans(spans []storage.RelaySpan, q storage.RelaySpanQuery) (some []storage.RelaySpan) {
	for _, s := range spans {
		if (q.App == "" || q.App == s.App) && (q.Endpoint == "" || q.Endpoint == s.RelayEndpointKey.ID) &&
			(q.Kinds == nil || slices.Contains(q.Kinds, s.Kind)) && compareSpans(spanKey(s), q.After) > 0 {
			some = append(some, s)
		}
	}
	if q.Limit > 0 {
		some = some[:min(len(some), q.Limit)]
	}
	return some
}

// relayModel saves changes of a few endpoints and spans in any order, and keeps what must come of them.
type relayModel struct {
	w    *world
	want relayed
}

// empty deletes what an earlier run has left.
func (m *relayModel) empty() {
	left := m.w.relayed()
	m.want.head = left.head
	m.w.saveRelay(storage.RelayChange{GoneEndpoints: slices.Collect(maps.Keys(left.endpoints))})
}

func (m *relayModel) save(t *rapid.T) {
	keys := rapid.Custom(func(t *rapid.T) storage.RelayEndpointKey {
		return endpointKey(rapid.SampledFrom([]string{app, otherApp}).Draw(t, "app"), rapid.SampledFrom([]string{"a", "b"}).Draw(t, "id"))
	})
	spanKeys := rapid.Custom(func(t *rapid.T) storage.RelaySpanKey {
		return storage.RelaySpanKey{RelayEndpointKey: keys.Draw(t, "endpoint"), ID: rapid.Int64Range(1, 3).Draw(t, "id")}
	})
	change := storage.RelayChange{
		Head: rapid.Int64Range(0, 3).Draw(t, "head"),
		Endpoints: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) storage.RelayEndpoint {
			e := m.w.fullEndpoint("")
			e.RelayEndpointKey, e.Cursor = keys.Draw(t, "key"), rapid.Int64().Draw(t, "cursor")
			return e
		}), 0, 3).Draw(t, "endpoints"),
		Spans: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) storage.RelaySpan {
			key := spanKeys.Draw(t, "key")
			s := m.w.fullSpan(storage.RelayEndpoint{RelayEndpointKey: key.RelayEndpointKey}, key.ID)
			s.Kind = rapid.SampledFrom([]storage.RelaySpanKind{storage.SpanDead, storage.SpanRetry}).Draw(t, "kind")
			s.CreateTime = m.w.now.Add(time.Duration(rapid.IntRange(-2, 2).Draw(t, "age")) * time.Second)
			return s
		}), 0, 3).Draw(t, "spans"),
		DoneSpans:     rapid.SliceOfN(spanKeys, 0, 2).Draw(t, "done"),
		GoneEndpoints: rapid.SliceOfN(keys, 0, 1).Draw(t, "gone"),
	}
	want, ok := m.want.with(change)
	err := m.w.store.SaveRelay(m.w.ctx, change)
	if !ok {
		m.w.ErrorIs(err, storage.ErrNotFound)
		return
	}
	m.w.NoError(err)
	m.want = want
}

// with returns what a change makes of it, unless one of its spans has no endpoint.
func (r relayed) with(c storage.RelayChange) (relayed, bool) {
	r.endpoints, r.spans = maps.Clone(r.endpoints), maps.Clone(r.spans)
	for _, key := range c.GoneEndpoints {
		delete(r.endpoints, key)
		maps.DeleteFunc(r.spans, func(s storage.RelaySpanKey, _ storage.RelaySpan) bool { return s.RelayEndpointKey == key })
	}
	for _, key := range c.DoneSpans {
		delete(r.spans, key)
	}
	for _, e := range c.Endpoints {
		r.endpoints[e.RelayEndpointKey] = e
	}
	for _, s := range c.Spans {
		if _, ok := r.endpoints[s.RelayEndpointKey]; !ok {
			return r, false
		}
		r.spans[spanKey(s)] = s
	}
	if c.Head != 0 {
		r.head = c.Head
	}
	return r, true
}

func (m *relayModel) forget(t *rapid.T) {
	before := m.w.now.Add(time.Duration(rapid.IntRange(-2, 3).Draw(t, "before")) * time.Second)
	m.w.forget(before)
	maps.DeleteFunc(m.want.spans, func(_ storage.RelaySpanKey, s storage.RelaySpan) bool {
		return s.Kind == storage.SpanDead && s.CreateTime.Before(before)
	})
}

func (m *relayModel) check(*rapid.T) { m.w.Equal(m.want, m.w.relayed()) }
