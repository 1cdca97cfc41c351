package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/durationpb"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/clock"
	"susul.dev/susul/server/engagelab/sandbox"
	"susul.dev/susul/server/servertest"
)

// dropIn is a server with a sandbox behind it, as an EngageLab client meets them.
type dropIn struct {
	*servertest.Server
	t *testing.T
}

// newDropIn runs at 200 times the speed, with devices that are reached at once and never click.
func newDropIn(t *testing.T) dropIn {
	t.Helper()
	return dropIn{servertest.Start(t, servertest.Options{
		Clock: clock.Scaled(200), Behaviour: sandbox.Behaviour{DeliverWithin: time.Second},
	}), t}
}

// ok makes a call that succeeds, and returns the answer's body.
func (d dropIn) ok(method, path, body string) string {
	d.t.Helper()
	resp := d.Do(d.t, method, path, []byte(body), "Authorization", asApp, "Content-Type", "application/json")
	require.Equal(d.t, http.StatusOK, resp.Status, "%s %s: %s", method, path, resp.Body)
	return resp.Body
}

func (d dropIn) eventually(what string, done func() bool) {
	d.t.Helper()
	require.Eventually(d.t, done, patience, 20*time.Millisecond, what)
}

// What is set through Susul is what comes back, and what pushes go by.
func TestDevicesTagsAndAliasesBehindSusul(t *testing.T) {
	d := newDropIn(t)
	d.ok(http.MethodPost, "/v4/devices/r1", `{"tags":{"add":["vip","a/b"]},"alias":"jo"}`)
	d.ok(http.MethodPost, "/v4/tags/vip", `{"registration_ids":{"add":["r2"]}}`)
	require.JSONEq(t, `{"tags":["a/b","vip"],"alias":"jo"}`, d.ok(http.MethodGet, "/v4/devices/r1", ""))
	require.JSONEq(t, `{"result":true}`, d.ok(http.MethodGet, "/v4/tags/a%2Fb/registration_ids/r1", ""))
	require.JSONEq(t, `{"registration_ids":["r1"]}`, d.ok(http.MethodGet, "/v4/aliases/jo", ""))
	require.JSONEq(t, `{"tagsCount":{"vip":2,"none":0}}`, d.ok(http.MethodGet, "/v4/tags_count?tags=vip,none", ""))

	for to, want := range map[string]int64{
		`{"tag":["vip"]}`: 2, `{"alias":["jo"]}`: 1, `{"tag":["vip"],"tag_not":["a/b"]}`: 1, `"all"`: 100,
		`{"tag_and":["vip"],"tag_not":["vip"]}`: 0,
	} {
		resp := d.Do(t, http.MethodPost, "/v4/push", fmt.Appendf(nil, `{"to":%s,"body":{"platform":"all","notification":{"alert":"a"}}}`, to),
			"Authorization", asApp)
		if want == 0 {
			requireV4Error(t, resp, http.StatusBadRequest, 21011) // EngageLab's own word
			continue
		}
		require.Equal(t, http.StatusOK, resp.Status, resp.Body)
		id := member(t, resp.Body, "msg_id")
		d.eventually("all of "+to+" are reported about", func() bool {
			var details map[string]struct{ Targets, Delivered int64 }
			require.NoError(t, json.Unmarshal([]byte(d.ok(http.MethodGet, "/v4/status/detail?message_ids="+id, "")), &details))
			require.LessOrEqual(t, details[id].Targets, want)
			return details[id].Delivered == want
		})
	}
	d.ok(http.MethodDelete, "/v4/devices/r1", "")
	require.JSONEq(t, `{"tags":[],"alias":""}`, d.ok(http.MethodGet, "/v4/devices/r1", ""))
	require.JSONEq(t, `{"registration_ids":[]}`, d.ok(http.MethodGet, "/v4/aliases/jo", ""))
	require.Contains(t, d.ok(http.MethodGet, "/v4/status/users?time_unit=DAY&start="+d.Clock.Now().UTC().Format(time.DateOnly)+"&duration=1", ""), `"items"`)
}

