package susul_test

import (
	"context"
	"os"
	"regexp"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	susul "susul.dev/susul/clients/go"
	"susul.dev/susul/clients/go/susulv1"
)

func TestTheReadmeQuotesTheExamples(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	quoted := regexp.MustCompile("(?s)<!-- (\\S+) -->\n```go\n(.*?)```\n").FindAllSubmatch(readme, -1)
	require.Len(t, quoted, 2)
	for _, quote := range quoted {
		text, err := os.ReadFile(string(quote[1]))
		require.NoError(t, err)
		require.Equal(t, string(text), string(quote[2]), "README.md has another %s", quote[1])
	}
}

func TestSend(t *testing.T) {
	server := startFake(t, "127.0.0.1:0")
	var sent atomic.Pointer[susulv1.Push]
	created := make(chan struct{})
	server.on("CreatePush", answer(func(request *susulv1.CreatePushRequest) (proto.Message, error) {
		sent.Store(request.GetPush())
		close(created)
		return &susulv1.CreatePushResponse{Push: &susulv1.Push{MsgId: "7"}}, nil
	}))
	server.on("WatchEvents", func(stream grpc.ServerStream) error {
		if err := stream.SendMsg(&susulv1.WatchEventsResponse{ResumeToken: "0"}); err != nil {
			return err
		}
		<-created
		for _, event := range []*susulv1.Event{
			{MsgId: "6", Milestone: susulv1.Milestone_MILESTONE_CLICKED},
			{MsgId: "7", Milestone: susulv1.Milestone_MILESTONE_DELIVERED},
			{MsgId: "7", Milestone: susulv1.Milestone_MILESTONE_CLICKED},
		} {
			if err := stream.SendMsg(&susulv1.WatchEventsResponse{Event: event, ResumeToken: "1"}); err != nil {
				return err
			}
		}
		return untilCanceled(stream.Context())
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	require.NoError(t, send(ctx, server.address, "demo", "secret", "a-device"))
	require.Equal(t, []string{"a-device"}, sent.Load().GetAudience().GetRegistrationIds().GetIds())

	server.on("CreatePush", fail(failure{code: codes.InvalidArgument, reason: susul.ReasonInvalidRequest}))
	require.ErrorIs(t, send(ctx, server.address, "demo", "secret", ""), susul.ReasonInvalidRequest)
}

func TestSendForReal(t *testing.T) {
	env := serverEnv(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	device := "go-example-" + strconv.FormatInt(time.Now().UnixNano(), 10)
	require.NoError(t, send(ctx, env("GRPC"), env("APP"), env("MASTER_SECRET"), device))
}
