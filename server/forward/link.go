package forward

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

const (
	// A server bounds the calls of a connection, so there are several. Streams, which stay, have their own.
	connsForCalls   = 2
	connsForStreams = 4

	maxFrame = 64 << 20 // of an answer; the leader bounds what it takes

	dialTimeout   = 2 * time.Second
	dialPause     = 20 * time.Millisecond
	maxDialPause  = 500 * time.Millisecond
	keepaliveTime = 10 * time.Second
	keepaliveWait = 3 * time.Second
)

// Link is the way to one leader.
type Link struct {
	to      Peer
	calls   [connsForCalls]*grpc.ClientConn
	streams [connsForStreams]*grpc.ClientConn
	next    atomic.Uint32
}

func newLink(to Peer, secure *tls.Config) (*Link, error) {
	transport := insecure.NewCredentials()
	if secure != nil {
		transport = credentials.NewTLS(secure)
	}
	l := &Link{to: to}
	for _, conns := range [][]*grpc.ClientConn{l.calls[:], l.streams[:]} {
		for i := range conns {
			conn, err := grpc.NewClient("passthrough:///"+to.GRPC,
				grpc.WithTransportCredentials(transport), grpc.WithStatsHandler(witness{}), grpc.WithDisableServiceConfig(),
				grpc.WithIdleTimeout(0), grpc.WithNoProxy(),
				grpc.WithConnectParams(grpc.ConnectParams{
					Backoff:           backoff.Config{BaseDelay: dialPause, Multiplier: 1.5, Jitter: 0.2, MaxDelay: maxDialPause},
					MinConnectTimeout: dialTimeout,
				}),
				grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveTime, Timeout: keepaliveWait}),
				grpc.WithDefaultCallOptions(
					grpc.ForceCodecV2(Codec()), grpc.MaxCallRecvMsgSize(maxFrame), grpc.MaxCallSendMsgSize(maxFrame),
					grpc.MaxRetryRPCBufferSize(maxFrame), // a call that the leader never saw goes out again by itself
				),
			)
			if err != nil {
				l.close()
				return nil, fmt.Errorf("connect to %s: %w", to.GRPC, err)
			}
			conns[i] = conn
		}
	}
	return l, nil
}

func (l *Link) close() {
	for _, conn := range append(l.calls[:], l.streams[:]...) {
		if conn != nil {
			_ = conn.Close()
		}
	}
}

// witness notes whether the last attempt of a call was sent: gRPC begins anew by itself as long as the server has certainly not
// seen the call.
type witness struct{}

type attempt struct{ sent atomic.Bool }

type attemptKey struct{}

func (witness) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (witness) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (witness) HandleConn(context.Context, stats.ConnStats)                       {}
func (witness) HandleRPC(ctx context.Context, event stats.RPCStats) {
	a, ok := ctx.Value(attemptKey{}).(*attempt)
	if !ok {
		return
	}
	switch event.(type) {
	case *stats.Begin:
		a.sent.Store(false)
	case *stats.OutHeader:
		a.sent.Store(true)
	}
}

// Answer is an error that the leader answered with: its status, as it is.
type Answer struct{ err error }

// Error is the status's text.
func (a *Answer) Error() string { return a.err.Error() }

// Unwrap returns the status.
func (a *Answer) Unwrap() error { return a.err }

// GRPCStatus is the status, with its details.
func (a *Answer) GRPCStatus() *status.Status { return status.Convert(a.err) }

// outgoing returns the context of a call to the leader, with the caller's metadata.
func (l *Link) outgoing(ctx context.Context) (context.Context, *attempt) {
	md, _ := metadata.FromIncomingContext(ctx)
	md = md.Copy()
	for key := range md {
		if connectionKey(key) {
			delete(md, key)
		}
	}
	if md == nil {
		md = metadata.MD{}
	}
	if own, given := ctx.Value(ownKey{}).(metadata.MD); given {
		md = metadata.Join(md, own)
	}
	md.Set(tokenKey, l.to.Token)
	a := new(attempt)
	return metadata.NewOutgoingContext(context.WithValue(ctx, attemptKey{}, a), md), a
}

// connectionKey reports whether metadata is between two ends of a connection, or this package's own.
func connectionKey(key string) bool {
	switch key {
	case "content-type", "user-agent", "te", "grpc-timeout", "grpc-encoding", "grpc-accept-encoding", "connection":
		return true
	}
	return strings.HasPrefix(key, ":") || strings.HasPrefix(key, ownPrefix)
}

// passable returns metadata of the leader's that goes on to the caller.
func passable(md metadata.MD) metadata.MD {
	md = md.Copy()
	for key := range md {
		if connectionKey(key) {
			delete(md, key)
		}
	}
	return md
}

