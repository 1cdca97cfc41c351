package storagetest

import (
	"time"

	"susul.dev/susul/storage"
)

// forget forgets until there is nothing more to forget.
func (w *world) forget(before time.Time) {
	w.t.Helper()
	for more := true; more; {
		var err error
		more, err = w.store.Forget(w.ctx, before)
		w.NoError(err)
	}
}

var retentionCases = []testCase{
	{"nothing that is young is forgotten", func(w *world) {
		p := w.sentPush(3)
		w.finishSteps(p.ID)
		w.record(w.row(up(p.ID), id(0), storage.Sent), w.row("unknown", id(0), storage.Sent))
		w.forget(w.now)
		w.Len(w.events(storage.EventQuery{}), 1)
		w.Len(w.recipients(p.ID), 3)
		w.Len(w.heldOf(app), 1)
	}},
	{"what is old is forgotten, and the report stays", func(w *world) {
		const devices = 1000
		old := w.sentPush(devices)
		var rows []storage.Callback
		for i := range devices {
			unknown := w.row(up(old.ID), id(i), storage.MilestoneUnknown)
			unknown.Status = "levitated"
			rows = append(rows, w.row(up(old.ID), id(i), storage.Sent), w.row("unknown", id(i), storage.Sent), unknown)
		}
		w.record(rows...)
		w.finishSteps(old.ID)
		before := w.report(old.ID)
		w.now = w.now.Add(90 * 24 * time.Hour)
		young := w.sentPush(2)
		w.record(w.row(up(young.ID), id(0), storage.Clicked))
		// Progress is surely on disk once a store was closed.
		w.NoError(w.store.Close())
		w.store = w.open()
		last, err := w.store.LastSequence(w.ctx)
		w.NoError(err)

		w.forget(w.now)
		w.Empty(w.events(storage.EventQuery{PushID: old.ID}))
		w.Empty(w.events(storage.EventQuery{RegistrationID: id(5)}))
		w.Empty(w.recipients(old.ID))
		w.Empty(w.heldOf(app))
		found, err := w.store.FindRecipients(w.ctx, old.ID, []string{id(1)})
		w.NoError(err)
		w.Empty(found)
		w.Equal(before, w.report(old.ID))
		left := w.events(storage.EventQuery{})
		w.Len(left, 1)
		for _, q := range []storage.EventQuery{{}, {App: app}, {PushID: young.ID}} {
			q.After, q.Through = 7, left[0].Sequence-1
			w.Empty(w.events(q), "it ends before all that is left")
			q.Through++
			w.Equal(left, w.events(q))
		}
		w.Len(w.recipients(young.ID), 2)

		w.Equal(storage.CallbackSummary{Held: 1, New: 1},
			w.record(w.row(up(old.ID), id(0), storage.Clicked), w.row(up(young.ID), id(1), storage.Sent)))
		w.Equal(before.Total, w.report(old.ID).Total)
		now, err := w.store.LastSequence(w.ctx)
		w.NoError(err)
		w.Greater(now, last)
	}},
	{"sequences go on after all events are forgotten", func(w *world) {
		p := w.sentPush(2)
		w.record(w.row(up(p.ID), id(0), storage.Sent))
		for range 2 { // the second time all of it is on disk
			w.NoError(w.store.Close())
			w.store = w.open()
			w.forget(w.now.Add(time.Hour))
		}
		w.Empty(w.events(storage.EventQuery{}))
		last, err := w.store.LastSequence(w.ctx)
		w.NoError(err)
		w.Positive(last)
		w.record(w.row(up(p.ID), id(1), storage.Sent))
		w.Greater(w.events(storage.EventQuery{})[0].Sequence, last)
	}},
	{"a push with a step to come keeps its recipients", func(w *world) {
		p := w.sentPush(2)
		w.forget(w.now.Add(time.Hour))
		w.Len(w.recipients(p.ID), 2)
	}},
	{"a push that is not listed gains nobody any more", func(w *world) {
		p := w.create(w.unlisted())
		w.sendAll()
		w.record(w.row(up(p.ID), "a", storage.Sent))
		w.finishSteps(p.ID)
		w.NoError(w.store.Close())
		w.store = w.open()
		w.forget(w.now.Add(time.Hour))
		w.Equal(storage.CallbackSummary{Held: 2}, w.record(w.row(up(p.ID), "a", storage.Clicked), w.row(up(p.ID), "b", storage.Sent)))
		w.Equal(storage.Counts{Targets: 1, Sent: 1}, w.report(p.ID).Total)
	}},
}

// finishSteps cancels the steps of a push.
func (w *world) finishSteps(push int64) {
	w.t.Helper()
	for step := 1; step <= 2; step++ {
		w.NoError(w.store.CancelStep(w.ctx, push, step, storage.ReasonPolicyDeleted))
	}
}

func (w *world) heldOf(app string) []storage.HeldCallback {
	w.t.Helper()
	held, err := w.store.ListHeldCallbacks(w.ctx, storage.HeldQuery{App: app})
	w.NoError(err)
	return held
}
