package api_test

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/server/servertest"
)

// report tells Susul that a message reached a status on devices.
func (w world) report(t testing.TB, parent, upstreamID, status string, ids ...string) *susulv1.ReportCallbacksResponse {
	t.Helper()
	resp, err := w.Callbacks.ReportCallbacks(servertest.AsAdmin(t.Context()), reportOf(parent, upstreamID, status, ids...))
	require.NoError(t, err)
	return resp
}

func reportOf(parent, upstreamID, status string, ids ...string) *susulv1.ReportCallbacksRequest {
	req := &susulv1.ReportCallbacksRequest{Parent: parent}
	for _, id := range ids {
		req.Callbacks = append(req.Callbacks, &susulv1.Callback{UpstreamMessageId: upstreamID, RegistrationId: id, Status: status})
	}
	return req
}

func (w world) reportOn(t testing.TB, push *susulv1.Push) *susulv1.PushReport {
	t.Helper()
	resp, err := w.Callbacks.GetPushReport(servertest.AsAdmin(t.Context()), &susulv1.GetPushReportRequest{Name: push.GetName() + "/report"})
	require.NoError(t, err)
	return resp.GetReport()
}

// postCallbacks posts as EngageLab does to an app that has no callback secret.
func (w world) postCallbacks(t testing.TB, body string, headers ...string) servertest.Response {
	t.Helper()
	return w.Do(t, http.MethodPost, "/v1/"+other+"/callbacks", []byte(body), headers...)
}

// row is one row as EngageLab posts it.
func row(upstreamID, id, status, rest string) string {
	return fmt.Sprintf(`{"message_id":%q,"to":%q,"status":{"message_status":%q}%s}`, upstreamID, id, status, rest)
}

func rows(rows ...string) string { return `{"total":1,"rows":[` + strings.Join(rows, ",") + `]}` }

// signedAs returns a signature that is made now and that nobody has used yet.
func signedAs(user, secret string) string { return signedAt(time.Now(), rand.Text(), user, secret) }

func signedAt(t time.Time, nonce, user, secret string) string {
	s := engagelab.Signature{Timestamp: strconv.FormatInt(t.Unix(), 10), Nonce: nonce, Username: user}
	s.Signature = engagelab.Sign(secret, s.Timestamp, s.Nonce, user)
	return s.Header()
}

// requireCallbackError checks the shape that EngageLab documents for callbacks that failed.
func requireCallbackError(t testing.TB, resp servertest.Response, status int) {
	t.Helper()
	require.Equal(t, status, resp.Status, resp.Body)
	var body struct {
		Code    int
		Message string
	}
	require.NoError(t, json.Unmarshal([]byte(resp.Body), &body), resp.Body)
	require.Equal(t, 2002, body.Code)
	require.NotEmpty(t, body.Message)
}

func (w world) TestCallbackDoor(t *testing.T) {
	path := "/v1/" + app + "/callbacks"
	const echo = `{"echostr":"<b>12345678</b>"}`
	good := signedAs(servertest.CallbackUser, servertest.CallbackSecret)
	for name, header := range map[string]string{
		"unsigned":      "",
		"malformed":     "hello",
		"incomplete":    "timestamp=1;nonce=2;username=engagelab",
		"twice":         good + ";nonce=1",
		"too long":      good + ";" + text(2000),
		"wrong secret":  signedAs(servertest.CallbackUser, "wrong"),
		"wrong user":    signedAs("somebody", servertest.CallbackSecret),
		"wrong message": strings.Replace(good, "nonce=", "nonce=x", 1),
		"master secret": signedAs(servertest.App, servertest.Secret),
	} {
		t.Run(name, func(t *testing.T) {
			for _, body := range []string{echo, rows(), "{"} {
				resp := w.Do(t, http.MethodPost, path, []byte(body), "X-CALLBACK-ID", header)
				requireCallbackError(t, resp, http.StatusUnauthorized)
			}
		})
	}
	resp := w.Do(t, http.MethodPost, path, []byte(echo), "X-CALLBACK-ID", good)
	require.Equal(t, http.StatusOK, resp.Status)
	require.Equal(t, "<b>12345678</b>", resp.Body)
	require.Equal(t, "text/plain; charset=utf-8", resp.Header.Get("Content-Type"), "what somebody sent is no page")

	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, err := zip.Write([]byte(rows()))
	require.NoError(t, err)
	require.NoError(t, zip.Close())
	for name, c := range map[string]struct {
		body   string
		status int
	}{
		"nothing":  {"", http.StatusBadRequest},
		"no JSON":  {"hello", http.StatusBadRequest},
		"a list":   {"[]", http.StatusBadRequest},
		"cut off":  {`{"rows":[{"message_id":"1"`, http.StatusBadRequest},
		"packed":   {packed.String(), http.StatusBadRequest},
		"deep":     {`{"rows":` + strings.Repeat("[", 1<<20), http.StatusBadRequest},
		"enormous": {`{"rows":[` + strings.Repeat(" ", 20<<20) + `]}`, http.StatusRequestEntityTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			requireCallbackError(t, w.postCallbacks(t, c.body), c.status)
		})
	}
	for _, encoding := range []string{"gzip", "br", "identity, gzip"} {
		requireCallbackError(t, w.postCallbacks(t, packed.String(), "Content-Encoding", encoding), http.StatusUnsupportedMediaType)
	}
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
		resp := w.Do(t, method, path, nil, "X-CALLBACK-ID", good)
		requireCallbackError(t, resp, http.StatusMethodNotAllowed)
		require.Equal(t, http.MethodPost, resp.Header.Get("Allow"))
	}
	requireCallbackError(t, w.Do(t, http.MethodPost, "/v1/apps/nobody/callbacks", []byte(rows())), http.StatusNotFound)
	for _, body := range []string{rows(), `{}`, `{"rows":null}`, `{"rows":[7,null,"x"]}`} {
		resp := w.postCallbacks(t, body)
		require.Equal(t, http.StatusOK, resp.Status, body)
		require.Empty(t, resp.Body)
	}
}