// A schedule that EngageLab fires becomes a push here: reported, followed up, and taken back under EngageLab's own id.
func TestAScheduleOfEngageLabsBehindSusul(t *testing.T) {
	d := newDropIn(t)
	admin := servertest.AsAdmin(t.Context())
	_, err := d.Policies.CreateResendPolicy(admin, &susulv1.CreateResendPolicyRequest{ResendPolicyId: "scheduled", ResendPolicy: &susulv1.ResendPolicy{
		Match:   `external && custom_args == "scheduled"`,
		Trigger: &susulv1.ResendTrigger{Unless: susulv1.Milestone_MILESTONE_CLICKED, Within: durationpb.New(5 * time.Minute)},
		Steps: []*susulv1.ResendStep{
			{After: durationpb.New(time.Minute), Content: &susulv1.ResendContent{Alert: "Did you see it?"}},
			{After: durationpb.New(30 * 24 * time.Hour), Content: &susulv1.ResendContent{Alert: "Last call"}},
		},
	}})
	require.NoError(t, err)
	d.ok(http.MethodPost, "/v4/push_plan", `{"plan_id":"spring","plan_description":"sale"}`)
	d.ok(http.MethodPost, "/v4/tags/vip", `{"registration_ids":{"add":["r1","r2"]}}`)
	at := d.Clock.Now().UTC().Add(2 * time.Minute).Format(time.DateTime)
	made := d.ok(http.MethodPost, "/v4/schedules", `{"name":"once","trigger":{"single":{"time":"`+at+`"}},"push":{"to":{"tag":["vip"]},
		"custom_args":"scheduled","body":{"platform":"all","notification":{"alert":"now"},"options":{"plan_id":"spring"}}}}`)
	path := "/v4/schedules/" + member(t, made, "schedule_id")
	require.Contains(t, d.ok(http.MethodGet, path, ""), `"name":"once"`)
	require.Contains(t, d.ok(http.MethodGet, "/v4/schedules?page=1", ""), `"total_count":1`)

	var push *susulv1.Push
	d.eventually("the schedule's push is known", func() bool {
		page, err := d.Pushes.ListPushes(admin, &susulv1.ListPushesRequest{Parent: app})
		require.NoError(t, err)
		for _, known := range page.GetPushes() {
			push = known
		}
		return push != nil
	})
	require.True(t, push.GetExternal())
	require.Equal(t, "resendPolicies/scheduled", push.GetResendPolicy())
	fired := d.ok(http.MethodGet, path+"/msg-ids", "")
	var messages struct{ MsgIds []map[string]string }
	require.NoError(t, json.Unmarshal([]byte(fired), &messages))
	require.Len(t, messages.MsgIds, 1)
	upstream := messages.MsgIds[0]["msg_id"]

	d.eventually("both devices got the follow-up", func() bool {
		for _, id := range []string{"r1", "r2"} {
			if device, _ := d.Sandbox.Device(id); len(device.Messages) < 2 {
				return false
			}
		}
		return true
	})
	for _, id := range []string{push.GetMsgId(), upstream} {
		require.Contains(t, d.ok(http.MethodGet, "/v4/status/detail?message_ids="+id, ""), `"`+id+`":{"targets":2,`)
	}
	require.JSONEq(t, `{"spring":{"msg_ids":["`+upstream+`"]}}`, d.ok(http.MethodGet, "/v4/status/plan/msg/?plan_ids=spring", ""))
	require.Contains(t, d.ok(http.MethodGet, "/v4/status/plan/detail?plan_ids=spring", ""), `"targets":2`)
	require.Contains(t, d.ok(http.MethodGet, "/v4/push_plan/list", ""), `"plan_id":"spring"`)
	events, err := d.Callbacks.ListEvents(admin, &susulv1.ListEventsRequest{Parent: app, MsgId: push.GetMsgId()})
	require.NoError(t, err)
	require.NotEmpty(t, events.GetEvents())

	require.Contains(t, d.ok(http.MethodDelete, "/v4/push/withdraw/"+upstream, ""), upstream)
	report, err := d.Callbacks.GetPushReport(admin, &susulv1.GetPushReportRequest{Name: push.GetName() + "/report"})
	require.NoError(t, err)
	require.Equal(t, "WITHDRAWN", report.GetReport().GetSteps()[2].GetCancelReason())
	again := d.Do(t, http.MethodDelete, "/v4/push/withdraw/"+upstream, nil, "Authorization", asApp)
	requireV4Error(t, again, http.StatusBadRequest, 21016)
	d.ok(http.MethodDelete, path, "")
	d.ok(http.MethodDelete, "/v4/push_plan/spring", "")
}

func TestUploadsBehindSusul(t *testing.T) {
	d := newDropIn(t)
	var form bytes.Buffer
	parts := multipart.NewWriter(&form)
	require.NoError(t, parts.WriteField("language", "id"))
	file, err := parts.CreateFormFile("file", "voice.mp3")
	require.NoError(t, err)
	_, err = file.Write([]byte("\x00\xff\r\n--not the boundary"))
	require.NoError(t, err)
	require.NoError(t, parts.Close())
	resp := d.Do(t, http.MethodPost, "/v4/voices", form.Bytes(), "Authorization", asApp, "Content-Type", parts.FormDataContentType())
	require.Equal(t, http.StatusOK, resp.Status, resp.Body)
	require.Contains(t, d.ok(http.MethodGet, "/v4/voices", ""), `"language":"id"`)
	d.ok(http.MethodDelete, "/v4/voices/id", "")
	require.Contains(t, d.ok(http.MethodPost, "/v4/image/oppo", `{"big_picture_url":"https://x.example/a.png"}`), "big_picture_id")
}
