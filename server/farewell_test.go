package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// leavingServer serves a handler until the test stops it.
func leavingServer(t *testing.T, handler http.HandlerFunc) (s *webServer, url string, stop func(context.Context)) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s, d := newWebServer(newHTTPServer(handler, slog.New(slog.DiscardHandler))), newDoor(listener.(*net.TCPListener))
	served := make(chan error, 1)
	go func() { served <- s.Serve(limitConnections(d, 50)) }()
	return s, "http://" + listener.Addr().String(), func(ctx context.Context) {
		s.stop(ctx, d)
		require.ErrorIs(t, <-served, http.ErrServerClosed)
	}
}

// Requests of a busy crowd are answered, or their connections are refused, if only by the kernel. Who is left without an answer would not
// know what became of the request.
func TestAServerThatLeavesAnswersOrRefuses(t *testing.T) {
	for name, transport := range map[string]func() *http.Transport{
		"a connection each": func() *http.Transport { return &http.Transport{DisableKeepAlives: true} },
		"busy connections":  func() *http.Transport { return &http.Transport{MaxIdleConnsPerHost: 64} },
	} {
		t.Run(name, func(t *testing.T) {
			for range 10 {
				_, url, stop := leavingServer(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
				web := &http.Client{Transport: transport()}
				var crowd errgroup.Group
				for range 32 {
					crowd.Go(func() error {
						for {
							if err := echo(web, url); err != nil {
								if op := new(net.OpError); errors.As(err, &op) && op.Op == "dial" || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
									return nil
								}
								return err
							}
						}
					})
				}
				require.NoError(t, echo(web, url))
				stop(t.Context())
				require.NoError(t, crowd.Wait())
				web.CloseIdleConnections()
			}
		})
	}
}

func echo(web *http.Client, url string) error {
	got, err := web.Post(url, "text/plain", strings.NewReader("hello"))
	if err != nil {
		return err
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err == nil && string(body) != "hello" {
		err = fmt.Errorf("%s: %q", got.Status, body)
	}
	return err
}

func TestAServerThatLeavesDoesNotWaitForTheSilent(t *testing.T) {
	_, url, stop := leavingServer(t, func(http.ResponseWriter, *http.Request) {})
	silentConn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	require.NoError(t, err)
	defer silentConn.Close()
	began := time.Now()
	stop(t.Context())
	require.Less(t, time.Since(began), 4*silence)
	_, err = silentConn.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
}

func TestAServerThatLeavesCutsOffAtTheDeadline(t *testing.T) {
	arrived := make(chan struct{})
	_, url, stop := leavingServer(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then the server sees that its connection is gone
		close(arrived)
		<-r.Context().Done()
	})
	web := &http.Client{Transport: &http.Transport{}}
	failed := make(chan error, 1)
	go func() { failed <- echo(web, url) }()
	<-arrived
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	stop(ctx)
	require.Error(t, <-failed)
}
