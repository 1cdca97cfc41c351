package api_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"testing"

	"github.com/jonboulle/clockwork"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/api"
	"susul.dev/susul/server/delivery"
	"susul.dev/susul/server/replica/etcdtest"
	"susul.dev/susul/server/servertest"
	subscriptions "susul.dev/susul/server/subscription"
	"susul.dev/susul/storage/sqlite"
)

// bare is both faces over a backend that a test makes.
type bare struct {
	conn *grpc.ClientConn
	rest *httptest.Server
}

func newBare(t *testing.T, backend func() (api.Backend, error)) bare {
	t.Helper()
	face := api.New(api.Options{
		Backend: backend, Logger: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry(),
		Apps: map[string]api.App{servertest.App: {MasterSecret: servertest.Secret, BaseURL: "http://127.0.0.1:1"}},
	})
	server, err := face.NewGRPCServer()
	require.NoError(t, err)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var group errgroup.Group
	group.Go(func() error { return server.Serve(listener) })
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	handler, err := face.NewHTTPHandler(t.Context(), conn)
	require.NoError(t, err)
	b := bare{conn, httptest.NewServer(handler)}
	t.Cleanup(func() {
		b.rest.Close()
		face.Close()
		require.NoError(t, conn.Close())
		server.Stop()
		require.NoError(t, group.Wait())
	})
	return b
}

// calls makes calls of App's over both faces, which answer alike, all at once, and returns how they ended.
func (b bare) calls(t *testing.T, requests ...proto.Message) []outcome {
	t.Helper()
	overGRPC, overREST := make([]error, len(requests)), make([]servertest.Response, len(requests))
	var group errgroup.Group
	for i, req := range requests {
		method := methodOf(t, req)
		kind, err := protoregistry.GlobalTypes.FindMessageByName(method.Output().FullName())
		require.NoError(t, err)
		name := "/" + string(method.Parent().FullName()) + "/" + string(method.Name())
		group.Go(func() error {
			overGRPC[i] = b.conn.Invoke(servertest.AsApp(t.Context()), name, req, kind.New().Interface())
			return nil
		})
		verb, path, body := restRequest(t, req)
		call, err := http.NewRequestWithContext(t.Context(), verb, b.rest.URL+path, bytes.NewReader(body))
		require.NoError(t, err)
		call.Header.Set("Authorization", asApp)
		group.Go(func() error {
			resp, err := b.rest.Client().Do(call)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			overREST[i] = servertest.Response{Status: resp.StatusCode, Body: string(text)}
			return err
		})
	}
	require.NoError(t, group.Wait())
	outcomes := make([]outcome, len(requests))
	for i := range requests {
		outcomes[i] = outcomeOf(status.Convert(overGRPC[i]))
		require.Equal(t, outcomes[i], restOutcome(t, overREST[i]))
	}
	return outcomes
}

// A node that stands by says so, and who leads.
func TestStandbysRefuse(t *testing.T) {
	b := newBare(t, func() (api.Backend, error) { return api.Backend{}, &api.StandbyError{Leader: "10.0.0.1:7070"} })
	ofApp, _ := everyCall()
	ofApp = slices.DeleteFunc(ofApp, func(req proto.Message) bool {
		_, own := req.(*susulv1.ListRefusedCallbacksRequest)
		return own // what this node has refused it knows
	})
	for i, got := range b.calls(t, ofApp...) {
		require.Equal(t, codes.Unavailable, got.Code, "%T", ofApp[i])
		require.Equal(t, "STANDBY", got.Reason)
		require.Equal(t, map[string]string{"leader": "10.0.0.1:7070"}, got.Metadata)
		require.True(t, got.Retry)
	}
}

// Without etcd subscriptions can be read, and not be changed.
func TestSubscriptionsWithoutEtcd(t *testing.T) {
	etcd := etcdtest.Start(t)
	clock := clockwork.NewRealClock()
	kept, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "susul.db")})
	require.NoError(t, err)
	store := subscriptions.New(subscriptions.Options{Client: etcd.Client(), Clock: clock, Logger: slog.New(slog.DiscardHandler)})
	ctx, stop := context.WithCancel(context.Background())
	var group errgroup.Group
	group.Go(func() error { return store.Run(ctx) })
	t.Cleanup(func() {
		stop()
		require.NoError(t, group.Wait())
		require.NoError(t, kept.Close())
	})
	<-store.Loaded()
	core := delivery.New(delivery.Options{
		Store: kept, Apps: map[string]delivery.App{servertest.App: {}}, Clock: clock, Logger: slog.New(slog.DiscardHandler),
		Metrics: delivery.NewMetrics(prometheus.NewRegistry()),
	})
	b := newBare(t, func() (api.Backend, error) { return api.Backend{Delivery: core, Subscriptions: store}, nil })

	create := &susulv1.CreateSubscriptionRequest{Parent: app, SubscriptionId: "kept", Subscription: subscription()}
	_, err = susulv1.NewCallbackServiceClient(b.conn).CreateSubscription(servertest.AsApp(t.Context()), create)
	require.NoError(t, err)
	require.Equal(t, "ALREADY_EXISTS", b.calls(t, create)[0].Reason)
	etcd.Stop()
	name := app + "/subscriptions/kept"
	for _, got := range b.calls(t, &susulv1.GetSubscriptionRequest{Name: name}, &susulv1.ListSubscriptionsRequest{Parent: app}) {
		require.Zero(t, got)
	}
	create.SubscriptionId = "new"
	changes := []proto.Message{
		create,
		&susulv1.UpdateSubscriptionRequest{Subscription: &susulv1.Subscription{Name: name, DisplayName: "new"}},
		&susulv1.RotateSubscriptionSecretRequest{Name: name},
		&susulv1.DeleteSubscriptionRequest{Name: name},
	}
	for i, got := range b.calls(t, changes...) {
		require.Equal(t, codes.Unavailable, got.Code, "%T", changes[i])
		require.Equal(t, "ETCD_UNAVAILABLE", got.Reason)
		require.True(t, got.Retry)
	}
}
