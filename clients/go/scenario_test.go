package susul_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	susul "susul.dev/susul/clients/go"
	"susul.dev/susul/clients/go/callback"
	"susul.dev/susul/clients/go/susulv1"
)

// patience is how long a step of the scenario may take.
const patience = 30 * time.Second

// step is one of ../scenario.json, which ../README.md explains.
type step struct {
	Name     string
	As       string
	Call     string
	List     string
	Request  json.RawMessage
	Response any
	Save     map[string]string
	Error    *struct {
		Code     string
		Reason   string
		Metadata map[string]any
		Fields   []string
	}
	Items  []any
	Watch  json.RawMessage
	Events []any
	Rows   []any
}

// serverEnv returns what tells where the server is, and skips the test if there is none.
func serverEnv(t *testing.T) func(name string) string {
	t.Helper()
	if os.Getenv("SUSUL_TEST_SCENARIO") == "" {
		t.Skip("no server: `make test-clients` starts one")
	}
	return func(name string) string { return os.Getenv("SUSUL_TEST_" + name) }
}

// The scenario that all clients carry out, against a server that runs.
func TestScenario(t *testing.T) {
	env := serverEnv(t)
	text, err := os.ReadFile(env("SCENARIO"))
	require.NoError(t, err)
	var scenario struct{ Steps []json.RawMessage }
	require.NoError(t, json.Unmarshal(text, &scenario))
	require.NotEmpty(t, scenario.Steps)

	received := &rows{came: make(chan struct{}, 1), username: env("CALLBACK_USERNAME"), secret: env("CALLBACK_SECRET")}
	receiver := httptest.NewServer(received)
	defer receiver.Close()
	r := &run{rows: received, clients: map[string]*susul.Client{}, values: map[string]string{
		"run": "go-" + strings.ToLower(rand.Text())[:12], "app": env("APP"), "callback_url": receiver.URL + "/callbacks",
	}}
	for name, who := range map[string]susul.Credentials{
		"app":      susul.App(env("APP"), env("MASTER_SECRET")),
		"stranger": susul.App(env("APP"), "not-"+env("MASTER_SECRET")),
		"admin":    susul.Admin(env("ADMIN_TOKEN")),
	} {
		client, err := susul.Connect(env("GRPC"), who)
		require.NoError(t, err)
		defer client.Close()
		r.clients[name] = client
	}
	watching, cancel := context.WithCancel(t.Context())
	defer cancel()
	r.cancel = cancel
	for _, raw := range scenario.Steps {
		var s step
		require.NoError(t, json.Unmarshal(r.filled(raw), &s))
		ctx, done := context.WithTimeout(t.Context(), patience)
		require.NoError(t, r.take(ctx, watching, &s), "step %q", s.Name)
		done()
	}
}

// run is what the steps have in common.
type run struct {
	clients map[string]*susul.Client
	values  map[string]string
	rows    *rows
	cancel  context.CancelFunc                                 // ends the watch
	next    func() (*susulv1.WatchEventsResponse, error, bool) // of the watch
	stop    func()
}

var placeholder = regexp.MustCompile(`\$\{(\w+)\}`)

// filled replaces the placeholders of a step; their values need no escapes in JSON.
func (r *run) filled(raw []byte) []byte {
	return placeholder.ReplaceAllFunc(raw, func(found []byte) []byte {
		return []byte(r.values[string(found[2:len(found)-1])])
	})
}

// take takes a step, within its context. A watch that it opens has the other one.
func (r *run) take(ctx, watching context.Context, s *step) error {
	defer context.AfterFunc(ctx, r.cancel)()
	if s.As == "" {
		s.As = "app"
	}
	client := r.clients[s.As]
	switch {
	case s.Call != "":
		return r.call(ctx, client, s)
	case s.List != "":
		return list(ctx, client, s)
	case s.Watch != nil:
		request := &susulv1.WatchEventsRequest{}
		if err := protojson.Unmarshal(s.Watch, request); err != nil {
			return err
		}
		r.next, r.stop = iter.Pull2(client.WatchEvents(watching, request))
		first, err, _ := r.next()
		if err == nil && (first.GetResumeToken() == "" || first.Event != nil) {
			return fmt.Errorf("the first answer is %v", first)
		}
		return err
	case s.Events != nil:
		defer r.stop()
		return r.watch(s.Events)
	case s.Rows != nil:
		return r.rows.wait(ctx, s.Rows)
	default:
		return errors.New("nobody knows how to do it")
	}
}

