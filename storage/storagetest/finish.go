package storagetest

import (
	"time"

	"susul.dev/susul/storage"
)

var refusal = &storage.Refusal{HTTPStatus: 400, Code: 21003, Message: `parameter "to" is invalid`}

var finishCases = []testCase{
	{"the first chunk sent starts the clock and unblocks the rest", func(w *world) {
		p := w.create(w.draft(3, 1))
		c := w.claimOne()
		w.now = w.now.Add(3 * time.Second)
		got := w.finish(w.result(c, storage.DispatchSent))
		w.Equal(w.now, got.FirstSentTime)
		first := w.dispatches(p.ID)[0]
		w.Equal(w.now, first.SentTime)
		w.Equal(up(p.ID), first.UpstreamID)
		for i, st := range w.report(p.ID).Steps[1:] {
			w.Equal(storage.StepScheduled, st.State)
			w.Equal(got.FirstSentTime.Add(time.Duration(i+1)*time.Hour), st.DueTime)
		}
		w.now = w.now.Add(time.Second)
		rest := w.claim()
		w.Len(rest, 2)
		after := w.finish(w.result(rest[0], storage.DispatchSent))
		w.Equal(got.FirstSentTime, after.FirstSentTime, "only the first sending sets it")
	}},
	{"a refused first chunk rejects the push and frees the request id", func(w *world) {
		d := w.draft(3, 2)
		d.Push.RequestID = "request"
		p := w.create(d)
		r := w.result(w.claimOne(), storage.DispatchRefused)
		r.Refusal = refusal
		got := w.finish(r)
		w.Equal(storage.PushRejected, got.State)
		w.Equal(refusal, got.Refusal)
		dispatches := w.dispatches(p.ID)
		w.Equal(refusal, dispatches[0].Refusal)
		w.Equal(storage.DispatchCancelled, dispatches[1].State)
		w.Equal(storage.ReasonRejected, dispatches[1].Reason)
		report := w.report(p.ID)
		w.Equal(storage.StepCancelled, report.Steps[1].State)
		w.Equal(storage.ReasonRejected, report.Steps[1].CancelReason)
		w.Equal(storage.Counts{Targets: 3, Failed: 2}, report.Total)
		w.Empty(w.claim())
		_, err := w.store.WithdrawPush(w.ctx, app, p.ID)
		w.ErrorIs(err, storage.ErrConflict)

		again := w.draft(1, 1)
		again.Push.RequestID, again.Push.Fingerprint = "request", []byte{9}
		w.create(again)
	}},
	{"a refused later chunk fails its own recipients", func(w *world) {
		p := w.create(w.draft(2, 1))
		w.finish(w.result(w.claimOne(), storage.DispatchSent))
		r := w.result(w.claimOne(), storage.DispatchRefused)
		r.Refusal = refusal
		w.Equal(storage.PushActive, w.finish(r).State)
		events := w.events(storage.EventQuery{PushID: p.ID})
		w.Len(events, 1)
		want := storage.Event{Sequence: events[0].Sequence, App: app, PushID: p.ID, ReceiveTime: w.now, Callback: storage.Callback{
			RegistrationID: id(1), Milestone: storage.Failed, Status: "refused", Time: w.now.Truncate(time.Second), ErrorCode: refusal.Code,
			ErrorMessage: refusal.Message}}
		w.Equal(want, events[0])
		w.Equal(storage.Counts{Targets: 2, Failed: 1}, w.report(p.ID).Steps[0].Counts)
	}},
	{"a refusal of the whole audience fails all who are known", func(w *world) {
		d := w.draft(5, 5)
		d.Dispatches[0].Recipients = nil
		p := w.create(d)
		w.finish(w.result(w.claimOne(), storage.DispatchRefused))
		w.Equal(storage.Counts{Targets: 5, Failed: 5}, w.report(p.ID).Steps[0].Counts)
	}},
	{"a first chunk that ends unsent cancels what it blocks", func(w *world) {
		for _, state := range []storage.DispatchState{
			storage.DispatchExpired, storage.DispatchCancelled, storage.DispatchSkipped, storage.DispatchUnanswered,
		} {
			p := w.create(w.draft(2, 1))
			r := w.result(w.startOne(), state)
			r.Reason = storage.ReasonTemplateFailed
			want, targets := storage.PushActive, 0
			switch state {
			case storage.DispatchExpired:
				want = storage.PushExpired
			case storage.DispatchUnanswered:
				targets = 1
			}
			w.Equal(want, w.finish(r).State)
			w.Equal([]storage.DispatchState{state, storage.DispatchCancelled}, w.states(p.ID))
			w.Equal(r.Reason, w.dispatches(p.ID)[1].Reason)
			w.Equal(storage.StepCancelled, w.report(p.ID).Steps[1].State)
			w.Equal(r.Reason, w.report(p.ID).Steps[1].CancelReason)
			w.Equal(targets, w.report(p.ID).Steps[0].Targets, state)
			w.Empty(w.claim())
		}
	}},
	{"an expired push frees the request id", func(w *world) {
		d := w.draft(2, 1)
		d.Push.RequestID = "request"
		p := w.create(d)
		w.finish(w.result(w.claimOne(), storage.DispatchExpired))
		w.Equal(storage.PushExpired, w.pushState(p.ID))
		_, err := w.store.WithdrawPush(w.ctx, app, p.ID)
		w.ErrorIs(err, storage.ErrConflict)
		again := w.draft(1, 1)
		again.Push.RequestID, again.Push.Fingerprint = "request", []byte{9}
		w.create(again)
		_, _, err = w.store.CreatePush(w.ctx, d)
		w.ErrorIs(err, storage.ErrRequestIDReused)
	}},
	{"a later chunk that expires leaves the push active", func(w *world) {
		p := w.create(w.draft(2, 1))
		w.sendOne()
		w.Equal(storage.PushActive, w.finish(w.result(w.claimOne(), storage.DispatchExpired)).State)
		w.Equal(storage.StepScheduled, w.step(p.ID, 1).State)
	}},
	{"a first chunk that ends under withdrawal leaves that to be confirmed", func(w *world) {
		for _, state := range []storage.DispatchState{storage.DispatchRefused, storage.DispatchExpired, storage.DispatchUnanswered} {
			d := w.draft(2, 1)
			d.Push.RequestID = "request " + string(state)
			p := w.create(d)
			c := w.startOne()
			_, err := w.store.WithdrawPush(w.ctx, app, p.ID)
			w.NoError(err)
			w.Equal(storage.PushWithdrawing, w.finish(w.result(c, state)).State)
			w.Equal([]storage.DispatchState{state, storage.DispatchCancelled}, w.states(p.ID))
			w.NoError(w.store.ConfirmWithdrawal(w.ctx, p.ID))
			_, created, err := w.store.CreatePush(w.ctx, d)
			w.NoError(err)
			w.False(created, "its request id stays taken")
		}
	}},
	{"nobody is followed up when who got it is not known", func(w *world) {
		p := w.create(w.draft(4, 2))
		w.sendOne()
		second := w.startOne()
		w.finish(w.result(second, storage.DispatchPending)) // certainly not taken, so that steps may be planned meanwhile
		w.now = w.now.Add(time.Hour)
		w.NoError(w.store.PlanStep(w.ctx, w.plan(p.ID, 0, 0, 1)))
		second = w.startOne() // first sendings come first
		r := w.result(second, storage.DispatchUnanswered)
		r.Reason = storage.ReasonUnanswered
		w.Equal(storage.PushActive, w.finish(r).State)
		w.Equal([]storage.DispatchState{storage.DispatchSent, storage.DispatchUnanswered, storage.DispatchCancelled}, w.states(p.ID))
		for _, st := range w.report(p.ID).Steps[1:] {
			w.Equal(storage.StepCancelled, st.State)
			w.Equal(storage.ReasonUnanswered, st.CancelReason)
			w.Zero(st.Targets)
		}
		w.Equal(4, w.report(p.ID).Steps[0].Targets)
		w.Equal(storage.ReasonUnanswered, w.dispatches(p.ID)[2].Reason)
		w.Empty(w.claim())
	}},
	{"an unanswered follow-up leaves what was planned to its end", func(w *world) {
		p := w.sentPush(2)
		w.now = w.now.Add(time.Hour)
		w.NoError(w.store.PlanStep(w.ctx, w.plan(p.ID, 0, 0, 1)))
		last := w.plan(p.ID, 1, 1, 2)
		last.Done = true
		w.NoError(w.store.PlanStep(w.ctx, last))
		claims := w.claim()
		w.start(claims[0])
		w.finish(w.result(claims[1], storage.DispatchPending))
		w.finish(w.result(claims[0], storage.DispatchUnanswered))
		w.Equal(storage.StepPlanned, w.step(p.ID, 1).State)
		w.Equal(storage.StepCancelled, w.step(p.ID, 2).State)
		w.Equal([]storage.DispatchState{storage.DispatchSent, storage.DispatchUnanswered, storage.DispatchPending}, w.states(p.ID))
	}},
	{"a later chunk that ends unsent leaves the others", func(w *world) {
		p := w.create(w.draft(3, 1))
		w.finish(w.result(w.claimOne(), storage.DispatchSent))
		claims := w.claim()
		w.finish(w.result(claims[0], storage.DispatchExpired))
		w.Equal([]storage.DispatchState{storage.DispatchSent, storage.DispatchExpired, storage.DispatchClaimed}, w.states(p.ID))
		w.Equal(2, w.report(p.ID).Steps[0].Targets)
	}},
	{"a claim outlives a withdrawal but is not tried again", func(w *world) {
		p := w.create(w.draft(3, 1))
		w.finish(w.result(w.claimOne(), storage.DispatchSent))
		claims := w.claim()
		_, err := w.store.WithdrawPush(w.ctx, app, p.ID)
		w.NoError(err)
		w.finish(w.result(claims[0], storage.DispatchSent))
		got := w.finish(w.result(claims[1], storage.DispatchPending))
		w.Equal(storage.PushWithdrawing, got.State)
		w.Equal([]storage.DispatchState{storage.DispatchSent, storage.DispatchSent, storage.DispatchCancelled}, w.states(p.ID))
		w.Equal(storage.ReasonWithdrawn, w.dispatches(p.ID)[2].Reason)
		w.Empty(w.claim())
	}},
	{"a first sending under withdrawal wakes nothing", func(w *world) {
		p := w.create(w.draft(2, 1))
		c := w.claimOne()
		_, err := w.store.WithdrawPush(w.ctx, app, p.ID)
		w.NoError(err)
		w.Equal(w.now, w.finish(w.result(c, storage.DispatchSent)).FirstSentTime)
		w.Equal([]storage.DispatchState{storage.DispatchSent, storage.DispatchCancelled}, w.states(p.ID))
		w.Equal(storage.StepCancelled, w.report(p.ID).Steps[1].State)
	}},
	{"two dispatches can't have one upstream id", func(w *world) {
		w.create(w.draft(1, 1))
		w.create(w.draft(1, 1))
		claims := w.claim()
		w.finish(w.result(claims[0], storage.DispatchSent))
		r := w.result(claims[1], storage.DispatchSent)
		r.UpstreamID = upstream(claims[0].Dispatch)
		_, err := w.store.FinishDispatch(w.ctx, r)
		w.ErrorIs(err, storage.ErrConflict)
		w.finish(w.result(claims[1], storage.DispatchSent))
	}},
}
