package storagetest

import (
	"time"

	"susul.dev/susul/storage"
)

// plan is a slice of step 1 with one chunk for its recipients.
func (w *world) plan(push int64, chunk int, from, through uint32) storage.StepPlan {
	return storage.StepPlan{PushID: push, Step: 1, From: from, Through: through, Dispatches: []storage.DispatchDraft{
		{Chunk: chunk, DueTime: w.now, ExpireTime: w.now.Add(time.Hour), Recipients: ordinals(int(from), int(through))}}}
}

func (w *world) step(push int64, number int) storage.Step {
	w.t.Helper()
	return w.report(push).Steps[number].Step
}

// placesOf returns the pushes and numbers of steps.
func placesOf(steps []storage.Step) (places [][2]int64) {
	for _, st := range steps {
		places = append(places, [2]int64{st.PushID, int64(st.Number)})
	}
	return places
}

var planningCases = []testCase{
	{"steps are due in order", func(w *world) {
		next, ok, err := w.store.NextStepTime(w.ctx)
		w.NoError(err)
		w.False(ok)
		w.Zero(next)
		a := w.sentPush(1)
		w.now = w.now.Add(time.Minute)
		b := w.sentPush(1)
		w.create(w.draft(1, 1)) // its steps wait

		next, ok, err = w.store.NextStepTime(w.ctx)
		w.NoError(err)
		w.True(ok)
		w.Equal(w.now.Add(59*time.Minute), next)
		due, err := w.store.DueSteps(w.ctx, next.Add(-time.Millisecond), 10)
		w.NoError(err)
		w.Empty(due)
		due, err = w.store.DueSteps(w.ctx, w.now.Add(2*time.Hour), 10)
		w.NoError(err)
		w.Equal([][2]int64{{a.ID, 1}, {b.ID, 1}}, placesOf(due), "no step overtakes another")
		w.Equal(storage.Step{PushID: a.ID, Number: 1, State: storage.StepScheduled, Offset: time.Hour, DueTime: next}, due[0])
		due, err = w.store.DueSteps(w.ctx, w.now.Add(2*time.Hour), 1)
		w.NoError(err)
		w.Len(due, 1)

		w.NoError(w.store.HoldStep(w.ctx, a.ID, 1, w.now, w.now.Add(5*time.Hour)))
		w.NoError(w.store.CancelStep(w.ctx, b.ID, 1, storage.ReasonStepPaused))
		due, err = w.store.DueSteps(w.ctx, w.now.Add(4*time.Hour), 10)
		w.NoError(err)
		w.Equal([][2]int64{{b.ID, 2}}, placesOf(due))
		next, ok, err = w.store.NextStepTime(w.ctx)
		w.NoError(err)
		w.True(ok)
		w.Equal(due[0].DueTime, next)
	}},
	{"a plan is stored in slices, each once", func(w *world) {
		p := w.sentPush(10)
		first := w.plan(p.ID, 0, 0, 4)
		first.PassedOver = storage.PassedOver{storage.ReasonMilestoneReached: {3}}
		w.NoError(w.store.PlanStep(w.ctx, first))
		w.Equal(uint32(4), w.step(p.ID, 1).NextOrdinal)
		w.Equal(storage.StepScheduled, w.step(p.ID, 1).State)
		w.ErrorIs(w.store.PlanStep(w.ctx, first), storage.ErrConflict)
		w.ErrorIs(w.store.PlanStep(w.ctx, w.plan(p.ID, 1, 3, 10)), storage.ErrConflict)
		w.ErrorIs(w.store.PlanStep(w.ctx, w.plan(p.ID, 0, 4, 10)), storage.ErrConflict, "a chunk number used twice")

		last := w.plan(p.ID, 1, 4, 10)
		last.Done, last.PassedOver = true, storage.PassedOver{storage.ReasonMilestoneReached: {5, 9}}
		w.NoError(w.store.PlanStep(w.ctx, last))
		w.Equal(storage.StepPlanned, w.step(p.ID, 1).State)
		r := w.report(p.ID).Steps[1]
		w.Equal(map[storage.Reason]int{storage.ReasonMilestoneReached: 3}, r.PassedOver)
		w.Equal(map[storage.DispatchState]int{storage.DispatchPending: 2}, r.Dispatches)
		w.ErrorIs(w.store.PlanStep(w.ctx, w.plan(p.ID, 2, 10, 10)), storage.ErrConflict)
		w.Len(w.claim(), 2)
	}},
	{"a step that waits can't be planned, an absent one is not found", func(w *world) {
		p := w.create(w.draft(1, 1))
		w.ErrorIs(w.store.PlanStep(w.ctx, w.plan(p.ID, 0, 0, 1)), storage.ErrConflict)
		absent := w.plan(p.ID, 0, 0, 1)
		absent.Step = 7
		w.ErrorIs(w.store.PlanStep(w.ctx, absent), storage.ErrNotFound)
		w.ErrorIs(w.store.CancelStep(w.ctx, p.ID, 7, storage.ReasonPolicyPaused), storage.ErrNotFound)
	}},
	{"a cancelled step is neither due nor planned nor sent", func(w *world) {
		p := w.sentPush(4)
		w.NoError(w.store.PlanStep(w.ctx, w.plan(p.ID, 0, 0, 1)))
		claimed := w.claimOne()
		w.NoError(w.store.PlanStep(w.ctx, w.plan(p.ID, 1, 1, 2)))
		w.NoError(w.store.CancelStep(w.ctx, p.ID, 1, storage.ReasonPolicyPaused))
		st := w.step(p.ID, 1)
		w.Equal(storage.StepCancelled, st.State)
		w.Equal(storage.ReasonPolicyPaused, st.CancelReason)
		w.ErrorIs(w.store.PlanStep(w.ctx, w.plan(p.ID, 2, 2, 4)), storage.ErrConflict)
		w.ErrorIs(w.store.CancelStep(w.ctx, p.ID, 1, storage.ReasonPolicyPaused), storage.ErrConflict)
		w.Empty(w.claim())
		due, err := w.store.DueSteps(w.ctx, w.now.Add(90*time.Minute), 10)
		w.NoError(err)
		w.Empty(due)
		w.finish(w.result(claimed, storage.DispatchPending))
		w.Equal(storage.ReasonPolicyPaused, w.dispatches(p.ID)[1].Reason)
		w.Equal([]storage.DispatchState{storage.DispatchSent, storage.DispatchCancelled, storage.DispatchCancelled}, w.states(p.ID))
		w.NoError(w.store.CancelStep(w.ctx, p.ID, 2, storage.ReasonPolicyDeleted))
	}},
	{"a waiting step can be cancelled and stays so", func(w *world) {
		p := w.create(w.draft(1, 1))
		w.NoError(w.store.CancelStep(w.ctx, p.ID, 1, storage.ReasonPolicyDeleted))
		w.sendAll()
		w.Equal(storage.StepCancelled, w.step(p.ID, 1).State)
		w.Equal(storage.StepScheduled, w.step(p.ID, 2).State)
	}},
	{"planning resumes where it was after reopening", func(w *world) {
		p := w.sentPush(10)
		w.NoError(w.store.PlanStep(w.ctx, w.plan(p.ID, 0, 0, 4)))
		w.NoError(w.store.Close())
		w.store = w.open()
		due, err := w.store.DueSteps(w.ctx, w.now.Add(time.Hour), 10)
		w.NoError(err)
		w.Len(due, 1)
		w.Equal(uint32(4), due[0].NextOrdinal)
		rest, err := w.store.ScanRecipients(w.ctx, p.ID, due[0].NextOrdinal, 3)
		w.NoError(err)
		w.Equal([]storage.Recipient{
			{Ordinal: 4, RegistrationID: id(4)}, {Ordinal: 5, RegistrationID: id(5)}, {Ordinal: 6, RegistrationID: id(6)},
		}, rest)
		w.NoError(w.store.PlanStep(w.ctx, w.plan(p.ID, 1, 4, 10)))
	}},
}
