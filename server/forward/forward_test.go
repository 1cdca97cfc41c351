package forward

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// What goes either way arrives as it was sent.
func TestUnaryCallGoesThroughAsItCame(t *testing.T) {
	refusal, err := status.New(codes.NotFound, "no such thing").WithDetails(&errdetails.ErrorInfo{Reason: "NOT_FOUND", Domain: "test"})
	require.NoError(t, err)
	var seen atomic.Pointer[metadata.MD]
	var deadline atomic.Int64
	leader := lead(t, answering(func(ctx context.Context, text string) (string, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		seen.Store(&md)
		if until, ok := ctx.Deadline(); ok {
			deadline.Store(int64(time.Until(until)))
		}
		if err := grpc.SetHeader(ctx, metadata.Pairs("a-header", "h")); err != nil {
			return "", err
		}
		if err := grpc.SetTrailer(ctx, metadata.Pairs("a-trailer", "t")); err != nil {
			return "", err
		}
		if text == "refuse" {
			return "", refusal.Err()
		}
		return text, nil
	}))
	s := standBy(t, true, Options{})
	s.leader.Set(leader.Peer)

	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(t.Context(),
		"authorization", "Basic x", "binary-bin", "\x00\xff", sourceKey, "forged"), time.Minute)
	defer cancel()
	var header, trailer metadata.MD
	const odd = "\x08\x01\xfa\x3f\x03abc no message at all"
	got, err := s.call(ctx, odd, grpc.Header(&header), grpc.Trailer(&trailer))
	require.NoError(t, err)
	require.Equal(t, odd, got)
	require.Equal(t, []string{"h"}, header.Get("a-header"))
	require.Equal(t, []string{"t"}, trailer.Get("a-trailer"))
	require.Empty(t, trailer.Get(takenKey), "what is between nodes stays there")
	require.Equal(t, []string{"Basic x"}, seen.Load().Get("authorization"))
	require.Equal(t, []string{"\x00\xff"}, seen.Load().Get("binary-bin"))
	require.Empty(t, seen.Load().Get(sourceKey), "a caller can't speak as a node")
	require.InDelta(t, time.Minute, time.Duration(deadline.Load()), float64(10*time.Second))

	_, err = s.call(t.Context(), "refuse")
	require.True(t, proto.Equal(refusal.Proto(), status.Convert(err).Proto()), "%v", err)
	long := strings.Repeat("x", 1<<20)
	got, err = s.call(t.Context(), long)
	require.NoError(t, err)
	require.Equal(t, long, got)
}

func TestCancellationReachesTheLeader(t *testing.T) {
	for name, unary := range map[string]bool{"unary": true, "stream": false} {
		t.Run(name, func(t *testing.T) {
			arrived, ended := make(chan struct{}), make(chan struct{})
			leader := lead(t, func(stream grpc.ServerStream) error {
				if !unary {
					if err := TakeStream(stream); err != nil {
						return err
					}
				}
				close(arrived)
				<-stream.Context().Done()
				close(ended)
				return stream.Context().Err()
			})
			s := standBy(t, unary, Options{})
			s.leader.Set(leader.Peer)
			ctx, cancel := context.WithCancel(t.Context())
			failed := make(chan error, 1)
			go func() {
				_, err := s.call(ctx, "x")
				failed <- err
			}()
			<-arrived
			cancel()
			<-ended
			require.Equal(t, codes.Canceled, status.Code(<-failed))
		})
	}
}

func TestStreamGoesThroughBothWays(t *testing.T) {
	leader := lead(t, func(stream grpc.ServerStream) error {
		if err := TakeStream(stream); err != nil {
			return err
		}
		for {
			frame := &Frame{}
			err := stream.RecvMsg(frame)
			if errors.Is(err, io.EOF) {
				stream.SetTrailer(metadata.Pairs("a-trailer", "t"))
				return status.Error(codes.DataLoss, "the end")
			}
			if err != nil {
				return err
			}
			if err := stream.SendMsg(frame); err != nil {
				return err
			}
		}
	})
	s := standBy(t, false, Options{})
	s.leader.Set(leader.Peer)
	stream, err := s.conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/any.Service/Stream")
	require.NoError(t, err)
	for _, text := range []string{"one", "", strings.Repeat("three", 100_000)} {
		require.NoError(t, stream.SendMsg(NewFrame([]byte(text))))
		got := &Frame{}
		require.NoError(t, stream.RecvMsg(got))
		require.Equal(t, text, string(got.Bytes()))
	}
	require.NoError(t, stream.CloseSend())
	err = stream.RecvMsg(&Frame{})
	require.Equal(t, codes.DataLoss, status.Code(err))
	require.Equal(t, []string{"t"}, stream.Trailer().Get("a-trailer"))
}

