package postgres

import (
	"log/slog"
	"sync"
)

// news is what others are told after a commit.
type news struct {
	by      int64 // the handle that did it; 0 for none in particular
	events  bool  // were stored
	work    bool  // dispatches or steps may have become due
	answers []answer
}

// answer says that the first dispatch of a push has ended that another handle made.
type answer struct {
	home, push int64
}

// maxAnswers bounds the answers that nobody has taken yet, of one subscriber and of those that wait to be sent.
const maxAnswers = 4096

// subscriber is who waits for news. Each of its channels may be nil. There is room for one signal, so that signals coalesce and sending
// never waits.
type subscriber struct {
	home    int64
	events  chan struct{}
	work    chan struct{}
	answers chan int64
}

// signals brings news to those who wait for it: at once to those of this process, and by NOTIFY to others. It never does so inside of a
// transaction, for all that do commit one after the other.
//
// News may be lost, when a process dies after a commit or a connection breaks. So whoever waits for events is also told when the log's end
// was seen to have moved, and whoever waits for work every now and then.
type signals struct {
	db     *database
	origin int64 // names this process
	logger *slog.Logger
	stop   func() // ends what runs, and waits for that

	listening chan struct{} // closed once that began
	begun     sync.Once

	mu     sync.Mutex
	subs   map[*subscriber]struct{}
	unsent news
	wake   chan struct{} // there is something unsent
}

func (s *signals) subscribe(sub *subscriber) (cancel func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subs[sub] = struct{}{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.subs, sub)
	}
}

// tell brings news of this process to everybody.
func (s *signals) tell(n news) {
	if !n.events && !n.work && len(n.answers) == 0 {
		return
	}
	elsewhere := s.spread(n)
	s.mu.Lock()
	s.unsent.merge(elsewhere)
	s.mu.Unlock()
	poke(s.wake)
}

// spread brings news to the subscribers of this process, and returns what is for others.
func (s *signals) spread(n news) (elsewhere news) {
	var here map[int64]bool
	if len(n.answers) > 0 {
		here = s.db.homes()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for sub := range s.subs {
		if n.events {
			poke(sub.events)
		}
		if n.work && sub.home != n.by {
			poke(sub.work)
		}
	}
	elsewhere = news{events: n.events, work: n.work}
	for _, a := range n.answers {
		switch {
		case a.home == 0 || a.home == n.by:
		case here[a.home]:
			s.answer(a)
		default:
			elsewhere.answers = append(elsewhere.answers, a)
		}
	}
	return elsewhere
}

// answer passes a push's id to the handle that made it, unless that has too many already.
func (s *signals) answer(a answer) {
	for sub := range s.subs {
		if sub.home != a.home || sub.answers == nil {
			continue
		}
		select {
		case sub.answers <- a.push:
		default:
			s.logger.Warn("an answer was dropped", "push", a.push)
		}
	}
}

// wakeHandle wakes whoever waits for events or work through a handle, so that they notice that it is closed.
func (s *signals) wakeHandle(home int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sub := range s.subs {
		if sub.home == home {
			poke(sub.events)
			poke(sub.work)
		}
	}
}

// waited reports whether anybody waits for events, and whether for work.
func (s *signals) waited() (events, work bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sub := range s.subs {
		events, work = events || sub.events != nil, work || sub.work != nil
	}
	return events, work
}

// merge adds others' news.
func (n *news) merge(other news) {
	n.events, n.work = n.events || other.events, n.work || other.work
	room := maxAnswers - len(n.answers)
	n.answers = append(n.answers, other.answers[:min(len(other.answers), room)]...)
}

// poke sends a signal, unless there is one already, or no channel.
func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// SubscribeEvents implements storage.Callbacks.
func (s *Store) SubscribeEvents() (signal <-chan struct{}, cancel func()) {
	ch := make(chan struct{}, 1)
	return ch, s.signals.subscribe(&subscriber{home: s.home, events: ch})
}

// SubscribeWork implements storage.Dispatches. That this handle stored a push itself is told to nobody: it is for this one to send, and
// others find it in a second or two if it does not.
func (s *Store) SubscribeWork() (signal <-chan struct{}, cancel func()) {
	ch := make(chan struct{}, 1)
	return ch, s.signals.subscribe(&subscriber{home: s.home, work: ch})
}

// SubscribeAnswers implements storage.Dispatches.
func (s *Store) SubscribeAnswers() (pushes <-chan int64, cancel func()) {
	ch := make(chan int64, maxAnswers)
	return ch, s.signals.subscribe(&subscriber{home: s.home, answers: ch})
}
