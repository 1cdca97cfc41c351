package relay

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"susul.dev/susul/storage"
)

const (
	// gateStale is for how long, in real time, a Gate does not look again which endpoints are stored while there is room, and gateFull
	// while there is none.
	gateStale = 5 * time.Second
	gateFull  = time.Second
)

// GateStore is what a Gate needs of a backend.
type GateStore interface {
	ListRelayEndpoints(ctx context.Context, after storage.RelayEndpointKey, limit int) ([]storage.RelayEndpoint, error)
}

// Gate decides about the callback URLs of pushes on a node that does not relay, by what the one that does has stored. Since nodes do not
// know of each other's latest promises, an app can come to as many times the endpoints it may have as there are nodes, but never to more;
// none is accepted beyond what is stored by then.
type Gate struct {
	store GateStore
	clock clockwork.Clock // of promises
	real  clockwork.Clock

	mu   sync.Mutex
	apps map[string]*gateApp
}

// gateApp is what a Gate knows of an app.
type gateApp struct {
	mu       sync.Mutex // held while the store is asked, once for all who wait
	stored   map[string]bool
	readTime time.Time // zero: never
	promised map[string]time.Time
}

// NewGate returns a Gate. The clock is that of a Relay.
func NewGate(store GateStore, clock clockwork.Clock) *Gate {
	return &Gate{store: store, clock: clock, real: clockwork.NewRealClock(), apps: map[string]*gateApp{}}
}

// Accepts returns ErrTooManyEndpoints if a push with these callback URLs would make more endpoints than an app may have, and the store's
// error if it is not known how many there are.
func (g *Gate) Accepts(ctx context.Context, app string, urls []string) error {
	g.mu.Lock()
	a := g.apps[app]
	if a == nil {
		a = &gateApp{promised: map[string]time.Time{}}
		g.apps[app] = a
	}
	g.mu.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	wanted := a.wanted(urls)
	if len(wanted) == 0 {
		return nil
	}
	for _, stale := range []time.Duration{gateStale, gateFull} {
		if a.readTime.IsZero() || g.real.Since(a.readTime) >= stale {
			if err := g.read(ctx, app, a); err != nil {
				return err
			}
			wanted = a.wanted(urls)
		}
		if len(a.stored)+len(a.promised)+len(wanted) <= maxURLEndpoints {
			for id := range wanted {
				a.promised[id] = g.clock.Now()
			}
			return nil
		}
	}
	return ErrTooManyEndpoints
}

// wanted returns the ids of the URLs' endpoints that are neither stored nor promised.
func (a *gateApp) wanted(urls []string) map[string]bool {
	wanted := map[string]bool{}
	for _, url := range urls {
		id, _ := urlEndpointID(url)
		if _, promised := a.promised[id]; !promised && !a.stored[id] {
			wanted[id] = true
		}
	}
	return wanted
}

// read learns which endpoints are stored, and forgets promises that came true or grew old.
func (g *Gate) read(ctx context.Context, app string, a *gateApp) error {
	stored := map[string]bool{}
	after := storage.RelayEndpointKey{App: app, ID: strings.TrimSuffix(urlPrefix, "-")}
	for more := true; more; {
		rows, err := g.store.ListRelayEndpoints(ctx, after, loadPage)
		if err != nil {
			return err
		}
		more = len(rows) == loadPage
		for _, row := range rows {
			after = row.RelayEndpointKey
			if row.App != app || !strings.HasPrefix(row.ID, urlPrefix) {
				more = false
				break
			}
			stored[row.ID] = true
		}
	}
	a.stored, a.readTime = stored, g.real.Now()
	for id, since := range a.promised {
		if stored[id] || g.clock.Since(since) > promiseFor {
			delete(a.promised, id)
		}
	}
	return nil
}
