package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"susul.dev/susul/server/engagelab"
)

const (
	callbacksPath = "/v1/apps/" + testApp + "/callbacks"

	idlers   = 10_000 // or as many as this machine lets a process have
	sluggish = 200
	floods   = 200

	// hostileBytes is by how much all of it together may grow the process: some 20 kB a connection, 160 MB of bodies, half
	// as much for those that are being moved to more room, and all that twice before garbage is collected. Without
	// bounds the floods would take 6 GB, and each bomb a gigabyte.
	hostileBytes = 1200 << 20
)

// Whoever is slow, idle, large or unsigned takes little of the node's memory and nothing from honest callers.
func TestHostileCallersTakeNothingFromHonestOnes(t *testing.T) {
	plainBuild(t)
	lab := startSandbox(t, obedient()...)
	n := serve(t, "--config", writeSettings(t, baseSettings(t.TempDir(), lab.url)))
	n.awaitReady(t)
	to := people("honest", 1000)
	msgID := n.sendNews(t, "honest", to)
	n.awaitSent(t, msgID)
	batches, want := callbackBatches(t, lab, to)
	before := n.memory(t, "VmRSS")
	idle := n.connectIdlers(t)
	slow := n.startSlow(t)
	var attacks errgroup.Group
	large, packed := bytes.Repeat([]byte(" "), 20<<20), bomb(t)
	attacks.Go(func() error { return n.flood(len(large), large, "", http.StatusRequestEntityTooLarge) })
	attacks.Go(func() error {
		return n.flood(-1, large, "", http.StatusRequestEntityTooLarge, http.StatusServiceUnavailable)
	})
	attacks.Go(func() error { return n.flood(len(packed), packed, "gzip", http.StatusUnsupportedMediaType) })
	attacks.Go(n.forge)
	honest := make(chan error, 1)
	go func() {
		// EngageLab repeats what was not taken, five times at most.
		for tries := 0; len(batches) > 0 && tries < 6; tries++ {
			_, batches = post(t, n, batches, moment{})
		}
		if len(batches) > 0 {
			honest <- fmt.Errorf("%d honest callbacks failed", len(batches))
		}
		close(honest)
	}()
	require.NoError(t, <-honest)
	require.NoError(t, attacks.Wait())
	require.Equal(t, want, funnelTotals(n.report(t, msgID).GetTotal()))
	n.requireRecount(t, msgID, to)
	peak := n.memory(t, "VmHWM")
	t.Logf("memory grew from %d to %d MB", before>>20, peak>>20)
	require.Less(t, peak, before+hostileBytes)

	for _, c := range slow {
		c.requireCutOff(t)
	}
	_, err := idle[0].exchange() // they did nothing wrong
	require.NoError(t, err)
	n.terminate(t, patience)
}

// Callers cannot use up the files that the process may open: the database, etcd and requests to EngageLab need some.
func TestConnectionsLeaveFilesForTheWork(t *testing.T) {
	real, err := exec.LookPath("susul")
	require.NoError(t, err)
	dir := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\nulimit -n 1200 && exec %q \"$@\"\n", real)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "susul"), []byte(script), 0o700))
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	lab := startSandbox(t, obedient()...)
	n := serve(t, "--config", writeSettings(t, baseSettings(t.TempDir(), lab.url)), "--log.level", "debug")
	n.awaitReady(t)

	crowd := make([]caller, 2000)
	for i := range crowd {
		crowd[i] = n.dial(t)
	}
	for i := range 400 { // they stay, whereas who says nothing has to go soon
		_, err = crowd[i].exchange()
		require.NoError(t, err)
	}
	push, err := n.pushes.CreatePush(t.Context(), smallPush("in a crowd"))
	require.NoError(t, err)
	n.awaitSent(t, push.GetPush().GetMsgId())
	require.Equal(t, http.StatusOK, n.readiness(t).Status)
	for _, c := range crowd {
		require.NoError(t, c.Close())
	}
	n.sendNews(t, "after the crowd", people("crowd", 1))
	n.terminate(t, patience)
	require.NotContains(t, n.stderr.String(), "too many open files")
}

// plainBuild lets a test run the binary as it is released: the race detector multiplies what a connection takes.
func plainBuild(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "susul"), ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// caller is a connection that speaks HTTP by hand.
type caller struct {
	net.Conn
	in *bufio.Reader
}

func (n *node) dial(t *testing.T) caller {
	t.Helper()
	conn, err := net.Dial("tcp", n.http)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(2*patience)))
	return caller{conn, bufio.NewReaderSize(conn, 512)}
}

