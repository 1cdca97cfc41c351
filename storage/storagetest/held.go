package storagetest

import (
	"sync"
	"time"

	"susul.dev/susul/storage"
)

var heldCases = []testCase{
	{"a callback that overtakes its upstream id is applied later", func(w *world) {
		p := w.create(w.draft(2, 2))
		c := w.claimOne()
		raw := w.row(up(p.ID), id(1), storage.MilestoneUnknown)
		raw.Raw = []byte("raw")
		w.Equal(storage.CallbackSummary{Held: 4}, w.record(
			w.row(up(p.ID), id(0), storage.Sent), w.row(up(p.ID), id(0), storage.Clicked), raw,
			w.row(up(p.ID), id(0), storage.Sent)))
		w.Equal(storage.CallbackSummary{Held: 1}, w.record(w.row(up(p.ID), id(0), storage.Sent)))
		w.Zero(w.report(p.ID).Total.Sent)
		w.Empty(w.events(storage.EventQuery{}))
		received := w.now
		w.now = w.now.Add(lease / 2)
		w.finish(w.result(c, storage.DispatchSent))

		events := w.events(storage.EventQuery{PushID: p.ID})
		w.Len(events, 3)
		for _, e := range events {
			w.Equal(received, e.ReceiveTime)
			w.Equal(up(p.ID), e.UpstreamID)
		}
		w.Equal([]byte("raw"), events[2].Raw)
		w.Equal(storage.Counts{Targets: 2, Sent: 1, Delivered: 1, Displayed: 1, Clicked: 1}, w.report(p.ID).Total)
		w.Equal(storage.CallbackSummary{Repeated: 1}, w.record(w.row(up(p.ID), id(0), storage.Sent)))
	}},
	{"held callbacks bring a push that is not listed its recipients", func(w *world) {
		p := w.create(w.unlisted())
		c := w.claimOne()
		w.record(w.row(up(p.ID), "a", storage.Sent), w.row(up(p.ID), "b", storage.Sent))
		got := w.finish(w.result(c, storage.DispatchSent))
		w.Equal(2, got.Recipients)
		w.Equal(storage.Counts{Targets: 2, Sent: 2}, w.report(p.ID).Total)
	}},
	{"who is not in a listed push is held for good", func(w *world) {
		p := w.create(w.draft(1, 1))
		c := w.claimOne()
		stranger := w.row(up(p.ID), "stranger", storage.Clicked)
		w.Equal(storage.CallbackSummary{Held: 1}, w.record(stranger))
		w.finish(w.result(c, storage.DispatchSent))
		w.Equal(storage.CallbackSummary{Held: 1, New: 1}, w.record(stranger, w.row(up(p.ID), id(0), storage.Sent)))
		w.Len(w.events(storage.EventQuery{}), 1)
		w.Len(w.recipients(p.ID), 1)
		w.Equal(storage.Counts{Targets: 1, Sent: 1}, w.report(p.ID).Total)
	}},
	{"a row without an id is held", func(w *world) {
		p := w.create(w.unlisted())
		w.sendAll()
		w.Equal(storage.CallbackSummary{Held: 2}, w.record(w.row(up(p.ID), "", storage.Sent), w.row("", "a", storage.Sent)))
		w.Empty(w.recipients(p.ID))
	}},
	{"held rows of other upstream ids and apps stay", func(w *world) {
		first, second := w.create(w.draft(1, 1)), w.create(w.draft(1, 1))
		claims := w.claim()
		w.record(w.row(up(first.ID), id(0), storage.Sent), w.row(up(second.ID), id(0), storage.Sent))
		_, err := w.store.RecordCallbacks(w.ctx, otherApp, w.now, []storage.Callback{w.row(up(first.ID), id(0), storage.Clicked)})
		w.NoError(err)
		w.finish(w.result(claims[0], storage.DispatchSent))
		w.Equal(storage.Counts{Targets: 1, Sent: 1}, w.report(first.ID).Total)
		w.Zero(w.report(second.ID).Total.Sent)
		w.finish(w.result(claims[1], storage.DispatchSent))
		w.Equal(1, w.report(second.ID).Total.Sent)
	}},
	{"held callbacks come the longest held first, in pages, per app and reason", func(w *world) {
		p := w.create(w.draft(1, 1))
		w.sendAll()
		failure := w.row("up-other", "b", storage.Failed)
		failure.ErrorCode, failure.ErrorMessage, failure.LossSource, failure.Raw = 7, "gone", "vivo", []byte("{}")
		w.record(w.row("up-other", "a", storage.Sent), w.row(up(p.ID), "stranger", storage.Clicked))
		first := w.now
		w.now = w.now.Add(time.Minute)
		w.record(w.row(up(p.ID), id(0), storage.Sent), failure, w.row("up-other", "a", storage.Sent), w.row("", "c", storage.Sent))
		_, err := w.store.RecordCallbacks(w.ctx, otherApp, w.now, []storage.Callback{w.row("up-other", "a", storage.Sent)})
		w.NoError(err)

		whole := w.held(storage.HeldQuery{App: app})
		w.Equal([]string{"up-other a", up(p.ID) + " stranger", "up-other b", " c"}, heldNames(whole))
		for i, h := range whole {
			w.True(i == 0 || whole[i-1].ID < h.ID)
		}
		w.Equal(first, whole[0].ReceiveTime, "that it came again changes nothing")
		w.Equal(storage.HoldUnknownRecipient, whole[1].Reason)
		failure.Raw = nil
		failure.Time = failure.Time.UTC()
		w.Equal(storage.HeldCallback{ID: whole[2].ID, Reason: storage.HoldUnknownMessage, ReceiveTime: w.now, Callback: failure}, whole[2])

		for _, reason := range []storage.HoldReason{"", storage.HoldUnknownMessage, storage.HoldUnknownRecipient} {
			var want, paged []storage.HeldCallback
			for _, h := range whole {
				if reason == "" || h.Reason == reason {
					want = append(want, h)
				}
			}
			for q := (storage.HeldQuery{App: app, Reason: reason, Limit: 1}); ; q.After = paged[len(paged)-1].ID {
				page := w.held(q)
				if len(page) == 0 {
					break
				}
				w.Len(page, 1)
				paged = append(paged, page...)
			}
			w.Equal(want, paged)
		}
		w.Len(w.held(storage.HeldQuery{App: otherApp}), 1)
		w.Empty(w.held(storage.HeldQuery{App: "app-%"}))
		w.Empty(w.held(storage.HeldQuery{App: app, Reason: "OTHER"}))
	}},
	{"what is applied is held no more, what can't be has the other reason", func(w *world) {
		p := w.create(w.draft(1, 1))
		c := w.claimOne()
		w.record(w.row(up(p.ID), "stranger", storage.Sent), w.row(up(p.ID), id(0), storage.Sent))
		before := w.held(storage.HeldQuery{App: app, Reason: storage.HoldUnknownMessage})
		w.Equal([]string{up(p.ID) + " stranger", up(p.ID) + " " + id(0)}, heldNames(before))
		w.finish(w.result(c, storage.DispatchSent))
		after := w.held(storage.HeldQuery{App: app})
		w.Equal([]string{up(p.ID) + " stranger"}, heldNames(after))
		w.Equal(storage.HoldUnknownRecipient, after[0].Reason)
		w.Equal(before[0].ReceiveTime, after[0].ReceiveTime)
	}},
	{"callbacks that race with the upstream id all arrive", func(w *world) {
		const pushes, devices = 8, 40
		for range pushes {
			w.create(w.draft(devices, devices))
		}
		var wg sync.WaitGroup
		errs := make(chan error, pushes*(devices+1))
		for _, c := range w.claim() {
			for i := range devices {
				row := w.row(upstream(c.Dispatch), id(i), storage.Clicked)
				wg.Go(func() {
					_, err := w.store.RecordCallbacks(w.ctx, app, w.now, []storage.Callback{row})
					errs <- err
				})
			}
			wg.Go(func() {
				_, err := w.store.FinishDispatch(w.ctx, w.result(c, storage.DispatchSent))
				errs <- err
			})
		}
		wg.Wait()
		close(errs)
		for err := range errs {
			w.NoError(err)
		}
		for push := range int64(pushes) {
			w.Equal(devices, w.report(push+1).Total.Clicked)
		}
		w.Len(w.events(storage.EventQuery{}), pushes*devices)
	}},
}

func (w *world) held(q storage.HeldQuery) []storage.HeldCallback {
	w.t.Helper()
	list, err := w.store.ListHeldCallbacks(w.ctx, q)
	w.NoError(err)
	return list
}

// heldNames says what the callbacks name: a message and a recipient.
func heldNames(list []storage.HeldCallback) []string {
	var names []string
	for _, h := range list {
		names = append(names, h.UpstreamID+" "+h.RegistrationID)
	}
	return names
}
