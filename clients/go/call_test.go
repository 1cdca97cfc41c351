package susul_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	susul "susul.dev/susul/clients/go"
	"susul.dev/susul/clients/go/susulv1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// got answers GetPush.
var got = answer(func(request *susulv1.GetPushRequest) (proto.Message, error) {
	return &susulv1.GetPushResponse{Push: &susulv1.Push{Name: request.GetName()}}, nil
})

func TestCredentialsGoWithEachCall(t *testing.T) {
	for _, test := range []struct {
		who  susul.Credentials
		want string
	}{
		{susul.App("demo", "secret"), "Basic ZGVtbzpzZWNyZXQ="},
		{susul.Admin("a-token"), "Bearer a-token"},
	} {
		server := startFake(t, "127.0.0.1:0")
		server.on("GetPush", got)
		client, err := susul.Connect(server.address, test.who)
		require.NoError(t, err)
		answer, err := client.Pushes.GetPush(t.Context(), &susulv1.GetPushRequest{Name: "apps/demo/pushes/7"})
		require.NoError(t, err)
		require.Equal(t, "apps/demo/pushes/7", answer.GetPush().GetName())
		require.NoError(t, client.Close())
		md := server.called("GetPush")[0]
		require.Equal(t, []string{test.want}, md.Get("authorization"))
		require.True(t, strings.HasPrefix(md.Get("user-agent")[0], "susul-go/"+susul.Version+" "), md.Get("user-agent"))
	}
	_, err := susul.Connect("localhost:7070", susul.Credentials{})
	require.ErrorContains(t, err, "no credentials")
}

func TestTLSIsSpokenUnlessTheAddressIsLocal(t *testing.T) {
	server := startFake(t, "127.0.0.1:0")
	client, err := susul.Connect(server.address, susul.Admin("a-token"), grpc.WithTransportCredentials(credentials.NewTLS(nil)))
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = client.Pushes.GetPush(ctx, &susulv1.GetPushRequest{})
	require.Error(t, err)
	require.NoError(t, client.Close())
	require.Empty(t, server.called("GetPush"))
}

func TestAnErrorTellsAllThatSusulSays(t *testing.T) {
	server := startFake(t, "127.0.0.1:0")
	client := connect(t, server.address)
	call := func(f failure) *susul.Error {
		server.on("CreateResendPolicy", fail(f))
		_, err := client.Policies.CreateResendPolicy(t.Context(), &susulv1.CreateResendPolicyRequest{})
		var e *susul.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, "a text", e.Message)
		require.Equal(t, f.code, e.Code)
		require.Equal(t, f.code, status.Code(err), "gRPC's own functions know it")
		return e
	}
	missing := call(failure{code: codes.NotFound, reason: susul.ReasonNotFound, metadata: map[string]string{"resource": "apps/demo"}})
	require.Equal(t, susul.ReasonNotFound, missing.Reason)
	require.Equal(t, map[string]string{"resource": "apps/demo"}, missing.Metadata)
	require.ErrorIs(t, missing, susul.ReasonNotFound)
	require.NotErrorIs(t, missing, susul.ReasonInternal)
	require.EqualError(t, missing, "susul: NOT_FOUND: a text")

	invalid := call(failure{code: codes.InvalidArgument, reason: susul.ReasonInvalidRequest, fields: []string{"a", "b"}})
	require.Equal(t, []susul.Violation{{"a", "a is wrong"}, {"b", "b is wrong"}}, invalid.Violations)

	busy := call(failure{code: codes.ResourceExhausted, reason: susul.ReasonOverloaded, retryAfter: 2500 * time.Millisecond})
	require.Equal(t, 2500*time.Millisecond, busy.RetryAfter)

	others := call(failure{code: codes.Internal, reason: "QUOTA", domain: "elsewhere.example"})
	require.Empty(t, others.Reason)
	require.EqualError(t, others, "susul: Internal: a text")
	require.NotErrorIs(t, others, susul.Reason("QUOTA"))
}

func TestReasonsAreThoseOfTheProtos(t *testing.T) {
	known := []susul.Reason{
		susul.ReasonInvalidRequest, susul.ReasonUnauthenticated, susul.ReasonPermissionDenied, susul.ReasonNotFound,
		susul.ReasonAlreadyExists, susul.ReasonRequestIDReused, susul.ReasonEtagMismatch, susul.ReasonWrongState,
		susul.ReasonEngageLabRefused, susul.ReasonEngageLabUnavailable, susul.ReasonStandby, susul.ReasonStorageUnavailable,
		susul.ReasonEtcdUnavailable, susul.ReasonInternal, susul.ReasonOverloaded, susul.ReasonTooLarge, susul.ReasonSlowConsumer,
	}
	for number, name := range susulv1.ErrorReason_name {
		reason, _ := strings.CutPrefix(name, "ERROR_REASON_")
		require.Equal(t, number != 0, slices.Contains(known, susul.Reason(reason)), name)
	}
	require.Len(t, known, len(susulv1.ErrorReason_name)-1)
}

