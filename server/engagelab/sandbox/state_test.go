package sandbox

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// ok calls and expects success; an empty answer is "".
func (b *bench) ok(method, path, body string) string {
	b.t.Helper()
	a := b.call(method, path, body)
	require.Equal(b.t, http.StatusOK, a.status, "%s %s: %s", method, path, a.body)
	return strings.TrimSpace(a.body)
}

func TestTagsSetAreTagsGot(t *testing.T) {
	b := newBench(t, Config{Devices: 100})
	require.JSONEq(t, `{"tags":[],"alias":""}`, b.ok("GET", "/v4/devices/d1", ""))
	require.Empty(t, b.ok("POST", "/v4/devices/d1", `{"tags":{"add":["news","sport"]},"alias":"jo"}`))
	require.Empty(t, b.ok("POST", "/v4/tags/news", `{"registration_ids":{"add":["d2","d3"]}}`))
	require.JSONEq(t, `{"tags":["news","sport"],"alias":"jo"}`, b.ok("GET", "/v4/devices/d1", ""))
	require.JSONEq(t, `{"tags":["news","sport"]}`, b.ok("GET", "/v4/tags", ""))
	require.JSONEq(t, `{"tagsCount":{"news":3,"sport":1,"none":0}}`, b.ok("GET", "/v4/tags_count?tags=news,sport,none&platform=android", ""))
	require.JSONEq(t, `{"result":true}`, b.ok("GET", "/v4/tags/news/registration_ids/d3", ""))
	require.JSONEq(t, `{"result":false}`, b.ok("GET", "/v4/tags/sport/registration_ids/d3", ""))
	require.JSONEq(t, `{"registration_ids":["d1"]}`, b.ok("GET", "/v4/aliases/jo?platform=android", ""))
	require.Contains(t, b.ok("GET", "/v4/tags/quota-info?tags=news", ""), `"useUidQuota":3`)

	receiver := newReceiver(t, nil)
	push := func(to string) {
		t.Helper()
		b.ok("POST", "/v4/push", `{"to":`+to+`,"body":{"platform":"all","notification":{"alert":"x"}},"callback_url":"`+receiver.url+`"}`)
	}
	push(`{"tag":["news"]}`)
	b.advance(2*time.Hour, time.Minute)
	require.Len(t, receiver.statuses(), 3)
	for _, id := range []string{"d1", "d2", "d3"} {
		require.Contains(t, receiver.statuses(), id)
	}
	push(`{"alias":["jo"]}`)
	push(`{"tag_and":["news","sport"]}`)
	push(`{"tag":["news"],"tag_not":["sport"]}`)
	b.advance(2*time.Hour, time.Minute)
	seen, _ := b.Device("d1")
	require.Len(t, seen.Messages, 3)
	seen, _ = b.Device("d2")
	require.Len(t, seen.Messages, 2)

	b.ok("POST", "/v4/tags/news", `{"registration_ids":{"remove":["d2"]}}`)
	b.ok("POST", "/v4/devices/d1", `{"tags":{"remove":["news"]},"alias":""}`)
	require.JSONEq(t, `{"tags":["sport"],"alias":""}`, b.ok("GET", "/v4/devices/d1", ""))
	b.ok("POST", "/v4/devices/d1", `{"tags":""}`)
	require.JSONEq(t, `{"tags":[],"alias":""}`, b.ok("GET", "/v4/devices/d1", ""))
	b.ok("DELETE", "/v4/devices/d3", "")
	require.JSONEq(t, `{"tagsCount":{"news":0}}`, b.ok("GET", "/v4/tags_count?tags=news", ""))
	b.ok("DELETE", "/v4/tags/sport?platform=android", "")
	b.ok("DELETE", "/v4/aliases/jo", "")
	require.JSONEq(t, `{"tags":["news"]}`, b.ok("GET", "/v4/tags", ""))
	other := b.as("other", "secret2", "GET", "/v4/tags", "")
	require.JSONEq(t, `{"tags":[]}`, other.body, "each app has its own")
}

