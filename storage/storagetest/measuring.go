package storagetest

import (
	"time"

	"susul.dev/susul/storage"
)

func (w *world) outcomes(push int64) storage.Outcomes {
	w.t.Helper()
	o, err := w.store.Outcomes(w.ctx, push)
	w.NoError(err)
	return o
}

func (w *world) toMeasure(now time.Time) []int64 {
	w.t.Helper()
	steps, err := w.store.StepsToMeasure(w.ctx, now, 10)
	w.NoError(err)
	var pushes []int64
	for _, st := range steps {
		pushes = append(pushes, st.PushID)
	}
	return pushes
}

// planMeasured plans all of step 1, to be measured at a time.
func (w *world) planMeasured(p storage.Push, at time.Time) {
	w.t.Helper()
	plan := w.plan(p.ID, 0, 0, uint32(p.Recipients))
	plan.Done, plan.MeasureTime = true, at
	w.NoError(w.store.PlanStep(w.ctx, plan))
}

var measuringCases = []testCase{
	{"outcomes tell the groups of each step", func(w *world) {
		p := w.sentPush(12)
		w.Equal(storage.Outcomes{Steps: map[int]map[storage.Group]storage.ClickCount{}}, w.outcomes(p.ID))
		w.now = w.now.Add(time.Hour)
		plan := storage.StepPlan{PushID: p.ID, Step: 1, Through: 12, Done: true, Time: w.now, Dispatches: []storage.DispatchDraft{
			{Chunk: 0, DueTime: w.now, Recipients: []uint32{0, 1, 2}, Variant: "a"},
			{Chunk: 1, DueTime: w.now, Recipients: []uint32{3}, Variant: "a"},
			{Chunk: 2, DueTime: w.now, Recipients: []uint32{4}, Variant: "b"},
			w.singles(3, 5, 6, 7),
		}, PassedOver: storage.PassedOver{storage.ReasonHoldout: {8, 9}, storage.ReasonStepHoldout: {10}, storage.ReasonMilestoneReached: {11}}}
		plan.Dispatches[3].Variant = "b"
		w.NoError(w.store.PlanStep(w.ctx, plan))
		for _, c := range w.claim() {
			switch c.Dispatch.Chunk {
			case 0:
				w.NoError(w.store.StartDispatch(w.ctx, storage.DispatchStart{ID: c.Dispatch.ID, Attempt: 1, Recipients: []uint32{0, 2},
					PassedOver: storage.PassedOver{storage.ReasonMilestoneReached: {1}}}))
				w.finish(w.result(c, storage.DispatchSent))
			case 3:
				w.start(c)
				w.finish(w.resultOf(c, storage.DispatchSent, took(5, "m5"), refused(6), took(7, "m7")))
			case 1:
				w.start(c)
				w.finish(w.result(c, storage.DispatchRefused))
			default:
				w.start(c)
				w.finish(w.result(c, storage.DispatchSent))
			}
		}
		second := storage.StepPlan{PushID: p.ID, Step: 2, Through: 12, Done: true, Time: w.now,
			PassedOver: storage.PassedOver{storage.ReasonHoldout: {9, 10}}}
		second.Dispatches = []storage.DispatchDraft{{DueTime: w.now, Recipients: []uint32{0, 4}}}
		w.NoError(w.store.PlanStep(w.ctx, second))
		w.sendAll()
		w.record(w.row(up(p.ID), id(0), storage.Clicked), w.row(up(p.ID), id(1), storage.Clicked), w.row("m7", id(7), storage.Clicked), w.row("m5", id(5), storage.Displayed),
			w.row(up(p.ID), id(9), storage.Clicked), w.row(up(p.ID), id(11), storage.Clicked),
			w.row(upstream(storage.Dispatch{PushID: p.ID, Step: 2}), id(4), storage.Clicked))
		want := storage.Outcomes{
			Steps: map[int]map[storage.Group]storage.ClickCount{
				1: {{Variant: "a"}: {Recipients: 3, Clicked: 2}, {Variant: "b"}: {Recipients: 3, Clicked: 2},
					{Holdout: storage.ReasonHoldout}: {Recipients: 2, Clicked: 1}, {Holdout: storage.ReasonStepHoldout}: {Recipients: 1}},
				2: {{}: {Recipients: 2, Clicked: 2}, {Holdout: storage.ReasonHoldout}: {Recipients: 2, Clicked: 1}},
			},
			FollowedUp: storage.ClickCount{Recipients: 6, Clicked: 4},
			HeldOut:    storage.ClickCount{Recipients: 3, Clicked: 1},
		}
		w.Equal(want, w.outcomes(p.ID))
		w.NoError(w.store.Close())
		w.store = w.open()
		w.Equal(want, w.outcomes(p.ID), "from disk")
		w.record(w.row(up(p.ID), id(10), storage.Clicked))
		w.Equal(1, w.outcomes(p.ID).Steps[1][storage.Group{Holdout: storage.ReasonStepHoldout}].Clicked)
	}},
	{"a step that reached nobody has no groups", func(w *world) {
		p := w.sentPush(2)
		w.NoError(w.store.PlanStep(w.ctx, storage.StepPlan{PushID: p.ID, Step: 1, Through: 2, Done: true,
			PassedOver: storage.PassedOver{storage.ReasonMilestoneReached: {0, 1}}}))
		w.Equal(storage.Outcomes{Steps: map[int]map[storage.Group]storage.ClickCount{1: {}}}, w.outcomes(p.ID))
		w.Empty(w.outcomes(99).Steps)
	}},
	{"outcomes agree with a larger count", func(w *world) {
		const devices = 3000
		p := w.sentPush(devices)
		plan := storage.StepPlan{PushID: p.ID, Step: 1, Through: devices, Done: true, Time: w.now,
			Dispatches: []storage.DispatchDraft{{DueTime: w.now}}, PassedOver: storage.PassedOver{}}
		var rows []storage.Callback
		var want [2]storage.ClickCount
		for i := range devices {
			group := i * 7 % 11 % 2
			want[group].Recipients++
			if group == 0 {
				plan.Dispatches[0].Recipients = append(plan.Dispatches[0].Recipients, uint32(i))
			} else {
				plan.PassedOver[storage.ReasonHoldout] = append(plan.PassedOver[storage.ReasonHoldout], uint32(i))
			}
			if i%3 == 0 {
				want[group].Clicked++
				rows = append(rows, w.row(up(p.ID), id(i), storage.Clicked))
			}
		}
		w.NoError(w.store.PlanStep(w.ctx, plan))
		w.sendAll()
		w.record(rows...)
		o := w.outcomes(p.ID)
		w.Equal(want[0], o.FollowedUp)
		w.Equal(want[1], o.HeldOut)
	}},
	{"a step is measured once, when its time has come", func(w *world) {
		_, ok, err := w.store.NextMeasureTime(w.ctx)
		w.NoError(err)
		w.False(ok)
		a, b := w.sentPush(2), w.sentPush(2)
		w.planMeasured(b, w.now.Add(time.Hour))
		w.planMeasured(a, w.now.Add(2*time.Hour))
		next, ok, err := w.store.NextMeasureTime(w.ctx)
		w.NoError(err)
		w.True(ok)
		w.Equal(w.now.Add(time.Hour), next)
		w.Empty(w.toMeasure(next.Add(-time.Millisecond)))
		w.Equal([]int64{b.ID}, w.toMeasure(next))
		w.Equal([]int64{b.ID, a.ID}, w.toMeasure(next.Add(time.Hour)))
		w.Equal(next, w.step(b.ID, 1).MeasureTime)

		m := storage.Measurement{PushID: b.ID, Step: 1, PolicyUID: "policy", Key: "key", Time: next}
		w.NoError(w.store.RecordMeasurement(w.ctx, m))
		w.ErrorIs(w.store.RecordMeasurement(w.ctx, m), storage.ErrConflict)
		w.Zero(w.step(b.ID, 1).MeasureTime)
		w.Equal([]int64{a.ID}, w.toMeasure(next.Add(time.Hour)))
		m.Step = 2
		w.ErrorIs(w.store.RecordMeasurement(w.ctx, m), storage.ErrConflict, "it is not planned")
		m.Step = 7
		w.ErrorIs(w.store.RecordMeasurement(w.ctx, m), storage.ErrNotFound)
	}},
	{"the latest time of a step's slices counts, once all is planned", func(w *world) {
		p := w.sentPush(4)
		for i, at := range []time.Duration{time.Hour, 3 * time.Hour, 2 * time.Hour, 0} {
			plan := w.plan(p.ID, i, uint32(i), uint32(i+1))
			if plan.Done = i == 3; at > 0 {
				plan.MeasureTime = w.now.Add(at)
			}
			w.Empty(w.toMeasure(w.now.Add(24 * time.Hour)))
			w.NoError(w.store.PlanStep(w.ctx, plan))
		}
		w.Equal(w.now.Add(3*time.Hour), w.step(p.ID, 1).MeasureTime)
		w.Empty(w.toMeasure(w.now.Add(2 * time.Hour)))
		w.Len(w.toMeasure(w.now.Add(3*time.Hour)), 1)
	}},
	{"a cancelled step is not measured", func(w *world) {
		p := w.sentPush(4)
		plan := w.plan(p.ID, 0, 0, 2)
		plan.MeasureTime = w.now
		w.NoError(w.store.PlanStep(w.ctx, plan))
		w.NoError(w.store.CancelStep(w.ctx, p.ID, 1, storage.ReasonStepPaused))
		w.Zero(w.step(p.ID, 1).MeasureTime)
		w.Empty(w.toMeasure(w.now.Add(time.Hour)))
		_, ok, err := w.store.NextMeasureTime(w.ctx)
		w.NoError(err)
		w.False(ok)
	}},
	{"measurements of a key add up", func(w *world) {
		a, b := storage.Group{Variant: "a"}, storage.Group{Holdout: storage.ReasonHoldout}
		empty := storage.MeasuredTotal{Groups: map[storage.Group]storage.ClickCount{}}
		sum := func(uid, key string, since time.Time) storage.MeasuredTotal {
			total, err := w.store.SumMeasurements(w.ctx, uid, key, since)
			w.NoError(err)
			return total
		}
		w.Equal(empty, sum("policy", "key", time.Time{}))
		for i, m := range []storage.Measurement{
			{PolicyUID: "policy", Key: "key", Groups: map[storage.Group]storage.ClickCount{a: {Recipients: 10, Clicked: 1}, b: {Recipients: 5}}},
			{PolicyUID: "policy", Key: "key", Groups: map[storage.Group]storage.ClickCount{a: {Recipients: 20, Clicked: 4}}},
			{PolicyUID: "policy", Key: "other", Groups: map[storage.Group]storage.ClickCount{a: {Recipients: 100}}},
			{PolicyUID: "another", Key: "key", Groups: map[storage.Group]storage.ClickCount{a: {Recipients: 100}}},
			{PolicyUID: "policy", Key: "key"},
		} {
			p := w.sentPush(1)
			w.planMeasured(p, w.now)
			m.PushID, m.Step, m.Time = p.ID, 1, w.now.Add(time.Duration(i)*time.Minute)
			w.NoError(w.store.RecordMeasurement(w.ctx, m))
		}
		w.Equal(storage.MeasuredTotal{Pushes: 3, Groups: map[storage.Group]storage.ClickCount{
			a: {Recipients: 30, Clicked: 5}, b: {Recipients: 5}}}, sum("policy", "key", w.now))
		w.Equal(storage.MeasuredTotal{Pushes: 2, Groups: map[storage.Group]storage.ClickCount{
			a: {Recipients: 20, Clicked: 4}}}, sum("policy", "key", w.now.Add(time.Minute)))
		w.Equal(empty, sum("policy", "key", w.now.Add(time.Hour)))
		w.Equal(empty, sum("policy", "", w.now))
	}},
	{"a push with a step to measure keeps its recipients", func(w *world) {
		p := w.sentPush(2)
		w.planMeasured(p, w.now.Add(time.Hour))
		w.sendAll()
		w.NoError(w.store.CancelStep(w.ctx, p.ID, 2, storage.ReasonPolicyDeleted))
		w.forget(w.now.Add(time.Hour))
		w.Len(w.recipients(p.ID), 2)
		w.NoError(w.store.RecordMeasurement(w.ctx, storage.Measurement{PushID: p.ID, Step: 1, PolicyUID: "p", Key: "k", Time: w.now}))
		w.forget(w.now.Add(time.Hour))
		w.Empty(w.recipients(p.ID))
		total, err := w.store.SumMeasurements(w.ctx, "p", "k", w.now)
		w.NoError(err)
		w.Equal(1, total.Pushes, "what was learnt stays")
	}},
}
