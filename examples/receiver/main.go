// Receiver is a small service of the business's that takes events from Susul: it checks who posts them, passes over those that it
// has had already, and prints the others.
//
//	RECEIVER_SECRET=… go run ./examples/receiver --listen 127.0.0.1:8080
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// maxBody is how large a request may be, in bytes.
const maxBody = 8 << 20

// event is a row, as far as this receiver looks at it.
type event struct {
	MessageID  string          `json:"message_id"`
	To         string          `json:"to"`
	CustomArgs json.RawMessage `json:"custom_args"`
	Status     struct {
		MessageStatus string `json:"message_status"`
	} `json:"status"`
	Susul struct {
		EventID string `json:"event_id"`
		Step    int    `json:"step"`
		Test    bool   `json:"test"`
	} `json:"susul"`
}

// receiver is the handler of the URL that events are posted to.
type receiver struct {
	username, secret string
	handle           func(event) error
	seen             *seen
}

// ServeHTTP answers 204 when every event of the request was taken, now or before. Anything else has the request made again.
func (r receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxBody))
	if err != nil {
		http.Error(w, "the body can't be read", http.StatusBadRequest)
		return
	}
	now := time.Now() //nolint:forbidigo // requests are signed in real time
	if err := errors.Join(verify(req.Header, body, r.secret), verifyCallbackID(req.Header, r.username, r.secret, now)); err != nil {
		http.Error(w, "not signed by Susul", http.StatusUnauthorized)
		return
	}
	var document struct {
		Rows []event `json:"rows"`
	}
	if err := json.Unmarshal(body, &document); err != nil {
		http.Error(w, "not a callback document", http.StatusBadRequest)
		return
	}
	for _, e := range document.Rows {
		if e.Susul.Test {
			continue // somebody tries the way here
		}
		if err := r.seen.once(e.Susul.EventID, func() error { return r.handle(e) }); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// seen remembers the latest event ids, in memory. A service that must not forget keeps them where it keeps what it makes of the
// events, in the same transaction: `INSERT … ON CONFLICT (event_id) DO NOTHING`.
type seen struct {
	mu  sync.Mutex
	ids map[string]bool
	all []string // a ring; the oldest is at `at`
	at  int
}

func newSeen(n int) *seen { return &seen{ids: make(map[string]bool, n), all: make([]string, n)} }

// once calls do unless it succeeded for this id before.
func (s *seen) once(id string, do func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ids[id] {
		return nil
	}
	if err := do(); err != nil {
		return err
	}
	delete(s.ids, s.all[s.at])
	s.ids[id], s.all[s.at] = true, id
	s.at = (s.at + 1) % len(s.all)
	return nil
}

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "host:port to listen on")
	username := flag.String("username", "susul", "the user name in X-CALLBACK-ID")
	flag.Parse()
	r := receiver{username: *username, secret: os.Getenv("RECEIVER_SECRET"), handle: show, seen: newSeen(100_000)}
	if r.secret == "" {
		fmt.Fprintln(os.Stderr, "set RECEIVER_SECRET: without it, anybody could sign")
		os.Exit(2)
	}
	server := &http.Server{Addr: *listen, Handler: r, ReadTimeout: 10 * time.Second}
	fmt.Fprintln(os.Stderr, server.ListenAndServe())
	os.Exit(1)
}

func show(e event) error {
	_, err := fmt.Println(e.Susul.EventID, e.MessageID, "step", e.Susul.Step, e.To, e.Status.MessageStatus, string(e.CustomArgs))
	return err
}
