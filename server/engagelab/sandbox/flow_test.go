package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/engagelab"
)

var chain = []string{"sent", "delivered", "impression", "click"}

func TestCallbacks(t *testing.T) {
	configured, own := newReceiver(t, nil), newReceiver(t, nil)
	b := newBench(t, Config{Callback: Callback{URL: configured.url, Username: "u", Secret: "s"}})
	devices := names("d", 250)
	urls := fmt.Sprintf(`,"callback_url":[%q,%q,%q]`, own.url, configured.url, own.url)
	id := b.mustPush(devices, "", urls+`,"custom_args":{"b": 1.50, "a": "x"}`)
	require.Equal(t, 4*len(devices), b.Pending())
	b.advance(2*time.Hour, time.Minute)
	require.Zero(t, b.Pending())
	require.Zero(t, b.Dropped())

	for _, r := range []*receiver{configured, own} {
		require.Equal(t, 1, r.echoes, "the address is checked once")
		statuses := r.statuses()
		require.Len(t, statuses, len(devices))
		for device, got := range statuses {
			require.ElementsMatch(t, chain, got, device)
		}
		require.LessOrEqual(t, slices.Max(r.sizes), 100)
		require.Equal(t, 100, slices.Max(r.sizes), "a batch fills up")
		for _, header := range r.sigs {
			signature, err := engagelab.ParseSignature(header)
			require.NoError(t, err)
			require.True(t, signature.Verify("u", "s"))
		}
		for _, row := range r.rows {
			require.Equal(t, id, row.MessageID)
			require.JSONEq(t, `{"b": 1.50, "a": "x"}`, string(row.CustomArgs))
			require.Contains(t, string(row.CustomArgs), "1.50", "as it came")
			require.Equal(t, []string{"AppPush", "FCM"}, []string{row.Server, row.Channel})
		}
	}
}

func TestOneCallbackURLAndTextArgs(t *testing.T) {
	r := newReceiver(t, func(string) int { return http.StatusOK })
	b := newBench(t, Config{Behaviour: Behaviour{DeadShare: 1}})
	b.mustPush([]string{"a"}, "", fmt.Sprintf(`,"callback_url":%q,"custom_args":"text"`, r.url))
	b.advance(3*time.Second, time.Second)
	require.Len(t, r.rows, 1)
	require.JSONEq(t, `"text"`, string(r.rows[0].CustomArgs))
	require.Equal(t, "target_invalid", r.rows[0].Status.MessageStatus)
	require.Equal(t, codeDeadToken, r.rows[0].Status.ErrorCode)
	require.NotEmpty(t, r.rows[0].Status.ErrorDetail.Message)
	require.Equal(t, []string{""}, r.sigs, "no credentials, no signature")
	require.Equal(t, Totals{Targets: 1, Failed: 1}, b.Totals()[""])
}

func TestRetrySchedule(t *testing.T) {
	var b *bench
	var tries []time.Duration
	r := newReceiver(t, func(echo string) int {
		if echo != "" {
			return http.StatusOK
		}
		tries = append(tries, b.clock.Since(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)).Truncate(time.Second))
		return http.StatusInternalServerError
	})
	b = newBench(t, Config{Behaviour: Behaviour{DeadShare: 1}})
	b.mustPush([]string{"a"}, "", fmt.Sprintf(`,"callback_url":[%q]`, r.url))
	b.advance(3*time.Second, time.Second)
	require.Len(t, tries, 1)
	b.advance(2*time.Hour, time.Second)
	require.Zero(t, b.Pending())
	require.Equal(t, 1, b.Dropped())
	var waits []time.Duration
	for i, at := range tries[1:] {
		waits = append(waits, at-tries[i])
	}
	require.Equal(t, retryAfter(), waits)
}