// A call waits for a leader: while none is known, while there is no connection to it, and while it says that it does not lead.
func TestCallIsHeldUntilSomebodyTakesIt(t *testing.T) {
	for name, former := range map[string]func(*testing.T) Peer{
		"no leader is known": func(*testing.T) Peer { return Peer{} },
		"this node led last": func(*testing.T) Peer { return Peer{GRPC: "self", Token: "self"} },
		"no connection": func(t *testing.T) Peer {
			t.Helper()
			gone := lead(t, answering(echo))
			gone.stop()
			return gone.Peer
		},
		"it leads no more": func(t *testing.T) Peer {
			t.Helper()
			return lead(t, func(stream grpc.ServerStream) error {
				Refuse(stream)
				return errors.New("not I")
			}).Peer
		},
		"another process has its address": func(t *testing.T) Peer {
			t.Helper()
			return Peer{GRPC: lead(t, answering(echo)).GRPC, Token: "of the former process"}
		},
	} {
		for kind, unary := range map[string]bool{"unary": true, "stream": false} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				s := standBy(t, unary, Options{Hold: patience})
				s.leader.Set(former(t))
				answered := make(chan error, 1)
				go func() {
					got, err := s.call(t.Context(), "x")
					if got != "x" && err == nil {
						err = errors.New("another answer: " + got)
					}
					answered <- err
				}()
				require.Eventually(t, func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.held == 1 }, patience, time.Millisecond)
				s.leader.Set(lead(t, func(stream grpc.ServerStream) error {
					if !unary {
						if err := TakeStream(stream); err != nil {
							return err
						}
					}
					return answering(echo)(stream)
				}).Peer)
				require.NoError(t, <-answered)
				require.Zero(t, s.held)
			})
		}
	}
}

func TestBoundsOfTheHold(t *testing.T) {
	s := standBy(t, true, Options{Hold: 50 * time.Millisecond})
	_, err := s.call(t.Context(), "x")
	require.Error(t, err)
	require.ErrorIs(t, <-s.returns, ErrNotTaken)

	for name, o := range map[string]Options{"calls": {Hold: patience, HeldCalls: 1}, "bytes": {Hold: patience, HeldBytes: 5}} {
		t.Run(name, func(t *testing.T) {
			s := standBy(t, true, o)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() { _, _ = s.call(ctx, "four") }()
			require.Eventually(t, func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.held == 1 }, patience, time.Millisecond)
			_, err := s.call(t.Context(), "more")
			require.Error(t, err)
			require.ErrorIs(t, <-s.returns, ErrFull)
			cancel()
			require.ErrorIs(t, <-s.returns, context.Canceled)
			require.Zero(t, s.held)
			require.Zero(t, s.bytes)
		})
	}
}

