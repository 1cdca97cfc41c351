package susul_test

import (
	"context"
	"net"
	"path"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	susul "susul.dev/susul/clients/go"
	"susul.dev/susul/clients/go/susulv1"
)

// fake is a server that answers as a test wants.
type fake struct {
	address string
	server  *grpc.Server

	mu       sync.Mutex
	handlers map[string][]handler
	calls    map[string][]metadata.MD
}

// handler answers a call of any kind.
type handler func(stream grpc.ServerStream) error

func startFake(t *testing.T, address string) *fake {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	require.NoError(t, err)
	f := &fake{address: listener.Addr().String(), handlers: map[string][]handler{}, calls: map[string][]metadata.MD{}}
	f.server = grpc.NewServer(grpc.UnknownServiceHandler(f.serve))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = f.server.Serve(listener) // it ends when it is stopped
	}()
	t.Cleanup(func() {
		f.server.Stop()
		<-done
	})
	return f
}

// on sets what answers a method's calls, one after the other; the last of them all that follow.
func (f *fake) on(method string, handlers ...handler) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handlers[method] = handlers
}

func (f *fake) serve(_ any, stream grpc.ServerStream) error {
	full, _ := grpc.MethodFromServerStream(stream)
	md, _ := metadata.FromIncomingContext(stream.Context())
	method := path.Base(full)
	f.mu.Lock()
	f.calls[method] = append(f.calls[method], md)
	handlers := f.handlers[method]
	if len(handlers) > 1 {
		f.handlers[method] = handlers[1:]
	}
	f.mu.Unlock()
	if len(handlers) == 0 {
		return status.Error(codes.Unimplemented, full)
	}
	return handlers[0](stream)
}

// called returns what came with each call of a method.
func (f *fake) called(method string) []metadata.MD {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[method]
}

// answer takes one request, and sends what a function makes of it.
func answer[Q any, P interface {
	*Q
	proto.Message
}](make func(request P) (proto.Message, error)) handler {
	return func(stream grpc.ServerStream) error {
		request := P(new(Q))
		if err := stream.RecvMsg(request); err != nil {
			return err
		}
		answer, err := make(request)
		if err != nil {
			return err
		}
		return stream.SendMsg(answer)
	}
}

// failure is an error of Susul's.
type failure struct {
	code       codes.Code
	reason     susul.Reason
	metadata   map[string]string
	fields     []string
	retryAfter time.Duration
	domain     string
}

func (f failure) err() error {
	var details []protoadapt.MessageV1
	if f.domain == "" {
		f.domain = "susul.dev"
	}
	if f.reason != "" {
		details = append(details, &errdetails.ErrorInfo{Reason: string(f.reason), Domain: f.domain, Metadata: f.metadata})
	}
	if len(f.fields) > 0 {
		bad := &errdetails.BadRequest{}
		for _, field := range f.fields {
			bad.FieldViolations = append(bad.FieldViolations,
				&errdetails.BadRequest_FieldViolation{Field: field, Description: field + " is wrong"})
		}
		details = append(details, bad)
	}
	if f.retryAfter > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(f.retryAfter)})
	}
	s, err := status.New(f.code, "a text").WithDetails(details...)
	if err != nil {
		panic(err)
	}
	return s.Err()
}

func fail(f failure) handler {
	return func(grpc.ServerStream) error { return f.err() }
}

// stream sends an answer of WatchEvents for each token, "0" being one without an event, and ends as told.
func stream(end func(context.Context) error, tokens ...string) handler {
	return func(stream grpc.ServerStream) error {
		for _, token := range tokens {
			answer := &susulv1.WatchEventsResponse{ResumeToken: token}
			if token != "0" {
				answer.Event = &susulv1.Event{MsgId: token}
			}
			if err := stream.SendMsg(answer); err != nil {
				return err
			}
		}
		return end(stream.Context())
	}
}

// untilCanceled waits for the end of a call.
func untilCanceled(ctx context.Context) error {
	<-ctx.Done()
	return status.FromContextError(ctx.Err()).Err()
}

func connect(t *testing.T, address string) *susul.Client {
	t.Helper()
	client, err := susul.Connect(address, susul.App("demo", "secret"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() }) // some tests close it themselves
	return client
}
