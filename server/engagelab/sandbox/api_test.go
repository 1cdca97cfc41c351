package sandbox

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/engagelab"
)

func TestRefusedPushes(t *testing.T) {
	b := newBench(t, Config{})
	body := func(s string) string { return `{"to":{"registration_id":["a"]},"body":` + s + `}` }
	to := func(s string) string { return `{"to":` + s + `,"body":{"platform":"all","notification":{}}}` }
	options := func(s string) string { return document([]string{"a"}, s, "") }
	more := func(s string) string { return document([]string{"a"}, "", ","+s) }
	long, _ := json.Marshal(names("d", 1001))
	for name, c := range map[string]struct {
		document string
		code     int
	}{
		"not JSON":             {`{`, engagelab.CodeInvalidParameter},
		"a list":               {`[]`, engagelab.CodeInvalidParameter},
		"nothing":              {`{}`, engagelab.CodeMissingParameter},
		"to is a word":         {to(`"some"`), engagelab.CodeInvalidParameter},
		"to is a number":       {to(`7`), engagelab.CodeInvalidParameter},
		"no audience":          {to(`{}`), engagelab.CodeMissingParameter},
		"no ids":               {to(`{"registration_id":[]}`), engagelab.CodeMissingParameter},
		"two audiences":        {to(`{"registration_id":["a"],"tag":["x"]}`), engagelab.CodeInvalidParameter},
		"ids and aliases":      {to(`{"registration_id":["a"],"alias":["x"]}`), engagelab.CodeInvalidParameter},
		"ids are one":          {to(`{"registration_id":"a"}`), engagelab.CodeInvalidParameter},
		"an empty id":          {to(`{"registration_id":["a",""]}`), engagelab.CodeInvalidParameter},
		"too many ids":         {to(fmt.Sprintf(`{"registration_id":%s}`, long)), engagelab.CodeInvalidParameter},
		"nobody":               {to(`"all"`), engagelab.CodeNoTarget},
		"nobody with an alias": {to(`{"alias":["x"]}`), engagelab.CodeNoTarget},
		"no body":              {`{"to":{"registration_id":["a"]}}`, engagelab.CodeMissingParameter},
		"body is a list":       {body(`[]`), engagelab.CodeInvalidParameter},
		"no platform":          {body(`{"notification":{}}`), engagelab.CodeMissingParameter},
		"unknown platform":     {body(`{"platform":["android","amiga"],"notification":{}}`), engagelab.CodeInvalidParameter},
		"empty platforms":      {body(`{"platform":[],"notification":{}}`), engagelab.CodeInvalidParameter},
		"nothing to show":      {body(`{"platform":"all"}`), engagelab.CodeMissingParameter},
		"notification is text": {body(`{"platform":"all","notification":"hi"}`), engagelab.CodeInvalidParameter},
		"alert is a number":    {body(`{"platform":"ios","notification":{"ios":{"alert":5}}}`), engagelab.CodeInvalidParameter},
		"android is a list":    {body(`{"platform":"all","notification":{"android":[]}}`), engagelab.CodeInvalidParameter},
		"title is a number":    {body(`{"platform":"all","message":{"title":5}}`), engagelab.CodeInvalidParameter},
		"cid is too long":      {options(`"cid":"` + strings.Repeat("x", 65) + `"`), engagelab.CodeInvalidParameter},
		"cid has a space":      {options(`"cid":"a b"`), engagelab.CodeInvalidParameter},
		"cid is a number":      {options(`"cid":5`), engagelab.CodeInvalidParameter},
		"negative ttl":         {options(`"time_to_live":-1`), engagelab.CodeInvalidParameter},
		"long ttl":             {options(`"time_to_live":99999999`), engagelab.CodeInvalidParameter},
		"broken ttl":           {options(`"time_to_live":1.5`), engagelab.CodeInvalidParameter},
		"custom_args":          {more(`"custom_args":[1]`), engagelab.CodeInvalidParameter},
		"callback_url":         {more(`"callback_url":["ftp://x"]`), engagelab.CodeInvalidParameter},
		"callback_url type":    {more(`"callback_url":{}`), engagelab.CodeInvalidParameter},
		"request_id":           {more(`"request_id":1`), engagelab.CodeInvalidParameter},
		"large":                {more(`"x":"` + strings.Repeat("x", maxBody) + `"`), engagelab.CodeBodyTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{"/v4/push", "/v4/push/validate"} {
				a := b.call("POST", path, c.document)
				require.Equal(t, 400, a.status)
				require.Equal(t, c.code, a.code(), a.body)
			}
		})
	}
	require.Zero(t, b.Pending())
	require.Empty(t, b.Totals())
}

