package server

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

	"susul.dev/susul/server/api"
	"susul.dev/susul/server/clock"
	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/server/relay"
	"susul.dev/susul/server/schedule"
	"susul.dev/susul/storage"
	"susul.dev/susul/storage/postgres"
)

const (
	// electionKey is where etcd keeps the name by which a database knows its elections.
	electionKey = "/susul/cluster"

	// nameTimeout bounds the question for that name, in real time.
	nameTimeout = 5 * time.Second

	// The pause before the database is tried again grows from the first to the second, in real time.
	minStorePause = 100 * time.Millisecond
	maxStorePause = 3 * time.Second

	// A leader that can't write for so many looks in a row resigns: another node may still reach the database.
	storeLooks = 3
	storeLook  = 3 * time.Second
)

var errStoreLost = errors.New("the database can't be reached from here: another node may lead")

// share works on a database that any number of nodes share, until the context ends:
//
//	database ─► a handle ──────────────► take pushes and callbacks, send, watch events: every node, as long as it runs
//	   └──────► a handle under a term ─► plan, measure, relay, forget: the node that is elected
//
// Without etcd a node goes on with the first; nobody does the second until etcd is back. The backend has what comes from etcd.
func (n *node) share(ctx context.Context, client *clientv3.Client, election *schedule.Election, backend api.Backend) error {
	store, base, err := n.joinStore(ctx, client)
	if err != nil {
		return ignoreStop(ctx, err)
	}
	defer n.closeStore(store)
	// The node counts, and gives up its share, only when it has stopped sending.
	counting, stopCounting := context.WithCancel(context.WithoutCancel(ctx))
	members := n.newMembers(client)
	n.members.Store(members)
	var counted errgroup.Group
	counted.Go(func() error { return members.Run(counting) })
	defer func() {
		stopCounting()
		_ = counted.Wait() // it has no errors
	}()
	select {
	case <-members.Counted():
	case <-ctx.Done():
		return nil
	}
	watcher := relay.NewWatcher(relay.WatcherOptions{Store: store, Clock: n.server.clock, Logger: n.server.log})
	service := n.newService(store, backend.Policies, relay.NewGate(store, n.server.clock), members.Nodes)
	backend.Delivery, backend.Events = service, watcher
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return service.Run(ctx) })
	group.Go(func() error { return watcher.Run(ctx) })
	group.Go(func() error {
		return election.Run(ctx, func(ctx context.Context, term int64) error {
			return n.leadShared(ctx, store.Handle(), term, base, backend)
		})
	})
	n.begin(&leadership{backend: backend, store: store})
	defer n.end()
	return group.Wait()
}

// leadShared does what one node does for all, until the context ends, another leader has taken over, or the database is lost. It closes
// the handle.
func (n *node) leadShared(ctx context.Context, store *postgres.Store, elected, base int64, backend api.Backend) error {
	defer n.closeStore(store)
	term, err := n.leadPatiently(ctx, store, elected, base)
	if err != nil {
		return ignoreStop(ctx, err)
	}
	events := n.newRelay(store, backend.Subscriptions)
	// Nothing is sent through this one: all nodes are told of what it plans.
	service := n.newService(store, backend.Policies, nil, nil)
	backend.Relay = events
	n.takeOver(&leadership{backend: backend, store: store, term: term})
	defer n.takeOver(nil)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return service.RunLeader(ctx) })
	group.Go(func() error { return events.Run(ctx) })
	group.Go(func() error {
		return schedule.Loop{Planner: service, Clock: n.server.clock, Logger: n.server.log}.Run(ctx)
	})
	group.Go(func() error { return guardStore(ctx, store) })
	return group.Wait()
}

// leadPatiently fences earlier leaders. It tries for as long as a leader puts up with a lost database.
func (n *node) leadPatiently(ctx context.Context, store fence, elected, base int64) (term int64, err error) {
	for look := 1; ; look++ {
		term, err = n.takeLead(ctx, store, elected, base)
		if err == nil || !errors.Is(err, storage.ErrUnavailable) || look == storeLooks {
			return term, err
		}
		clock.Rest(ctx, storeLook)
	}
}

