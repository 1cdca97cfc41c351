package api_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/servertest"
)

// badCall is a call that must be refused in EngageLab's shape.
type badCall struct {
	method, uri, body string
	as                string // the app whose EngageLab is the sandbox, if empty
	policy            string
	status, code      int
	says              string
}

// No call that is at fault stores or sends anything.
func (w world) TestV4Faults(t *testing.T) {
	foreign := w.create(t, other, pushTo("v4 faults", "a")).GetMsgId()
	w.unchanged(t)
	for _, calls := range [][]badCall{
		badDocuments("/v4/push", asApp), badDocuments("/v4/push/validate", asApp), badDocuments("/v4/grouppush", asGroup),
		badBatches("regid"), badBatches("alias"), badQuestions(foreign), badWithdrawals(foreign), badMethods, badCredentials,
	} {
		for _, call := range calls {
			headers := []string{"Authorization", call.as, "Content-Type", "application/json"}
			if call.as == "" {
				headers[1] = asApp
			}
			if call.policy != "" {
				headers = append(headers, "Susul-Resend-Policy", call.policy)
			}
			name := fmt.Sprintf("%s %.80s %.80s", call.method, call.uri, call.body)
			resp := w.Do(t, call.method, call.uri, []byte(call.body), headers...)
			require.Equal(t, call.status, resp.Status, "%s: %s", name, resp.Body)
			require.Contains(t, requireV4Error(t, resp, call.status, call.code), call.says, name)
		}
	}
}

