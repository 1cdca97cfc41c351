package main

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience bounds every wait whose end is a matter of moments on an idle machine.
const patience = 30 * time.Second

// pollPause is how often a state that nobody announces is looked at.
const pollPause = 50 * time.Millisecond

// eventually looks until it is done. Unlike testify's it looks from the test's own goroutine, so that looking may fail.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	tooLate := time.After(patience)
	tick := time.NewTicker(pollPause)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-tooLate:
			require.Fail(t, "waited in vain: "+what)
		}
	}
}

// process is one run of a program, mostly the binary.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr *transcript
	exited         chan struct{} // closed when it is gone
	err            error         // how it ended; valid once exited is closed
}

// launch starts the binary. Of the environment it gets what is given, and what is no setting of Susul's. The test's end
// kills it.
func launch(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	return launchProgram(t, "susul", env, args...)
}

func launchProgram(t *testing.T, program string, env []string, args ...string) *process {
	t.Helper()
	p := &process{
		cmd: exec.Command(program, args...), exited: make(chan struct{}), stdout: newTranscript(), stderr: newTranscript(),
	}
	p.cmd.Dir = t.TempDir()
	inherited := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "SUSUL_") })
	// By default the race detector lets the process linger for a second.
	p.cmd.Env = append(append(inherited, "GORACE=atexit_sleep_ms=0"), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	require.NoError(t, p.cmd.Start())
	go func() {
		p.err = p.cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		p.kill()
		<-p.exited
		if t.Failed() {
			t.Logf("%s %s: %v\n%s%s", program, strings.Join(args, " "), p.err, p.stdout, p.stderr)
		}
		require.NotContains(t, p.stderr.String(), "DATA RACE")
		require.NotContains(t, p.stderr.String(), "panic:")
	})
	return p
}

// kill ends the process as a power cut would. It may be called from any goroutine, and again.
func (p *process) kill() { _ = p.cmd.Process.Kill() } // it may be gone already

// crash kills the process and waits until it is gone.
func (p *process) crash() {
	p.kill()
	<-p.exited
}

// terminate asks the process to stop, and requires that it does so in time and calls that a success.
func (p *process) terminate(t *testing.T, within time.Duration) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	require.Equal(t, 0, p.exitCode(t, within))
}

// exitCode waits for the end of the process.
func (p *process) exitCode(t *testing.T, within time.Duration) int {
	t.Helper()
	select {
	case <-p.exited:
	case <-time.After(within):
		_ = p.cmd.Process.Signal(syscall.SIGQUIT) // leaves its goroutines' stacks in the transcript
		<-p.exited
		require.Failf(t, "the process did not end in time", "%s", within)
	}
	if p.err == nil {
		return 0
	}
	var exit *exec.ExitError
	require.ErrorAs(t, p.err, &exit)
	return exit.ExitCode()
}

// await waits for a line of the log and returns the pattern's groups.
func (p *process) await(t *testing.T, pattern string) []string {
	t.Helper()
	line := regexp.MustCompile(pattern)
	tooLate := time.After(patience)
	for {
		text, grown := p.stderr.read()
		if found := line.FindStringSubmatch(text); found != nil {
			return found[1:]
		}
		select {
		case <-grown:
		case <-p.exited:
			require.Failf(t, "the process ended", "before it logged %s", pattern)
		case <-tooLate:
			require.Failf(t, "the log lacks a line", "%s", pattern)
		}
	}
}

// transcript keeps what a process writes and tells who waits for more.
type transcript struct {
	mu    sync.Mutex
	text  []byte
	grown chan struct{} // closed by the next write
}

func newTranscript() *transcript { return &transcript{grown: make(chan struct{})} }

func (r *transcript) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text = append(r.text, p...)
	close(r.grown)
	r.grown = make(chan struct{})
	return len(p), nil
}

func (r *transcript) read() (text string, grown <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return string(r.text), r.grown
}

func (r *transcript) String() string {
	text, _ := r.read()
	return text
}
