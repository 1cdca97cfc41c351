package storagetest

import (
	"math"
	"time"

	"susul.dev/susul/storage"
)

// idCases are of ids as large as real ones, which no smaller number has room for.
var idCases = []testCase{
	{"a push's id may be as large as there are", func(w *world) {
		for _, large := range []int64{1 << 60, math.MaxInt64} {
			w.nextID = large - 1
			p := w.create(w.draft(2, 1))
			w.Equal(large, p.ID)
			w.sendAll()
			w.record(w.row(up(large), id(0), storage.Clicked))
			for _, q := range []storage.EventQuery{
				{App: app, PushID: large}, {PushID: large}, {App: app, PushID: large, RegistrationID: id(0)},
				{PushID: large, RegistrationID: id(0)}, {App: app, PushID: large, StartTime: p.CreateTime.Add(-24 * time.Hour)},
			} {
				w.Len(w.events(q), 1, "%+v", q)
			}
			h, err := w.store.History(w.ctx, app, large, id(0))
			w.NoError(err)
			w.Equal(p.ID, h.Push.ID)
			w.Len(h.Dispatches, 1)
			w.Len(w.dispatches(large), 2)
			w.Equal(1, w.report(large).Steps[0].Clicked)
			found, err := w.store.FindRecipients(w.ctx, large, []string{id(1)})
			w.NoError(err)
			w.Len(found, 1)
			scanned, err := w.store.ScanRecipients(w.ctx, large, 0, 10)
			w.NoError(err)
			w.Len(scanned, 2)
			w.NoError(w.store.PlanStep(w.ctx, storage.StepPlan{PushID: large, Step: 1, Through: 2, Done: true, Time: w.now,
				Dispatches: []storage.DispatchDraft{{DueTime: w.now, ExpireTime: w.now.Add(time.Hour), Recipients: []uint32{1}}}}))
			w.sendAll()
			last, err := w.store.LastMessages(w.ctx, large, 2, 0, 10)
			w.NoError(err)
			w.Len(last, 2)
			_, err = w.store.Outcomes(w.ctx, large)
			w.NoError(err)
			_, err = w.store.Queue(w.ctx, app, large)
			w.NoError(err)
			_, err = w.store.WithdrawPush(w.ctx, app, large)
			w.NoError(err)
		}
	}},
}
