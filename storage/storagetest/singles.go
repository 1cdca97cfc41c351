package storagetest

import (
	"fmt"
	"time"

	"susul.dev/susul/storage"
)

// single is what an ordinal gets of a batch here.
func single(ordinal uint32) storage.Single {
	return storage.Single{Content: fmt.Appendf(nil, "content for %d", ordinal), Override: fmt.Sprint("override-", ordinal)}
}

// singles is a draft of a batch of single messages.
func (w *world) singles(chunk int, ordinals ...uint32) storage.DispatchDraft {
	d := storage.DispatchDraft{Chunk: chunk, DueTime: w.now, ExpireTime: w.now.Add(time.Hour), Recipients: ordinals}
	for _, ordinal := range ordinals {
		d.Singles = append(d.Singles, single(ordinal))
	}
	return d
}

// planStep plans all of step 1 with the given dispatches.
func (w *world) planStep(p storage.Push, dispatches ...storage.DispatchDraft) {
	w.t.Helper()
	w.NoError(w.store.PlanStep(w.ctx, storage.StepPlan{PushID: p.ID, Step: 1, Through: uint32(p.Recipients), Done: true,
		Dispatches: dispatches, Time: w.now}))
}

// sentBatch is a sent push of n recipients with a batch to all of them planned as its step 1.
func (w *world) sentBatch(n int) storage.Push {
	w.t.Helper()
	p := w.sentPush(n)
	w.now = w.now.Add(time.Hour)
	w.planStep(p, w.singles(0, ordinals(0, n)...))
	return p
}

// took is a result of a single message that EngageLab took.
func took(ordinal uint32, upstreamID string) storage.SingleResult {
	return storage.SingleResult{Ordinal: ordinal, UpstreamID: upstreamID}
}

func refused(ordinal uint32) storage.SingleResult {
	return storage.SingleResult{Ordinal: ordinal, Refusal: refusal}
}

// resultOf is a batch's result in the given state.
func (w *world) resultOf(c storage.Claim, state storage.DispatchState, singles ...storage.SingleResult) storage.DispatchResult {
	return storage.DispatchResult{ID: c.Dispatch.ID, Attempt: c.Dispatch.Attempt, State: state, Time: w.now, Singles: singles}
}

func (w *world) history(push int64, registrationID string) storage.History {
	w.t.Helper()
	h, err := w.store.History(w.ctx, app, push, registrationID)
	w.NoError(err)
	return h
}

