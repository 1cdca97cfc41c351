package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"susul.dev/susul/storage/postgres/postgrestest"
)

// TestMain puts the binary, built with the race detector, and grpcurl on the PATH. Every test then runs the product as a
// user does: as processes of their own, over real sockets.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "susul-e2e-")
	if err == nil {
		err = installTools(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "end-to-end tests:", err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(postgrestest.Tests{M: m}, goleak.Cleanup(func(code int) {
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(code)
	}))
}

func installTools(dir string) error {
	// The checks of unsafe pointers that come with -race would double what SQLite, translated from C, costs.
	build := exec.Command("go", "build", "-race", "-gcflags=modernc.org/...=-d=checkptr=0", "-o", filepath.Join(dir, "susul"), ".")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build susul: %w\n%s", err, out)
	}
	// With -n the tool is built, and its path printed.
	grpcurl, err := exec.Command("go", "tool", "-modfile=../../tools/go.mod", "-n", "grpcurl").Output()
	if err != nil {
		return fmt.Errorf("build grpcurl: %w", err)
	}
	search := []string{dir, filepath.Dir(strings.TrimSpace(string(grpcurl))), os.Getenv("PATH")}
	return os.Setenv("PATH", strings.Join(search, string(os.PathListSeparator)))
}

func TestServeReportsEveryFaultAtOnce(t *testing.T) {
	settings := baseSettings(t.TempDir(), "http://127.0.0.1:1")
	settings["clock"] = map[string]any{"speed": -1}
	settings["admin"] = map[string]any{"tokens": []string{"short"}}
	p := launch(t, []string{"SUSUL_LOG_FORMAT=xml"}, "serve", "--config", writeSettings(t, settings))
	require.Equal(t, 1, p.exitCode(t, patience))
	errors := p.stderr.String()
	require.Contains(t, errors, "clock.speed")
	require.Contains(t, errors, "admin.tokens[0]")
	require.Contains(t, errors, "log.format (SUSUL_LOG_FORMAT): must be json or text")
	require.NotContains(t, errors, "short\n", "a token is a secret")
	require.Empty(t, p.stdout.String())
}

func TestFlagsWinOverVariablesAndVariablesOverTheFile(t *testing.T) {
	settings := baseSettings(t.TempDir(), "http://127.0.0.1:1")
	settings["grpc"] = map[string]any{"listen": "127.0.0.1:0"}
	settings["http"] = map[string]any{"listen": "127.0.0.1:0"}
	settings["ops"] = map[string]any{"listen": "127.0.0.1:0"}
	n := serveWith(t, []string{"SUSUL_HTTP_LISTEN=127.0.0.2:0", "SUSUL_OPS_LISTEN=127.0.0.2:0"},
		"--config", writeSettings(t, settings), "--ops.listen", "127.0.0.3:0")
	for address, host := range map[string]string{n.grpc: "127.0.0.1", n.http: "127.0.0.2", n.ops: "127.0.0.3"} {
		got, _, err := net.SplitHostPort(address)
		require.NoError(t, err)
		require.Equal(t, host, got)
	}
	n.awaitReady(t)
	n.terminate(t, patience)
}

func TestServeNamesTheKeyOfATakenPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	config := writeSettings(t, baseSettings(t.TempDir(), "http://127.0.0.1:1"))
	for _, key := range []string{"grpc.listen", "http.listen", "ops.listen"} {
		p := launch(t, nil, "serve", "--config", config, "--"+key, taken.Addr().String())
		require.Equal(t, 1, p.exitCode(t, patience))
		require.Contains(t, p.stderr.String(), key+": ")
		require.Contains(t, p.stderr.String(), taken.Addr().String())
		require.Contains(t, p.stderr.String(), "address already in use")
	}
}

func TestDemoClosesTheLoopAndWritesPlainLinesIntoAPipe(t *testing.T) {
	t.Parallel()
	p := launch(t, nil, "demo", "--exit", "--people", "500")
	require.Equal(t, 0, p.exitCode(t, time.Minute), "%s", p.stderr.String())
	out := p.stdout.String()
	require.Contains(t, out, "Susul's report and the sandbox's own count agree.")
	require.NotContains(t, out, "\x1b")
	require.Empty(t, p.stderr.String())
}
