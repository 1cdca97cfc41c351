// Package servertest runs a whole server in-process for tests: Susul with its embedded etcd and SQLite, or PostgreSQL where
// package backend says so, in front of a sandbox, over real sockets.
package servertest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server"
	"susul.dev/susul/server/config"
	"susul.dev/susul/server/engagelab/sandbox"
	"susul.dev/susul/server/servertest/backend"
)

// The credentials that every server has. Callbacks of App are signed, those of OtherApp are not.
const (
	App            = "app-one"
	Secret         = "app-one-master-secret"
	OtherApp       = "app-two"
	OtherSecret    = "app-two-master-secret"
	AdminToken     = "an-admin-token-for-tests"
	CallbackUser   = "engagelab"
	CallbackSecret = "a-callback-secret"
)

// startTimeout bounds the wait for the first election, in real time.
const startTimeout = 30 * time.Second

// Options change what Start does.
type Options struct {
	// Clock is the time of server and sandbox; nil for real time.
	Clock clockwork.Clock
	// RealClock is the time in which the server believes that callbacks are signed; nil for the machine's, in which the
	// sandbox signs them.
	RealClock clockwork.Clock
	// Configure changes the server's configuration.
	Configure func(*config.Config)
	// Behaviour is that of the sandbox's devices; zero for one in which every device is reached at once, and nobody
	// displays or clicks.
	Behaviour sandbox.Behaviour
	// SQLite has the server work with SQLite whatever package backend says.
	SQLite bool
	// Log takes the server's log; nil discards it.
	Log *slog.Logger
}

// Server is a running pair of Susul and sandbox.
type Server struct {
	*server.Server
	Sandbox    *sandbox.Sandbox
	SandboxURL string
	Clock      clockwork.Clock
	Pushes     susulv1.PushServiceClient
	Callbacks  susulv1.CallbackServiceClient
	Devices    susulv1.DeviceServiceClient
	Policies   susulv1.ResendPolicyServiceClient
	Relays     susulv1.RelayServiceClient
	Conn       *grpc.ClientConn
}

// Start returns a server that leads; the test's end stops it.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	if o.Clock == nil {
		o.Clock = clockwork.NewRealClock()
	}
	if o.Behaviour == (sandbox.Behaviour{}) {
		o.Behaviour = sandbox.Behaviour{DeliverWithin: time.Millisecond}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &Server{SandboxURL: "http://" + listener.Addr().String(), Clock: o.Clock}

	cfg := Config(t.TempDir(), s.SandboxURL)
	if backend.Postgres() && !o.SQLite {
		cfg.Storage = config.Storage{Driver: config.DriverPostgres, DSN: config.NewSecret(backend.Database(t)), Connections: 8}
	}
	if o.Configure != nil {
		o.Configure(&cfg)
	}
	s.Server, err = server.New(t.Context(), server.Options{Config: cfg, Logger: o.Log, Clock: o.Clock, RealClock: o.RealClock})
	require.NoError(t, err)
	s.Sandbox, err = sandbox.New(sandbox.Config{
		Apps: map[string]string{App: Secret, OtherApp: OtherSecret},
		Callback: sandbox.Callback{
			URL:      "http://" + s.HTTPAddress() + "/v1/apps/" + App + "/callbacks",
			Username: CallbackUser, Secret: CallbackSecret,
		},
		Devices: 100, Seed: 1, Clock: o.Clock, Behaviour: o.Behaviour, Logger: o.Log,
	})
	require.NoError(t, err)
	s.Conn, err = grpc.NewClient(s.GRPCAddress(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	s.Pushes = susulv1.NewPushServiceClient(s.Conn)
	s.Callbacks = susulv1.NewCallbackServiceClient(s.Conn)
	s.Devices = susulv1.NewDeviceServiceClient(s.Conn)
	s.Policies = susulv1.NewResendPolicyServiceClient(s.Conn)
	s.Relays = susulv1.NewRelayServiceClient(s.Conn)
	s.run(t, listener)
	return s
}

func (s *Server) run(t testing.TB, listener net.Listener) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	web := &http.Server{Handler: s.Sandbox.Handler(), ReadHeaderTimeout: time.Second}
	var group errgroup.Group
	group.Go(func() error { return s.Run(ctx) })
	group.Go(func() error { return ignore(s.Sandbox.Run(ctx), context.Canceled) })
	group.Go(func() error { return ignore(web.Serve(listener), http.ErrServerClosed) })
	t.Cleanup(func() {
		require.NoError(t, s.Conn.Close())
		stop()
		require.NoError(t, web.Close())
		require.NoError(t, group.Wait())
	})
	select {
	case <-s.Working():
	case <-time.After(startTimeout): //nolint:forbidigo // bounds the test in real time
		require.Fail(t, "the server was not elected in time")
	}
}

func ignore(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

// Config returns a configuration with both apps, free ports, and the given EngageLab.
func Config(dir, engageLab string) config.Config {
	app := func(key, secret string) config.App {
		return config.App{AppKey: key, MasterSecret: config.NewSecret(secret), BaseURL: engageLab, RequestsPerSecond: 10_000}
	}
	signed := app(App, Secret)
	signed.Callback = config.Callback{Username: CallbackUser, Secret: config.NewSecret(CallbackSecret)}
	return config.Config{
		DataDir:   dir,
		GRPC:      config.Listener{Listen: "127.0.0.1:0"},
		HTTP:      config.HTTP{Listen: "127.0.0.1:0"},
		Ops:       config.Listener{Listen: "127.0.0.1:0"},
		Storage:   config.Storage{Driver: config.DriverSQLite, DSN: config.NewSecret(filepath.Join(dir, "susul.db"))},
		Admin:     config.Admin{Tokens: []config.Secret{config.NewSecret(AdminToken)}},
		Apps:      []config.App{signed, app(OtherApp, OtherSecret)},
		Callbacks: config.Callbacks{MaxAge: 2 * time.Hour, MaxAhead: 5 * time.Minute, Nonces: 1000, ExternalPushes: 10_000},
		Clock:     config.Clock{Speed: 1},
		Shutdown:  config.Shutdown{Timeout: 10 * time.Second},
		Advertise: "127.0.0.1:0",
	}
}

// AsApp returns a context with App's credentials for gRPC.
func AsApp(ctx context.Context) context.Context { return As(ctx, BasicAuth(App, Secret)) }

// AsAdmin returns a context with an admin's credentials for gRPC.
func AsAdmin(ctx context.Context) context.Context { return As(ctx, "Bearer "+AdminToken) }

// As returns a context with the given Authorization for gRPC; empty for none.
func As(ctx context.Context, authorization string) context.Context {
	if authorization == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", authorization)
}

// BasicAuth returns an Authorization header.
func BasicAuth(user, password string) string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return r.Header.Get("Authorization")
}

// Response is an HTTP answer, read to its end.
type Response struct {
	Status int
	Header http.Header
	Body   string
}

// Do sends a request to the server's REST faces. The headers are pairs of name and value.
func (s *Server) Do(t testing.TB, method, path string, body []byte, headers ...string) Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.HTTPAddress()+path, bytes.NewReader(body))
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { require.NoError(t, resp.Body.Close()) }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return Response{Status: resp.StatusCode, Header: resp.Header, Body: string(text)}
}