// verdict says what an error of a call to the leader means.
func (l *Link) verdict(ctx context.Context, a *attempt, trailer metadata.MD, err error) error {
	switch said := first(trailer, takenKey); {
	case err == nil:
		return nil
	case said == notTaken:
		return fmt.Errorf("%w: %s does not lead", ErrNotTaken, l.to.GRPC)
	case said == taken:
		return &Answer{err}
	case ctx.Err() != nil:
		return ctx.Err()
	case !a.sent.Load():
		return fmt.Errorf("%w: %s can't be reached: %w", ErrNotTaken, l.to.GRPC, err)
	default:
		return fmt.Errorf("%w: %w", ErrBroken, err)
	}
}

func first(md metadata.MD, key string) string {
	if values := md.Get(key); len(values) > 0 {
		return values[0]
	}
	return ""
}

// Unary forwards a call of one message. The caller's stream gets the leader's metadata and its answer.
func (l *Link) Unary(ctx context.Context, method string, request *Frame, caller grpc.ServerStream) error {
	answer := &Frame{}
	header, trailer, err := l.invoke(ctx, method, request, answer)
	if errors.Is(err, ErrNotTaken) {
		return err
	}
	defer answer.Free()
	if len(header) > 0 {
		if err := caller.SetHeader(passable(header)); err != nil {
			return err
		}
	}
	caller.SetTrailer(passable(trailer))
	if err != nil {
		return err
	}
	return caller.SendMsg(answer)
}

func (l *Link) invoke(ctx context.Context, method string, request, answer *Frame) (header, trailer metadata.MD, err error) {
	outgoing, a := l.outgoing(ctx)
	conn := l.calls[l.next.Add(1)%connsForCalls]
	err = conn.Invoke(outgoing, method, request, answer, grpc.Header(&header), grpc.Trailer(&trailer))
	return header, trailer, l.verdict(ctx, a, trailer, err)
}

func (l *Link) ping(ctx context.Context) error {
	answer := &Frame{}
	_, _, err := l.invoke(ctx, MethodPing, NewFrame(nil), answer)
	answer.Free()
	return err
}

// Stream forwards a call of any number of messages. Nothing is read from the caller before the leader has taken the call.
func (l *Link) Stream(ctx context.Context, method string, caller grpc.ServerStream) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	outgoing, a := l.outgoing(ctx)
	conn := l.streams[l.next.Add(1)%connsForStreams]
	leader, err := conn.NewStream(outgoing, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
	if err != nil {
		return l.verdict(ctx, a, nil, err)
	}
	header, err := leader.Header()
	if err != nil || first(header, takenKey) != taken {
		return l.verdict(ctx, a, leader.Trailer(), l.end(leader, err))
	}
	if err := caller.SendHeader(passable(header)); err != nil {
		return err
	}
	upwards := make(chan error, 1)
	go func() { upwards <- pumpUp(caller, leader) }()
	answers := make(chan error, 1)
	go func() { answers <- pumpDown(leader, caller) }()
	for {
		select {
		case err := <-upwards:
			if err != nil {
				return err // the caller went away
			}
			upwards = nil
		case err := <-answers:
			caller.SetTrailer(passable(leader.Trailer()))
			if errors.Is(err, io.EOF) {
				return nil
			}
			return l.verdict(ctx, a, leader.Trailer(), err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// end returns the status of a stream that the leader did not take.
func (l *Link) end(leader grpc.ClientStream, err error) error {
	if err != nil {
		return err
	}
	if err := leader.RecvMsg(&Frame{}); err != nil {
		return err
	}
	return errors.New("an answer without a word that the call was taken")
}

// pumpUp passes the caller's messages on, until there are no more.
func pumpUp(caller grpc.ServerStream, leader grpc.ClientStream) error {
	for {
		frame := &Frame{}
		err := caller.RecvMsg(frame)
		if errors.Is(err, io.EOF) {
			return leader.CloseSend()
		}
		if err != nil {
			return err
		}
		err = leader.SendMsg(frame)
		frame.Free()
		if errors.Is(err, io.EOF) {
			return nil // the leader has ended the call; its status comes the other way
		}
		if err != nil {
			return err
		}
	}
}

// pumpDown passes the leader's messages on, until it ends the call.
func pumpDown(leader grpc.ClientStream, caller grpc.ServerStream) error {
	for {
		frame := &Frame{}
		if err := leader.RecvMsg(frame); err != nil {
			return err
		}
		err := caller.SendMsg(frame)
		frame.Free()
		if err != nil {
			return err
		}
	}
}
