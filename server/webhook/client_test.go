package webhook_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
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

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/webhook"
)

var open = webhook.Options{AllowPrivateNetworks: true}

func newTLSServer(t *testing.T, change func(*tls.Config)) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/abort":
			panic(http.ErrAbortHandler)
		case "/hang":
			<-r.Context().Done()
		case "/headers":
			w.Header().Set("A", strings.Repeat("a", 100<<10))
		case "/body":
			for err := error(nil); err == nil; {
				_, err = w.Write(make([]byte, 4096))
			}
		}
		_, _ = io.WriteString(w, r.Proto)
	}))
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{}
	if change != nil {
		change(server.TLS)
	}
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func rootOf(server *httptest.Server) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	return pool
}

func TestAPostArrivesAndIsTimed(t *testing.T) {
	server := answering(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s %s %s %d", r.Method, r.URL, body, r.ContentLength)
	})
	result := client(t, open).Post(t.Context(), request(server.URL+"/a?b=c"))
	require.NoError(t, result.Err)
	require.Equal(t, 200, result.Status)
	require.Equal(t, `POST /a?b=c {"total":0,"rows":[]} 21`, string(result.Body))
	require.Positive(t, result.Duration)
	require.Zero(t, result.RetryAfter)
}

func TestHTTP2IsSpoken(t *testing.T) {
	server := newTLSServer(t, nil)
	c := client(t, webhook.Options{AllowPrivateNetworks: true, RootCAs: rootOf(server)})
	result := c.Post(t.Context(), request(server.URL))
	require.NoError(t, result.Err)
	require.Equal(t, "HTTP/2.0", string(result.Body))

	fails(t, c, server.URL+"/abort", webhook.ConnectionFailed)
	fails(t, c, server.URL+"/headers", webhook.UnreadableAnswer)
	require.NoError(t, c.Post(t.Context(), request(server.URL+"/body")).Err)
	hasty := client(t, webhook.Options{AllowPrivateNetworks: true, RootCAs: rootOf(server), Timeout: 200 * time.Millisecond})
	fails(t, hasty, server.URL+"/hang", webhook.TimedOut)
}

func TestAnHTTP2ConnectionThatIsCutOff(t *testing.T) {
	server := newTLSServer(t, nil)
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { server.CloseClientConnections() })
	c := client(t, webhook.Options{AllowPrivateNetworks: true, RootCAs: rootOf(server)})
	fails(t, c, server.URL, webhook.ConnectionFailed)
}

func TestOnlyStatuses2xxAreSuccess(t *testing.T) {
	var reached atomic.Int32
	elsewhere := answering(t, func(http.ResponseWriter, *http.Request) { reached.Add(1) })
	c := client(t, open)
	for status, want := range map[int]string{
		200: "", 202: "", 204: "",
		300: "HTTP 300 Multiple Choices: redirects are not followed",
		301: "HTTP 301 Moved Permanently: redirects are not followed",
		302: "HTTP 302 Found: redirects are not followed",
		304: "HTTP 304 Not Modified: redirects are not followed",
		307: "HTTP 307 Temporary Redirect: redirects are not followed",
		308: "HTTP 308 Permanent Redirect: redirects are not followed",
		400: "HTTP 400 Bad Request", 401: "HTTP 401 Unauthorized", 410: "HTTP 410 Gone", 429: "HTTP 429 Too Many Requests",
		500: "HTTP 500 Internal Server Error", 503: "HTTP 503 Service Unavailable", 599: "HTTP 599", 999: "HTTP 999",
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			server := answering(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", elsewhere.URL)
				w.WriteHeader(status)
				_, _ = io.WriteString(w, "because") // where a body is allowed
			})
			switch {
			case want == "":
				result := c.Post(t.Context(), request(server.URL))
				require.NoError(t, result.Err)
				require.Equal(t, status, result.Status)
				return
			case status < 400:
				require.EqualError(t, fails(t, c, server.URL, webhook.Redirected).Err, want)
			default:
				result := fails(t, c, server.URL, webhook.BadStatus)
				require.EqualError(t, result.Err, want)
				require.Equal(t, status, result.Status)
				require.Equal(t, "because", string(result.Body))
			}
		})
	}
	require.Zero(t, reached.Load())
}

func TestARedirectWithoutAPlace(t *testing.T) {
	server := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://[::broken")
		w.WriteHeader(http.StatusFound)
	})
	require.Equal(t, 302, fails(t, client(t, open), server.URL, webhook.Redirected).Status)
}

