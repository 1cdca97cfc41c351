package api_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/servertest"
)

// faces calls a server over gRPC and over REST.
type faces struct {
	*servertest.Server
}

// outcome is how a call ended, as far as both faces tell it.
type outcome struct {
	Code     codes.Code
	Reason   string
	Message  string
	Metadata map[string]string
	Fields   []string
	Retry    bool
}

// outcomeOf reads a status.
func outcomeOf(s *status.Status) outcome {
	o := outcome{Code: s.Code(), Message: s.Message()}
	for _, detail := range s.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			o.Reason, o.Metadata = detail.GetReason(), detail.GetMetadata()
		case *errdetails.BadRequest:
			for _, violation := range detail.GetFieldViolations() {
				o.Fields = append(o.Fields, violation.GetField())
			}
		case *errdetails.RetryInfo:
			o.Retry = true
		}
	}
	return o
}

// methodOf finds the RPC that takes a request.
func methodOf(t testing.TB, req proto.Message) protoreflect.MethodDescriptor {
	t.Helper()
	want := req.ProtoReflect().Descriptor().FullName()
	for _, method := range allMethods() {
		if method.Input().FullName() == want {
			return method
		}
	}
	require.FailNow(t, "no RPC takes it", want)
	return nil
}

func allMethods() []protoreflect.MethodDescriptor {
	var all []protoreflect.MethodDescriptor
	for _, file := range []protoreflect.FileDescriptor{
		susulv1.File_susul_v1_push_service_proto,
		susulv1.File_susul_v1_callback_service_proto,
		susulv1.File_susul_v1_device_service_proto,
		susulv1.File_susul_v1_resend_policy_service_proto,
		susulv1.File_susul_v1_relay_service_proto,
	} {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				all = append(all, methods.Get(j))
			}
		}
	}
	return all
}

func httpRuleOf(method protoreflect.MethodDescriptor) *annotations.HttpRule {
	rule, _ := proto.GetExtension(method.Options(), annotations.E_Http).(*annotations.HttpRule)
	return rule
}

// responseBody is the field of the response that REST answers with; empty for the whole of it.
func responseBody(method protoreflect.MethodDescriptor) string {
	return httpRuleOf(method).GetResponseBody()
}

func httpRule(method protoreflect.MethodDescriptor) (verb, path, body string) {
	rule := httpRuleOf(method)
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
	return verb, path, rule.GetBody()
}

var pathVariable = regexp.MustCompile(`\{([a-z_.]+)=[^}]*\}`)

// restRequest writes a request as the annotations of its RPC say.
func restRequest(t testing.TB, req proto.Message) (verb, path string, body []byte) {
	t.Helper()
	verb, path, inBody := httpRule(methodOf(t, req))
	data, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(req)
	require.NoError(t, err)
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(data, &members))
	path = pathVariable.ReplaceAllStringFunc(path, func(variable string) string {
		name := pathVariable.FindStringSubmatch(variable)[1]
		message := req.ProtoReflect()
		steps := strings.Split(name, ".")
		for _, step := range steps[:len(steps)-1] {
			message = message.Get(message.Descriptor().Fields().ByName(protoreflect.Name(step))).Message()
		}
		last := message.Descriptor().Fields().ByName(protoreflect.Name(steps[len(steps)-1]))
		delete(members, name)
		segments := strings.Split(message.Get(last).String(), "/")
		for i, segment := range segments {
			segments[i] = url.PathEscape(segment)
		}
		return strings.Join(segments, "/")
	})
	if inBody == "*" {
		return verb, path, data
	}
	if inBody != "" {
		body = members[inBody]
		delete(members, inBody)
	}
	query := url.Values{}
	for name, value := range members {
		var text string
		if json.Unmarshal(value, &text) != nil {
			text = string(value)
		}
		query.Set(name, text)
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return verb, path, body
}

// grpc calls the RPC that takes the request.
func (f faces) grpc(t testing.TB, authorization string, req proto.Message) (proto.Message, outcome) {
	t.Helper()
	method := methodOf(t, req)
	name := "/" + string(method.Parent().FullName()) + "/" + string(method.Name())
	kind, err := protoregistry.GlobalTypes.FindMessageByName(method.Output().FullName())
	require.NoError(t, err)
	resp := kind.New().Interface()
	err = f.Conn.Invoke(servertest.As(t.Context(), authorization), name, req, resp)
	return resp, outcomeOf(status.Convert(err))
}

// rest makes the same call through the gateway.
func (f faces) rest(t testing.TB, authorization string, req proto.Message) (servertest.Response, outcome) {
	t.Helper()
	verb, path, body := restRequest(t, req)
	resp := f.Do(t, verb, path, body, "Authorization", authorization)
	requireDescribed(t, req, resp)
	return resp, restOutcome(t, resp)
}

func restOutcome(t testing.TB, resp servertest.Response) outcome {
	t.Helper()
	if resp.Status == http.StatusOK {
		return outcome{}
	}
	body := []byte(resp.Body)
	var stream struct{ Error json.RawMessage }
	if json.Unmarshal(body, &stream) == nil && stream.Error != nil {
		body = stream.Error // a stream ends with a line of its own shape
	}
	var s spb.Status
	require.NoError(t, protojson.Unmarshal(body, &s), resp.Body)
	return outcomeOf(status.FromProto(&s))
}

// want is what a call that fails is answered with. Fields are those of all violations; nil for any.
type want struct {
	code   codes.Code
	http   int
	reason string
	fields []string
}

// refuses makes a call over both faces, checks that they answer alike and as wanted, and returns the outcome.
func (f faces) refuses(t testing.TB, authorization string, req proto.Message, want want) outcome {
	t.Helper()
	_, overGRPC := f.grpc(t, authorization, req)
	resp, overREST := f.rest(t, authorization, req)
	require.Equal(t, overGRPC, overREST)
	require.Equal(t, want.code, overGRPC.Code, overGRPC.Message)
	require.Equal(t, want.http, resp.Status, resp.Body)
	require.Equal(t, want.reason, overGRPC.Reason)
	if want.reason == "NOT_FOUND" {
		require.Contains(t, overGRPC.Metadata["resource"], "/", "it tells what is missing")
	}
	if want.fields != nil {
		require.ElementsMatch(t, want.fields, overGRPC.Fields, overGRPC.Message)
	}
	return overGRPC
}
