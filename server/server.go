package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/test/bufconn"

	"susul.dev/susul/server/api"
	"susul.dev/susul/server/clock"
	"susul.dev/susul/server/config"
)

const (
	pipeBytes      = 1 << 20
	maxAnswerBytes = 32 << 20 // of one RPC, to the gateway

	// workStop bounds the end of the work, once callers are gone: its requests to EngageLab, the resignation, etcd.
	workStop = 15 * time.Second
)

// Options are what a Server needs.
type Options struct {
	Config config.Config
	Logger *slog.Logger
	// Clock is what time is taken from; nil for one that runs at the configured speed.
	Clock clockwork.Clock
	// RealClock is the time of the world outside, in which callbacks are signed; nil for the machine's.
	RealClock clockwork.Clock
}

// Server is one node: its listeners, and the work that it does when it is elected.
type Server struct {
	config   config.Config
	log      *slog.Logger
	clock    clockwork.Clock
	registry *prometheus.Registry
	node     *node
	api      *api.API

	grpc   *grpc.Server
	health *health.Server
	http   *webServer
	ops    *http.Server
	pipe   *bufconn.Listener // the gateway's way to the gRPC services
	caller *grpc.ClientConn  // the gateway's end of it

	grpcListener, httpListener, opsListener net.Listener
	httpDoor                                *door // of the httpListener
}

// New binds the listeners, so that addresses are known and a port in use is found out at once. Run must be called to
// release them.
func New(ctx context.Context, o Options) (*Server, error) {
	s := &Server{
		config: o.Config, log: o.Logger, clock: o.Clock,
		registry: prometheus.NewRegistry(), health: health.NewServer(), pipe: bufconn.Listen(pipeBytes),
	}
	if s.clock == nil {
		s.clock = clock.Scaled(o.Config.Clock.Speed)
	}
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := s.listen(ctx); err != nil {
		return nil, err
	}
	for _, app := range o.Config.Apps {
		if app.Callback.Open() {
			s.log.Warn("callbacks are taken from anybody: set the app's callback.username and callback.secret", "app", app.AppKey)
		}
	}
	var err error
	if s.node, err = newNode(s); err != nil {
		s.closeListeners()
		return nil, err
	}
	if address := s.node.self.GRPC; onlyHere(address, o.Config.Etcd.Endpoints) {
		s.log.Warn("nodes on other machines can't call this one when it leads: set advertise to an address that they reach", "advertise", address)
	}
	s.api = api.New(api.Options{
		Backend: s.node.backend, Here: s.node.here, Forward: s.node.forwarder, Token: s.node.self.Token,
		Apps: apiApps(o.Config), Groups: apiGroups(o.Config), AdminTokens: adminTokens(o.Config),
		Callbacks: s.callbackRules(o.RealClock), Logger: o.Logger, Registry: s.registry,
	})
	if err := s.buildServers(ctx); err != nil {
		s.closeListeners()
		return nil, err
	}
	return s, nil
}

// GRPCAddress is where the gRPC services are.
func (s *Server) GRPCAddress() string { return s.grpcListener.Addr().String() }

// HTTPAddress is the REST faces' and EngageLab's callbacks' address.
func (s *Server) HTTPAddress() string { return s.httpListener.Addr().String() }

// OpsAddress is where metrics, health and profiles are.
func (s *Server) OpsAddress() string { return s.opsListener.Addr().String() }

// Working is closed when the node does its work for the first time: with SQLite, when it has been elected.
func (s *Server) Working() <-chan struct{} { return s.node.works }

func (s *Server) listen(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			s.closeListeners()
		}
	}()
	var secure *tls.Config
	if s.config.TLS.Enabled() {
		pair, err := tls.LoadX509KeyPair(s.config.TLS.CertFile, s.config.TLS.KeyFile)
		if err != nil {
			return fmt.Errorf("tls: %w", err)
		}
		secure = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	}
	for _, l := range []struct {
		key     string
		address string
		percent int // of the connections
		secure  *tls.Config
		to      *net.Listener
	}{
		{"grpc.listen", s.config.GRPC.Listen, 20, secure, &s.grpcListener},
		{"http.listen", s.config.HTTP.Listen, 75, secure, &s.httpListener},
		{"ops.listen", s.config.Ops.Listen, 5, nil, &s.opsListener},
	} {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", l.address)
		if err != nil {
			return fmt.Errorf("%s: %w", l.key, err)
		}
		if l.to == &s.httpListener {
			s.httpDoor = newDoor(listener.(*net.TCPListener)) // which tcp's always are
			listener = s.httpDoor
		}
		listener = limitConnections(listener, l.percent)
		if l.secure != nil {
			listener = tls.NewListener(listener, l.secure)
		}
		*l.to = listener
	}
	return nil
}

func (s *Server) closeListeners() {
	for _, listener := range []net.Listener{s.grpcListener, s.httpListener, s.opsListener} {
		if listener != nil {
			_ = listener.Close()
		}
	}
}

