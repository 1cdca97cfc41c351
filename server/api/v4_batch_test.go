package api_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type batchResult struct {
	Target  string
	Success bool
	MsgID   json.Number `json:"msg_id"`
	Code    int
	Message string
}

// batch sends a batch for OtherApp and returns its results by target.
func (w world) batch(t *testing.T, kind, body string) map[string]batchResult {
	t.Helper()
	resp := w.Do(t, http.MethodPost, "/v4/batch/push/"+kind, []byte(body), "Authorization", asOther)
	require.Equal(t, http.StatusOK, resp.Status, resp.Body)
	var answer struct{ Results map[string]batchResult }
	require.NoError(t, json.Unmarshal([]byte(resp.Body), &answer), resp.Body)
	for target, result := range answer.Results {
		require.Equal(t, target, result.Target)
		if result.Success {
			id, err := strconv.ParseInt(result.MsgID.String(), 10, 64)
			require.NoError(t, err)
			require.Positive(t, id)
			require.Contains(t, resp.Body, `"msg_id":`+result.MsgID.String(), "a number, not a string")
		}
	}
	return answer.Results
}

func (w world) TestBatch(t *testing.T) {
	results := w.batch(t, "regid", `{"requests":[
		{"target":"batch-a","platform":["android"],"notification":{"android":{"alert":"for a","new-field":9007199254740993}},
			"options":{"time_to_live":60},"custom_args":{"n":1},"request_id":"batch a","future":[null]},
		{"target":"batch-b","platform":"all","message":{"msg_content":"for b"},"custom_args":"text","request_id":"batch b"},
		{"target":"batch-c","platform":"all","notification":{"alert":"x"},"options":{"time_to_live":"soon"}}]}`)
	require.Len(t, results, 3)
	require.True(t, results["batch-a"].Success)
	require.True(t, results["batch-b"].Success)
	require.NotEqual(t, results["batch-a"].MsgID, results["batch-b"].MsgID)
	refused := results["batch-c"]
	require.False(t, refused.Success)
	require.Equal(t, 21003, refused.Code)
	require.Contains(t, refused.Message, "time_to_live")

	require.JSONEq(t, `{"to":{"registration_id":["batch-a"]},"request_id":"batch a","custom_args":{"n":1},"body":{
		"platform":["android"],"notification":{"android":{"alert":"for a","new-field":9007199254740993}},
		"options":{"time_to_live":60},"future":[null]}}`, withoutOwn(t, w.sent(t, "batch a", 1)[0]))
	require.JSONEq(t, `{"to":{"registration_id":["batch-b"]},"request_id":"batch b","custom_args":"text","body":{
		"platform":"all","message":{"msg_content":"for b"},"options":{}}}`, withoutOwn(t, w.sent(t, "batch b", 1)[0]))

	w.report(t, other, w.upstreamID(t, "batch a"), "clicked", "batch-a")
	a, b := results["batch-a"].MsgID.String(), results["batch-b"].MsgID.String()
	resp := w.Do(t, http.MethodGet, "/v4/status/batch/message?message_ids="+a+","+b, nil, "Authorization", asOther)
	require.Equal(t, http.StatusOK, resp.Status, resp.Body)
	require.JSONEq(t, `[{"message_id":"`+a+`","status":"clicked","error_message":""},
		{"message_id":"`+b+`","status":"unknown","error_message":""}]`, resp.Body)

	byAlias := w.batch(t, "alias", `{"requests":[{"target":"jo","platform":"all","notification":{"alert":"hi"},"request_id":"to jo"}]}`)
	require.True(t, byAlias["jo"].Success)
	require.Equal(t, map[string]any{"alias": []any{"jo"}}, w.sent(t, "to jo", 1)[0]["to"])
}

// EngageLab may refuse one target and take another.
func (w world) TestBatchRefusals(t *testing.T) {
	w.engageLab.failWith(func(rw http.ResponseWriter, r *http.Request) {
		if body, _ := io.ReadAll(r.Body); strings.Contains(string(body), "dead") {
			answer(http.StatusBadRequest, `{"error":{"code":21011,"message":"no such device, says EngageLab"}}`)(rw, r)
			return
		}
		answer(http.StatusOK, `{"request_id":"r","msg_id":"880001"}`)(rw, r)
	})
	defer w.engageLab.failWith(nil)
	results := w.batch(t, "regid", `{"requests":[{"target":"dead","platform":"all","notification":{"alert":"x"}},
		{"target":"alive","platform":"all","notification":{"alert":"x"}}]}`)
	require.True(t, results["alive"].Success)
	require.Equal(t, batchResult{Target: "dead", Code: 21011, Message: "no such device, says EngageLab"}, results["dead"])
}

