package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/engagelab"
)

// The one app and the one administrator of all end-to-end tests.
const (
	testApp            = "e2e-app"
	testSecret         = "e2e-master-secret"
	testToken          = "e2e-administrator-token"
	testCallbackUser   = "e2e-callback-user"
	testCallbackSecret = "e2e-callback-secret"
)

// baseSettings is a configuration with the app and free ports.
func baseSettings(dataDir, engageLab string) map[string]any {
	return map[string]any{
		"data_dir": dataDir,
		"grpc":     map[string]any{"listen": "127.0.0.1:0"},
		"http":     map[string]any{"listen": "127.0.0.1:0"},
		"ops":      map[string]any{"listen": "127.0.0.1:0"},
		"admin":    map[string]any{"tokens": []string{testToken}},
		"apps": []any{map[string]any{
			"app_key": testApp, "master_secret": testSecret, "base_url": engageLab,
			"callback": map[string]any{"username": testCallbackUser, "secret": testCallbackSecret},
		}},
	}
}

// writeSettings writes a configuration file; JSON is YAML too.
func writeSettings(t *testing.T, settings map[string]any) string {
	t.Helper()
	text, err := json.Marshal(settings)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "susul.yaml")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	return path
}

// node is a process of susul serve, and an administrator's clients of it.
type node struct {
	*process
	grpc, http, ops string // where it listens
	web             *http.Client
	pushes          susulv1.PushServiceClient
	callbacks       susulv1.CallbackServiceClient
	policies        susulv1.ResendPolicyServiceClient
	relays          susulv1.RelayServiceClient
}

// serve starts a node that listens, and may not be ready yet.
func serve(t *testing.T, args ...string) *node {
	t.Helper()
	return serveWith(t, nil, args...)
}

func serveWith(t *testing.T, env []string, args ...string) *node {
	t.Helper()
	n := &node{process: launch(t, env, append([]string{"serve"}, args...)...)}
	at := n.await(t, `"msg":"listening","grpc":"([^"]+)","http":"([^"]+)","ops":"([^"]+)"`)
	n.grpc, n.http, n.ops = at[0], at[1], at[2]
	n.web = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	t.Cleanup(n.web.CloseIdleConnections)
	conn, err := grpc.NewClient(n.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithPerRPCCredentials(administrator{}))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	n.pushes = susulv1.NewPushServiceClient(conn)
	n.callbacks = susulv1.NewCallbackServiceClient(conn)
	n.policies = susulv1.NewResendPolicyServiceClient(conn)
	n.relays = susulv1.NewRelayServiceClient(conn)
	return n
}

// administrator adds the token to every call.
type administrator struct{}

func (administrator) RequireTransportSecurity() bool { return false }
func (administrator) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + testToken}, nil
}

// readiness is what /readyz answers.
type readiness struct {
	Status               int      `json:"-"`
	Role                 string   `json:"role"`
	Leader               string   `json:"leader"`
	Nodes                int      `json:"nodes"`
	PolicyRevision       int64    `json:"policy_revision"`
	SubscriptionRevision int64    `json:"subscription_revision"`
	Faults               []string `json:"faults"`
	Etcd                 struct {
		Connected bool      `json:"connected"`
		Since     time.Time `json:"since"`
		PolicyAge float64   `json:"policy_age_seconds"`
	} `json:"etcd"`
	Election struct {
		State   string    `json:"state"`
		Since   time.Time `json:"since"`
		Term    int64     `json:"term"`
		Changes int64     `json:"changes"`
	} `json:"election"`
}

// leads reports whether a node leads and takes calls.
func (r readiness) leads() bool { return r.Status == http.StatusOK && r.Role == "leader" }

func (n *node) readiness(t *testing.T) (r readiness) {
	t.Helper()
	got, err := n.web.Get("http://" + n.ops + "/readyz")
	require.NoError(t, err)
	defer got.Body.Close()
	require.NoError(t, json.NewDecoder(got.Body).Decode(&r))
	r.Status = got.StatusCode
	return r
}

// awaitReady waits until the node leads, and returns how long that took.
func (n *node) awaitReady(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	eventually(t, "the node leads", func() bool { return n.readiness(t).leads() })
	return time.Since(began)
}

// awaitStandby waits until the node stands by and reaches the leader.
func (n *node) awaitStandby(t *testing.T, leader *node) {
	t.Helper()
	eventually(t, "the node stands by and reaches the leader", func() bool {
		r := n.readiness(t)
		return r.Status == http.StatusOK && r.Role == "standby" && r.Leader == leader.grpc
	})
}

