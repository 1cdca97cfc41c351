package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"susul.dev/susul/server/api"
	"susul.dev/susul/server/config"
	"susul.dev/susul/server/delivery"
	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/server/policy"
	"susul.dev/susul/server/relay"
	"susul.dev/susul/server/schedule"
	"susul.dev/susul/server/subscription"
	"susul.dev/susul/server/webhook"
	"susul.dev/susul/storage"
	"susul.dev/susul/storage/sqlite"
)

const (
	// lockPoll is how often a standby looks whether the data directory is free, in real time.
	lockPoll = 100 * time.Millisecond

	// etcdStop bounds the stop of etcd, in real time.
	etcdStop = 5 * time.Second

	// claimLease is how long a dispatch belongs to its sender, in real time.
	claimLease = time.Minute
)

// node is the working part of a server:
//
//	etcd ─► policies      ─► election ─► elected: lock the data directory, open the store under the term, send and schedule
//	        subscriptions       ▲                                         │
//	                            └──────── stopped, or leadership lost ◄───┘
//
// With the embedded etcd the lock on the data directory comes first, since etcd's data is in there too.
type node struct {
	server        *Server
	metrics       *delivery.Metrics
	groups        map[string]*engagelab.Client // by group key; as clients
	clients       map[string]*engagelab.Client // by app key; they outlast a leadership, as EngageLab's quota does
	lock          *flock.Flock
	works         chan struct{} // closed when it works for the first time
	working       sync.Once
	election      atomic.Pointer[schedule.Election]
	policies      atomic.Pointer[policy.Store]
	subscriptions atomic.Pointer[subscription.Store]
	poster        *webhook.Client // of events
	members       atomic.Pointer[schedule.Members]
	waits         atomic.Bool                // for the database
	active        atomic.Pointer[leadership] // while it works
	leads         atomic.Pointer[leadership] // while it is elected and leads; with SQLite that is the same
}

// leadership is what a node works with. Of a node that works without leading the term is 0.
type leadership struct {
	backend api.Backend
	store   storage.Store
	term    int64
}

func newNode(s *Server) *node {
	groups := make(map[string]*engagelab.Client, len(s.config.Groups))
	for _, group := range s.config.Groups {
		groups[group.GroupKey] = engagelab.NewClient(engagelab.ClientOptions{
			BaseURL: group.BaseURL, AppKey: engagelab.GroupUserPrefix + group.GroupKey,
			MasterSecret: group.MasterSecret.Reveal(), Clock: s.clock, Logger: s.log,
		})
	}
	clients := make(map[string]*engagelab.Client, len(s.config.Apps))
	for _, app := range s.config.Apps {
		clients[app.AppKey] = engagelab.NewClient(engagelab.ClientOptions{
			BaseURL: app.BaseURL, AppKey: app.AppKey, MasterSecret: app.MasterSecret.Reveal(),
			Clock: s.clock, RequestsPerSecond: app.RequestsPerSecond, Logger: s.log,
		})
	}
	n := &node{
		server:  s,
		metrics: delivery.NewMetrics(s.registry),
		groups:  groups,
		clients: clients,
		lock:    flock.New(filepath.Join(s.config.DataDir, "lock")),
		poster: webhook.NewClient(webhook.Options{
			AllowPrivateNetworks: s.config.Relay.AllowPrivateNetworks, Timeout: s.config.Relay.Timeout,
		}),
		works: make(chan struct{}),
	}
	n.registerClusterMetrics(s.registry)
	return n
}

// backend is what the API works with: this node's own, if it leads.
func (n *node) backend() (api.Backend, error) {
	if active := n.active.Load(); active != nil {
		backend := active.backend
		if leads := n.leads.Load(); leads != nil {
			backend.Relay = leads.backend.Relay
		}
		return backend, nil
	}
	return api.Backend{}, &api.StandbyError{Leader: n.leader()}
}

// leader returns the address of the node that leads, as far as is known.
func (n *node) leader() string {
	if election := n.election.Load(); election != nil {
		if address, known := election.Leader(); known {
			return address
		}
	}
	text, err := os.ReadFile(n.leaderFile())
	address := strings.TrimSpace(string(text))
	if err != nil || address == n.advertised() {
		return "" // this node may have been the last to lead; it is not the one to call now
	}
	return address
}

// leaderFile tells those who wait for the data directory's lock, or for news of the election, who has it.
func (n *node) leaderFile() string { return filepath.Join(n.server.config.DataDir, "leader") }

// run stands for election, and works when elected, until the context ends.
func (n *node) run(ctx context.Context) (err error) {
	cfg := n.server.config
	defer func() {
		for _, client := range n.clients {
			client.Close()
		}
		n.poster.Close()
	}()
	if err := os.MkdirAll(cfg.DataDir, 0o750); err != nil {
		return fmt.Errorf("data_dir: %w", err)
	}
	embedded := len(cfg.Etcd.Endpoints) == 0
	if embedded {
		if err := n.lockDataDir(ctx); err != nil {
			return ignoreStop(ctx, err)
		}
		defer n.unlockDataDir()
	}
	client, stopEtcd, err := startEtcd(ctx, etcdOptions{
		Endpoints: cfg.Etcd.Endpoints, DataDir: cfg.DataDir, Logger: n.server.log,
	})
	if err != nil {
		return ignoreStop(ctx, err)
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), etcdStop)
		defer cancel()
		err = errors.Join(err, stopEtcd(stopping))
	}()
	return n.stand(ctx, client, embedded)
}