func TestDevicesStatus(t *testing.T) {
	b := newBench(t, Config{})
	require.JSONEq(t, `[{"regid":"a","online":true,"last_online_time":"2026-03-02 08:00:00"}]`,
		b.ok("POST", "/v4/devices/status", `{"registration_ids":["a"]}`))
}

const pushBody = `{"to":{"registration_id":["a"]},"body":{"platform":"all","notification":{"alert":"now"}}}`

func TestASingleScheduleFires(t *testing.T) {
	b := newBench(t, Config{})
	made := b.ok("POST", "/v4/schedules", `{"name":"once","trigger":{"single":{"time":"2026-03-02 09:30:00","zone_type":1}},"push":`+pushBody+`}`)
	var schedule struct {
		ID string `json:"schedule_id"`
	}
	require.NoError(t, json.Unmarshal([]byte(made), &schedule))
	path := "/v4/schedules/" + schedule.ID
	require.JSONEq(t, `{"count":0,"MsgIds":[]}`, b.ok("GET", path+"/msg-ids", ""))
	b.ok("PUT", path, `{"name":"twice","trigger":{"single":{"time":"2026-03-02 10:00:00"}}}`)
	require.Contains(t, b.ok("GET", path, ""), `"name":"twice"`)
	require.Contains(t, b.ok("GET", "/v4/schedules?page=1", ""), `"total_count":1,"total_pages":1`)
	b.advance(119*time.Minute, time.Minute)
	_, known := b.Device("a")
	require.False(t, known)
	b.advance(2*time.Hour, time.Minute)
	seen, _ := b.Device("a")
	require.Len(t, seen.Messages, 1)
	require.JSONEq(t, `{"count":1,"MsgIds":[{"msg_id":"`+seen.Messages[0].MsgID+`"}]}`, b.ok("GET", path+"/msg-ids", ""))
	b.ok("DELETE", path, "")
	require.Equal(t, http.StatusNotFound, b.call("GET", path, "").status)
}

func TestSchedulesThatDoNotFire(t *testing.T) {
	b := newBench(t, Config{})
	at := `"trigger":{"single":{"time":"2026-03-02 09:00:00"}}`
	b.ok("POST", "/v4/schedules", `{"name":"off","enabled":false,`+at+`,"push":`+pushBody+`}`)
	b.ok("POST", "/v4/schedules", `{"name":"past","trigger":{"single":{"time":"2026-03-02 07:00:00"}},"push":`+pushBody+`}`)
	var deleted struct {
		ID string `json:"schedule_id"`
	}
	require.NoError(t, json.Unmarshal([]byte(b.ok("POST", "/v4/schedules", `{"name":"gone",`+at+`,"push":`+pushBody+`}`)), &deleted))
	b.ok("DELETE", "/v4/schedules/"+deleted.ID, "")
	b.advance(2*time.Hour, time.Minute)
	_, known := b.Device("a")
	require.False(t, known)
}

func TestPeriodicalTriggers(t *testing.T) {
	for name, c := range map[string]struct {
		trigger string
		want    []string
	}{
		"each day":         {`"time_unit":"day","frequency":1`, []string{"03-02 09:00", "03-03 09:00", "03-04 09:00"}},
		"each second day":  {`"time_unit":"DAY","frequency":2`, []string{"03-02 09:00", "03-04 09:00", "03-06 09:00"}},
		"on weekdays":      {`"time_unit":"week","frequency":1,"point":["TUE","sun"]`, []string{"03-03 09:00", "03-08 09:00", "03-10 09:00"}},
		"each second week": {`"time_unit":"week","frequency":2,"point":["MON"]`, []string{"03-02 09:00", "03-16 09:00", "03-30 09:00"}},
		"of the month":     {`"time_unit":"month","frequency":1,"point":["01","15"]`, []string{"03-15 09:00", "04-01 09:00", "04-15 09:00"}},
	} {
		t.Run(name, func(t *testing.T) {
			var times trigger
			require.NoError(t, json.Unmarshal([]byte(`{"periodical":{"start":"2026-03-02 00:00:00","end":"2026-05-02 00:00:00","time":"09:00:00",`+c.trigger+`}}`), &times))
			faults := &reader{}
			times.check(faults)
			require.NoError(t, faults.refusal())
			moment := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
			var got []string
			for range 3 {
				next, ok := times.after(moment)
				require.True(t, ok)
				moment = next
				got = append(got, next.Format("01-02 15:04"))
			}
			require.Equal(t, c.want, got)
			_, ok := times.after(time.Date(2026, 5, 2, 0, 0, 0, 0, time.UTC))
			require.False(t, ok, "it has an end")
		})
	}
}

