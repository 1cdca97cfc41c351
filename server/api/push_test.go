package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/servertest"
)

func text(n int) string { return strings.Repeat("x", n) }

func structOf(t testing.TB, members map[string]any) *structpb.Struct {
	t.Helper()
	s, err := structpb.NewStruct(members)
	require.NoError(t, err)
	return s
}

func addresses(n, length int) []string {
	urls := make([]string, n)
	for i := range urls {
		urls[i] = fmt.Sprintf("https://host-%02d.example/", i)
		urls[i] += text(length - len(urls[i]))
	}
	return urls
}

func (w world) TestInvalidPushes(t *testing.T) {
	w.unchanged(t)
	ctx := servertest.AsAdmin(t.Context())
	_, err := w.Policies.CreateResendPolicy(ctx, &susulv1.CreateResendPolicyRequest{
		ResendPolicyId: "others-own", ResendPolicy: withChange(soundPolicy(), func(p *susulv1.ResendPolicy) { p.App = other }),
	})
	require.NoError(t, err)

	for name, c := range map[string]struct {
		change func(*susulv1.Push)
		fields []string
	}{
		"no audience":         {func(p *susulv1.Push) { p.Audience = nil }, []string{"push.audience"}},
		"no kind of audience": {func(p *susulv1.Push) { p.Audience = &susulv1.Audience{} }, []string{"push.audience.kind"}},
		"not all": {
			func(p *susulv1.Push) { p.Audience.Kind = &susulv1.Audience_All{} }, []string{"push.audience.all"},
		},
		"empty list": {func(p *susulv1.Push) { *p = *pushTo("") }, []string{"push.audience.registration_ids.ids"}},
		"odd ids": {
			func(p *susulv1.Push) { p.Audience = pushTo("", "a", "", text(129)).Audience },
			[]string{"push.audience.registration_ids.ids[1]", "push.audience.registration_ids.ids[2]"},
		},
		"no tags": {
			func(p *susulv1.Push) { p.Audience.Kind = &susulv1.Audience_Tags{Tags: &susulv1.TagSelector{}} },
			[]string{"push.audience.tags"},
		},
		"no content":         {func(p *susulv1.Push) { p.Notification = nil }, []string{"push"}},
		"long request_id":    {func(p *susulv1.Push) { p.RequestId = text(257) }, []string{"push.request_id"}},
		"long from":          {func(p *susulv1.Push) { p.From = text(257) }, []string{"push.from"}},
		"long alert":         {func(p *susulv1.Push) { p.Notification.Alert = text(4097) }, []string{"push.notification.alert"}},
		"long title":         {android(func(a *susulv1.AndroidNotification) { a.Title = text(1025) }), []string{"push.notification.android.title"}},
		"priority":           {android(func(a *susulv1.AndroidNotification) { a.Priority = proto.Int32(3) }), []string{"push.notification.android.priority"}},
		"zero in request_id": {func(p *susulv1.Push) { p.RequestId = "a\x00b" }, []string{"request_id"}},
		"zero in an id": {
			func(p *susulv1.Push) { p.Audience = pushTo("", "a", "b\x00").Audience }, []string{"to.registration_id[1]"},
		},
		"zero in callback URL": {func(p *susulv1.Push) { p.CallbackUrls = []string{"https://host.example/\x00"} }, []string{"push.callback_urls[0]"}},
		"zero in additional": {
			func(p *susulv1.Push) {
				p.Additional = structOf(t, map[string]any{"body": map[string]any{"options": map[string]any{"cid": "\x00"}}})
			},
			[]string{"body.options.cid"},
		},
		"long callback URL":  {func(p *susulv1.Push) { p.CallbackUrls = addresses(1, 2049) }, []string{"push.callback_urls[0]"}},
		"many callback URLs": {func(p *susulv1.Push) { p.CallbackUrls = addresses(11, 40) }, []string{"push.callback_urls"}},
		"no URL":             {func(p *susulv1.Push) { p.CallbackUrls = []string{"here"} }, []string{"push.callback_urls[0]"}},
		"file URL":           {func(p *susulv1.Push) { p.CallbackUrls = []string{"file:///etc/passwd"} }, []string{"callback_url[0]"}},
		"user in URL":        {func(p *susulv1.Push) { p.CallbackUrls = []string{"https://user:word@example.com/"} }, []string{"callback_url[0]"}},
		"unknown platform":   {func(p *susulv1.Push) { p.Platforms = []susulv1.Platform{7} }, []string{"push.platforms[0]"}},
		"same platforms":     {func(p *susulv1.Push) { p.Platforms = []susulv1.Platform{1, 1} }, []string{"push.platforms"}},
		"life too long":      {options(&susulv1.PushOptions{TimeToLive: durationpb.New(1296001 * time.Second)}), []string{"push.options.time_to_live"}},
		"life negative":      {options(&susulv1.PushOptions{TimeToLive: durationpb.New(-time.Second)}), []string{"push.options.time_to_live"}},
		"life of half a second": {
			options(&susulv1.PushOptions{TimeToLive: durationpb.New(time.Second / 2)}), []string{"push.options.time_to_live"},
		},
		"custom_args": {func(p *susulv1.Push) { p.CustomArgs = structpb.NewNumberValue(7) }, []string{"custom_args"}},
		"additional audience": {
			func(p *susulv1.Push) {
				p.Additional = structOf(t, map[string]any{"to": map[string]any{"tag": []any{"x"}}})
			},
			[]string{"to"},
		},
		"additional removes the body": {
			func(p *susulv1.Push) { p.Additional = structOf(t, map[string]any{"body": nil}) }, []string{"body"},
		},
		"malformed policy": {func(p *susulv1.Push) { p.ResendPolicy = "Morning News" }, []string{"push.resend_policy"}},
		"unknown policy":   {func(p *susulv1.Push) { p.ResendPolicy = "resendPolicies/nobody" }, []string{"push.resend_policy"}},
		"other's policy":   {func(p *susulv1.Push) { p.ResendPolicy = "resendPolicies/others-own" }, []string{"push.resend_policy"}},
		"much at once": {
			func(p *susulv1.Push) {
				p.Audience, p.RequestId, p.CallbackUrls, p.Notification.Alert = nil, text(300), []string{"x"}, text(5000)
			},
			[]string{"push.audience", "push.request_id", "push.callback_urls[0]", "push.notification.alert"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			push := pushTo("invalid", "a")
			c.change(push)
			w.refuses(t, asApp, &susulv1.CreatePushRequest{Parent: app, Push: push}, invalid(c.fields...))
			w.refuses(t, asApp, &susulv1.ValidatePushRequest{Parent: app, Push: push}, invalid(c.fields...))
		})
	}
	_, outcome := w.grpc(t, asApp, &susulv1.CreatePushRequest{Parent: app})
	require.Equal(t, []string{"push"}, outcome.Fields)
}

