package api_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/clock"
	"susul.dev/susul/server/config"
	"susul.dev/susul/server/servertest"
)

// business is a service of the business's that takes events, until it is told to answer otherwise.
type business struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	events []string // as "event id: registration id status", in the order in which they came
	tests  int
	ids    []string // of the requests
}

func newBusiness(t testing.TB) *business {
	t.Helper()
	b := &business{status: http.StatusNoContent}
	b.Server = httptest.NewServer(http.HandlerFunc(b.serve))
	t.Cleanup(b.Close)
	return b
}

// answer has all later requests answered so.
func (b *business) answer(status int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status = status
}

func (b *business) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var document struct {
		Rows []struct {
			To     string
			Status struct {
				Name string `json:"message_status"`
			}
			Susul struct {
				EventID string `json:"event_id"`
				Test    bool
			}
		}
	}
	_ = json.Unmarshal(body, &document)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ids = append(b.ids, r.Header.Get("webhook-id"))
	w.WriteHeader(b.status)
	if b.status >= 300 {
		_, _ = io.WriteString(w, "out of order")
		return
	}
	for _, row := range document.Rows {
		if row.Susul.Test {
			b.tests++
			continue
		}
		b.events = append(b.events, row.Susul.EventID+": "+row.To+" "+row.Status.Name)
	}
}

// taken returns the events that it took.
func (b *business) taken() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.events)
}

// await waits until it has taken so many events in all.
func (b *business) await(t testing.TB, n int) []string {
	t.Helper()
	require.Eventually(t, func() bool { return len(b.taken()) >= n }, patience, 5*time.Millisecond, "%d events", n)
	taken := b.taken()
	require.Len(t, taken, n)
	return taken
}

// endpoint returns an endpoint of OtherApp's, as both faces show it.
func (w world) endpoint(t testing.TB, name string) *susulv1.RelayEndpoint {
	t.Helper()
	return w.alike(t, asOther, &susulv1.GetRelayEndpointRequest{Name: name}).(*susulv1.GetRelayEndpointResponse).GetRelayEndpoint()
}

// endpointAt returns the endpoint of a callback URL of OtherApp's.
func (w world) endpointAt(t testing.TB, url string) *susulv1.RelayEndpoint {
	t.Helper()
	for _, found := range w.endpoints(t) {
		if found.GetUrl() == url {
			return found
		}
	}
	require.FailNow(t, "there is no such endpoint", url)
	return nil
}

// endpoints returns all of OtherApp's, page by page.
func (w world) endpoints(t testing.TB) (all []*susulv1.RelayEndpoint) {
	t.Helper()
	for token := ""; ; {
		resp, err := w.Relays.ListRelayEndpoints(servertest.As(t.Context(), asOther),
			&susulv1.ListRelayEndpointsRequest{Parent: other, PageSize: 2, PageToken: token})
		require.NoError(t, err)
		require.LessOrEqual(t, len(resp.GetRelayEndpoints()), 2)
		all = append(all, resp.GetRelayEndpoints()...)
		if token = resp.GetNextPageToken(); token == "" {
			return all
		}
	}
}

// inState waits until an endpoint is in a state, and returns it.
func (w world) inState(t testing.TB, name string, state susulv1.RelayEndpointState) *susulv1.RelayEndpoint {
	t.Helper()
	var found *susulv1.RelayEndpoint
	require.Eventually(t, func() bool {
		resp, err := w.Relays.GetRelayEndpoint(servertest.As(t.Context(), asOther), &susulv1.GetRelayEndpointRequest{Name: name})
		found = resp.GetRelayEndpoint()
		return err == nil && found.GetState() == state
	}, patience, 5*time.Millisecond, "%v of %s", state, name)
	return found
}

var wrongState = failure(codes.FailedPrecondition, http.StatusBadRequest, "WRONG_STATE")

