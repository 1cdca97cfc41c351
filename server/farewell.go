package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Bounds of a farewell, in real time.
const (
	// doorTime is how long a listener may be busy with those that wait to be accepted before it closes.
	doorTime = 100 * time.Millisecond

	// lastWords is how long answers tell connections that they are the last, before those that nobody uses are closed.
	lastWords = 50 * time.Millisecond

	// silence is how long a connection on which nothing has come may delay the stop.
	silence = 500 * time.Millisecond
)

// webServer is an HTTP server that stops without failing a request. http.Server.Shutdown by itself drops those that came while it began,
// and those that come on a connection as it is closed, and their clients can't tell whether they may repeat them.
type webServer struct {
	*http.Server
	leaving atomic.Bool

	mu      sync.Mutex
	busy    map[net.Conn]http.ConnState // connections that are new or active
	changed chan struct{}               // gets a token when there are fewer of them
}

// newWebServer takes over the server's handler and its ConnState.
func newWebServer(server *http.Server) *webServer {
	s := &webServer{Server: server, busy: map[net.Conn]http.ConnState{}, changed: make(chan struct{}, 1)}
	next := server.Handler
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.leaving.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
	server.ConnState = s.note
	return s
}

// note keeps count of connections.
func (s *webServer) note(conn net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state == http.StateNew || state == http.StateActive {
		s.busy[conn] = state
		return
	}
	delete(s.busy, conn)
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// quiet reports whether no connection is new or active.
func (s *webServer) quiet() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.busy) == 0
}

// closeSilent closes connections on which nothing has come.
func (s *webServer) closeSilent() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn, state := range s.busy {
		if state == http.StateNew {
			_ = conn.Close()
		}
	}
}

// Serve serves until the server stops.
func (s *webServer) Serve(listener net.Listener) error {
	err := s.Server.Serve(listener)
	if s.leaving.Load() && errors.Is(err, net.ErrClosed) {
		return http.ErrServerClosed
	}
	return err
}

// stop takes no new connections, answers the requests that are under way and those that are about to come, and cuts off what outlasts the
// deadline.
func (s *webServer) stop(deadline context.Context, d *door) {
	s.leaving.Store(true)
	d.close()
	talking := time.After(lastWords) //nolint:forbidigo // times a network
	silent := time.After(silence)    //nolint:forbidigo // times a network
	for talk := true; talk || !s.quiet(); {
		select {
		case <-s.changed:
		case <-talking:
			talk = false
		case <-silent:
			s.closeSilent()
		case <-deadline.Done():
			_ = s.Close()
			return
		}
	}
	if err := s.Shutdown(deadline); err != nil {
		_ = s.Close()
	}
}

// door is a listener that takes the connections which wait to be accepted before it closes: they would be reset.
type door struct {
	*net.TCPListener
	closing atomic.Bool
	closed  chan struct{}
	once    sync.Once
}

func newDoor(listener *net.TCPListener) *door {
	return &door{TCPListener: listener, closed: make(chan struct{})}
}

// Accept implements net.Listener.
func (d *door) Accept() (net.Conn, error) {
	conn, err := d.TCPListener.Accept()
	if err == nil || !d.closing.Load() {
		return conn, err //nolint:wrapcheck // as the listener says
	}
	if conn := d.acceptWaiting(); conn != nil {
		return conn, nil
	}
	_ = d.Close()
	return nil, net.ErrClosed
}

// acceptWaiting accepts a connection that is there already; nil if there is none. Nothing is waited for, so that few can come between the
// last of these looks and the close.
func (d *door) acceptWaiting() (conn net.Conn) {
	if err := d.SetDeadline(time.Time{}); err != nil {
		return nil
	}
	raw, err := d.SyscallConn()
	if err != nil {
		return nil
	}
	_ = raw.Read(func(fd uintptr) bool {
		accepted, _, err := syscall.Accept(int(fd))
		if err != nil {
			return true
		}
		file := os.NewFile(uintptr(accepted), "connection")
		conn, _ = net.FileConn(file) // nil if it fails
		_ = file.Close()             // conn has a copy
		return true
	})
	return conn
}

// Close implements net.Listener.
func (d *door) Close() (err error) {
	d.once.Do(func() {
		err = d.TCPListener.Close()
		close(d.closed)
	})
	return err
}

// close closes the door once nobody stands in it. Who accepts must go on until then.
func (d *door) close() {
	d.closing.Store(true)
	if d.SetDeadline(time.Now()) != nil { //nolint:forbidigo // wakes who accepts
		_ = d.Close()
	}
	select {
	case <-d.closed:
	case <-time.After(doorTime): //nolint:forbidigo // there are more connections than there may be, and nobody accepts
		_ = d.Close()
	}
}
