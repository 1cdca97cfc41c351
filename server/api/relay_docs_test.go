package api_test

import (
	"bufio"
	"context"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"sigs.k8s.io/yaml"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/servertest"
	subscriptions "susul.dev/susul/server/subscription"
	"susul.dev/susul/server/webhook"
	"susul.dev/susul/storage"
)

// Blocks and rows of the page; never written to.
var (
	shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")
	filterRow  = regexp.MustCompile("(?m)^\\| `([^`]*)` \\| [a-z]")
)

// Every subscription, filter and command that the page about the relay shows works as it stands there.
func (w world) TestDocumentedRelay(t *testing.T) {
	page, err := os.ReadFile("../../docs/relay.md")
	require.NoError(t, err)
	blocks := yamlBlock.FindAllSubmatch(page, -1)
	require.NotEmpty(t, blocks)
	for _, block := range blocks {
		document, err := yaml.YAMLToJSON(block[1])
		require.NoError(t, err)
		request := &susulv1.CreateSubscriptionRequest{}
		require.NoError(t, protojson.Unmarshal(document, request), "%s", block[1])
		require.Equal(t, "apps/demo", request.GetParent())
		request.Parent, request.Subscription.Paused = other, true
		resp, outcome := w.grpc(t, asOther, request)
		require.Zero(t, outcome, "%s", block[1])
		name := resp.(*susulv1.CreateSubscriptionResponse).GetSubscription().GetName()
		// Nothing of what the tests do goes to the hosts on the page.
		_, outcome = w.grpc(t, asOther, &susulv1.UpdateSubscriptionRequest{
			Subscription: &susulv1.Subscription{Name: name, Url: "http://127.0.0.1:9/"}, UpdateMask: mask("url"),
		})
		require.Zero(t, outcome)
	}
	_, after, found := strings.Cut(string(page), "| filter | selects |")
	require.True(t, found)
	table, _, _ := strings.Cut(after, "\n\n")
	filters := filterRow.FindAllStringSubmatch(table, -1)
	require.Len(t, filters, strings.Count(table, "\n| `"))
	for _, filter := range filters {
		_, err := subscriptions.CompileFilter(filter[1])
		require.NoError(t, err, filter[1])
	}
	scripts := shellBlock.FindAllStringSubmatch(unindented(string(page)), -1)
	require.NotEmpty(t, scripts)
	for _, script := range scripts {
		for _, command := range commandsOf(t, script[1]) {
			t.Run(strings.Join(command, " "), func(t *testing.T) { w.follow(t, command) })
		}
	}
}

// What the page shows as a request is what is posted.
func TestDocumentedEvents(t *testing.T) {
	page, err := os.ReadFile("../../docs/relay.md")
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)```json\n(.*?)```").FindSubmatch(page)
	require.NotNil(t, block)
	push := &subscriptions.Push{
		ID: 1841375214016397312, App: "demo", From: "shop", CustomArgsAs: []byte(`{"kind":"promotion","coupon":"SUSUL10"}`),
	}
	var rows [][]byte
	for _, event := range []storage.Event{
		{Sequence: 48213, PushID: push.ID, Step: 1, Variant: "urgency", Callback: storage.Callback{
			UpstreamID: "1666165485030094861", RegistrationID: "1507bfd3f9e0a1b2c3d", Milestone: storage.Clicked, Status: "clicked",
			Time: time.Unix(1764118653, 0), Channel: "FCM",
		}},
		{Sequence: 48214, PushID: push.ID, Callback: storage.Callback{
			UpstreamID: "1666165485030094522", RegistrationID: "170976fa8a6f5b0d1e2", Milestone: storage.Failed, Status: "target_invalid",
			Time: time.Unix(1764118654, 0), Channel: "vivo", ErrorCode: 4102, ErrorMessage: "NotRegistered", LossSource: "vivo",
		}},
	} {
		rows = append(rows, webhook.AppendRow(nil, &event, push))
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	posted := webhook.Document(subscriptions.EngageLab, rows, now)
	require.JSONEq(t, string(block[1]), string(posted))

	wrapped := string(webhook.Document(subscriptions.StandardWebhooks, rows, now))
	head, data, found := strings.Cut(wrapped, string(posted))
	require.True(t, found, wrapped)
	require.Equal(t, "}", data)
	require.Contains(t, string(page), "`"+head+"{…}}`")
}