func (w world) TestRelayEndpoints(t *testing.T) {
	shop := newBusiness(t)
	push := pushTo("relayed", "a", "b", "c")
	push.CallbackUrls = []string{shop.URL + "/events?shop=1"}
	w.create(t, other, push)
	upstream := w.upstreamID(t, "relayed")
	w.report(t, other, upstream, "sent", "a", "b")
	w.report(t, other, upstream, "click", "a")
	taken := shop.await(t, 3)
	require.Contains(t, taken[2], "a click")

	shown := w.inState(t, w.endpointAt(t, shop.URL+"/events").GetName(), susulv1.RelayEndpointState_RELAY_ENDPOINT_STATE_HEALTHY)
	require.Regexp(t, regexp.MustCompile(`^`+other+`/relayEndpoints/url-[0-9a-f]{16}$`), shown.GetName())
	require.Empty(t, shown.GetSubscription())
	require.Eventually(t, func() bool { return w.endpoint(t, shown.GetName()).GetDeliveredEventCount() == 3 }, patience, 5*time.Millisecond)
	shown = w.endpoint(t, shown.GetName())
	require.Positive(t, shown.GetAttemptCount())
	require.Zero(t, shown.GetFailedAttemptCount())
	require.Equal(t, 1.0, shown.GetSuccessRate())
	require.NotNil(t, shown.GetLastSuccessTime())
	require.NotNil(t, shown.GetCreateTime())
	require.Nil(t, shown.GetNextAttemptTime())
	require.Zero(t, shown.GetLagEvents())

	// Paused, its events wait.
	name := shown.GetName()
	paused := w.alike(t, asOther, &susulv1.PauseRelayEndpointRequest{Name: name}).(*susulv1.PauseRelayEndpointResponse)
	require.Equal(t, susulv1.RelayEndpointState_RELAY_ENDPOINT_STATE_PAUSED, paused.GetRelayEndpoint().GetState())
	w.report(t, other, upstream, "delivered", "a", "b")
	require.Eventually(t, func() bool {
		resp, err := w.Relays.GetRelayEndpoint(servertest.As(t.Context(), asOther), &susulv1.GetRelayEndpointRequest{Name: name})
		return err == nil && resp.GetRelayEndpoint().GetLagEvents() == 2
	}, patience, 5*time.Millisecond)
	require.Len(t, shop.taken(), 3)
	w.testEndpoint(t, shop, name)
	_, outcome := w.grpc(t, asOther, &susulv1.ResumeRelayEndpointRequest{Name: name})
	require.Zero(t, outcome)
	shop.await(t, 5)
	w.inState(t, name, susulv1.RelayEndpointState_RELAY_ENDPOINT_STATE_HEALTHY)
	w.alike(t, asOther, &susulv1.ResumeRelayEndpointRequest{Name: name}) // there is nothing to resume, and no harm

	// 410: it wants nothing any more, until somebody says otherwise.
	shop.answer(http.StatusGone)
	w.report(t, other, upstream, "impression", "a")
	gone := w.inState(t, name, susulv1.RelayEndpointState_RELAY_ENDPOINT_STATE_GONE)
	require.Contains(t, gone.GetLastError(), "410")
	require.NotNil(t, gone.GetLastErrorTime())
	shop.answer(http.StatusNoContent)
	_, outcome = w.rest(t, asOther, &susulv1.ResumeRelayEndpointRequest{Name: name})
	require.Zero(t, outcome)
	require.Contains(t, shop.await(t, 6)[5], "a impression")

	for _, req := range requestsOfEndpoint(other + "/relayEndpoints/url-0000000000000000") {
		told := w.refuses(t, asOther, req, missing)
		require.True(t, strings.HasPrefix(told.Metadata["resource"], other+"/relayEndpoints/url-0000000000000000"), "%T: %v", req, told)
	}
	for _, req := range requestsOfEndpoint(app + name[len(other):]) {
		w.refuses(t, asApp, req, missing) // another app's
	}
	for _, req := range requestsOfEndpoint("apps/nobody/relayEndpoints/url-0000000000000000") {
		require.Equal(t, "apps/nobody", w.refuses(t, asAdmin, req, missing).Metadata["resource"])
	}
	w.refuses(t, asOther, &susulv1.GetRelayEndpointRequest{Name: other + "/relayEndpoints/URL"}, invalid("name"))
}

// requestsOfEndpoint returns a request of each kind that names an endpoint, or what belongs to one.
func requestsOfEndpoint(name string) []proto.Message {
	return []proto.Message{
		&susulv1.GetRelayEndpointRequest{Name: name},
		&susulv1.PauseRelayEndpointRequest{Name: name},
		&susulv1.ResumeRelayEndpointRequest{Name: name},
		&susulv1.TestRelayEndpointRequest{Name: name},
		&susulv1.ListDeadLettersRequest{Parent: name},
		&susulv1.DeleteDeadLetterRequest{Name: name + "/deadLetters/1"},
		&susulv1.ReplayEventsRequest{Parent: name, EventId: "1"},
		&susulv1.ReplayEventsRequest{Parent: name, DeadLetter: name + "/deadLetters/1"},
		&susulv1.ReplayEventsRequest{Parent: name, MsgId: "1"},
		&susulv1.ListReplaysRequest{Parent: name},
		&susulv1.CancelReplayRequest{Name: name + "/replays/1"},
	}
}

