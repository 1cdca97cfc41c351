package relay

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"susul.dev/susul/server/subscription"
	"susul.dev/susul/storage"
)

// subPrefix is before a subscription's id in its endpoint's.
const subPrefix = "sub-"

// urlPrefix is before what the endpoint of a callback URL is called.
const urlPrefix = "url-"

// routes are an app's endpoints, by id.
type routes struct {
	subs map[string]*endpoint
	urls map[string]*endpoint
	// announced is the sequence up to which the log's events were announced to all endpoints that they may be for.
	announced int64
	// promised are endpoints of callback URLs that pushes were accepted for, and that have no event yet, with the time.
	promised map[string]time.Time
	odometer odometer
}

func newRoutes(announced int64) *routes {
	return &routes{
		subs: map[string]*endpoint{}, urls: map[string]*endpoint{}, announced: announced, promised: map[string]time.Time{},
		odometer: odometer{start: announced},
	}
}

// get returns an endpoint, or nil.
func (a *routes) get(id string) *endpoint {
	if e := a.subs[id]; e != nil {
		return e
	}
	return a.urls[id]
}

// each calls f with every endpoint.
func (a *routes) each(f func(e *endpoint)) {
	for _, e := range a.subs {
		f(e)
	}
	for _, e := range a.urls {
		f(e)
	}
}

// load makes the endpoints that were saved, but those of subscriptions: these wait for them.
func (r *Relay) load(ctx context.Context) error {
	head, err := r.Store.RelayHead(ctx)
	if err != nil {
		return fmt.Errorf("read the relay's head: %w", err)
	}
	r.saver.head = head
	spans, err := r.loadSpans(ctx)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for app := range r.Apps {
		r.routes[app] = newRoutes(head)
	}
	var after storage.RelayEndpointKey
	for {
		rows, err := r.Store.ListRelayEndpoints(ctx, after, loadPage)
		if err != nil {
			return fmt.Errorf("read endpoints: %w", err)
		}
		for _, row := range rows {
			after = row.RelayEndpointKey
			a := r.routes[row.App]
			switch {
			case a == nil: // the app is configured no more; it may come back
			case row.UID != "":
				r.waiting[row.RelayEndpointKey] = storedEndpoint{row, spans[row.RelayEndpointKey]}
			default:
				e := r.newEndpoint(row, spans[row.RelayEndpointKey], nil)
				e.announce(row.Cursor+1, head)
				a.urls[row.ID] = e
			}
		}
		if len(rows) < loadPage {
			return nil
		}
	}
}

// loadPage is how many rows are read at once.
const loadPage = 1000

// storedEndpoint is an endpoint as it was saved.
type storedEndpoint struct {
	row   storage.RelayEndpoint
	spans []storage.RelaySpan
}

func (r *Relay) loadSpans(ctx context.Context) (map[storage.RelayEndpointKey][]storage.RelaySpan, error) {
	all := map[storage.RelayEndpointKey][]storage.RelaySpan{}
	var after storage.RelaySpanKey
	for {
		spans, err := r.Store.ListRelaySpans(ctx, storage.RelaySpanQuery{After: after, Limit: loadPage})
		if err != nil {
			return nil, fmt.Errorf("read spans: %w", err)
		}
		for _, s := range spans {
			after = storage.RelaySpanKey{RelayEndpointKey: s.RelayEndpointKey, ID: s.ID}
			all[s.RelayEndpointKey] = append(all[s.RelayEndpointKey], s)
		}
		if len(spans) < loadPage {
			return all, nil
		}
	}
}

// onEvents announces a new stretch of an app's log to the endpoints that it may be for, and makes those that are new.
func (r *Relay) onEvents(_ context.Context, stretch *page) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.routes[stretch.app]
	if a == nil || stretch.through <= a.announced {
		return nil
	}
	a.odometer.add(stretch.last(), len(stretch.entries)+stretch.unread)
	for _, e := range a.subs {
		e.announce(stretch.first, stretch.through)
	}
	for id, places := range stretch.urls {
		e := a.urls[id]
		if e == nil {
			e = r.discover(stretch.app, id, &stretch.entries[places[0]])
			a.urls[id] = e
			delete(a.promised, id)
		}
		e.announce(stretch.first, stretch.through)
	}
	a.announced = stretch.through
	return nil
}

// discover makes the endpoint of a callback URL that an event is the first for. It is to be announced.
func (r *Relay) discover(app, id string, first *entry) *endpoint {
	row := storage.RelayEndpoint{
		RelayEndpointKey: storage.RelayEndpointKey{App: app, ID: id}, State: storage.RelayActive, Cursor: first.Sequence - 1,
		CreateTime: r.Clock.Now().UTC(),
	}
	for _, url := range first.push.CallbackURLs {
		if found, address := urlEndpointID(url); found == id {
			row.URL = address
		}
	}
	e := r.newEndpoint(row, nil, nil)
	e.ledger.changed = true
	return e
}

