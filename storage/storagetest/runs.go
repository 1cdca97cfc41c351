package storagetest

import "susul.dev/susul/storage"

var runCases = []testCase{
	{"no events, no runs", func(w *world) {
		w.Empty(w.runs(0, 10))
	}},
	{"runs tell whose the events are", func(w *world) {
		calls := w.draft(20, 20)
		calls.Push.CallbackURLs = []string{"https://example.com/events"}
		a := w.create(calls)
		w.sendAll()
		b := w.sentPush(20)
		for i := range 20 {
			w.record(w.row(up(a.ID), id(i), storage.Sent), w.row(up(b.ID), id(i), storage.Clicked), w.row(up(b.ID), id(19-i), storage.Sent))
		}
		events := w.events(storage.EventQuery{})
		w.Len(events, 60)
		for _, limit := range []int{0, 1, 3} {
			for after := int64(0); after <= events[59].Sequence; after += 7 {
				var rest []storage.Event
				for _, e := range events {
					if e.Sequence > after {
						rest = append(rest, e)
					}
				}
				for at := after; ; {
					runs := w.runs(at, limit)
					if len(runs) == 0 {
						break
					}
					w.True(limit == 0 || len(runs) <= limit)
					for _, run := range runs {
						w.True(at < run.First && run.First <= run.Last, "%+v after %d", run, at)
						w.Equal(app, run.App)
						w.Equal(run.PushID == a.ID, run.CallbackURLs)
						for len(rest) > 0 && rest[0].Sequence <= run.Last {
							w.GreaterOrEqual(rest[0].Sequence, run.First)
							w.Equal(rest[0].PushID, run.PushID)
							rest = rest[1:]
						}
						at = run.Last
					}
				}
				w.Empty(rest, "after %d", after)
			}
		}
	}},
}

func (w *world) runs(after int64, limit int) []storage.EventRun {
	w.t.Helper()
	runs, err := w.store.ListEventRuns(w.ctx, after, limit)
	w.NoError(err)
	return runs
}