var singleCases = []testCase{
	{"a claim brings what each recipient of a batch gets", func(w *world) {
		p := w.sentPush(4)
		draft := w.singles(0, 3, 1)
		draft.Variant = "b"
		draft.Singles[1] = storage.Single{}
		w.planStep(p, draft)
		c := w.claimOne()
		w.Equal(draft, c.Dispatch.DispatchDraft)
		w.Equal(2, c.Dispatch.Units())
		w.Equal([]storage.Recipient{{Ordinal: 3, RegistrationID: id(3)}, {Ordinal: 1, RegistrationID: id(1)}}, c.Recipients)
		w.Equal(draft.Recipients, w.dispatches(p.ID)[1].Recipients)
		w.Nil(w.dispatches(p.ID)[1].Singles, "lists leave out what is large")
	}},
	{"callbacks of single messages are their step's", func(w *world) {
		p := w.sentBatch(3)
		c := w.startOne()
		// Numbers as EngageLab's, with leading zeros, and anything.
		names := []string{"1666165485030094861", "007", "x"}
		w.record(w.row(names[2], id(2), storage.Clicked), w.row("unknown", id(0), storage.Sent))
		w.Empty(w.events(storage.EventQuery{PushID: p.ID}), "it is not known yet")
		w.finish(w.resultOf(c, storage.DispatchSent, took(0, names[0]), took(1, names[1]), took(2, names[2])))
		w.Equal(storage.DispatchSent, w.dispatches(p.ID)[1].State)
		w.Equal(storage.CallbackSummary{New: 2, Repeated: 1, Held: 1}, w.record(w.row(names[0], id(0), storage.Delivered),
			w.row(names[1], id(1), storage.Displayed), w.row(names[2], id(2), storage.Clicked), w.row(names[1], "stranger", storage.Sent)))
		w.Equal(storage.Counts{Targets: 3, Sent: 3, Delivered: 3, Displayed: 2, Clicked: 1}, w.report(p.ID).Steps[1].Counts)
		w.Equal(storage.Counts{Targets: 3}, w.report(p.ID).Steps[0].Counts)
		w.store = w.open()
		for i, e := range w.events(storage.EventQuery{PushID: p.ID})[1:] {
			w.Equal(names[i], e.UpstreamID)
			w.Equal(id(i), e.RegistrationID)
			w.Equal(1, e.Step)
		}
		w.Equal(names[2], w.events(storage.EventQuery{RegistrationID: id(2)})[0].UpstreamID)
		w.Equal(storage.CallbackSummary{New: 1}, w.record(w.row(names[0], id(0), storage.Clicked)))
		w.Equal([]string{"unknown"}, w.stray())
		for _, name := range names {
			found, err := w.store.PushByUpstreamID(w.ctx, app, name)
			w.NoError(err)
			w.Equal(p.ID, found.ID)
			known, created, err := w.store.AdoptMessage(w.ctx, w.adoption(), name)
			w.NoError(err)
			w.False(created)
			w.Equal(p.ID, known.ID)
			_, err = w.store.PushByUpstreamID(w.ctx, otherApp, name)
			w.ErrorIs(err, storage.ErrNotFound)
		}
	}},
	{"a batch is tried again for those who have no result", func(w *world) {
		p := w.sentBatch(5)
		c := w.startOne()
		w.record(w.row("early", id(4), storage.Sent))
		retry := w.resultOf(c, storage.DispatchPending, took(4, "early"), refused(0), took(2, "m2"))
		retry.Time = w.now.Add(time.Minute)
		w.finish(retry)
		w.Equal(storage.CallbackSummary{New: 1}, w.record(w.row("m2", id(2), storage.Clicked)))
		w.Equal(storage.Counts{Targets: 5, Sent: 2, Delivered: 1, Displayed: 1, Clicked: 1, Failed: 1}, w.report(p.ID).Steps[1].Counts)
		w.Empty(w.claim())

		w.now = retry.Time
		again := w.startOne()
		w.Equal([]uint32{1, 3}, again.Dispatch.Recipients)
		w.Equal([]storage.Single{single(1), single(3)}, again.Dispatch.Singles)
		w.Equal([]storage.Recipient{{Ordinal: 1, RegistrationID: id(1)}, {Ordinal: 3, RegistrationID: id(3)}}, again.Recipients)
		w.finish(w.resultOf(again, storage.DispatchSending, took(3, "m3")))
		last := w.claimOne()
		w.Equal([]uint32{1}, last.Dispatch.Recipients)
		w.finish(w.resultOf(last, storage.DispatchSent, took(1, "m1")))
		w.Empty(w.claim())
		w.Equal(storage.CallbackSummary{New: 2}, w.record(w.row("m3", id(3), storage.Sent), w.row("m1", id(1), storage.Sent)))
		w.Equal(5, w.report(p.ID).Steps[1].Targets)
		w.checkRecount(p.ID)
	}},
	{"a refused single message fails its recipient", func(w *world) {
		p := w.sentBatch(3)
		c := w.startOne()
		w.now = w.now.Add(time.Second)
		w.finish(w.resultOf(c, storage.DispatchSent, refused(1), took(0, "m0"), took(2, "m2")))
		events := w.events(storage.EventQuery{PushID: p.ID})
		w.Len(events, 1)
		w.Equal(storage.Event{Sequence: events[0].Sequence, App: app, PushID: p.ID, Step: 1, ReceiveTime: w.now, Callback: storage.Callback{
			RegistrationID: id(1), Milestone: storage.Failed, Status: "refused", Time: w.now.Truncate(time.Second),
			ErrorCode: refusal.Code, ErrorMessage: refusal.Message,
		}}, events[0])
		w.Equal(refusal, w.history(p.ID, id(1)).Dispatches[1].Refusal)
		w.Nil(w.history(p.ID, id(0)).Dispatches[1].Refusal)
	}},
	{"a batch that is refused fails those who have no result", func(w *world) {
		p := w.sentBatch(4)
		c := w.startOne()
		r := w.resultOf(c, storage.DispatchRefused, took(1, "m1"), refused(2))
		r.Refusal = refusal
		w.finish(r)
		w.Equal(storage.PushActive, w.pushState(p.ID))
		w.Equal(storage.Counts{Targets: 4, Failed: 3}, w.report(p.ID).Steps[1].Counts)
		w.Empty(w.events(storage.EventQuery{RegistrationID: id(1)}))
	}},
	{"every end of a batch stores the results that are known", func(w *world) {
		for i, state := range []storage.DispatchState{
			storage.DispatchUnanswered, storage.DispatchExpired, storage.DispatchCancelled, storage.DispatchSkipped,
		} {
			p := w.sentBatch(3)
			name := fmt.Sprint("m", i)
			w.finish(w.resultOf(w.startOne(), state, took(1, name)))
			w.Equal(storage.CallbackSummary{New: 1}, w.record(w.row(name, id(1), storage.Clicked)))
			want := 1 // the other two did not get it
			if state == storage.DispatchUnanswered {
				want = 3
			}
			w.Equal(want, w.report(p.ID).Steps[1].Targets, state)
		}
		w.Empty(w.claim())
	}},
	{"what is passed over of a batch is not sent", func(w *world) {
		p := w.sentBatch(5)
		c := w.startOne()
		r := w.resultOf(c, storage.DispatchPending, took(0, "m0"))
		r.PassedOver = storage.PassedOver{storage.ReasonMilestoneReached: {3}}
		w.finish(r)
		again := w.claimOne()
		w.Equal([]uint32{1, 2, 4}, again.Dispatch.Recipients)
		w.NoError(w.store.StartDispatch(w.ctx, storage.DispatchStart{ID: again.Dispatch.ID, Attempt: again.Dispatch.Attempt,
			Recipients: []uint32{1, 4}, PassedOver: storage.PassedOver{storage.ReasonMinimumGap: {2}}}))
		w.finish(w.resultOf(again, storage.DispatchSending))
		again = w.claimOne()
		w.Equal([]uint32{1, 4}, again.Dispatch.Recipients)
		w.Equal([]storage.Single{single(1), single(4)}, again.Dispatch.Singles)
		w.finish(w.resultOf(again, storage.DispatchSent, took(4, "m4"), took(1, "m1")))
		step := w.report(p.ID).Steps[1]
		w.Equal(3, step.Targets)
		w.Equal(map[storage.Reason]int{storage.ReasonMilestoneReached: 1, storage.ReasonMinimumGap: 1}, step.PassedOver)
	}},
	{"an upstream id is one message's only", func(w *world) {
		p := w.sentBatch(2)
		c := w.startOne()
		for _, singles := range [][]storage.SingleResult{
			{took(0, "m"), took(1, "m")}, // twice in one
			{took(0, up(p.ID))},          // a dispatch's
		} {
			_, err := w.store.FinishDispatch(w.ctx, w.resultOf(c, storage.DispatchSent, singles...))
			w.ErrorIs(err, storage.ErrConflict)
		}
		_, err := w.store.PushByUpstreamID(w.ctx, app, "m")
		w.ErrorIs(err, storage.ErrNotFound, "what is refused changes nothing")
		w.Equal(storage.CallbackSummary{Held: 1}, w.record(w.row("m", id(1), storage.Sent)))
		w.finish(w.resultOf(c, storage.DispatchPending, took(0, "m")))
		c = w.claimOne()
		_, err = w.store.FinishDispatch(w.ctx, w.resultOf(c, storage.DispatchSent, took(1, "m")))
		w.ErrorIs(err, storage.ErrConflict)

		other := w.create(w.draft(1, 1))
		claims := w.claim()
		r := w.result(claims[0], storage.DispatchSent)
		r.UpstreamID = "m"
		_, err = w.store.FinishDispatch(w.ctx, r)
		w.ErrorIs(err, storage.ErrConflict)
		w.Equal([]storage.DispatchState{storage.DispatchClaimed}, w.states(other.ID))

		theirs := w.draft(1, 1) // another app's message may have it
		theirs.Push.App = otherApp
		w.create(theirs)
		claims, err = w.store.ClaimDispatches(w.ctx, storage.ClaimRequest{App: otherApp, Now: w.now, Lease: lease})
		w.NoError(err)
		r = w.result(claims[0], storage.DispatchSent)
		r.UpstreamID = "m"
		w.finish(r)
	}},
	{"a result that nobody waits for changes nothing", func(w *world) {
		p := w.sentBatch(2)
		c := w.startOne()
		w.finish(w.resultOf(c, storage.DispatchPending, took(0, "m0")))
		c = w.claimOne()
		for _, one := range []storage.SingleResult{took(0, "again"), took(9, "stranger"), {Ordinal: 1}, {Ordinal: 1, UpstreamID: "m", Refusal: refusal}} {
			_, err := w.store.FinishDispatch(w.ctx, w.resultOf(c, storage.DispatchSent, one))
			w.Error(err)
		}
		w.Equal(storage.DispatchClaimed, w.dispatches(p.ID)[1].State)
		w.finish(w.resultOf(c, storage.DispatchSent, took(1, "m1")))
		w.create(w.draft(1, 1))
		_, err := w.store.FinishDispatch(w.ctx, w.resultOf(w.claimOne(), storage.DispatchSent, took(0, "no batch")))
		w.Error(err)
	}},
	{"a draft with other single messages than recipients is refused", func(w *world) {
		p := w.sentPush(2)
		d := w.singles(0, 0, 1)
		d.Singles = d.Singles[:1]
		w.Error(w.store.PlanStep(w.ctx, storage.StepPlan{PushID: p.ID, Step: 1, Through: 2, Dispatches: []storage.DispatchDraft{d}}))
		w.Zero(w.step(p.ID, 1).NextOrdinal)
	}},
	{"a batch may be a first sending", func(w *world) {
		d := w.draft(2, 2)
		d.Dispatches[0].Singles = []storage.Single{single(0), single(1)}
		p := w.create(d)
		c := w.startOne()
		w.Equal(d.Dispatches[0], c.Dispatch.DispatchDraft)
		got := w.finish(w.resultOf(c, storage.DispatchSent, took(0, "m0"), took(1, "m1")))
		w.Equal(w.now, got.FirstSentTime)
		w.Equal(storage.StepScheduled, w.step(p.ID, 1).State)
		w.record(w.row("m1", id(1), storage.Clicked))
		w.Equal(1, w.report(p.ID).Steps[0].Clicked)
	}},
	{"single messages are forgotten with their push", func(w *world) {
		p := w.sentBatch(3)
		w.finish(w.resultOf(w.startOne(), storage.DispatchSent, took(0, "m0"), refused(1), took(2, "m2")))
		w.record(w.row("m2", id(2), storage.Clicked))
		w.NoError(w.store.CancelStep(w.ctx, p.ID, 2, storage.ReasonPolicyDeleted))
		before := w.report(p.ID)
		w.NoError(w.store.Close())
		w.store = w.open()
		w.forget(w.now.Add(time.Hour))
		w.Empty(w.recipients(p.ID))
		w.Equal(before, w.report(p.ID))
		w.Equal(storage.CallbackSummary{Held: 1}, w.record(w.row("m0", id(0), storage.Clicked)))
		w.Equal(before.Total, w.report(p.ID).Total)
		_, err := w.store.History(w.ctx, app, p.ID, id(0))
		w.ErrorIs(err, storage.ErrNotFound)
	}},
}