// unindented lets blocks in lists begin where others do.
func unindented(page string) string { return strings.ReplaceAll(page, "\n   ", "\n") }

// commandsOf has a shell read a script, and returns the words of its commands, which are of curl or grpcurl.
func commandsOf(t *testing.T, script string) (commands [][]string) {
	t.Helper()
	const tell = `curl() { printf '%s\0' curl "$@"; printf '\036'; }; grpcurl() { printf '%s\0' grpcurl "$@"; printf '\036'; }; PATH=; `
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-e", "-c", tell+script)
	cmd.Env = []string{"TOKEN=" + servertest.AdminToken}
	out, err := cmd.Output()
	require.NoError(t, err, script)
	for command := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x1e"), "\x1e") {
		commands = append(commands, strings.Split(strings.TrimSuffix(command, "\x00"), "\x00"))
	}
	return commands
}

// follow does what a command says, to the server of the test, and requires that it succeeds; what the page made up may be missing.
func (w world) follow(t *testing.T, command []string) {
	t.Helper()
	options := map[string]string{}
	var words []string
	for i := 1; i < len(command); i++ {
		switch word := command[i]; word {
		case "-plaintext", "-N":
			options[word] = "set"
		case "-u", "-H", "-X", "-d":
			i++
			options[word] = strings.ReplaceAll(command[i], "apps/demo", other)
		default:
			words = append(words, strings.ReplaceAll(word, "apps/demo", other))
		}
	}
	var got outcome
	if command[0] == "curl" {
		got = w.curl(t, options, words)
	} else {
		got = w.grpcurl(t, options, words)
	}
	if regexp.MustCompile(`/url-|/deadLetters/|"msg_id"|"start_time"`).MatchString(strings.Join(command, " ")) && got.Reason == "NOT_FOUND" {
		return
	}
	require.Zero(t, got)
}

func (w world) curl(t *testing.T, options map[string]string, words []string) outcome {
	t.Helper()
	require.Equal(t, "demo:secret", options["-u"])
	require.Len(t, words, 1)
	path, found := strings.CutPrefix(words[0], "http://127.0.0.1:7080")
	require.True(t, found, words)
	verb := options["-X"]
	if verb == "" {
		verb = http.MethodGet
	}
	if options["-N"] == "" {
		return restOutcome(t, w.Do(t, verb, path, []byte(options["-d"]), "Authorization", asOther))
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience) // the first line of a stream is enough
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, verb, "http://"+w.HTTPAddress()+path, nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", asOther)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	line := bufio.NewScanner(resp.Body)
	require.True(t, line.Scan())
	require.Contains(t, line.Text(), "resumeToken")
	cancel()
	_ = resp.Body.Close()
	return outcome{}
}

func (w world) grpcurl(t *testing.T, options map[string]string, words []string) outcome {
	t.Helper()
	require.Equal(t, "set", options["-plaintext"])
	require.Len(t, words, 2)
	require.Equal(t, "127.0.0.1:7070", words[0])
	service, name, _ := strings.Cut(words[1], "/")
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service + "." + name))
	require.NoError(t, err)
	method, ok := found.(protoreflect.MethodDescriptor)
	require.True(t, ok)
	req, resp := newMessage(t, method.Input()), newMessage(t, method.Output())
	require.NoError(t, protojson.Unmarshal([]byte(options["-d"]), req), options["-d"])
	authorization, given := strings.CutPrefix(options["-H"], "Authorization: ")
	require.True(t, given)
	ctx, cancel := context.WithTimeout(servertest.As(t.Context(), authorization), patience)
	defer cancel()
	stream, err := w.Conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: method.IsStreamingServer()}, "/"+words[1])
	require.NoError(t, err)
	require.NoError(t, stream.SendMsg(req))
	require.NoError(t, stream.CloseSend())
	return outcomeOf(status.Convert(stream.RecvMsg(resp))) // the first answer of a stream is enough
}

func newMessage(t *testing.T, descriptor protoreflect.MessageDescriptor) proto.Message {
	t.Helper()
	kind, err := protoregistry.GlobalTypes.FindMessageByName(descriptor.FullName())
	require.NoError(t, err)
	return kind.New().Interface()
}
