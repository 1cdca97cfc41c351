package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	susulv1 "susul.dev/susul/gen/susul/v1"
)

const (
	// recipeSpeed makes a day of some minutes: within it, EngageLab takes messages back.
	recipeSpeed = "300"
	// recipeMaxAge makes what a receiver does not take a dead letter at its fourth attempt, after little more than a second.
	recipeMaxAge = "6m"
)

// recipes is docs/admin.md at work: its commands, as they stand there, with the servers that they are for.
type recipes struct {
	*node
	dir      string // where the commands run
	env      []string
	setup    string // the page's first block, which every other one needs
	receiver *tempered
	calls    *calls
}

// section is a part of the page, and what its commands print.
type section struct {
	heading string
	before  func(r *recipes, t *testing.T)
	wants   []string
}

// sections are those of the page that have commands, in their order.
var sections = []section{
	{"What can be called", nil, []string{"susul.v1.DeviceService", "susul.v1.RelayService.ReplayEvents", "rpc WithdrawPush", "holdout_permille"}},
	{"Who leads, and is it well", nil, []string{`"ready":true,"role":"leader"`, "ok\n", `"SERVING"`, "susul_policy_watch_connected 1"}},
	{"Resend policies", nil, []string{
		`"name": "resendPolicies/morning-news"`, `"name":"resendPolicies/weekend"`, `"within": "10800s"`, `"displayName":"Weekend"`,
		`"paused": true`, `"paused":false`, `"inSync"`,
	}},
	{"Pushes", nil, []string{" and ", `"resendPolicy": "resendPolicies/morning-news"`, `"requestId":"recipe-1"`}},
	{"What became of a push", (*recipes).awaitClicks, []string{
		`"clicked": "3"`, `"failed":"2"`, `"MILESTONE_CLICKED"`, "EngageLab reported CLICKED", `"name":"resendPolicies/morning-news/report"`,
	}},
	{"Try a policy before it runs", nil, []string{`"MILESTONE_REACHED": "3"`, `"passedOver":{`, `"pushCount": 1`, `"pushCount":2`}},
	{"The kill switch", nil, []string{`"stopped": true`, `"stopped":false`}},
	{"Events", nil, []string{`"MILESTONE_CLICKED"`, `"registrationId":"device-1"`, `"resumeToken": "`, `{"result":{"resumeToken":"`}},
	{"Callbacks that touch no push", (*recipes).misreport, []string{
		"HOLD_REASON_UNKNOWN_RECIPIENT", "REFUSAL_REASON_MALFORMED", `"repeatedCount": 1`, `"repeatedCount":1`,
	}},
	{"Devices", nil, []string{
		`"deviceCount": "3"`, `"first_name": "Ayu"`, `"INVALID_TARGET"`, "\ndevice-2\ndevice-4\n", `"revivedCount": 1`, `"revivedCount":1`,
	}},
	{"Subscriptions", nil, []string{`"secrets": [`, `"secrets":["whsec_`, `"paused": true`, `"paused":false`, `"previousExpireTime"`}},
	{"Relay endpoints", nil, []string{"RELAY_ENDPOINT_STATE_HEALTHY", "RELAY_ENDPOINT_STATE_PAUSED", `"success": true`, `"httpStatus":204`}},
	{"Dead letters and replays", (*recipes).bury, []string{`"lastError": "`, `"deadLetters":[{"name":"`, `"msgId":"`}},
	{"Look into the database", nil, []string{"device-5", "recipe-1", "sub-crm", `"device-1"`}},
	{"Undo it", nil, []string{`"state": "PUSH_STATE_WITHDRAWN"`, `"state":"PUSH_STATE_WITHDRAWN"`, "{}"}},
}

// Every command of the page works as it stands there, but for the addresses, and no call is left out.
func TestTheRecipesForAdministratorsWork(t *testing.T) {
	requireCurl(t)
	page, err := os.ReadFile("../../docs/admin.md")
	require.NoError(t, err)
	r := startRecipes(t)
	text := strings.NewReplacer("127.0.0.1:7070", r.grpc, "http://127.0.0.1:7080", r.calls.URL, "127.0.0.1:7090", r.ops,
		"http://127.0.0.1:7095", r.receiver.URL).Replace(string(page))
	parts := strings.Split(text, "\n## ")
	r.setup = shellBlocks(parts[0])[0]
	var headings []string
	for _, part := range parts[1:] {
		heading, body, _ := strings.Cut(part, "\n")
		headings = append(headings, heading)
		at := slices.IndexFunc(sections, func(s section) bool { return s.heading == heading })
		require.GreaterOrEqual(t, at, 0, "nothing checks %q", heading)
		require.True(t, t.Run(heading, func(t *testing.T) { r.follow(t, sections[at], shellBlocks(body)) }))
	}
	require.Len(t, headings, len(sections))
	r.requireAllCalls(t, text)
}

// requireCurl skips where curl is missing, unless the documentation's commands are required to run.
func requireCurl(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		const missing = "the documentation's commands are not tested: they need curl"
		require.NotEqual(t, "required", os.Getenv("TEST_DOCS"), missing)
		t.Skip(missing)
	}
}