// exchange calls with a forged signature, which the connection survives.
func (c caller) exchange() (status int, err error) {
	if _, err := fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: susul\r\nContent-Length: 2\r\n\r\n{}", callbacksPath); err != nil {
		return 0, err
	}
	got, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return 0, err
	}
	defer got.Body.Close()
	_, err = io.Copy(io.Discard, got.Body)
	return got.StatusCode, err
}

// connectIdlers opens connections that were used once and stay.
func (n *node) connectIdlers(t *testing.T) []caller {
	t.Helper()
	var files syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files))
	all := make([]caller, min(idlers, int(min(files.Max, 1<<20))/2))
	for i := range all {
		all[i] = n.dial(t)
	}
	var group errgroup.Group
	group.SetLimit(reporters)
	for _, c := range all {
		group.Go(func() error {
			status, err := c.exchange()
			if err == nil && status != http.StatusUnauthorized {
				err = fmt.Errorf("status %d", status)
			}
			return err
		})
	}
	require.NoError(t, group.Wait())
	return all
}

// startSlow begins calls that never end: in the middle of the headers, and in the middle of a signed body.
func (n *node) startSlow(t *testing.T) []caller {
	t.Helper()
	begin := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: susul\r\n%s: %s\r\n", callbacksPath, engagelab.SignatureHeader, sign())
	slow := make([]caller, sluggish)
	for i := range slow {
		slow[i] = n.dial(t)
		sent := begin + "X-Slow: " + strings.Repeat("a", 8000)
		if i%2 == 0 {
			sent = begin + "Content-Length: 8000000\r\n\r\n{"
		}
		_, err := slow[i].Write([]byte(sent))
		require.NoError(t, err)
	}
	return slow
}

// requireCutOff requires that the node ends the connection, and says at most that a body came too slowly.
func (c caller) requireCutOff(t *testing.T) {
	t.Helper()
	rest, err := io.ReadAll(c.in)
	require.NoError(t, err)
	if len(rest) > 0 {
		require.Contains(t, string(rest), "HTTP/1.1 408 ")
	}
}

// flood posts a signed body many times at once, and announces its length unless that is -1. The node may answer, and end
// the connection, before all of it was sent: some callers then miss the answer.
func (n *node) flood(length int, body []byte, encoding string, want ...int) error {
	// Honest callers must not be handed a connection that ends so.
	web := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	var group errgroup.Group
	for range floods {
		group.Go(func() error {
			req, err := http.NewRequest(http.MethodPost, "http://"+n.http+callbacksPath, bytes.NewReader(body))
			if err != nil {
				return err
			}
			req.ContentLength = int64(length)
			req.Header.Set(engagelab.SignatureHeader, sign())
			req.Header.Set("Content-Encoding", encoding)
			got, err := web.Do(req)
			if err != nil {
				return nil //nolint:nilerr // see above
			}
			defer got.Body.Close()
			if !slices.Contains(want, got.StatusCode) {
				return fmt.Errorf("status %d instead of %d", got.StatusCode, want)
			}
			return nil
		})
	}
	return group.Wait()
}

// bomb is a megabyte that unpacks to a gigabyte.
func bomb(t *testing.T) []byte {
	t.Helper()
	var member bytes.Buffer
	zip, err := gzip.NewWriterLevel(&member, gzip.BestSpeed)
	require.NoError(t, err)
	_, err = zip.Write(make([]byte, 16<<20))
	require.NoError(t, err)
	require.NoError(t, zip.Close())
	return bytes.Repeat(member.Bytes(), 64) // members of a gzip file follow each other
}

// forge posts with wrong signatures.
func (n *node) forge() error {
	var group errgroup.Group
	group.SetLimit(reporters)
	for i := range 2000 {
		group.Go(func() error {
			header := http.Header{engagelab.SignatureHeader: {strings.Replace(sign(), "nonce=", fmt.Sprint("nonce=", i), 1)}}
			got, err := n.try(http.MethodPost, callbacksPath, []byte(`{"rows":[]}`), header)
			if err == nil && got.status != http.StatusUnauthorized {
				err = fmt.Errorf("a forged signature gets %d", got.status)
			}
			return err
		})
	}
	return group.Wait()
}

// memory returns VmRSS, what the process takes now, or VmHWM, the most that it ever took, in bytes.
func (p *process) memory(t *testing.T, name string) (bytes int64) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	require.NoError(t, err)
	_, after, found := strings.Cut(string(status), name+":")
	require.True(t, found)
	_, err = fmt.Sscanf(after, "%d kB", &bytes)
	require.NoError(t, err)
	return bytes << 10
}
