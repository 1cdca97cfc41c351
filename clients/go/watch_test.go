package susul_test

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	susul "susul.dev/susul/clients/go"
	"susul.dev/susul/clients/go/susulv1"
)

// watched is a fake that keeps the requests of WatchEvents.
type watched struct {
	*fake
	requests chan *susulv1.WatchEventsRequest
}

func startWatched(t *testing.T, address string, handlers ...handler) watched {
	t.Helper()
	w := watched{startFake(t, address), make(chan *susulv1.WatchEventsRequest, 100)}
	w.watch(handlers...)
	return w
}

func (w watched) watch(handlers ...handler) {
	var all []handler
	for _, next := range handlers {
		all = append(all, func(stream grpc.ServerStream) error {
			request := &susulv1.WatchEventsRequest{}
			if err := stream.RecvMsg(request); err != nil {
				return err
			}
			w.requests <- request
			return next(stream)
		})
	}
	w.on("WatchEvents", all...)
}

// take returns the tokens of the next answers.
func take(t *testing.T, next func() (*susulv1.WatchEventsResponse, error, bool), count int) []string {
	t.Helper()
	var tokens []string
	for range count {
		answer, err, ok := next()
		require.True(t, ok)
		require.NoError(t, err)
		require.Equal(t, answer.GetResumeToken() != "0", answer.Event != nil)
		tokens = append(tokens, answer.GetResumeToken())
	}
	return tokens
}

func ended(err error) func(context.Context) error {
	return func(context.Context) error { return err }
}

func TestWhateverEndsAStreamItGoesOnAfterTheLastAnswer(t *testing.T) {
	slow := failure{code: codes.ResourceExhausted, reason: susul.ReasonSlowConsumer, metadata: map[string]string{"resume_token": "9"}}
	for _, err := range []error{
		nil,
		slow.err(),
		failure{code: codes.Unavailable}.err(),
		failure{code: codes.Unavailable, reason: susul.ReasonStandby, retryAfter: time.Millisecond}.err(),
		failure{code: codes.Internal}.err(),
		failure{code: codes.Unknown}.err(),
		failure{code: codes.Canceled}.err(),
	} {
		end := ended(err)
		server := startWatched(t, "127.0.0.1:0",
			stream(end, "0", "1", "2"), stream(end, "3", "4"), stream(end), stream(untilCanceled, "5"))
		request := &susulv1.WatchEventsRequest{Parent: "apps/demo", Filter: "true", MsgId: "7"}
		next, stop := iter.Pull2(connect(t, server.address).WatchEvents(t.Context(), request))
		require.Equal(t, []string{"0", "1", "2", "3", "4", "5"}, take(t, next, 6))
		stop()
		for _, token := range []string{"", "2", "4", "4"} {
			want := &susulv1.WatchEventsRequest{Parent: "apps/demo", Filter: "true", MsgId: "7", ResumeToken: token}
			require.True(t, proto.Equal(want, <-server.requests))
		}
		require.Empty(t, request.GetResumeToken())
	}
}

func TestAStreamThatOnlyBeginsIsNoSuccess(t *testing.T) {
	only := stream(ended(nil), "0")
	server := startWatched(t, "127.0.0.1:0", only, only, only, only, stream(untilCanceled, "1"))
	next, stop := iter.Pull2(connect(t, server.address).WatchEvents(t.Context(), &susulv1.WatchEventsRequest{}))
	defer stop()
	began := time.Now()
	require.Equal(t, []string{"0", "0", "0", "0", "1"}, take(t, next, 5))
	require.GreaterOrEqual(t, time.Since(began), (50+100+200+400)*time.Millisecond)
}

func TestItBeginsWhereItIsToldTo(t *testing.T) {
	server := startWatched(t, "127.0.0.1:0", fail(failure{code: codes.Unavailable}), stream(untilCanceled, "4"))
	next, stop := iter.Pull2(connect(t, server.address).WatchEvents(t.Context(), &susulv1.WatchEventsRequest{ResumeToken: "3"}))
	defer stop()
	require.Equal(t, []string{"4"}, take(t, next, 1))
	require.Equal(t, "3", (<-server.requests).GetResumeToken())
	require.Equal(t, "3", (<-server.requests).GetResumeToken())
}

func TestWhatNoRepetitionCuresEndsIt(t *testing.T) {
	for _, code := range []codes.Code{
		codes.InvalidArgument, codes.Unauthenticated, codes.PermissionDenied, codes.NotFound, codes.FailedPrecondition, codes.OutOfRange,
		codes.Unimplemented,
	} {
		server := startWatched(t, "127.0.0.1:0", stream(ended(failure{code: code, reason: susul.ReasonNotFound}.err()), "1"))
		next, stop := iter.Pull2(connect(t, server.address).WatchEvents(t.Context(), &susulv1.WatchEventsRequest{}))
		require.Equal(t, []string{"1"}, take(t, next, 1))
		_, err, ok := next()
		require.True(t, ok)
		require.ErrorIs(t, err, susul.ReasonNotFound)
		_, _, ok = next()
		require.False(t, ok)
		stop()
		require.Len(t, server.called("WatchEvents"), 1)
	}
}

func TestItOutlivesItsServer(t *testing.T) {
	server := startWatched(t, "127.0.0.1:0", stream(untilCanceled, "1"))
	next, stop := iter.Pull2(connect(t, server.address).WatchEvents(t.Context(), &susulv1.WatchEventsRequest{}))
	defer stop()
	require.Equal(t, []string{"1"}, take(t, next, 1))
	server.server.Stop()
	second := startWatched(t, server.address, stream(untilCanceled, "2"))
	require.Equal(t, []string{"2"}, take(t, next, 1))
	require.Equal(t, "1", (<-second.requests).GetResumeToken())
}

func TestWhatEndsAWatch(t *testing.T) {
	refusing := fail(failure{code: codes.Unavailable, reason: susul.ReasonStandby, retryAfter: time.Minute})
	for name, handler := range map[string]handler{"an answer": stream(untilCanceled), "the next attempt": refusing} {
		for by, want := range map[string]error{
			"cancel": context.Canceled, "deadline": context.DeadlineExceeded, "close": context.Canceled,
		} {
			t.Run(by+" while it waits for "+name, func(t *testing.T) {
				server := startWatched(t, "127.0.0.1:0", handler)
				client := connect(t, server.address)
				ctx, cancel := context.WithCancel(t.Context())
				if by == "deadline" {
					ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
				}
				defer cancel()
				over := make(chan []error)
				go func() {
					var errs []error
					for _, err := range client.WatchEvents(ctx, &susulv1.WatchEventsRequest{}) {
						errs = append(errs, err)
					}
					over <- errs
				}()
				<-server.requests
				switch by {
				case "cancel":
					cancel()
				case "close":
					require.NoError(t, client.Close())
				}
				errs := <-over
				require.Len(t, errs, 1)
				require.ErrorIs(t, errs[0], want)
			})
		}
	}
}