func (w world) TestInvalidBatches(t *testing.T) {
	w.unchanged(t)
	item := func(target string) string {
		return `{"target":"` + target + `","platform":"all","notification":{"alert":"x"}}`
	}
	var many []string
	for i := range 501 {
		many = append(many, item(fmt.Sprint("t", i)))
	}
	for body, says := range map[string]string{
		"": "body", "null": "body", "[]": "body", "{}": "requests", `{"requests":{}}`: "requests", `{"requests":[]}`: "requests",
		`{"requests":[` + strings.Join(many, ",") + `]}`:                         "at most 500",
		`{"requests":[` + item("a") + `,` + item("a") + `]}`:                     "requests[1].target",
		`{"requests":[` + item("a") + `,` + item("") + `]}`:                      "requests[1].target",
		`{"requests":[7,` + item("a") + `,{"target":7},{"platform":"android"}]}`: "requests[0]: must be an object; requests[2].target",
	} {
		for _, kind := range []string{"regid", "alias"} {
			resp := w.Do(t, http.MethodPost, "/v4/batch/push/"+kind, []byte(body), "Authorization", asOther)
			require.Contains(t, requireV4Error(t, resp, http.StatusBadRequest, 21003), says)
		}
	}
	resp := w.Do(t, http.MethodPost, "/v4/batch/push/regid", []byte(`{"requests":[`+item("a")+`]}`), "Authorization", asOther,
		"Susul-Resend-Policy", "nobody")
	require.Contains(t, requireV4Error(t, resp, http.StatusBadRequest, 21003), "resend_policy")
}

func (w world) TestGroupPush(t *testing.T) {
	var sent map[string]any
	var credentials, path string
	var body []byte
	reply := `{"group_msgid":"g77","app-two":{"msg_id":"770001","request_id":"r","extra":1},
		"stranger":{"msg_id":"770002","request_id":"r"},"app-one":{"error":{"code":21011,"message":"nobody"}}}`
	w.engageLab.failWith(func(rw http.ResponseWriter, r *http.Request) {
		credentials = r.Header.Get("Authorization")
		path = r.URL.Path
		body, _ = io.ReadAll(r.Body)
		answer(http.StatusOK, reply)(rw, r)
	})
	defer w.engageLab.failWith(nil)
	document := `{"to":{"registration_id":["a","b"]},"body":{"platform":"all","notification":{"alert":"for all"}},
		"request_id":"r","callback_url":["https://news.example/callback"]}`
	resp := w.Do(t, http.MethodPost, "/v4/grouppush", []byte(document), "Authorization", asGroup)
	require.Equal(t, http.StatusOK, resp.Status, resp.Body)
	require.Equal(t, asGroup, credentials)
	require.Equal(t, "/v4/grouppush", path)
	require.NoError(t, json.Unmarshal(body, &sent))
	require.Equal(t, map[string]any{
		"to": map[string]any{"registration_id": []any{"a", "b"}}, "request_id": "r",
		"body": map[string]any{"platform": "all", "notification": map[string]any{"alert": "for all"}},
	}, sent)
	var got map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(resp.Body), &got))
	id := member(t, string(got["app-two"]), "msg_id")
	require.NotEqual(t, "770001", id)
	require.JSONEq(t, strings.Replace(reply, "770001", id, 1), resp.Body)

	w.report(t, other, "770001", "clicked", "a")
	for _, known := range []string{id, "770001"} {
		resp = w.Do(t, http.MethodGet, "/v4/status/detail?message_ids="+known, nil, "Authorization", asOther)
		require.Contains(t, resp.Body, `"`+known+`":{"targets":1,"sent":1,"delivered":1,"impressions":1,"clicks":1`)
	}

	t.Run("refused", func(t *testing.T) {
		w.unchanged(t)
		for authorization, status := range map[string]int{
			"": http.StatusUnauthorized, asOther: http.StatusForbidden, asAdmin: http.StatusForbidden,
		} {
			resp := w.Do(t, http.MethodPost, "/v4/grouppush", []byte(document), "Authorization", authorization)
			requireV4Error(t, resp, status, 21004)
		}
		resp := w.Do(t, http.MethodPost, "/v4/push", []byte(document), "Authorization", asGroup)
		requireV4Error(t, resp, http.StatusForbidden, 21004)
		resp = w.Do(t, http.MethodPost, "/v4/grouppush", []byte(`{"to":"all"}`), "Authorization", asGroup)
		requireV4Error(t, resp, http.StatusBadRequest, 21003)
		resp = w.Do(t, http.MethodPost, "/v4/grouppush", []byte(document), "Authorization", asGroup, "Susul-Resend-Policy", "nobody")
		requireV4Error(t, resp, http.StatusBadRequest, 21003)
		w.engageLab.failWith(answer(http.StatusForbidden, `{"error":{"code":20101,"message":"group says no"}}`))
		resp = w.Do(t, http.MethodPost, "/v4/grouppush", []byte(document), "Authorization", asGroup)
		require.Equal(t, "group says no", requireV4Error(t, resp, http.StatusForbidden, 20101))
		w.engageLab.failWith(down)
		resp = w.Do(t, http.MethodPost, "/v4/grouppush", []byte(document), "Authorization", asGroup)
		requireV4Error(t, resp, http.StatusServiceUnavailable, 21030)
	})
}
