package postgres

import "time"

// NeverLook makes a store find nothing but what it is told.
func NeverLook(o Options) Options {
	o.lookEvery = time.Hour
	return o
}

// Tell tells news of a handle, as a commit of it does. Of answers, home is the handle that made the push.
func (s *Store) Tell(events, work bool, home *Store, pushes ...int64) {
	n := news{by: s.home, events: events, work: work}
	for _, push := range pushes {
		n.answers = append(n.answers, answer{home: home.home, push: push})
	}
	s.signals.tell(n)
}
