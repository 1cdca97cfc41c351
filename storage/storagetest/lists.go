package storagetest

import (
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
		} {
			want := selected(all, q)
			w.Equal(want, selected(w.events(q), storage.EventQuery{}), "%+v", q)
			q.Limit = 2
			w.Equal(want[:min(2, len(want))], selected(w.events(q), storage.EventQuery{}), "%+v", q)
		}
	}},
}

// selected returns the sequences of the events that a query selects.
func selected(events []storage.Event, q storage.EventQuery) []int64 {
	sequences := []int64{}
	for _, e := range events {
		if (q.App == "" || q.App == e.App) && (q.PushID == 0 || q.PushID == e.PushID) &&
			(q.RegistrationID == "" || q.RegistrationID == e.RegistrationID) && e.Sequence > q.After &&
			(q.StartTime.IsZero() || !e.Time.Before(q.StartTime)) && (q.EndTime.IsZero() || e.Time.Before(q.EndTime)) {
			sequences = append(sequences, e.Sequence)
		}
	}
	return sequences
}