// guardStore returns an error when a leader can't write any more.
func guardStore(ctx context.Context, store storage.Store) error {
	for failed := 0; ; {
		clock.Rest(ctx, storeLook)
		if ctx.Err() != nil {
			return nil
		}
		err := ping(ctx, store)
		switch {
		case err == nil:
			failed = 0
		case errors.Is(err, storage.ErrFenced):
			return err
		default:
			if failed++; failed == storeLooks && ctx.Err() == nil {
				return fmt.Errorf("%w: %w", errStoreLost, err)
			}
		}
	}
}

func ping(ctx context.Context, store storage.Store) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	return store.Ping(ctx)
}

// joinStore opens the database, however long it can't be reached, and makes sure that its nodes are elected where this one is. The
// election's terms count from the base.
func (n *node) joinStore(ctx context.Context, client *clientv3.Client) (store *postgres.Store, base int64, err error) {
	cfg := n.server.config
	open := func() (err error) {
		store, err = postgres.Open(ctx, postgres.Options{
			DSN: cfg.Storage.DSN.Reveal(), Connections: cfg.Storage.Connections, MaxHeld: cfg.Callbacks.HeldRows, Logger: n.server.log,
		})
		return err
	}
	if err := n.patiently(ctx, "open storage", open); err != nil {
		return nil, 0, err
	}
	bind := func() error {
		name, err := electionName(ctx, client)
		if err != nil {
			return fmt.Errorf("%w: etcd: %w", storage.ErrUnavailable, err)
		}
		base, err = store.Bind(ctx, name)
		return err
	}
	if err := n.patiently(ctx, "join storage", bind); err != nil {
		n.closeStore(store)
		return nil, 0, err
	}
	return store, base, nil
}

// patiently does something again while what it needs is unavailable.
func (n *node) patiently(ctx context.Context, what string, do func() error) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = minStorePause, maxStorePause
	defer n.waits.Store(false)
	for {
		err := do()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil || !errors.Is(err, storage.ErrUnavailable) {
			return fmt.Errorf("%s: %w", what, err)
		}
		n.waits.Store(true)
		next := pause.NextBackOff()
		n.server.log.Warn("storage can't be used now", "retry_in", next, "error", err)
		clock.Rest(ctx, next)
	}
}

// electionName returns what tells this etcd's elections from others', made up by the first that asks. An etcd's own id would not do: all
// embedded ones have the same.
func electionName(ctx context.Context, client *clientv3.Client) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, nameTimeout)
	defer cancel()
	kept, err := client.Txn(ctx).If(clientv3.Compare(clientv3.CreateRevision(electionKey), "=", 0)).
		Then(clientv3.OpPut(electionKey, rand.Text()), clientv3.OpGet(electionKey)).
		Else(clientv3.OpGet(electionKey)).Commit()
	if err != nil {
		return "", err
	}
	found := kept.Responses[len(kept.Responses)-1].GetResponseRange().GetKvs()
	if len(found) == 0 || len(found[0].Value) == 0 {
		return "", fmt.Errorf("%s is empty", electionKey)
	}
	return string(found[0].Value), nil
}

// newMembers counts the nodes that share the apps' quotas.
func (n *node) newMembers(client *clientv3.Client) *schedule.Members {
	addresses, _ := json.Marshal(map[string]string{"grpc": n.self.GRPC, "http": n.server.HTTPAddress()}) // texts always can be
	return schedule.NewMembers(schedule.MembersOptions{
		Client: client, ID: rand.Text(), Value: string(addresses), Changed: n.shareQuotas, Logger: n.server.log,
	})
}

// shareQuotas gives this node its share of what EngageLab lets all have together.
func (n *node) shareQuotas(nodes int) {
	for _, app := range n.server.config.Apps {
		n.clients[app.AppKey].SetRequestsPerSecond(app.RequestsPerSecond / float64(nodes))
	}
	for _, group := range n.groups {
		group.SetRequestsPerSecond(engagelab.DefaultRequestsPerSecond / float64(nodes))
	}
}

func (n *node) closeStore(store storage.Store) {
	if err := store.Close(); err != nil {
		n.server.log.Error("the store did not close cleanly", "error", err)
	}
}