func shellBlocks(markdown string) (blocks []string) {
	for _, found := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(markdown, -1) {
		blocks = append(blocks, found[1])
	}
	return blocks
}

// startRecipes starts what the README starts, with devices that click at once, two of five of which are dead.
func startRecipes(t *testing.T) *recipes {
	t.Helper()
	lab, web := freeAddress(t), freeAddress(t)
	launch(t, nil, "sandbox", "--listen", lab, "--app", "demo:secret", "--callback", "http://"+web+"/v1/apps/demo/callbacks",
		"--speed", recipeSpeed, "--offline=0", "--dead=0.3", "--deliver-within=1ms", "--display-rate=1", "--display-within=1ms",
		"--click-rate=1", "--click-within=1ms").await(t, "sandbox is listening")
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "work"), 0o700))
	examples, err := filepath.Abs("../../examples")
	require.NoError(t, err)
	require.NoError(t, os.Symlink(examples, filepath.Join(dir, "work", "examples")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".curlrc"), []byte("fail-with-body\nsilent\nshow-error\n"), 0o600))
	settings := []string{
		"SUSUL_APPS=" + `[{"app_key":"demo","master_secret":"secret","base_url":"http://` + lab + `"}]`,
		"SUSUL_ADMIN_TOKENS=a-token-of-16-or-more," + testToken, "SUSUL_DATA_DIR=" + filepath.Join(dir, "data"),
		"SUSUL_RELAY_ALLOW_PRIVATE_NETWORKS=true", "SUSUL_RELAY_MAX_AGE=" + recipeMaxAge, "SUSUL_RELAY_TIMEOUT=1m",
		"SUSUL_HTTP_LISTEN=" + web, "SUSUL_GRPC_LISTEN=127.0.0.1:0", "SUSUL_OPS_LISTEN=127.0.0.1:0",
	}
	r := &recipes{
		node: serveWith(t, settings, "--clock.speed", recipeSpeed), dir: filepath.Join(dir, "work"), receiver: newTempered(t),
		env: append(append(os.Environ(), "CURL_HOME="+dir), settings...),
	}
	r.calls = newCalls(t, web)
	r.awaitReady(t)
	return r
}

// follow runs a section's commands. A block that watches something is ended once it has told what it has.
func (r *recipes) follow(t *testing.T, s section, blocks []string) {
	t.Helper()
	require.NotEmpty(t, blocks)
	if s.before != nil {
		s.before(r, t)
	}
	var printed strings.Builder
	for _, block := range blocks {
		if strings.Contains(block, ":watch") || strings.Contains(block, "/Watch") {
			printed.WriteString(r.watch(t, block, s.wants))
		} else {
			printed.WriteString(r.run(t, block))
		}
	}
	for _, want := range s.wants {
		require.Contains(t, printed.String(), want)
	}
}

// shell is a command that runs a block with the variables that those before it have set.
func (r *recipes) shell(t *testing.T, block string) *exec.Cmd {
	t.Helper()
	variables := filepath.Join(r.dir, "..", "variables")
	command := exec.CommandContext(t.Context(), "sh", "-c",
		"set -ea; if [ -e '"+variables+"' ]; then . '"+variables+"'; fi\n"+r.setup+block+"\nexport -p >'"+variables+"'")
	command.Dir, command.Env = r.dir, r.env
	return command
}

func (r *recipes) run(t *testing.T, block string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	command := r.shell(t, block)
	command.Stdout, command.Stderr = &stdout, &stderr
	require.NoError(t, command.Run(), "%s\n%s%s", block, &stdout, &stderr)
	return stdout.String()
}

// watch runs a block that does not end until it has printed one of what is wanted, and nothing else is to come.
func (r *recipes) watch(t *testing.T, block string, wants []string) string {
	t.Helper()
	printed, failed := newTranscript(), newTranscript()
	command := r.shell(t, block)
	command.Stdout, command.Stderr = printed, failed
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the shell and its command end together
	require.NoError(t, command.Start())
	defer func() {
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
		_ = command.Wait() // it was killed
	}()
	eventually(t, "it tells something:\n"+block, func() bool {
		return slices.ContainsFunc(wants, func(want string) bool { return strings.Contains(printed.String(), want) })
	})
	require.Empty(t, failed.String())
	return printed.String()
}

// awaitClicks waits until all devices that live have clicked, and the others failed.
func (r *recipes) awaitClicks(t *testing.T) {
	t.Helper()
	eventually(t, "the devices have clicked", func() bool {
		found, err := r.callbacks.ListEvents(t.Context(), &susulv1.ListEventsRequest{Parent: "apps/demo"})
		require.NoError(t, err)
		return len(found.GetEvents()) == 3*4+2+2*4 // of the first push, and of the second
	})
}

