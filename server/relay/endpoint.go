package relay

import (
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"susul.dev/susul/server/subscription"
	"susul.dev/susul/storage"
)

// endpoint does what its ledger says. One goroutine reads for it, and one for each request posts; while there is nothing to do it has
// none, but a timer at most.
type endpoint struct {
	relay *Relay
	app   string
	id    string
	log   *slog.Logger

	// steering is held by those who change its spans from outside.
	steering sync.Mutex

	mu       sync.Mutex
	ledger   *ledger
	sub      *subscription.Compiled // nil: of callback URLs
	working  bool                   // the goroutine that reads runs
	troubled bool                   // events could not be read, and nothing was posted since
	removed  bool
	alarm    clockwork.Timer
	rings    time.Time // when the alarm does
	// lastEvent is when the log last had something for it, in this run.
	lastEvent time.Time
}

// urlConcurrency is how many requests an endpoint of callback URLs gets at once.
const urlConcurrency = subscription.DefaultConcurrency

// newEndpoint returns an endpoint as it was saved. sub is its subscription; nil: it is of callback URLs.
func (r *Relay) newEndpoint(row storage.RelayEndpoint, spans []storage.RelaySpan, sub *subscription.Compiled) *endpoint {
	e := &endpoint{relay: r, app: row.App, id: row.ID, sub: sub, log: r.Logger.With("app", row.App, "endpoint", row.ID)}
	e.ledger = newLedger(row, spans, r.termsOf(sub), r.Clock.Now(), rand.Float64)
	return e
}

func (e *endpoint) key() storage.RelayEndpointKey {
	return storage.RelayEndpointKey{App: e.app, ID: e.id}
}

func (r *Relay) termsOf(sub *subscription.Compiled) terms {
	t := terms{concurrency: urlConcurrency, maxAge: r.MaxAge}
	if sub != nil {
		s := &sub.Subscription
		t.paused, t.perSecond = s.Paused, s.RequestsPerSecond
		if s.MaxConcurrency > 0 {
			t.concurrency = s.MaxConcurrency
		}
	}
	return t
}

// change applies a change to the ledger, has it saved, and whatever follows from it done.
func (e *endpoint) change(f func(l *ledger, now time.Time)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f(e.ledger, e.relay.Clock.Now())
	e.changed()
	e.wake()
}

// look gives a view of the ledger.
func (e *endpoint) look(f func(l *ledger)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f(e.ledger)
}

// changed has the ledger saved if it needs to be. The caller holds the lock, as of wake.
func (e *endpoint) changed() {
	if !e.removed && e.ledger.unsaved() {
		e.relay.saver.note(e)
	}
}

func (e *endpoint) wake() {
	if !e.working && !e.removed {
		e.working = e.relay.tasks.start(e.work)
	}
}

// ring is the alarm's.
func (e *endpoint) ring() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.rings = time.Time{}
	e.wake()
}

// announce says that the log has, or is about to have, something for the endpoint.
func (e *endpoint) announce(first, through int64) {
	e.change(func(l *ledger, now time.Time) {
		if through > l.target {
			e.lastEvent = now
		}
		l.announce(first, through)
	})
}

// remove ends it. What is under way comes to nothing.
func (e *endpoint) remove() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.removed = true
	e.quiet()
}

// stop ends its alarm, and has it saved how far it came.
func (e *endpoint) stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.quiet()
	if e.ledger.row.Cursor != e.ledger.cursor() || e.ledger.caughtUp() {
		e.ledger.changed = true
	}
	e.changed()
}

// quiet stops the alarm.
func (e *endpoint) quiet() {
	if e.alarm != nil {
		e.alarm.Stop()
	}
	e.rings = time.Time{}
}

// configure takes another version of the subscription. Where events go to has changed, or how they are signed: then they may be
// wanted again.
func (e *endpoint) configure(sub *subscription.Compiled) {
	e.change(func(l *ledger, now time.Time) {
		was := &e.sub.Subscription
		is := &sub.Subscription
		e.sub = sub
		l.setTerms(e.relay.termsOf(sub), now)
		if was.Filter != is.Filter {
			l.refilter()
		}
		if was.URL == is.URL && sameSecrets(was.Secrets, is.Secrets) {
			return
		}
		if l.row.State == storage.RelayGone {
			l.setState(storage.RelayActive)
		} else {
			l.forgive()
		}
	})
}

func sameSecrets(a, b []subscription.Secret) bool {
	return len(a) > 0 && len(b) > 0 && a[0].Key == b[0].Key
}

// work does what is to be done but for requests, which are posted beside it, until there is nothing.
func (e *endpoint) work() {
	ctx := e.relay.tasks.reading
	for {
		s, ok := e.plan()
		if !ok {
			return
		}
		var err error
		switch {
		case s.send != nil:
			if !e.relay.tasks.start(func() { e.send(s.send) }) {
				e.change(func(l *ledger, now time.Time) { l.done(s.send, outcome{aborted: true}, now) })
			}
		case s.read:
			err = e.read(ctx)
		case s.load != nil:
			err = e.load(ctx, s.load)
		case s.bury != nil:
			err = e.bury(ctx, s.bury)
		}
		if err != nil {
			e.failed(err)
		}
	}
}

// failed has it rest after trouble of our own. A trouble that lasts is told once.
func (e *endpoint) failed(err error) {
	told := false
	e.change(func(l *ledger, now time.Time) {
		l.trouble = now.Add(troublePause)
		told, e.troubled = e.troubled, true
	})
	if !told && e.relay.tasks.reading.Err() == nil {
		e.log.Error("an endpoint's events can't be read now", "error", err)
	}
}

// plan asks the ledger what is to be done. If that is nothing, the goroutine has ended for everybody else, and the alarm is set.
func (e *endpoint) plan() (s step, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.relay.Clock.Now()
	if !e.removed && e.relay.tasks.reading.Err() == nil {
		s = e.ledger.next(now)
		e.changed()
	}
	if s.send != nil || s.load != nil || s.read || s.bury != nil {
		return s, true
	}
	e.working = false
	if !s.wait.Equal(e.rings) {
		e.quiet()
		if !s.wait.IsZero() {
			e.rings = s.wait
			e.alarm = e.relay.Clock.AfterFunc(s.wait.Sub(now), e.ring)
		}
	}
	return s, false
}