// created keeps the request_ids of pushes, fails a few times, and then answers.
func created(ids *[]string, failures ...failure) []handler {
	var mu sync.Mutex
	take := func(err error) handler {
		return answer(func(request *susulv1.CreatePushRequest) (proto.Message, error) {
			mu.Lock()
			defer mu.Unlock()
			*ids = append(*ids, request.GetPush().GetRequestId())
			return &susulv1.CreatePushResponse{Push: request.GetPush()}, err
		})
	}
	var handlers []handler
	for _, f := range failures {
		handlers = append(handlers, take(f.err()))
	}
	return append(handlers, take(nil))
}

func TestWhatPassesIsRepeatedWithOneRequestID(t *testing.T) {
	for _, f := range []failure{
		{code: codes.Unavailable},
		{code: codes.Unavailable, reason: susul.ReasonStandby, retryAfter: time.Millisecond},
		{code: codes.ResourceExhausted, reason: susul.ReasonOverloaded, retryAfter: time.Millisecond},
	} {
		server := startFake(t, "127.0.0.1:0")
		var ids []string
		server.on("CreatePush", created(&ids, f, f)...)
		request := &susulv1.CreatePushRequest{Parent: "apps/demo", Push: &susulv1.Push{From: "news"}}
		answer, err := connect(t, server.address).Pushes.CreatePush(t.Context(), request)
		require.NoError(t, err)
		require.Equal(t, "news", answer.GetPush().GetFrom())
		require.Len(t, ids, 3)
		require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, ids[0])
		require.Equal(t, []string{ids[0], ids[0]}, ids[1:])
		require.Empty(t, request.GetPush().GetRequestId(), "the caller's message is the caller's")
	}
}

func TestARequestIDOfTheCallersStays(t *testing.T) {
	server := startFake(t, "127.0.0.1:0")
	var ids []string
	server.on("CreatePush", created(&ids)...)
	client := connect(t, server.address)
	additional, err := structpb.NewStruct(map[string]any{"options": map[string]any{"cid": "mine"}})
	require.NoError(t, err)
	for _, push := range []*susulv1.Push{{RequestId: "mine"}, {Additional: additional}, nil} {
		_, err := client.Pushes.CreatePush(t.Context(), &susulv1.CreatePushRequest{Push: push})
		require.NoError(t, err)
	}
	require.Equal(t, []string{"mine", "", ""}, ids)
}

func TestRepetitionsEnd(t *testing.T) {
	server := startFake(t, "127.0.0.1:0")
	server.on("GetPush", fail(failure{code: codes.Unavailable, reason: susul.ReasonStandby, retryAfter: time.Millisecond}))
	_, err := connect(t, server.address).Pushes.GetPush(t.Context(), &susulv1.GetPushRequest{})
	require.ErrorIs(t, err, susul.ReasonStandby)
	require.Len(t, server.called("GetPush"), 4)
}

func TestWhatMustNotBeRepeatedIsNot(t *testing.T) {
	standby := failure{code: codes.Unavailable, reason: susul.ReasonStandby, retryAfter: time.Millisecond}
	server := startFake(t, "127.0.0.1:0")
	client := connect(t, server.address)
	server.on("CreateResendPolicy", fail(standby))
	_, err := client.Policies.CreateResendPolicy(t.Context(), &susulv1.CreateResendPolicyRequest{})
	require.ErrorIs(t, err, susul.ReasonStandby)
	require.Len(t, server.called("CreateResendPolicy"), 1)

	for i, f := range []failure{
		{code: codes.ResourceExhausted, reason: susul.ReasonOverloaded},
		{code: codes.Internal, reason: susul.ReasonInternal},
		{code: codes.Unavailable, reason: susul.ReasonStandby, retryAfter: time.Minute}, // later than the deadline
	} {
		server.on("GetPush", fail(f))
		_, err := client.Pushes.GetPush(t.Context(), &susulv1.GetPushRequest{})
		require.ErrorIs(t, err, f.reason)
		require.Len(t, server.called("GetPush"), i+1)
	}
}

func TestCallsEndInTime(t *testing.T) {
	server := startFake(t, "127.0.0.1:0")
	server.on("GetPush", func(stream grpc.ServerStream) error { return untilCanceled(stream.Context()) })
	client := connect(t, server.address)

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := client.Pushes.GetPush(ctx, &susulv1.GetPushRequest{})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotErrorIs(t, err, context.Canceled)

	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	_, err = client.Pushes.GetPush(ctx, &susulv1.GetPushRequest{})
	require.ErrorIs(t, err, context.Canceled)

	// Without a deadline of the caller's there is one.
	left := make(chan time.Duration, 1)
	server.on("GetPush", func(stream grpc.ServerStream) error {
		end, _ := stream.Context().Deadline()
		left <- time.Until(end)
		return got(stream)
	})
	_, err = client.Pushes.GetPush(t.Context(), &susulv1.GetPushRequest{})
	require.NoError(t, err)
	require.InDelta(t, 30*time.Second, <-left, float64(5*time.Second))
}