func TestAReceiverThatHangsTimesOut(t *testing.T) {
	server := answering(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	c := client(t, webhook.Options{AllowPrivateNetworks: true, Timeout: 100 * time.Millisecond})
	result := fails(t, c, server.URL, webhook.TimedOut)
	require.EqualError(t, result.Err, "no answer within 100ms")
	require.GreaterOrEqual(t, result.Duration, 100*time.Millisecond)
	require.Zero(t, result.Status)
}

func TestAReceiverThatNeverReadsTimesOut(t *testing.T) {
	done := make(chan struct{})
	address := speaking(t, func(int, *net.TCPConn) { <-done })
	defer close(done)
	c := client(t, webhook.Options{AllowPrivateNetworks: true, Timeout: 100 * time.Millisecond})
	large := request("http://" + address)
	large.Body = make([]byte, 32<<20)
	require.EqualError(t, c.Post(t.Context(), large).Err, "no answer within 100ms")
	fails(t, c, "https://"+address, webhook.TimedOut)
}

func TestAContextThatEndsStopsAPost(t *testing.T) {
	arrived := make(chan struct{})
	server := answering(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(arrived)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	var failed *webhook.Error
	require.ErrorAs(t, client(t, open).Post(ctx, request(server.URL)).Err, &failed)
	require.Equal(t, webhook.Stopped, failed.Kind)
}

func TestAConnectionThatBreaks(t *testing.T) {
	refusing, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, refusing.Close())
	require.EqualError(t, fails(t, client(t, open), "http://"+refusing.Addr().String(), webhook.Unreachable).Err,
		"connection refused")

	for name, speak := range map[string]func(*net.TCPConn){
		"reset": func(conn *net.TCPConn) { _ = conn.SetLinger(0) },
		"reset after the request": func(conn *net.TCPConn) {
			_, _, _ = readRequest(conn)
			_ = conn.SetLinger(0)
		},
		"closed": func(conn *net.TCPConn) { _, _, _ = readRequest(conn) },
		"closed within the headers": func(conn *net.TCPConn) {
			_, _, _ = readRequest(conn)
			say(conn, "HTTP/1.1 200 OK\r\nA: b\r\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			address := speaking(t, func(_ int, conn *net.TCPConn) { speak(conn) })
			fails(t, client(t, open), "http://"+address, webhook.ConnectionFailed)
		})
	}
}

func say(conn net.Conn, text string) { _, _ = io.WriteString(conn, text) }

func TestAnswersThatCannotBeRead(t *testing.T) {
	for name, text := range map[string]string{
		"not HTTP":           "SSH-2.0-OpenSSH_9.9\r\n\r\n",
		"a broken status":    "HTTP/1.1 OK\r\n\r\n",
		"closed within":      "HTTP/1.1 2",
		"a broken header":    "HTTP/1.1 200 OK\r\nno header\r\n\r\n",
		"headers beyond all": "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("a", 65<<10) + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			address := speaking(t, func(_ int, conn *net.TCPConn) {
				_, _, _ = readRequest(conn)
				say(conn, text)
			})
			fails(t, client(t, open), "http://"+address, webhook.UnreadableAnswer)
		})
	}
}

// Whoever answers without an end is hung up on, and what the status said counts.
func TestAnswersWithoutAnEnd(t *testing.T) {
	for name, tc := range map[string]struct {
		start, more string
		want        webhook.Kind
	}{
		"a body":              {"HTTP/1.1 200 OK\r\n\r\n", strings.Repeat("b", 4096), ""},
		"a chunked body":      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "4\r\nbbbb\r\n", ""},
		"a body of a failure": {"HTTP/1.1 500 X\r\n\r\n", strings.Repeat("b", 4096), webhook.BadStatus},
		"headers":             {"HTTP/1.1 200 OK\r\n", "A: " + strings.Repeat("h", 1000) + "\r\n", webhook.UnreadableAnswer},
		"a header":            {"HTTP/1.1 200 OK\r\nA: ", "hhhhhhhh", webhook.UnreadableAnswer},
		"early hints":         {"", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", webhook.UnreadableAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			hungUp := make(chan struct{})
			address := speaking(t, func(_ int, conn *net.TCPConn) {
				_, _, _ = readRequest(conn)
				say(conn, tc.start)
				for {
					if _, err := io.WriteString(conn, tc.more); err != nil {
						close(hungUp)
						return
					}
				}
			})
			c := client(t, open)
			if tc.want != "" {
				fails(t, c, "http://"+address, tc.want)
			} else {
				result := c.Post(t.Context(), request("http://"+address))
				require.NoError(t, result.Err)
				require.Equal(t, strings.Repeat("b", 1024), string(result.Body))
			}
			<-hungUp
		})
	}
}

