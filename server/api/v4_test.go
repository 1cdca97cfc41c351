package api_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"strings"
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

// seed is a push as EngageLab's clients send it.
const seed = `{
	"from": "push",
	"to": {"registration_id": ["1104a89793af2cfc030"]},
	"body": {
		"platform": "android",
		"notification": {"android": {"alert": "Hi, push!", "title": "Send", "extras": {"newsid": 321}}},
		"options": {"time_to_live": 60}
	},
	"request_id": "12345678",
	"custom_args": "business info",
	"callback_url": ["https://news.example/callback", "https://ads.example/callback"]
}`

// withoutOwn returns a document as EngageLab got it, but for what Susul fills in, as JSON.
func withoutOwn(t testing.TB, document map[string]any) string {
	t.Helper()
	document = maps.Clone(document)
	delete(document, "callback_url")
	body := maps.Clone(at(t, document, "body").(map[string]any))
	options := maps.Clone(at(t, body, "options").(map[string]any))
	require.Regexp(t, `^[A-Za-z0-9_-]{1,64}$`, options["cid"])
	delete(options, "cid")
	body["options"], document["body"] = options, body
	data, err := json.Marshal(document)
	require.NoError(t, err)
	return string(data)
}

func (w world) TestSeed(t *testing.T) {
	resp := w.Do(t, http.MethodPost, "/v4/push", []byte(seed), "Authorization", asApp, "Content-Type", "application/json")
	require.Equal(t, http.StatusOK, resp.Status, resp.Body)
	require.Equal(t, "application/json", resp.Header.Get("Content-Type"))
	id := member(t, resp.Body, "msg_id")
	require.JSONEq(t, `{"request_id":"12345678","msg_id":"`+id+`"}`, resp.Body)
	number, err := strconv.ParseInt(id, 10, 64)
	require.NoError(t, err)
	require.Positive(t, number)

	var document map[string]any
	require.NoError(t, json.Unmarshal([]byte(seed), &document))
	delete(document, "callback_url")
	wanted, err := json.Marshal(document)
	require.NoError(t, err)
	got := w.sent(t, "12345678", 1)[0]
	require.JSONEq(t, string(wanted), withoutOwn(t, got))
	require.Equal(t, json.Number("321"), at(t, got, "body", "notification", "android", "extras", "newsid"))

	again := w.Do(t, http.MethodPost, "/v4/push", []byte(seed), "Authorization", asApp)
	require.Equal(t, resp.Body, again.Body)
	sound := w.Do(t, http.MethodPost, "/v4/push/validate", []byte(seed), "Authorization", asApp)
	require.Equal(t, http.StatusOK, sound.Status, sound.Body)

	t.Run("typed", func(t *testing.T) {
		typed := w.create(t, app, &susulv1.Push{
			RequestId: "typed seed", From: "push", Audience: pushTo("", "1104a89793af2cfc030").GetAudience(),
			Platforms: []susulv1.Platform{susulv1.Platform_PLATFORM_ANDROID},
			Notification: &susulv1.Notification{Android: &susulv1.AndroidNotification{
				Alert: "Hi, push!", Title: "Send", Extras: structOf(t, map[string]any{"newsid": 321}),
			}},
			Options:    &susulv1.PushOptions{TimeToLive: durationpb.New(time.Minute)},
			CustomArgs: structpb.NewStringValue("business info"),
		})
		sent := w.sent(t, "typed seed", 1)[0]
		at(t, sent, "body").(map[string]any)["platform"] = "android" // the typed push has a list of platforms
		require.JSONEq(t, strings.Replace(string(wanted), "12345678", "typed seed", 1), withoutOwn(t, sent))
		require.Equal(t, json.Number("321"), at(t, sent, "body", "notification", "android", "extras", "newsid"))
		require.Equal(t, "push", typed.GetFrom())
		require.EqualValues(t, 1, typed.GetRecipientCount())
	})
	t.Run("seen through v1", func(t *testing.T) {
		read, outcome := w.grpc(t, asApp, &susulv1.GetPushRequest{Name: app + "/pushes/" + id})
		require.Zero(t, outcome)
		push := read.(*susulv1.GetPushResponse).GetPush()
		require.Equal(t, []string{"https://news.example/callback", "https://ads.example/callback"}, push.GetCallbackUrls())
		require.Equal(t, "business info", push.GetDocument().GetFields()["custom_args"].GetStringValue())
		over, outcome := w.rest(t, asApp, &susulv1.GetPushRequest{Name: app + "/pushes/" + id})
		require.Zero(t, outcome)
		require.Equal(t, id, member(t, over.Body, "msgId"))
	})
}

