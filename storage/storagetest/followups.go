package storagetest

import (
	"math"
	"time"

	"susul.dev/susul/storage"
)

var holdCases = []testCase{
	{"a step is held until it is planned", func(w *world) {
		p := w.sentPush(4)
		w.now = w.now.Add(time.Hour)
		held := w.now
		w.NoError(w.store.HoldStep(w.ctx, p.ID, 1, w.now, w.now.Add(time.Minute)))
		w.now = w.now.Add(30 * time.Second)
		due, err := w.store.DueSteps(w.ctx, w.now, 10)
		w.NoError(err)
		w.Empty(due)
		w.NoError(w.store.HoldStep(w.ctx, p.ID, 1, w.now, w.now.Add(time.Minute)))
		st := w.step(p.ID, 1)
		w.Equal(held, st.HoldTime, "since the first time")
		w.Equal(w.now.Add(time.Minute), st.DueTime)
		next, ok, err := w.store.NextStepTime(w.ctx)
		w.NoError(err)
		w.True(ok)
		w.Equal(st.DueTime, next)
		due, err = w.store.DueSteps(w.ctx, next, 10)
		w.NoError(err)
		w.Equal([]storage.Step{st}, due)

		w.NoError(w.store.PlanStep(w.ctx, w.plan(p.ID, 0, 0, 2)))
		w.Zero(w.step(p.ID, 1).HoldTime)
		w.ErrorIs(w.store.HoldStep(w.ctx, p.ID, 1, w.now, w.now.Add(time.Hour)), storage.ErrConflict, "part of it is planned")
		w.Equal(st.DueTime, w.step(p.ID, 1).DueTime)
	}},
	{"nothing else is held", func(w *world) {
		waits := w.create(w.draft(1, 1))
		w.ErrorIs(w.store.HoldStep(w.ctx, waits.ID, 1, w.now, w.now), storage.ErrConflict)
		w.ErrorIs(w.store.HoldStep(w.ctx, waits.ID, 7, w.now, w.now), storage.ErrNotFound)
		w.sendAll()
		w.NoError(w.store.CancelStep(w.ctx, waits.ID, 1, storage.ReasonStepPaused))
		w.ErrorIs(w.store.HoldStep(w.ctx, waits.ID, 1, w.now, w.now), storage.ErrConflict)
		last := w.plan(waits.ID, 0, 0, 1)
		last.Step, last.Done = 2, true
		w.NoError(w.store.PlanStep(w.ctx, last))
		w.ErrorIs(w.store.HoldStep(w.ctx, waits.ID, 2, w.now, w.now), storage.ErrConflict)
	}},
	{"an earlier leader holds and measures nothing", func(w *world) {
		p := w.sentPush(1)
		plan := w.plan(p.ID, 0, 0, 1)
		plan.Step, plan.Done, plan.MeasureTime = 2, true, w.now
		w.NoError(w.store.PlanStep(w.ctx, plan))
		old := w.store
		w.NoError(old.Lead(w.ctx, 1))
		w.store = w.open()
		w.NoError(w.store.Lead(w.ctx, 2))
		w.ErrorIs(old.HoldStep(w.ctx, p.ID, 1, w.now, w.now), storage.ErrFenced)
		w.ErrorIs(old.RecordMeasurement(w.ctx, storage.Measurement{PushID: p.ID, Step: 2, Time: w.now}), storage.ErrFenced)
		w.Zero(w.step(p.ID, 1).HoldTime)
	}},
}

// lastMessages returns the latest messages before a step, by ordinal.
func (w *world) lastMessages(push int64, step int, from uint32, limit int) map[uint32]string {
	w.t.Helper()
	list, err := w.store.LastMessages(w.ctx, push, step, from, limit)
	w.NoError(err)
	got := map[uint32]string{}
	last := -1
	for _, m := range list {
		w.Greater(int(m.Ordinal), last)
		last = int(m.Ordinal)
		got[m.Ordinal] = m.UpstreamID
	}
	return got
}

