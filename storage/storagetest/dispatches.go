package storagetest

import (
	"time"

	"susul.dev/susul/storage"
)

var dispatchCases = []testCase{
	{"a claim brings all that is needed to send", func(w *world) {
		d := w.draft(5, 5)
		d.Dispatches[0].Recipients = []uint32{4, 0, 2}
		d.Dispatches[0].Content = []byte("content")
		p := w.create(d)
		c := w.claimOne()
		w.Equal(p, c.Push)
		w.Equal(d.Dispatches[0], c.Dispatch.DispatchDraft)
		w.Equal(storage.DispatchClaimed, c.Dispatch.State)
		w.Equal(1, c.Dispatch.Attempt)
		w.Equal([]storage.Recipient{
			{Ordinal: 4, RegistrationID: id(4)}, {Ordinal: 0, RegistrationID: id(0)}, {Ordinal: 2, RegistrationID: id(2)},
		}, c.Recipients)
		w.Empty(w.claim(), "it is claimed already")
	}},
	{"the whole audience has no list", func(w *world) {
		w.create(w.unlisted())
		c := w.claimOne()
		w.Nil(c.Dispatch.Recipients)
		w.Empty(c.Recipients)
	}},
	{"a claim sees the clicks stored before", func(w *world) {
		p := w.sentPush(2)
		w.record(w.row(up(p.ID), id(1), storage.Clicked))
		w.now = w.now.Add(time.Hour)
		w.NoError(w.store.PlanStep(w.ctx, storage.StepPlan{PushID: p.ID, Step: 1, Through: 2, Done: true,
			Dispatches: []storage.DispatchDraft{{DueTime: w.now, Recipients: ordinals(0, 2)}}}))
		c := w.claimOne()
		w.Zero(c.Recipients[0].Progress)
		w.True(c.Recipients[1].Progress.At(0).Has(storage.Clicked))
	}},
	{"nobody claims another app's or what is not due", func(w *world) {
		d := w.draft(1, 1)
		d.Push.App = otherApp
		w.create(d)
		w.Empty(w.claim())
		d = w.draft(1, 1)
		d.Dispatches[0].DueTime = w.now.Add(time.Second)
		w.create(d)
		w.Empty(w.claim())
		next, ok, err := w.store.NextDispatchTime(w.ctx, app)
		w.NoError(err)
		w.True(ok)
		w.Equal(w.now.Add(time.Second), next)
		w.now = next
		w.claimOne()
	}},
	{"first sendings come before follow-ups, each by due time", func(w *world) {
		p := w.sentPush(2)
		w.now = w.now.Add(time.Hour)
		w.NoError(w.store.PlanStep(w.ctx, storage.StepPlan{PushID: p.ID, Step: 1, Through: 2, Dispatches: []storage.DispatchDraft{
			{Chunk: 0, DueTime: w.now.Add(-time.Minute), Recipients: ordinals(0, 1)},
			{Chunk: 1, DueTime: w.now.Add(-time.Hour), Recipients: ordinals(1, 2)},
		}}))
		late, early := w.draft(1, 1), w.draft(1, 1)
		early.Dispatches[0].DueTime = w.now.Add(-time.Second)
		w.create(late)
		w.create(early)
		var got [][3]int64
		for range 4 {
			claims, err := w.store.ClaimDispatches(w.ctx, storage.ClaimRequest{App: app, Now: w.now, Lease: lease, Limit: 1})
			w.NoError(err)
			w.Len(claims, 1)
			d := claims[0].Dispatch
			got = append(got, [3]int64{d.PushID, int64(d.Step), int64(d.Chunk)})
		}
		w.Equal([][3]int64{{early.Push.ID, 0, 0}, {late.Push.ID, 0, 0}, {p.ID, 1, 1}, {p.ID, 1, 0}}, got)
	}},
	{"a lease that ran out lets the next one claim", func(w *world) {
		w.create(w.draft(1, 1))
		stale := w.claimOne()
		next, ok, err := w.store.NextDispatchTime(w.ctx, app)
		w.NoError(err)
		w.True(ok)
		w.Equal(w.now.Add(lease), next)
		w.now = w.now.Add(lease - time.Millisecond)
		w.Empty(w.claim())
		w.now = next
		again := w.claimOne()
		w.Equal(2, again.Dispatch.Attempt)

		_, err = w.store.FinishDispatch(w.ctx, w.result(stale, storage.DispatchSent))
		w.ErrorIs(err, storage.ErrConflict)
		w.finish(w.result(again, storage.DispatchSent))
		_, err = w.store.FinishDispatch(w.ctx, w.result(again, storage.DispatchSent))
		w.ErrorIs(err, storage.ErrConflict)
	}},
	{"a lapsed claim may finish while nobody took over", func(w *world) {
		w.create(w.draft(1, 1))
		c := w.claimOne()
		w.now = w.now.Add(2 * lease)
		w.finish(w.result(c, storage.DispatchSent))
		w.Empty(w.claim())
	}},
	{"a retry waits for its time", func(w *world) {
		p := w.create(w.draft(2, 1))
		retry := w.result(w.claimOne(), storage.DispatchPending)
		retry.Time = w.now.Add(10 * time.Second)
		w.finish(retry)
		w.Equal([]storage.DispatchState{storage.DispatchPending, storage.DispatchBlocked}, w.states(p.ID))
		w.Empty(w.claim())
		w.now = retry.Time
		c := w.claimOne()
		w.Equal(2, c.Dispatch.Attempt)
		w.Equal(retry.Time, c.Dispatch.DueTime)
	}},
	{"an absent dispatch is not found, an odd state refused", func(w *world) {
		_, err := w.store.FinishDispatch(w.ctx, storage.DispatchResult{ID: 99, State: storage.DispatchSent, Time: w.now})
		w.ErrorIs(err, storage.ErrNotFound)
		w.create(w.draft(1, 1))
		c := w.claimOne()
		_, err = w.store.FinishDispatch(w.ctx, w.result(c, storage.DispatchBlocked))
		w.Error(err)
		w.finish(w.result(c, storage.DispatchSent))
	}},
	{"no dispatch, no time", func(w *world) {
		w.sentPush(1)
		_, ok, err := w.store.NextDispatchTime(w.ctx, app)
		w.NoError(err)
		w.False(ok)
	}},
}