// EngageLab's final word comes back as it is, nothing is sent, and the request_id is free again.
func (w world) TestRefusal(t *testing.T) {
	before := len(w.engageLab.received())
	w.engageLab.failWith(answer(http.StatusBadRequest, `{"error":{"code":21011,"message":"no target, says EngageLab"}}`))
	defer w.engageLab.failWith(nil)

	refused := want{code: codes.InvalidArgument, http: http.StatusBadRequest, reason: "ENGAGELAB_REFUSED"}
	push := pushTo("refused", "a")
	for _, req := range []proto.Message{&susulv1.CreatePushRequest{Parent: other, Push: push}, &susulv1.ValidatePushRequest{Parent: other, Push: push}} {
		outcome := w.refuses(t, asOther, req, refused)
		require.Equal(t, "no target, says EngageLab", outcome.Message)
		require.Equal(t, map[string]string{"engagelab_http_status": "400", "engagelab_code": "21011"}, outcome.Metadata)
	}
	document := []byte(`{"request_id":"refused","to":{"registration_id":["a"]},"body":{"platform":"all","notification":{"alert":"v4"}}}`)
	for _, path := range []string{"/v4/push", "/v4/push/validate"} {
		resp := w.Do(t, http.MethodPost, path, document, "Authorization", asOther)
		require.Equal(t, "no target, says EngageLab", requireV4Error(t, resp, http.StatusBadRequest, 21011))
	}
	w.engageLab.failWith(answer(http.StatusFound, "moved"))
	resp := w.Do(t, http.MethodPost, "/v4/push", document, "Authorization", asOther)
	require.Equal(t, http.StatusBadRequest, resp.Status, "a redirect can't be passed on: %s", resp.Body)

	require.Len(t, w.engageLab.received(), before)
	w.engageLab.failWith(nil)
	resp = w.Do(t, http.MethodPost, "/v4/push", document, "Authorization", asOther)
	require.Equal(t, http.StatusOK, resp.Status, resp.Body)
	w.sent(t, "refused", 1)

	t.Run("wrong master secret", func(t *testing.T) {
		req := &susulv1.CreatePushRequest{Parent: "apps/" + wrongApp, Push: push}
		outcome := w.refuses(t, asWrong, req, want{
			code: codes.FailedPrecondition, http: http.StatusBadRequest, reason: "ENGAGELAB_REFUSED",
		})
		require.Equal(t, map[string]string{"engagelab_http_status": "401", "engagelab_code": "21004"}, outcome.Metadata)
		require.NotContains(t, outcome.Message, wrongSecret)
		resp := w.Do(t, http.MethodPost, "/v4/push", document, "Authorization", asWrong)
		requireV4Error(t, resp, http.StatusUnauthorized, 21004)
		rejected, result := w.grpc(t, asWrong, &susulv1.ListPushesRequest{Parent: "apps/" + wrongApp})
		require.Zero(t, result)
		for _, push := range rejected.(*susulv1.ListPushesResponse).GetPushes() {
			require.Equal(t, susulv1.PushState_PUSH_STATE_REJECTED, push.GetState())
			require.EqualValues(t, http.StatusUnauthorized, push.GetRefusal().GetHttpStatus())
		}
	})
}

// An outage is EngageLab's, not the caller's: a push is taken and waits.
func (w world) TestOutage(t *testing.T) {
	sent := w.create(t, other, pushTo("before the outage", "a"))
	w.engageLab.failWith(down)
	defer w.engageLab.failWith(nil)

	push := w.create(t, other, pushTo("during the outage", "a"))
	require.Equal(t, susulv1.PushState_PUSH_STATE_ACTIVE, push.GetState())
	require.Nil(t, push.GetFirstSentTime())

	unavailable := want{code: codes.Unavailable, http: http.StatusServiceUnavailable, reason: "ENGAGELAB_UNAVAILABLE"}
	outcome := w.refuses(t, asOther, &susulv1.ValidatePushRequest{Parent: other, Push: pushTo("", "a")}, unavailable)
	require.True(t, outcome.Retry)
	require.NotContains(t, outcome.Message, "127.0.0.1", "the cause is for the log")
	withdraw := &susulv1.WithdrawPushRequest{Name: sent.GetName()}
	w.refuses(t, asOther, withdraw, unavailable)
	for path, method := range map[string]string{
		"/v4/push/validate":                    http.MethodPost,
		"/v4/push/withdraw/" + sent.GetMsgId(): http.MethodDelete,
	} {
		resp := w.Do(t, method, path, []byte(seed), "Authorization", asOther)
		requireV4Error(t, resp, http.StatusServiceUnavailable, 21030)
		require.Equal(t, "1", resp.Header.Get("Retry-After"))
	}
	resp, _ := w.rest(t, asOther, withdraw)
	require.Equal(t, "1", resp.Header.Get("Retry-After"))

	w.engageLab.failWith(nil)
	w.sent(t, "during the outage", 1)
	read, outcome := w.grpc(t, asOther, withdraw)
	require.Zero(t, outcome, "a withdrawal that failed may be repeated")
	require.Equal(t, susulv1.PushState_PUSH_STATE_WITHDRAWN, read.(*susulv1.WithdrawPushResponse).GetPush().GetState())
}

