package storagetest

import (
	"time"

	"susul.dev/susul/storage"
)

var startCases = []testCase{
	{"a start takes out and counts who is passed over", func(w *world) {
		p := w.create(w.draft(4, 4))
		c := w.claimOne()
		start := storage.DispatchStart{ID: c.Dispatch.ID, Attempt: 1, Recipients: []uint32{0, 2},
			PassedOver: storage.PassedOver{storage.ReasonMilestoneReached: {1, 3}}}
		w.NoError(w.store.StartDispatch(w.ctx, start))
		d := w.dispatches(p.ID)[0]
		w.Equal(storage.DispatchSending, d.State)
		w.Equal(start.Recipients, d.Recipients)
		step := w.report(p.ID).Steps[0]
		w.Equal(2, step.Targets)
		w.Equal(map[storage.Reason]int{storage.ReasonMilestoneReached: 2}, step.PassedOver)
		w.Equal(map[storage.DispatchState]int{storage.DispatchSending: 1}, step.Dispatches)

		w.finish(w.result(c, storage.DispatchSent))
		w.Equal(start.Recipients, w.dispatches(p.ID)[0].Recipients)
		w.Equal(2, w.report(p.ID).Steps[0].Targets)
	}},
	{"only the latest claim starts, and once", func(w *world) {
		w.ErrorIs(w.store.StartDispatch(w.ctx, storage.DispatchStart{ID: 99, Attempt: 1}), storage.ErrNotFound)
		p := w.create(w.draft(1, 1))
		start := storage.DispatchStart{ID: w.dispatches(p.ID)[0].ID}
		w.ErrorIs(w.store.StartDispatch(w.ctx, start), storage.ErrConflict, "it is not claimed")
		stale := w.claimOne()
		w.now = w.now.Add(lease)
		c := w.claimOne()
		w.Equal(storage.DispatchClaimed, c.Dispatch.State, "it had not been started")
		start.Attempt = stale.Dispatch.Attempt
		w.ErrorIs(w.store.StartDispatch(w.ctx, start), storage.ErrConflict)
		w.start(c)
		start.Attempt = c.Dispatch.Attempt
		w.ErrorIs(w.store.StartDispatch(w.ctx, start), storage.ErrConflict, "it is started")
		w.finish(w.result(c, storage.DispatchSent))
		w.ErrorIs(w.store.StartDispatch(w.ctx, start), storage.ErrConflict, "it is finished")
	}},
	{"what may have been sent is repeated as it was", func(w *world) {
		p := w.create(w.draft(4, 4))
		c := w.claimOne()
		w.NoError(w.store.StartDispatch(w.ctx, storage.DispatchStart{ID: c.Dispatch.ID, Attempt: 1, Recipients: []uint32{3, 1}}))
		retry := w.result(c, storage.DispatchSending)
		retry.Time = w.now.Add(10 * time.Second)
		w.finish(retry)
		w.Equal([]storage.DispatchState{storage.DispatchSending}, w.states(p.ID))
		w.Empty(w.claim())
		next, ok, err := w.store.NextDispatchTime(w.ctx, app)
		w.NoError(err)
		w.True(ok)
		w.Equal(retry.Time, next)

		w.now = retry.Time
		again := w.claimOne()
		w.Equal(storage.DispatchSending, again.Dispatch.State)
		w.Equal(2, again.Dispatch.Attempt)
		w.Equal([]uint32{3, 1}, again.Dispatch.Recipients)
		w.Equal([]storage.Recipient{{Ordinal: 3, RegistrationID: id(3)}, {Ordinal: 1, RegistrationID: id(1)}}, again.Recipients)
		w.Empty(w.claim(), "it is claimed")
		_, err = w.store.FinishDispatch(w.ctx, w.result(c, storage.DispatchSent))
		w.ErrorIs(err, storage.ErrConflict)
		w.finish(w.result(again, storage.DispatchSent))
		w.Equal([]storage.DispatchState{storage.DispatchSent}, w.states(p.ID))
	}},
	{"a lease that runs out while sending leaves it so", func(w *world) {
		w.create(w.draft(1, 1))
		stale := w.startOne()
		w.now = w.now.Add(lease - time.Millisecond)
		w.Empty(w.claim())
		w.now = w.now.Add(time.Millisecond)
		again := w.claimOne()
		w.Equal(storage.DispatchSending, again.Dispatch.State)
		w.Equal(stale.Dispatch.Attempt+1, again.Dispatch.Attempt)
		w.finish(w.result(again, storage.DispatchSent))
	}},
	{"what was certainly not taken is decided anew", func(w *world) {
		w.create(w.draft(1, 1))
		w.finish(w.result(w.startOne(), storage.DispatchPending))
		c := w.claimOne()
		w.Equal(storage.DispatchClaimed, c.Dispatch.State)
		w.start(c)
		w.finish(w.result(c, storage.DispatchSent))
	}},
	{"every end of what is being sent", func(w *world) {
		for _, state := range []storage.DispatchState{
			storage.DispatchSent, storage.DispatchRefused, storage.DispatchUnanswered,
			storage.DispatchExpired, storage.DispatchCancelled, storage.DispatchSkipped,
		} {
			p := w.create(w.draft(1, 1))
			c := w.startOne()
			w.finish(w.result(c, state))
			w.Equal([]storage.DispatchState{state}, w.states(p.ID))
			_, err := w.store.FinishDispatch(w.ctx, w.result(c, state))
			w.ErrorIs(err, storage.ErrConflict)
			_, _, err = w.store.NextStepTime(w.ctx)
			w.NoError(err)
		}
		w.Empty(w.claim())
	}},
	{"a skipped dispatch counts whom it passed over", func(w *world) {
		p := w.create(w.draft(2, 2))
		r := w.result(w.claimOne(), storage.DispatchSkipped)
		r.PassedOver = storage.PassedOver{storage.ReasonMilestoneReached: {0, 1}}
		w.finish(r)
		step := w.report(p.ID).Steps[0]
		w.Equal(map[storage.Reason]int{storage.ReasonMilestoneReached: 2}, step.PassedOver)
		w.Zero(step.Targets)
	}},
	{"a withdrawn push starts nothing more", func(w *world) {
		p := w.create(w.draft(1, 1))
		c := w.claimOne()
		_, err := w.store.WithdrawPush(w.ctx, app, p.ID)
		w.NoError(err)
		start := storage.DispatchStart{ID: c.Dispatch.ID, Attempt: 1, PassedOver: storage.PassedOver{storage.ReasonWithdrawn: {0}}}
		w.ErrorIs(w.store.StartDispatch(w.ctx, start), storage.ErrConflict)
		w.Equal([]storage.DispatchState{storage.DispatchClaimed}, w.states(p.ID), "the claim is still to be finished")
		w.Empty(w.report(p.ID).Steps[0].PassedOver)
		w.finish(w.result(c, storage.DispatchPending))
		w.Equal([]storage.DispatchState{storage.DispatchCancelled}, w.states(p.ID))
	}},
	{"a cancelled step starts nothing more", func(w *world) {
		p := w.sentPush(1)
		w.NoError(w.store.PlanStep(w.ctx, w.plan(p.ID, 0, 0, 1)))
		c := w.claimOne()
		w.NoError(w.store.CancelStep(w.ctx, p.ID, 1, ""))
		start := storage.DispatchStart{ID: c.Dispatch.ID, Attempt: 1}
		w.ErrorIs(w.store.StartDispatch(w.ctx, start), storage.ErrConflict)
		w.finish(w.result(c, storage.DispatchPending))
		w.Equal(storage.DispatchCancelled, w.dispatches(p.ID)[1].State)
	}},
	{"what may have been sent outlives a withdrawal and a cancelled step", func(w *world) {
		p := w.create(w.draft(2, 1))
		w.sendOne()
		c := w.startOne()
		w.NoError(w.store.CancelStep(w.ctx, p.ID, 1, storage.ReasonPolicyPaused))
		_, err := w.store.WithdrawPush(w.ctx, app, p.ID)
		w.NoError(err)
		w.finish(w.result(c, storage.DispatchSending))
		w.Equal([]storage.DispatchState{storage.DispatchSent, storage.DispatchSending}, w.states(p.ID))
		again := w.claimOne()
		w.finish(w.result(again, storage.DispatchSent))
		w.Equal([]storage.DispatchState{storage.DispatchSent, storage.DispatchSent}, w.states(p.ID))
	}},
	{"steps are held while something is being sent", func(w *world) {
		p := w.create(w.draft(2, 1))
		w.sendOne()
		other := w.sentPushOf(1)
		c := w.startOne()
		w.Equal(p.ID, c.Push.ID)
		w.Equal([]int64{other.ID}, w.duePushes())
		next, ok, err := w.store.NextStepTime(w.ctx)
		w.NoError(err)
		w.True(ok)
		w.Equal(w.step(other.ID, 1).DueTime, next)
		w.finish(w.result(c, storage.DispatchSending))
		w.Equal([]int64{other.ID}, w.duePushes(), "nobody knows yet")
		w.NoError(w.store.CancelStep(w.ctx, other.ID, 1, storage.ReasonPolicyPaused))
		w.NoError(w.store.CancelStep(w.ctx, other.ID, 2, storage.ReasonPolicyPaused))
		_, ok, err = w.store.NextStepTime(w.ctx)
		w.NoError(err)
		w.False(ok)
		w.finish(w.result(w.claimOne(), storage.DispatchSent))
		w.Equal([]int64{p.ID}, w.duePushes())
	}},
	{"a new leader repeats at once what an earlier one was sending", func(w *world) {
		w.NoError(w.store.Lead(w.ctx, 1))
		w.create(w.draft(2, 2))
		w.create(w.draft(2, 2))
		claims := w.claim()
		w.NoError(w.store.StartDispatch(w.ctx, storage.DispatchStart{ID: claims[0].Dispatch.ID, Attempt: 1, Recipients: []uint32{1}}))
		w.Empty(w.claim())
		leader := w.open()
		w.NoError(leader.Lead(w.ctx, 2))
		w.ErrorIs(w.store.StartDispatch(w.ctx, storage.DispatchStart{ID: claims[1].Dispatch.ID, Attempt: 1}), storage.ErrFenced)
		w.store = leader
		again := w.claim()
		w.Len(again, 2)
		w.Equal(storage.DispatchSending, again[0].Dispatch.State)
		w.Equal([]uint32{1}, again[0].Dispatch.Recipients)
		w.Equal(storage.DispatchClaimed, again[1].Dispatch.State)
	}},
}

// sentPushOf sends a push of n recipients, due before anything else.
func (w *world) sentPushOf(n int) storage.Push {
	w.t.Helper()
	d := w.draft(n, n)
	d.Dispatches[0].DueTime = w.now.Add(-time.Hour)
	p := w.create(d)
	w.sendOne()
	return p
}

// duePushes returns the pushes of the steps that are due in a day.
func (w *world) duePushes() (pushes []int64) {
	w.t.Helper()
	due, err := w.store.DueSteps(w.ctx, w.now.Add(24*time.Hour), 100)
	w.NoError(err)
	for _, st := range due {
		pushes = append(pushes, st.PushID)
	}
	return pushes
}