func TestFailedBatchesComeAgain(t *testing.T) {
	posts := 0
	r := newReceiver(t, func(echo string) int {
		if echo == "" {
			posts++
		}
		if echo == "" && posts <= 7 {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	})
	b := newBench(t, Config{Callback: Callback{URL: r.url}})
	devices := names("d", 500)
	b.mustPush(devices, "", "")
	b.advance(4*time.Hour, time.Minute)
	require.Zero(t, b.Pending())
	require.Zero(t, b.Dropped())
	statuses := r.statuses()
	for _, device := range devices {
		require.ElementsMatch(t, chain, statuses[device])
	}
}

func TestWaitingRowsAreBounded(t *testing.T) {
	s, err := New(Config{Apps: map[string]string{"app": "secret"}})
	require.NoError(t, err)
	o := &outbox{s: s, wake: make(chan struct{}, 1), waiting: maxWaitingRows - 1}
	o.add(row{})
	o.add(row{})
	require.Equal(t, 1, s.Pending())
	require.Equal(t, 1, s.Dropped())
}

func TestAddressCheckIsRepeated(t *testing.T) {
	healthy := false
	r := newReceiver(t, func(echo string) int {
		if echo != "" && !healthy {
			return http.StatusNoContent // a success, but not the echo
		}
		return http.StatusOK
	})
	b := newBench(t, Config{})
	b.mustPush([]string{"a"}, "", fmt.Sprintf(`,"callback_url":[%q]`, r.url))
	b.advance(9*time.Second, time.Second)
	require.NotZero(t, r.echoes)
	require.Empty(t, r.rows)
	r.mu.Lock()
	healthy = true
	r.mu.Unlock()
	b.advance(3*time.Hour, time.Minute)
	require.Zero(t, b.Pending())
	require.ElementsMatch(t, chain, r.statuses()["a"])
}

func TestDeadAddressBlocksNobody(t *testing.T) {
	release := make(chan struct{})
	dead := newReceiver(t, func(string) int { <-release; return http.StatusBadGateway })
	healthy := newReceiver(t, nil)
	b := newBench(t, Config{})
	t.Cleanup(func() { close(release) })
	b.mustPush([]string{"a"}, "", fmt.Sprintf(`,"callback_url":[%q,%q]`, dead.url, healthy.url))
	require.Eventually(t, func() bool {
		b.clock.Advance(time.Minute)
		return len(healthy.statuses()["a"]) == len(chain)
	}, 10*time.Second, time.Millisecond)
	require.GreaterOrEqual(t, b.Pending(), len(chain), "what the dead address has not acknowledged")
}

func TestOutcomesFollowFromTheSeed(t *testing.T) {
	type outcome struct {
		totals  map[string]Totals
		devices map[string][]DeviceMessage
	}
	run := func(seed uint64, unrelated int) outcome {
		b := newBench(t, Config{Seed: seed, Behaviour: DefaultBehaviour(), Devices: 300})
		for range unrelated {
			b.mustPush([]string{"somebody-else"}, `"cid":"unrelated"`, "")
		}
		for step := range 3 {
			require.Equal(t, 200, b.call("POST", "/v4/push", fmt.Sprintf(`{"to":"all","body":{"platform":"all",
				"notification":{"alert":"x"},"options":{"cid":"step-%d"}}}`, step)).status)
		}
		b.advance(12*time.Hour, time.Hour)
		got := outcome{totals: b.Totals(), devices: map[string][]DeviceMessage{}}
		delete(got.totals, "unrelated")
		for _, id := range b.population {
			d, ok := b.Device(id)
			require.True(t, ok)
			for i := range d.Messages {
				d.Messages[i].MsgID = ""
			}
			got.devices[id] = d.Messages
		}
		return got
	}
	first := run(7, 0)
	require.Equal(t, first, run(7, 1), "whatever the msg_ids are")
	require.NotEqual(t, first.totals, run(8, 0).totals)
	for cid, totals := range first.totals {
		require.Equal(t, 300, totals.Targets, cid)
		require.Equal(t, 300, totals.Sent+totals.Failed, cid)
		require.InDelta(t, 300*0.03, totals.Failed, 12, cid)
		require.InDelta(t, 300*0.97*0.6, totals.Displayed, 40, cid)
		require.InDelta(t, 300*0.97*0.6*0.25, totals.Clicked, 30, cid)
	}
}

func TestOffline(t *testing.T) {
	away := Behaviour{OfflineShare: 1, OfflineMin: 2 * time.Hour, OfflineMax: 2 * time.Hour}
	b := newBench(t, Config{Behaviour: away})
	b.mustPush([]string{"a"}, `"cid":"patient"`, "")
	b.mustPush([]string{"a"}, `"cid":"hasty","time_to_live":3600`, "")
	b.advance(119*time.Minute, time.Minute)
	require.Equal(t, Totals{Targets: 1, Sent: 1}, b.Totals()["patient"])
	b.advance(2*time.Minute, time.Minute)
	require.Equal(t, Totals{Targets: 1, Sent: 1, Delivered: 1}, b.Totals()["patient"])
	require.Equal(t, Totals{Targets: 1, Sent: 1}, b.Totals()["hasty"])
	b.mustPush([]string{"a"}, `"cid":"now-or-never","time_to_live":0`, "")
	b.advance(time.Minute, time.Second)
	require.Equal(t, 1, b.Totals()["now-or-never"].Delivered, "the device is back")
	require.Zero(t, b.Pending())
}

func TestWithdraw(t *testing.T) {
	b := newBench(t, Config{})
	id := b.mustPush(names("d", 100), `"cid":"c"`, "")
	b.advance(30*time.Second, time.Second)
	before := b.Totals()["c"]
	require.NotZero(t, before.Delivered)
	require.Less(t, before.Delivered, 100)

	require.Equal(t, 400, b.as("other", "secret2", "DELETE", "/v4/push/withdraw/"+id, "").status, "another app's message")
	a := b.call("DELETE", "/v4/push/withdraw/"+id, "")
	require.Equal(t, 200, a.status)
	require.Contains(t, a.body, id)
	require.Equal(t, engagelab.CodeCannotWithdraw, b.call("DELETE", "/v4/push/withdraw/"+id, "").code(), "once")
	require.Less(t, b.Pending(), 2*100)

	b.advance(3*time.Hour, time.Minute)
	after := b.Totals()["c"]
	require.Equal(t, before.Delivered, after.Delivered)
	require.Equal(t, before.Delivered, after.Clicked, "whoever has it can still click")
	require.Zero(t, b.Pending())

	id = b.mustPush([]string{"late"}, "", "")
	b.clock.Advance(24 * time.Hour)
	require.Equal(t, engagelab.CodeCannotWithdraw, b.call("DELETE", "/v4/push/withdraw/"+id, "").code())
}

func TestStatuses(t *testing.T) {
	b := newBench(t, Config{})
	id := b.mustPush([]string{"a", "b"}, "", "")
	message := "/v4/status/message?message_id=" + id + "&registration_ids=a,b,stranger"
	require.JSONEq(t, `{"a":{"status":"plan","error_message":""},"b":{"status":"plan","error_message":""}}`, b.call("GET", message, "").body)
	b.advance(3*time.Hour, time.Minute)
	require.JSONEq(t, `{"a":{"status":"click","error_message":""},"b":{"status":"click","error_message":""}}`, b.call("GET", message, "").body)

	var details map[string]engagelab.StatusDetail
	require.NoError(t, json.Unmarshal([]byte(b.call("GET", "/v4/status/detail?message_ids="+id+",5,x", "").body), &details))
	all := engagelab.Totals{Targets: 2, Sent: 2, Delivered: 2, Impressions: 2, Clicks: 2}
	require.Len(t, details, 1)
	require.Equal(t, all, details[id].Totals)
	require.Equal(t, map[string]engagelab.Totals{"fcm": all}, details[id].Sub.Notification.SubAndroid)
	require.Equal(t, "{}\n", b.as("other", "secret2", "GET", "/v4/status/detail?message_ids="+id, "").body)
}

func TestLookingIn(t *testing.T) {
	b := newBench(t, Config{})
	a := b.call("POST", "/v4/push", `{"to":{"registration_id":["a"]},"body":{"platform":["android","ios","web"],"notification":{
		"alert":"common","android":{"title":"T","alert":"A"},"ios":{"alert":{"title":"IT","body":"IB"}}},"options":{"cid":"c"}}}`)
	require.Equal(t, 200, a.status, a.body)
	b.as("app", "wrong", "POST", "/v4/push", "{")
	b.call("GET", "/v4/status/detail?message_ids=1", "")
	b.advance(3*time.Hour, time.Minute)

	var d Device
	require.NoError(t, json.Unmarshal([]byte(b.call("GET", "/sandbox/devices/a", "").body), &d))
	require.Len(t, d.Messages, 1)
	m := d.Messages[0]
	require.Equal(t, map[string]Content{"android": {"T", "A"}, "ios": {"IT", "IB"}, "web": {"", "common"}}, m.Shown)
	require.Equal(t, "c", m.CID)
	require.True(t, m.SentAt.Before(m.DeliveredAt) && m.DeliveredAt.Before(m.DisplayedAt) && m.DisplayedAt.Before(m.ClickedAt))
	require.Zero(t, m.FailedAt)
	require.Equal(t, 404, b.call("GET", "/sandbox/devices/b", "").status)

	var page struct {
		Requests []Request
		Next     int64
	}
	require.NoError(t, json.Unmarshal([]byte(b.call("GET", "/sandbox/requests?limit=2", "").body), &page))
	require.Len(t, page.Requests, 2)
	require.Equal(t, []any{"app", 200}, []any{page.Requests[0].App, page.Requests[0].Status})
	require.Contains(t, string(page.Requests[0].Document), `"common"`)
	require.Equal(t, []any{"", 401, `"{"`}, []any{page.Requests[1].App, page.Requests[1].Status, string(page.Requests[1].Document)})
	require.NoError(t, json.Unmarshal([]byte(b.call("GET", fmt.Sprint("/sandbox/requests?after=", page.Next), "").body), &page))
	require.Len(t, page.Requests, 1)
	require.Equal(t, "/v4/status/detail?message_ids=1", page.Requests[0].Path)
	require.Equal(t, 400, b.call("GET", "/sandbox/requests?limit=x", "").status)
	require.Len(t, b.Requests(), 3)
}

func TestRequestLogIsBounded(t *testing.T) {
	var l requestLog
	for range maxRequests + 5 {
		l.add(Request{Document: json.RawMessage(`{}`)})
	}
	require.Len(t, l.kept, maxRequests)
	require.EqualValues(t, 6, l.kept[0].Seq)
	l.add(Request{Document: make(json.RawMessage, maxRequestBytes)})
	require.Len(t, l.kept, 1)
	require.Equal(t, maxRequestBytes, l.bytes)
}

func TestRunsOnce(t *testing.T) {
	b := newBench(t, Config{})
	b.settle()
	require.Eventually(t, b.started.Load, 10*time.Second, time.Millisecond)
	require.ErrorIs(t, b.Run(context.Background()), ErrRunning)
}

func TestEachAppReportsToAnAddressOfItsOwn(t *testing.T) {
	r := newReceiver(t, nil)
	base, _, _ := strings.Cut(r.url, "/callbacks")
	b := newBench(t, Config{
		Apps:     map[string]string{"app": "secret", "a/b": "secret2"},
		Callback: Callback{URL: base + "/v1/apps/{app_key}/callbacks"},
	})
	b.ok("POST", "/v4/push", pushBody)
	b.advance(time.Hour, time.Minute)
	require.Equal(t, []string{"/v1/apps/app/callbacks"}, r.addresses())
	require.Equal(t, http.StatusOK, b.as("a/b", "secret2", "POST", "/v4/push", pushBody).status)
	b.advance(time.Hour, time.Minute)
	require.Equal(t, []string{"/v1/apps/a%2Fb/callbacks", "/v1/apps/app/callbacks"}, r.addresses())
}
