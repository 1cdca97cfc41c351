package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/config"
	"susul.dev/susul/server/servertest"
)

// wrongApp is an app whose master secret EngageLab does not know.
const (
	wrongApp    = "app-wrong"
	wrongSecret = "not-what-engagelab-has"

	// group is a group of apps in OtherApp's data centre.
	group       = "all-apps"
	groupSecret = "all-apps-master-secret"

	patience = 20 * time.Second
)

var (
	asApp   = servertest.BasicAuth(servertest.App, servertest.Secret)
	asOther = servertest.BasicAuth(servertest.OtherApp, servertest.OtherSecret)
	asWrong = servertest.BasicAuth(wrongApp, wrongSecret)
	asGroup = servertest.BasicAuth("group-"+group, groupSecret)
	asAdmin = "Bearer " + servertest.AdminToken
)

const (
	app   = "apps/" + servertest.App
	other = "apps/" + servertest.OtherApp
)

// engageLab stands in for OtherApp's EngageLab, which reports nothing of its own accord and fails on demand.
type engageLab struct {
	*httptest.Server
	mu     sync.Mutex
	fail   http.HandlerFunc
	nextID int
	pushes []map[string]any
	// recordedID counts the requests that a recorder took.
	recordedID int
}

func newEngageLab(t testing.TB) *engageLab {
	t.Helper()
	e := &engageLab{nextID: 9000}
	e.Server = httptest.NewServer(http.HandlerFunc(e.serve))
	t.Cleanup(e.Close)
	return e
}

// failWith answers all requests so, until it gets nil.
func (e *engageLab) failWith(fail http.HandlerFunc) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fail = fail
}

// received returns the push documents that were taken.
func (e *engageLab) received() []map[string]any {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.pushes[:len(e.pushes):len(e.pushes)]
}

// next returns the id that the next push will get.
func (e *engageLab) next() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strconv.Itoa(e.nextID + 1)
}