// A status has said all; the body that drips after it is not waited for until the time is over.
func TestABodyThatDrips(t *testing.T) {
	for name, start := range map[string]string{
		"200":                     "HTTP/1.1 200 OK\r\n\r\n",
		"101, and so no HTTP any": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := speaking(t, func(_ int, conn *net.TCPConn) {
				_, _, _ = readRequest(conn)
				say(conn, start)
				drip := time.NewTicker(50 * time.Millisecond)
				defer drip.Stop()
				for range drip.C {
					if _, err := conn.Write([]byte("b")); err != nil {
						return
					}
				}
			})
			result := client(t, open).Post(t.Context(), request("http://"+address))
			require.Less(t, result.Duration, webhook.DefaultTimeout/2)
			require.Equal(t, start[9:12], fmt.Sprint(result.Status))
			require.Equal(t, result.Status == 200, result.Err == nil)
		})
	}
}

func TestABodyIsCutToTextOf1KiB(t *testing.T) {
	server := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "\xff"+strings.Repeat("é", 600))
	})
	result := client(t, open).Post(t.Context(), request(server.URL))
	require.NoError(t, result.Err)
	require.Equal(t, strings.Repeat("é", 511), string(result.Body))
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	var connections atomic.Int32
	closed := make(chan struct{}, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/fails" {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = w.Write(make([]byte, 60<<10))
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			connections.Add(1)
		case http.StateClosed:
			closed <- struct{}{}
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	c := client(t, open)
	for range 3 {
		require.NoError(t, c.Post(t.Context(), request(server.URL)).Err)
		fails(t, c, server.URL+"/fails", webhook.BadStatus)
	}
	require.EqualValues(t, 1, connections.Load())
	c.Close()
	<-closed
	require.NoError(t, c.Post(t.Context(), request(server.URL)).Err, "a closed client still posts")
	require.EqualValues(t, 2, connections.Load())
}

// A receiver may close an idle connection at any time, also just when a request is on its way.
func TestAPostOnAConnectionThatWasClosedMeanwhileIsRepeated(t *testing.T) {
	bodies := make(chan string, 3)
	address := speaking(t, func(n int, conn *net.TCPConn) {
		for i := 0; ; i++ {
			_, body, err := readRequest(conn)
			if err != nil || n == 0 && i == 1 {
				return // without an answer, as if the request had never come
			}
			bodies <- string(body)
			say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	c := client(t, open)
	first, second := request("http://"+address), request("http://"+address)
	second.Body = []byte("second")
	require.NoError(t, c.Post(t.Context(), first).Err)
	require.NoError(t, c.Post(t.Context(), second).Err)
	require.Equal(t, string(first.Body), <-bodies)
	require.Equal(t, "second", <-bodies)
	c.Close()
}

func TestRetryAfter(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	c := client(t, open)
	for name, tc := range map[string]struct {
		status      int
		value, date string
		want        time.Duration
	}{
		"seconds":               {503, "120", "", 2 * time.Minute},
		"nothing":               {503, "", "", 0},
		"zero":                  {503, "0", "", 0},
		"beyond all":            {429, "99999999999999999999999", "", 1 << 32 * time.Second},
		"negative":              {429, "-5", "", 0},
		"a fraction":            {429, "1.5", "", 0},
		"a word":                {429, "later", "", 0},
		"a date":                {429, now.Add(time.Hour).Format(http.TimeFormat), now.Format(http.TimeFormat), time.Hour},
		"a date, another clock": {429, "Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:27:00 GMT", time.Minute},
		"a date in the past":    {429, now.Add(-time.Hour).Format(http.TimeFormat), "", 0},
		"an old form":           {429, "Wednesday, 21-Oct-15 07:28:00 GMT", "Wed, 21 Oct 2015 07:27:00 GMT", time.Minute},
		"with a redirect":       {302, "7", "", 7 * time.Second},
		"with success":          {200, "7", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			server := answering(t, func(w http.ResponseWriter, _ *http.Request) {
				if tc.date != "" {
					w.Header().Set("Date", tc.date)
				}
				w.Header().Set("Retry-After", tc.value)
				w.WriteHeader(tc.status)
			})
			require.Equal(t, tc.want, c.Post(t.Context(), request(server.URL)).RetryAfter)
		})
	}
	server := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Date"] = nil
		w.Header().Set("Retry-After", now.Add(time.Hour).Format(http.TimeFormat))
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	require.InDelta(t, time.Hour, c.Post(t.Context(), request(server.URL)).RetryAfter, float64(time.Minute), "by the own clock")
}

func TestAnErrorIsOneOfItsKindOnly(t *testing.T) {
	result := fails(t, client(t, open), "http://[::1", webhook.InvalidRequest)
	require.NoError(t, errors.Unwrap(result.Err), "what lies beneath may quote the URL")
}
