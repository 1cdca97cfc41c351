package delivery

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"susul.dev/susul/server/clock"
	"susul.dev/susul/storage"
)

// workPause is how long, in real time, work of other nodes is not looked for again: they do it themselves, if they can.
const workPause = 20 * time.Millisecond

// heedWork calls do when dispatches or steps may have become due by what was done through another handle, until the context ends.
func (s *Service) heedWork(ctx context.Context, do func()) error {
	work, cancel := s.Store.SubscribeWork()
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-work:
			do()
			clock.Rest(ctx, workPause)
		}
	}
}

func (s *Service) wakeOutboxes() {
	for _, d := range s.outbox {
		d.wake()
	}
}

// heedAnswers tells those who wait for the outcome of a first dispatch that ended on another node, until the context ends. Who is not
// told is answered a little later, as if EngageLab were slow.
func (s *Service) heedAnswers(ctx context.Context) error {
	answers, cancel := s.Store.SubscribeAnswers()
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return nil
		case id := <-answers:
			if !s.waiting.expected(id) {
				continue
			}
			push, err := s.Store.PushOf(ctx, id)
			switch {
			case err == nil:
				s.waiting.tell(push)
			case !errors.Is(err, storage.ErrNotFound) && ctx.Err() == nil:
				s.Logger.Warn("the answer to a push that another node sent can't be read", "msg_id", id, "error", err)
			}
		}
	}
}

// waiters lets CreatePush learn what became of its first dispatch. Repeated requests wait together.
type waiters struct {
	mu     sync.Mutex
	byPush map[int64][]chan storage.Push
}

// expect returns a channel that gets the push once its first dispatch is over, and a function that gives up waiting.
func (w *waiters) expect(id int64) (outcome <-chan storage.Push, forget func()) {
	c := make(chan storage.Push, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byPush == nil {
		w.byPush = make(map[int64][]chan storage.Push)
	}
	w.byPush[id] = append(w.byPush[id], c)
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.byPush[id] = slices.DeleteFunc(w.byPush[id], func(other chan storage.Push) bool { return other == c })
		if len(w.byPush[id]) == 0 {
			delete(w.byPush, id)
		}
	}
}

// tell hands the push to whoever waits for it.
func (w *waiters) tell(push storage.Push) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.byPush[push.ID] {
		c <- push // it has room: a push is told once
	}
	delete(w.byPush, push.ID)
}

// expected reports whether somebody waits for the push.
func (w *waiters) expected(id int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.byPush[id]) > 0
}