func (w world) TestV4Status(t *testing.T) {
	push := w.create(t, other, pushTo("status", "a", "b", "c"))
	id := push.GetMsgId()
	w.report(t, other, w.upstreamID(t, "status"), "clicked", "a")
	failed := reportOf(other, w.upstreamID(t, "status"), "sent_failed", "b")
	failed.Callbacks[0].ErrorMessage = "the token has expired"
	_, err := w.Callbacks.ReportCallbacks(servertest.AsAdmin(t.Context()), failed)
	require.NoError(t, err)

	resp := w.Do(t, http.MethodGet, "/v4/status/detail?message_ids="+id+",1", nil, "Authorization", asOther)
	require.Equal(t, http.StatusOK, resp.Status, resp.Body)
	require.JSONEq(t, `{"`+id+`":{"targets":3,"sent":1,"delivered":1,"impressions":1,"clicks":1,"sub":{
		"notification":{"target":3,"sent":1,"delivered":1,"impressions":1,"click":1},
		"message":{"target":0,"sent":0,"delivered":0,"impressions":0,"click":0}}}}`, resp.Body)
	resp = w.Do(t, http.MethodGet, "/v4/status/message?message_id="+id+"&registration_ids=a,b,c,stranger", nil, "Authorization", asOther)
	require.Equal(t, http.StatusOK, resp.Status, resp.Body)
	require.JSONEq(t, `{"a":{"status":"clicked","error_message":""},"b":{"status":"failed","error_message":"the token has expired"},
		"c":{"status":"unknown","error_message":""}}`, resp.Body)

	upstream := w.upstreamID(t, "status")
	for comma, repeated := range map[string]string{
		"detail?message_ids=" + id + "," + upstream:            "detail?message_ids=" + id + "&message_ids=" + upstream,
		"message?message_id=" + id + "&registration_ids=a,b,c": "message?message_id=" + id + "&registration_ids=a,b&registration_ids=c",
	} {
		want := w.Do(t, http.MethodGet, "/v4/status/"+comma, nil, "Authorization", asOther)
		got := w.Do(t, http.MethodGet, "/v4/status/"+repeated, nil, "Authorization", asOther)
		require.Equal(t, http.StatusOK, got.Status, got.Body)
		require.Equal(t, want.Body, got.Body, "older SDKs repeat the parameter")
	}

	many := strings.Repeat(","+id, 101)[1:]
	for path, status := range map[string]int{
		"detail":                            http.StatusBadRequest,
		"detail?message_ids=":               http.StatusBadRequest,
		"detail?message_ids=x":              http.StatusBadRequest,
		"detail?message_ids=-1":             http.StatusBadRequest,
		"detail?message_ids=1,,":            http.StatusBadRequest,
		"detail?message_ids=" + many:        http.StatusBadRequest,
		"message":                           http.StatusBadRequest,
		"message?message_id=" + id:          http.StatusBadRequest,
		"message?registration_ids=a":        http.StatusBadRequest,
		"batch/message":                     http.StatusBadRequest,
		"batch/message?message_ids=0":       http.StatusBadRequest,
		"batch/message?message_ids=" + many: http.StatusBadRequest,
		"detail?" + strings.Repeat("&message_ids="+id, 101)[1:]:  http.StatusBadRequest,
		"message?message_id=" + id + "&registration_ids=" + many: http.StatusBadRequest,
	} {
		resp := w.Do(t, http.MethodGet, "/v4/status/"+path, nil, "Authorization", asOther)
		requireV4Error(t, resp, status, 21003)
	}
	resp = w.Do(t, http.MethodGet, "/v4/status/detail?message_ids="+id, nil, "Authorization", asApp)
	require.Equal(t, http.StatusOK, resp.Status)
	require.JSONEq(t, "{}", resp.Body, "another app's push is unknown")

	for _, path := range []string{"detail?message_ids=", "batch/message?message_ids=", "message?registration_ids=a,b&message_id="} {
		own := w.Do(t, http.MethodGet, "/v4/status/"+path+id, nil, "Authorization", asOther)
		theirs := w.Do(t, http.MethodGet, "/v4/status/"+path+upstream, nil, "Authorization", asOther)
		require.Equal(t, own.Body, strings.Replace(theirs.Body, upstream, id, 1), "EngageLab's id stands for the push too")
	}
	t.Run("not Susul's", func(t *testing.T) {
		defer w.engageLab.failWith(nil)
		w.engageLab.failWith(answer(http.StatusOK, `{"77":{"targets":5,"sub":{}}}`))
		resp := w.Do(t, http.MethodGet, "/v4/status/detail?message_ids=77,78,"+id, nil, "Authorization", asOther)
		require.Contains(t, resp.Body, `"77":{"targets":5,`)
		require.Contains(t, resp.Body, `"`+id+`":{"targets":3,`)

		const theirs = `{"message_id":"77","status":"sent","new":1e400}`
		w.engageLab.failWith(answer(http.StatusOK, `[`+theirs+`]`))
		resp = w.Do(t, http.MethodGet, "/v4/status/batch/message?message_ids=77,78,"+id, nil, "Authorization", asOther)
		require.Equal(t, `[{"message_id":"`+id+`","status":"clicked","error_message":""},`+theirs+`]`, resp.Body)
		w.engageLab.failWith(answer(http.StatusOK, theirs))
		for _, path := range []string{"detail?message_ids=77,78", "batch/message?message_ids=77", "message?message_id=77&registration_ids=a"} {
			resp = w.Do(t, http.MethodGet, "/v4/status/"+path, nil, "Authorization", asOther)
			require.Equal(t, theirs, resp.Body, "EngageLab's own answer is not touched") //nolint:testifylint // to the byte
		}
		w.engageLab.failWith(down)
		for path, known := range map[string]string{"detail": `{"` + id + `":{`, "batch/message": `[{"message_id":"` + id + `"`} {
			resp = w.Do(t, http.MethodGet, "/v4/status/"+path+"?message_ids=77,"+id, nil, "Authorization", asOther)
			require.Contains(t, resp.Body, known, "what is known is better than nothing")
			resp = w.Do(t, http.MethodGet, "/v4/status/"+path+"?message_ids=77", nil, "Authorization", asOther)
			requireV4Error(t, resp, http.StatusServiceUnavailable, 21030)
			require.Equal(t, "1", resp.Header.Get("Retry-After"))
		}
		w.engageLab.failWith(answer(http.StatusBadRequest, `{"error":{"code":21016,"message":"never heard of it"}}`))
		for _, call := range []struct{ method, path string }{
			{http.MethodGet, "/v4/status/detail?message_ids=77"}, {http.MethodGet, "/v4/status/batch/message?message_ids=77,78"},
			{http.MethodGet, "/v4/status/message?message_id=77&registration_ids=a"}, {http.MethodDelete, "/v4/push/withdraw/77"},
		} {
			resp := w.Do(t, call.method, call.path, nil, "Authorization", asOther)
			require.Equal(t, "never heard of it", requireV4Error(t, resp, http.StatusBadRequest, 21016), call.path)
		}
	})

	tooLarge := `{"to":"all","body":{"message":{"msg_content":"` + text(1<<20) + `"}}}`
	resp = w.Do(t, http.MethodPost, "/v4/push", []byte(tooLarge), "Authorization", asOther)
	requireV4Error(t, resp, http.StatusBadRequest, 21003)
}

