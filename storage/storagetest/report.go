package storagetest

import (
	"time"

	"susul.dev/susul/storage"
)

var reportCases = []testCase{
	{"a fresh push has targets and nothing else", func(w *world) {
		p := w.create(w.draft(3, 2))
		r := w.report(p.ID)
		w.Equal(p, r.Push)
		w.Equal(storage.Counts{Targets: 3}, r.Total)
		w.Equal(storage.StepReport{
			Step: storage.Step{PushID: p.ID, State: storage.StepPlanned}, Counts: storage.Counts{Targets: 3},
			PassedOver: map[storage.Reason]int{}, Unsent: map[storage.Reason]int{},
			Dispatches: map[storage.DispatchState]int{storage.DispatchPending: 1, storage.DispatchBlocked: 1},
		}, r.Steps[0])
		w.Equal(storage.StepReport{
			Step:       storage.Step{PushID: p.ID, Number: 2, State: storage.StepWaiting, Offset: 2 * time.Hour},
			PassedOver: map[storage.Reason]int{}, Unsent: map[storage.Reason]int{}, Dispatches: map[storage.DispatchState]int{},
		}, r.Steps[2])
	}},
	{"who got nothing has the reason of the request", func(w *world) {
		p := w.sentPush(6)
		w.now = w.now.Add(time.Hour)
		w.NoError(w.store.PlanStep(w.ctx, storage.StepPlan{PushID: p.ID, Step: 1, Through: 6, Done: true, Dispatches: []storage.DispatchDraft{
			{DueTime: w.now, Recipients: []uint32{0}}, {Chunk: 1, DueTime: w.now, Recipients: []uint32{1, 2}},
			{Chunk: 2, DueTime: w.now, Recipients: []uint32{3, 4}}, {Chunk: 3, DueTime: w.now, Recipients: []uint32{5}},
		}}))
		w.sendOne()
		claims := w.claim()
		superseded := w.result(claims[0], storage.DispatchCancelled)
		superseded.Reason = storage.ReasonSuperseded
		w.finish(superseded)
		expired := w.result(claims[1], storage.DispatchExpired)
		expired.Reason = storage.ReasonExpired
		w.finish(expired)
		step := w.report(p.ID).Steps[1]
		w.Equal(map[storage.Reason]int{storage.ReasonSuperseded: 2, storage.ReasonExpired: 2}, step.Unsent)
		w.Equal(2, step.Targets, "one is sent, one is claimed")
		w.Empty(step.PassedOver)
	}},
	{"reports equal a recount of the events", func(w *world) {
		const devices = 30
		p := w.sentPush(devices)
		other := w.sentPush(devices)
		w.now = w.now.Add(time.Hour)
		w.NoError(w.store.PlanStep(w.ctx, storage.StepPlan{PushID: p.ID, Step: 1, Through: devices, Done: true,
			PassedOver: storage.PassedOver{storage.ReasonMilestoneReached: ordinals(10, devices)},
			Dispatches: []storage.DispatchDraft{{DueTime: w.now, Recipients: ordinals(0, 10)}}}))
		w.sendAll()
		followUp := upstream(storage.Dispatch{PushID: p.ID, Step: 1})
		var rows []storage.Callback
		for i := range devices {
			rows = append(rows,
				w.row(up(p.ID), id(i), storage.Milestone(1+i%5)),
				w.row(up(p.ID), id(i), storage.Milestone(1+i%3)),
				w.row(up(other.ID), id(i), storage.Milestone(1+i%4)))
			if i < 10 {
				rows = append(rows, w.row(followUp, id(i), storage.Milestone(1+(i+2)%5)))
			}
		}
		w.record(rows...)
		w.record(rows[:40]...)
		for _, push := range []storage.Push{p, other} {
			w.checkRecount(push.ID)
		}
		w.Equal(10, w.report(p.ID).Steps[1].Targets)
		w.Equal(map[storage.Reason]int{storage.ReasonMilestoneReached: devices - 10}, w.report(p.ID).Steps[1].PassedOver)
	}},
}

// checkRecount compares a push's report and progress with a recount of its events.
func (w *world) checkRecount(push int64) {
	w.t.Helper()
	progress := map[string]storage.Progress{}
	for q := (storage.EventQuery{PushID: push, Limit: 1000}); ; {
		events := w.events(q)
		for _, e := range events {
			progress[e.RegistrationID] = progress[e.RegistrationID].With(e.Step, e.Milestone)
		}
		if len(events) < q.Limit {
			break
		}
		q.After = events[len(events)-1].Sequence
	}
	r := w.report(push)
	want := make([]storage.Counts, len(r.Steps))
	total := storage.Counts{Targets: r.Push.Recipients}
	for _, p := range progress {
		for i, st := range r.Steps {
			addAll(&want[i], p.At(st.Number))
		}
		addAll(&total, p.InAnyStep())
	}
	for i, st := range r.Steps {
		want[i].Targets = st.Targets
		w.Equal(want[i], st.Counts, "step %d", st.Number)
	}
	w.Equal(total, r.Total)
	for _, recipient := range w.recipients(push) {
		w.Equal(progress[recipient.RegistrationID], recipient.Progress, recipient.RegistrationID)
	}
}

func addAll(c *storage.Counts, set storage.Milestones) {
	for m := storage.Sent; m <= storage.Failed; m++ {
		if set.Has(m) {
			c.Add(m, 1)
		}
	}
}
