package api_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/servertest"
)

// events returns all that a list has, page by page.
func (w world) events(t testing.TB, req *susulv1.ListEventsRequest) []*susulv1.Event {
	t.Helper()
	var all []*susulv1.Event
	for {
		resp, err := w.Callbacks.ListEvents(servertest.AsAdmin(t.Context()), req)
		require.NoError(t, err)
		all = append(all, resp.GetEvents()...)
		if req.PageToken = resp.GetNextPageToken(); req.GetPageToken() == "" {
			return all
		}
	}
}

func (w world) TestListEvents(t *testing.T) {
	odd := strings.Repeat(`"\`, 64) // as long as it may be, and longer wherever it is quoted
	push := w.create(t, other, pushTo("list events", "a", "b", odd))
	upstream := w.upstreamID(t, "list events")
	w.postCallbacks(t, rows(row(upstream, "a", "sent", `,"itime":1000`), row(upstream, "a", "delivered", `,"itime":2000`),
		row(upstream, "b", "sent", `,"itime":2000`), row(upstream, "b", "clicked", `,"itime":3000`)))
	w.report(t, other, upstream, "sent", odd)
	w.report(t, other, upstream, "clicked", odd)

	at := func(seconds int64) *timestamppb.Timestamp { return &timestamppb.Timestamp{Seconds: seconds} }
	for name, c := range map[string]struct {
		req *susulv1.ListEventsRequest
		n   int
	}{
		"push":             {&susulv1.ListEventsRequest{MsgId: push.GetMsgId()}, 6},
		"device":           {&susulv1.ListEventsRequest{MsgId: push.GetMsgId(), RegistrationId: "a"}, 2},
		"from":             {&susulv1.ListEventsRequest{MsgId: push.GetMsgId(), StartTime: at(2000), EndTime: at(10000)}, 3},
		"to":               {&susulv1.ListEventsRequest{MsgId: push.GetMsgId(), EndTime: at(2000)}, 1},
		"nothing":          {&susulv1.ListEventsRequest{MsgId: push.GetMsgId(), StartTime: at(3), EndTime: at(2)}, 0},
		"unknown push":     {&susulv1.ListEventsRequest{MsgId: "1"}, 0},
		"device of a push": {&susulv1.ListEventsRequest{MsgId: push.GetMsgId(), RegistrationId: odd, StartTime: at(1), EndTime: at(1e10)}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			c.req.Parent = other
			whole := w.events(t, c.req)
			require.Len(t, whole, c.n)
			c.req.PageSize = 1
			paged := w.events(t, c.req)
			require.Len(t, paged, c.n, "page by page")
			for i := range whole {
				require.Equal(t, whole[i].GetSequence(), paged[i].GetSequence())
			}
		})
	}
	first, outcome := w.grpc(t, asOther, &susulv1.ListEventsRequest{Parent: other, MsgId: push.GetMsgId(), PageSize: 1})
	require.Zero(t, outcome)
	token := first.(*susulv1.ListEventsResponse).GetNextPageToken()
	w.refuses(t, asOther, &susulv1.ListEventsRequest{Parent: other, PageToken: token}, invalid("page_token"))
	w.refuses(t, asApp, &susulv1.ListEventsRequest{Parent: app, MsgId: push.GetMsgId(), PageToken: token}, invalid("page_token"))
	w.refuses(t, asOther, &susulv1.ListEventsRequest{Parent: other, MsgId: "0"}, invalid("msg_id"))
	w.refuses(t, asOther, &susulv1.ListEventsRequest{Parent: other, MsgId: "9999999999999999999"}, invalid("msg_id"))
	require.Empty(t, w.events(t, &susulv1.ListEventsRequest{Parent: app, MsgId: push.GetMsgId()}), "another app's")
}

// watcher receives the answers of one WatchEvents call.
type watcher interface {
	next(t testing.TB) *susulv1.WatchEventsResponse
	close()
}

type grpcWatcher struct {
	susulv1.CallbackService_WatchEventsClient
	cancel context.CancelFunc
}

func (g grpcWatcher) next(t testing.TB) *susulv1.WatchEventsResponse {
	t.Helper()
	resp, err := g.Recv()
	require.NoError(t, err)
	return resp
}

func (g grpcWatcher) close() { g.cancel(); _, _ = g.Recv() }

type restWatcher struct {
	lines *bufio.Scanner
	stop  func()
}

func (r restWatcher) next(t testing.TB) *susulv1.WatchEventsResponse {
	t.Helper()
	require.True(t, r.lines.Scan(), "%v", r.lines.Err())
	text := strings.TrimSuffix(strings.TrimPrefix(r.lines.Text(), `{"result":`), "}")
	resp := &susulv1.WatchEventsResponse{}
	require.NoError(t, protojson.Unmarshal([]byte(text), resp), r.lines.Text())
	return resp
}

func (r restWatcher) close() { r.stop() }

func (w world) watchGRPC(t *testing.T, token, filter string) watcher {
	t.Helper()
	ctx, cancel := context.WithTimeout(servertest.As(t.Context(), asOther), patience)
	stream, err := w.Callbacks.WatchEvents(ctx, &susulv1.WatchEventsRequest{Parent: other, ResumeToken: token, Filter: filter})
	require.NoError(t, err)
	return grpcWatcher{stream, cancel}
}

func (w world) watchREST(t *testing.T, token, filter string) watcher {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet,
		"http://"+w.HTTPAddress()+"/v1/"+other+"/events:watch?"+url.Values{"resumeToken": {token}, "filter": {filter}}.Encode(), nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", asOther)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	return restWatcher{bufio.NewScanner(resp.Body), func() { cancel(); _ = resp.Body.Close() }}
}

func (w world) TestWatchEvents(t *testing.T) {
	for face, watch := range map[string]func(*testing.T, string, string) watcher{"gRPC": w.watchGRPC, "REST": w.watchREST} {
		t.Run(face, func(t *testing.T) {
			ids := make([]string, 20)
			for i := range ids {
				ids[i] = fmt.Sprintf("%s-%d", face, i)
			}
			requestID := "watch " + face
			push := pushTo(requestID, ids...)
			push.CustomArgs = structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{
				"kind": structpb.NewStringValue("promotion"), "worth": structpb.NewNumberValue(2.5),
			}})
			w.create(t, other, push)
			upstream := w.upstreamID(t, requestID)

			stream := watch(t, "", "")
			hello := stream.next(t)
			require.Nil(t, hello.GetEvent())
			require.NotEmpty(t, hello.GetResumeToken())
			w.report(t, other, upstream, "sent", ids[:10]...)
			w.create(t, app, pushTo(requestID, ids...)) // another app's, whose sandbox reports at once
			var told []string
			var token string
			var last int64
			take := func(n int) {
				for range n {
					resp := stream.next(t)
					require.Greater(t, resp.GetEvent().GetSequence(), last)
					last, token = resp.GetEvent().GetSequence(), resp.GetResumeToken()
					require.Equal(t, push.GetCustomArgs().AsInterface(), resp.GetCustomArgs().AsInterface())
					told = append(told, resp.GetEvent().GetCallback().GetRegistrationId())
				}
			}
			take(4)
			stream.close()
			w.report(t, other, upstream, "sent", ids[10:]...) // nobody watches
			stream = watch(t, token, "")
			defer func() { stream.close() }()
			require.Nil(t, stream.next(t).GetEvent())
			take(16)
			require.Equal(t, ids, told, "nothing missed, nothing twice")
			stream.close()
			stream = watch(t, hello.GetResumeToken(), "")
			require.Nil(t, stream.next(t).GetEvent())
			require.Equal(t, ids[0], stream.next(t).GetEvent().GetCallback().GetRegistrationId(), "from the first token")
			stream.close()
			stream = watch(t, hello.GetResumeToken(), `event.registration_id.endsWith("-7") && push.request_id == "`+requestID+`"`)
			require.Nil(t, stream.next(t).GetEvent())
			filtered := stream.next(t)
			require.Equal(t, ids[7], filtered.GetEvent().GetCallback().GetRegistrationId())
			stream.close()
			stream = watch(t, filtered.GetResumeToken(), `event.registration_id.endsWith("9")`)
			require.Nil(t, stream.next(t).GetEvent())
			require.Equal(t, ids[9], stream.next(t).GetEvent().GetCallback().GetRegistrationId(), "a filter may change")
			require.Equal(t, ids[19], stream.next(t).GetEvent().GetCallback().GetRegistrationId())
		})
	}
	stream := w.watchGRPC(t, "", "")
	token := stream.next(t).GetResumeToken()
	stream.close()
	w.refuses(t, asOther, &susulv1.WatchEventsRequest{Parent: other, ResumeToken: "x"}, invalid("resume_token"))
	w.refuses(t, asApp, &susulv1.WatchEventsRequest{Parent: app, ResumeToken: token}, invalid("resume_token"))
	w.refuses(t, asOther, &susulv1.WatchEventsRequest{Parent: other, MsgId: "x"}, invalid("msg_id"))
	for _, filter := range []string{"event.", "event.step", "event.nothing == 1", "push.msg_id == 1"} {
		w.refuses(t, asOther, &susulv1.WatchEventsRequest{Parent: other, Filter: filter}, invalid("filter"))
	}
	w.refuses(t, asAdmin, &susulv1.WatchEventsRequest{Parent: "apps/nobody"}, missing)
}
