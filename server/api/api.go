package api

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc"
	"google.golang.org/grpc/reflection"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/delivery"
	"susul.dev/susul/server/policy"
	"susul.dev/susul/server/relay"
	"susul.dev/susul/server/subscription"
)

// maxRequestBytes bounds a gRPC message and a REST body: enough for a million registration ids.
const maxRequestBytes = 32 << 20

// Backend is what the handlers work with.
type Backend struct {
	Delivery      *delivery.Service
	Policies      *policy.Store
	Subscriptions *subscription.Store
	// Events are those that are watched: Relay's, or a relay.Watcher's.
	Events Events
	// Relay is nil on a node that does not relay: its RelayService calls are another's.
	Relay *relay.Relay
}

// Events lets events be watched.
type Events interface {
	// Watch is relay.Relay's.
	Watch(ctx context.Context, q relay.WatchQuery, tell relay.Tell) error
}

// App is what the API knows of an app.
type App struct {
	MasterSecret string
	// BaseURL is the app's data centre, which gets what Susul has no part in.
	BaseURL string
	// Callbacks is what EngageLab's reports must prove.
	Callbacks CallbackProof
}

// Group is what the API knows of a group of apps.
type Group struct {
	MasterSecret string
}

// Options are what an API needs. All but Groups and SlowConsumer are required.
type Options struct {
	// Backend returns a *StandbyError while another node does the work.
	Backend     func() (Backend, error)
	Apps        map[string]App   // by app key
	Groups      map[string]Group // by group key
	Callbacks   CallbackRules
	AdminTokens []string
	Logger      *slog.Logger
	Registry    prometheus.Registerer
	// SlowConsumer is how long a stream's client may take nothing, in real time, before the stream ends. Default 30 s.
	SlowConsumer time.Duration
}

// slowConsumer is the default of Options.SlowConsumer.
const slowConsumer = 30 * time.Second

// API holds the handlers.
type API struct {
	backend      func() (Backend, error)
	apps         map[string]App
	auth         authenticator
	log          *slog.Logger
	registry     prometheus.Registerer
	guards       map[string]*guard // by app key
	streams      streams
	slowConsumer time.Duration
	bodies       bodies
	proxy        *proxy

	callbackMemory  sync.Pool // of *callbackMemory
	callbacksAtWork *semaphore.Weighted
}

// New returns an API.
func New(o Options) *API {
	return &API{
		slowConsumer: cmp.Or(o.SlowConsumer, slowConsumer),
		backend:      o.Backend, apps: o.Apps, log: o.Logger, registry: o.Registry, guards: newGuards(o),
		auth: newAuthenticator(o.Apps, o.Groups, o.AdminTokens), bodies: newBodies(),
		proxy:           newProxy(o.Apps, o.Logger),
		callbackMemory:  sync.Pool{New: func() any { return new(callbackMemory) }},
		callbacksAtWork: semaphore.NewWeighted(maxCallbacksAtWork),
	}
}

// Close gives up the connections that the API holds to EngageLab. Calls still under way end as they would have.
func (a *API) Close() { a.proxy.close() }

// core returns what carries messages.
func (a *API) core() (*delivery.Service, error) {
	backend, err := a.backend()
	return backend.Delivery, err
}

// policies returns the resend policies.
func (a *API) policies() (*policy.Store, error) {
	backend, err := a.backend()
	return backend.Policies, err
}

// subscriptions returns the apps' subscriptions.
func (a *API) subscriptions() (*subscription.Store, error) {
	backend, err := a.backend()
	return backend.Subscriptions, err
}

// NewGRPCServer returns a server with all services, reflection included, that isn't listening yet.
func (a *API) NewGRPCServer(options ...grpc.ServerOption) (*grpc.Server, error) {
	interceptors, err := a.interceptors()
	if err != nil {
		return nil, err
	}
	server := grpc.NewServer(append(options, append(interceptors, grpc.MaxRecvMsgSize(maxRequestBytes))...)...)
	susulv1.RegisterPushServiceServer(server, pushService{API: a})
	susulv1.RegisterCallbackServiceServer(server, callbackService{API: a})
	susulv1.RegisterDeviceServiceServer(server, deviceService{API: a})
	susulv1.RegisterResendPolicyServiceServer(server, resendPolicyService{API: a})
	susulv1.RegisterRelayServiceServer(server, relayService{API: a})
	reflection.Register(server)
	return server, nil
}
