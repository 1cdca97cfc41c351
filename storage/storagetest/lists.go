package storagetest

import (
	"math"
	"time"

	"susul.dev/susul/storage"
)

var listCases = []testCase{
	{"pushes come newest first, in pages, per app", func(w *world) {
		for i := range 5 {
			d := w.draft(1, 1)
			if i == 2 {
				d.Push.App = otherApp
			}
			w.create(d)
		}
		var got []int64
		for q := (storage.PushQuery{App: app, Limit: 3}); ; {
			page, err := w.store.ListPushes(w.ctx, q)
			w.NoError(err)
			if len(page) == 0 {
				break
			}
			for _, p := range page {
				got = append(got, p.ID)
			}
			q.Before = page[len(page)-1].ID
		}
		w.Equal([]int64{5, 4, 2, 1}, got)
		none, err := w.store.ListPushes(w.ctx, storage.PushQuery{App: "app-%", Limit: 10})
		w.NoError(err)
		w.Empty(none)
	}},
	{"a page of pushes comes without documents and specs", func(w *world) {
		d := w.draft(1, 1)
		d.Push.CallbackURLs = []string{"https://example.com/a"}
		d.Push.Policy = &storage.PinnedPolicy{Name: "news", UID: "uid", Revision: 7, Spec: []byte("spec")}
		want := w.create(d)
		page, err := w.store.ListPushes(w.ctx, storage.PushQuery{App: app})
		w.NoError(err)
		want.Document = nil
		want.Policy = &storage.PinnedPolicy{Name: "news", UID: "uid", Revision: 7}
		w.Equal([]storage.Push{want}, page)
	}},
	{"a limit outside of the bounds means the longest page", func(w *world) {
		w.create(w.draft(3, 1))
		for _, limit := range []int{0, -1, storage.MaxPage + 1} {
			list, err := w.store.ScanRecipients(w.ctx, 1, 0, limit)
			w.NoError(err)
			w.Len(list, 3)
		}
	}},
	{"dispatches come in pages", func(w *world) {
		p := w.create(w.draft(5, 1))
		w.create(w.draft(1, 1))
		var chunks []int
		for after := int64(0); ; {
			page, err := w.store.ListDispatches(w.ctx, p.ID, after, 2)
			w.NoError(err)
			if len(page) == 0 {
				break
			}
			for _, d := range page {
				chunks = append(chunks, d.Chunk)
			}
			after = page[len(page)-1].ID
		}
		w.Equal([]int{0, 1, 2, 3, 4}, chunks)
	}},
	{"recipients come in pages", func(w *world) {
		p := w.create(w.draft(5, 5))
		w.create(w.draft(2, 2))
		page, err := w.store.ScanRecipients(w.ctx, p.ID, 1, 2)
		w.NoError(err)
		w.Equal([]storage.Recipient{{Ordinal: 1, RegistrationID: id(1)}, {Ordinal: 2, RegistrationID: id(2)}}, page)
		page, err = w.store.ScanRecipients(w.ctx, p.ID, 5, 2)
		w.NoError(err)
		w.Empty(page)
	}},
	{"every filter of events narrows as it says", func(w *world) {
		first, second := w.sentPush(3), w.sentPush(3)
		foreign := w.unlisted()
		foreign.Push.App = otherApp
		w.create(foreign)
		claims, err := w.store.ClaimDispatches(w.ctx, storage.ClaimRequest{App: otherApp, Now: w.now, Lease: lease, Limit: 1})
		w.NoError(err)
		w.finish(w.result(claims[0], storage.DispatchSent))

		for i, m := range []storage.Milestone{storage.Sent, storage.Delivered, storage.MilestoneUnknown} {
			w.now = w.now.Add(time.Minute)
			w.record(w.row(up(first.ID), id(i), m), w.row(up(second.ID), id(0), m))
			_, err := w.store.RecordCallbacks(w.ctx, otherApp, w.now, []storage.Callback{w.row(up(foreign.Push.ID), id(0), m)})
			w.NoError(err)
		}
		all := w.events(storage.EventQuery{})
		w.Len(all, 9)
		for i := range all[1:] {
			w.Less(all[i].Sequence, all[i+1].Sequence)
		}
		at := w.now.Truncate(time.Second)
		for _, q := range []storage.EventQuery{
			{App: app}, {App: otherApp}, {App: "nobody"}, {App: "app-%"},
			{PushID: first.ID}, {PushID: 99}, {App: app, PushID: second.ID}, {App: otherApp, PushID: second.ID},
			{RegistrationID: id(0)}, {RegistrationID: "device-%"}, {RegistrationID: "' OR 1 --"},
			{App: app, RegistrationID: id(0)}, {PushID: second.ID, RegistrationID: id(0)},
			{App: otherApp, PushID: second.ID, RegistrationID: id(0)},
			{StartTime: at}, {EndTime: at}, {StartTime: at.Add(-time.Minute), EndTime: at}, {App: app, StartTime: at},
			{RegistrationID: id(0), EndTime: at}, {After: all[4].Sequence}, {App: app, After: all[4].Sequence},
			{PushID: second.ID, After: all[4].Sequence}, {RegistrationID: id(0), After: all[4].Sequence},
			{Through: all[4].Sequence}, {Through: all[8].Sequence + 5}, {After: all[2].Sequence, Through: all[2].Sequence},
			{After: all[8].Sequence, Through: all[0].Sequence}, {Through: all[4].Sequence, EndTime: at},
			{App: app, Through: all[4].Sequence}, {PushID: second.ID, After: all[1].Sequence, Through: all[6].Sequence},
			{App: app, RegistrationID: id(0), Through: all[4].Sequence},
			{Through: math.MaxInt64}, {App: app, Through: math.MaxInt64}, {PushID: second.ID, After: math.MaxInt64}, {Through: -1},
		} {
			want := selected(all, q)
			w.Equal(want, selected(w.events(q), storage.EventQuery{}), "%+v", q)
			q.Limit = 2
			w.Equal(want[:min(2, len(want))], selected(w.events(q), storage.EventQuery{}), "%+v", q)
		}
	}},
	{"any stretch of the log can be read, in whatever way", func(w *world) {
		const devices = 300
		foreign := w.draft(devices, devices)
		foreign.Push.App = otherApp
		w.create(foreign)
		claims, err := w.store.ClaimDispatches(w.ctx, storage.ClaimRequest{App: otherApp, Now: w.now, Lease: lease, Limit: 1})
		w.NoError(err)
		w.start(claims[0])
		w.finish(w.result(claims[0], storage.DispatchSent))
		pushes := []storage.Push{w.sentPush(devices), w.sentPush(devices)}
		// Some of it is one push's alone, some comes of several in turns, and some is another app's.
		for _, m := range []storage.Milestone{storage.Sent, storage.Delivered} {
			for _, p := range pushes {
				var rows []storage.Callback
				for i := range devices {
					rows = append(rows, w.row(up(p.ID), id(i), m))
				}
				w.record(rows...)
			}
			for i := range 8 {
				w.record(w.row(up(pushes[i%2].ID), id(i), storage.Clicked), w.row(up(pushes[1-i%2].ID), id(100+i), storage.Clicked))
				_, err := w.store.RecordCallbacks(w.ctx, otherApp, w.now, []storage.Callback{w.row(up(foreign.Push.ID), id(i), m)})
				w.NoError(err)
			}
			w.now = w.now.Add(time.Minute)
			// The first half is folded, and perhaps forgotten by memory.
			if m == storage.Sent {
				w.NoError(w.store.Close())
				w.store = w.open()
			}
		}
		all := w.events(storage.EventQuery{})
		w.Len(all, 4*devices+2*8+2*8)
		first, last := all[0].Sequence, all[len(all)-1].Sequence
		middle := all[2*devices].Sequence // where the turns begin
		borders := []int64{first + 1, first + devices - 1, middle, middle + 9, last}
		for _, q := range []storage.EventQuery{
			{}, {App: app}, {App: otherApp}, {PushID: pushes[1].ID}, {RegistrationID: id(3)}, {App: app, StartTime: w.now.Add(-90 * time.Second)},
		} {
			for i, from := range borders {
				for _, through := range borders[max(i-1, 0):] {
					q.After, q.Through = from-1, through
					want := selected(all, q)
					w.Equal(want, selected(w.events(q), storage.EventQuery{}), "%+v", q)
					for q.Limit = 149; len(want) > 0 && through-from < 2*devices; {
						page := selected(w.events(q), storage.EventQuery{})
						w.Equal(want[:min(q.Limit, len(want))], page, "%+v", q)
						want, q.After = want[len(page):], page[len(page)-1]
					}
					q.Limit = 0
				}
			}
		}
	}},
	{"an event tells the variant of its dispatch", func(w *world) {
		p := w.sentPush(6)
		variants := []storage.DispatchDraft{
			{Chunk: 0, DueTime: w.now, Recipients: []uint32{0}, Variant: "a"},
			{Chunk: 1, DueTime: w.now, Recipients: []uint32{1}, Variant: "b"},
			w.singles(2, 2, 3, 4), w.singles(3, 5),
		}
		variants[2].Variant = "c"
		w.planStep(p, variants...)
		for _, c := range w.claim() {
			w.start(c)
			switch {
			case c.Dispatch.Singles == nil:
				w.finish(w.result(c, storage.DispatchSent))
			case len(c.Dispatch.Singles) == 1:
				w.finish(w.resultOf(c, storage.DispatchSent, took(5, "m5")))
			default:
				w.finish(w.resultOf(c, storage.DispatchPending, took(2, "m2"), refused(3)))
			}
		}
		up := func(chunk int) string {
			return upstream(storage.Dispatch{PushID: p.ID, Step: 1, DispatchDraft: storage.DispatchDraft{Chunk: chunk}})
		}
		w.record(w.row(chunkID(p.ID, 0), id(0), storage.Sent), w.row(up(0), id(0), storage.Clicked), w.row(up(1), id(1), storage.Sent),
			w.row("m2", id(2), storage.Sent), w.row("m5", id(5), storage.Sent))
		told := func() map[string]string {
			told := map[string]string{}
			for _, e := range w.events(storage.EventQuery{}) {
				told[e.RegistrationID+" "+e.UpstreamID] = e.Variant
			}
			return told
		}
		want := map[string]string{id(0) + " " + chunkID(p.ID, 0): "", id(0) + " " + up(0): "a", id(1) + " " + up(1): "b",
			id(2) + " m2": "c", id(3) + " ": "c", id(5) + " m5": ""}
		w.Equal(want, told())
		// The batch goes on after it was read.
		w.finish(w.resultOf(w.startOne(), storage.DispatchSent, took(4, "m4")))
		w.record(w.row("m4", id(4), storage.Delivered), w.row("m2", id(2), storage.Delivered))
		want[id(4)+" m4"] = "c"
		for range 2 {
			w.Equal(want, told())
			for i := range 6 {
				for _, e := range w.events(storage.EventQuery{RegistrationID: id(i)}) {
					w.Equal(want[id(i)+" "+e.UpstreamID], e.Variant)
				}
			}
			w.NoError(w.store.Close())
			w.store = w.open()
		}
	}},
	{"a push gains recipients while its events are read", func(w *world) {
		p := w.create(w.unlisted())
		w.sendAll()
		for n := range 12 {
			w.record(w.row(up(p.ID), id(n), storage.Sent))
			events := w.events(storage.EventQuery{App: app})
			w.Len(events, n+1)
			for i, e := range events {
				w.Equal(id(i), e.RegistrationID)
			}
		}
	}},
}

// selected returns the sequences of the events that a query selects.
func selected(events []storage.Event, q storage.EventQuery) []int64 {
	sequences := []int64{}
	for _, e := range events {
		if (q.App == "" || q.App == e.App) && (q.PushID == 0 || q.PushID == e.PushID) &&
			(q.RegistrationID == "" || q.RegistrationID == e.RegistrationID) && e.Sequence > q.After &&
			(q.Through == 0 || e.Sequence <= q.Through) &&
			(q.StartTime.IsZero() || !e.Time.Before(q.StartTime)) && (q.EndTime.IsZero() || e.Time.Before(q.EndTime)) {
			sequences = append(sequences, e.Sequence)
		}
	}
	return sequences
}