// A call that broke off may have been carried out: it is not offered again, unless anybody may repeat it.
func TestCallThatBreaksOff(t *testing.T) {
	for name, repeatable := range map[string]bool{"is its caller's": false, "may be repeated": true} {
		for how, end := range map[string]func(s *standby, old leading){
			"the leader dies": func(_ *standby, old leading) { old.stop() },
			"another is elected, and the leader is silent": func(s *standby, _ leading) { s.LeaderChanged() },
		} {
			t.Run(name+"/"+how, func(t *testing.T) {
				arrived, stopped := make(chan struct{}), make(chan struct{})
				old := lead(t, func(stream grpc.ServerStream) error {
					close(arrived)
					select {
					case <-stream.Context().Done():
					case <-stopped:
					}
					return stream.Context().Err()
				})
				defer close(stopped)
				s := standBy(t, true, Options{Hold: patience})
				s.leader.Set(old.Peer)
				var calls atomic.Int64
				next := lead(t, answering(func(context.Context, string) (string, error) {
					calls.Add(1)
					return "", nil
				}))
				returned := make(chan error, 1)
				go func() {
					returned <- s.Offer(t.Context(), Call{
						Protocol: "grpc", Repeatable: repeatable, Here: func() (bool, error) { return false, nil },
						There: func(ctx context.Context, to *Link) error {
							_, _, err := to.invoke(ctx, "/any.Service/Method", NewFrame(nil), &Frame{})
							return err
						},
					})
				}()
				<-arrived
				s.leader.Set(next.Peer)
				end(s, old)
				if repeatable {
					require.NoError(t, <-returned)
					require.EqualValues(t, 1, calls.Load())
				} else {
					require.ErrorIs(t, <-returned, ErrBroken)
					require.Zero(t, calls.Load())
				}
			})
		}
	}
}

// REST calls keep what makes them up.
func TestHTTPGoesThrough(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header()["X-Twice"] = []string{"a", "b"}
		w.Header().Set("X-Seen", strings.Join([]string{
			r.Method, r.Host, r.URL.RequestURI(), r.RemoteAddr, r.Header.Get("Authorization"), r.Header.Get("X-Forwarded-For"),
			r.Header.Get("User-Agent"), string(body),
		}, "|"))
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "short and stout")
	})
	leader := lead(t, func(stream grpc.ServerStream) error {
		message := &Frame{}
		if err := stream.RecvMsg(message); err != nil {
			return err
		}
		Take(stream)
		answer, err := ServeHTTP(stream.Context(), message, handler)
		if err != nil {
			return err
		}
		return stream.SendMsg(answer)
	})
	s := standBy(t, true, Options{})
	link, err := s.linkTo(leader.Peer)
	require.NoError(t, err)
	for method, body := range map[string]string{http.MethodPost: "what it says", http.MethodDelete: "", http.MethodGet: ""} {
		r := httptest.NewRequestWithContext(t.Context(), method, "http://susul.example/v4/a%2Fb?q=1&q=%20", nil)
		r.Header.Set("Authorization", "Basic x")
		r.Header.Set("X-Forwarded-For", "forged")
		r.Header.Set("Connection", "keep-alive")
		w := httptest.NewRecorder()
		require.NoError(t, link.HTTP(w, r, []byte(body), "192.0.2.1"))
		require.Equal(t, http.StatusTeapot, w.Code)
		require.Equal(t, "short and stout", w.Body.String())
		require.Equal(t, []string{"a", "b"}, w.Header()["X-Twice"])
		require.Equal(t, method+"|susul.example|/v4/a%2Fb?q=1&q=%20|192.0.2.1|Basic x|||"+body, w.Header().Get("X-Seen"))
	}
}

// A handler may abort its answer by a panic. Outside of net/http nobody else would catch that.
func TestHTTPAnswerThatIsAborted(t *testing.T) {
	message, err := encodeRequest(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v4/push", nil), nil)
	require.NoError(t, err)
	for _, value := range []any{http.ErrAbortHandler, "another"} {
		_, err := ServeHTTP(t.Context(), message, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(value) }))
		require.Error(t, err)
		require.Equal(t, value == http.ErrAbortHandler, errors.Is(err, ErrBroken)) //nolint:errorlint // a panic's value
	}
}

func TestPeersAreReadAsTheyWereWritten(t *testing.T) {
	peer := NewPeer("susul-0:7070")
	require.NotEqual(t, NewPeer("susul-0:7070"), peer, "each process has a token of its own")
	got, err := ParsePeer(peer.Encode() + "\n")
	require.NoError(t, err)
	require.Equal(t, peer, got)
	for _, text := range []string{"", "susul-0:7070", `{"grpc":"susul-0:7070"}`, `{"token":"x"}`, peer.Encode()[:20]} {
		_, err := ParsePeer(text)
		require.Error(t, err, text)
	}
}