func (w world) TestCallbacks(t *testing.T) {
	push := w.create(t, other, pushTo("callbacks", "a", "b", "c"))
	upstream := w.upstreamID(t, "callbacks")
	click := row(upstream, "a", "click", `,"itime":1640707579,"channel":"FCM"`)
	for range 3 {
		resp := w.postCallbacks(t, rows(click, click))
		require.Equal(t, http.StatusOK, resp.Status, resp.Body)
		require.Empty(t, resp.Body)
	}
	w.postCallbacks(t, rows(
		row(upstream, "b", "Displayed", ""), row(upstream, "b", "sent", ""),
		row(upstream, "c", "sent_failed", `,"x":1`), row(upstream, "c", "teleported", ""), row(upstream, "c", "teleported", ""),
	))
	total := w.reportOn(t, push).GetTotal()
	require.EqualValues(t, 3, total.GetTargets())
	require.EqualValues(t, 2, total.GetSent(), "a click implies the sending")
	require.EqualValues(t, 2, total.GetDelivered())
	require.EqualValues(t, 2, total.GetDisplayed())
	require.EqualValues(t, 1, total.GetClicked())
	require.EqualValues(t, 1, total.GetFailed())
	require.InDelta(t, 1.0/3, total.GetClickRate(), 1e-9)

	events := w.events(t, &susulv1.ListEventsRequest{Parent: other, MsgId: push.GetMsgId()})
	var told []string
	for _, event := range events {
		told = append(told, event.GetCallback().GetRegistrationId()+" "+event.GetMilestone().String()+" "+event.GetCallback().GetStatus())
	}
	require.Equal(t, []string{
		"a MILESTONE_CLICKED clicked", "b MILESTONE_DISPLAYED displayed", "b MILESTONE_SENT sent",
		"c MILESTONE_FAILED sent_failed", "c MILESTONE_UNSPECIFIED teleported",
	}, told)
	require.Equal(t, int64(1640707579), events[0].GetCallback().GetEventTime().GetSeconds())
	require.Equal(t, "FCM", events[0].GetCallback().GetChannel())

	t.Run("over both faces", func(t *testing.T) {
		resp := w.report(t, other, upstream, "clicked", "a", "b", "stranger")
		require.Equal(t, []int32{1, 1, 1}, []int32{resp.GetNewCount(), resp.GetRepeatedCount(), resp.GetHeldCount()})
		over, outcome := w.rest(t, asOther, reportOf(other, upstream, "click", "a", "b", "c"))
		require.Zero(t, outcome)
		require.JSONEq(t, `{"newCount":1,"repeatedCount":2,"heldCount":0}`, over.Body)
		require.EqualValues(t, 3, w.reportOn(t, push).GetTotal().GetClicked())
		resp = w.report(t, other, "not-known-yet", "clicked", "a")
		require.EqualValues(t, 1, resp.GetHeldCount())
		resp = w.report(t, app, upstream, "clicked", "a")
		require.EqualValues(t, 1, resp.GetHeldCount(), "another app's message is not this app's")
	})
	t.Run("ahead of its push", func(t *testing.T) {
		next := w.engageLab.next()
		require.EqualValues(t, 1, w.report(t, other, next, "clicked", "a").GetHeldCount())
		push := w.create(t, other, pushTo("reported early", "a"))
		require.Equal(t, next, w.upstreamID(t, "reported early"))
		require.EqualValues(t, 1, w.reportOn(t, push).GetTotal().GetClicked())
	})
	t.Run("recipient", func(t *testing.T) {
		req := &susulv1.GetRecipientRequest{Name: push.GetName() + "/recipients/c"}
		resp, outcome := w.grpc(t, asOther, req)
		require.Zero(t, outcome)
		recipient := resp.(*susulv1.GetRecipientResponse).GetRecipient()
		require.Equal(t, req.GetName(), recipient.GetName())
		require.Equal(t, susulv1.Milestone_MILESTONE_CLICKED, recipient.GetMilestone())
		require.Equal(t, []susulv1.Milestone{1, 2, 3, 4, 5}, recipient.GetSteps()[0].GetMilestones())
		over, outcome := w.rest(t, asOther, req)
		require.Zero(t, outcome)
		require.Equal(t, "c", member(t, over.Body, "registrationId"))
		w.refuses(t, asOther, &susulv1.GetRecipientRequest{Name: push.GetName() + "/recipients/stranger"}, missing)
	})
	t.Run("invalid", func(t *testing.T) {
		w.refuses(t, asOther, &susulv1.ReportCallbacksRequest{Parent: other}, invalid("callbacks"))
		w.refuses(t, asOther, reportOf(other, "", "", ""), invalid(
			"callbacks[0].upstream_message_id", "callbacks[0].registration_id", "callbacks[0].status"))
		w.refuses(t, asOther, reportOf(other, "1", "sent", slices.Repeat([]string{"a"}, 1001)...), invalid("callbacks"))
	})
}

