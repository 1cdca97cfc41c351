package api_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/server/servertest"
)

// held returns all that a list has, page by page.
func (w world) held(t testing.TB, req *susulv1.ListHeldCallbacksRequest) []*susulv1.HeldCallback {
	t.Helper()
	var all []*susulv1.HeldCallback
	for {
		resp, err := w.Callbacks.ListHeldCallbacks(servertest.AsAdmin(t.Context()), req)
		require.NoError(t, err)
		require.LessOrEqual(t, len(resp.GetHeldCallbacks()), max(int(req.GetPageSize()), 100))
		all = append(all, resp.GetHeldCallbacks()...)
		if req.PageToken = resp.GetNextPageToken(); req.GetPageToken() == "" {
			return all
		}
	}
}

// requireSame checks that REST answered what gRPC did.
func requireSame(t testing.TB, overGRPC proto.Message, overREST servertest.Response) {
	t.Helper()
	got := overGRPC.ProtoReflect().New().Interface()
	require.NoError(t, protojson.Unmarshal([]byte(overREST.Body), got), overREST.Body)
	require.True(t, proto.Equal(overGRPC, got), overREST.Body)
}

func (w world) TestHeldCallbacks(t *testing.T) {
	w.create(t, other, pushTo("held", "a"))
	upstream := w.upstreamID(t, "held")
	before := map[susulv1.HoldReason]int{}
	for reason := range susulv1.HoldReason_name {
		req := &susulv1.ListHeldCallbacksRequest{Parent: other, Reason: susulv1.HoldReason(reason)}
		before[req.GetReason()] = len(w.held(t, req))
	}
	// Rows without a recipient stay held: they say of nobody that a message is there.
	resp := w.postCallbacks(t, rows(row("held-1", "", "sent", `,"itime":1640707579,"channel":"FCM"`),
		row(upstream, "stranger", "clicked", ""), row("held-2", "", "teleported", ""), row(upstream, "a", "sent", "")))
	require.Equal(t, http.StatusOK, resp.Status, resp.Body)

	const message, recipient = susulv1.HoldReason_HOLD_REASON_UNKNOWN_MESSAGE, susulv1.HoldReason_HOLD_REASON_UNKNOWN_RECIPIENT
	for reason, want := range map[susulv1.HoldReason][]string{
		susulv1.HoldReason_HOLD_REASON_UNSPECIFIED: {"held-1", upstream, "held-2"},
		message:   {"held-1", "held-2"},
		recipient: {upstream},
	} {
		for _, size := range []int32{0, 1} {
			list := w.held(t, &susulv1.ListHeldCallbacksRequest{Parent: other, Reason: reason, PageSize: size})
			require.GreaterOrEqual(t, len(list), before[reason]+len(want))
			var named []string
			for _, held := range list[len(list)-len(want):] {
				named = append(named, held.GetCallback().GetUpstreamMessageId())
			}
			require.Equal(t, want, named, reason)
		}
	}
	list := w.held(t, &susulv1.ListHeldCallbacksRequest{Parent: other, Reason: message})
	first, second := list[len(list)-2], list[len(list)-1]
	require.Equal(t, message, first.GetReason())
	require.Equal(t, susulv1.Milestone_MILESTONE_SENT, first.GetMilestone())
	require.Equal(t, int64(1640707579), first.GetCallback().GetEventTime().GetSeconds())
	require.Equal(t, "FCM", first.GetCallback().GetChannel())
	require.WithinDuration(t, time.Now(), first.GetReceiveTime().AsTime(), patience)
	require.Equal(t, "teleported", second.GetCallback().GetStatus())
	require.Zero(t, second.GetMilestone())

	req := &susulv1.ListHeldCallbacksRequest{Parent: other, PageSize: 1}
	overGRPC, outcome := w.grpc(t, asOther, req)
	require.Zero(t, outcome)
	overREST, outcome := w.rest(t, asOther, req)
	require.Zero(t, outcome)
	requireSame(t, overGRPC, overREST)
	token := overGRPC.(*susulv1.ListHeldCallbacksResponse).GetNextPageToken()
	w.refuses(t, asOther, &susulv1.ListHeldCallbacksRequest{Parent: other, Reason: message, PageToken: token}, invalid("page_token"))
	w.refuses(t, asApp, &susulv1.ListHeldCallbacksRequest{Parent: app, PageToken: token}, invalid("page_token"))
	w.refuses(t, asOther, &susulv1.ListEventsRequest{Parent: other, PageToken: token}, invalid("page_token"))
	w.refuses(t, asOther, &susulv1.ListHeldCallbacksRequest{Parent: other, PageSize: 1001}, invalid("page_size"))
	_, outcome = w.grpc(t, asOther, &susulv1.ListHeldCallbacksRequest{Parent: other, Reason: 99})
	require.Equal(t, []string{"reason"}, outcome.Fields, outcome.Message)
	w.refuses(t, asAdmin, &susulv1.ListHeldCallbacksRequest{Parent: "apps/nobody"}, missing)
}

func (w world) TestRefusedCallbacks(t *testing.T) {
	path := "/v1/" + app + "/callbacks"
	signature := signedAs(servertest.CallbackUser, servertest.CallbackSecret)
	body := rows(row("1", "", "sent", ""))
	post := func(body, signature string) int {
		return w.Do(t, http.MethodPost, path, []byte(body), engagelab.SignatureHeader, signature).Status
	}
	require.Equal(t, http.StatusOK, post(body, signature))
	require.Equal(t, http.StatusUnauthorized, post(body+" ", signature))
	require.Equal(t, http.StatusUnauthorized, post(body, ""))
	require.Equal(t, http.StatusBadRequest, post("", signedAs(servertest.CallbackUser, servertest.CallbackSecret)))

	req := &susulv1.ListRefusedCallbacksRequest{Parent: app}
	overGRPC, outcome := w.grpc(t, asApp, req)
	require.Zero(t, outcome)
	overREST, outcome := w.rest(t, asAdmin, req)
	require.Zero(t, outcome)
	list := overGRPC.(*susulv1.ListRefusedCallbacksResponse)
	requireSame(t, overGRPC, overREST)
	for i, want := range []struct {
		reason susulv1.RefusalReason
		size   int
	}{
		{susulv1.RefusalReason_REFUSAL_REASON_MALFORMED, 0},
		{susulv1.RefusalReason_REFUSAL_REASON_SIGNATURE_MISSING, len(body)},
		{susulv1.RefusalReason_REFUSAL_REASON_REPLAYED, len(body) + 1},
	} {
		refused := list.GetRefusedCallbacks()[i]
		require.Equal(t, want.reason, refused.GetReason())
		require.EqualValues(t, want.size, refused.GetBodySize())
		require.Equal(t, "127.0.0.1", refused.GetSourceAddress())
		require.WithinDuration(t, time.Now(), refused.GetReceiveTime().AsTime(), patience)
	}
	for range 120 {
		require.Equal(t, http.StatusUnauthorized, post(body, ""))
	}
	overGRPC, _ = w.grpc(t, asApp, req)
	require.Len(t, overGRPC.(*susulv1.ListRefusedCallbacksResponse).GetRefusedCallbacks(), 100)
	w.refuses(t, asAdmin, &susulv1.ListRefusedCallbacksRequest{Parent: "apps/nobody"}, missing)
}
