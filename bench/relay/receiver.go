package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
)

// receivers are all receivers of a case in one server: each has a path of its own, by which it is told apart.
type receivers struct {
	*httptest.Server
	want int // events of each

	mu       sync.Mutex
	all      []receiver
	posts    int
	waiting  int // receivers that have not got every event
	complete chan struct{}
	fault    error
	sample   []byte // the longest document
	bare     bool   // documents are counted, not read
}

// receiver remembers the latest event of each push.
type receiver struct {
	events int
	last   map[string]int64
}

func startReceivers(count, want int) *receivers {
	r := &receivers{want: want, waiting: count, complete: make(chan struct{}), all: make([]receiver, count)}
	for i := range r.all {
		r.all[i].last = map[string]int64{}
	}
	r.Server = httptest.NewServer(http.HandlerFunc(r.take))
	return r
}

// url is where a receiver is.
func (r *receivers) url(i int) string { return r.URL + "/" + strconv.Itoa(i) }

// measureBare makes the receivers take anything, as fast as they can.
func (r *receivers) measureBare() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bare = true
}

type document struct {
	Total int `json:"total"`
	Rows  []struct {
		MessageID string `json:"message_id"`
		Susul     struct {
			EventID string `json:"event_id"`
		} `json:"susul"`
	} `json:"rows"`
}

func (r *receivers) take(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	r.mu.Lock()
	bare := r.bare
	r.mu.Unlock()
	if bare {
		return
	}
	number, err := strconv.Atoi(strings.TrimPrefix(req.URL.Path, "/"))
	var d document
	if err == nil {
		err = json.Unmarshal(body, &d)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.posts++; len(body) > len(r.sample) {
		r.sample = body
	}
	if err == nil {
		err = r.all[number].note(d)
	}
	if err != nil && r.fault == nil {
		r.fault = fmt.Errorf("receiver %s: %w", req.URL.Path, err)
	}
	if err == nil && r.all[number].events == r.want {
		if r.waiting--; r.waiting == 0 {
			close(r.complete)
		}
	}
}

// note counts what is new, and refuses what is out of order.
func (r *receiver) note(d document) error {
	for _, row := range d.Rows {
		event, err := strconv.ParseInt(row.Susul.EventID, 10, 64)
		if err != nil {
			return err
		}
		if event <= r.last[row.MessageID] {
			return fmt.Errorf("event %d of push %s came after event %d", event, row.MessageID, r.last[row.MessageID])
		}
		r.last[row.MessageID] = event
	}
	r.events += len(d.Rows)
	return nil
}