// misreport has a callback refused, and one held.
func (r *recipes) misreport(t *testing.T) {
	t.Helper()
	refused, err := r.web.Post("http://"+r.http+"/v1/apps/demo/callbacks", "application/json", strings.NewReader("no document"))
	require.NoError(t, err)
	defer refused.Body.Close()
	require.Equal(t, http.StatusBadRequest, refused.StatusCode)
	found, err := r.callbacks.ListEvents(t.Context(), &susulv1.ListEventsRequest{Parent: "apps/demo", PageSize: 1})
	require.NoError(t, err)
	held, err := r.callbacks.ReportCallbacks(t.Context(), &susulv1.ReportCallbacksRequest{Parent: "apps/demo", Callbacks: []*susulv1.Callback{{
		UpstreamMessageId: found.GetEvents()[0].GetCallback().GetUpstreamMessageId(), RegistrationId: "stranger", Status: "delivered",
	}}})
	require.NoError(t, err)
	require.Equal(t, int32(1), held.GetHeldCount())
}

// bury has three pushes' events become dead letters of a receiver that is down, and then answers no more until the test ends, so
// that replays stay open.
func (r *recipes) bury(t *testing.T) {
	t.Helper()
	r.receiver.fails.Store(true)
	for i := range 3 {
		_, err := r.pushes.CreatePush(t.Context(), &susulv1.CreatePushRequest{Parent: "apps/demo", Push: &susulv1.Push{
			RequestId: "buried-" + strconv.Itoa(i), Notification: &susulv1.Notification{Alert: "hello"},
			Audience: &susulv1.Audience{Kind: &susulv1.Audience_RegistrationIds{RegistrationIds: &susulv1.RegistrationIds{Ids: []string{"device-1"}}}},
		}})
		require.NoError(t, err)
		eventually(t, "there are dead letters", func() bool {
			found, err := r.relays.ListDeadLetters(t.Context(), &susulv1.ListDeadLettersRequest{Parent: "apps/demo/relayEndpoints/sub-crm"})
			require.NoError(t, err)
			return len(found.GetDeadLetters()) > i
		})
	}
	r.receiver.hangs.Store(true)
}

// tempered is a receiver that takes, refuses or sits on what it gets.
type tempered struct {
	*httptest.Server
	fails, hangs atomic.Bool
	ended        chan struct{} // closed with the test
}

func newTempered(t *testing.T) *tempered {
	t.Helper()
	r := &tempered{ended: make(chan struct{})}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if r.hangs.Load() {
			<-r.ended
		}
		if r.fails.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(func() {
		close(r.ended)
		r.Close()
	})
	return r
}

// calls stands in front of the REST face and remembers what was answered with success.
type calls struct {
	*httptest.Server
	mu   sync.Mutex
	done []string // as "GET /v1/resendPolicies"
}

func newCalls(t *testing.T, address string) *calls {
	t.Helper()
	c := &calls{}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	c.Server = httptest.NewServer(&httputil.ReverseProxy{
		Transport: transport, FlushInterval: -1,
		Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(&url.URL{Scheme: "http", Host: address}) },
		ModifyResponse: func(resp *http.Response) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			if resp.StatusCode == http.StatusOK {
				c.done = append(c.done, resp.Request.Method+" "+resp.Request.URL.Path)
			}
			return nil
		},
	})
	t.Cleanup(c.Close)
	return c
}

// requireAllCalls checks that the page has every call that there is, with grpcurl and, if it has a path there, with curl.
func (r *recipes) requireAllCalls(t *testing.T, page string) {
	t.Helper()
	called := regexp.MustCompile(`susul\.v1\.\w+/\w+`).FindAllString(page, -1)
	for _, file := range []protoreflect.FileDescriptor{
		susulv1.File_susul_v1_push_service_proto, susulv1.File_susul_v1_callback_service_proto, susulv1.File_susul_v1_device_service_proto,
		susulv1.File_susul_v1_resend_policy_service_proto, susulv1.File_susul_v1_relay_service_proto,
	} {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				method := service.Methods().Get(j)
				if method.Name() != "CreateResendPolicy" { // it is in examples/policies
					require.Contains(t, called, string(service.FullName())+"/"+string(method.Name()))
				}
				if !method.IsStreamingClient() {
					path := pathOf(t, method)
					require.True(t, slices.ContainsFunc(r.calls.done, path.MatchString), "no curl calls %s, %s", method.FullName(), path)
				}
			}
		}
	}
}

// pathOf returns what a call over REST looks like.
func pathOf(t *testing.T, method protoreflect.MethodDescriptor) *regexp.Regexp {
	t.Helper()
	rule, ok := proto.GetExtension(method.Options(), annotations.E_Http).(*annotations.HttpRule)
	require.True(t, ok)
	var verb, path string
	switch pattern := rule.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		verb, path = http.MethodGet, pattern.Get
	case *annotations.HttpRule_Post:
		verb, path = http.MethodPost, pattern.Post
	case *annotations.HttpRule_Put:
		verb, path = http.MethodPut, pattern.Put
	case *annotations.HttpRule_Patch:
		verb, path = http.MethodPatch, pattern.Patch
	case *annotations.HttpRule_Delete:
		verb, path = http.MethodDelete, pattern.Delete
	}
	path = regexp.MustCompile(`\{[a-z_.]+=([^}]*)\}`).ReplaceAllString(path, "$1")
	return regexp.MustCompile("^" + verb + " " + strings.ReplaceAll(path, "*", "[^/:]+") + "$")
}