func android(change func(*susulv1.AndroidNotification)) func(*susulv1.Push) {
	return func(p *susulv1.Push) {
		p.Notification.Android = &susulv1.AndroidNotification{}
		change(p.Notification.Android)
	}
}

func options(o *susulv1.PushOptions) func(*susulv1.Push) {
	return func(p *susulv1.Push) { p.Options = o }
}

// What only JSON can get wrong.
func (w world) TestMalformedJSON(t *testing.T) {
	w.unchanged(t)
	for name, c := range map[string]struct{ v1, v4 string }{
		"nothing":         {v1: "", v4: ""},
		"no JSON":         {v1: "hello", v4: "hello"},
		"cut off":         {v1: `{"request_id":`, v4: `{"to":`},
		"null":            {v1: "null", v4: "null"},
		"a list":          {v1: "[]", v4: "[]"},
		"something after": {v1: `{} {}`, v4: `{"to":"all","body":{"message":{}}} x`},
		"wrong type":      {v1: `{"request_id":7}`, v4: `{"to":7}`},
		"unknown field":   {v1: `{"requestid":"x"}`, v4: `{"too":"all"}`},
		"two audiences": {
			v1: `{"audience":{"all":true,"segment_id":"s"},"notification":{"alert":"a"}}`,
			v4: `{"to":{"registration_id":["a"],"tag":["t"]},"body":{"notification":{"alert":"a"}}}`,
		},
		"not UTF-8": {v1: "{\"from\":\"\xff\"}", v4: "{\"to\":\"\xff\"}"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, verb := range []string{"", ":validate"} {
				resp := w.Do(t, http.MethodPost, "/v1/"+app+"/pushes"+verb, []byte(c.v1), "Authorization", asApp)
				require.Equal(t, http.StatusBadRequest, resp.Status, resp.Body)
				require.Equal(t, "INVALID_REQUEST", restOutcome(t, resp).Reason, resp.Body)
			}
			for _, verb := range []string{"", "/validate"} {
				resp := w.Do(t, http.MethodPost, "/v4/push"+verb, []byte(c.v4), "Authorization", asApp)
				requireV4Error(t, resp, http.StatusBadRequest, 21003)
			}
		})
	}
}

