package api

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc"
	"google.golang.org/grpc/reflection"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/delivery"
	"susul.dev/susul/server/forward"
	"susul.dev/susul/server/policy"
	"susul.dev/susul/server/relay"
	"susul.dev/susul/server/subscription"
)

// maxRequestBytes bounds a gRPC message and a REST body: enough for a million registration ids.
const maxRequestBytes = 32 << 20

// maxForwardedHead is what a forwarded REST call may take beside its body.
const maxForwardedHead = 64 << 10

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

// Options are what an API needs. All but Groups, Here, Forward, Token and SlowConsumer are required.
type Options struct {
	// Backend returns a *StandbyError while another node does the work.
	Backend func() (Backend, error)
	// Here reports whether this node answers calls of a gRPC method now, such as /susul.v1.PushService/CreatePush. It is asked
	// for each call. Nil: whenever there is a backend. REST calls without a method are answered when there is a backend.
	Here func(method string) bool
	// Forward takes the other calls to the node that leads; nil: they get a *StandbyError.
	Forward *forward.Forwarder
	// Token is what calls that other nodes forward to this one must carry; empty: none is taken.
	Token       string
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
	backend        func() (Backend, error)
	here           func(method string) bool
	forward        *forward.Forwarder
	token          string
	trustedProxies []netip.Prefix
	forwarded      http.Handler // of REST calls that other nodes forward
	apps           map[string]App
	auth           authenticator
	log            *slog.Logger
	registry       prometheus.Registerer
	guards         map[string]*guard // by app key
	streams        streams
	slowConsumer   time.Duration
	bodies         bodies
	proxy          *proxy

	callbackMemory  sync.Pool // of *callbackMemory
	callbacksAtWork *semaphore.Weighted
}

// New returns an API.
func New(o Options) *API {
	a := &API{
		here: o.Here, forward: o.Forward, token: o.Token, trustedProxies: o.Callbacks.TrustedProxies,
		slowConsumer: cmp.Or(o.SlowConsumer, slowConsumer),
		backend:      o.Backend, apps: o.Apps, log: o.Logger, registry: o.Registry, guards: newGuards(o),
		auth: newAuthenticator(o.Apps, o.Groups, o.AdminTokens), bodies: newBodies(),
		proxy:           newProxy(o.Apps, o.Logger),
		callbackMemory:  sync.Pool{New: func() any { return new(callbackMemory) }},
		callbacksAtWork: semaphore.NewWeighted(maxCallbacksAtWork),
	}
	if a.here == nil {
		a.here = func(string) bool {
			_, err := a.backend()
			return err == nil
		}
	}
	mux := http.NewServeMux()
	a.routeOffered(mux)
	a.forwarded = mux
	return a
}

// routeOffered adds the REST calls that no gRPC method has.
func (a *API) routeOffered(mux *http.ServeMux) {
	mux.Handle("/v1/apps/{app_key}/callbacks", a.withHTTPRecovery(callbackFault, a.serveCallbacks))
	a.routeV4(mux)
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

// NewGRPCServer returns a server with all services, reflection included, that isn't listening yet. Each call of ours is
// answered here or by the leader.
func (a *API) NewGRPCServer(options ...grpc.ServerOption) (*grpc.Server, error) {
	router, err := a.newRouter()
	if err != nil {
		return nil, err
	}
	server := grpc.NewServer(append(options,
		grpc.ForceServerCodecV2(forward.Codec()), grpc.UnknownServiceHandler(router.serveUnknown),
		grpc.MaxRecvMsgSize(maxRequestBytes+maxForwardedHead),
	)...)
	router.server = server
	susulv1.RegisterPushServiceServer(router, pushService{API: a})
	susulv1.RegisterCallbackServiceServer(router, callbackService{API: a})
	susulv1.RegisterDeviceServiceServer(router, deviceService{API: a})
	susulv1.RegisterResendPolicyServiceServer(router, resendPolicyService{API: a})
	susulv1.RegisterRelayServiceServer(router, relayService{API: a})
	reflection.Register(server)
	return server, nil
}
