package api

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/forward"
)

// router registers services so that each call is answered here or, as it came, by the leader. To gRPC every method is a stream,
// since only a stream lets a message be read before it is known what reads it. The interceptors are the router's, because
// those of unary calls need the message.
type router struct {
	api    *API
	server *grpc.Server
	chains interceptorChains
}

func (a *API) newRouter() (*router, error) {
	chains, err := a.interceptors()
	return &router{api: a, chains: chains}, err
}

// RegisterService implements grpc.ServiceRegistrar.
func (r *router) RegisterService(desc *grpc.ServiceDesc, impl any) {
	routed := *desc
	routed.Methods, routed.Streams = nil, nil
	for _, method := range desc.Methods {
		routed.Streams = append(routed.Streams, grpc.StreamDesc{
			StreamName: method.MethodName, Handler: r.unary("/"+desc.ServiceName+"/"+method.MethodName, method.Handler),
			ServerStreams: true, ClientStreams: true,
		})
	}
	for _, stream := range desc.Streams {
		stream.Handler = r.stream("/"+desc.ServiceName+"/"+stream.StreamName, stream)
		routed.Streams = append(routed.Streams, stream)
	}
	r.server.RegisterService(&routed, impl)
}

// unary answers calls of a method with one message in either direction.
func (r *router) unary(method string, handle grpc.MethodHandler) grpc.StreamHandler {
	return func(impl any, stream grpc.ServerStream) error {
		request := &forward.Frame{}
		if err := stream.RecvMsg(request); err != nil {
			return err
		}
		defer request.Free()
		if request.Len() > maxRequestBytes {
			return toStatus(&Fault{
				Code:    codes.ResourceExhausted,
				Message: fmt.Sprintf("the message has %d bytes, of %d that it may have", request.Len(), maxRequestBytes),
			})
		}
		here := func() (taken bool, err error) {
			if !r.api.here(method) {
				return false, nil
			}
			resp, err := handle(impl, stream.Context(), request.Decode, r.chains.unary)
			if standby := new(StandbyError); errors.As(err, &standby) {
				return false, nil // it stopped leading meanwhile, and did nothing
			}
			if err != nil {
				return true, err
			}
			return true, stream.SendMsg(resp)
		}
		there := func(ctx context.Context, to *forward.Link) error { return to.Unary(ctx, method, request, stream) }
		call := forward.Call{Protocol: protocolGRPC, Size: request.Len(), Here: here, There: there}
		return r.answer(&grpc.StreamServerInfo{FullMethod: method}, impl, stream, call)
	}
}

// stream answers calls of a method with many messages. When a node stops leading, its streams end; their callers open others.
func (r *router) stream(method string, desc grpc.StreamDesc) grpc.StreamHandler {
	info := &grpc.StreamServerInfo{FullMethod: method, IsClientStream: desc.ClientStreams, IsServerStream: desc.ServerStreams}
	return func(impl any, stream grpc.ServerStream) error {
		here := func() (taken bool, err error) {
			if !r.api.here(method) {
				return false, nil
			}
			if forward.Incoming(stream.Context(), r.api.token) == forward.Forwarded {
				if err := forward.TakeStream(stream); err != nil {
					return true, err
				}
			}
			return true, r.chains.stream(impl, stream, info, desc.Handler)
		}
		there := func(ctx context.Context, to *forward.Link) error { return to.Stream(ctx, method, stream) }
		return r.answer(info, impl, stream, forward.Call{Protocol: protocolGRPC, Here: here, There: there})
	}
}

// NeedsRelay reports whether only the node that relays can answer calls of a gRPC method.
func NeedsRelay(method string) bool {
	return strings.HasPrefix(method, "/"+susulv1.RelayService_ServiceDesc.ServiceName+"/")
}

// The values of a label of metrics.
const (
	protocolGRPC = "grpc"
	protocolHTTP = "http"
)

// answer answers a call here if it can be, or else where the leader is.
func (r *router) answer(info *grpc.StreamServerInfo, impl any, stream grpc.ServerStream, call forward.Call) error {
	switch forward.Incoming(stream.Context(), r.api.token) {
	case forward.Forwarded:
		taken, err := call.Here()
		if !taken {
			forward.Refuse(stream)
			return r.api.standby()
		}
		forward.Take(stream)
		return err
	case forward.Astray:
		forward.Refuse(stream)
		return r.api.standby()
	}
	if taken, err := call.Here(); taken {
		return err
	}
	// Those who have no right to call are told so here, and wait for nobody.
	relayed := r.chains.relayedUnary
	if info.IsClientStream || info.IsServerStream {
		relayed = r.chains.relayedStream
	}
	return relayed(impl, stream, info, func(_ any, stream grpc.ServerStream) error {
		return r.api.offer(stream.Context(), call)
	})
}

// standby is the error of a node that does not lead.
func (a *API) standby() error {
	_, err := a.backend()
	if standby := new(StandbyError); errors.As(err, &standby) {
		return standby
	}
	return new(StandbyError)
}

// offer answers a call here or by the leader, and holds it while neither can be.
func (a *API) offer(ctx context.Context, call forward.Call) error {
	if a.forward == nil {
		if taken, err := call.Here(); taken {
			return err
		}
		return a.standby()
	}
	err := a.forward.Offer(ctx, call)
	if errors.Is(err, forward.ErrNotTaken) {
		return a.standby()
	}
	return err
}

// serveUnknown answers what belongs to no service: the calls between nodes, and what does not exist.
func (r *router) serveUnknown(_ any, stream grpc.ServerStream) (err error) {
	method, _ := grpc.MethodFromServerStream(stream)
	ofNodes := method == forward.MethodPing || method == forward.MethodHTTP
	if !ofNodes {
		return toStatus(&Fault{Code: codes.Unimplemented, Message: fmt.Sprintf("there is no method %s", clip(method, maxResource))})
	}
	if forward.Incoming(stream.Context(), r.api.token) != forward.Forwarded {
		forward.Refuse(stream)
		return r.api.standby()
	}
	request := &forward.Frame{}
	if err := stream.RecvMsg(request); err != nil {
		return err
	}
	defer request.Free()
	if _, err := r.api.backend(); err != nil {
		forward.Refuse(stream)
		return r.api.standby()
	}
	if method == forward.MethodPing {
		forward.Take(stream)
		return stream.SendMsg(forward.NewFrame(nil))
	}
	return r.serveForwarded(stream, request)
}

// serveForwarded answers a REST call that another node forwarded.
func (r *router) serveForwarded(stream grpc.ServerStream, request *forward.Frame) error {
	call := new(forwardedCall)
	answer, err := forward.ServeHTTP(context.WithValue(stream.Context(), forwardedKey{}, call), request, r.api.forwarded)
	if call.refused {
		forward.Refuse(stream)
		return r.api.standby()
	}
	forward.Take(stream)
	if err != nil {
		logFault(r.api.log, forward.MethodHTTP, faultOf(err), err)
		return toStatus(err)
	}
	return stream.SendMsg(answer)
}
