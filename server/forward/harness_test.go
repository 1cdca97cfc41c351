package forward

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

const patience = 20 * time.Second

// listen returns a server with one handler for every method, and where it is. Its stop cuts off all calls.
func listen(t *testing.T, handle grpc.StreamHandler) (address string, stop func()) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := grpc.NewServer(grpc.ForceServerCodecV2(Codec()), grpc.UnknownServiceHandler(handle))
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = s.Serve(listener) // it ends with an error in any case
	}()
	stop = func() {
		s.Stop()
		<-served
	}
	t.Cleanup(stop)
	return listener.Addr().String(), stop
}

// leading is a node that leads, as others see it.
type leading struct {
	Peer
	stop func()
}

// lead starts a leader that answers with a handler what is meant for it.
func lead(t *testing.T, handle func(stream grpc.ServerStream) error) leading {
	t.Helper()
	var token string
	address, stop := listen(t, func(_ any, stream grpc.ServerStream) error {
		if Incoming(stream.Context(), token) != Forwarded {
			Refuse(stream)
			return ErrNotTaken
		}
		return handle(stream)
	})
	peer := NewPeer(address)
	token = peer.Token // before anybody knows the address
	return leading{peer, stop}
}

// standby is a node that forwards every call, unary or as a stream.
type standby struct {
	*Forwarder
	leader  *Leader
	conn    *grpc.ClientConn
	returns chan error // what Offer returned
}

func standBy(t *testing.T, unary bool, o Options) *standby {
	t.Helper()
	s := &standby{leader: &Leader{}, returns: make(chan error, 100)}
	o.Leader, o.Self = s.leader, Peer{GRPC: "self", Token: "self"}
	s.Forwarder = New(o)
	address, _ := listen(t, func(_ any, stream grpc.ServerStream) error {
		method, _ := grpc.MethodFromServerStream(stream)
		call := Call{Protocol: "grpc", Here: func() (bool, error) { return false, nil }}
		if unary {
			request := &Frame{}
			if err := stream.RecvMsg(request); err != nil {
				return err
			}
			defer request.Free()
			call.Size = request.Len()
			call.There = func(ctx context.Context, to *Link) error { return to.Unary(ctx, method, request, stream) }
		} else {
			call.There = func(ctx context.Context, to *Link) error { return to.Stream(ctx, method, stream) }
		}
		err := s.Offer(stream.Context(), call)
		s.returns <- err
		return err
	})
	t.Cleanup(s.Close) // runs before the server's stop
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodecV2(Codec())))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	s.conn = conn
	return s
}

// call sends bytes and returns those that come back.
func (s *standby) call(ctx context.Context, text string, options ...grpc.CallOption) (string, error) {
	answer := &Frame{}
	err := s.conn.Invoke(ctx, "/any.Service/Method", NewFrame([]byte(text)), answer, options...)
	return string(answer.Bytes()), err
}

// answering answers a unary call.
func answering(handle func(ctx context.Context, text string) (string, error)) func(grpc.ServerStream) error {
	return func(stream grpc.ServerStream) error {
		request := &Frame{}
		if err := stream.RecvMsg(request); err != nil {
			return err
		}
		Take(stream)
		text, err := handle(stream.Context(), string(request.Bytes()))
		if err != nil {
			return err
		}
		return stream.SendMsg(NewFrame([]byte(text)))
	}
}

func echo(_ context.Context, text string) (string, error) { return text, nil }