var lastMessageCases = []testCase{
	{"the latest message of the steps before counts", func(w *world) {
		p := w.create(w.draft(6, 3))
		w.Empty(w.lastMessages(p.ID, 1, 0, 10), "nothing is sent")
		w.sendAll()
		first, second := chunkID(p.ID, 0), chunkID(p.ID, 1)
		w.Equal(map[uint32]string{0: first, 1: first, 2: first, 3: second, 4: second, 5: second}, w.lastMessages(p.ID, 1, 0, 10))
		w.now = w.now.Add(time.Hour)
		w.planStep(p, storage.DispatchDraft{Chunk: 0, DueTime: w.now, Recipients: []uint32{4, 1}}, w.singles(1, 5, 2, 3))
		for _, c := range w.claim() {
			w.start(c)
			if c.Dispatch.Chunk == 0 {
				w.finish(w.result(c, storage.DispatchSent))
			} else {
				w.finish(w.resultOf(c, storage.DispatchSending, took(5, "single-5"), refused(2)))
			}
		}
		followUp := upstream(storage.Dispatch{PushID: p.ID, Step: 1})
		want := map[uint32]string{0: first, 1: followUp, 2: first, 3: second, 4: followUp, 5: "single-5"}
		w.Equal(want, w.lastMessages(p.ID, 2, 0, 10))
		w.Equal(first, w.lastMessages(p.ID, 1, 0, 10)[1], "the step itself does not")
		w.Equal(map[uint32]string{2: first, 3: second, 4: followUp}, w.lastMessages(p.ID, 2, 2, 3))
		w.Empty(w.lastMessages(p.ID, 2, 6, 10))
		w.Empty(w.lastMessages(p.ID, 2, math.MaxUint32, 10))
		w.Empty(w.lastMessages(99, 2, 0, 10))
	}},
	{"a message to the whole audience is everybody's", func(w *world) {
		p := w.create(w.unlisted())
		w.sendAll()
		w.Empty(w.lastMessages(p.ID, 1, 0, 10), "nobody is known")
		w.record(w.row(up(p.ID), "a", storage.Sent), w.row(up(p.ID), "b", storage.Sent), w.row(up(p.ID), "c", storage.Sent))
		w.Equal(map[uint32]string{1: up(p.ID), 2: up(p.ID)}, w.lastMessages(p.ID, 1, 1, 10))
	}},
	{"what EngageLab did not take is nobody's message", func(w *world) {
		for _, state := range []storage.DispatchState{storage.DispatchRefused, storage.DispatchUnanswered, storage.DispatchSkipped, storage.DispatchPending} {
			p := w.sentPush(2)
			w.now = w.now.Add(time.Hour)
			w.planStep(p, storage.DispatchDraft{DueTime: w.now, Recipients: ordinals(0, 2), ExpireTime: w.now.Add(time.Hour)})
			r := w.result(w.startOne(), state)
			r.Time = w.now.Add(24 * time.Hour)
			w.finish(r)
			w.Equal(map[uint32]string{0: up(p.ID), 1: up(p.ID)}, w.lastMessages(p.ID, 2, 0, 10), state)
		}
	}},
	{"who was passed over at the claim has the message before", func(w *world) {
		p := w.sentPush(3)
		w.planStep(p, storage.DispatchDraft{DueTime: w.now, Recipients: ordinals(0, 3)})
		c := w.claimOne()
		w.NoError(w.store.StartDispatch(w.ctx, storage.DispatchStart{ID: c.Dispatch.ID, Attempt: 1, Recipients: []uint32{1},
			PassedOver: storage.PassedOver{storage.ReasonMilestoneReached: {0, 2}}}))
		w.finish(w.result(c, storage.DispatchSent))
		w.Equal(map[uint32]string{0: up(p.ID), 1: upstream(c.Dispatch), 2: up(p.ID)}, w.lastMessages(p.ID, 2, 0, 10))
	}},
}