// testEndpoint tries the way to an endpoint, also when it fails.
func (w world) testEndpoint(t *testing.T, at *business, name string) {
	t.Helper()
	before := w.endpointOf(t, name)
	resp, outcome := w.grpc(t, asOther, &susulv1.TestRelayEndpointRequest{Name: name})
	require.Zero(t, outcome)
	told := resp.(*susulv1.TestRelayEndpointResponse)
	require.True(t, told.GetSuccess(), told)
	require.EqualValues(t, http.StatusNoContent, told.GetHttpStatus())
	require.Empty(t, told.GetError())
	require.Positive(t, told.GetDuration().AsDuration())
	at.answer(http.StatusInternalServerError)
	over, outcome := w.rest(t, asOther, &susulv1.TestRelayEndpointRequest{Name: name})
	require.Zero(t, outcome, over.Body)
	at.answer(http.StatusNoContent)
	require.Contains(t, over.Body, `"success":false`)
	require.Contains(t, over.Body, `"httpStatus":500`)
	require.Equal(t, "out of order", member(t, over.Body, "body"))
	require.Contains(t, member(t, over.Body, "error"), "500")
	at.mu.Lock()
	require.Equal(t, 1, at.tests)
	require.Equal(t, []string{told.GetWebhookId(), member(t, over.Body, "webhookId")}, at.ids[len(at.ids)-2:])
	at.mu.Unlock()
	after := w.endpointOf(t, name)
	require.Equal(t, before.GetAttemptCount(), after.GetAttemptCount(), "no trace of it")
	require.Equal(t, before.GetFailedAttemptCount(), after.GetFailedAttemptCount())
	require.Equal(t, before.GetLastError(), after.GetLastError())
}

// A subscription gets what it selects from its creation on, and its endpoint follows its pause.
func (w world) TestSubscribedEndpoint(t *testing.T) {
	shop := newBusiness(t)
	w.create(t, other, pushTo("before it", "a", "b", "c"))
	upstream := w.upstreamID(t, "before it")
	w.report(t, other, upstream, "click", "a") // nobody wants it yet
	s := w.subscribe(t, "clicks", func(s *susulv1.Subscription) { s.Url, s.Paused = shop.URL, false })
	w.report(t, other, upstream, "sent", "a", "b", "c")
	w.report(t, other, upstream, "click", "b")
	require.Regexp(t, `^[0-9]+: b click$`, shop.await(t, 1)[0])

	name := s.GetRelayEndpoint()
	shown := w.inState(t, name, susulv1.RelayEndpointState_RELAY_ENDPOINT_STATE_HEALTHY)
	require.Equal(t, s.GetName(), shown.GetSubscription())
	require.Equal(t, shop.URL, shown.GetUrl())
	names := []string{}
	for _, found := range w.endpoints(t) {
		names = append(names, found.GetName())
	}
	require.Contains(t, names, name)
	require.True(t, slices.IsSorted(names), names)
	w.refuses(t, asOther, &susulv1.PauseRelayEndpointRequest{Name: name}, wrongState)

	pause := func(paused bool) {
		_, outcome := w.grpc(t, asOther, &susulv1.UpdateSubscriptionRequest{
			Subscription: &susulv1.Subscription{Name: s.GetName(), Paused: paused}, UpdateMask: mask("paused"),
		})
		require.Zero(t, outcome)
	}
	pause(true)
	w.inState(t, name, susulv1.RelayEndpointState_RELAY_ENDPOINT_STATE_PAUSED)
	w.refuses(t, asOther, &susulv1.ResumeRelayEndpointRequest{Name: name}, wrongState)
	w.report(t, other, upstream, "click", "c")
	pause(false)
	require.Regexp(t, `^[0-9]+: c click$`, shop.await(t, 2)[1])

	_, outcome := w.grpc(t, asOther, &susulv1.DeleteSubscriptionRequest{Name: s.GetName()})
	require.Zero(t, outcome)
	require.Eventually(t, func() bool {
		_, outcome := w.grpc(t, asOther, &susulv1.GetRelayEndpointRequest{Name: name})
		return outcome.Reason == "NOT_FOUND"
	}, patience, 5*time.Millisecond)
}

