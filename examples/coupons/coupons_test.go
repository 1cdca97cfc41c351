package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"buf.build/go/protovalidate"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/subscription"
	"susul.dev/susul/server/webhook"
	"susul.dev/susul/storage"
)

const (
	newSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	oldSecret = "the-secret-before-it"
)

// The file is what CreateSubscription takes.
func readSubscription(t *testing.T) *susulv1.Subscription {
	t.Helper()
	text, err := os.ReadFile("subscription.json")
	require.NoError(t, err)
	var s susulv1.Subscription
	require.NoError(t, protojson.Unmarshal(text, &s))
	require.NoError(t, protovalidate.Validate(&s))
	return &s
}

func TestTheSubscriptionIsValid(t *testing.T) {
	s := readSubscription(t)
	require.NoError(t, subscription.Subscription{
		App: "demo", ID: "coupons", DisplayName: s.GetDisplayName(), Description: s.GetDescription(), URL: s.GetUrl(),
		Filter: s.GetFilter(), Secrets: []subscription.Secret{{Key: newSecret}},
	}.Validate())
}

func TestTheSubscriptionSelectsClicksOnPromotions(t *testing.T) {
	filter, err := subscription.CompileFilter(readSubscription(t).GetFilter())
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		milestone storage.Milestone
		args      any
		want      bool
	}{
		"a click on a promotion":   {storage.Clicked, map[string]any{"kind": "promotion", "coupon": "X"}, true},
		"a promotion delivered":    {storage.Delivered, map[string]any{"kind": "promotion"}, false},
		"a promotion displayed":    {storage.Displayed, map[string]any{"kind": "promotion"}, false},
		"a failure":                {storage.Failed, map[string]any{"kind": "promotion"}, false},
		"an unknown status":        {storage.MilestoneUnknown, map[string]any{"kind": "promotion"}, false},
		"a click on news":          {storage.Clicked, map[string]any{"kind": "news"}, false},
		"a click on no kind":       {storage.Clicked, map[string]any{}, false},
		"a click on a string":      {storage.Clicked, "promotion", false},
		"a click on what has none": {storage.Clicked, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, _ := filter.Matches(&storage.Event{Callback: storage.Callback{Milestone: tc.milestone}},
				&subscription.Push{CustomArgs: tc.args})
			require.Equal(t, tc.want, got)
		})
	}
}

// harness is a running service, and Susul's side of it.
type harness struct {
	*httptest.Server
	client *webhook.Client
}

func start(t *testing.T, stock int, secrets ...string) *harness {
	t.Helper()
	h := &harness{httptest.NewServer(newService(secrets, stock).handler()), webhook.NewClient(webhook.Options{AllowPrivateNetworks: true})}
	t.Cleanup(h.Close)
	t.Cleanup(h.client.Close)
	return h
}

// click is an event of a push, in a document as Susul posts it.
func click(sequence, push int64, registrationID string) []byte {
	return event(sequence, push, registrationID, storage.Clicked)
}

func event(sequence, push int64, registrationID string, milestone storage.Milestone) []byte {
	e := storage.Event{Sequence: sequence, PushID: push, Callback: storage.Callback{
		RegistrationID: registrationID, Milestone: milestone, Time: time.Unix(1_640_707_579, 0),
	}}
	return webhook.AppendRow(nil, &e, &subscription.Push{CustomArgsAs: json.RawMessage(`{"kind":"promotion"}`)})
}

// post posts rows, signed with secrets, and returns the status.
func (h *harness) post(t *testing.T, at time.Time, secrets []string, rows ...[]byte) int {
	t.Helper()
	return h.client.Post(t.Context(), webhook.Request{
		URL: h.URL + "/events", ID: "whk-1", Time: at, Body: webhook.Document(subscription.EngageLab, rows, at), Secrets: secrets,
	}).Status
}

// coupons returns who has one, as msg_id/registration_id, and demands that no code is there twice.
func (h *harness) coupons(t *testing.T) []string {
	t.Helper()
	answer, err := http.Get(h.URL + "/coupons")
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	var list []coupon
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&list))
	who, codes := []string{}, map[string]bool{}
	for _, c := range list {
		who = append(who, c.MsgID+"/"+c.RegistrationID)
		codes[c.Code] = true
	}
	require.Len(t, codes, len(list))
	return who
}

func TestOnlyWhatIsSignedWithALiveSecretIsTaken(t *testing.T) {
	now := time.Now()
	for name, tc := range map[string]struct {
		at      time.Time
		secrets []string
		want    int
	}{
		"new and old":                     {now, []string{newSecret, oldSecret}, 204},
		"new alone":                       {now, []string{newSecret}, 204},
		"old alone":                       {now, []string{oldSecret}, 204},
		"wrong":                           {now, []string{"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}, 401},
		"unsigned":                        {now, nil, 401},
		"only webhook-signature is known": {now, []string{oldSecret, "another-secret-yet"}, 401},
		"too old":                         {now.Add(-6 * time.Minute), []string{newSecret}, 401},
		"too new":                         {now.Add(6 * time.Minute), []string{newSecret}, 401},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, 10, newSecret, oldSecret)
			require.Equal(t, tc.want, h.post(t, tc.at, tc.secrets, click(1, 7, "a")))
			require.Len(t, h.coupons(t), map[int]int{204: 1, 401: 0}[tc.want])
		})
	}
}