func TestAllFaultsAreNamed(t *testing.T) {
	b := newBench(t, Config{})
	a := b.call("POST", "/v4/push", `{"custom_args":5,"body":{"options":{"cid":"?"}}}`)
	for _, fault := range []string{"to is missing", "custom_args must", "platform is missing", "notification", "cid must"} {
		require.Contains(t, a.body, fault)
	}
}

func TestAcceptedPushes(t *testing.T) {
	b := newBench(t, Config{Devices: 50})
	for _, to := range []string{
		`"all"`, `{"alias":["x"]}`, `{"tag":["a","b","c"]}`, `{"tag_and":["a"]}`, `{"tag_not":["a"]}`, `{"seg":{"id":"7"}}`,
		`{"registration_id":["x"],"new":1}`,
	} {
		a := b.call("POST", "/v4/push", `{"from":"me","request_id":"r7","new":[1],"to":`+to+`,"custom_args":"text",
			"callback_url":null,"body":{"platform":["android","ios"],"new":{},"message":{"msg_content":"x"},
			"options":{"time_to_live":"60","third_party_channel":{}}}}`)
		require.Equal(t, 200, a.status, "%s: %s", to, a.body)
		require.Contains(t, a.body, `"request_id":"r7"`)
	}
	all := b.Totals()[""].Targets
	require.Greater(t, all, 50+1+1, "everyone, the alias, the id and some of the tagged")
	require.Less(t, all, 7*50)
}

func TestAccess(t *testing.T) {
	b := newBench(t, Config{})
	for _, c := range []struct {
		key, secret, method, path string
		status, code              int
	}{
		{"app", "wrong", "POST", "/v4/push", 401, engagelab.CodeAuthenticationFailed},
		{"nobody", "", "GET", "/v4/status/detail?message_ids=1", 401, engagelab.CodeAuthenticationFailed},
		{"app", "secret", "GET", "/v4/push", 405, engagelab.CodeUnsupportedMethod},
		{"app", "secret", "POST", "/v4/push/withdraw/5", 405, engagelab.CodeUnsupportedMethod},
		{"app", "secret", "POST", "/v4/pushes", 404, engagelab.CodeInvalidParameter},
		{"app", "secret", "DELETE", "/v4/push/withdraw/x", 400, engagelab.CodeInvalidParameter},
		{"app", "secret", "DELETE", "/v4/push/withdraw/5", 400, engagelab.CodeCannotWithdraw},
		{"app", "secret", "GET", "/v4/status/detail", 400, engagelab.CodeMissingParameter},
		{"app", "secret", "GET", "/v4/status/detail?message_ids=" + strings.Join(names("", 101), ","), 400, engagelab.CodeInvalidParameter},
		{"app", "secret", "GET", "/v4/status/message?message_id=5", 400, engagelab.CodeMissingParameter},
		{"app", "secret", "GET", "/v4/status/message?message_id=5&registration_ids=a", 400, engagelab.CodeInvalidParameter},
	} {
		a := b.as(c.key, c.secret, c.method, c.path, "")
		require.Equal(t, c.status, a.status, c.path)
		require.Equal(t, c.code, a.code(), c.path)
	}
}

func TestCIDIsRecognised(t *testing.T) {
	b := newBench(t, Config{})
	first := b.mustPush([]string{"a", "b", "a"}, `"cid":"c-1"`, "")
	require.Equal(t, first, b.mustPush([]string{"a", "b"}, `"cid":"c-1"`, ""))
	require.Greater(t, b.mustPush([]string{"a"}, `"cid":"c-2"`, ""), first)
	require.Equal(t, 200, b.as("other", "secret2", "POST", "/v4/push", document([]string{"z"}, `"cid":"c-1"`, "")).status)
	require.Equal(t, Totals{Targets: 3}, b.Totals()["c-1"], "a and b for one app, z for the other")
}

func TestCIDsAreForgottenInTime(t *testing.T) {
	a := &app{cids: map[string]int64{}}
	for i := range int64(maxCIDs + 2) {
		a.remember(fmt.Sprint(i), i)
	}
	require.Len(t, a.cids, maxCIDs)
	require.NotContains(t, a.cids, "1")
	require.Contains(t, a.cids, "2")
}

