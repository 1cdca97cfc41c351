package storagetest

import (
	"time"

	"susul.dev/susul/storage"
)

var messageCases = []testCase{
	{"messages that EngageLab took, or may have, count by when they were claimed", func(w *world) {
		before := w.now
		w.create(w.draft(4, 2))
		claims := []storage.Claim{w.startOne()}
		w.Equal(1, w.messages(before, id(0))[0], "it may have been taken")
		w.now = w.now.Add(time.Minute)
		w.finish(w.result(claims[0], storage.DispatchSent))
		w.startOne()
		got := w.messages(before, "stranger", id(3), id(0), id(1), id(0))
		w.Equal([]int{0, 1, 1, 1, 1}, got)
		w.Equal([]int{0, 1}, w.messages(before.Add(time.Millisecond), id(0), id(3)))

		list, err := w.store.CountMessages(w.ctx, otherApp, []string{id(0)}, before)
		w.NoError(err)
		w.Equal([]int{0}, list)
		w.Empty(w.messages(before))
	}},
	{"all pushes of an app count, and all steps", func(w *world) {
		for range 3 {
			w.sentPush(2)
			w.now = w.now.Add(time.Second)
		}
		p := w.create(w.draft(2, 2))
		w.sendAll()
		w.now = w.now.Add(time.Hour)
		w.NoError(w.store.PlanStep(w.ctx, storage.StepPlan{PushID: p.ID, Step: 1, Through: 2, Done: true, Time: w.now,
			Dispatches: []storage.DispatchDraft{{DueTime: w.now, ExpireTime: w.now.Add(time.Hour), Recipients: []uint32{1}}}}))
		w.Equal(4, w.messages(time.Time{}, id(1))[0])
		w.sendAll()
		w.Equal([]int{5, 4}, w.messages(time.Time{}, id(1), id(0)))
	}},
	{"what was not sent does not count", func(w *world) {
		for _, state := range []storage.DispatchState{storage.DispatchRefused, storage.DispatchExpired, storage.DispatchCancelled,
			storage.DispatchSkipped, storage.DispatchUnanswered} {
			w.create(w.draft(1, 1))
			r := w.result(w.startOne(), state)
			r.Reason = storage.ReasonWithdrawn
			w.finish(r)
			w.Equal(state == storage.DispatchUnanswered, w.messages(w.now, id(0))[0] == 1, state)
			w.now = w.now.Add(time.Minute)
		}
		w.create(w.draft(1, 1))
		w.claimOne()
		w.Zero(w.messages(w.now, id(0))[0], "it is only claimed")
	}},
	{"of a push that is not listed, and of one that others sent, those count who are known", func(w *world) {
		p := w.create(w.unlisted())
		w.sendAll()
		w.record(w.row(up(p.ID), "a", storage.Sent))
		d := w.unlisted()
		d.Dispatches, d.Steps = nil, nil
		d.Push.External, d.Push.FirstSentTime = true, w.now.Add(-time.Minute)
		_, created, err := w.store.AdoptMessage(w.ctx, d, "foreign")
		w.NoError(err)
		w.True(created)
		w.record(w.row("foreign", "a", storage.Delivered), w.row("foreign", "b", storage.Delivered))
		w.Equal([]int{2, 1, 0}, w.messages(w.now.Add(-time.Hour), "a", "b", "c"))
		w.Equal([]int{1, 0}, w.messages(w.now, "a", "b"))
	}},
	{"of a batch, those count whose message was taken, or may have been", func(w *world) {
		w.sentBatch(5)
		w.now = w.now.Add(time.Minute)
		followUp := w.now
		c := w.startOne()
		w.Equal([]int{1, 1, 1, 1, 1}, w.messages(followUp, ids(5)...))
		w.finish(w.resultOf(c, storage.DispatchSending, took(0, "single-0"), refused(1)))
		w.Equal([]int{1, 0, 1, 1, 1}, w.messages(followUp, ids(5)...))
		w.now = w.now.Add(time.Second)
		c = w.claimOne()
		w.finish(w.resultOf(c, storage.DispatchExpired, took(2, "single-2")))
		w.Equal([]int{1, 0, 1, 0, 0}, w.messages(followUp, ids(5)...))
	}},
	{"few ids are found in many recipients, after a restart too", func(w *world) {
		w.create(w.draft(2500, 1000))
		w.sendAll()
		for range 2 {
			got := w.messages(w.now, id(2499), id(0), "stranger", id(999), id(1000))
			w.Equal([]int{1, 1, 0, 1, 1}, got)
			w.store = w.open()
		}
		for _, n := range w.messages(w.now, ids(2500)...) {
			w.Equal(1, n)
		}
	}},
	{"recipients that a start left out did not get it", func(w *world) {
		w.create(w.draft(5, 5))
		c := w.claimOne()
		w.NoError(w.store.StartDispatch(w.ctx, storage.DispatchStart{ID: c.Dispatch.ID, Attempt: 1, Recipients: []uint32{4, 1, 2},
			PassedOver: storage.PassedOver{storage.ReasonInvalidDevice: {0, 3}}}))
		w.Equal([]int{0, 1, 1, 0, 1}, w.messages(w.now, ids(5)...))
	}},
}

func (w *world) messages(since time.Time, registrationIDs ...string) []int {
	w.t.Helper()
	list, err := w.store.CountMessages(w.ctx, app, registrationIDs, since)
	w.NoError(err)
	w.Len(list, len(registrationIDs))
	return list
}
