package server

import (
	"log/slog"
	"net"
	"os"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"

	"susul.dev/susul/server/config"
	"susul.dev/susul/server/forward"
)

// With the embedded etcd, those who wait for the data directory learn from a file who has it.
func TestStandbyLearnsFromAFileWhoHasTheDataDirectory(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }()
	n, err := newNode(&Server{
		config: config.Config{DataDir: t.TempDir(), Advertise: "127.0.0.1:0"}, registry: prometheus.NewRegistry(),
		grpcListener: listener, grpc: grpc.NewServer(), health: health.NewServer(), log: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	defer n.forwarder.Close()
	require.Equal(t, listener.Addr().String(), n.self.GRPC)

	n.readLeaderFile()
	require.Empty(t, n.otherLeader(), "nobody has led yet")
	other := forward.NewPeer("127.0.0.1:7070")
	require.NoError(t, os.WriteFile(n.leaderFile(), []byte(other.Encode()), 0o600))
	n.readLeaderFile()
	require.Equal(t, other.GRPC, n.otherLeader())
	require.NoError(t, os.WriteFile(n.leaderFile(), []byte("half a li"), 0o600))
	n.readLeaderFile()
	require.Equal(t, other.GRPC, n.otherLeader(), "what can't be read is no news")
	n.writeLeaderFile()
	n.readLeaderFile()
	require.Empty(t, n.otherLeader(), "a node that led before does not forward to itself")
	info, err := os.Stat(n.leaderFile())
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "it has a token in it")
}
