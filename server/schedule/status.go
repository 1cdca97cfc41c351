package schedule

import (
	"sync"
	"time"
)

// State is where a candidate is in the election.
type State string

// The states of a candidate.
const (
	// Candidate says that this node waits for its turn.
	Candidate State = "candidate"
	// Leader says that it is its turn.
	Leader State = "leader"
	// InDoubt says that etcd did not confirm this node's lease in time, or did not give it one yet: it neither leads nor is it next.
	InDoubt State = "in_doubt"
)

// States are all of them.
func States() []State { return []State{Candidate, Leader, InDoubt} }

// Status is what a node knows of the election.
type Status struct {
	State State
	// Since is since when the state is so, in real time.
	Since time.Time
	// Leased is when etcd gave this node its lease, and Trusted until when that can be trusted if etcd is not heard of meanwhile; zero
	// without a lease.
	Leased, Trusted time.Time
	// Term is the latest known, whoever leads in it; 0 before the first.
	Term int64
	// Changes is how many terms this node has seen to begin.
	Changes int64
	// Apart says that this node does not take part now: etcd was not asked for a lease.
	Apart bool
}

// Status returns what this node knows of the election now.
func (e *Election) Status() Status {
	status := e.standing.status(e.clock.Now())
	status.Term, status.Changes = e.term.Load(), e.changes.Load()
	return status
}

// standing is a candidate's state.
type standing struct {
	mu    sync.Mutex
	lease *lease // nil between two rounds
	leads bool
	since time.Time // of the lease, of the leadership, or of having neither
	takes bool      // part in the election
}

// enter says that the node takes part from now on.
func (s *standing) enter(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takes, s.since = true, now
}

func (s *standing) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takes = false
}

func (s *standing) begin(l *lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lease, s.leads, s.since = l, false, l.since
}

func (s *standing) lead(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leads, s.since = true, now
}

func (s *standing) end(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	until, _, _ := s.lease.trusted()
	if now.Before(until) {
		until = now
	}
	s.lease, s.leads, s.since = nil, false, until
}

func (s *standing) status(now time.Time) Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := Status{State: InDoubt, Since: s.since, Apart: !s.takes}
	if s.lease == nil {
		return status
	}
	status.Leased = s.lease.since
	status.Trusted, _, _ = s.lease.trusted()
	switch {
	case !now.Before(status.Trusted):
		status.Since = status.Trusted
	case s.leads:
		status.State = Leader
	default:
		status.State = Candidate
	}
	return status
}
