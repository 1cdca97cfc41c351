package storagetest

import (
	"time"

	"susul.dev/susul/storage"
)

var historyCases = []testCase{
	{"a history tells a recipient's whole way", func(w *world) {
		p := w.sentPush(4)
		w.now = w.now.Add(time.Hour)
		planned := w.now
		plan := storage.StepPlan{PushID: p.ID, Step: 1, Through: 4, Done: true, Time: planned, Dispatches: []storage.DispatchDraft{
			{Chunk: 0, DueTime: w.now, Recipients: []uint32{2, 0}, Variant: "a", PlainContent: true, Content: []byte("plain"), Override: up(p.ID)},
			w.singles(1, 1),
		}, PassedOver: storage.PassedOver{storage.ReasonQuietHours: {3}}}
		w.NoError(w.store.PlanStep(w.ctx, plan))
		w.now = w.now.Add(time.Minute)
		claims := w.claim()
		claimed := w.now
		w.now = w.now.Add(time.Second)
		w.NoError(w.store.StartDispatch(w.ctx, storage.DispatchStart{ID: claims[0].Dispatch.ID, Attempt: 1, Recipients: []uint32{2},
			PassedOver: storage.PassedOver{storage.ReasonMilestoneReached: {0}}}))
		w.finish(w.result(claims[0], storage.DispatchSent))
		w.start(claims[1])
		w.finish(w.resultOf(claims[1], storage.DispatchSent, took(1, "m1")))
		w.record(w.row("m1", id(1), storage.Clicked))

		h := w.history(p.ID, id(2))
		w.Equal(w.report(p.ID).Push, h.Push)
		w.Equal(storage.Recipient{Ordinal: 2, RegistrationID: id(2)}, h.Recipient)
		w.Equal([]storage.Step{w.step(p.ID, 1), w.step(p.ID, 2)}, h.Steps)
		w.Empty(h.PassedOver)
		all := w.dispatches(p.ID)
		for i := range all {
			all[i].Recipients = nil
		}
		w.Equal(all[:2], h.Dispatches)
		w.Equal([]time.Time{p.CreateTime, planned}, []time.Time{h.Dispatches[0].PlanTime, h.Dispatches[1].PlanTime})
		w.Equal("a", h.Dispatches[1].Variant)
		w.True(h.Dispatches[1].PlainContent)
		w.Equal(up(p.ID), h.Dispatches[1].Override)
		w.Equal(1, w.report(p.ID).Steps[1].PlainContent)

		h = w.history(p.ID, id(1))
		w.Equal(storage.Progress(0).With(1, storage.Clicked), h.Recipient.Progress)
		w.Len(h.Dispatches, 2)
		mine := h.Dispatches[1]
		w.Equal(all[2].ID, mine.ID)
		w.Equal("m1", mine.UpstreamID)
		w.Equal(single(1).Content, mine.Content)
		w.Equal(single(1).Override, mine.Override)
		w.Nil(mine.Recipients)
		w.Nil(mine.Singles)

		w.Equal([]storage.PassedOverOnce{{Step: 1, Reason: storage.ReasonMilestoneReached, Time: claimed}}, w.history(p.ID, id(0)).PassedOver)
		h = w.history(p.ID, id(3))
		w.Equal([]storage.PassedOverOnce{{Step: 1, Reason: storage.ReasonQuietHours, Time: planned}}, h.PassedOver)
		w.Len(h.Dispatches, 1)
	}},
	{"a history of the whole audience", func(w *world) {
		p := w.create(w.unlisted())
		w.sendAll()
		w.record(w.row(up(p.ID), "a", storage.Displayed))
		h := w.history(p.ID, "a")
		w.True(h.Recipient.Progress.At(0).Has(storage.Displayed))
		w.Len(h.Dispatches, 1)
		_, err := w.store.History(w.ctx, app, p.ID, "b")
		w.ErrorIs(err, storage.ErrNotFound)
	}},
	{"nobody else's history is told", func(w *world) {
		p := w.sentPush(1)
		for _, absent := range []struct {
			app, id string
			push    int64
		}{{otherApp, id(0), p.ID}, {app, id(1), p.ID}, {app, id(0), 99}, {app, "", p.ID}} {
			_, err := w.store.History(w.ctx, absent.app, absent.push, absent.id)
			w.ErrorIs(err, storage.ErrNotFound)
		}
	}},
	{"a push may pass over some, or all", func(w *world) {
		d := w.draft(3, 3)
		d.Dispatches[0].Recipients = []uint32{1}
		d.PassedOver = storage.PassedOver{storage.ReasonInvalidDevice: {0, 2}}
		p := w.create(d)
		step := w.report(p.ID).Steps[0]
		w.Equal(1, step.Targets)
		w.Equal(map[storage.Reason]int{storage.ReasonInvalidDevice: 2}, step.PassedOver)
		w.Equal([]storage.PassedOverOnce{{Reason: storage.ReasonInvalidDevice, Time: w.now}}, w.history(p.ID, id(2)).PassedOver)
		w.Empty(w.history(p.ID, id(2)).Dispatches)
		w.Len(w.claim(), 1)

		all := w.draft(3, 3)
		all.Dispatches, all.Steps = nil, nil
		all.PassedOver = storage.PassedOver{storage.ReasonInvalidDevice: {0, 1, 2}}
		p = w.create(all)
		w.Equal(storage.PushActive, p.State)
		w.Empty(w.claim())
		report := w.report(p.ID)
		w.Len(report.Steps, 1)
		w.Zero(report.Steps[0].Targets)
		w.Equal(3, report.Total.Targets)
		w.forget(w.now.Add(time.Hour))
		w.Empty(w.recipients(p.ID))
	}},
	{"a large audience keeps who was passed over", func(w *world) {
		const devices = 25_000
		d := w.draft(devices, devices)
		d.PassedOver = storage.PassedOver{}
		d.Dispatches[0].Recipients = nil
		for o := range uint32(devices) {
			if o%3 == 0 {
				d.PassedOver[storage.ReasonInvalidDevice] = append(d.PassedOver[storage.ReasonInvalidDevice], o)
			} else {
				d.Dispatches[0].Recipients = append(d.Dispatches[0].Recipients, o)
			}
		}
		p := w.create(d)
		w.Equal(len(d.PassedOver[storage.ReasonInvalidDevice]), w.report(p.ID).Steps[0].PassedOver[storage.ReasonInvalidDevice])
		for i := range 30 {
			ordinal := i * 833
			w.Len(w.history(p.ID, id(ordinal)).PassedOver, []int{1, 0, 0}[ordinal%3], ordinal)
		}
	}},
	{"what is passed over is forgotten with the push", func(w *world) {
		p := w.sentPush(1)
		w.NoError(w.store.PlanStep(w.ctx, storage.StepPlan{PushID: p.ID, Step: 1, Through: 1, Done: true,
			PassedOver: storage.PassedOver{storage.ReasonHoldout: {0}}}))
		w.NoError(w.store.CancelStep(w.ctx, p.ID, 2, storage.ReasonPolicyDeleted))
		w.forget(w.now.Add(time.Hour))
		w.Zero(w.outcomes(p.ID).HeldOut)
		w.Equal(1, w.report(p.ID).Steps[1].PassedOver[storage.ReasonHoldout], "the report stays")
	}},
	{"a deferred dispatch goes to those who are left, and expires later", func(w *world) {
		p := w.create(w.draft(4, 4))
		r := w.result(w.claimOne(), storage.DispatchPending)
		r.Time, r.ExpireTime = w.now.Add(5*time.Hour), w.now.Add(6*time.Hour)
		r.PassedOver = storage.PassedOver{storage.ReasonFrequencyCap: {1}, storage.ReasonMinimumGap: {3}}
		w.finish(r)
		step := w.report(p.ID).Steps[0]
		w.Equal(2, step.Targets)
		w.Equal(map[storage.Reason]int{storage.ReasonFrequencyCap: 1, storage.ReasonMinimumGap: 1}, step.PassedOver)
		w.Equal([]storage.PassedOverOnce{{Reason: storage.ReasonMinimumGap, Time: w.now}}, w.history(p.ID, id(3)).PassedOver)
		w.now = r.Time
		c := w.claimOne()
		w.Equal([]uint32{0, 2}, c.Dispatch.Recipients)
		w.Equal(r.ExpireTime, c.Dispatch.ExpireTime)
		again := w.result(c, storage.DispatchPending)
		w.finish(again)
		w.Equal(r.ExpireTime, w.dispatches(p.ID)[0].ExpireTime, "without a time it stays")
	}},
}