func (w world) TestV4Callers(t *testing.T) {
	w.unchanged(t)
	for _, call := range []struct{ method, path string }{
		{http.MethodPost, "/v4/push"}, {http.MethodPost, "/v4/push/validate"}, {http.MethodDelete, "/v4/push/withdraw/1"},
		{http.MethodGet, "/v4/status/detail?message_ids=1"}, {http.MethodGet, "/v4/status/message"},
		{http.MethodGet, "/v4/nothing"}, {http.MethodGet, "/v4/push"}, {http.MethodPut, "/v4/"},
		{http.MethodPost, "/v4/batch/push/regid"}, {http.MethodPost, "/v4/batch/push/alias"},
		{http.MethodGet, "/v4/status/batch/message?message_ids=1"}, {http.MethodPost, "/v4/grouppush"},
	} {
		for _, authorization := range []string{"", "Basic !", servertest.BasicAuth(servertest.App, "wrong")} {
			resp := w.Do(t, call.method, call.path, []byte(seed), "Authorization", authorization)
			requireV4Error(t, resp, http.StatusUnauthorized, 21004)
			require.Equal(t, `Basic realm="Susul"`, resp.Header.Get("WWW-Authenticate"))
		}
		resp := w.Do(t, call.method, call.path, []byte(seed), "Authorization", asAdmin)
		requireV4Error(t, resp, http.StatusForbidden, 21004)
	}
	document := []byte(`{"to":"all","body":{"platform":"all","notification":{"alert":"a"}}}`)
	for _, id := range []string{"nobody", "others-own", "Not A Name"} {
		resp := w.Do(t, http.MethodPost, "/v4/push", document, "Authorization", asApp, "Susul-Resend-Policy", id)
		requireV4Error(t, resp, http.StatusBadRequest, 21003)
	}
}
