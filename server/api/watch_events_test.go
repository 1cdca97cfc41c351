package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	spb "google.golang.org/genproto/googleapis/rpc/status"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/api"
	"susul.dev/susul/server/delivery"
	"susul.dev/susul/server/relay"
	"susul.dev/susul/server/servertest"
	"susul.dev/susul/storage"
	"susul.dev/susul/storage/sqlite"
)

// stage is both faces over a store and its relay, and tells when the handler of a call has returned.
type stage struct {
	bare
	face  *api.API
	store *sqlite.Store
	ended chan struct{}
	sent  atomic.Int64
	many  chan struct{} // closed when a few hundred answers were sent
}

// TagRPC implements stats.Handler.
func (*stage) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// TagConn implements stats.Handler.
func (*stage) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements stats.Handler.
func (*stage) HandleConn(context.Context, stats.ConnStats) {}

// HandleRPC implements stats.Handler.
func (s *stage) HandleRPC(_ context.Context, rpc stats.RPCStats) {
	switch rpc.(type) {
	case *stats.End:
		s.ended <- struct{}{}
	case *stats.OutPayload:
		if s.sent.Add(1) == 300 {
			close(s.many)
		}
	}
}

func newStage(t *testing.T, slowConsumer time.Duration) *stage {
	t.Helper()
	log, clock := slog.New(slog.DiscardHandler), clockwork.NewRealClock()
	s := &stage{ended: make(chan struct{}, 100), many: make(chan struct{})}
	var err error
	s.store, err = sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "susul.db")})
	require.NoError(t, err)
	events := relay.New(relay.Options{Store: s.store, Apps: map[string]relay.App{servertest.App: {}}, Clock: clock, Logger: log})
	core := delivery.New(delivery.Options{
		Store: s.store, Apps: map[string]delivery.App{servertest.App: {}}, Clock: clock, Logger: log,
		Metrics: delivery.NewMetrics(prometheus.NewRegistry()),
	})
	s.face = api.New(api.Options{
		Backend: func() (api.Backend, error) { return api.Backend{Delivery: core, Events: events}, nil },
		Logger:  log, Registry: prometheus.NewRegistry(), SlowConsumer: slowConsumer,
		Apps: map[string]api.App{servertest.App: {MasterSecret: servertest.Secret, BaseURL: "http://127.0.0.1:1"}},
	})
	server, err := s.face.NewGRPCServer(grpc.StatsHandler(s))
	require.NoError(t, err)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	var group errgroup.Group
	group.Go(func() error { return server.Serve(listener) })
	group.Go(func() error { return events.Run(ctx) })
	s.conn, err = grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	handler, err := s.face.NewHTTPHandler(t.Context(), s.conn)
	require.NoError(t, err)
	s.rest = httptest.NewServer(handler)
	t.Cleanup(func() {
		s.rest.Close()
		s.face.Close()
		require.NoError(t, s.conn.Close())
		server.GracefulStop()
		stop()
		require.NoError(t, group.Wait())
		require.NoError(t, s.store.Close())
	})
	return s
}

// report stores four events for each of so many devices of a push.
func (s *stage) report(t *testing.T, devices int) {
	t.Helper()
	now := time.Now()
	draft := storage.PushDraft{
		Push:       storage.Push{ID: 1, App: servertest.App, Listed: true, CreateTime: now, Document: []byte(`{}`)},
		Dispatches: []storage.DispatchDraft{{DueTime: now}},
	}
	var rows []storage.Callback
	for i := range devices {
		draft.Recipients = append(draft.Recipients, fmt.Sprintf("device-%d", i))
		draft.Dispatches[0].Recipients = append(draft.Dispatches[0].Recipients, uint32(i))
		for m := storage.Sent; m <= storage.Clicked; m++ {
			rows = append(rows, storage.Callback{UpstreamID: "up", RegistrationID: draft.Recipients[i], Milestone: m, Status: m.String(), Time: now})
		}
	}
	_, _, err := s.store.CreatePush(t.Context(), draft)
	require.NoError(t, err)
	claims, err := s.store.ClaimDispatches(t.Context(), storage.ClaimRequest{App: servertest.App, Now: now, Lease: time.Hour, Limit: 1})
	require.NoError(t, err)
	_, err = s.store.FinishDispatch(t.Context(), storage.DispatchResult{ID: claims[0].Dispatch.ID, Attempt: claims[0].Dispatch.Attempt,
		State: storage.DispatchSent, Time: now, UpstreamID: "up"})
	require.NoError(t, err)
	for first := 0; first < len(rows); first += 1000 {
		_, err := s.store.RecordCallbacks(t.Context(), servertest.App, now, rows[first:min(first+1000, len(rows))])
		require.NoError(t, err)
	}
}

// watch begins a stream.
func (s *stage) watch(t *testing.T, token string) susulv1.CallbackService_WatchEventsClient {
	t.Helper()
	ctx, cancel := context.WithTimeout(servertest.AsApp(t.Context()), patience)
	t.Cleanup(cancel)
	stream, err := susulv1.NewCallbackServiceClient(s.conn).WatchEvents(ctx, &susulv1.WatchEventsRequest{Parent: app, ResumeToken: token})
	require.NoError(t, err)
	return stream
}

