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
			if !traits.SignalsFromOtherHandles {
				w.t.Skip("this backend's signals stay within a handle")
			}
			p := w.sentPush(1)
			signal, cancel := w.open().SubscribeEvents()
			defer cancel()
			w.record(w.row(up(p.ID), id(0), storage.Sent))
			w.signalled(signal)
		}},
	}
}
