package storagetest

import (
	"sync"
	"time"

	"susul.dev/susul/storage"
)

// adoption returns a push as it is made for a message that EngageLab took from somebody else.
func (w *world) adoption() storage.PushDraft {
	d := w.unlisted()
	d.Dispatches = nil
	d.Push.External = true
	d.Push.FirstSentTime = w.now.Add(-time.Minute)
	return d
}

func (w *world) adopt(d storage.PushDraft, upstreamID string) storage.Push {
	w.t.Helper()
	p, created, err := w.store.AdoptMessage(w.ctx, d, upstreamID)
	w.NoError(err)
	w.True(created)
	return p
}

// stray returns the upstream ids of app's stray messages that were held for a moment.
func (w *world) stray() []string {
	w.t.Helper()
	messages, err := w.store.StrayMessages(w.ctx, app, w.now.Add(time.Millisecond), 100)
	w.NoError(err)
	var ids []string
	for _, m := range messages {
		ids = append(ids, m.UpstreamID)
	}
	return ids
}

var adoptionCases = []testCase{
	{"a message that nobody here sent is stray", func(w *world) {
		w.Empty(w.stray())
		first := w.row("theirs", "a", storage.Clicked)
		first.Raw = []byte("raw")
		first.Time = w.now.Add(-time.Hour)
		w.record(first)
		received := w.now
		w.now = w.now.Add(time.Minute)
		second := w.row("theirs", "b", storage.Sent)
		second.Raw = []byte("raw")
		w.record(second, w.row("others", "b", storage.Sent))
		messages, err := w.store.StrayMessages(w.ctx, app, w.now.Add(time.Second), 100)
		w.NoError(err)
		w.Equal([]storage.StrayMessage{
			{UpstreamID: "theirs", FirstTime: first.Time, Raw: []byte("raw")},
			{UpstreamID: "others", FirstTime: w.now.Truncate(time.Second)},
		}, messages)
		messages, err = w.store.StrayMessages(w.ctx, app, w.now.Add(time.Second), 1)
		w.NoError(err)
		w.Len(messages, 1)
		messages, err = w.store.StrayMessages(w.ctx, app, received, 100)
		w.NoError(err)
		w.Empty(messages, "they may be explained yet")
		messages, err = w.store.StrayMessages(w.ctx, otherApp, w.now.Add(time.Second), 100)
		w.NoError(err)
		w.Empty(messages)
	}},
	{"a row without an id and a stranger in a listed push are not stray", func(w *world) {
		p := w.sentPush(1)
		w.record(w.row("", "a", storage.Sent), w.row("theirs", "", storage.Sent), w.row(up(p.ID), "stranger", storage.Sent))
		w.Empty(w.stray())
	}},
	{"a message that may be a dispatch's on its way is not stray", func(w *world) {
		w.record(w.row("theirs", "a", storage.Sent))
		w.now = w.now.Add(time.Second)
		p := w.create(w.unlisted())
		c := w.startOne()
		w.record(w.row(up(p.ID), "a", storage.Sent))
		w.Equal([]string{"theirs"}, w.stray(), "it was there before the dispatch was claimed")
		w.finish(storage.DispatchResult{ID: c.Dispatch.ID, Attempt: c.Dispatch.Attempt, State: storage.DispatchSending, Time: w.now})
		w.now = w.now.Add(time.Hour)
		c = w.claimOne()
		w.Equal([]string{"theirs"}, w.stray(), "the first try may have been the one")
		w.finish(w.result(c, storage.DispatchSent))
		w.Equal([]string{"theirs"}, w.stray())
		w.Equal(1, w.report(p.ID).Total.Sent)
	}},
	{"what a dispatch ended without is stray", func(w *world) {
		w.create(w.unlisted())
		c := w.startOne()
		w.record(w.row("theirs", "a", storage.Sent))
		w.Empty(w.stray())
		w.finish(w.result(c, storage.DispatchUnanswered))
		w.Equal([]string{"theirs"}, w.stray())
	}},
	{"an adopted message is a push like any other", func(w *world) {
		w.record(w.row("theirs", "a", storage.Sent), w.row("theirs", "b", storage.Clicked), w.row("others", "a", storage.Sent))
		draft := w.adoption()
		p := w.adopt(draft, "theirs")
		w.Equal(draft.Push.ID, p.ID)
		w.True(p.External)
		w.False(p.Listed)
		w.Equal(storage.PushActive, p.State)
		w.Equal(draft.Push.FirstSentTime, p.FirstSentTime)
		w.Equal(2, p.Recipients)
		w.Equal([]string{"others"}, w.stray())

		w.Equal(storage.CallbackSummary{New: 1, Repeated: 1}, w.record(
			w.row("theirs", "c", storage.Sent), w.row("theirs", "b", storage.Clicked)))
		report := w.report(p.ID)
		w.Equal(storage.Counts{Targets: 3, Sent: 3, Delivered: 1, Displayed: 1, Clicked: 1}, report.Total)
		w.Equal([]storage.DispatchState{storage.DispatchSent}, w.states(p.ID))
		w.Len(w.events(storage.EventQuery{PushID: p.ID}), 3)
		w.Len(report.Steps, 3)
		for _, step := range report.Steps[1:] {
			w.Equal(storage.StepScheduled, step.State)
			w.Equal(p.FirstSentTime.Add(step.Offset), step.DueTime)
		}
		w.Empty(w.claim())

		w.store = w.open()
		again, err := w.store.GetPush(w.ctx, app, p.ID)
		w.NoError(err)
		w.True(again.External)
	}},
	{"a message is adopted once", func(w *world) {
		p := w.adopt(w.adoption(), "theirs")
		again, created, err := w.store.AdoptMessage(w.ctx, w.adoption(), "theirs")
		w.NoError(err)
		w.False(created)
		w.Equal(p, again)

		sent := w.create(w.unlisted())
		w.sendAll()
		known, created, err := w.store.AdoptMessage(w.ctx, w.adoption(), up(sent.ID))
		w.NoError(err)
		w.False(created)
		w.Equal(sent.ID, known.ID)
		w.False(known.External)

		taken := w.adoption()
		taken.Push.ID = p.ID
		_, _, err = w.store.AdoptMessage(w.ctx, taken, "another")
		w.ErrorIs(err, storage.ErrConflict)
		list, err := w.store.ListPushes(w.ctx, storage.PushQuery{App: app})
		w.NoError(err)
		w.Len(list, 2)
	}},
	{"adopters and callbacks that race store all of it once", func(w *world) {
		const adopters, devices = 8, 40
		var wg sync.WaitGroup
		errs := make(chan error, adopters+devices)
		made := make(chan int64, adopters)
		for i := range devices {
			row := w.row("theirs", id(i), storage.Clicked)
			wg.Go(func() {
				_, err := w.store.RecordCallbacks(w.ctx, app, w.now, []storage.Callback{row})
				errs <- err
			})
		}
		for range adopters {
			draft := w.adoption()
			wg.Go(func() {
				p, created, err := w.store.AdoptMessage(w.ctx, draft, "theirs")
				if created {
					made <- p.ID
				}
				errs <- err
			})
		}
		wg.Wait()
		close(errs)
		close(made)
		for err := range errs {
			w.NoError(err)
		}
		w.Len(made, 1)
		w.Equal(devices, w.report(<-made).Total.Clicked)
		w.Len(w.events(storage.EventQuery{}), devices)
	}},
	{"a push is found by the upstream id of any of its dispatches", func(w *world) {
		p := w.create(w.draft(2, 1))
		_, err := w.store.PushByUpstreamID(w.ctx, app, up(p.ID))
		w.ErrorIs(err, storage.ErrNotFound)
		w.sendAll()
		for chunk := range 2 {
			found, err := w.store.PushByUpstreamID(w.ctx, app, chunkID(p.ID, chunk))
			w.NoError(err)
			w.Equal(p.ID, found.ID)
		}
		for _, unknown := range []struct{ app, id string }{{otherApp, up(p.ID)}, {app, ""}, {app, "nobody's"}} {
			_, err := w.store.PushByUpstreamID(w.ctx, unknown.app, unknown.id)
			w.ErrorIs(err, storage.ErrNotFound)
		}
	}},
	{"an earlier leader adopts nothing", func(w *world) {
		old := w.store
		w.NoError(old.Lead(w.ctx, 1))
		w.store = w.open()
		w.NoError(w.store.Lead(w.ctx, 2))
		_, _, err := old.AdoptMessage(w.ctx, w.adoption(), "theirs")
		w.ErrorIs(err, storage.ErrFenced)
	}},
}