// account is what a client got.
type account struct {
	events int64 // their sequences have no gaps here
	token  string
}

func (a *account) take(t *testing.T, resp *susulv1.WatchEventsResponse) {
	t.Helper()
	if resp.GetEvent() != nil {
		require.Equal(t, a.events+1, resp.GetEvent().GetSequence(), "nothing missed, nothing twice")
		a.events++
	}
	a.token = resp.GetResumeToken()
}

// rest reads a stream until it ends.
func (a *account) rest(t *testing.T, stream susulv1.CallbackService_WatchEventsClient) *status.Status {
	t.Helper()
	for {
		resp, err := stream.Recv()
		if err != nil {
			return status.Convert(err)
		}
		a.take(t, resp)
	}
}

// wait waits until a call's handler has returned, or for another signal.
func wait(t *testing.T, signal <-chan struct{}) {
	t.Helper()
	select {
	case <-signal:
	case <-time.After(patience):
		require.Fail(t, "no signal came")
	}
}

func slowFault(token string) outcome {
	return outcome{Code: codes.ResourceExhausted, Message: "the client took no answer for 300ms: resume with the last token",
		Reason: "SLOW_CONSUMER", Metadata: map[string]string{"resume_token": token}, Retry: true}
}

const slow = 300 * time.Millisecond

// A client that takes nothing is let go; when it reads on, it gets what was on its way, and a status with a token.
func TestSlowConsumerOverGRPC(t *testing.T) {
	const devices = 5000
	s := newStage(t, slow)
	var got account
	stream := s.watch(t, "")
	hello, err := stream.Recv()
	require.NoError(t, err)
	got.take(t, hello)
	s.report(t, devices)
	wait(t, s.ended)
	ended := got.rest(t, stream)
	require.Equal(t, slowFault(got.token), outcomeOf(ended))
	require.Positive(t, got.events)
	require.Less(t, got.events, int64(4*devices))

	stream = s.watch(t, got.token)
	for got.events < 4*devices {
		resp, err := stream.Recv()
		require.NoError(t, err)
		got.take(t, resp)
	}
}

// unwrap returns what a line of a REST stream is, a result or an error, and the message in it.
func unwrap(t *testing.T, line string) (kind string, message []byte) {
	t.Helper()
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(line), &members), line)
	require.Len(t, members, 1)
	for kind, message := range members {
		return kind, message
	}
	return "", nil
}

func TestSlowConsumerOverREST(t *testing.T) {
	const devices = 10_000
	s := newStage(t, slow)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.rest.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.(*net.TCPConn).SetReadBuffer(32<<10))
	_, err = fmt.Fprintf(conn, "GET /v1/%s/events:watch HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\n\r\n", app, asApp)
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	s.report(t, devices)
	wait(t, s.ended)
	require.NoError(t, conn.(*net.TCPConn).SetReadBuffer(4<<20))
	var got account
	var ended spb.Status
	lines := bufio.NewScanner(resp.Body)
	for ended.GetCode() == 0 && lines.Scan() {
		kind, message := unwrap(t, lines.Text())
		if kind == "error" {
			require.NoError(t, protojson.Unmarshal(message, &ended))
			continue
		}
		answer := &susulv1.WatchEventsResponse{}
		require.NoError(t, protojson.Unmarshal(message, answer))
		got.take(t, answer)
	}
	require.NoError(t, lines.Err())
	require.Equal(t, slowFault(got.token), outcomeOf(status.FromProto(&ended)))
	rest, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Empty(t, rest)
	require.Positive(t, got.events)
	require.Less(t, got.events, int64(4*devices))
}

// A node that stops does not wait for clients that take nothing.
func TestStreamsOfSlowConsumersEnd(t *testing.T) {
	s := newStage(t, time.Hour)
	stream := s.watch(t, "")
	var got account
	hello, err := stream.Recv()
	require.NoError(t, err)
	got.take(t, hello)
	s.report(t, 2000)
	wait(t, s.many)
	s.face.EndStreams()
	wait(t, s.ended)
	require.Equal(t, outcome{Code: codes.Unavailable, Message: "this node stops working: resume the stream at another", Reason: "STANDBY",
		Retry: true}, outcomeOf(got.rest(t, stream)))
}

// A client that goes away while the server waits for it leaves nothing behind.
func TestSlowConsumersMayGo(t *testing.T) {
	s := newStage(t, time.Hour)
	ctx, cancel := context.WithCancel(servertest.AsApp(t.Context()))
	stream, err := susulv1.NewCallbackServiceClient(s.conn).WatchEvents(ctx, &susulv1.WatchEventsRequest{Parent: app})
	require.NoError(t, err)
	_, err = stream.Recv()
	require.NoError(t, err)
	s.report(t, 2000)
	wait(t, s.many)
	cancel()
	wait(t, s.ended)
}
