package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"susul.dev/susul/storage"
)

// Health is an endpoint and how deliveries to it go.
type Health struct {
	storage.RelayEndpoint
	// Subscription is the id of the endpoint's subscription; empty for one of callback URLs.
	Subscription string
	// Address is where events are posted to, without the query.
	Address string
	// Paused says that nobody wants it to be posted to: the endpoint or its subscription is paused.
	Paused bool
	// Open says that the circuit is: nothing is posted until NextAttempt.
	Open bool
	// LagEvents counts the app's events from the oldest that is yet to be delivered to the endpoint, up to 100,000; LagTime is how long
	// that has been stored.
	LagEvents int
	LagTime   time.Duration
	// SuccessRate is of the last 100 requests; below 0 before the first.
	SuccessRate float64
	Retrying    int // pushes in a retry span
	DeadLetters int
	Replays     int // that are not done
}

// maxLag is what LagEvents goes to.
const maxLag = 100_000

// Endpoints returns the app's endpoints whose ids are greater than after, in the order of their ids, up to a limit.
func (r *Relay) Endpoints(ctx context.Context, app, after string, limit int) ([]Health, error) {
	if err := r.running(ctx); err != nil {
		return nil, err
	}
	ids := r.sorted(app)
	first, found := slices.BinarySearch(ids, after)
	if found {
		first++
	}
	var all []Health
	for _, id := range ids[first:] {
		if len(all) >= limit {
			break
		}
		h, err := r.Endpoint(ctx, app, id)
		switch {
		case errors.Is(err, storage.ErrNotFound): // it was removed just now
		case err != nil:
			return nil, err
		default:
			all = append(all, h)
		}
	}
	return all, nil
}

// Endpoint returns one endpoint, or storage.ErrNotFound.
func (r *Relay) Endpoint(ctx context.Context, app, id string) (Health, error) {
	e, err := r.find(ctx, app, id)
	if err != nil {
		return Health{}, err
	}
	return e.health(ctx)
}

func (e *endpoint) health(ctx context.Context) (Health, error) {
	h := Health{}
	var done int64
	var owed bool
	e.look(func(l *ledger) {
		h.RelayEndpoint = l.row
		h.Address = l.row.URL
		if e.sub != nil {
			h.Subscription = e.sub.Subscription.ID
			h.Address, _, _ = strings.Cut(e.sub.Subscription.URL, "?")
		}
		h.Paused = l.row.State == storage.RelayPaused || l.terms.paused
		h.Open = l.open()
		if h.NextAttempt.IsZero() && len(l.retries) > 0 {
			h.NextAttempt = l.retries[0].NextAttempt
		}
		h.SuccessRate = l.recent.rate()
		h.Retrying, h.Replays, h.DeadLetters = len(l.parked), l.replays, l.letters
		h.Cursor = l.cursor()
		done, owed = l.owed()
	})
	if !owed {
		return h, nil
	}
	events, since, err := e.relay.lag(ctx, e.app, done)
	if err != nil {
		return h, err
	}
	h.LagEvents = int(min(events, maxLag))
	if events > 0 {
		h.LagTime = max(e.relay.Clock.Now().Sub(since), 0)
	}
	return h, nil
}

// lag returns how many events of an app come behind a sequence, and when the first of these was stored. Few are counted, many
// estimated.
func (r *Relay) lag(ctx context.Context, app string, after int64) (events int64, since time.Time, err error) {
	events = r.behind(app, after)
	if events > 2*pageSize {
		first, err := r.Store.ListEvents(ctx, storage.EventQuery{App: app, After: after, Limit: 1})
		if err != nil || len(first) == 0 {
			return 0, since, err
		}
		return events, first[0].ReceiveTime, nil
	}
	p, err := r.feed.page(ctx, app, after)
	if err != nil || p == nil {
		return 0, since, err
	}
	first := p.after(after)
	return int64(len(p.entries)-first) + r.behind(app, p.last()), p.entries[first].ReceiveTime, nil
}

// behind returns about how many events of an app come behind a sequence.
func (r *Relay) behind(app string, sequence int64) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a := r.routes[app]; a != nil {
		return a.odometer.behind(sequence)
	}
	return 0
}

// Pause keeps an endpoint of callback URLs from being posted to. A subscription's gets storage.ErrConflict: it has a pause of its own.
func (r *Relay) Pause(ctx context.Context, app, id string) (Health, error) {
	return r.setState(ctx, app, id, storage.RelayPaused)
}

// Resume has an endpoint that is paused, gone or failing tried at once. One whose subscription is paused gets storage.ErrConflict.
func (r *Relay) Resume(ctx context.Context, app, id string) (Health, error) {
	return r.setState(ctx, app, id, storage.RelayActive)
}

func (r *Relay) setState(ctx context.Context, app, id string, state storage.RelayState) (Health, error) {
	e, err := r.find(ctx, app, id)
	if err != nil {
		return Health{}, err
	}
	e.change(func(l *ledger, _ time.Time) {
		switch {
		case e.sub != nil && state == storage.RelayPaused:
			err = fmt.Errorf("pause the subscription instead: %w", storage.ErrConflict)
		case l.terms.paused:
			err = fmt.Errorf("the subscription is paused: %w", storage.ErrConflict)
		default:
			l.setState(state)
		}
	})
	if err == nil {
		err = r.saver.flush(ctx)
	}
	if err != nil {
		return Health{}, err
	}
	return e.health(ctx)
}