// answer is an HTTP answer, read to its end.
type answer struct {
	status int
	header http.Header
	body   string
}

// try calls one of the REST faces, as the app.
func (n *node) try(method, path string, body []byte, header http.Header) (answer, error) {
	req, err := http.NewRequest(method, "http://"+n.http+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if header != nil {
		req.Header = header
	}
	req.SetBasicAuth(testApp, testSecret)
	got, err := n.web.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	return answer{got.StatusCode, got.Header, string(text)}, err
}

// postCallbacks posts rows as EngageLab does, signed.
func (n *node) postCallbacks(rows []engagelab.CallbackRow) (answer, error) {
	body, err := json.Marshal(engagelab.CallbackBatch{Total: len(rows), Rows: rows})
	if err != nil {
		return answer{}, err
	}
	return n.try(http.MethodPost, callbacksPath, body, http.Header{engagelab.SignatureHeader: {sign()}})
}

// sign returns a signature header as EngageLab makes it, with a nonce of its own.
func sign() string {
	signed := engagelab.Signature{
		Timestamp: strconv.FormatInt(time.Now().Unix(), 10), Nonce: rand.Text(), Username: testCallbackUser,
	}
	signed.Signature = engagelab.Sign(testCallbackSecret, signed.Timestamp, signed.Nonce, signed.Username)
	return signed.Header()
}

// callbackRow is one row as EngageLab writes it.
func callbackRow(upstreamID, registrationID, status string) engagelab.CallbackRow {
	return engagelab.CallbackRow{
		MessageID: upstreamID, To: registrationID, Server: "AppPush", ITime: time.Now().Unix(),
		Status: engagelab.CallbackStatus{MessageStatus: status},
	}
}

// newsDocument is a push in EngageLab's own words.
func newsDocument(t *testing.T, requestID string, to []string) []byte {
	t.Helper()
	document, err := json.Marshal(map[string]any{
		"from": "e2e", "request_id": requestID, "to": map[string]any{"registration_id": to},
		"body": map[string]any{
			"platform":     "android",
			"notification": map[string]any{"android": map[string]any{"title": "Morning news", "alert": "Three things to know today."}},
		},
		"custom_args": map[string]any{"kind": "news"},
	})
	require.NoError(t, err)
	return document
}

// sendNews sends a push through EngageLab's REST and returns its msg_id.
func (n *node) sendNews(t *testing.T, requestID string, to []string) (msgID string) {
	t.Helper()
	got, err := n.try(http.MethodPost, "/v4/push", newsDocument(t, requestID, to), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, got.status, "%s", got.body)
	return readMsgID(t, got.body)
}

func readMsgID(t *testing.T, body string) string {
	t.Helper()
	var pushed engagelab.PushResponse
	require.NoError(t, json.Unmarshal([]byte(body), &pushed))
	require.NotEmpty(t, pushed.MsgID)
	return pushed.MsgID
}

func pushName(msgID string) string { return "apps/" + testApp + "/pushes/" + msgID }

// push reads a push.
func (n *node) push(t *testing.T, msgID string) *susulv1.Push {
	t.Helper()
	got, err := n.pushes.GetPush(t.Context(), &susulv1.GetPushRequest{Name: pushName(msgID)})
	require.NoError(t, err)
	return got.GetPush()
}

// report reads a push's report.
func (n *node) report(t *testing.T, msgID string) *susulv1.PushReport {
	t.Helper()
	got, err := n.callbacks.GetPushReport(t.Context(), &susulv1.GetPushReportRequest{Name: pushName(msgID) + "/report"})
	require.NoError(t, err)
	return got.GetReport()
}

// awaitSent waits until every step of a push is planned and EngageLab took all of it, and returns the report.
func (n *node) awaitSent(t *testing.T, msgID string) (report *susulv1.PushReport) {
	t.Helper()
	eventually(t, "every step is sent", func() bool {
		report = n.report(t, msgID)
		return stepsAreSent(report)
	})
	return report
}

// events reads all events of a push.
func (n *node) events(t *testing.T, msgID string) (events []*susulv1.Event) {
	t.Helper()
	for page := ""; ; {
		got, err := n.callbacks.ListEvents(t.Context(), &susulv1.ListEventsRequest{
			Parent: "apps/" + testApp, MsgId: msgID, PageSize: 1000, PageToken: page,
		})
		require.NoError(t, err)
		events = append(events, got.GetEvents()...)
		if page = got.GetNextPageToken(); page == "" {
			return events
		}
	}
}