// call calls the method of a client's field by its name.
func (r *run) call(ctx context.Context, client *susul.Client, s *step) error {
	service, method, _ := strings.Cut(s.Call, "/")
	name := protoreflect.FullName("susul.v1." + method + "Request")
	kind, err := protoregistry.GlobalTypes.FindMessageByName(name)
	if err != nil {
		return err
	}
	request := kind.New().Interface()
	if err := protojson.Unmarshal(s.Request, request); err != nil {
		return err
	}
	field := map[string]any{
		"PushService": client.Pushes, "CallbackService": client.Callbacks, "ResendPolicyService": client.Policies,
		"DeviceService": client.Devices, "RelayService": client.Relay,
	}[service]
	results := reflect.ValueOf(field).MethodByName(method).Call([]reflect.Value{reflect.ValueOf(ctx), reflect.ValueOf(request)})
	err, _ = results[1].Interface().(error)
	if s.Error != nil {
		return checkError(s, err)
	}
	if err != nil {
		return err
	}
	answer := asJSON(results[0].Interface().(proto.Message))
	if s.Response != nil && !isPart(s.Response, answer) {
		return fmt.Errorf("the answer is %v", answer)
	}
	for name, path := range s.Save {
		found := answer
		for member := range strings.SplitSeq(path, ".") {
			members, _ := found.(map[string]any)
			found = members[member]
		}
		text, _ := found.(string)
		if text == "" {
			return fmt.Errorf("%s is empty in %v", path, answer)
		}
		r.values[name] = text
	}
	return nil
}

func checkError(s *step, err error) error {
	var e *susul.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("it should have failed: %w", err)
	}
	var code codes.Code
	if err := code.UnmarshalJSON([]byte(`"` + s.Error.Code + `"`)); err != nil {
		return err
	}
	var fields []string
	for _, violation := range e.Violations {
		fields = append(fields, violation.Field)
	}
	slices.Sort(fields)
	slices.Sort(s.Error.Fields)
	metadata := map[string]any{}
	for name, value := range e.Metadata {
		metadata[name] = value
	}
	if e.Code != code || !errors.Is(err, susul.Reason(s.Error.Reason)) || !isPart(s.Error.Metadata, metadata) ||
		s.Error.Fields != nil && !slices.Equal(fields, s.Error.Fields) {
		return fmt.Errorf("another error: %w, %v, %v", err, metadata, fields)
	}
	return nil
}

// list goes through all pages.
func list(ctx context.Context, client *susul.Client, s *step) error {
	if s.List != "PushService/ListPushes" {
		return fmt.Errorf("nobody knows how to list %s", s.List)
	}
	request := &susulv1.ListPushesRequest{}
	if err := protojson.Unmarshal(s.Request, request); err != nil {
		return err
	}
	var found []any
	for push, err := range susul.All(ctx, client.Pushes.ListPushes, request, (*susulv1.ListPushesResponse).GetPushes) {
		if err != nil {
			return err
		}
		found = append(found, asJSON(push))
	}
	for _, item := range s.Items {
		if !slices.ContainsFunc(found, func(one any) bool { return isPart(item, one) }) {
			return fmt.Errorf("%v is not in %v", item, found)
		}
	}
	return nil
}

// watch reads the watch until each of the events was seen, in this order among others.
func (r *run) watch(expected []any) error {
	for len(expected) > 0 {
		answer, err, ok := r.next()
		if err != nil || !ok {
			return fmt.Errorf("the watch ended before %v: %w", expected[0], err)
		}
		if answer.Event != nil && isPart(expected[0], asJSON(answer.GetEvent())) {
			expected = expected[1:]
		}
	}
	return nil
}

func asJSON(message proto.Message) (value any) {
	text, err := protojson.Marshal(message)
	if err == nil {
		err = json.Unmarshal(text, &value)
	}
	if err != nil {
		panic(err)
	}
	return value
}

// isPart tells whether each member that is expected was found, lists item by item.
func isPart(expected, found any) bool {
	switch expected := expected.(type) {
	case map[string]any:
		members, ok := found.(map[string]any)
		for name, member := range expected {
			value, has := members[name]
			ok = ok && has && isPart(member, value)
		}
		return ok
	case []any:
		items, ok := found.([]any)
		return ok && slices.EqualFunc(expected, items, isPart)
	default:
		return expected == found
	}
}

// rows are those of the callbacks that came.
type rows struct {
	username, secret string
	came             chan struct{}

	mu    sync.Mutex
	found []any
	err   error
}

func (r *rows) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	var verified []callback.Row
	if err == nil {
		verified, err = callback.Verify(request.Header, body, r.username, r.secret)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, row := range verified {
		var value any
		if err == nil {
			err = json.Unmarshal(row.Raw, &value)
		}
		r.found = append(r.found, value)
	}
	if err != nil {
		r.err = err
		w.WriteHeader(http.StatusUnauthorized)
	}
	select {
	case r.came <- struct{}{}:
	default:
	}
}

// wait waits until each of the rows came.
func (r *rows) wait(ctx context.Context, expected []any) error {
	for {
		r.mu.Lock()
		missing := slices.DeleteFunc(slices.Clone(expected), func(row any) bool {
			return slices.ContainsFunc(r.found, func(one any) bool { return isPart(row, one) })
		})
		found, err := slices.Clone(r.found), r.err
		r.mu.Unlock()
		if len(missing) == 0 || err != nil {
			return err
		}
		select {
		case <-r.came:
		case <-ctx.Done():
			return fmt.Errorf("what came is %v", found)
		}
	}
}
