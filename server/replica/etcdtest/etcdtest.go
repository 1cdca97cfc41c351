// Package etcdtest runs real etcds for tests, on loopback ports of their own: one inside the test, that can be stopped and started
// again, or a cluster of processes. Gates are networks between them and a node.
package etcdtest

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// Server is an etcd of one member.
type Server struct {
	t       testing.TB
	dir     string
	address string // where it listens, once it has
	etcd    *embed.Etcd
}

// Start runs an etcd until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, dir: t.TempDir(), address: "127.0.0.1:0"}
	s.Start()
	t.Cleanup(s.Stop)
	return s
}

// Start starts a stopped server again, with its data and at its address.
func (s *Server) Start() {
	s.t.Helper()
	cfg := embed.NewConfig()
	cfg.Name = "test"
	cfg.Dir = s.dir
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	cfg.UnsafeNoFsync = true
	cfg.TickMs, cfg.ElectionMs = 10, 100
	listen := url.URL{Scheme: "http", Host: s.address}
	advertise := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{listen}, []url.URL{advertise}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = nil, []url.URL{advertise}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	etcd, err := embed.StartEtcd(cfg)
	require.NoError(s.t, err)
	s.etcd = etcd
	select {
	case <-etcd.Server.ReadyNotify():
	case <-time.After(30 * time.Second): //nolint:forbidigo // bounds the test
		require.Fail(s.t, "etcd did not become ready")
	}
	s.address = etcd.Clients[0].Addr().String()
}

// Stop stops the server; its data and its address stay.
func (s *Server) Stop() {
	if s.etcd != nil {
		s.etcd.Close()
		s.etcd = nil
	}
}

// Address is where the server listens, or listened.
func (s *Server) Address() string { return s.address }

// Client returns a client of the server.
func (s *Server) Client() *clientv3.Client {
	s.t.Helper()
	return Dial(s.t, s.address)
}

// Dial returns a client that lives as long as the test and comes back quickly after its server was away.
func Dial(t testing.TB, addresses ...string) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{
		Endpoints: addresses,
		Logger:    zap.NewNop(),
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.5, MaxDelay: 200 * time.Millisecond},
			MinConnectTimeout: time.Second,
		})},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() }) // the server may be gone
	return client
}
