package api

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"buf.build/go/protovalidate"
	grpcprom "github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/auth"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/forward"
)

// interceptorChains are what wraps each call.
type interceptorChains struct {
	unary  grpc.UnaryServerInterceptor
	stream grpc.StreamServerInterceptor
	// These wrap calls that another node answers.
	relayedUnary, relayedStream grpc.StreamServerInterceptor
}

// interceptors wraps each call, from the outside in: metrics, errors to statuses, panics to errors, credentials, rules. What another
// node answers is held against its rules there, and its answer goes through as it is.
func (a *API) interceptors() (chains interceptorChains, err error) {
	rules, err := protovalidate.New()
	if err != nil {
		return chains, fmt.Errorf("prepare request rules: %w", err)
	}
	metrics := grpcprom.NewServerMetrics(grpcprom.WithServerHandlingTimeHistogram())
	if err := a.registry.Register(metrics); err != nil {
		return chains, fmt.Errorf("register gRPC metrics: %w", err)
	}
	panics := recovery.WithRecoveryHandlerContext(func(_ context.Context, p any) error {
		return fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	})
	v := validator{rules, a}
	chains.unary = chainUnary(
		metrics.UnaryServerInterceptor(),
		a.unaryErrors,
		recovery.UnaryServerInterceptor(panics),
		auth.UnaryServerInterceptor(a.authenticateCall),
		v.unary,
	)
	chains.stream = chainStream(
		metrics.StreamServerInterceptor(),
		a.streamErrors,
		a.streamsEnd,
		recovery.StreamServerInterceptor(panics),
		auth.StreamServerInterceptor(a.authenticateCall),
		v.stream,
	)
	chains.relayedUnary = chainStream(
		metrics.StreamServerInterceptor(),
		a.streamErrors,
		recovery.StreamServerInterceptor(panics),
		auth.StreamServerInterceptor(a.authenticateCall),
	)
	chains.relayedStream = chainStream(
		metrics.StreamServerInterceptor(),
		a.streamErrors,
		a.streamsEnd,
		recovery.StreamServerInterceptor(panics),
		auth.StreamServerInterceptor(a.authenticateCall),
	)
	return chains, nil
}

// chainUnary returns an interceptor of several, the first outermost.
func chainUnary(chain ...grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		for _, wrap := range slices.Backward(chain) {
			inner := handle
			handle = func(ctx context.Context, req any) (any, error) { return wrap(ctx, req, info, inner) }
		}
		return handle(ctx, req)
	}
}

// chainStream is chainUnary's counterpart.
func chainStream(chain ...grpc.StreamServerInterceptor) grpc.StreamServerInterceptor {
	return func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
		for _, wrap := range slices.Backward(chain) {
			inner := handle
			handle = func(srv any, stream grpc.ServerStream) error { return wrap(srv, stream, info, inner) }
		}
		return handle(srv, stream)
	}
}

func (a *API) unaryErrors(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	resp, err := handle(ctx, req)
	if err != nil {
		if standby := new(StandbyError); errors.As(err, &standby) {
			return nil, standby // the router has another node answer
		}
		fault := faultOf(err)
		logFault(a.log, info.FullMethod, fault, err)
		return nil, toStatus(nameMissing(fault, req))
	}
	return resp, nil
}

// nameMissing names what a call asked for and does not exist, where the error itself did not know.
func nameMissing(fault *Fault, req any) *Fault {
	switch update := req.(type) {
	case *susulv1.UpdateResendPolicyRequest:
		req = update.GetResendPolicy()
	case *susulv1.UpdateSubscriptionRequest:
		req = update.GetSubscription()
	}
	if fault.Code != codes.NotFound || fault.Metadata != nil {
		return fault
	}
	switch req := req.(type) {
	case interface{ GetName() string }:
		return notFound(req.GetName())
	case *susulv1.PreviewResendPolicyRequest:
		return notFound(req.GetPush())
	default:
		return fault
	}
}

func (a *API) streamErrors(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	err := handle(srv, stream)
	if answered := new(forward.Answer); errors.As(err, &answered) {
		return answered
	}
	if err != nil {
		logFault(a.log, info.FullMethod, faultOf(err), err)
		return toStatus(err)
	}
	return nil
}

// streamsEnd ends streams when the node stops, or stops working.
func (a *API) streamsEnd(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	ended := a.streams.ended()
	go func() {
		select {
		case <-ended:
			cancel(errStreamEnded)
		case <-ctx.Done():
		}
	}()
	err := handle(srv, endingStream{stream, ctx})
	if errors.Is(context.Cause(ctx), errStreamEnded) {
		return errStreamEnded
	}
	return err
}

// endingStream is a stream that ends with a context of its own, which a caller who sends nothing would not notice.
type endingStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s endingStream) Context() context.Context { return s.ctx }

// RecvMsg leaves the message to the stream when the context ends first: grpc-go ends the read with the call.
func (s endingStream) RecvMsg(m any) error {
	received := make(chan error, 1)
	go func() { received <- s.ServerStream.RecvMsg(m) }()
	select {
	case err := <-received:
		return err
	case <-s.ctx.Done():
		return context.Cause(s.ctx)
	}
}

// streams is the life of the streams that are open: they end when this node stops, or stops working.
type streams struct {
	mu      sync.Mutex
	end     chan struct{}
	refused bool // end stays closed
}

// ended returns what is closed when the streams that are open now must end.
func (s *streams) ended() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end == nil {
		s.end = make(chan struct{})
	}
	return s.end
}

func (s *streams) endAll(refuse bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end == nil {
		s.end = make(chan struct{})
	}
	if !s.refused {
		close(s.end)
	}
	if s.refused = s.refused || refuse; !s.refused {
		s.end = nil
	}
}

// EndStreams ends the open streams; their callers are told to resume elsewhere.
func (a *API) EndStreams() { a.streams.endAll(false) }

// RefuseStreams ends the open streams, and every later one at once: clients resume over the connection that they have,
// and a server that let them would never run out of calls.
func (a *API) RefuseStreams() { a.streams.endAll(true) }

// authenticateCall finds out who calls. Resend policies are for admins only.
func (a *API) authenticateCall(ctx context.Context) (context.Context, error) {
	var header string
	if values := metadata.ValueFromIncomingContext(ctx, "authorization"); len(values) > 0 {
		header = values[0]
	}
	caller, err := a.auth.authenticate(header)
	if err != nil {
		return nil, err
	}
	method, _ := grpc.Method(ctx)
	if strings.HasPrefix(method, "/"+susulv1.ResendPolicyService_ServiceDesc.ServiceName+"/") && !caller.admin {
		return nil, fmt.Errorf("%w: resend policies and follow-up switches need an admin's token", errPermissionDenied)
	}
	return withPrincipal(ctx, caller), nil
}