// A time that no calendar has must not make the event, and with it the list, unreadable.
func (w world) TestOddTimes(t *testing.T) {
	push := w.create(t, other, pushTo("odd times", "a", "b", "c", "d"))
	upstream := w.upstreamID(t, "odd times")
	resp := w.postCallbacks(t, rows(
		row(upstream, "a", "sent", `,"itime":1640707579000`), row(upstream, "b", "sent", `,"itime":9223372036854775807`),
		row(upstream, "c", "sent", `,"itime":-9223372036854775808`),
	))
	require.Equal(t, http.StatusOK, resp.Status, resp.Body)
	req := reportOf(other, upstream, "sent", "d")
	req.Callbacks[0].EventTime = &timestamppb.Timestamp{Seconds: 1 << 60, Nanos: -1}
	_, outcome := w.grpc(t, asOther, req)
	require.Zero(t, outcome)
	list := &susulv1.ListEventsRequest{Parent: other, MsgId: push.GetMsgId()}
	for _, event := range w.events(t, list) {
		require.NoError(t, event.GetCallback().GetEventTime().CheckValid())
	}
	over, outcome := w.rest(t, asOther, list)
	require.Zero(t, outcome, over.Body)
	_, outcome = w.grpc(t, asOther, &susulv1.ListEventsRequest{Parent: other, StartTime: &timestamppb.Timestamp{Seconds: 1 << 60}})
	require.Equal(t, []string{"start_time"}, outcome.Fields, outcome.Message)
}

// What EngageLab reports is kept, whatever characters it has.
func (w world) TestZerosInCallbacks(t *testing.T) {
	push := w.create(t, other, pushTo("zeros in callbacks", "a"))
	upstream := w.upstreamID(t, "zeros in callbacks")
	const zero = `\u0000`
	resp := w.postCallbacks(t, `{"rows":[{"message_id":"`+upstream+`","to":"a","server":"`+zero+`","channel":"`+zero+`",
		"status":{"message_status":"delivered","error_code":7,"error_detail":{"message":"`+zero+`"},"loss":{"loss_source":"`+zero+`"}}},
		{"message_id":"`+upstream+zero+`","to":"a","status":{"message_status":"sent"}},
		{"message_id":"`+upstream+`","to":"`+zero+`","status":{"message_status":"`+zero+`"}}]}`)
	require.Equal(t, http.StatusOK, resp.Status, resp.Body)
	req := reportOf(other, upstream, "clicked", "a", "b\x00")
	req.Callbacks[0].ErrorMessage, req.Callbacks[0].Channel, req.Callbacks[0].LossSource = "\x00", "\x00", "\x00"
	req.Callbacks[1].Status = "odd\x00"
	_, outcome := w.grpc(t, asOther, req)
	require.Zero(t, outcome)
	_, outcome = w.rest(t, asOther, req)
	require.Zero(t, outcome)
	total := w.reportOn(t, push).GetTotal()
	require.EqualValues(t, 1, total.GetDelivered())
	require.EqualValues(t, 1, total.GetClicked())
	w.refuses(t, asOther, &susulv1.GetRecipientRequest{Name: push.GetName() + "/recipients/b\x00"}, missing)
	w.refuses(t, asOther, &susulv1.GetDeviceRequest{Name: other + "/devices/b\x00"}, missing)
	w.refuses(t, asOther, &susulv1.DeleteDeviceRequest{Name: other + "/devices/b\x00"}, missing)
	require.Len(t, w.events(t, &susulv1.ListEventsRequest{Parent: other, MsgId: push.GetMsgId()}), 2)
	require.Empty(t, w.events(t, &susulv1.ListEventsRequest{Parent: other, RegistrationId: "c\x00"}))
}
