package storagetest

import (
	"time"

	"susul.dev/susul/storage"
)

var pushCases = []testCase{
	{"a push reads back as it was created", func(w *world) {
		d := w.draft(3, 2)
		d.Push.RequestID = "request"
		d.Push.CallbackURLs = []string{"https://example.com/a", "https://example.com/b"}
		d.Push.Policy = &storage.PinnedPolicy{Name: "news", UID: "uid", Revision: 7, Spec: []byte{0, 1, 2}}
		created := w.create(d)

		want := d.Push
		want.State, want.Recipients = storage.PushActive, 3
		w.Equal(want, created)
		got, err := w.store.GetPush(w.ctx, app, d.Push.ID)
		w.NoError(err)
		w.Equal(want, got)
		got, err = w.store.PushOf(w.ctx, d.Push.ID)
		w.NoError(err)
		w.Equal(want, got)

		w.Equal([]storage.Recipient{
			{Ordinal: 0, RegistrationID: id(0)}, {Ordinal: 1, RegistrationID: id(1)}, {Ordinal: 2, RegistrationID: id(2)},
		}, w.recipients(d.Push.ID))
		dispatches := w.dispatches(d.Push.ID)
		w.Len(dispatches, 2)
		w.Equal(d.Dispatches[0], dispatches[0].DispatchDraft)
		w.Equal(d.Dispatches[1], dispatches[1].DispatchDraft)
		w.Equal([]storage.DispatchState{storage.DispatchPending, storage.DispatchBlocked}, w.states(d.Push.ID))
	}},
	{"pushes share a policy revision", func(w *world) {
		for range 2 {
			d := w.draft(1, 1)
			d.Push.Policy = &storage.PinnedPolicy{Name: "news", UID: "uid", Revision: 7, Spec: []byte("spec")}
			w.Equal(d.Push.Policy, w.create(d).Policy)
		}
	}},
	{"times keep their milliseconds and come back in UTC", func(w *world) {
		d := w.draft(1, 1)
		d.Push.CreateTime = w.now.In(time.FixedZone("east", 7*3600)).Add(456 * time.Microsecond)
		w.Equal(w.now, w.create(d).CreateTime)
	}},
	{"contents are kept, and nobody apart from everybody", func(w *world) {
		d := w.draft(2, 1)
		d.Dispatches[0].Content = []byte{0, 0xff, '\''}
		d.Dispatches[0].Recipients = []uint32{}
		d.Dispatches[1].Recipients = nil
		w.create(d)
		got := w.dispatches(d.Push.ID)
		w.Equal(d.Dispatches[0], got[0].DispatchDraft)
		w.Equal(d.Dispatches[1], got[1].DispatchDraft)
	}},
	{"a taken id conflicts and changes nothing", func(w *world) {
		first := w.create(w.draft(1, 1))
		again := w.draft(5, 5)
		again.Push.ID = first.ID
		_, _, err := w.store.CreatePush(w.ctx, again)
		w.ErrorIs(err, storage.ErrConflict)
		w.Len(w.recipients(first.ID), 1)
	}},
	{"a push that fails half-way leaves nothing", func(w *world) {
		d := w.draft(2, 1)
		d.Push.RequestID = "request"
		d.Dispatches[1].Chunk = 0
		_, _, err := w.store.CreatePush(w.ctx, d)
		w.Error(err)
		_, err = w.store.PushOf(w.ctx, d.Push.ID)
		w.ErrorIs(err, storage.ErrNotFound)
		w.Empty(w.recipients(d.Push.ID))
		w.Empty(w.claim())
		d.Dispatches[1].Chunk = 1
		w.create(d)
	}},
	{"an absent push is not found", func(w *world) {
		p := w.create(w.draft(1, 1))
		_, err := w.store.GetPush(w.ctx, otherApp, p.ID)
		w.ErrorIs(err, storage.ErrNotFound, "another app's push")
		_, err = w.store.GetPush(w.ctx, app, 99)
		w.ErrorIs(err, storage.ErrNotFound)
		_, err = w.store.PushOf(w.ctx, 99)
		w.ErrorIs(err, storage.ErrNotFound)
		_, err = w.store.Report(w.ctx, otherApp, p.ID)
		w.ErrorIs(err, storage.ErrNotFound)
		_, err = w.store.WithdrawPush(w.ctx, otherApp, p.ID)
		w.ErrorIs(err, storage.ErrNotFound)
		w.ErrorIs(w.store.ConfirmWithdrawal(w.ctx, 99), storage.ErrNotFound)
		found, err := w.store.FindRecipients(w.ctx, 99, []string{id(0)})
		w.NoError(err)
		w.Empty(found)
	}},
	{"recipients are found by id in ordinal order", func(w *world) {
		p := w.create(w.draft(1200, 1000))
		want := w.recipients(p.ID)
		asked := append([]string{"nobody", id(3), ""}, ids(1200)...)
		found, err := w.store.FindRecipients(w.ctx, p.ID, asked)
		w.NoError(err)
		w.Equal(want, found)
		found, err = w.store.FindRecipients(w.ctx, p.ID, nil)
		w.NoError(err)
		w.Empty(found)
	}},
	{"withdrawing stops what is to come", func(w *world) {
		p := w.create(w.draft(3, 1))
		w.finish(w.result(w.claimOne(), storage.DispatchSent))
		got, err := w.store.WithdrawPush(w.ctx, app, p.ID)
		w.NoError(err)
		w.Equal(storage.PushWithdrawing, got.State)
		w.Equal([]storage.DispatchState{storage.DispatchSent, storage.DispatchCancelled, storage.DispatchCancelled}, w.states(p.ID))
		for _, st := range w.report(p.ID).Steps[1:] {
			w.Equal(storage.StepCancelled, st.State)
			w.Equal(storage.ReasonWithdrawn, st.CancelReason)
		}
		_, due, err := w.store.NextStepTime(w.ctx)
		w.NoError(err)
		w.False(due)
		_, due, err = w.store.NextDispatchTime(w.ctx, app)
		w.NoError(err)
		w.False(due)

		again, err := w.store.WithdrawPush(w.ctx, app, p.ID)
		w.NoError(err)
		w.Equal(got, again)
		w.NoError(w.store.ConfirmWithdrawal(w.ctx, p.ID))
		w.Equal(storage.PushWithdrawn, w.pushState(p.ID))
		w.ErrorIs(w.store.ConfirmWithdrawal(w.ctx, p.ID), storage.ErrConflict)
		_, err = w.store.WithdrawPush(w.ctx, app, p.ID)
		w.ErrorIs(err, storage.ErrConflict)
	}},
	{"an active push has no withdrawal to confirm", func(w *world) {
		p := w.create(w.draft(1, 1))
		w.ErrorIs(w.store.ConfirmWithdrawal(w.ctx, p.ID), storage.ErrConflict)
	}},
	{"a store answers a ping until it is closed", func(w *world) {
		s := w.open()
		w.NoError(s.Ping(w.ctx))
		w.NoError(s.Close())
		w.ErrorIs(s.Ping(w.ctx), storage.ErrUnavailable)
		_, _, err := s.CreatePush(w.ctx, w.draft(1, 1))
		w.ErrorIs(err, storage.ErrUnavailable)
		_, err = s.PushOf(w.ctx, 1)
		w.ErrorIs(err, storage.ErrUnavailable)
	}},
}