// What is too large is refused without being kept in memory, or in a log, as a whole.
func (w world) TestTooLarge(t *testing.T) {
	w.unchanged(t)
	ids := make([]string, 1_000_001)
	for i := range ids {
		ids[i] = fmt.Sprintf("r%d", i)
	}
	const field = "push.audience.registration_ids.ids"
	many := &susulv1.CreatePushRequest{Parent: app, Push: pushTo("", ids...)}
	_, outcome := w.grpc(t, asApp, many)
	require.Equal(t, []string{field}, outcome.Fields)
	list := []byte(`{"to":{"registration_id":["` + strings.Join(ids, `","`) + `"]},"body":{"notification":{"alert":"a"}}}`)
	requireV4Error(t, w.Do(t, http.MethodPost, "/v4/push", list, "Authorization", asApp), http.StatusBadRequest, 21003)

	clear(ids)
	many.Push.Audience = pushTo("", ids[1:]...).Audience // a million faults
	w.refuses(t, asApp, many, invalid(field+"[0]"))

	body := []byte(`{"from":"` + text(32<<20) + `"}`)
	resp := w.Do(t, http.MethodPost, "/v1/"+app+"/pushes", body, "Authorization", asApp)
	require.Equal(t, http.StatusRequestEntityTooLarge, resp.Status, resp.Body)
	resp = w.Do(t, http.MethodPost, "/v4/push", body, "Authorization", asApp)
	requireV4Error(t, resp, http.StatusRequestEntityTooLarge, 21005)
	_, outcome = w.grpc(t, asApp, &susulv1.CreatePushRequest{Parent: app, Push: &susulv1.Push{From: text(32 << 20)}})
	require.Equal(t, codes.ResourceExhausted, outcome.Code)
}

func (w world) TestRepeatedPush(t *testing.T) {
	const parallel = 20
	names := make(chan string, parallel)
	var group sync.WaitGroup
	for i := range parallel {
		group.Go(func() {
			req := &susulv1.CreatePushRequest{Parent: app, Push: pushTo("repeated", "a", "b")}
			if i%2 == 0 {
				resp, err := w.Pushes.CreatePush(servertest.As(t.Context(), asApp), req)
				if err == nil {
					names <- resp.GetPush().GetName()
				}
				return
			}
			if resp, outcome := w.rest(t, asApp, req); outcome.Code == codes.OK {
				names <- member(t, resp.Body, "name")
			}
		})
	}
	group.Wait()
	close(names)
	var told []string
	for name := range names {
		told = append(told, name)
	}
	require.Len(t, told, parallel)
	for _, name := range told {
		require.Equal(t, told[0], name)
	}
	w.create(t, app, pushTo("after the repeated", "a"))
	w.sent(t, "after the repeated", 1)
	w.sent(t, "repeated", 1)

	t.Run("with other content", func(t *testing.T) {
		w.unchanged(t)
		reused := want{code: codes.AlreadyExists, http: http.StatusConflict, reason: "REQUEST_ID_REUSED"}
		w.refuses(t, asApp, &susulv1.CreatePushRequest{Parent: app, Push: pushTo("repeated", "a")}, reused)
		resp := w.Do(t, http.MethodPost, "/v4/push",
			[]byte(`{"request_id":"repeated","to":"all","body":{"platform":"all","notification":{"alert":"a"}}}`), "Authorization", asApp)
		requireV4Error(t, resp, http.StatusConflict, 21003)
	})
	t.Run("of the other app", func(t *testing.T) {
		push := w.create(t, other, pushTo("repeated", "a", "b"))
		require.NotEqual(t, told[0], push.GetName())
	})
}

func (w world) TestChunks(t *testing.T) {
	ids := make([]string, 2500)
	for i := range ids {
		ids[i] = fmt.Sprintf("chunk-%d", i)
	}
	push := w.create(t, app, pushTo("chunks", slices.Concat(ids, ids)...))
	require.EqualValues(t, len(ids), push.GetRecipientCount(), "repeats count once")
	sizes, cids, told := []int{}, map[any]bool{}, map[string]bool{}
	for _, document := range w.sent(t, "chunks", 3) {
		list := at(t, document, "to", "registration_id").([]any)
		sizes = append(sizes, len(list))
		cids[at(t, document, "body", "options", "cid")] = true
		for _, id := range list {
			told[id.(string)] = true
		}
	}
	require.ElementsMatch(t, []int{1000, 1000, 500}, sizes)
	require.Len(t, cids, 3)
	require.Len(t, told, len(ids))
}

