package etcdtest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	// program is etcd, which go.mod names as a tool: of the same version as our client.
	program = "go.etcd.io/etcd/server/v3"
	// clusterHost is where members listen. Connections, and listeners that leave their port to the system, use 127.0.0.1, so that
	// the port of a member that is down stays free.
	clusterHost = "127.0.0.8"

	// heartbeat and election are a cluster's times, in milliseconds: a tenth of what they usually are, or half.
	heartbeat, election = 50, 500

	patience = 60 * time.Second
	// tryTimeout bounds one question of the many that wait for something.
	tryTimeout = time.Second
	tryPause   = 20 * time.Millisecond
)

// Cluster is an etcd of several processes, which can be killed, frozen and started again, each by itself.
type Cluster struct {
	t testing.TB
	// Members are its processes, in the order in which they were named.
	Members []*Member
}

// StartCluster runs so many members until the test ends, and returns when they have a leader.
func StartCluster(t testing.TB, size int) *Cluster {
	t.Helper()
	c := &Cluster{t: t}
	etcd, err := built()
	require.NoError(t, err)
	addresses := freeAddresses(t, 2*size)
	var peers []string
	for i := range size {
		peers = append(peers, fmt.Sprintf("m%d=http://%s", i, addresses[2*i+1]))
	}
	for i := range size {
		m := &Member{t: t, dir: t.TempDir(), address: addresses[2*i]}
		m.command = []string{
			etcd, "--name", fmt.Sprintf("m%d", i), "--data-dir", filepath.Join(m.dir, "data"),
			"--listen-client-urls", "http://" + m.address, "--advertise-client-urls", "http://" + m.address,
			"--listen-peer-urls", "http://" + addresses[2*i+1], "--initial-advertise-peer-urls", "http://" + addresses[2*i+1],
			"--initial-cluster", strings.Join(peers, ","), "--heartbeat-interval", fmt.Sprint(heartbeat),
			"--election-timeout", fmt.Sprint(election), "--unsafe-no-fsync", "--log-level", "warn",
		}
		c.Members = append(c.Members, m)
		t.Cleanup(m.end)
		m.Start()
	}
	for _, m := range c.Members {
		m.AwaitHealthy()
	}
	return c
}

// built returns where etcd's program is, built at most once.
var built = sync.OnceValues(func() (string, error) {
	// With -n a tool is built, and its path printed.
	out, err := exec.Command("go", "tool", "-n", program).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build etcd: %w\n%s", err, out)
	}
	return strings.TrimSpace(string(out)), nil
})

// Endpoints are the members' addresses.
func (c *Cluster) Endpoints() []string {
	var all []string
	for _, m := range c.Members {
		all = append(all, m.address)
	}
	return all
}

// Client returns a client of all members.
func (c *Cluster) Client() *clientv3.Client {
	c.t.Helper()
	return Dial(c.t, c.Endpoints()...)
}

// Leader returns the member that leads the others, once there is one.
func (c *Cluster) Leader() (leader *Member) {
	c.t.Helper()
	await(c.t, "the cluster has a leader", func(ctx context.Context) bool {
		i := slices.IndexFunc(c.Members, func(m *Member) bool {
			if !m.runs() {
				return false
			}
			status, err := m.client().Status(ctx, m.address)
			return err == nil && status.Leader == status.Header.GetMemberId() && len(status.Errors) == 0
		})
		if i >= 0 {
			leader = c.Members[i]
		}
		return leader != nil
	})
	return leader
}

// Followers returns the members that do not lead.
func (c *Cluster) Followers() []*Member {
	c.t.Helper()
	leader := c.Leader()
	return slices.DeleteFunc(slices.Clone(c.Members), func(m *Member) bool { return m == leader })
}

// Gates returns a gate to each of the members, all of them open: the network of one node.
func (c *Cluster) Gates() *Gates {
	c.t.Helper()
	g := &Gates{}
	for _, m := range c.Members {
		g.gates = append(g.gates, NewGate(c.t, m.address))
		g.targets = append(g.targets, m.address)
	}
	return g
}

// Gates is one node's network to all members of a cluster.
type Gates struct {
	gates   []*Gate
	targets []string
}

// Endpoints are where the gates listen.
func (g *Gates) Endpoints() []string {
	var all []string
	for _, gate := range g.gates {
		all = append(all, gate.Address())
	}
	return all
}

// Close cuts the node off: its connections break.
func (g *Gates) Close() {
	for _, gate := range g.gates {
		gate.Close()
	}
}

// Open ends what Close began.
func (g *Gates) Open() {
	for i, gate := range g.gates {
		gate.Open(g.targets[i])
	}
}

// Stall cuts the node off without a word: nothing arrives any more, and no connection breaks.
func (g *Gates) Stall() {
	for _, gate := range g.gates {
		gate.Stall()
	}
}

// Flow ends what Stall began; nothing was lost.
func (g *Gates) Flow() {
	for _, gate := range g.gates {
		gate.Flow()
	}
}

// await asks again and again, for at most a minute.
func await(t testing.TB, what string, done func(context.Context) bool) {
	t.Helper()
	for tooLate := time.Now().Add(patience); ; { //nolint:forbidigo // bounds the test
		ctx, cancel := context.WithTimeout(context.Background(), tryTimeout)
		ok := done(ctx)
		cancel()
		if ok {
			return
		}
		require.True(t, time.Now().Before(tooLate), "waited in vain: %s", what) //nolint:forbidigo // bounds the test
		<-time.After(tryPause)                                                  //nolint:forbidigo // nothing tells when it is so
	}
}

func freeAddresses(t testing.TB, count int) []string {
	t.Helper()
	var addresses []string
	for range count {
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", clusterHost+":0")
		require.NoError(t, err)
		defer listener.Close()
		addresses = append(addresses, listener.Addr().String())
	}
	return addresses
}

// logTail returns the end of a log.
func logTail(path string) string {
	const lines = 15
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
