package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/engagelab"
)

func TestLostCallbacksLeaveTheTruthBehind(t *testing.T) {
	r := newReceiver(t, nil)
	b := newBench(t, Config{Callback: Callback{URL: r.url}, CallbackLoss: 1})
	id := b.mustPush([]string{"a", "b"}, "", "")
	b.advance(3*time.Hour, time.Minute)
	require.Empty(t, r.statuses())
	require.Equal(t, 2*len(chain), b.Dropped())
	require.Zero(t, b.Pending())

	var details map[string]engagelab.StatusDetail
	require.NoError(t, json.Unmarshal([]byte(b.ok("GET", "/v4/status/detail?message_ids="+id, "")), &details))
	require.Equal(t, engagelab.Totals{Targets: 2, Sent: 2, Delivered: 2, Impressions: 2, Clicks: 2}, details[id].Totals)
	require.JSONEq(t, `{"a":{"status":"click","error_message":""}}`,
		b.ok("GET", "/v4/status/message?message_id="+id+"&registration_ids=a", ""))
	require.Equal(t, http.StatusBadRequest, b.call("GET",
		"/v4/status/message?message_id="+id+"&registration_ids="+strings.Join(names("d", maxStatusIDs+1), ","), "").status)

	b.SetCallbackLoss(0)
	b.mustPush([]string{"c"}, "", "")
	b.advance(3*time.Hour, time.Minute)
	require.Len(t, r.statuses(), 1)
	require.ElementsMatch(t, chain, r.statuses()["c"])
}

func TestLossFollowsFromTheSeed(t *testing.T) {
	devices := names("d", 500)
	run := func(seed uint64) map[string][]string {
		r := newReceiver(t, nil)
		b := newBench(t, Config{Seed: seed, Callback: Callback{URL: r.url}, CallbackLoss: 0.3})
		b.mustPush(devices, "", "")
		b.advance(3*time.Hour, time.Minute)
		rows := r.statuses()
		came := 0
		for _, statuses := range rows {
			came += len(statuses)
		}
		require.InDelta(t, 0.7*float64(len(devices)*len(chain)), came, 80)
		require.Equal(t, len(devices)*len(chain), came+b.Dropped())
		for device := range rows {
			require.Subset(t, chain, rows[device])
		}
		return rows
	}
	first, again, other := run(7), run(7), run(8)
	for _, device := range devices {
		require.ElementsMatch(t, first[device], again[device])
	}
	require.NotEqual(t, counts(first), counts(other))
}

func counts(rows map[string][]string) map[string]int {
	n := map[string]int{}
	for device, statuses := range rows {
		n[device] = len(statuses)
	}
	return n
}

func TestADeadTokenIsReportedAndCanBeDeleted(t *testing.T) {
	r := newReceiver(t, nil)
	b := newBench(t, Config{Callback: Callback{URL: r.url}, Behaviour: Behaviour{DeadShare: 1}})
	id := b.mustPush([]string{"a"}, "", "")
	b.advance(time.Minute, time.Second)
	require.Len(t, r.rows, 1)
	require.Equal(t, codeDeadToken, r.rows[0].Status.ErrorCode)
	require.Equal(t, textDeadToken, r.rows[0].Status.ErrorDetail.Message)
	require.JSONEq(t, fmt.Sprintf(`{"a":{"status":"target_invalid","error_message":%q}}`, textDeadToken),
		b.ok("GET", "/v4/status/message?message_id="+id+"&registration_ids=a", ""))

	client := engagelab.NewClient(engagelab.ClientOptions{BaseURL: b.url, AppKey: "app", MasterSecret: "secret"})
	t.Cleanup(client.Close)
	require.NoError(t, client.DeleteDevice(t.Context(), "a"))
	require.JSONEq(t, `{"success":true}`, b.ok("DELETE", "/v4/devices/a", ""))
	requests := b.Requests()
	last := requests[len(requests)-1]
	require.Equal(t, []any{"DELETE", "/v4/devices/a", "app", 200}, []any{last.Method, last.Path, last.App, last.Status})
}

func TestFollowUpsReplaceNotifications(t *testing.T) {
	b := newBench(t, Config{})
	send := func(options string) string {
		t.Helper()
		id := b.mustPush([]string{"a"}, options, "")
		b.advance(10*time.Minute, time.Minute)
		return id
	}
	first := send(`"apns_collapse_id":"news"`)
	second := send(`"override_msg_id":` + first)                                 // a number
	third := send(`"override_msg_id":"` + first + `","apns_collapse_id":"news"`) // or a string
	fourth := send(`"override_msg_id":` + third)
	alone := send(`"apns_collapse_id":"other"`)
	foreign := send(`"override_msg_id":77`)
	heir := send(`"override_msg_id":77`)

	var seen Device
	require.NoError(t, json.Unmarshal([]byte(b.ok("GET", "/sandbox/devices/a", "")), &seen))
	replacedBy := map[string]string{}
	for _, m := range seen.Messages {
		replacedBy[m.MsgID] = m.ReplacedBy
	}
	require.Equal(t, map[string]string{
		first: second, second: third, third: fourth, fourth: "", alone: "", foreign: heir, heir: "",
	}, replacedBy)
	require.Equal(t, []string{"", "news"}, []string{seen.Messages[0].OverrideMsgID, seen.Messages[0].CollapseID})
	require.Equal(t, []string{first, "news"}, []string{seen.Messages[2].OverrideMsgID, seen.Messages[2].CollapseID})
	require.Contains(t, string(b.Requests()[1].Document), `"override_msg_id":`+first)

	for _, options := range []string{
		`"override_msg_id":"x"`, `"override_msg_id":-1`, `"override_msg_id":1.5`, `"override_msg_id":{}`,
		`"apns_collapse_id":7`, `"apns_collapse_id":"` + strings.Repeat("x", maxCollapseID+1) + `"`,
	} {
		require.Equal(t, engagelab.CodeInvalidParameter, b.call("POST", "/v4/push", document([]string{"a"}, options, "")).code(), options)
	}
}

// What has not arrived yet has replaced nothing.
func TestAnUndeliveredMessageReplacesNothing(t *testing.T) {
	b := newBench(t, Config{Behaviour: Behaviour{OfflineShare: 1, OfflineMin: time.Hour, OfflineMax: time.Hour}})
	first := b.mustPush([]string{"a"}, `"time_to_live":7200`, "")
	late := b.mustPush([]string{"a"}, `"time_to_live":60,"override_msg_id":`+first, "")
	b.advance(2*time.Hour, time.Minute)
	seen, _ := b.Device("a")
	require.Len(t, seen.Messages, 2)
	require.Equal(t, late, seen.Messages[1].MsgID)
	require.Zero(t, seen.Messages[1].DeliveredAt)
	require.Empty(t, seen.Messages[0].ReplacedBy)
}