func badDocuments(path, as string) (calls []badCall) {
	const content = `"body":{"platform":"all","notification":{"alert":"a"}}`
	add := func(body, says string) {
		calls = append(calls, badCall{http.MethodPost, path, body, as, "", http.StatusBadRequest, 21003, says})
	}
	for _, body := range []string{
		"", " ", "null", "[]", "7", `"all"`, `{"to":`, `{"to":"all",` + content + `} {}`, `{"to":"all",` + content, "\xff",
		`{"x":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, `{'to':'all'}`, `{"to":NaN}`,
	} {
		add(body, "body")
	}
	for to, says := range map[string]string{
		``: "to: ", `"to":null,`: "to: ", `"to":"everybody",`: "to: ", `"to":7,`: "to: ", `"to":[],`: "to: ", `"to":{},`: "to: ",
		`"to":{"tag":null},`: "to: ", `"to":{"registration_id":[]},`: "to.registration_id", `"to":{"registration_id":"a"},`: "to.registration_id",
		`"to":{"registration_id":["a",7]},`: "to.registration_id[1]", `"to":{"registration_id":["` + text(129) + `"]},`: "to.registration_id[0]",
		`"to":{"registration_id":["\u0000"]},`: "to.registration_id[0]", `"to":{"registration_id":["a"],"alias":["b"]},`: "not both",
	} {
		add(`{`+to+content+`}`, says)
	}
	for member, says := range map[string]string{
		`"from":7`: "from", `"request_id":{}`: "request_id", `"request_id":"` + text(257) + `"`: "request_id", `"custom_args":7`: "custom_args",
		`"request_id":"\u0000"`: "request_id", `"custom_args":["a"]`: "custom_args", `"callback_url":7`: "callback_url", `"callback_url":["ftp://x.example"]`: "callback_url[0]",
		`"callback_url":["https://u:p@x.example"]`:                               "callback_url[0]",
		`"callback_url":[` + strings.Repeat(`"https://x.example",`, 10) + `"x"]`: "at most 10",
	} {
		add(`{"to":"all",`+content+`,`+member+`}`, says)
	}
	for body, says := range map[string]string{
		`null`: "body", `[]`: "body", `{}`: "body", `{"platform":"all"}`: "body", `{"notification":"a"}`: "body.notification",
		`{"message":{},"options":[]}`: "body.options", `{"message":{},"options":{"time_to_live":-1}}`: "time_to_live",
		`{"message":{},"options":{"time_to_live":1296001}}`: "time_to_live", `{"message":{},"options":{"time_to_live":1e400}}`: "time_to_live",
	} {
		add(`{"to":"all","body":`+body+`}`, says)
	}
	add(`{"from":7,"body":{}}`, "from: must be a string; to: ") // all faults at once
	fine := `{"to":"all",` + content + `}`
	for _, policy := range []string{"nobody", "Not A Name", "resendPolicies/nobody", "\u00e9"} {
		calls = append(calls, badCall{http.MethodPost, path, fine, as, policy, http.StatusBadRequest, 21003, "resend_policy"})
	}
	return append(calls, badCall{
		http.MethodPost, path, strings.Repeat(" ", 32<<20) + fine, as, "", http.StatusRequestEntityTooLarge, 21005, "bytes",
	})
}

func badBatches(kind string) (calls []badCall) {
	path := "/v4/batch/push/" + kind
	item := func(target string) string {
		return `{"target":` + target + `,"platform":"all","notification":{"alert":"a"}}`
	}
	items := make([]string, 501)
	for i := range items {
		items[i] = item(`"t` + strconv.Itoa(i) + `"`)
	}
	for requests, says := range map[string]string{
		strings.Join(items, ","):        "at most 500",
		``:                              "1 to 500",
		item(`"a"`) + `,` + item(`"a"`): "requests[1].target",
		item(`""`):                      "requests[0].target", item(`null`): "requests[0].target", item(`["a"]`): "requests[0].target",
		item(`"a"`) + `,null`: "requests[1]: ", `7`: "requests[0]: ", `[]`: "requests[0]: ", `"a"`: "requests[0]: ",
	} {
		calls = append(calls, badCall{http.MethodPost, path, `{"requests":[` + requests + `]}`, "", "", http.StatusBadRequest, 21003, says})
	}
	for _, body := range []string{"", "null", "[]", `{"requests":`, `{}`, `{"requests":null}`, `{"requests":"a"}`, `{"request":[` + item(`"a"`) + `]}`} {
		calls = append(calls, badCall{http.MethodPost, path, body, "", "", http.StatusBadRequest, 21003, ""})
	}
	fine := `{"requests":[` + item(`"a"`) + `]}`
	return append(calls,
		badCall{http.MethodPost, path, fine, "", "nobody", http.StatusBadRequest, 21003, "resend_policy"},
		badCall{http.MethodPost, path, strings.Repeat(" ", 32<<20) + fine, "", "", http.StatusRequestEntityTooLarge, 21005, "bytes"})
}

func badQuestions(foreign string) (calls []badCall) {
	many := strings.Repeat(",1", 101)[1:]
	for query, says := range map[string]string{
		"detail": "is missing", "detail?message_ids=": "is missing", "detail?message_id=1": "is missing", "detail?message_ids=" + many: "more than 100",
		"detail?message_ids=1&message_ids=" + many: "more than 100", "detail?message_ids=x": "positive", "detail?message_ids=1,,2": "positive",
		"detail?message_ids=1.5": "positive", "detail?message_ids=0": "positive", "detail?message_ids=-1": "positive",
		"detail?message_ids=9223372036854775808": "positive", "detail?message_ids=%zz": "is missing", "detail?message_ids=1;x": "is missing",
		"batch/message": "is missing", "batch/message?message_ids=" + many: "more than 100", "batch/message?message_ids=1&message_ids=" + many: "more than 100",
		"batch/message?message_ids=%00": "positive", "message": "is missing", "message?message_id=1": "registration_ids: is missing",
		"message?registration_ids=a":                                       "message_id: is missing",
		"message?message_id=1,2&registration_ids=a":                        "positive",
		"message?message_id=1&message_id=2&registration_ids=a":             "more than once",
		"message?message_id=1&registration_ids=" + many:                    "more than 100",
		"message?message_id=99999999999999999999999999&registration_ids=a": "positive",
	} {
		calls = append(calls, badCall{http.MethodGet, "/v4/status/" + query, "", "", "", http.StatusBadRequest, 21003, says})
	}
	// What Susul does not know is EngageLab's to refuse: another app's push is unknown too.
	return append(calls, badCall{http.MethodGet, "/v4/status/message?registration_ids=a&message_id=" + foreign, "", "", "", http.StatusBadRequest, 21003, ""})
}

func badWithdrawals(foreign string) (calls []badCall) {
	for id, code := range map[string]int{
		"0": 21003, "-1": 21003, "x": 21003, "1.0": 21003, "9223372036854775808": 21003, "%20": 21003, "1%2F2": 21003,
		"7": 21016, foreign: 21016, "9223372036854775807": 21016,
	} {
		calls = append(calls, badCall{http.MethodDelete, "/v4/push/withdraw/" + id, "", "", "", http.StatusBadRequest, code, ""})
	}
	return calls
}

// EngageLab refuses the methods that neither of the two knows, and paths too.
var badMethods = []badCall{
	{method: http.MethodGet, uri: "/v4/push", status: http.StatusMethodNotAllowed, code: 21001},
	{method: http.MethodPut, uri: "/v4/push/validate", status: http.StatusMethodNotAllowed, code: 21001},
	{method: http.MethodPost, uri: "/v4/push/withdraw/1", status: http.StatusMethodNotAllowed, code: 21001},
	{method: http.MethodDelete, uri: "/v4/batch/push/regid", status: http.StatusMethodNotAllowed, code: 21001},
	{method: http.MethodGet, uri: "/v4/batch/push/alias", status: http.StatusMethodNotAllowed, code: 21001},
	{method: http.MethodGet, uri: "/v4/grouppush", status: http.StatusMethodNotAllowed, code: 21001},
	{method: http.MethodPost, uri: "/v4/status/detail", status: http.StatusMethodNotAllowed, code: 21001},
	{method: http.MethodDelete, uri: "/v4/status/message", status: http.StatusMethodNotAllowed, code: 21001},
	{method: http.MethodPatch, uri: "/v4/tags/x", status: http.StatusMethodNotAllowed, code: 21001},
	{method: http.MethodDelete, uri: "/v4/push/withdraw/", status: http.StatusNotFound, code: 21003},
	{method: http.MethodPost, uri: "/v4/batch/push/tag", status: http.StatusNotFound, code: 21003},
	{method: http.MethodGet, uri: "/v4/nothing?x", status: http.StatusNotFound, code: 21003},
	{method: http.MethodDelete, uri: "/v4/push/withdraw/%2F", status: http.StatusNotFound, code: 21003},
	{method: http.MethodPost, uri: "/v4/push/", status: http.StatusNotFound, code: 21003},
}

// Credentials that are good, but for something else. TestV4Callers has the wrong ones.
var badCredentials = func() (calls []badCall) {
	for _, call := range []badCall{
		{method: http.MethodPost, uri: "/v4/push"}, {method: http.MethodPost, uri: "/v4/push/validate"},
		{method: http.MethodDelete, uri: "/v4/push/withdraw/1"}, {method: http.MethodPost, uri: "/v4/batch/push/regid"},
		{method: http.MethodPost, uri: "/v4/batch/push/alias"}, {method: http.MethodGet, uri: "/v4/status/detail?message_ids=1"},
		{method: http.MethodGet, uri: "/v4/status/message"}, {method: http.MethodGet, uri: "/v4/status/batch/message"},
		{method: http.MethodGet, uri: "/v4/tags"}, {method: http.MethodPost, uri: "/v4/schedules"},
	} {
		call.as, call.status, call.code, call.says = asGroup, http.StatusForbidden, 21004, "app's credentials"
		calls = append(calls, call)
	}
	return append(calls, badCall{http.MethodPost, "/v4/grouppush", seed, asApp, "", http.StatusForbidden, 21004, "group's credentials"},
		badCall{http.MethodPost, "/v4/push", seed, servertest.BasicAuth("group-"+group, "wrong"), "", http.StatusUnauthorized, 21004, ""},
		badCall{http.MethodPost, "/v4/push", seed, servertest.BasicAuth(group, groupSecret), "", http.StatusUnauthorized, 21004, ""})
}()

// An answer names the caller's request_id, and another where there is none; a cid is nobody's request_id.
func (w world) TestV4RequestIDs(t *testing.T) {
	const content = `"to":"all","body":{"platform":"all","message":{},"options":{"cid":"v4-request-ids"}}`
	resp := w.Do(t, http.MethodPost, "/v4/push", []byte(`{`+content+`}`), "Authorization", asOther)
	require.Equal(t, http.StatusOK, resp.Status, resp.Body)
	id := member(t, resp.Body, "msg_id")
	require.Equal(t, id, member(t, resp.Body, "request_id"))
	again := w.Do(t, http.MethodPost, "/v4/push", []byte(`{`+content+`}`), "Authorization", asOther)
	require.Equal(t, resp.Body, again.Body, "a repeated cid is the same push")
	read, err := w.Pushes.GetPush(servertest.AsAdmin(t.Context()), &susulv1.GetPushRequest{Name: other + "/pushes/" + id})
	require.NoError(t, err)
	require.Empty(t, read.GetPush().GetRequestId())
	changed := w.Do(t, http.MethodPost, "/v4/push", []byte(`{"from":"x",`+content+`}`), "Authorization", asOther)
	requireV4Error(t, changed, http.StatusConflict, 21003)
	named := w.Do(t, http.MethodPost, "/v4/push", []byte(`{"request_id":"cid:v4-request-ids",`+content+`}`), "Authorization", asOther)
	require.Equal(t, "cid:v4-request-ids", member(t, named.Body, "request_id"))
	require.NotEqual(t, id, member(t, named.Body, "msg_id"))
}

// A push is withdrawn once, under whichever of its ids, and its follow-ups with it.
func (w world) TestV4Withdrawal(t *testing.T) {
	policy := w.createPolicy(t, "v4-withdrawal").GetName()
	for _, by := range []string{"its own id", "EngageLab's id"} {
		requestID := "v4 withdrawal by " + by
		document := `{"to":{"registration_id":["a"]},"request_id":"` + requestID + `","body":{"platform":"all","notification":{"alert":"a"}}}`
		resp := w.Do(t, http.MethodPost, "/v4/push", []byte(document), "Authorization", asOther, "Susul-Resend-Policy", policy)
		require.Equal(t, http.StatusOK, resp.Status, resp.Body)
		id := member(t, resp.Body, "msg_id")
		upstream := w.upstreamID(t, requestID)
		given := map[string]string{"its own id": id, "EngageLab's id": upstream}[by]

		resp = w.Do(t, http.MethodDelete, "/v4/push/withdraw/"+given, nil, "Authorization", asOther)
		require.Equal(t, http.StatusOK, resp.Status, resp.Body)
		require.JSONEq(t, `{"request_id":"`+requestID+`","msg_id":"`+given+`"}`, resp.Body)
		report, err := w.Callbacks.GetPushReport(servertest.AsAdmin(t.Context()),
			&susulv1.GetPushReportRequest{Name: other + "/pushes/" + id + "/report"})
		require.NoError(t, err)
		require.Equal(t, susulv1.PushState_PUSH_STATE_WITHDRAWN, report.GetReport().GetState())
		require.Equal(t, "WITHDRAWN", report.GetReport().GetSteps()[1].GetCancelReason())
		for _, repeated := range []string{id, upstream} {
			resp = w.Do(t, http.MethodDelete, "/v4/push/withdraw/"+repeated, nil, "Authorization", asOther)
			requireV4Error(t, resp, http.StatusBadRequest, 21016)
		}
	}
}
