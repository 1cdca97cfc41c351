package engagelab_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/engagelab"
)

const accepted = `{"request_id":"r1","msg_id":"1666165485030094861"}`

// upstream is an HTTP server that answers the n-th request (from 1) with answer, and a client that calls it.
type upstream struct {
	*engagelab.Client
	seen atomic.Int64
	logs bytes.Buffer
}

func newUpstream(t *testing.T, o engagelab.ClientOptions, answer func(n int64, w http.ResponseWriter, r *http.Request)) *upstream {
	t.Helper()
	u := &upstream{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(u.seen.Add(1), w, r)
	}))
	o.BaseURL, o.AppKey, o.MasterSecret = server.URL+"/", "app", "hush-hush"
	o.Logger = slog.New(slog.NewTextHandler(&u.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	u.Client = engagelab.NewClient(o)
	t.Cleanup(func() {
		u.Close()
		server.Close()
		require.NotContains(t, u.logs.String(), "hush-hush")
	})
	return u
}

func (u *upstream) push(ctx context.Context) (engagelab.PushResponse, error) {
	return u.Push(ctx, []byte(`{"to":"all"}`))
}

func say(w io.Writer, text string) { _, _ = io.WriteString(w, text) }

// drain reads a request to its end, without which a server does not notice that the client went away.
func drain(r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }

func TestCallsAreWellFormed(t *testing.T) {
	var got string
	u := newUpstream(t, engagelab.ClientOptions{}, func(_ int64, w http.ResponseWriter, r *http.Request) {
		user, secret, _ := r.BasicAuth()
		body, _ := io.ReadAll(r.Body)
		got = fmt.Sprintf("%s %s %s:%s %s %s", r.Method, r.URL.RequestURI(), user, secret, r.Header.Get("Content-Type"), body)
		switch {
		case strings.Contains(r.URL.Path, "batch/message"):
			say(w, `[{"message_id":"5","new":1e400}]`)
		case strings.Contains(r.URL.Path, "batch"):
			say(w, `{"results":{"a":{"target":"a","success":true,"msg_id":1666165485030094861},"b":{"target":"b","success":false,"msg_id":"","error":{"code":"23008","message":"slow"}}}}`)
		case strings.Contains(r.URL.Path, "detail"):
			say(w, `{"5":{"targets":9,"clicks":1,"sub":{"notification":{"target":9,"click":1,"sub_android":{"fcm":{"sent":3}}},"message":null}}}`)
		case strings.Contains(r.URL.Path, "status"):
			say(w, `{"a":{"status":1,"error_message":null},"b":{"status":"click"}}`)
		default:
			say(w, `{"request_id":7,"msg_id":1666165485030094861,"new":{}}`)
		}
	})
	answered := engagelab.PushResponse{RequestID: "7", MsgID: "1666165485030094861"}
	ctx := t.Context()
	for _, c := range []struct {
		name string
		call func() (any, error)
		want any
		sent string
	}{
		{"push", func() (any, error) { return u.Push(ctx, []byte("{}")) }, answered,
			"POST /v4/push app:hush-hush application/json {}"},
		{"validate", func() (any, error) { return u.Validate(ctx, []byte("{}")) }, answered,
			"POST /v4/push/validate app:hush-hush application/json {}"},
		{"withdraw", func() (any, error) { return u.Withdraw(ctx, "5/6") }, answered,
			"DELETE /v4/push/withdraw/5%2F6 app:hush-hush  "},
		{"batch", func() (any, error) { return u.BatchPush(ctx, engagelab.BatchAlias, []byte("{}"), 2) },
			engagelab.BatchResponse{Results: map[string]engagelab.BatchResult{
				"a": {Target: "a", Success: true, MsgID: "1666165485030094861"}, "b": {Target: "b", Code: 23008, Message: "slow"}}},
			"POST /v4/batch/push/alias app:hush-hush application/json {}"},
		{"detail", func() (any, error) { return u.StatusDetail(ctx, []string{"5", "6"}) },
			map[string]engagelab.StatusDetail{"5": {
				Totals: engagelab.Totals{Targets: 9, Clicks: 1},
				Sub: engagelab.SubDetail{Notification: engagelab.KindDetail{
					Target: 9, Click: 1, SubAndroid: map[string]engagelab.Totals{"fcm": {Sent: 3}}}}}},
			"GET /v4/status/detail?message_ids=5%2C6 app:hush-hush  "},
		{"states", func() (any, error) { return u.StatusBatch(ctx, []string{"5", "6"}) },
			[]json.RawMessage{json.RawMessage(`{"message_id":"5","new":1e400}`)},
			"GET /v4/status/batch/message?message_ids=5%2C6 app:hush-hush  "},
		{"delete", func() (any, error) { return nil, u.DeleteDevice(ctx, "a/b") }, nil,
			"DELETE /v4/devices/a%2Fb app:hush-hush  "},
		{"message", func() (any, error) { return u.StatusMessage(ctx, "5", []string{"a", "b"}) },
			map[string]engagelab.StatusMessage{"a": {Status: "1"}, "b": {Status: "click"}},
			"GET /v4/status/message?message_id=5&registration_ids=a%2Cb app:hush-hush  "},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer, err := c.call()
			require.NoError(t, err)
			require.Equal(t, c.want, answer)
			require.Equal(t, c.sent, got)
		})
	}
	_, err := u.BatchPush(ctx, "tags", nil, 1)
	require.ErrorContains(t, err, "unknown kind")
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		status   int
		body     string
		header   string
		want     engagelab.Error
		attempts int64
	}{
		"wrapped": {400, `{"error":{"code":21003,"message":"to is invalid"}}`, "", engagelab.Error{Code: 21003, Message: "to is invalid"}, 1},
		"bare":    {401, `{"code":21004,"message":"auth"}`, "", engagelab.Error{Code: 21004, Message: "auth"}, 1},
		"text": {404, "<h1>no\n\x00such\xff page</h1>" + strings.Repeat("é", 500), "",
			engagelab.Error{Message: "<h1>no such page</h1>" + strings.Repeat("é", 179)}, 1},
		"empty":           {403, ``, "", engagelab.Error{Message: "forbidden"}, 1},
		"redirect":        {302, ``, "", engagelab.Error{Message: "found"}, 1},
		"over quota":      {429, `{"error":{"code":23008,"message":"slow"}}`, "", engagelab.Error{Code: 23008, Message: "slow"}, 3},
		"down":            {503, `{"code":21030,"message":"later"}`, "", engagelab.Error{Code: 21030, Message: "later"}, 3},
		"broken":          {500, `{"code":27000,"message":"oops"}`, "", engagelab.Error{Code: 27000, Message: "oops"}, 3},
		"asks for longer": {429, `{}`, "60", engagelab.Error{Message: "{}", RetryAfter: time.Minute}, 1},
		"names a moment":  {429, `{}`, "Mon, 02 Mar 2026 08:01:00 GMT", engagelab.Error{Message: "{}", RetryAfter: time.Minute}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUpstream(t, engagelab.ClientOptions{}, func(_ int64, w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "/elsewhere")
				w.Header().Set("Date", "Mon, 02 Mar 2026 08:00:00 GMT")
				if c.header != "" {
					w.Header().Set("Retry-After", c.header)
				}
				w.WriteHeader(c.status)
				say(w, c.body)
			})
			_, err := u.push(t.Context())
			var got *engagelab.Error
			require.ErrorAs(t, err, &got)
			c.want.HTTPStatus = c.status
			require.Equal(t, c.want, *got)
			require.Equal(t, c.attempts, u.seen.Load())
			require.Equal(t, c.status == http.StatusInternalServerError, engagelab.Ambiguous(err))
			require.Equal(t, c.status == 429 || c.status >= 500, got.Temporary())
		})
	}
}

