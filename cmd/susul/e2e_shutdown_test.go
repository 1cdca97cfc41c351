package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	susulv1 "susul.dev/susul/gen/susul/v1"
)

// stopTimeout is the shutdown.timeout of the tests' nodes.
const stopTimeout = 10 * time.Second

func TestStopEndsStreamsAndLetsCallsFinish(t *testing.T) {
	t.Parallel()
	lab := startSandbox(t, obedient()...)
	arrived, release := make(chan struct{}, 2), make(chan struct{})
	url := lab.behind(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			arrived <- struct{}{}
			<-release
			next.ServeHTTP(w, r)
		})
	})
	n := serve(t, "--config", writeSettings(t, baseSettings(t.TempDir(), url)), "--shutdown.timeout", stopTimeout.String())
	n.awaitReady(t)

	stream, err := n.callbacks.WatchEvents(t.Context(), &susulv1.WatchEventsRequest{Parent: "apps/" + testApp})
	require.NoError(t, err)
	_, err = stream.Recv()
	require.NoError(t, err)
	restStream := watchOverREST(t, n)
	var calls errgroup.Group
	calls.Go(func() error {
		_, err := n.pushes.CreatePush(t.Context(), smallPush("over gRPC"))
		return err
	})
	var rest answer
	calls.Go(func() (err error) {
		rest, err = n.try(http.MethodPost, "/v4/push", newsDocument(t, "over REST", people("rest", 1)), nil)
		return err
	})
	<-arrived
	<-arrived

	began := time.Now()
	require.NoError(t, n.cmd.Process.Signal(syscall.SIGTERM))
	_, err = stream.Recv()
	require.Equal(t, codes.Unavailable, status.Code(err), "%v", err)
	_, err = io.ReadAll(restStream)
	require.NoError(t, err, "the stream over REST ends in order")
	close(release)
	require.NoError(t, calls.Wait(), "calls under way are answered")
	require.Equal(t, http.StatusOK, rest.status, "%s", rest.body)
	require.Equal(t, 0, n.exitCode(t, stopTimeout))
	t.Logf("stopped after %s", time.Since(began))
}

// watchOverREST opens a stream of events and reads its first answer.
func watchOverREST(t *testing.T, n *node) io.Reader {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+n.http+"/v1/apps/"+testApp+"/events:watch", nil)
	require.NoError(t, err)
	req.SetBasicAuth(testApp, testSecret)
	got, err := n.web.Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { _ = got.Body.Close() })
	require.Equal(t, http.StatusOK, got.StatusCode)
	lines := bufio.NewReader(got.Body)
	first, err := lines.ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, first, "resumeToken")
	return lines
}

func smallPush(requestID string) *susulv1.CreatePushRequest {
	return &susulv1.CreatePushRequest{Parent: "apps/" + testApp, Push: &susulv1.Push{
		RequestId:    requestID,
		Audience:     &susulv1.Audience{Kind: &susulv1.Audience_RegistrationIds{RegistrationIds: &susulv1.RegistrationIds{Ids: people("small", 1)}}},
		Notification: &susulv1.Notification{Alert: "Hello."},
	}}
}

// A caller in a stopping node's way gets its answer or finds the door closed; nothing in between.
func TestStopUnderLoadFailsNoCallThatItTook(t *testing.T) {
	t.Parallel()
	lab := startSandbox(t, obedient()...)
	n := serve(t, "--config", writeSettings(t, baseSettings(t.TempDir(), lab.url)), "--shutdown.timeout", stopTimeout.String())
	n.awaitReady(t)
	overGRPC := func() (more bool, err error) {
		_, err = n.pushes.ListPushes(t.Context(), &susulv1.ListPushesRequest{Parent: "apps/" + testApp})
		if refused := status.Convert(err); refused.Code() == codes.Unavailable && !isAnswer(refused) {
			return false, nil
		}
		return true, err
	}
	overREST := func() (more bool, err error) {
		got, err := n.try(http.MethodGet, "/v1/apps/"+testApp+"/pushes", nil, nil)
		if err != nil {
			return false, nil //nolint:nilerr // no answer: the door is closed
		}
		if got.status != http.StatusOK {
			return false, fmt.Errorf("%d: %s", got.status, got.body)
		}
		return true, nil
	}
	var loaded sync.WaitGroup
	var callers errgroup.Group
	for i := range 16 {
		call := overGRPC
		if i%2 == 0 {
			call = overREST
		}
		loaded.Add(1)
		callers.Go(func() (err error) {
			answered := sync.OnceFunc(loaded.Done)
			defer answered()
			for more := true; more && err == nil; {
				more, err = call()
				answered()
			}
			return err
		})
	}
	loaded.Wait()
	n.terminate(t, stopTimeout)
	require.NoError(t, callers.Wait())
}