func TestPlans(t *testing.T) {
	b := newBench(t, Config{})
	require.JSONEq(t, `{"plan_id":"spring"}`, b.ok("POST", "/v4/push_plan", `{"plan_id":"spring","plan_description":"first"}`))
	b.ok("POST", "/v4/push_plan", `{"plan_id":"spring","plan_description":"sale"}`)
	id := b.mustPush([]string{"a", "b"}, `"plan_id":"spring"`, "")
	b.mustPush([]string{"a"}, `"plan_id":"unknown"`, "")
	list := b.ok("GET", "/v4/push_plan/list?page_index=1&page_size=10&search_description=sal", "")
	require.Contains(t, list, `"count":1`)
	require.Contains(t, list, `"total":1`)
	require.Contains(t, list, `"create_time":1772438400000`, "milliseconds")
	require.Contains(t, list, `"last_used_time":1772438400000`)
	require.Equal(t, list, b.ok("GET", "/v4/push_plan/list?send_source=0", ""))
	require.JSONEq(t, `{"push_plan_info":[],"total":0}`, b.ok("GET", "/v4/push_plan/list?send_source=1", ""), "the console makes none here")
	require.JSONEq(t, `{"spring":{"msg_ids":["`+id+`"]}}`,
		b.ok("GET", "/v4/status/plan/msg/?plan_ids=spring,none&start_date=2026-03-01&end_date=2026-03-02", ""))
	require.JSONEq(t, `{"spring":{"msg_ids":[]}}`, b.ok("GET", "/v4/status/plan/msg/?plan_ids=spring&start_date=2026-03-03&end_date=2026-03-04", ""))
	b.advance(time.Hour, time.Minute)
	require.Contains(t, b.ok("GET", "/v4/status/plan/detail?plan_ids=spring", ""), `"targets":2,"sent":2`)
	b.ok("DELETE", "/v4/push_plan/spring", "")
	require.JSONEq(t, `{"push_plan_info":[],"total":0}`, b.ok("GET", "/v4/push_plan/list", ""))
}

func TestStatusOfBatches(t *testing.T) {
	b := newBench(t, Config{})
	id := b.mustPush([]string{"a"}, "", "")
	require.JSONEq(t, `[{"message_id":"`+id+`","status":"plan","error_message":""}]`, b.ok("GET", "/v4/status/batch/message?message_ids="+id+",7", ""))
	b.advance(2*time.Hour, time.Minute)
	require.Contains(t, b.ok("GET", "/v4/status/batch/message?message_ids="+id, ""), `"click"`)
	users := b.ok("GET", "/v4/status/users?time_unit=DAY&start=2026-03-01&duration=2", "")
	require.Contains(t, users, `"time":"2026-03-02"`)
}

func TestVoicesAndImages(t *testing.T) {
	b := newBench(t, Config{})
	form := "--x\r\nContent-Disposition: form-data; name=\"language\"\r\n\r\nid\r\n" +
		"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\n\r\n\x00\xff\r\n--x--\r\n"
	post, err := http.NewRequest(http.MethodPost, b.url+"/v4/voices", strings.NewReader(form))
	require.NoError(t, err)
	post.SetBasicAuth("app", "secret")
	post.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	response, err := http.DefaultClient.Do(post)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Contains(t, b.ok("GET", "/v4/voices", ""), `"language":"id"`)
	require.Contains(t, b.ok("GET", "/v4/voices/id", ""), "sandbox://voices/")
	b.ok("DELETE", "/v4/voices/id", "")
	require.Equal(t, "[]", b.ok("GET", "/v4/voices", ""))
	require.Contains(t, b.ok("POST", "/v4/image/oppo", `{"big_picture_url":"https://x.example/a.png"}`), "big_picture_id")
}

