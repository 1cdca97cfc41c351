// Package clients_test carries out the clients' scenario and holds their test vectors; README.md tells about both.
package clients_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// requiredEnv set to "required" makes a missing toolchain a failure.
	requiredEnv = "TEST_CLIENTS"

	testApp            = "clients-app"
	testSecret         = "clients-master-secret"
	testToken          = "clients-administrator-token"
	testCallbackUser   = "clients-callback-user"
	testCallbackSecret = "clients-callback-secret"

	patience = 30 * time.Second
)

// toolchains are what the clients' folders need to be tested.
var toolchains = map[string][]tool{
	"go":         {{"Go", 1, []string{"go", "version"}}},
	"typescript": {{"Node 20 or later", 20, []string{"node", "--version"}}, {"npm 9 or later", 9, []string{"npm", "--version"}}},
	"python":     {{"Python 3.10 or later, with its venv", 10, []string{"python3", "-c", pythonMinor}}},
	"java":       {{"a JDK of 17 or later", 17, []string{"javac", "--version"}}, {"Maven 3 or later", 3, []string{"mvn", "--version"}}},
}

// pythonMinor prints the second number of Python's version, if environments can be made with it.
const pythonMinor = "import ensurepip, sys, venv; print(sys.version_info[1])"

type tool struct {
	name    string
	least   int      // of what the command prints: its first number
	command []string // makes it tell its version
}

// Each client carries out the scenario, with all of its other tests, against the same server: `make -C clients/<language> test`.
func TestClients(t *testing.T) {
	folders, err := filepath.Glob("*/Makefile")
	require.NoError(t, err)
	require.Len(t, folders, len(toolchains))
	env := startSusul(t)
	for _, folder := range folders {
		language := filepath.Dir(folder)
		t.Run(language, func(t *testing.T) {
			requireToolchain(t, language)
			command := exec.CommandContext(t.Context(), "make", "--no-print-directory", "-C", language, "test")
			command.Env = append(os.Environ(), env...)
			command.WaitDelay = patience
			out, err := command.CombinedOutput()
			require.NoError(t, err, "%s", out)
			t.Logf("%s", out)
		})
	}
}

// requireToolchain skips the test where a tool is missing or too old, unless all clients are required.
func requireToolchain(t *testing.T, language string) {
	t.Helper()
	tools, known := toolchains[language]
	require.True(t, known, "toolchains lacks what clients/%s needs", language)
	for _, tool := range tools {
		out, err := exec.Command(tool.command[0], tool.command[1:]...).CombinedOutput()
		text := regexp.MustCompile(`\x1b\[[\d;]*m`).ReplaceAllString(string(out), "") // Maven colours what it tells
		version, _ := strconv.Atoi(regexp.MustCompile(`\d+`).FindString(text))
		if err == nil && version >= tool.least {
			continue
		}
		missing := "the " + language + " client is not tested: it needs " + tool.name
		require.NotEqual(t, "required", os.Getenv(requiredEnv), missing)
		t.Skip(missing)
	}
}

// startSusul starts a sandbox whose devices click at once, and a server, and returns what clients have to know of them.
func startSusul(t *testing.T) (env []string) {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, "susul")
	out, err := exec.Command("go", "build", "-o", binary, "../cmd/susul").CombinedOutput()
	require.NoError(t, err, "%s", out)
	web := freeAddress(t)
	sandbox := launch(t, `msg="sandbox is listening" address=(\S+)`, binary, "sandbox", "--listen", "127.0.0.1:0",
		"--app", testApp+":"+testSecret, "--callback", "http://"+web+"/v1/apps/{app_key}/callbacks",
		"--callback-username", testCallbackUser, "--callback-secret", testCallbackSecret,
		"--dead=0", "--offline=0", "--deliver-within=1ms", "--display-rate=1", "--display-within=1ms", "--click-rate=1",
		"--click-within=1ms")[0]
	settings, err := json.Marshal(map[string]any{
		"data_dir": filepath.Join(dir, "data"),
		"grpc":     map[string]any{"listen": "127.0.0.1:0"},
		"http":     map[string]any{"listen": web},
		"ops":      map[string]any{"listen": "127.0.0.1:0"},
		"admin":    map[string]any{"tokens": []string{testToken}},
		"relay":    map[string]any{"allow_private_networks": true},
		"apps": []any{map[string]any{
			"app_key": testApp, "master_secret": testSecret, "base_url": "http://" + sandbox,
			"callback": map[string]any{"username": testCallbackUser, "secret": testCallbackSecret},
		}},
	})
	require.NoError(t, err)
	config := filepath.Join(dir, "susul.yaml") // JSON is YAML too
	require.NoError(t, os.WriteFile(config, settings, 0o600))
	at := launch(t, `"msg":"listening","grpc":"([^"]+)","http":"[^"]+","ops":"([^"]+)"`, binary, "serve", "--config", config)
	awaitReady(t, "http://"+at[1]+"/readyz")
	scenario, err := filepath.Abs("scenario.json")
	require.NoError(t, err)
	return []string{
		"SUSUL_TEST_GRPC=" + at[0], "SUSUL_TEST_HTTP=http://" + web, "SUSUL_TEST_APP=" + testApp,
		"SUSUL_TEST_MASTER_SECRET=" + testSecret, "SUSUL_TEST_ADMIN_TOKEN=" + testToken,
		"SUSUL_TEST_CALLBACK_USERNAME=" + testCallbackUser, "SUSUL_TEST_CALLBACK_SECRET=" + testCallbackSecret,
		"SUSUL_TEST_SCENARIO=" + scenario,
	}
}

// launch starts a process, which the test's end kills, and waits until it logs a line; it returns the pattern's groups.
func launch(t *testing.T, pattern, binary string, args ...string) []string {
	t.Helper()
	command := exec.Command(binary, args...)
	command.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "SUSUL_") })
	stderr, err := command.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	line, log := regexp.MustCompile(pattern), &transcript{}
	found, done := make(chan []string, 1), make(chan struct{})
	go func() {
		defer close(done)
		lines := bufio.NewScanner(io.TeeReader(stderr, log))
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if groups := line.FindStringSubmatch(lines.Text()); groups != nil && len(found) == 0 {
				found <- groups[1:]
			}
		}
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill() // it may be gone already
		<-done
		_ = command.Wait() // it was killed
		if t.Failed() {
			t.Logf("%s %s\n%s", binary, strings.Join(args, " "), log)
		}
	})
	select {
	case groups := <-found:
		return groups
	case <-done:
		require.Failf(t, "the process ended", "before it logged %s", pattern)
	case <-time.After(patience):
		require.Failf(t, "the log lacks a line", "%s", pattern)
	}
	return nil
}

// awaitReady waits until the server does its work.
func awaitReady(t *testing.T, url string) {
	t.Helper()
	require.Eventually(t, func() bool {
		got, err := http.Get(url)
		if err != nil {
			return false
		}
		defer got.Body.Close()
		return got.StatusCode == http.StatusOK
	}, patience, 50*time.Millisecond)
}

// transcript keeps what a process writes.
type transcript struct {
	mu   sync.Mutex
	text strings.Builder
}

func (r *transcript) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *transcript) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// freeAddress returns an address that nobody listens on: the sandbox has to know where to report before the server starts.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}
