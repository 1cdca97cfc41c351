package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server"
	"susul.dev/susul/server/config"
	"susul.dev/susul/server/replica/etcdtest"
	"susul.dev/susul/server/servertest"
	"susul.dev/susul/server/servertest/backend"
)

const clusterPatience = 30 * time.Second

// member is a node of a cluster that shares a data directory and an etcd.
type member struct {
	*server.Server
	conn *grpc.ClientConn
	stop func() // in order; waits
}

// cluster starts nodes, the first of which leads. EngageLab takes every push.
type cluster struct {
	etcd *etcdtest.Server
	cfg  config.Config
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	lab := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprintf(w, `{"msg_id":"%d","request_id":""}`, time.Now().UnixNano())
	}))
	t.Cleanup(lab.Close)
	c := &cluster{etcd: etcdtest.Start(t), cfg: servertest.Config(t.TempDir(), lab.URL)}
	c.cfg.Etcd.Endpoints = []string{c.etcd.Address()}
	c.cfg.Forward.Hold = 10 * time.Second
	return c
}

func (c *cluster) start(t *testing.T) *member {
	t.Helper()
	s, err := server.New(t.Context(), server.Options{Config: c.cfg, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	m := &member{Server: s}
	m.conn, err = grpc.NewClient(s.GRPCAddress(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running errgroup.Group
	running.Go(func() error { return s.Run(ctx) })
	var stopped atomic.Bool
	m.stop = func() {
		if !stopped.Swap(true) {
			cancel()
			require.NoError(t, running.Wait())
		}
	}
	t.Cleanup(func() {
		require.NoError(t, m.conn.Close())
		m.stop()
	})
	return m
}

func (m *member) awaitWorking(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	select {
	case <-m.Working():
	case <-time.After(clusterPatience):
		require.Fail(t, "the node was not elected in time")
	}
	return time.Since(began)
}

// readiness is what /readyz answers.
type readiness struct {
	Ready  bool     `json:"ready"`
	Role   string   `json:"role"`
	Leader string   `json:"leader"`
	Faults []string `json:"faults"`
}

func (m *member) readiness(t *testing.T) (r readiness) {
	t.Helper()
	_, text := m.get(t, "http://"+m.OpsAddress()+"/readyz")
	require.NoError(t, json.Unmarshal([]byte(text), &r))
	return r
}

func (m *member) get(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	return do(t, req)
}

func do(t *testing.T, req *http.Request) (int, string) {
	t.Helper()
	req.Close = true
	got, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { require.NoError(t, got.Body.Close()) }()
	text, err := io.ReadAll(got.Body)
	require.NoError(t, err)
	return got.StatusCode, string(text)
}

func (m *member) awaitStandby(t *testing.T, leader *member) {
	t.Helper()
	want := readiness{Ready: true, Role: "standby", Leader: leader.GRPCAddress()}
	require.Eventually(t, func() bool { return fmt.Sprint(m.readiness(t)) == fmt.Sprint(want) }, clusterPatience, 10*time.Millisecond)
}

// post posts to REST as the app that callbacks need no signature of.
func (m *member) post(t *testing.T, path, body string, headers ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+m.HTTPAddress()+path, strings.NewReader(body))
	require.NoError(t, err)
	req.SetBasicAuth(servertest.OtherApp, servertest.OtherSecret)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return do(t, req)
}

const (
	clusterApp    = "apps/" + servertest.OtherApp
	clusterPush   = `{"to":{"registration_id":["r1","r2"]},"body":{"platform":"android","notification":{"alert":"a"}}}`
	callbacksPath = "/v1/apps/" + servertest.OtherApp + "/callbacks"
	clusterRow    = `{"rows":[{"message_id":"1","to":"a","status":{"message_status":"sent"}}]}`
)

func asOther(ctx context.Context) context.Context {
	return servertest.As(ctx, servertest.BasicAuth(servertest.OtherApp, servertest.OtherSecret))
}

func TestEveryKindOfCallThroughAStandby(t *testing.T) {
	c := newCluster(t)
	c.cfg.Apps[1].Callback.Networks = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	c.cfg.HTTP.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	leader := c.start(t)
	leader.awaitWorking(t)
	standby := c.start(t)
	standby.awaitStandby(t, leader)
	pushes, devices := susulv1.NewPushServiceClient(standby.conn), susulv1.NewDeviceServiceClient(standby.conn)

	t.Run("unary", func(t *testing.T) {
		created, err := pushes.CreatePush(asOther(t.Context()), &susulv1.CreatePushRequest{Parent: clusterApp, Push: &susulv1.Push{
			Audience:     &susulv1.Audience{Kind: &susulv1.Audience_RegistrationIds{RegistrationIds: &susulv1.RegistrationIds{Ids: []string{"a"}}}},
			Notification: &susulv1.Notification{Alert: "Hello."},
		}})
		require.NoError(t, err)
		get := &susulv1.GetPushRequest{Name: created.GetPush().GetName()}
		want, err := susulv1.NewPushServiceClient(leader.conn).GetPush(asOther(t.Context()), get)
		require.NoError(t, err)
		got, err := pushes.GetPush(asOther(t.Context()), get)
		require.NoError(t, err)
		require.True(t, proto.Equal(want, got))
	})
	t.Run("errors with their details", func(t *testing.T) {
		get := &susulv1.GetPushRequest{Name: clusterApp + "/pushes/1"}
		_, want := susulv1.NewPushServiceClient(leader.conn).GetPush(asOther(t.Context()), get)
		_, got := pushes.GetPush(asOther(t.Context()), get)
		require.Equal(t, codes.NotFound, status.Code(want))
		require.True(t, proto.Equal(status.Convert(want).Proto(), status.Convert(got).Proto()), "want %v\ngot  %v", want, got)
	})
	t.Run("client stream", func(t *testing.T) {
		stream, err := devices.ImportDevices(asOther(t.Context()))
		require.NoError(t, err)
		for i := range 3 {
			require.NoError(t, stream.Send(&susulv1.ImportDevicesRequest{
				Parent: clusterApp, Devices: []*susulv1.Device{{RegistrationId: fmt.Sprintf("d%d", i), TimeZone: "Asia/Jakarta"}},
			}))
		}
		got, err := stream.CloseAndRecv()
		require.NoError(t, err)
		require.EqualValues(t, 3, got.GetDeviceCount())
	})
	t.Run("server stream", func(t *testing.T) {
		ctx, cancel := context.WithCancel(asOther(t.Context()))
		defer cancel()
		stream, err := susulv1.NewCallbackServiceClient(standby.conn).WatchEvents(ctx, &susulv1.WatchEventsRequest{Parent: clusterApp})
		require.NoError(t, err)
		got, err := stream.Recv()
		require.NoError(t, err)
		require.NotEmpty(t, got.GetResumeToken())
		cancel()
		_, err = stream.Recv()
		require.Equal(t, codes.Canceled, status.Code(err))
	})
	t.Run("REST", func(t *testing.T) {
		code, text := standby.post(t, "/v4/push", clusterPush)
		require.Equal(t, http.StatusOK, code, text)
		var pushed struct {
			MsgID string `json:"msg_id"`
		}
		require.NoError(t, json.Unmarshal([]byte(text), &pushed))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+standby.HTTPAddress()+"/v1/"+clusterApp+"/pushes/"+pushed.MsgID, nil)
		require.NoError(t, err)
		req.SetBasicAuth(servertest.OtherApp, servertest.OtherSecret)
		code, text = do(t, req)
		require.Equal(t, http.StatusOK, code, text)
		code, text = standby.post(t, "/v4/push", `{"to":"all"}`)
		wantCode, wantText := leader.post(t, "/v4/push", `{"to":"all"}`)
		require.Equal(t, http.StatusBadRequest, code)
		require.Equal(t, wantCode, code)
		require.Equal(t, wantText, text)
	})
	t.Run("callbacks, by where they come from", func(t *testing.T) {
		for _, m := range []*member{leader, standby} {
			code, text := m.post(t, callbacksPath, clusterRow, "X-Forwarded-For", "192.0.2.7")
			require.Equal(t, http.StatusOK, code, text)
			code, _ = m.post(t, callbacksPath, clusterRow, "X-Forwarded-For", "198.51.100.1")
			require.Equal(t, http.StatusForbidden, code)
			code, _ = m.post(t, callbacksPath, clusterRow, "X-Forwarded-For", "198.51.100.1", "Susul-Forward-Source", "192.0.2.7")
			require.Equal(t, http.StatusForbidden, code, "who claims to be a node is not believed")
		}
	})
	t.Run("credentials are asked for where the call arrives", func(t *testing.T) {
		_, err := pushes.GetPush(servertest.As(t.Context(), "Bearer nobody"), &susulv1.GetPushRequest{Name: clusterApp + "/pushes/1"})
		require.Equal(t, codes.Unauthenticated, status.Code(err))
	})
	t.Run("a forged mark", func(t *testing.T) {
		ctx := metadata.AppendToOutgoingContext(asOther(t.Context()), "susul-forward-token", "a guess")
		for _, m := range []*member{leader, standby} {
			_, err := susulv1.NewPushServiceClient(m.conn).ListPushes(ctx, &susulv1.ListPushesRequest{Parent: clusterApp})
			require.Equal(t, codes.Unavailable, status.Code(err), "it was meant for another process")
			err = m.conn.Invoke(ctx, "/susul.forward/HTTP", &susulv1.ListPushesRequest{Parent: clusterApp}, &susulv1.ListPushesResponse{})
			require.Equal(t, codes.Unavailable, status.Code(err))
		}
		// A mark without a token is none.
		ctx = metadata.AppendToOutgoingContext(asOther(t.Context()), "susul-forward-source", "192.0.2.7")
		_, err := pushes.ListPushes(ctx, &susulv1.ListPushesRequest{Parent: clusterApp})
		require.NoError(t, err)
	})
	t.Run("health", func(t *testing.T) {
		got, err := healthv1.NewHealthClient(standby.conn).Check(t.Context(), &healthv1.HealthCheckRequest{Service: "susul.v1.PushService"})
		require.NoError(t, err)
		require.Equal(t, healthv1.HealthCheckResponse_SERVING, got.GetStatus())
	})
	t.Run("metrics", func(t *testing.T) {
		_, text := standby.get(t, "http://"+standby.OpsAddress()+"/metrics")
		require.Contains(t, text, "susul_leading 0")
		require.Contains(t, text, `susul_forwarded_calls_total{outcome="answered",protocol="http"}`)
		_, text = leader.get(t, "http://"+leader.OpsAddress()+"/metrics")
		require.Contains(t, text, "susul_leading 1")
		require.NotContains(t, text, `susul_forwarded_calls_total{`)
	})
}

// Nobody notices that a leader stops: calls to the others wait for the next.
func TestNoCallFailsWhileALeaderStops(t *testing.T) {
	c := newCluster(t)
	first := c.start(t)
	first.awaitWorking(t)
	second := c.start(t)
	second.awaitStandby(t, first)
	third := c.start(t)
	third.awaitStandby(t, first)

	const callers = 4
	done := make(chan struct{})
	var load errgroup.Group
	var calls, pushes atomic.Int64
	for range callers {
		load.Go(func() error {
			for {
				select {
				case <-done:
					return nil
				default:
				}
				if _, err := susulv1.NewPushServiceClient(third.conn).ListPushes(asOther(t.Context()), &susulv1.ListPushesRequest{Parent: clusterApp}); err != nil {
					return err
				}
				calls.Add(1)
			}
		})
		load.Go(func() error {
			for {
				select {
				case <-done:
					return nil
				default:
				}
				if code, text := third.post(t, callbacksPath, clusterRow); code != http.StatusOK {
					return fmt.Errorf("callback: %d %s", code, text)
				}
				if code, text := third.post(t, "/v4/push", clusterPush); code != http.StatusOK {
					return fmt.Errorf("push: %d %s", code, text)
				}
				pushes.Add(1)
			}
		})
	}
	awaitProgress := func() {
		calls, pushes, since := &calls, &pushes, [2]int64{calls.Load(), pushes.Load()}
		require.Eventually(t, func() bool { return calls.Load() > since[0]+100 && pushes.Load() > since[1]+20 }, clusterPatience, time.Millisecond)
	}
	awaitProgress()
	stopped := make(chan struct{})
	go func() { defer close(stopped); first.stop() }()
	took := second.leadsOr(t, third)
	t.Logf("a successor led %s after the leader was told to stop", took)
	<-stopped
	awaitProgress()
	close(done)
	require.NoError(t, load.Wait())
	got := int64(0)
	for page := ""; ; {
		list, err := susulv1.NewPushServiceClient(third.conn).ListPushes(asOther(t.Context()), &susulv1.ListPushesRequest{Parent: clusterApp, PageSize: 1000, PageToken: page})
		require.NoError(t, err)
		got += int64(len(list.GetPushes()))
		if page = list.GetNextPageToken(); page == "" {
			break
		}
	}
	require.Equal(t, pushes.Load(), got, "each push was accepted once")
}

func (m *member) leadsOr(t *testing.T, other *member) time.Duration {
	t.Helper()
	began := time.Now()
	select {
	case <-m.Working():
	case <-other.Working():
	case <-time.After(clusterPatience):
		require.Fail(t, "nobody was elected in time")
	}
	return time.Since(began)
}

// With a shared database every node does the work, except for the relay's.
func TestSharedDatabaseForwardsTheRelaysCallsOnly(t *testing.T) {
	c := newCluster(t)
	c.cfg.Storage = config.Storage{Driver: config.DriverPostgres, DSN: config.NewSecret(backend.Database(t)), Connections: 8}
	nodes := []*member{c.start(t), c.start(t)}
	for _, m := range nodes {
		m.awaitWorking(t)
	}
	for _, m := range nodes {
		_, err := susulv1.NewRelayServiceClient(m.conn).ListRelayEndpoints(asOther(t.Context()), &susulv1.ListRelayEndpointsRequest{Parent: clusterApp})
		require.NoError(t, err, "also before there is a leader")
		code, text := m.post(t, callbacksPath, clusterRow)
		require.Equal(t, http.StatusOK, code, text)
	}
	forwarded := 0
	for _, m := range nodes {
		_, text := m.get(t, "http://"+m.OpsAddress()+"/metrics")
		require.NotContains(t, text, `susul_forwarded_calls_total{outcome="answered",protocol="http"}`)
		forwarded += strings.Count(text, `susul_forwarded_calls_total{outcome="answered",protocol="grpc"} 1`)
	}
	require.Equal(t, 1, forwarded)
}