func TestGroupPush(t *testing.T) {
	b := newBench(t, Config{Groups: map[string]string{"all": "group secret"}})
	a := b.as("group-all", "group secret", "POST", "/v4/grouppush", pushBody)
	require.Equal(t, http.StatusOK, a.status, a.body)
	var answer map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(a.body), &answer))
	require.Len(t, answer, 3)
	require.Contains(t, string(answer["app"]), "msg_id")
	none := b.as("group-all", "group secret", "POST", "/v4/grouppush", `{"to":{"tag":["x"]},"body":{"platform":"all","notification":{"alert":"x"}}}`)
	require.Contains(t, none.body, `"app":{"error":{"code":21011`)
	require.Equal(t, http.StatusUnauthorized, b.as("group-all", "x", "POST", "/v4/grouppush", pushBody).status)
	require.Equal(t, http.StatusUnauthorized, b.call("POST", "/v4/grouppush", pushBody).status)
	require.Equal(t, http.StatusBadRequest, b.as("group-all", "group secret", "POST", "/v4/grouppush", `{}`).status)
}

func TestRefusedCalls(t *testing.T) {
	b := newBench(t, Config{})
	before := b.ok("GET", "/v4/tags", "") + b.ok("GET", "/v4/schedules", "") + b.ok("GET", "/v4/push_plan/list", "")
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/v4/devices/a", `[]`}, {"POST", "/v4/devices/a", `{"tags":7}`}, {"POST", "/v4/devices/a", `{"alias":{}}`},
		{"POST", "/v4/devices/a", `{"tags":{"add":[""]}}`}, {"POST", "/v4/devices/status", `{}`},
		{"POST", "/v4/tags/x", `7`}, {"POST", "/v4/tags/x", `{"registration_ids":{"add":["` + strings.Repeat(`a","`, 1001) + `a"]}}`},
		{"GET", "/v4/tags_count", ""}, {"GET", "/v4/schedules?page=0", ""}, {"GET", "/v4/schedules?page=x", ""},
		{"POST", "/v4/schedules", `{}`}, {"POST", "/v4/schedules", `{"name":"x","trigger":{},"push":` + pushBody + `}`},
		{"POST", "/v4/schedules", `{"name":"x","trigger":{"single":{"time":"soon"}},"push":` + pushBody + `}`},
		{"POST", "/v4/schedules", `{"name":"x","trigger":{"single":{"time":"2026-03-03 00:00:00"}},"push":{}}`},
		{"POST", "/v4/schedules", `{"name":"x","trigger":{"periodical":{"time_unit":"week"}},"push":` + pushBody + `}`},
		{"POST", "/v4/push_plan", `{}`}, {"DELETE", "/v4/push_plan/none", ""}, {"GET", "/v4/push_plan/list?page_size=101", ""},
		{"GET", "/v4/push_plan/list?send_source=2", ""},
		{"GET", "/v4/status/plan/msg/?plan_ids=a&start_date=x", ""}, {"GET", "/v4/status/plan/detail", ""},
		{"GET", "/v4/status/users?time_unit=DAY&start=x&duration=1", ""}, {"GET", "/v4/status/users?time_unit=YEAR", ""},
		{"GET", "/v4/status/batch/message", ""}, {"POST", "/v4/voices", `{}`}, {"GET", "/v4/voices/none", ""}, {"POST", "/v4/image/oppo", `{}`},
		{"POST", "/v4/image/oppo", `{"big_picture_url":"x"}`},
	} {
		a := b.call(c.method, c.path, c.body)
		require.Equal(t, http.StatusBadRequest, a.status, "%s %s %.60s: %s", c.method, c.path, c.body, a.body)
		require.NotZero(t, a.code(), a.body)
	}
	require.Equal(t, before, b.ok("GET", "/v4/tags", "")+b.ok("GET", "/v4/schedules", "")+b.ok("GET", "/v4/push_plan/list", ""))
	require.Equal(t, http.StatusMethodNotAllowed, b.call("PATCH", "/v4/tags/x", "").status)
}