// Clients resume an ended stream at once, over the connection that they have. That must not hold up the stop.
func TestStopOutlastsStreamsThatAreResumed(t *testing.T) {
	t.Parallel()
	lab := startSandbox(t, obedient()...)
	n := serve(t, "--config", writeSettings(t, baseSettings(t.TempDir(), lab.url)), "--shutdown.timeout", stopTimeout.String())
	n.awaitReady(t)
	var open sync.WaitGroup
	var watchers errgroup.Group
	for range 16 {
		open.Add(1)
		watchers.Go(func() error {
			opened := sync.OnceFunc(open.Done)
			defer opened()
			for token := ""; ; {
				stream, err := n.callbacks.WatchEvents(t.Context(), &susulv1.WatchEventsRequest{
					Parent: "apps/" + testApp, ResumeToken: token,
				})
				for err == nil {
					var got *susulv1.WatchEventsResponse
					got, err = stream.Recv()
					token = got.GetResumeToken()
					opened()
				}
				if ended := status.Convert(err); ended.Code() != codes.Unavailable || !isAnswer(ended) {
					return err
				}
			}
		})
	}
	open.Wait()
	began := time.Now()
	n.terminate(t, patience)
	require.Less(t, time.Since(began), stopTimeout/2)
	require.Equal(t, codes.Unavailable, status.Code(watchers.Wait()))
}

// A client that does not read its stream is cut off when the time for callers is over; the work still ends in order.
func TestStopCutsOffAStreamThatIsNotRead(t *testing.T) {
	t.Parallel()
	lab := startSandbox(t, obedient()...)
	n := serve(t, "--config", writeSettings(t, baseSettings(t.TempDir(), lab.url)), "--shutdown.timeout", "1s")
	n.awaitReady(t)
	_, err := n.callbacks.WatchEvents(t.Context(), &susulv1.WatchEventsRequest{Parent: "apps/" + testApp})
	require.NoError(t, err)
	to := people("unread", 1000)
	n.sendNews(t, "unread", to)
	batches, _ := callbackBatches(t, lab, to)
	_, failed := post(t, n, batches, moment{})
	require.Empty(t, failed)
	n.terminate(t, stopTimeout)
	n.await(t, `"msg":"stopped","error":null`)
}

// isAnswer reports whether an error is the node's own answer rather than the lack of one.
func isAnswer(refused *status.Status) bool {
	for _, detail := range refused.Details() {
		if _, ok := detail.(*errdetails.ErrorInfo); ok {
			return true
		}
	}
	return false
}

// EngageLab that does not answer must not keep a node from stopping.
func TestStopDoesNotWaitForEngageLab(t *testing.T) {
	t.Parallel()
	lab := startSandbox(t, obedient()...)
	arrived := make(chan struct{}, 1)
	url := lab.behind(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // only then the server sees that its client has gone
			arrived <- struct{}{}
			<-r.Context().Done()
		})
	})
	n := serve(t, "--config", writeSettings(t, baseSettings(t.TempDir(), url)), "--shutdown.timeout", stopTimeout.String())
	n.awaitReady(t)
	var call errgroup.Group
	call.Go(func() error {
		_, err := n.pushes.CreatePush(t.Context(), smallPush("slow"))
		return err
	})
	<-arrived
	began := time.Now()
	n.terminate(t, stopTimeout)
	t.Logf("stopped after %s", time.Since(began))
	require.NoError(t, call.Wait(), "the push is accepted, and will be sent later")
}