func (s *Server) buildServers(ctx context.Context) error {
	var err error
	s.grpc, err = s.api.NewGRPCServer(
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: idleTimeout, Time: time.Minute}),
		grpc.ConnectionTimeout(readHeaderTimeout), grpc.MaxHeaderListSize(maxHeaderBytes), grpc.MaxConcurrentStreams(maxStreams),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
	)
	if err != nil {
		return err
	}
	healthv1.RegisterHealthServer(s.grpc, s.health)
	s.setServing(healthv1.HealthCheckResponse_NOT_SERVING)
	s.caller, err = grpc.NewClient("passthrough:gateway",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return s.pipe.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()), // it never leaves the process
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswerBytes)),
	)
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	handler, err := s.api.NewHTTPHandler(ctx, s.caller)
	if err != nil {
		return err
	}
	s.http = newWebServer(newHTTPServer(handler, s.log))
	s.ops = newHTTPServer(s.opsHandler(), s.log)
	return nil
}

// setServing tells the health of the node, and of each service by its name, which is the same.
func (s *Server) setServing(status healthv1.HealthCheckResponse_ServingStatus) {
	s.health.SetServingStatus("", status)
	for name := range s.grpc.GetServiceInfo() {
		s.health.SetServingStatus(name, status)
	}
}

// Run serves until the context ends, then stops in the reverse order of starting: callers first, then the work, then
// what the work stands on. Callers that outlast the configured time are cut off. It returns nil after an orderly stop.
func (s *Server) Run(ctx context.Context) error {
	s.log.Info("listening", "grpc", s.GRPCAddress(), "http", s.HTTPAddress(), "ops", s.OpsAddress())
	var listeners errgroup.Group
	failed := make(chan error, 1)
	serve := func(name string, serve func() error) {
		listeners.Go(func() error {
			err := serve()
			if err == nil || errors.Is(err, http.ErrServerClosed) || errors.Is(err, grpc.ErrServerStopped) {
				return nil
			}
			err = fmt.Errorf("serve %s: %w", name, err)
			select {
			case failed <- err:
			default:
			}
			return err
		})
	}
	serve("ops", func() error { return s.ops.Serve(s.opsListener) })
	serve("gateway", func() error { return s.grpc.Serve(s.pipe) })
	serve("grpc", func() error { return s.grpc.Serve(s.grpcListener) })
	serve("http", func() error { return s.http.Serve(s.httpListener) })

	working, stopWorking := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWorking()
	worked := make(chan error, 1)
	go func() { worked <- s.node.run(working) }()

	var err error
	workEnded := false
	select {
	case <-ctx.Done():
	case err = <-failed:
	case err = <-worked:
		workEnded = true
	}
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.config.Shutdown.Timeout)
	defer cancel()
	s.stopCallers(deadline)
	stopWorking()
	if !workEnded {
		select {
		case workErr := <-worked:
			err = errors.Join(err, workErr)
		case <-time.After(workStop): //nolint:forbidigo // real time
			err = errors.Join(err, fmt.Errorf("stop: the work did not end within %s", workStop))
		}
	}
	_ = s.ops.Close()
	err = errors.Join(err, listeners.Wait())
	if err != nil {
		s.log.Error("stopped", "error", err)
		return err
	}
	s.log.Info("stopped", "error", nil)
	return nil
}

// stopCallers takes no new calls, lets those under way finish, and cuts off those that outlast the deadline. REST ends
// before gRPC, since its calls become gRPC calls.
func (s *Server) stopCallers(deadline context.Context) {
	s.health.Shutdown()
	s.api.RefuseStreams()
	s.node.drain()
	s.http.stop(deadline, s.httpDoor)
	s.api.Close()
	_ = s.caller.Close()
	stopped := make(chan struct{})
	go func() { s.grpc.GracefulStop(); close(stopped) }()
	select {
	case <-stopped:
	case <-deadline.Done():
		s.grpc.Stop()
		<-stopped
	}
}

func apiApps(cfg config.Config) map[string]api.App {
	apps := make(map[string]api.App, len(cfg.Apps))
	for _, app := range cfg.Apps {
		apps[app.AppKey] = api.App{
			MasterSecret: app.MasterSecret.Reveal(),
			BaseURL:      app.BaseURL,
			Callbacks: api.CallbackProof{
				Username: app.Callback.Username, Secret: app.Callback.Secret.Reveal(),
				Authorization: app.Callback.Authorization.Reveal(), Networks: app.Callback.Networks,
			},
		}
	}
	return apps
}

func (s *Server) callbackRules(realClock clockwork.Clock) api.CallbackRules {
	if realClock == nil {
		realClock = clockwork.NewRealClock()
	}
	return api.CallbackRules{
		TrustedProxies: s.config.HTTP.TrustedProxies,
		MaxAge:         s.config.Callbacks.MaxAge, MaxAhead: s.config.Callbacks.MaxAhead,
		Nonces: s.config.Callbacks.Nonces, Clock: realClock,
	}
}

func apiGroups(cfg config.Config) map[string]api.Group {
	groups := make(map[string]api.Group, len(cfg.Groups))
	for _, group := range cfg.Groups {
		groups[group.GroupKey] = api.Group{MasterSecret: group.MasterSecret.Reveal()}
	}
	return groups
}

func adminTokens(cfg config.Config) []string {
	tokens := make([]string, len(cfg.Admin.Tokens))
	for i, token := range cfg.Admin.Tokens {
		tokens[i] = token.Reveal()
	}
	return tokens
}