// What was signed for one body is not good for another, nor without one of the two signatures.
func TestASignedRequestThatIsChangedIsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(r *http.Request, body []byte) []byte
		want   int
	}{
		"as it was":                 {func(_ *http.Request, body []byte) []byte { return body }, 204},
		"another body":              {func(_ *http.Request, body []byte) []byte { return bytes.Replace(body, []byte(`"a"`), []byte(`"b"`), 1) }, 401},
		"another id":                {func(r *http.Request, body []byte) []byte { r.Header.Set("webhook-id", "whk-2"); return body }, 401},
		"without X-CALLBACK-ID":     {func(r *http.Request, body []byte) []byte { r.Header.Del("X-CALLBACK-ID"); return body }, 401},
		"without webhook-signature": {func(r *http.Request, body []byte) []byte { r.Header.Del("webhook-signature"); return body }, 401},
	} {
		t.Run(name, func(t *testing.T) {
			service := newService([]string{newSecret}, 10).handler()
			between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err == nil {
					r.Body = io.NopCloser(bytes.NewReader(tc.change(r, body)))
				}
				service.ServeHTTP(w, r)
			}))
			t.Cleanup(between.Close)
			h := start(t, 0, newSecret)
			h.URL = between.URL
			require.Equal(t, tc.want, h.post(t, time.Now(), []string{newSecret}, click(1, 7, "a")))
			require.Len(t, h.coupons(t), map[int]int{204: 1, 401: 0}[tc.want])
		})
	}
}

func TestThereIsOneCouponForAPersonAndAPush(t *testing.T) {
	h := start(t, 100, newSecret)
	post := func(rows ...[]byte) {
		require.Equal(t, 204, h.post(t, time.Now(), []string{newSecret}, rows...))
	}
	post(click(1, 7, "a"))
	post(click(1, 7, "a"), click(2, 7, "b"))
	post(click(1, 7, "a"), click(2, 7, "b")) // a request is repeated as a whole
	post(click(3, 7, "a"))                   // a click on a follow-up of the push
	post(click(4, 8, "a"))                   // another promotion
	post(event(5, 7, "c", storage.Delivered))
	post(event(6, 7, "d", storage.Displayed), click(2, 7, "b"), click(7, 7, "e"))
	post()
	require.Equal(t, []string{"7/a", "7/b", "8/a", "7/e"}, h.coupons(t))
}

func TestATestIsTakenAndGetsNoCoupon(t *testing.T) {
	h := start(t, 2, newSecret)
	test := bytes.Replace(click(0, 0, "test"), []byte(`"susul":{`), []byte(`"susul":{"test":true,`), 1)
	require.Equal(t, 204, h.post(t, time.Now(), []string{newSecret}, test, click(1, 7, "a")))
	require.Equal(t, []string{"7/a"}, h.coupons(t))
}

func TestCouponsGoWhileStocksLast(t *testing.T) {
	h := start(t, 2, newSecret)
	require.Equal(t, 204, h.post(t, time.Now(), []string{newSecret}, click(1, 7, "a"), click(2, 7, "b"), click(3, 7, "c")))
	require.Equal(t, []string{"7/a", "7/b"}, h.coupons(t))
}

func TestWhatIsNoDocumentIsRefused(t *testing.T) {
	h := start(t, 2, newSecret)
	for body, want := range map[string]int{"[]": 400, "{": 400, `{"rows":{}}`: 400, strings.Repeat(" ", maxBody+1): 413} {
		result := h.client.Post(t.Context(), webhook.Request{
			URL: h.URL + "/events", ID: "whk-1", Time: time.Now(), Body: []byte(body), Secrets: []string{newSecret},
		})
		require.Equal(t, want, result.Status)
	}
	answer, err := http.Get(h.URL + "/events")
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, 405, answer.StatusCode)
}

func TestEventsAreForgottenInTime(t *testing.T) {
	s := newService(nil, 0)
	for i := range maxSeen {
		require.True(t, s.isNew(strconv.Itoa(i)))
	}
	require.False(t, s.isNew("0"))
	for i := range maxSeen {
		require.True(t, s.isNew("later"+strconv.Itoa(i)))
	}
	require.Len(t, s.seen, maxSeen)
	require.True(t, s.isNew("0"))
	require.False(t, s.isNew("later2"))
}

func TestItRunsUntilItIsStopped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	require.NoError(t, run(ctx, "127.0.0.1:0", 1, []string{newSecret}))
	require.ErrorContains(t, run(t.Context(), "127.0.0.1:0", 1, nil), "COUPON_SECRETS")
	require.Error(t, run(t.Context(), "127.0.0.1:not-a-port", 1, []string{newSecret}))
}