func (w *world) queue(push int64) storage.Queue {
	w.t.Helper()
	q, err := w.store.Queue(w.ctx, app, push)
	w.NoError(err)
	return q
}

var queueCases = []testCase{
	{"a queue counts units, and what is claimed before", func(w *world) {
		w.Zero(w.queue(99))
		p := w.sentPush(5)
		w.Zero(w.queue(p.ID))
		due := w.now.Add(time.Hour)
		drafts := []storage.DispatchDraft{w.singles(0, 0, 1, 2), {Chunk: 1, Recipients: []uint32{3, 4}}}
		drafts[0].DueTime, drafts[1].DueTime = due, due.Add(time.Minute)
		w.planStep(p, drafts...)
		w.Equal(storage.Queue{Units: 4, DueTime: due.Add(time.Minute)}, w.queue(p.ID))

		fresh := w.create(w.draft(3, 1)) // two are blocked; it goes before any follow-up
		w.Equal(storage.Queue{Units: 3, DueTime: w.now}, w.queue(fresh.ID))
		w.Equal(3, w.queue(p.ID).Ahead)
		later := w.draft(2, 1)
		for i := range later.Dispatches {
			later.Dispatches[i].DueTime = w.now.Add(2 * time.Hour)
		}
		w.create(later)
		w.Equal(storage.Queue{Units: 2, Ahead: 3, DueTime: w.now.Add(2 * time.Hour)}, w.queue(later.Push.ID))
		w.Equal(5, w.queue(p.ID).Ahead)
		w.Zero(w.queue(fresh.ID).Ahead)

		other := w.draft(1, 1)
		other.Push.App = otherApp
		w.create(other)
		w.Zero(w.queue(other.Push.ID), "another app's")
		c := w.claimOne()
		w.Equal(3, w.queue(fresh.ID).Units, "what is claimed waits")
		w.start(c)
		w.Equal(2, w.queue(fresh.ID).Units)
		w.Equal(4, w.queue(p.ID).Ahead)
		w.finish(w.result(c, storage.DispatchSent))
		w.sendAll()
		w.Zero(w.queue(fresh.ID))
		w.Equal(2, w.queue(p.ID).Ahead)
	}},
	{"follow-ups wait for each other by due time", func(w *world) {
		a, b := w.sentPush(3), w.sentPush(3)
		for i, p := range []storage.Push{a, b} {
			batch := w.singles(0, 0, 1, 2)
			batch.DueTime = w.now.Add(time.Duration(i) * time.Minute)
			w.planStep(p, batch)
		}
		w.Zero(w.queue(a.ID).Ahead)
		w.Equal(3, w.queue(b.ID).Ahead)
		c := w.startOne()
		r := w.resultOf(c, storage.DispatchPending, took(0, "m0"))
		w.finish(r)
		w.Equal(2, w.queue(a.ID).Units, "what has a result costs nothing more")
		w.Equal(2, w.queue(b.ID).Ahead)
		r = w.resultOf(w.claimOne(), storage.DispatchPending)
		r.PassedOver = storage.PassedOver{storage.ReasonMinimumGap: {1}}
		w.finish(r)
		w.Equal(1, w.queue(a.ID).Units)
	}},
}