func TestRetrySucceeds(t *testing.T) {
	var secondAfter time.Duration
	began := time.Now()
	u := newUpstream(t, engagelab.ClientOptions{}, func(n int64, w http.ResponseWriter, _ *http.Request) {
		switch n {
		case 1:
			w.Header().Set("Retry-After", "1")
			engagelab.WriteError(w, http.StatusTooManyRequests, engagelab.CodeOverQuota, "slow down")
		case 2:
			secondAfter = time.Since(began)
			panic(http.ErrAbortHandler) // the connection breaks
		default:
			say(w, accepted)
		}
	})
	answer, err := u.push(t.Context())
	require.NoError(t, err)
	require.Equal(t, "1666165485030094861", answer.MsgID)
	require.GreaterOrEqual(t, secondAfter, time.Second)
	require.EqualValues(t, 3, u.seen.Load())
}

func TestRetryStaysWithinTheDeadline(t *testing.T) {
	u := newUpstream(t, engagelab.ClientOptions{}, func(_ int64, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "2")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	ctx, cancel := context.WithTimeout(t.Context(), 1900*time.Millisecond)
	defer cancel()
	_, err := u.push(ctx)
	require.NoError(t, ctx.Err(), "there was no point in waiting")
	require.False(t, engagelab.Ambiguous(err), "503 says that nothing was taken")
	require.EqualValues(t, 1, u.seen.Load())
}

func TestGroupPushIsNotRepeatedOnceSent(t *testing.T) {
	for name, c := range map[string]struct {
		fail      func(http.ResponseWriter)
		attempts  int64
		ambiguous bool
	}{
		"5xx":               {func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }, 1, true},
		"connection breaks": {func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, 1, true},
		"unreadable answer": {func(w http.ResponseWriter) { say(w, "ok") }, 1, true},
		"over quota":        {func(w http.ResponseWriter) { w.WriteHeader(http.StatusTooManyRequests) }, 3, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUpstream(t, engagelab.ClientOptions{}, func(_ int64, w http.ResponseWriter, _ *http.Request) { c.fail(w) })
			_, err := u.GroupPush(t.Context(), []byte("{}"))
			require.Error(t, err)
			require.Equal(t, c.ambiguous, engagelab.Ambiguous(err))
			require.Equal(t, c.attempts, u.seen.Load())
		})
	}
}

