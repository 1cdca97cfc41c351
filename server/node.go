package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

	"susul.dev/susul/server/api"
	"susul.dev/susul/server/config"
	"susul.dev/susul/server/delivery"
	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/server/forward"
	"susul.dev/susul/server/policy"
	"susul.dev/susul/server/schedule"
	"susul.dev/susul/server/subscription"
	"susul.dev/susul/server/webhook"
	"susul.dev/susul/storage"
)

const (
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
// With the embedded etcd the lock on the data directory comes first, since etcd's data is in there too. While another node leads,
// the API forwards its calls there (package forward); the election tells where that is, or with the embedded etcd a file.
type node struct {
	server        *Server
	metrics       *delivery.Metrics
	groups        map[string]*engagelab.Client // by group key; as clients
	clients       map[string]*engagelab.Client // by app key; they outlast a leadership, as EngageLab's quota does
	lock          *flock.Flock
	self          forward.Peer
	leader        forward.Leader
	forwarder     *forward.Forwarder
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

// drain has callers who wait for EngageLab answered at once.
func (n *node) drain() {
	if active := n.active.Load(); active != nil {
		active.backend.Delivery.Hurry()
	}
}

func newNode(s *Server) (*node, error) {
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
	secure, err := peerTLS(s.config.TLS)
	if err != nil {
		return nil, err
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
		self:  forward.NewPeer(advertised(s.config.Advertise, s.grpcListener.Addr().String())),
	}
	n.forwarder = forward.New(forward.Options{
		Self: n.self, Leader: &n.leader, TLS: secure, Hold: s.config.Forward.Hold,
		Registerer: s.registry,
	})
	n.registerClusterMetrics(s.registry)
	return n, nil
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
	return api.Backend{}, &api.StandbyError{Leader: n.otherLeader()}
}

// here reports whether this node answers calls of a gRPC method. On a shared database every node answers, but only the one that leads
// has the relay.
func (n *node) here(method string) bool {
	if n.shared() && api.NeedsRelay(method) {
		return n.leads.Load() != nil
	}
	return n.active.Load() != nil
}

// shared reports whether any number of nodes work on one database.
func (n *node) shared() bool { return n.server.config.Storage.Driver == config.DriverPostgres }

// run stands for election, and works when elected, until the context ends.
func (n *node) run(ctx context.Context) (err error) {
	cfg := n.server.config
	defer func() {
		for _, client := range n.clients {
			client.Close()
		}
		n.poster.Close()
		n.forwarder.Close()
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
		Client: client, Candidate: n.self.Encode(), Observed: n.observe, Logger: n.server.log,
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
