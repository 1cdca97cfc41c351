package storagetest

import (
	"time"

	"susul.dev/susul/storage"
)

// soon is how long a signal may take before a case gives up.
const soon = 10 * time.Second

func (w *world) signalled(signal <-chan struct{}) {
	w.t.Helper()
	select {
	case <-signal:
	case <-time.After(soon):
		w.Fail("no signal came")
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
	return []testCase{
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
		{"another handle's events wake where the backend says so", func(w *world) {
			w.needsOtherHandles(traits)
			p := w.sentPush(1)
			signal, cancel := w.open().SubscribeEvents()
			defer cancel()
			w.record(w.row(up(p.ID), id(0), storage.Sent))
			w.signalled(signal)
		}},
		{"what another handle made due wakes, until the subscriber cancels", func(w *world) {
			w.needsOtherHandles(traits)
			signal, cancel := w.open().SubscribeWork()
			defer cancel()
			p := w.create(w.draft(3, 1))
			w.finish(w.result(w.startOne(), storage.DispatchSent)) // unblocks the others, and the steps are due some time
			w.signalled(signal)
			w.finish(w.result(w.startOne(), storage.DispatchPending))
			w.signalled(signal)
			w.sendAll()
			w.NoError(w.store.PlanStep(w.ctx, w.plan(p.ID, 0, 0, 3)))
			w.signalled(signal)
			cancel()
			cancel()
		}},
		{"claims that a leader left behind wake", func(w *world) {
			w.needsOtherHandles(traits)
			w.NoError(w.store.Lead(w.ctx, 1))
			w.create(w.draft(1, 1))
			w.claimOne()
			signal, cancel := w.store.SubscribeWork()
			defer cancel()
			w.NoError(w.open().Lead(w.ctx, 2))
			w.signalled(signal)
		}},
		{"the handle that made a push is told of its first dispatch's end, if that was another's", func(w *world) {
			w.needsOtherHandles(traits)
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
}

func (w *world) needsOtherHandles(traits Traits) {
	w.t.Helper()
	if !traits.SignalsFromOtherHandles {
		w.t.Skip("this backend's signals stay within a handle")
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
