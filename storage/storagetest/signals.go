package storagetest

import (
	"slices"
	"time"

	"susul.dev/susul/storage"
)

// soon is how long a signal may take before a case gives up.
const soon = 10 * time.Second

func (w *world) signalled(signal <-chan struct{}, after ...any) {
	w.t.Helper()
	select {
	case <-signal:
	case <-time.After(soon):
		w.Fail("no signal came", after...)
	}
}

func (w *world) silent(signal <-chan struct{}) {
	w.t.Helper()
	select {
	case <-signal:
		w.Fail("a signal came")
	default:
	}
}

func signalCases(traits Traits) []testCase {
	if traits.SignalsFromOtherHandles {
		return slices.Concat(ownSignalCases, otherSignalCases)
	}
	return ownSignalCases
}

var ownSignalCases = []testCase{
	{"new events wake every subscriber, until it cancels", func(w *world) {
		p := w.sentPush(2)
		a, cancelA := w.store.SubscribeEvents()
		b, cancelB := w.store.SubscribeEvents()
		defer cancelB()
		w.record(w.row(up(p.ID), id(0), storage.Sent))
		w.signalled(a)
		w.signalled(b)
		w.Len(w.events(storage.EventQuery{}), 1)
		cancelA()
		cancelA()
		w.record(w.row(up(p.ID), id(1), storage.Sent))
		w.signalled(b)
		w.silent(a)
	}},
	{"signals coalesce for who does not listen", func(w *world) {
		p := w.sentPush(3)
		slow, cancel := w.store.SubscribeEvents()
		defer cancel()
		for i := range 3 {
			w.record(w.row(up(p.ID), id(i), storage.Sent))
		}
		w.NoError(w.store.Ping(w.ctx)) // by now the last signal was sent
		w.signalled(slow)
		w.silent(slow)
	}},
	{"a refusal's events and held callbacks wake too", func(w *world) {
		w.create(w.draft(1, 1))
		w.create(w.draft(1, 1))
		claims := w.claim()
		signal, cancel := w.store.SubscribeEvents()
		defer cancel()
		w.finish(w.result(claims[0], storage.DispatchRefused))
		w.signalled(signal)
		w.record(w.row(upstream(claims[1].Dispatch), id(0), storage.Sent))
		w.finish(w.result(claims[1], storage.DispatchSent))
		w.signalled(signal)
	}},
	{"closing wakes, so that who listens notices", func(w *world) {
		s := w.open()
		signal, cancel := s.SubscribeEvents()
		defer cancel()
		noticed := make(chan error)
		go func() {
			<-signal
			_, err := s.ListEvents(w.ctx, storage.EventQuery{})
			noticed <- err
		}()
		w.NoError(s.Close())
		select {
		case err := <-noticed:
			w.ErrorIs(err, storage.ErrUnavailable)
		case <-time.After(soon):
			w.Fail("no signal came")
		}
	}},
}

