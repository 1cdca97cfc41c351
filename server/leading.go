package server

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"susul.dev/susul/server/api"
	"susul.dev/susul/server/config"
	"susul.dev/susul/server/delivery"
	"susul.dev/susul/server/policy"
	"susul.dev/susul/server/relay"
	"susul.dev/susul/server/schedule"
	"susul.dev/susul/server/subscription"
	"susul.dev/susul/storage"
	"susul.dev/susul/storage/sqlite"
)

// lead does the work of the elected node until the context ends or another leader has taken over. The backend has what comes from
// etcd.
func (n *node) lead(ctx context.Context, term int64, backend api.Backend, locked bool) error {
	if !locked {
		defer n.unlockDataDir()
		if err := n.awaitFormerLeader(ctx); err != nil {
			return ignoreStop(ctx, err)
		}
	}
	store, err := n.openStore(ctx, term)
	if err != nil {
		return ignoreStop(ctx, err)
	}
	defer n.closeStore(store)
	events := n.newRelay(store, backend.Subscriptions)
	service := n.newService(store, backend.Policies, events, nil)
	backend.Delivery, backend.Events, backend.Relay = service, events, events
	leads := &leadership{backend: backend, store: store, term: term}
	n.takeOver(leads)
	defer n.takeOver(nil)
	n.begin(leads)
	defer n.end()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return service.Run(ctx) })
	group.Go(func() error { return service.RunLeader(ctx) })
	group.Go(func() error { return events.Run(ctx) })
	group.Go(func() error {
		return schedule.Loop{Planner: service, Clock: n.server.clock, Logger: n.server.log}.Run(ctx)
	})
	return group.Wait()
}

// begin lets callers in.
func (n *node) begin(active *leadership) {
	n.active.Store(active)
	n.changed()
	n.working.Do(func() { close(n.works) })
}

// end keeps callers out.
func (n *node) end() {
	n.active.Store(nil)
	n.changed()
	n.server.api.EndStreams()
}

// takeOver makes a leadership this node's, or with nil ends it.
func (n *node) takeOver(leads *leadership) {
	n.leads.Store(leads)
	n.changed()
}

// changed tells who waits for a node that answers.
func (n *node) changed() {
	n.leader.Wake()
	n.tellHealth()
}

func (n *node) openStore(ctx context.Context, term int64) (storage.Store, error) {
	store, err := sqlite.Open(ctx, sqlite.Options{
		Path: n.server.config.Storage.DSN.Reveal(), Logger: n.server.log, Memory: n.server.config.Storage.Memory << 20,
		MaxHeld: n.server.config.Callbacks.HeldRows,
	})
	if err != nil {
		return nil, fmt.Errorf("open storage: %w", err)
	}
	if _, err := n.takeLead(ctx, store, term, 0); err != nil {
		return nil, errors.Join(fmt.Errorf("lead storage: %w", err), store.Close())
	}
	return store, nil
}

// fence is what every backend has besides storage.Store.
type fence interface {
	// Term returns the term of the last leader, and Lead begins a later one.
	Term(ctx context.Context) (int64, error)
	Lead(ctx context.Context, term int64) error
}

// takeLead fences every other leader off, and returns the term that it leads with. Terms come from etcd, counted from a base, and under
// another etcd than before, or one that was restored, they may begin anew: the new term follows the last one then. But etcd must
// say now that this is the leader: a process that was frozen after its election finds the term of the one that has overtaken it,
// and must not fence that off.
func (n *node) takeLead(ctx context.Context, store fence, elected, base int64) (term int64, err error) {
	term = base + elected
	last, err := store.Term(ctx)
	if err != nil {
		return 0, err
	}
	if last >= term {
		leads, err := n.election.Load().Leads(ctx, elected)
		if err != nil {
			return 0, err
		}
		if !leads {
			return 0, storage.ErrFenced
		}
		term = last + 1
	}
	return term, store.Lead(ctx, term)
}

func (n *node) newRelay(store storage.Store, subscriptions *subscription.Store) *relay.Relay {
	cfg := n.server.config
	apps := make(map[string]relay.App, len(cfg.Apps))
	for _, app := range cfg.Apps {
		signing := relay.App{Username: app.Relay.Username}
		for _, secret := range app.Relay.Secrets {
			signing.Secrets = append(signing.Secrets, secret.Reveal())
		}
		apps[app.AppKey] = signing
	}
	return relay.New(relay.Options{
		Store: store, Apps: apps, Poster: n.poster, Subscriptions: subscriptions, Clock: n.server.clock,
		MaxAge: cfg.Relay.MaxAge, Logger: n.server.log, Registerer: n.server.registry,
	})
}

func (n *node) newService(
	store storage.Store, policies *policy.Store, urls delivery.CallbackURLs, nodes func() int,
) *delivery.Service {
	cfg := n.server.config
	groups := make(map[string]delivery.GroupSender, len(n.groups))
	for key, client := range n.groups {
		groups[key] = client
	}
	apps := make(map[string]delivery.App, len(cfg.Apps))
	for _, app := range cfg.Apps {
		apps[app.AppKey] = delivery.App{
			Sender: n.clients[app.AppKey], CallbackURL: callbackURL(cfg, app), RequestsPerSecond: app.RequestsPerSecond,
			DeleteInvalidDevices: app.DeleteInvalidDevices,
		}
	}
	return delivery.New(delivery.Options{
		Store: store, Policies: policies, Apps: apps, Groups: groups, Clock: n.server.clock, Logger: n.server.log,
		Metrics: n.metrics, Statuses: cfg.Callbacks.Statuses, DeadTokens: cfg.Callbacks.DeadTokens, Retention: cfg.Storage.Retention,
		ExternalPushes: externalPushes(cfg), CallbackURLs: urls, Nodes: nodes,
		ClaimLease: time.Duration(float64(claimLease) * max(cfg.Clock.Speed, 1)),
	})
}

// externalPushes turns the configuration's none into delivery's.
func externalPushes(cfg config.Config) int {
	if cfg.Callbacks.ExternalPushes == 0 {
		return -1
	}
	return cfg.Callbacks.ExternalPushes
}

// callbackURL is where EngageLab is told to report an app's pushes; empty if the console says where.
func callbackURL(cfg config.Config, app config.App) string {
	if cfg.PublicURL == "" {
		return ""
	}
	return strings.TrimSuffix(cfg.PublicURL, "/") + "/v1/apps/" + url.PathEscape(app.AppKey) + "/callbacks"
}
