package etcdtest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// script runs etcd below a shell that kills it when this process is gone, however that ended.
const script = `"$@" >>etcd.log 2>&1 & echo $!; cat >/dev/null; kill -KILL $! 2>/dev/null; wait $!`

// Member is one process of a cluster.
type Member struct {
	t            testing.TB
	dir, address string
	command      []string
	pid          int
	alive        io.Closer     // etcd is killed when it is closed
	exited       chan struct{} // closed when etcd is gone; nil before it was started
	asker        *clientv3.Client
}

// Address is where the member listens, also when it is down.
func (m *Member) Address() string { return m.address }

// Start starts a member that does not run, with its data and at its address. It may not answer yet.
func (m *Member) Start() {
	m.t.Helper()
	require.False(m.t, m.runs(), "it runs already")
	cmd := exec.Command("/bin/sh", append([]string{"-c", script, "sh"}, m.command...)...) //nolint:gosec,noctx // etcd; its end is the test's
	cmd.Dir = m.dir
	stdin, err := cmd.StdinPipe()
	require.NoError(m.t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(m.t, err)
	require.NoError(m.t, cmd.Start())
	exited := make(chan struct{})
	m.alive, m.exited = stdin, exited
	line, err := bufio.NewReader(stdout).ReadString('\n')
	go func() {
		_ = cmd.Wait() // it was killed
		close(exited)
	}()
	require.NoError(m.t, err)
	m.pid, err = strconv.Atoi(strings.TrimSpace(line))
	require.NoError(m.t, err)
}

// Kill ends the member as a power cut would, and returns when it is gone.
func (m *Member) Kill() {
	m.t.Helper()
	require.True(m.t, m.runs())
	_ = m.alive.Close()
	<-m.exited
	m.exited = nil
}

// Freeze stops the member without a word: its connections stay.
func (m *Member) Freeze() { m.signal(syscall.SIGSTOP) }

// Thaw lets a frozen member go on.
func (m *Member) Thaw() { m.signal(syscall.SIGCONT) }

// AwaitHealthy returns when the member takes part in the cluster.
func (m *Member) AwaitHealthy() {
	m.t.Helper()
	await(m.t, fmt.Sprintf("etcd at %s answers", m.address), func(ctx context.Context) bool {
		_, err := m.client().Get(ctx, "health")
		return err == nil
	})
}

func (m *Member) signal(s syscall.Signal) {
	m.t.Helper()
	require.True(m.t, m.runs())
	require.NoError(m.t, syscall.Kill(m.pid, s))
}

func (m *Member) runs() bool { return m.exited != nil }

// client is a client of this member alone.
func (m *Member) client() *clientv3.Client {
	if m.asker == nil {
		m.asker = Dial(m.t, m.address)
	}
	return m.asker
}

// end kills the member, and shows its log if the test has failed.
func (m *Member) end() {
	if m.runs() {
		m.Kill()
	}
	if m.t.Failed() {
		m.t.Logf("the end of the log of etcd at %s:\n%s", m.address, logTail(filepath.Join(m.dir, "etcd.log")))
	}
}