// otherSignalCases are of what handles tell each other.
var otherSignalCases = []testCase{
	{"another handle's events wake", func(w *world) {
		p := w.sentPush(1)
		signal, cancel := w.open().SubscribeEvents()
		defer cancel()
		w.record(w.row(up(p.ID), id(0), storage.Sent))
		w.signalled(signal)
	}},
	{"what another handle made due wakes, until the subscriber cancels", func(w *world) {
		other := w.open()
		signal, cancel := other.SubscribeWork()
		defer cancel()
		for _, c := range []struct {
			what string
			sent bool // the push's first dispatch, by then
			do   func(p storage.Push)
		}{
			{"a first dispatch that was sent", false, func(storage.Push) { w.finish(w.result(w.startOne(), storage.DispatchSent)) }},
			{"a dispatch that is tried again", true, func(storage.Push) { w.finish(w.result(w.startOne(), storage.DispatchPending)) }},
			{"one that may have been taken", true, func(storage.Push) { w.finish(w.result(w.startOne(), storage.DispatchSending)) }},
			{"a dispatch on its way, when a step of its push is due", true, func(storage.Push) {
				c := w.startOne()
				w.now = w.now.Add(90 * time.Minute)
				w.heard(other, signal)
				w.finish(w.result(c, storage.DispatchSent))
			}},
			{"a step that was cancelled", true, func(p storage.Push) {
				w.NoError(w.store.CancelStep(w.ctx, p.ID, 1, storage.ReasonPolicyPaused))
			}},
			{"a step that was planned", true, func(p storage.Push) {
				w.sendAll()
				w.heard(other, signal)
				w.NoError(w.store.PlanStep(w.ctx, w.plan(p.ID, 0, 0, 3)))
			}},
		} {
			p := w.create(w.draft(3, 1))
			if c.sent {
				w.finish(w.result(w.startOne(), storage.DispatchSent))
			}
			w.heard(other, signal)
			c.do(p)
			w.signalled(signal, c.what)
			for claims := w.claim(); len(claims) > 0; claims = w.claim() {
				for _, c := range claims {
					w.finish(w.result(c, storage.DispatchSent))
				}
			}
		}
		w.heard(other, signal)
		cancel()
		cancel()
		w.create(w.draft(1, 1))
		w.finish(w.result(w.startOne(), storage.DispatchSent))
		w.heard(other, signal)
		w.silent(signal)
	}},
	{"claims that a leader left behind wake", func(w *world) {
		w.NoError(w.store.Lead(w.ctx, 1))
		w.create(w.draft(1, 1))
		w.claimOne()
		signal, cancel := w.store.SubscribeWork()
		defer cancel()
		w.NoError(w.open().Lead(w.ctx, 2))
		w.signalled(signal)
	}},
	{"the handle that made a push is told of its first dispatch's end, if that was another's", func(w *world) {
		maker, other := w.store, w.open()
		answers, cancel := maker.SubscribeAnswers()
		defer cancel()
		others, cancelOthers := other.SubscribeAnswers()
		defer cancelOthers()
		for _, end := range []storage.DispatchState{storage.DispatchSent, storage.DispatchRefused, storage.DispatchExpired,
			storage.DispatchCancelled, storage.DispatchSkipped, storage.DispatchUnanswered} {
			w.store = maker
			own := w.create(w.draft(2, 1))
			w.finish(w.result(w.startOne(), storage.DispatchSent))
			w.sendAll()
			p := w.create(w.draft(2, 1))
			w.store = other
			w.finish(w.result(w.startOne(), storage.DispatchPending))
			w.finish(w.result(w.startOne(), end))
			w.sendAll()
			w.NotEqual(own.ID, p.ID)
			w.Equal(p.ID, w.answered(answers), "after %s", end)
		}
		w.NoError(other.Ping(w.ctx))
		w.Empty(answers, "each push is told once")
		w.Empty(others)
	}},
}

// heard waits until a handle has heard of all that was done through others until now, and takes the signal that it got.
func (w *world) heard(by storage.Store, signal <-chan struct{}) {
	w.t.Helper()
	answers, cancel := by.SubscribeAnswers()
	defer cancel()
	d := w.draft(1, 1)
	d.Push.App, d.Steps = otherApp, nil
	p, _, err := by.CreatePush(w.ctx, d)
	w.NoError(err)
	claims, err := w.store.ClaimDispatches(w.ctx, storage.ClaimRequest{App: otherApp, Now: w.now, Lease: lease, Limit: 1})
	w.NoError(err)
	w.Len(claims, 1)
	w.start(claims[0])
	w.finish(w.result(claims[0], storage.DispatchSent))
	w.Equal(p.ID, w.answered(answers))
	select {
	case <-signal:
	default:
	}
}

func (w *world) answered(answers <-chan int64) int64 {
	w.t.Helper()
	select {
	case push := <-answers:
		return push
	case <-time.After(soon):
		w.Fail("no answer came")
		return 0
	}
}