func TestThePauseIsNoLongerThanTheContext(t *testing.T) {
	server := startFake(t, "127.0.0.1:0")
	client := connect(t, server.address)
	ctx, cancel := context.WithCancel(t.Context())
	server.on("GetPush", func(grpc.ServerStream) error {
		time.AfterFunc(10*time.Millisecond, cancel)
		return failure{code: codes.Unavailable, reason: susul.ReasonStandby, retryAfter: 20 * time.Second}.err()
	})
	_, err := client.Pushes.GetPush(ctx, &susulv1.GetPushRequest{})
	require.ErrorIs(t, err, susul.ReasonStandby)
	require.Len(t, server.called("GetPush"), 1)
}

func TestNobodyThere(t *testing.T) {
	server := startFake(t, "127.0.0.1:0")
	server.server.Stop()
	_, err := connect(t, server.address).Pushes.GetPush(t.Context(), &susulv1.GetPushRequest{})
	var e *susul.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, codes.Unavailable, e.Code)
	require.Empty(t, e.Reason)
}

func TestStreamsFail(t *testing.T) {
	server := startFake(t, "127.0.0.1:0")
	client := connect(t, server.address)
	server.on("WatchResendPolicies", func(stream grpc.ServerStream) error {
		if err := stream.SendMsg(&susulv1.WatchResendPoliciesResponse{Revision: 7}); err != nil {
			return err
		}
		return failure{code: codes.Unavailable, reason: susul.ReasonStandby}.err()
	})
	changes, err := client.Policies.WatchResendPolicies(t.Context(), &susulv1.WatchResendPoliciesRequest{})
	require.NoError(t, err)
	first, err := changes.Recv()
	require.NoError(t, err)
	require.EqualValues(t, 7, first.GetRevision())
	_, err = changes.Recv()
	require.ErrorIs(t, err, susul.ReasonStandby)

	server.on("ImportDevices", func(stream grpc.ServerStream) error {
		for {
			switch err := stream.RecvMsg(&susulv1.ImportDevicesRequest{}); {
			case errors.Is(err, io.EOF):
				return failure{code: codes.InvalidArgument, reason: susul.ReasonInvalidRequest, fields: []string{"parent"}}.err()
			case err != nil:
				return err
			}
		}
	})
	devices, err := client.Devices.ImportDevices(t.Context())
	require.NoError(t, err)
	require.NoError(t, devices.Send(&susulv1.ImportDevicesRequest{Parent: "apps/demo"}))
	_, err = devices.CloseAndRecv()
	require.ErrorIs(t, err, susul.ReasonInvalidRequest)
}

func TestPages(t *testing.T) {
	server := startFake(t, "127.0.0.1:0")
	client := connect(t, server.address)
	server.on("ListPushes", answer(func(request *susulv1.ListPushesRequest) (proto.Message, error) {
		next := map[string]string{"": "a", "a": "b", "b": ""}[request.GetPageToken()]
		page := request.GetParent() + request.GetPageToken()
		return &susulv1.ListPushesResponse{Pushes: []*susulv1.Push{{MsgId: page + "1"}, {MsgId: page + "2"}}, NextPageToken: next}, nil
	}))
	request := &susulv1.ListPushesRequest{Parent: "p"}
	var found []string
	for push, err := range susul.All(t.Context(), client.Pushes.ListPushes, request, (*susulv1.ListPushesResponse).GetPushes) {
		require.NoError(t, err)
		found = append(found, push.GetMsgId())
	}
	require.Equal(t, []string{"p1", "p2", "pa1", "pa2", "pb1", "pb2"}, found)
	require.Empty(t, request.GetPageToken())

	for push, err := range susul.All(t.Context(), client.Pushes.ListPushes, request, (*susulv1.ListPushesResponse).GetPushes) {
		require.NoError(t, err)
		require.Equal(t, "p1", push.GetMsgId())
		break
	}
	require.Len(t, server.called("ListPushes"), 4)

	server.on("ListPushes", fail(failure{code: codes.NotFound, reason: susul.ReasonNotFound}))
	count := 0
	for _, err := range susul.All(t.Context(), client.Pushes.ListPushes, request, (*susulv1.ListPushesResponse).GetPushes) {
		require.ErrorIs(t, err, susul.ReasonNotFound)
		count++
	}
	require.Equal(t, 1, count)
}