func (w world) TestReplays(t *testing.T) {
	shop := newBusiness(t)
	push := pushTo("replayed", "a", "b")
	push.CallbackUrls = []string{shop.URL}
	created := w.create(t, other, push)
	upstream := w.upstreamID(t, "replayed")
	w.postCallbacks(t, rows(row(upstream, "a", "sent", `,"itime":1000`), row(upstream, "b", "sent", `,"itime":2000`)))
	w.postCallbacks(t, rows(row(upstream, "b", "click", `,"itime":3000`)))
	taken := shop.await(t, 3)
	name := w.endpointAt(t, shop.URL).GetName()
	click, _, _ := strings.Cut(taken[2], ":")
	at := func(seconds int64) *timestamppb.Timestamp { return &timestamppb.Timestamp{Seconds: seconds} }

	total := len(taken)
	for _, c := range []struct {
		what string
		req  *susulv1.ReplayEventsRequest
		want []string
	}{
		{"an event", &susulv1.ReplayEventsRequest{EventId: click}, taken[2:]},
		{"a push", &susulv1.ReplayEventsRequest{MsgId: created.GetMsgId()}, taken},
		{"a span", &susulv1.ReplayEventsRequest{MsgId: created.GetMsgId(), StartTime: at(1500), EndTime: at(3000)}, taken[1:2]},
		{"from", &susulv1.ReplayEventsRequest{MsgId: created.GetMsgId(), StartTime: at(2000)}, taken[1:]},
		{"until", &susulv1.ReplayEventsRequest{MsgId: created.GetMsgId(), EndTime: at(2000)}, taken[:1]},
	} {
		c.req.Parent = name
		resp, outcome := w.grpc(t, asOther, c.req)
		require.Zero(t, outcome, c.what)
		replay := resp.(*susulv1.ReplayEventsResponse).GetReplay()
		require.Regexp(t, regexp.MustCompile(`^`+name+`/replays/[1-9][0-9]*$`), replay.GetName())
		require.Equal(t, c.req.GetMsgId(), replay.GetMsgId())
		require.NotNil(t, replay.GetCreateTime())
		total += len(c.want)
		require.Equal(t, c.want, shop.await(t, total)[total-len(c.want):], c.what)
	}
	require.Eventually(t, func() bool {
		resp, outcome := w.grpc(t, asOther, &susulv1.ListReplaysRequest{Parent: name})
		require.Zero(t, outcome)
		return len(resp.(*susulv1.ListReplaysResponse).GetReplays()) == 0
	}, patience, 5*time.Millisecond, "they are done")

	// A paused endpoint's wait, and can be cancelled.
	_, outcome := w.grpc(t, asOther, &susulv1.PauseRelayEndpointRequest{Name: name})
	require.Zero(t, outcome)
	again := &susulv1.ReplayEventsRequest{Parent: name, MsgId: created.GetMsgId(), StartTime: at(1000), EndTime: at(2001)}
	overREST, outcome := w.rest(t, asOther, again)
	require.Zero(t, outcome, overREST.Body)
	for range 2 {
		_, outcome = w.grpc(t, asOther, again)
		require.Zero(t, outcome)
	}
	var waiting []*susulv1.Replay
	for token := ""; ; {
		page := w.alike(t, asOther, &susulv1.ListReplaysRequest{Parent: name, PageSize: 2, PageToken: token}).(*susulv1.ListReplaysResponse)
		require.LessOrEqual(t, len(page.GetReplays()), 2)
		waiting = append(waiting, page.GetReplays()...)
		if token = page.GetNextPageToken(); token == "" {
			break
		}
		w.refuses(t, asOther, &susulv1.ListDeadLettersRequest{Parent: name, PageToken: token}, invalid("page_token"))
	}
	require.Len(t, waiting, 3)
	require.Equal(t, member(t, overREST.Body, "name"), waiting[0].GetName())
	require.Equal(t, again.GetStartTime().AsTime(), waiting[0].GetStartTime().AsTime())
	require.Equal(t, again.GetEndTime().AsTime(), waiting[0].GetEndTime().AsTime())
	require.EqualValues(t, 3, w.endpoint(t, name).GetOpenReplayCount())
	for i, replay := range waiting {
		cancel := &susulv1.CancelReplayRequest{Name: replay.GetName()}
		if i == 0 {
			_, outcome = w.rest(t, asOther, cancel)
		} else {
			_, outcome = w.grpc(t, asOther, cancel)
		}
		require.Zero(t, outcome)
		require.Equal(t, replay.GetName(), w.refuses(t, asOther, cancel, missing).Metadata["resource"])
	}
	require.Zero(t, w.endpoint(t, name).GetOpenReplayCount())
	_, outcome = w.grpc(t, asOther, &susulv1.ResumeRelayEndpointRequest{Name: name})
	require.Zero(t, outcome)
	w.report(t, other, upstream, "delivered", "b")
	require.Contains(t, shop.await(t, total+1)[total], "b delivered", "the cancelled ones never came")

	w.invalidReplays(t, name)
}