func (e *engageLab) serve(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fail != nil {
		e.fail(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	if r.URL.Path == "/v4/push" {
		var document map[string]any
		_ = json.Unmarshal(body, &document)
		e.pushes = append(e.pushes, document)
		e.nextID++
	}
	_, _ = fmt.Fprintf(w, `{"request_id":"up","msg_id":"%d"}`, e.nextID)
}

// down is a network that breaks.
func down(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// world is one server, shared by the cases that follow each other.
type world struct {
	faces
	engageLab *engageLab
	// secrets are those that calls have told.
	secrets *[]string
}

// journal is a log that many may write.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// TestFaces runs all cases against one server, so that its start is paid for once. None of them may end as a fault of
// Susul's own, or leave a secret in the log.
func TestFaces(t *testing.T) {
	log := &journal{}
	w := world{engageLab: newEngageLab(t), secrets: &[]string{}}
	w.faces = faces{servertest.Start(t, servertest.Options{
		Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Configure: func(cfg *config.Config) {
			wrong := cfg.Apps[0]
			wrong.AppKey, wrong.MasterSecret, wrong.Callback = wrongApp, config.NewSecret(wrongSecret), config.Callback{}
			cfg.Apps[1].BaseURL = w.engageLab.URL
			cfg.Apps = append(cfg.Apps, wrong)
			cfg.Relay.AllowPrivateNetworks = true
			cfg.Groups = []config.Group{{GroupKey: group, MasterSecret: config.NewSecret(groupSecret), BaseURL: w.engageLab.URL}}
		},
	})}
	defer func() {
		require.Contains(t, log.String(), servertest.App)
		require.NotContains(t, log.String(), "call failed")
		for _, secret := range []string{
			servertest.Secret, servertest.OtherSecret, servertest.AdminToken, servertest.CallbackSecret, wrongSecret, groupSecret,
			strings.TrimPrefix(asApp, "Basic "), strings.TrimPrefix(asOther, "Basic "),
		} {
			require.NotContains(t, log.String(), secret)
		}
		for _, secret := range *w.secrets {
			require.NotContains(t, log.String(), secret)
		}
	}()
	for _, group := range []struct {
		name string
		run  func(world, *testing.T)
	}{
		{"credentials", world.TestCredentials},
		{"invalid pushes", world.TestInvalidPushes},
		{"malformed JSON", world.TestMalformedJSON},
		{"too large", world.TestTooLarge},
		{"repeated push", world.TestRepeatedPush},
		{"chunks", world.TestChunks},
		{"withdraw", world.TestWithdraw},
		{"expected finish", world.TestExpectedFinish},
		{"list pushes", world.TestListPushes},
		{"odd documents", world.TestOddDocuments},
		{"unknown paths", world.TestUnknownPaths},
		{"seed", world.TestSeed},
		{"refusal", world.TestRefusal},
		{"outage", world.TestOutage},
		{"v4 status", world.TestV4Status},
		{"v4 callers", world.TestV4Callers},
		{"v4 faults", world.TestV4Faults},
		{"v4 request ids", world.TestV4RequestIDs},
		{"v4 batch", world.TestBatch},
		{"v4 batch, refused in part", world.TestBatchRefusals},
		{"v4 invalid batches", world.TestInvalidBatches},
		{"v4 group push", world.TestGroupPush},
		{"v4 proxy", world.TestProxy},
		{"v4 proxy's answers", world.TestProxyAnswers},
		{"v4 proxy streams", world.TestProxyStreams},
		{"v4 proxy's callers", world.TestProxyCallers},
		{"v4 pushes arrive whole", world.TestNothingIsLostInAPush},
		{"v4 batches arrive whole", world.TestNothingIsLostInABatch},
		{"v4 proxied calls arrive whole", world.TestNothingIsLostInTheProxy},
		{"callback door", world.TestCallbackDoor},
		{"callbacks", world.TestCallbacks},
		{"held callbacks", world.TestHeldCallbacks},
		{"refused callbacks", world.TestRefusedCallbacks},
		{"odd times", world.TestOddTimes},
		{"zeros in callbacks", world.TestZerosInCallbacks},
		{"list events", world.TestListEvents},
		{"watch events", world.TestWatchEvents},
		{"devices", world.TestDevices},
		{"invalid devices in requests", world.TestInvalidDevicesInRequests},
		{"import devices", world.TestImportDevices},
		{"list invalid devices", world.TestListInvalidDevices},
		{"previews", world.TestPreviews},
		{"backtests", world.TestBacktests},
		{"policies", world.TestPolicies},
		{"choice of policy", world.TestChoiceOfPolicy},
		{"unknown parameters", world.TestUnknownParameters},
		{"list policies", world.TestListPolicies},
		{"update policy", world.TestUpdatePolicy},
		{"invalid policies", world.TestInvalidPolicies},
		{"watch policies", world.TestWatchPolicies},
		{"full policies", world.TestFullPolicies},
		{"update parts of a policy", world.TestUpdatePartsOfAPolicy},
		{"invalid full policies", world.TestInvalidFullPolicies},
		{"follow-up switch", world.TestFollowUpSwitch},
		{"documented policies", world.TestDocumentedPolicies},
		{"subscriptions", world.TestSubscriptions},
		{"list subscriptions", world.TestListSubscriptions},
		{"update subscription", world.TestUpdateSubscription},
		{"invalid subscriptions", world.TestInvalidSubscriptions},
		{"subscription secrets", world.TestSubscriptionSecrets},
		{"relay endpoints", world.TestRelayEndpoints},
		{"subscribed endpoint", world.TestSubscribedEndpoint},
		{"replays", world.TestReplays},
		{"documented relay", world.TestDocumentedRelay},
		{"v4 withdrawal", world.TestV4Withdrawal},
	} {
		t.Run(group.name, func(t *testing.T) { group.run(w, t) })
	}
}

// unchanged checks at the end of a test that it stored and sent nothing.
func (w world) unchanged(t *testing.T) {
	t.Helper()
	before := w.counts(t)
	t.Cleanup(func() { require.Equal(t, before, w.counts(t), "something was stored or sent") })
}

type counts struct{ pushes, sent int }

// counts says what is stored of all apps, and what has arrived at EngageLab.
func (w world) counts(t testing.TB) counts {
	t.Helper()
	c := counts{sent: len(w.engageLab.received()) + len(w.sandboxPushes())}
	ctx := servertest.AsAdmin(context.Background())
	for _, parent := range []string{app, other, "apps/" + wrongApp} {
		for token := ""; ; {
			page, err := w.Pushes.ListPushes(ctx, &susulv1.ListPushesRequest{Parent: parent, PageSize: 1000, PageToken: token})
			require.NoError(t, err)
			c.pushes += len(page.GetPushes())
			if token = page.GetNextPageToken(); token == "" {
				break
			}
		}
	}
	return c
}

// sandboxPushes returns the documents of the pushes that the sandbox took.
func (w world) sandboxPushes() []map[string]any {
	var documents []map[string]any
	for _, request := range w.Sandbox.Requests() {
		if request.Method != http.MethodPost || request.Path != "/v4/push" || request.Status != http.StatusOK {
			continue
		}
		decoder := json.NewDecoder(strings.NewReader(string(request.Document)))
		decoder.UseNumber()
		var document map[string]any
		if decoder.Decode(&document) == nil {
			documents = append(documents, document)
		}
	}
	return documents
}

// sent returns the documents of a push, in the order of their sending. It waits until there are as many.
func (w world) sent(t testing.TB, requestID string, n int) []map[string]any {
	t.Helper()
	var found []map[string]any
	require.Eventually(t, func() bool {
		found = nil
		for _, document := range append(w.sandboxPushes(), w.engageLab.received()...) {
			if document["request_id"] == requestID {
				found = append(found, document)
			}
		}
		return len(found) >= n
	}, patience, 10*time.Millisecond)
	require.Len(t, found, n)
	return found
}

// awaitSent waits until EngageLab's answer to the first request is recorded. CreatePush itself waits for it no longer than a
// moment.
func (w world) awaitSent(t testing.TB, name string) {
	t.Helper()
	require.Eventually(t, func() bool {
		resp, _ := w.grpc(t, asAdmin, &susulv1.GetPushRequest{Name: name})
		return resp.(*susulv1.GetPushResponse).GetPush().GetFirstSentTime() != nil
	}, patience, 10*time.Millisecond)
}

// pushTo returns a push that is fine.
func pushTo(requestID string, ids ...string) *susulv1.Push {
	return &susulv1.Push{
		RequestId:    requestID,
		Audience:     &susulv1.Audience{Kind: &susulv1.Audience_RegistrationIds{RegistrationIds: &susulv1.RegistrationIds{Ids: ids}}},
		Notification: &susulv1.Notification{Alert: "hello"},
	}
}

// create stores a push over gRPC.
func (w world) create(t testing.TB, parent string, push *susulv1.Push) *susulv1.Push {
	t.Helper()
	resp, err := w.Pushes.CreatePush(servertest.AsAdmin(t.Context()), &susulv1.CreatePushRequest{Parent: parent, Push: push})
	require.NoError(t, err)
	return resp.GetPush()
}

// upstreamID returns EngageLab's id of the push to OtherApp that bears the request id.
func (w world) upstreamID(t testing.TB, requestID string) string {
	t.Helper()
	w.sent(t, requestID, 1)
	for i, document := range w.engageLab.received() {
		if document["request_id"] == requestID {
			return strconv.Itoa(9001 + i)
		}
	}
	require.FailNow(t, "EngageLab has no such push", requestID)
	return ""
}

// at walks down a document.
func at(t testing.TB, document map[string]any, path ...string) any {
	t.Helper()
	var value any = document
	for _, name := range path {
		parent, ok := value.(map[string]any)
		require.True(t, ok, "%v in %v", path, document)
		value = parent[name]
	}
	return value
}

// member returns a string in a JSON object.
func member(t testing.TB, text, name string) string {
	t.Helper()
	var members map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &members), text)
	value, ok := members[name].(string)
	require.True(t, ok, "%s in %s", name, text)
	return value
}

// requireV4Error checks an error in EngageLab's shape, and returns its text.
func requireV4Error(t testing.TB, resp servertest.Response, status, code int) string {
	t.Helper()
	require.Equal(t, status, resp.Status, resp.Body)
	require.Equal(t, "application/json", resp.Header.Get("Content-Type"))
	var body struct {
		Error struct {
			Code    int
			Message string
		}
	}
	require.NoError(t, json.Unmarshal([]byte(resp.Body), &body), resp.Body)
	require.Equal(t, code, body.Error.Code, resp.Body)
	require.NotEmpty(t, body.Error.Message)
	return body.Error.Message
}

// jsonList returns a list of strings in a JSON object.
func jsonList(t testing.TB, text, name string) []string {
	t.Helper()
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(text), &members), text)
	var list []string
	require.NoError(t, json.Unmarshal(members[name], &list), text)
	require.NotEmpty(t, list)
	return list
}
