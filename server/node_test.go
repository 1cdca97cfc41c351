package server

import (
	"os"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/config"
	"susul.dev/susul/server/schedule"
)

// Until the election has told who leads, a standby names the node that has the data directory.
func TestStandbyNamesTheNodeThatHasTheDataDirectory(t *testing.T) {
	n := newNode(&Server{config: config.Config{DataDir: t.TempDir(), Advertise: "127.0.0.1:7071"}, registry: prometheus.NewRegistry()})
	require.Empty(t, n.leader(), "nobody has led yet")
	for _, election := range []*schedule.Election{nil, schedule.New(schedule.ElectionOptions{})} {
		n.election.Store(election)
		require.NoError(t, os.WriteFile(n.leaderFile(), []byte("127.0.0.1:7070\n"), 0o600))
		require.Equal(t, "127.0.0.1:7070", n.leader())
		require.NoError(t, os.WriteFile(n.leaderFile(), []byte("127.0.0.1:7071\n"), 0o600))
		require.Empty(t, n.leader(), "a standby that led before does not send callers to itself")
	}
}