func (w world) invalidReplays(t *testing.T, name string) {
	t.Helper()
	at := func(seconds int64) *timestamppb.Timestamp { return &timestamppb.Timestamp{Seconds: seconds} }
	letter := name + "/deadLetters/1"
	for what, c := range map[string]struct {
		req  *susulv1.ReplayEventsRequest
		want want
	}{
		"nothing":               {&susulv1.ReplayEventsRequest{}, invalid("")},
		"event and push":        {&susulv1.ReplayEventsRequest{EventId: "1", MsgId: "1"}, invalid("")},
		"event and time":        {&susulv1.ReplayEventsRequest{EventId: "1", StartTime: at(1)}, invalid("")},
		"event and dead letter": {&susulv1.ReplayEventsRequest{EventId: "1", DeadLetter: letter}, invalid("")},
		"dead letter and time":  {&susulv1.ReplayEventsRequest{DeadLetter: letter, EndTime: at(1)}, invalid("")},
		"odd event":             {&susulv1.ReplayEventsRequest{EventId: "x"}, invalid("event_id")},
		"event 0":               {&susulv1.ReplayEventsRequest{EventId: "0"}, invalid("event_id")},
		"large event":           {&susulv1.ReplayEventsRequest{EventId: "9999999999999999999"}, invalid("event_id")},
		"large push":            {&susulv1.ReplayEventsRequest{MsgId: "9999999999999999999"}, invalid("msg_id")},
		"reversed span":         {&susulv1.ReplayEventsRequest{StartTime: at(2), EndTime: at(1)}, invalid("end_time")},
		"another's letter": {
			&susulv1.ReplayEventsRequest{DeadLetter: other + "/relayEndpoints/url-1/deadLetters/1"}, invalid("dead_letter"),
		},
		"all at once": {
			&susulv1.ReplayEventsRequest{EventId: "x", MsgId: "9999999999999999999", DeadLetter: "x"},
			invalid("", "event_id", "msg_id", "dead_letter"),
		},
		"unknown letter": {&susulv1.ReplayEventsRequest{DeadLetter: letter}, missing},
	} {
		c.req.Parent = name
		told := w.refuses(t, asOther, c.req, c.want)
		require.NotContains(t, told.Message, ": :", what)
	}
	require.Equal(t, letter, w.refuses(t, asOther, &susulv1.ReplayEventsRequest{Parent: name, DeadLetter: letter}, missing).Metadata["resource"])
	for _, req := range []*susulv1.ReplayEventsRequest{{EventId: "999999999"}, {MsgId: "1"}, {EndTime: at(1)}} {
		req.Parent = name
		require.Equal(t, other+"/events", w.refuses(t, asOther, req, missing).Metadata["resource"])
	}
	w.refuses(t, asOther, &susulv1.ListReplaysRequest{Parent: name, PageSize: 1001}, invalid("page_size"))
	w.refuses(t, asOther, &susulv1.ListDeadLettersRequest{Parent: name, PageToken: "x"}, invalid("page_token"))
	w.refuses(t, asOther, &susulv1.ListRelayEndpointsRequest{Parent: other, PageToken: "x"}, invalid("page_token"))
	w.refuses(t, asOther, &susulv1.DeleteDeadLetterRequest{Name: letter + "x"}, invalid("name"))
	w.refuses(t, asOther, &susulv1.DeleteDeadLetterRequest{Name: name + "/deadLetters/9999999999999999999"}, invalid("name"))
	w.refuses(t, asOther, &susulv1.CancelReplayRequest{Name: name + "/replays/0"}, invalid("name"))
}