func (w world) TestWithdraw(t *testing.T) {
	wrongState := want{code: codes.FailedPrecondition, http: http.StatusBadRequest, reason: "WRONG_STATE"}
	for face, withdraw := range map[string]func(*testing.T, *susulv1.WithdrawPushRequest) susulv1.PushState{
		"gRPC": func(t *testing.T, req *susulv1.WithdrawPushRequest) susulv1.PushState {
			t.Helper()
			resp, outcome := w.grpc(t, asOther, req)
			require.Zero(t, outcome)
			return resp.(*susulv1.WithdrawPushResponse).GetPush().GetState()
		},
		"REST": func(t *testing.T, req *susulv1.WithdrawPushRequest) susulv1.PushState {
			t.Helper()
			resp, outcome := w.rest(t, asOther, req)
			require.Zero(t, outcome)
			return susulv1.PushState(susulv1.PushState_value[member(t, resp.Body, "state")])
		},
		"v4": func(t *testing.T, req *susulv1.WithdrawPushRequest) susulv1.PushState {
			t.Helper()
			id := req.GetName()[strings.LastIndex(req.GetName(), "/")+1:]
			resp := w.Do(t, http.MethodDelete, "/v4/push/withdraw/"+id, nil, "Authorization", asOther)
			require.Equal(t, http.StatusOK, resp.Status, resp.Body)
			require.JSONEq(t, `{"request_id":"withdraw v4","msg_id":"`+id+`"}`, resp.Body)
			again := w.Do(t, http.MethodDelete, "/v4/push/withdraw/"+id, nil, "Authorization", asOther)
			requireV4Error(t, again, http.StatusBadRequest, 21016)
			return susulv1.PushState_PUSH_STATE_WITHDRAWN
		},
	} {
		t.Run(face, func(t *testing.T) {
			push := w.create(t, other, pushTo("withdraw "+face, "a"))
			require.Equal(t, susulv1.PushState_PUSH_STATE_ACTIVE, push.GetState())
			w.awaitSent(t, push.GetName()) // what is on its way can only be WITHDRAWING
			req := &susulv1.WithdrawPushRequest{Name: push.GetName()}
			require.Equal(t, susulv1.PushState_PUSH_STATE_WITHDRAWN, withdraw(t, req))
			w.refuses(t, asOther, req, wrongState)
			w.refuses(t, asApp, &susulv1.WithdrawPushRequest{Name: app + "/pushes/" + push.GetMsgId()}, missing)
		})
	}
	w.refuses(t, asApp, &susulv1.WithdrawPushRequest{Name: app + "/pushes/1"}, missing)
	w.refuses(t, asApp, &susulv1.WithdrawPushRequest{Name: app + "/pushes/9999999999999999999"}, invalid("name"))
	for path, code := range map[string]int{
		"1": 21016, "0": 21003, "-1": 21003, "x": 21003, "9999999999999999999": 21003, "%ff": 21003,
	} {
		resp := w.Do(t, http.MethodDelete, "/v4/push/withdraw/"+path, nil, "Authorization", asApp)
		requireV4Error(t, resp, http.StatusBadRequest, code)
	}
}

// What is queued says when it will have gone out; what is not says nothing.
func (w world) TestExpectedFinish(t *testing.T) {
	w.engageLab.failWith(answer(http.StatusServiceUnavailable, `{}`))
	defer w.engageLab.failWith(nil)
	began := w.Clock.Now()
	push := w.create(t, other, pushTo("finish", "a"))
	soon := func(push *susulv1.Push) {
		t.Helper()
		require.NotNil(t, push.GetExpectedFinishTime())
		require.WithinRange(t, push.GetExpectedFinishTime().AsTime(), began, w.Clock.Now().Add(2*time.Minute))
	}
	soon(push)
	req := &susulv1.GetPushRequest{Name: push.GetName()}
	shown, outcome := w.grpc(t, asOther, req)
	require.Zero(t, outcome)
	soon(shown.(*susulv1.GetPushResponse).GetPush())
	resp, outcome := w.rest(t, asOther, req)
	require.Zero(t, outcome)
	require.NotEmpty(t, member(t, resp.Body, "expectedFinishTime"))

	w.engageLab.failWith(nil)
	w.awaitSent(t, push.GetName())
	shown, outcome = w.grpc(t, asOther, req)
	require.Zero(t, outcome)
	require.Nil(t, shown.(*susulv1.GetPushResponse).GetPush().GetExpectedFinishTime())
}

