package sqlite

import "sync"

// signals wakes subscribers. Each has a channel with room for one signal, so that signals coalesce and sending never
// waits.
type signals struct {
	mu   sync.Mutex
	subs map[chan struct{}]struct{}
}

func newSignals() *signals { return &signals{subs: map[chan struct{}]struct{}{}} }

func (s *signals) send() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ch := range s.subs {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

func (s *signals) subscribe() (<-chan struct{}, func()) {
	ch := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subs[ch] = struct{}{}
	return ch, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.subs, ch)
	}
}

// SubscribeWork implements storage.Dispatches. One process has the file: nobody else makes anything due.
func (s *Store) SubscribeWork() (signal <-chan struct{}, cancel func()) { return nil, func() {} }

// SubscribeAnswers implements storage.Dispatches, likewise.
func (s *Store) SubscribeAnswers() (pushes <-chan int64, cancel func()) { return nil, func() {} }
