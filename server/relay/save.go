package relay

import (
	"context"
	"errors"
	"sync"
	"time"

	"susul.dev/susul/storage"
)

// How often state is saved, in real time. What was delivered since is delivered again after a crash.
const (
	saveEvery = 250 * time.Millisecond
	saveRetry = time.Second
	// sweepEvery is how often the head is saved, and the cursors that went on without anything being delivered.
	sweepEvery = 10 * time.Second
	// recountEvery is how many sweeps later dead letters are counted again.
	recountEvery = 30
	// idleBehind is how many sequences the saved cursor of an idle endpoint may be behind: after a restart they are looked at again.
	idleBehind = 50_000
	// saveRows is how many rows are saved in one transaction, about.
	saveRows = 2000
	// lastSave bounds the save when the relay stops.
	lastSave = 5 * time.Second
)

// saver saves what changed, of all endpoints together.
type saver struct {
	relay *Relay
	asked chan struct{}   // there is something
	calls chan chan error // save at once, and tell

	mu    sync.Mutex
	dirty map[*endpoint]struct{}
	gone  map[storage.RelayEndpointKey]struct{}

	head int64 // that was saved last
}

func newSaver(r *Relay) *saver {
	return &saver{
		relay: r, asked: make(chan struct{}, 1), calls: make(chan chan error), dirty: map[*endpoint]struct{}{},
		gone: map[storage.RelayEndpointKey]struct{}{},
	}
}

// note has an endpoint saved soon.
func (s *saver) note(e *endpoint) {
	s.mu.Lock()
	s.dirty[e] = struct{}{}
	s.mu.Unlock()
	s.ask()
}

// forget has an endpoint deleted soon.
func (s *saver) forget(key storage.RelayEndpointKey) {
	s.mu.Lock()
	s.gone[key] = struct{}{}
	s.mu.Unlock()
	s.ask()
}

func (s *saver) ask() {
	select {
	case s.asked <- struct{}{}:
	default:
	}
}

// run saves until the context ends. It returns storage.ErrFenced when another leader has taken over.
func (s *saver) run(ctx context.Context) error {
	sweep := time.NewTicker(sweepEvery) //nolint:forbidigo // it spares the machine
	defer sweep.Stop()
	for sweeps := 1; ; {
		var calls []chan error
		select {
		case <-ctx.Done():
			return nil
		case <-sweep.C:
			s.relay.sweep()
			if sweeps++; sweeps%recountEvery == 0 {
				s.relay.recount(ctx)
			}
		case call := <-s.calls:
			calls = append(calls, call)
		case <-s.asked:
		}
		err := s.save(ctx)
		for _, call := range calls {
			call <- err
		}
		pause := saveEvery
		switch {
		case errors.Is(err, storage.ErrFenced):
			return err
		case err != nil && ctx.Err() == nil:
			s.relay.Logger.Error("what was delivered can't be saved now", "error", err)
			pause = saveRetry
			s.ask()
		}
		if len(calls) == 0 {
			s.rest(ctx, pause)
		}
	}
}

// rest waits for a time, but serves calls.
func (s *saver) rest(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause) //nolint:forbidigo // it spares the machine
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case call := <-s.calls:
			call <- s.save(ctx)
		}
	}
}

// flush saves what changed until now and returns when that is done.
func (s *saver) flush(ctx context.Context) error {
	call := make(chan error, 1)
	select {
	case s.calls <- call:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.relay.ended:
		return storage.ErrUnavailable
	}
	select {
	case err := <-call:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// saved is an endpoint in a change, and what is needed to undo that.
type saved struct {
	endpoint *endpoint
	records  map[int64]*storage.RelaySpan
}

// save saves what changed until now, and the head, in as few transactions as may be.
func (s *saver) save(ctx context.Context) error {
	// Before endpoints are looked at: all that was announced up to it is in their state. The feed may not have begun.
	head := max(s.head, s.relay.feed.head())
	s.mu.Lock()
	dirty, gone := s.dirty, s.gone
	s.dirty, s.gone = map[*endpoint]struct{}{}, map[storage.RelayEndpointKey]struct{}{}
	s.mu.Unlock()

	var change storage.RelayChange
	var in []saved
	for key := range gone {
		change.GoneEndpoints = append(change.GoneEndpoints, key)
	}
	flush := func() error {
		err := s.relay.Store.SaveRelay(ctx, change)
		if err != nil {
			s.undo(change, in)
		}
		change, in = storage.RelayChange{}, nil
		return err
	}
	var err error
	for e := range dirty {
		if err != nil {
			s.note(e)
			continue
		}
		e.look(func(l *ledger) {
			if !e.removed {
				in = append(in, saved{e, l.snapshot(&change, head)})
			}
		})
		if len(change.Endpoints)+len(change.Spans)+len(change.DoneSpans) >= saveRows {
			err = flush()
		}
	}
	if err != nil {
		return err
	}
	if head != s.head {
		change.Head = head
	}
	if change.Head == 0 && len(change.Endpoints)+len(change.GoneEndpoints) == 0 {
		return nil
	}
	if err = flush(); err == nil {
		s.head = head
	}
	return err
}

// undo has saved again what was not.
func (s *saver) undo(change storage.RelayChange, in []saved) {
	for _, key := range change.GoneEndpoints {
		s.forget(key)
	}
	for _, part := range in {
		part.endpoint.look(func(l *ledger) { l.unsave(part.records) })
		s.note(part.endpoint)
	}
}
