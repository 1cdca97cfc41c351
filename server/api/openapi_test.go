package api_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/servertest"
)

const openAPIFile = "../../gen/openapi/susul.openapi.json"

// operation is what the document says of a call.
type operation struct {
	*openapi3.Operation
	verb, path string
}

// openAPI reads the document once, with all objects closed: what it does not describe is not there.
var openAPI = sync.OnceValues(func() (map[string]operation, error) {
	document, err := openapi3.NewLoader().LoadFromFile(openAPIFile)
	if err != nil {
		return nil, err
	}
	for _, schema := range document.Components.Schemas {
		if schema.Value.Properties != nil && schema.Value.AdditionalProperties.Schema == nil {
			closed := false
			schema.Value.AdditionalProperties.Has = &closed
		}
	}
	operations := map[string]operation{}
	for path, item := range document.Paths.Map() {
		for verb, described := range item.Operations() {
			operations[described.OperationID] = operation{described, verb, path}
		}
	}
	return operations, nil
})

func operationOf(t testing.TB, method protoreflect.MethodDescriptor) operation {
	t.Helper()
	operations, err := openAPI()
	require.NoError(t, err)
	id := string(method.Parent().Name()) + "_" + string(method.Name())
	require.Contains(t, operations, id)
	return operations[id]
}

// Every RPC can be called over REST, but for streams of requests, and the document has every path that the gateway serves,
// with parameters that have the names of what they stand for.
func TestOpenAPIListsEveryCall(t *testing.T) {
	operations, err := openAPI()
	require.NoError(t, err)
	listed := map[string]bool{"EngageLab_ReceiveCallbacks": true} // no RPC
	for _, method := range allMethods() {
		if method.IsStreamingClient() {
			continue // HTTP/1 has nothing of the kind
		}
		verb, path, _ := httpRule(method)
		require.NotEmpty(t, path, method.FullName())
		found := operationOf(t, method)
		listed[found.OperationID] = true
		require.Equal(t, verb, found.verb, found.OperationID)
		require.True(t, strings.HasPrefix(found.path, "/v1/"), found.path)
		_, custom, _ := strings.Cut(path[strings.LastIndex(path, "}")+1:], "/")
		require.True(t, strings.HasSuffix(found.path, custom), "%s, %s", found.path, path)
		for segment := range strings.SplitSeq(found.path, "/") {
			if name, found := strings.CutPrefix(segment, "{"); found {
				name, _, _ = strings.Cut(name, "}")
				require.Contains(t, []string{
					"app", "push", "recipient", "device", "resend_policy", "subscription", "relay_endpoint", "dead_letter", "replay",
				}, name)
			}
		}
	}
	require.Len(t, operations, len(listed), "the document has more than there is")
}

// The document's examples tell of every reason that there is, and no other.
func TestOpenAPIHasAnExampleOfEveryReason(t *testing.T) {
	document, err := openapi3.NewLoader().LoadFromFile(openAPIFile)
	require.NoError(t, err)
	require.NoError(t, document.Validate(t.Context(), openapi3.EnableExamplesValidation()))
	text, err := json.Marshal(document.Components)
	require.NoError(t, err)
	var reasons []any
	for number, name := range susulv1.ErrorReason_name {
		if reason := susulv1.ErrorReason(number); reason == susulv1.ErrorReason_ERROR_REASON_UNSPECIFIED {
			continue
		}
		name = strings.TrimPrefix(name, "ERROR_REASON_")
		reasons = append(reasons, name)
		require.True(t, bytes.Contains(text, []byte(`"reason":"`+name+`"`)), name)
	}
	require.ElementsMatch(t, reasons, document.Components.Schemas["ErrorReason"].Value.Enum)
}

// requireDescribed checks that what was asked and answered is what the document says: requests that were taken, and every
// answer, members, types and status.
func requireDescribed(t testing.TB, req proto.Message, resp servertest.Response) {
	t.Helper()
	method := methodOf(t, req)
	described := operationOf(t, method)
	answer := described.Responses.Value(strconv.Itoa(resp.Status))
	if answer == nil {
		require.True(t, method.IsStreamingServer() || resp.Status >= 500, "%d is not described", resp.Status)
		answer = described.Responses.Default()
	}
	requireFits(t, answer.Value.Content, []byte(resp.Body), openapi3.VisitAsResponse())
	_, _, inBody := httpRule(method)
	if resp.Status != http.StatusOK || inBody == "" {
		return
	}
	body, err := protojson.Marshal(req)
	require.NoError(t, err)
	if inBody != "*" {
		var members map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(body, &members))
		body = members[method.Input().Fields().ByName(protoreflect.Name(inBody)).JSONName()]
	} else {
		body = withoutPathParameters(t, method, body)
	}
	requireFits(t, described.RequestBody.Value.Content, body, openapi3.VisitAsRequest(), openapi3.DisableReadOnlyValidation())
}

// withoutPathParameters leaves out of a body what the path has.
func withoutPathParameters(t testing.TB, method protoreflect.MethodDescriptor, body []byte) []byte {
	t.Helper()
	_, path, _ := httpRule(method)
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(body, &members))
	for _, variable := range pathVariable.FindAllStringSubmatch(path, -1) {
		delete(members, variable[1])
	}
	body, err := json.Marshal(members)
	require.NoError(t, err)
	return body
}

func requireFits(t testing.TB, content openapi3.Content, text []byte, options ...openapi3.SchemaValidationOption) {
	t.Helper()
	var value any
	require.NoError(t, json.Unmarshal(text, &value), "%s", text)
	media := content.Get("application/json")
	require.NotNil(t, media)
	require.NoError(t, media.Schema.Value.VisitJSON(value, append(options, openapi3.MultiErrors())...), "%s", text)
}

// A client that a stock generator makes of the document compiles, sends, reads, and tells errors apart.
func TestStockGenerator(t *testing.T) {
	server := servertest.Start(t, servertest.Options{})
	module, err := filepath.Abs("../../tools/oapi-codegen/go.mod")
	require.NoError(t, err)
	dir := t.TempDir()
	run := func(name string, args ...string) string {
		t.Helper()
		command := exec.CommandContext(t.Context(), name, args...)
		command.Dir = dir
		out, err := command.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return string(out)
	}
	document, err := filepath.Abs(openAPIFile)
	require.NoError(t, err)
	program, err := os.ReadFile("testdata/stock/main.go")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), program, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), nil, 0o600)) // it only has to be there
	run("go", "tool", "-modfile", module, "oapi-codegen", "-package", "main", "-generate", "types,client", "-o", "client.go", document)
	run("go", "build", "-modfile", module, "-o", "stock", ".")
	require.Equal(t, strings.Join([]string{
		"sent, and read again",
		"NOT_FOUND resource=apps/" + servertest.App + "/pushes/1",
		"INVALID_REQUEST push.audience",
		"UNAUTHENTICATED",
	}, "\n")+"\n", run(filepath.Join(dir, "stock"), "http://"+server.HTTPAddress(), servertest.App, servertest.Secret))
}