func TestBatchIsRepeated(t *testing.T) {
	u := newUpstream(t, engagelab.ClientOptions{}, func(n int64, w http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			panic(http.ErrAbortHandler) // the connection breaks
		}
		say(w, `{"results":{"a":{"target":"a","success":true,"msg_id":5}}}`)
	})
	answer, err := u.BatchPush(t.Context(), engagelab.BatchRegID, []byte("{}"), 1)
	require.NoError(t, err)
	require.Equal(t, json.Number("5"), answer.Results["a"].MsgID)
	require.EqualValues(t, 2, u.seen.Load())
}

func TestDeletingADevice(t *testing.T) {
	for status, done := range map[int]bool{200: true, 204: true, 404: true, 400: false, 401: false, 500: false} {
		u := newUpstream(t, engagelab.ClientOptions{}, func(_ int64, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		err := u.DeleteDevice(t.Context(), "a")
		require.Equal(t, done, err == nil, "HTTP %d: %v", status, err)
	}
}

func TestNothingListens(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	client := engagelab.NewClient(engagelab.ClientOptions{BaseURL: "http://" + listener.Addr().String()})
	_, err = client.GroupPush(t.Context(), []byte("{}"))
	require.Error(t, err)
	require.False(t, engagelab.Ambiguous(err), "nothing was written")
}

func TestDoubtOutlivesAQuietEnd(t *testing.T) {
	u := newUpstream(t, engagelab.ClientOptions{}, func(n int64, w http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		w.WriteHeader(http.StatusTooManyRequests)
	})
	_, err := u.push(t.Context())
	require.True(t, engagelab.Ambiguous(err), "the first attempt may have been accepted")
}

func TestAttemptTimesOut(t *testing.T) {
	u := newUpstream(t, engagelab.ClientOptions{AttemptTimeout: 50 * time.Millisecond},
		func(n int64, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				drain(r)
				<-r.Context().Done()
				return
			}
			say(w, accepted)
		})
	_, err := u.push(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2, u.seen.Load())
}

func TestCancellation(t *testing.T) {
	arrived := make(chan struct{})
	u := newUpstream(t, engagelab.ClientOptions{}, func(_ int64, _ http.ResponseWriter, r *http.Request) {
		drain(r)
		close(arrived)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	_, err := u.push(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.True(t, engagelab.Ambiguous(err))
	require.EqualValues(t, 1, u.seen.Load())

	_, err = u.push(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, engagelab.Ambiguous(err), "nothing was sent")
}

func TestBadSuccesses(t *testing.T) {
	for name, body := range map[string]string{
		"huge": `{"msg_id":"1","x":"` + strings.Repeat("x", 1<<20) + `"}`, "no id": `{}`, "not JSON": `<html>`,
	} {
		t.Run(name, func(t *testing.T) {
			u := newUpstream(t, engagelab.ClientOptions{}, func(_ int64, w http.ResponseWriter, _ *http.Request) { say(w, body) })
			_, err := u.push(t.Context())
			require.Error(t, err)
			require.True(t, engagelab.Ambiguous(err), "EngageLab did say 200")
		})
	}
}

func TestQuota(t *testing.T) {
	clock := clockwork.NewFakeClock()
	u := newUpstream(t, engagelab.ClientOptions{Clock: clock, RequestsPerSecond: 10},
		func(_ int64, w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "batch") {
				say(w, `{"results":{}}`)
				return
			}
			say(w, accepted)
		})
	batch := func(ctx context.Context, targets int) error {
		_, err := u.BatchPush(ctx, engagelab.BatchRegID, []byte("{}"), targets)
		return err
	}
	require.NoError(t, batch(t.Context(), 10), "a second's worth is there at once")

	short, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.ErrorIs(t, batch(short, 700), engagelab.ErrOverQuota)
	require.NoError(t, short.Err(), "it did not wait to find out")

	ctx, abandon := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- batch(ctx, 500) }()
	require.NoError(t, clock.BlockUntilContext(t.Context(), 1))
	abandon()
	require.ErrorIs(t, <-done, context.Canceled)

	go func() { done <- batch(t.Context(), 25) }()
	require.NoError(t, clock.BlockUntilContext(t.Context(), 1))
	clock.Advance(2400 * time.Millisecond)
	require.EqualValues(t, 1, u.seen.Load(), "24 of 25 units are there")
	clock.Advance(100 * time.Millisecond)
	require.NoError(t, <-done, "what was given up did not count")
	require.EqualValues(t, 2, u.seen.Load())
}

// A fresh push that comes while a large follow-up waits goes first, and as fast as if it were alone.
func TestFreshPushesGoBeforeFollowUps(t *testing.T) {
	clock := clockwork.NewFakeClock()
	var batches atomic.Int64
	u := newUpstream(t, engagelab.ClientOptions{Clock: clock, RequestsPerSecond: 100},
		func(_ int64, w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "batch") {
				batches.Add(1)
				say(w, `{"results":{}}`)
				return
			}
			say(w, accepted)
		})
	batch := func(ctx context.Context, targets int) error {
		_, err := u.BatchPush(ctx, engagelab.BatchRegID, []byte("{}"), targets)
		return err
	}
	fresh := func(n int) {
		t.Helper()
		for range n {
			_, err := u.push(t.Context())
			require.NoError(t, err, "it did not have to wait: nobody moves the clock")
		}
	}
	require.NoError(t, batch(engagelab.Yielding(t.Context()), 100), "what is free is free for follow-ups, too")

	followUp := make(chan error, 1)
	go func() { followUp <- batch(engagelab.Yielding(t.Context()), 90) }()
	for range 5 {
		require.NoError(t, clock.BlockUntilContext(t.Context(), 1))
		clock.Advance(800 * time.Millisecond)
		fresh(80)
		require.EqualValues(t, 1, batches.Load(), "of 90 units there were never more than 80")
	}
	short, cancel := context.WithTimeout(engagelab.Yielding(t.Context()), 100*time.Millisecond)
	defer cancel()
	_, err := u.StatusMessage(short, "5", []string{"a"})
	require.ErrorIs(t, err, engagelab.ErrOverQuota, "it comes after the follow-up that waits")

	require.NoError(t, clock.BlockUntilContext(t.Context(), 1))
	clock.Advance(900 * time.Millisecond)
	require.NoError(t, <-followUp)
	require.EqualValues(t, 2, batches.Load())
}

func TestWriteError(t *testing.T) {
	w := httptest.NewRecorder()
	engagelab.WriteError(w, http.StatusBadRequest, engagelab.CodeInvalidParameter, `"to" is wrong`)
	require.Equal(t, http.StatusBadRequest, w.Code)
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.JSONEq(t, `{"error":{"code":21003,"message":"\"to\" is wrong"}}`, w.Body.String())
}

func TestStatusDetailKeepsItsShape(t *testing.T) {
	detail := engagelab.StatusDetail{Totals: engagelab.Totals{Targets: 2}}
	written, err := json.Marshal(detail)
	require.NoError(t, err)
	require.Contains(t, string(written), `{"targets":2,"sent":0,"delivered":0,"impressions":0,"clicks":0,"sub":{"notification":{"target":0,`)
}