// ignoreStop drops an error that is only the stop that was asked for.
func ignoreStop(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// stand follows policies and subscriptions and stands for election.
func (n *node) stand(ctx context.Context, client *clientv3.Client, embedded bool) error {
	policies := policy.New(policy.Options{
		Client: client, Clock: n.server.clock, Logger: n.server.log, Registerer: n.server.registry,
	})
	subscriptions := subscription.New(subscription.Options{
		Client: client, Clock: n.server.clock, Logger: n.server.log, Registerer: n.server.registry,
	})
	election := schedule.New(schedule.ElectionOptions{
		Client: client, Candidate: n.advertised(), Logger: n.server.log,
	})
	n.policies.Store(policies)
	n.subscriptions.Store(subscriptions)
	n.election.Store(election)
	// They are followed until the election has ended, so that nothing works without them.
	following, stopFollowing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopFollowing()
	group, groupCtx := errgroup.WithContext(following)
	group.Go(func() error { return policies.Run(groupCtx) })
	group.Go(func() error { return subscriptions.Run(groupCtx) })
	group.Go(func() error {
		defer stopFollowing()
		for _, loaded := range []<-chan struct{}{policies.Loaded(), subscriptions.Loaded()} {
			select {
			case <-loaded:
			case <-ctx.Done():
				return nil
			}
		}
		backend := api.Backend{Policies: policies, Subscriptions: subscriptions}
		if n.shared() {
			return n.share(ctx, client, election, backend)
		}
		return election.Run(ctx, func(ctx context.Context, term int64) error {
			return n.lead(ctx, term, backend, embedded)
		})
	})
	return group.Wait()
}

// lead does the work of the elected node until the context ends or another leader has taken over. The backend has what comes from
// etcd.
func (n *node) lead(ctx context.Context, term int64, backend api.Backend, locked bool) error {
	if !locked {
		if err := n.lockDataDir(ctx); err != nil {
			return ignoreStop(ctx, err)
		}
		defer n.unlockDataDir()
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
	n.leads.Store(leads)
	defer n.leads.Store(nil)
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
	n.server.setServing(healthv1.HealthCheckResponse_SERVING)
	n.working.Do(func() { close(n.works) })
}

// end keeps callers out.
func (n *node) end() {
	n.server.setServing(healthv1.HealthCheckResponse_NOT_SERVING)
	n.active.Store(nil)
	n.server.api.EndStreams()
}

// shared reports whether any number of nodes work on one database.
func (n *node) shared() bool { return n.server.config.Storage.Driver == config.DriverPostgres }

func (n *node) openStore(ctx context.Context, term int64) (storage.Store, error) {
	store, err := sqlite.Open(ctx, sqlite.Options{
		Path: n.server.config.Storage.DSN.Reveal(), Logger: n.server.log, Memory: n.server.config.Storage.Memory << 20,
		MaxHeld: n.server.config.Callbacks.HeldRows,
	})
	if err != nil {
		return nil, fmt.Errorf("open storage: %w", err)
	}
	// Terms come from etcd. Under another etcd than before they may begin anew; since this process holds the data directory, no
	// leader of the former can be alive, and the new term may follow its last.
	last, err := store.Term(ctx)
	if err == nil {
		err = store.Lead(ctx, max(term, last+1))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lead storage: %w", err), store.Close())
	}
	return store, nil
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

// advertised is the address that other nodes and callers are given: the configured one, with the real port if that was
// left to the system.
func (n *node) advertised() string {
	host, port, err := net.SplitHostPort(n.server.config.Advertise)
	if err != nil || port != "0" {
		return n.server.config.Advertise
	}
	_, port, _ = net.SplitHostPort(n.server.GRPCAddress())
	return net.JoinHostPort(host, port)
}

// lockDataDir waits until no other process works in the data directory.
func (n *node) lockDataDir(ctx context.Context) error {
	if locked, err := n.lock.TryLock(); err == nil && !locked {
		n.server.log.Info("another node works in the data directory; this one stands by", "leader", n.leader())
	}
	if _, err := n.lock.TryLockContext(ctx, lockPoll); err != nil {
		return fmt.Errorf("lock data_dir: %w", err)
	}
	if err := os.WriteFile(n.leaderFile(), []byte(n.advertised()+"\n"), 0o600); err != nil {
		n.server.log.Warn("standbys will not know this node's address", "error", err)
	}
	return nil
}

func (n *node) unlockDataDir() {
	if err := n.lock.Unlock(); err != nil {
		n.server.log.Error("the data directory stays locked until the process ends", "error", err)
	}
}
