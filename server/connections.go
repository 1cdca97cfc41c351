package server

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"golang.org/x/net/netutil"
)

// Bounds on connections, in real time. Nobody who is slow, idle or numerous may take what others need.
const (
	readHeaderTimeout = 5 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 16 << 10

	// A body may keep its reader waiting for bodyGrace, and a second more for every so many bytes that came.
	bodyGrace   = 5 * time.Second
	minBodyRate = 256 << 10

	maxStreams = 256 // calls at a time over one gRPC connection

	// Of the files that the process may open, so many are no caller's: the database, etcd, requests to EngageLab.
	reservedFiles  = 1024
	maxConnections = 1 << 16
)

// limitConnections lets a listener have its share, in percent, of the connections that there can be. Further ones wait
// to be accepted until others end.
func limitConnections(listener net.Listener, percent int) net.Listener {
	return netutil.LimitListener(listener, max(connectionLimit()*percent/100, 1))
}

// connectionLimit is how many connections there can be. Go raises the soft limit to the hard one when it starts.
func connectionLimit() int {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Cur > maxConnections+reservedFiles {
		return maxConnections
	}
	limit := int(files.Cur)
	return max(limit-reservedFiles, limit/2)
}

func newHTTPServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: paceBodies(handler), ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// paceBodies gives up on requests whose bodies come too slowly. http.Server.ReadTimeout would give large bodies no more
// time than small ones, and end long answers too.
func paceBodies(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil && r.Body != http.NoBody {
			body := &pacedBody{ReadCloser: r.Body, control: http.NewResponseController(w), patience: bodyGrace}
			body.limit() // also for what is left of a body that nobody reads
			r.Body = body
		}
		handler.ServeHTTP(w, r)
	})
}

// pacedBody is a body whose reader has only so much patience; what comes restores it.
type pacedBody struct {
	io.ReadCloser
	control  *http.ResponseController
	patience time.Duration
}

// Read implements io.Reader. Only the time that it waits itself counts.
func (b *pacedBody) Read(p []byte) (int, error) {
	began := b.limit()
	n, err := b.ReadCloser.Read(p)
	b.patience += time.Duration(n)*time.Second/minBodyRate - time.Since(began) //nolint:forbidigo // real time
	if errors.Is(err, io.EOF) {
		_ = b.control.SetReadDeadline(time.Time{}) // the answer may take its time; a connection that is gone has no deadline
	}
	return n, err
}

// limit sets the moment at which patience ends, and returns the present one.
func (b *pacedBody) limit() (now time.Time) {
	now = time.Now()                                   //nolint:forbidigo // real time
	_ = b.control.SetReadDeadline(now.Add(b.patience)) // it fails only when the connection is gone
	return now
}