// A receiver that is down for longer than events are tried gets dead letters, at a thousand times the speed.
func TestDeadLetters(t *testing.T) {
	shop := newBusiness(t)
	shop.answer(http.StatusBadGateway)
	lab := newEngageLab(t)
	w := world{engageLab: lab, secrets: &[]string{}}
	w.faces = faces{servertest.Start(t, servertest.Options{Clock: clock.Scaled(1000), Configure: func(cfg *config.Config) {
		cfg.Apps[1].BaseURL = lab.URL
		cfg.Relay.AllowPrivateNetworks, cfg.Relay.MaxAge = true, 30*time.Minute
	}})}
	for i := range 3 {
		id := strconv.Itoa(i)
		push := pushTo("dead "+id, "a", "b")
		push.CallbackUrls = []string{shop.URL + "/" + id}
		w.create(t, other, push)
		w.report(t, other, w.upstreamID(t, "dead "+id), "sent", "a", "b")
	}
	names := make([]string, 3)
	letters := make([]*susulv1.DeadLetter, 3)
	for i := range names {
		names[i] = w.endpointAt(t, shop.URL+"/"+strconv.Itoa(i)).GetName()
		var found []*susulv1.DeadLetter
		require.Eventually(t, func() bool {
			resp, err := w.Relays.ListDeadLetters(servertest.As(t.Context(), asOther), &susulv1.ListDeadLettersRequest{Parent: names[i]})
			require.NoError(t, err)
			found = resp.GetDeadLetters()
			return len(found) > 0
		}, patience, 10*time.Millisecond)
		require.Len(t, found, 1)
		letters[i] = found[0]
		require.Regexp(t, regexp.MustCompile(`^`+names[i]+`/deadLetters/[1-9][0-9]*$`), found[0].GetName())
		require.EqualValues(t, 2, found[0].GetEventCount())
		require.LessOrEqual(t, found[0].GetFirstSequence(), found[0].GetLastSequence())
		require.Contains(t, found[0].GetLastError(), "502")
		require.Positive(t, found[0].GetFailureCount())
		require.GreaterOrEqual(t, found[0].GetCreateTime().AsTime().Sub(found[0].GetFailingSince().AsTime()), 30*time.Minute)
		require.EqualValues(t, 1, w.endpointOf(t, names[i]).GetDeadLetterCount())
	}
	listed := w.alike(t, asOther, &susulv1.ListDeadLettersRequest{Parent: names[0]}).(*susulv1.ListDeadLettersResponse)
	require.True(t, proto.Equal(letters[0], listed.GetDeadLetters()[0]))

	forget := &susulv1.DeleteDeadLetterRequest{Name: letters[0].GetName()}
	_, outcome := w.rest(t, asOther, forget)
	require.Zero(t, outcome)
	require.Equal(t, forget.GetName(), w.refuses(t, asOther, forget, missing).Metadata["resource"])
	require.Zero(t, w.endpointOf(t, names[0]).GetDeadLetterCount())

	shop.answer(http.StatusNoContent)
	replay := &susulv1.ReplayEventsRequest{Parent: names[1], DeadLetter: letters[1].GetName()}
	_, outcome = w.rest(t, asOther, replay)
	require.Zero(t, outcome)
	require.Equal(t, replay.GetDeadLetter(), w.refuses(t, asOther, replay, missing).Metadata["resource"], "it is one no more")
	_, outcome = w.grpc(t, asOther, &susulv1.ResumeRelayEndpointRequest{Name: names[1]})
	require.Zero(t, outcome)
	taken := shop.await(t, 2)
	require.Regexp(t, `^[0-9]+: a sent$`, taken[0])
	require.Regexp(t, `^[0-9]+: b sent$`, taken[1])
}

// endpointOf is endpoint for one whose figures change all the time.
func (w world) endpointOf(t testing.TB, name string) *susulv1.RelayEndpoint {
	t.Helper()
	resp, err := w.Relays.GetRelayEndpoint(servertest.As(t.Context(), asOther), &susulv1.GetRelayEndpointRequest{Name: name})
	require.NoError(t, err)
	return resp.GetRelayEndpoint()
}
