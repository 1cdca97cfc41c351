package storagetest

import (
	"strings"
	"time"

	"susul.dev/susul/storage"
)

var callbackCases = []testCase{
	{"an event reads back as it was reported", func(w *world) {
		p := w.sentPush(2)
		c := w.row(up(p.ID), id(1), storage.Failed)
		c.ErrorCode, c.ErrorMessage, c.LossSource, c.Raw = 8001, "it's gone; \"really\"", "vivo", []byte(`{"to":"…"}`)
		w.Equal(storage.CallbackSummary{New: 1}, w.record(c))
		events := w.events(storage.EventQuery{})
		w.Len(events, 1)
		c.Raw = nil // kept only where the other fields don't say it all
		w.Equal(storage.Event{Sequence: events[0].Sequence, App: app, PushID: p.ID, ReceiveTime: w.now, Callback: c}, events[0])
		last, err := w.store.LastSequence(w.ctx)
		w.NoError(err)
		w.Equal(events[0].Sequence, last)
	}},
	{"nothing reported, nothing stored", func(w *world) {
		w.Zero(w.record())
		last, err := w.store.LastSequence(w.ctx)
		w.NoError(err)
		w.Zero(last)
	}},
	{"what comes several times counts once", func(w *world) {
		p := w.sentPush(3)
		c := w.row(up(p.ID), id(0), storage.Delivered)
		w.Equal(storage.CallbackSummary{New: 2, Repeated: 2}, w.record(c, c, w.row(up(p.ID), id(1), storage.Delivered), c))
		late := c
		late.Time, late.Channel = w.now.Add(time.Minute), "APNS"
		w.Equal(storage.CallbackSummary{Repeated: 1}, w.record(late))
		w.Len(w.events(storage.EventQuery{}), 2)
		w.Equal(storage.Counts{Targets: 3, Sent: 2, Delivered: 2}, w.report(p.ID).Total)
	}},
	{"a milestone by another name is the same", func(w *world) {
		p := w.sentPush(1)
		a, b := w.row(up(p.ID), id(0), storage.Clicked), w.row(up(p.ID), id(0), storage.Clicked)
		a.Status, b.Status = "click", "clicked"
		w.Equal(storage.CallbackSummary{New: 1, Repeated: 1}, w.record(a, b))
		w.Equal(1, w.report(p.ID).Total.Clicked)
		events := w.events(storage.EventQuery{})
		w.Len(events, 1)
		w.Equal("click", events[0].Status)
	}},
	{"failures of several names are several events and one count", func(w *world) {
		p := w.sentPush(1)
		a, b := w.row(up(p.ID), id(0), storage.Failed), w.row(up(p.ID), id(0), storage.Failed)
		a.Status, b.Status = "sent_failed", "target_invalid"
		w.Equal(storage.CallbackSummary{New: 2, Repeated: 1}, w.record(a, b, a))
		w.Equal(storage.CallbackSummary{Repeated: 2}, w.record(b, a))
		w.Equal(1, w.report(p.ID).Total.Failed)
		w.Len(w.events(storage.EventQuery{}), 2)
	}},
	{"times beyond every clock are kept", func(w *world) {
		p := w.sentPush(2)
		early, late := w.row(up(p.ID), id(0), storage.Sent), w.row(up(p.ID), id(1), storage.Sent)
		early.Time = time.Date(1, 2, 3, 4, 5, 6, 0, time.UTC)
		late.Time = time.Date(9999, 2, 3, 4, 5, 6, 0, time.UTC)
		w.Equal(storage.CallbackSummary{New: 2, Repeated: 1}, w.record(early, late, early))
		events := w.events(storage.EventQuery{})
		w.Equal([]time.Time{early.Time, late.Time}, []time.Time{events[0].Time, events[1].Time})
		w.Len(w.events(storage.EventQuery{StartTime: late.Time}), 1)
		w.Len(w.events(storage.EventQuery{EndTime: w.now}), 1)
		w.Equal(2, w.report(p.ID).Total.Sent)
	}},
	{"implied milestones count once, in whatever order", func(w *world) {
		for _, order := range [][]storage.Milestone{
			{storage.Clicked, storage.Displayed, storage.Delivered, storage.Sent},
			{storage.Sent, storage.Delivered, storage.Displayed, storage.Clicked},
			{storage.Displayed, storage.Clicked},
			{storage.Clicked},
		} {
			p := w.sentPush(1)
			for _, m := range order {
				w.record(w.row(up(p.ID), id(0), m))
			}
			want := storage.Counts{Targets: 1, Sent: 1, Delivered: 1, Displayed: 1, Clicked: 1}
			w.Equal(want, w.report(p.ID).Total, "%v", order)
			w.Equal(want, w.report(p.ID).Steps[0].Counts, "%v", order)
			w.Equal(storage.MilestonesOf(storage.Clicked).Implied(), w.recipients(p.ID)[0].Progress.At(0))
		}
	}},
	{"progress keeps what was reported, not what that implies", func(w *world) {
		p := w.sentPush(1)
		w.record(w.row(up(p.ID), id(0), storage.Clicked))
		w.Equal(storage.Progress(0).With(0, storage.Clicked), w.recipients(p.ID)[0].Progress)
	}},
	{"an unknown status is kept and changes no progress", func(w *world) {
		p := w.sentPush(1)
		c := w.row(up(p.ID), id(0), storage.MilestoneUnknown)
		c.Status, c.Raw = "levitated", []byte(strings.Repeat("x", storage.MaxRaw+1))
		w.Equal(storage.CallbackSummary{New: 1}, w.record(c))
		w.Equal(storage.CallbackSummary{Repeated: 1}, w.record(c))
		events := w.events(storage.EventQuery{})
		w.Len(events, 1)
		w.Equal("levitated", events[0].Status)
		w.Equal(c.Raw[:storage.MaxRaw], events[0].Raw)
		w.Equal(storage.Counts{Targets: 1}, w.report(p.ID).Total)
		w.Zero(w.recipients(p.ID)[0].Progress)
	}},
	{"steps count apart, the chain counts once", func(w *world) {
		p := w.sentPush(2)
		w.now = w.now.Add(time.Hour)
		w.NoError(w.store.PlanStep(w.ctx, storage.StepPlan{PushID: p.ID, Step: 1, Through: 2, Done: true,
			Dispatches: []storage.DispatchDraft{{DueTime: w.now, Recipients: ordinals(0, 2)}}}))
		w.sendAll()
		followUp := upstream(storage.Dispatch{PushID: p.ID, Step: 1})
		w.Equal(storage.CallbackSummary{New: 3}, w.record(
			w.row(up(p.ID), id(0), storage.Delivered),
			w.row(followUp, id(0), storage.Delivered),
			w.row(followUp, id(1), storage.Clicked)))
		r := w.report(p.ID)
		w.Equal(storage.Counts{Targets: 2, Sent: 1, Delivered: 1}, r.Steps[0].Counts)
		w.Equal(storage.Counts{Targets: 2, Sent: 2, Delivered: 2, Displayed: 1, Clicked: 1}, r.Steps[1].Counts)
		w.Equal(storage.Counts{Targets: 2, Sent: 2, Delivered: 2, Displayed: 1, Clicked: 1}, r.Total)
	}},
	{"a push that is not listed gains recipients", func(w *world) {
		p := w.create(w.unlisted())
		w.sendAll()
		w.Equal(storage.CallbackSummary{New: 3, Repeated: 1}, w.record(
			w.row(up(p.ID), "b", storage.Sent), w.row(up(p.ID), "a", storage.Sent),
			w.row(up(p.ID), "b", storage.Clicked), w.row(up(p.ID), "b", storage.Sent)))
		w.Equal(storage.CallbackSummary{New: 2}, w.record(
			w.row(up(p.ID), "a", storage.Delivered), w.row(up(p.ID), "c", storage.Sent)))
		list := w.recipients(p.ID)
		w.Len(list, 3)
		seen := map[string]bool{}
		for i, r := range list {
			w.Equal(uint32(i), r.Ordinal)
			seen[r.RegistrationID] = true
		}
		w.Equal(map[string]bool{"a": true, "b": true, "c": true}, seen)
		r := w.report(p.ID)
		w.Equal(3, r.Push.Recipients)
		w.Equal(storage.Counts{Targets: 3, Sent: 3, Delivered: 2, Displayed: 1, Clicked: 1}, r.Total)
		w.Equal(r.Total, r.Steps[0].Counts)
	}},
	{"another app's upstream id is not touched", func(w *world) {
		p := w.sentPush(1)
		summary, err := w.store.RecordCallbacks(w.ctx, otherApp, w.now, []storage.Callback{w.row(up(p.ID), id(0), storage.Clicked)})
		w.NoError(err)
		w.Equal(storage.CallbackSummary{Held: 1}, summary)
		w.Empty(w.events(storage.EventQuery{}))
		w.Zero(w.report(p.ID).Total.Clicked)
	}},
	{"odd characters are kept apart", func(w *world) {
		d := w.draft(0, 1)
		d.Recipients = []string{"%", "_", "'", `"`, "a", "A", "é", "e\u0301", " a", `\`, "[1]"}
		d.Dispatches = []storage.DispatchDraft{{DueTime: w.now, Recipients: ordinals(0, len(d.Recipients))}}
		p := w.create(d)
		w.sendAll()
		for i, registrationID := range d.Recipients {
			w.Equal(storage.CallbackSummary{New: 1}, w.record(w.row(up(p.ID), registrationID, storage.Sent)), registrationID)
			found, err := w.store.FindRecipients(w.ctx, p.ID, []string{registrationID})
			w.NoError(err)
			w.Len(found, 1)
			w.Equal(uint32(i), found[0].Ordinal)
			w.Len(w.events(storage.EventQuery{RegistrationID: registrationID}), 1)
		}
	}},
}