// follow keeps the endpoints of subscriptions as these are, until the context ends.
func (r *Relay) follow(ctx context.Context) error {
	if r.Subscriptions == nil {
		<-ctx.Done()
		return nil
	}
	snapshot := r.Subscriptions.Snapshot()
	for {
		r.subscribe(snapshot.All())
		next, err := r.Subscriptions.Wait(ctx, snapshot.Revision)
		if err != nil {
			return nil // the context ended
		}
		snapshot = next
	}
}

// subscribe makes, changes and removes endpoints so that they are those of the subscriptions. Those of broken ones
// wait until these are mended.
func (r *Relay) subscribe(all []*subscription.Compiled) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := map[*endpoint]bool{}
	for _, sub := range all {
		a := r.routes[sub.Subscription.App]
		if a == nil {
			continue
		}
		id := subPrefix + sub.Subscription.ID
		e := a.subs[id]
		switch {
		case e == nil || e.sub.Subscription.UID != sub.Subscription.UID:
			if e != nil {
				e.remove()
				r.saver.forget(e.key())
			}
			e = r.subscriber(sub, a.announced)
			a.subs[id] = e
		case e.sub != sub:
			e.configure(sub)
		}
		kept[e] = true
	}
	for _, a := range r.routes {
		for id, e := range a.subs {
			if !kept[e] {
				delete(a.subs, id)
				e.remove()
				r.saver.forget(e.key())
			}
		}
	}
	for key := range r.waiting { // of subscriptions that were deleted meanwhile, or will be mended
		if r.Subscriptions != nil && r.Subscriptions.Broken(key.App, strings.TrimPrefix(key.ID, subPrefix)) {
			continue
		}
		r.saver.forget(key)
		delete(r.waiting, key)
	}
}

// subscriber makes the endpoint of a subscription: as it was saved, if that was the same subscription's.
func (r *Relay) subscriber(sub *subscription.Compiled, announced int64) *endpoint {
	s := &sub.Subscription
	key := storage.RelayEndpointKey{App: s.App, ID: subPrefix + s.ID}
	stored, ok := r.waiting[key]
	delete(r.waiting, key)
	var e *endpoint
	if ok && stored.row.UID == s.UID {
		e = r.newEndpoint(stored.row, stored.spans, sub)
	} else {
		if ok {
			r.saver.forget(key)
		}
		stored.row = storage.RelayEndpoint{
			RelayEndpointKey: key, UID: s.UID, State: storage.RelayActive, Cursor: s.Start, CreateTime: r.Clock.Now().UTC(),
		}
		e = r.newEndpoint(stored.row, nil, sub)
		e.ledger.changed = true
	}
	// Only now it is seen by others, and saved: one that seems to have caught up would be taken to have come to the head.
	e.announce(stored.row.Cursor+1, announced)
	return e
}

// sweep has saved what goes on without anything being delivered.
func (r *Relay) sweep() {
	head := r.feed.head()
	for _, e := range r.all() {
		e.look(func(l *ledger) {
			behind := l.cursor() - l.row.Cursor
			if l.caughtUp() {
				if behind = max(l.position, head) - l.row.Cursor; behind < idleBehind {
					behind = 0
				}
			}
			if behind > 0 {
				l.changed = true
				e.changed()
			}
		})
	}
	r.thinOut()
	r.saver.ask() // for the head
}

// thinOut makes room for what other nodes accept: there, nobody can.
func (r *Relay) thinOut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.routes {
		if excess := a.size() + spareURLEndpoints - maxURLEndpoints; len(a.urls) >= maxURLEndpoints {
			r.makeRoom(a, excess, r.Clock.Now())
		}
	}
}

// all returns all endpoints, in no order.
func (r *Relay) all() []*endpoint {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []*endpoint
	for _, a := range r.routes {
		a.each(func(e *endpoint) { all = append(all, e) })
	}
	return all
}

// find returns an endpoint, or storage.ErrNotFound; while the relay does not run, storage.ErrUnavailable.
func (r *Relay) find(ctx context.Context, app, id string) (*endpoint, error) {
	if err := r.running(ctx); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if a := r.routes[app]; a != nil {
		if e := a.get(id); e != nil {
			return e, nil
		}
	}
	return nil, storage.ErrNotFound
}

// running waits until the endpoints are known.
func (r *Relay) running(ctx context.Context) error {
	select {
	case <-r.ended:
		return storage.ErrUnavailable
	default:
	}
	select {
	case <-r.loaded:
		return nil
	case <-r.ended:
		return storage.ErrUnavailable
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sorted returns the ids of an app's endpoints, ascending.
func (r *Relay) sorted(app string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.routes[app]
	if a == nil {
		return nil
	}
	ids := slices.AppendSeq(slices.Collect(maps.Keys(a.subs)), maps.Keys(a.urls))
	slices.Sort(ids)
	return ids
}
