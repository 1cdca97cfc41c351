package main

import (
	"bytes"
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
	bare     bool   // what comes is of no interest
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

// measureBare makes the receivers take anything.
func (r *receivers) measureBare() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bare = true
}

func (r *receivers) take(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	number, err := strconv.Atoi(strings.TrimPrefix(req.URL.Path, "/"))
	rows := rowsOf(body) // as much work for the yardstick
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bare {
		return
	}
	if r.posts++; len(body) > len(r.sample) {
		r.sample = body
	}
	if err == nil {
		err = r.all[number].note(rows)
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

// row is whose event a row is, and which.
type row struct {
	push  string
	event int64
}

// rowsOf reads the rows of a document without looking at more of it than need be: what reads it shares the processors with what is
// measured.
func rowsOf(body []byte) (rows []row) {
	for {
		push, rest, ok := member(body, `"message_id":"`)
		if !ok {
			return rows
		}
		event, rest, _ := member(rest, `"event_id":"`)
		number, _ := strconv.ParseInt(string(event), 10, 64) // 0 is out of order
		rows, body = append(rows, row{string(push), number}), rest
	}
}

// member returns the string that follows the first occurrence of a name, and what comes after it.
func member(body []byte, name string) (value, rest []byte, ok bool) {
	_, rest, ok = bytes.Cut(body, []byte(name))
	if !ok {
		return nil, nil, false
	}
	return bytes.Cut(rest, []byte{'"'})
}

// note counts what is new, and refuses what is out of order.
func (r *receiver) note(rows []row) error {
	for _, row := range rows {
		if row.event <= r.last[row.push] {
			return fmt.Errorf("event %d of push %s came after event %d", row.event, row.push, r.last[row.push])
		}
		r.last[row.push] = row.event
	}
	r.events += len(rows)
	return nil
}