func TestACIDIsRecognisedForAnHour(t *testing.T) {
	b := newBench(t, Config{})
	first := b.mustPush([]string{"a"}, `"cid":"c-1"`, "")
	b.clock.Advance(engagelab.CIDValidity - time.Second)
	require.Equal(t, first, b.mustPush([]string{"a"}, `"cid":"c-1"`, ""))
	b.clock.Advance(2 * time.Second)
	require.NotEqual(t, first, b.mustPush([]string{"a"}, `"cid":"c-1"`, ""))
}

func TestQuota(t *testing.T) {
	b := newBench(t, Config{RequestsPerSecond: 3})
	b.mustPush([]string{"a"}, "", "")
	requests := `{"requests":[{"target":"a","platform":"all","notification":{"alert":"x"}},` +
		`{"target":"b","platform":"all","notification":{"alert":"x"}},{"target":"c","platform":"all","notification":{"alert":"x"}}]}`
	a := b.call("POST", "/v4/batch/push/regid", requests)
	require.Equal(t, 200, a.status)
	var partial engagelab.BatchResponse
	require.NoError(t, json.Unmarshal([]byte(a.body), &partial))
	require.True(t, partial.Results["b"].Success)
	require.Equal(t, engagelab.CodeOverQuota, partial.Results["c"].Code)

	for _, path := range []string{"/v4/push", "/v4/batch/push/regid"} {
		a = b.call("POST", path, requests)
		require.Equal(t, 429, a.status)
		require.Equal(t, engagelab.CodeOverQuota, a.code())
		require.Equal(t, "1", a.header.Get("Retry-After"))
	}
	b.clock.Advance(time.Second)
	b.mustPush([]string{"a"}, "", "")
}

func TestCallbackAddressesAreBounded(t *testing.T) {
	b := newBench(t, Config{})
	list, err := json.Marshal(names("http://127.0.0.1:1/", maxAddresses+1))
	require.NoError(t, err)
	a := b.call("POST", "/v4/push", document([]string{"a"}, "", `,"callback_url":`+string(list)))
	require.Equal(t, 400, a.status)
	require.Contains(t, a.body, "callback addresses")
	require.Zero(t, b.Pending())
	require.Empty(t, b.outboxes)
}

func TestBatch(t *testing.T) {
	b := newBench(t, Config{Devices: 10})
	a := b.call("POST", "/v4/batch/push/alias", `{"requests":[
		{"target":"x","platform":"android","notification":{"android":{"title":"T","alert":"A"}},"options":{"cid":"c1"},"custom_args":{"n":1}},
		{"target":"y","platform":"android"}]}`)
	require.Equal(t, 200, a.status, a.body)
	var got engagelab.BatchResponse
	require.NoError(t, json.Unmarshal([]byte(a.body), &got))
	require.True(t, got.Results["x"].Success)
	require.NotEmpty(t, got.Results["x"].MsgID)
	require.Equal(t, engagelab.CodeMissingParameter, got.Results["y"].Code)
	require.Equal(t, 1, b.Totals()["c1"].Targets)

	for name, body := range map[string]string{
		"not JSON": `[`, "nothing": `{}`, "twice": `{"requests":[{"target":"a"},{"target":"a"}]}`,
		"no target": `{"requests":[{}]}`, "too many": `{"requests":[` + strings.Repeat(`{"target":"a"},`, 500) + `{}]}`,
	} {
		require.Equal(t, 400, b.call("POST", "/v4/batch/push/regid", body).status, name)
	}
}

func TestConfigFaults(t *testing.T) {
	_, err := New(Config{
		Apps: map[string]string{"": "x"}, Callback: Callback{URL: "nowhere", Username: "u"}, Devices: -1, RequestsPerSecond: -1,
		CallbackLoss: 1.5,
		Behaviour:    Behaviour{DeadShare: 2, ClickRate: -1, DisplayWithin: -1, OfflineMin: 2, OfflineMax: 1},
	})
	for _, fault := range []string{"app \"\"", "callback URL", "username and secret", "devices", "requests per second",
		"callback loss", "dead share", "click rate", "display time", "longest offline"} {
		require.ErrorContains(t, err, fault)
	}
	_, err = New(Config{})
	require.ErrorContains(t, err, "no app")
}