func (w world) TestListPushes(t *testing.T) {
	for i := range 5 {
		w.create(t, other, pushTo(fmt.Sprintf("list %d", i), "a"))
	}
	var told []string
	for token := ""; ; {
		resp, outcome := w.grpc(t, asOther, &susulv1.ListPushesRequest{Parent: other, PageSize: 2, PageToken: token})
		require.Zero(t, outcome)
		page := resp.(*susulv1.ListPushesResponse)
		require.LessOrEqual(t, len(page.GetPushes()), 2)
		for _, push := range page.GetPushes() {
			require.Nil(t, push.GetDocument())
			told = append(told, push.GetRequestId())
		}
		if token = page.GetNextPageToken(); token == "" {
			break
		}
		w.refuses(t, asApp, &susulv1.ListPushesRequest{Parent: app, PageToken: token}, invalid("page_token"))
		w.refuses(t, asOther, &susulv1.ListEventsRequest{Parent: other, PageToken: token}, invalid("page_token"))
	}
	require.Equal(t, []string{"list 4", "list 3", "list 2", "list 1", "list 0"}, told[:5], "newest first")
	w.refuses(t, asApp, &susulv1.ListPushesRequest{Parent: app, PageToken: "x"}, invalid("page_token"))
	w.refuses(t, asApp, &susulv1.ListPushesRequest{Parent: app, PageSize: 1001}, invalid("page_size"))
	w.refuses(t, asApp, &susulv1.ListPushesRequest{Parent: app, PageSize: -1}, invalid("page_size"))
	w.refuses(t, asApp, &susulv1.GetPushRequest{Name: app + "/pushes/1"}, missing)
	w.refuses(t, asApp, &susulv1.GetPushReportRequest{Name: app + "/pushes/1/report"}, missing)
	w.refuses(t, asApp, &susulv1.GetRecipientRequest{Name: app + "/pushes/1/recipients/a"}, missing)
}

// What only EngageLab is to judge is taken, and must not make the push unreadable.
func (w world) TestOddDocuments(t *testing.T) {
	nested := func(depth int) string { return strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth) }
	for name, args := range map[string]string{"nested": nested(5000), "large": `{"a":"` + text(512<<10) + `"}`} {
		t.Run(name, func(t *testing.T) {
			document := `{"to":{"registration_id":["a"]},"body":{"platform":"all","notification":{"alert":"a"}},"custom_args":` + args + `}`
			resp := w.Do(t, http.MethodPost, "/v4/push", []byte(document), "Authorization", asOther)
			require.Equal(t, http.StatusOK, resp.Status, resp.Body)
			req := &susulv1.GetPushRequest{Name: other + "/pushes/" + member(t, resp.Body, "msg_id")}
			read, outcome := w.grpc(t, asOther, req)
			require.Zero(t, outcome)
			require.Nil(t, read.(*susulv1.GetPushResponse).GetPush().GetDocument())
			_, outcome = w.rest(t, asOther, req)
			require.Zero(t, outcome)
		})
	}
	resp := w.Do(t, http.MethodPost, "/v1/"+other+"/pushes", []byte(`{"customArgs":`+nested(5000)+`}`), "Authorization", asOther)
	require.Equal(t, http.StatusBadRequest, resp.Status, resp.Body)
	require.Equal(t, "INVALID_REQUEST", restOutcome(t, resp).Reason)
}

func (w world) TestUnknownPaths(t *testing.T) {
	for call, status := range map[string]int{
		"GET /v1/nothing": http.StatusNotFound,
		"GET /v1/" + app + "/pushes/1/recipients/a%2Fb": http.StatusNotFound,
		"PUT /v1/" + app + "/pushes":                    http.StatusMethodNotAllowed,
		"DELETE /v1/" + app + "/pushes/1":               http.StatusMethodNotAllowed,
	} {
		verb, path, _ := strings.Cut(call, " ")
		resp := w.Do(t, verb, path, nil, "Authorization", asApp)
		require.Equal(t, status, resp.Status, call)
		require.Equal(t, "NOT_FOUND", restOutcome(t, resp).Reason, resp.Body)
	}
}

// A misspelt filter must not list everything.
func (w world) TestUnknownParameters(t *testing.T) {
	for query, known := range map[string]bool{
		"registration_id=a":               true,
		"registrationId=a&pageSize=1":     true,
		"start_time=2026-01-01T00:00:00Z": true,
		"registrationID=a":                false,
		"page_size.x=1":                   false,
		"=a":                              false,
	} {
		resp := w.Do(t, http.MethodGet, "/v1/"+app+"/events?"+query, nil, "Authorization", asApp)
		if known {
			require.Equal(t, http.StatusOK, resp.Status, query)
			continue
		}
		require.Equal(t, http.StatusBadRequest, resp.Status, query)
		require.Equal(t, "INVALID_REQUEST", restOutcome(t, resp).Reason, query)
		require.Contains(t, resp.Body, "there is no parameter", query)
	}
}
