package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"susul.dev/susul/server/engagelab"
)

const firstMessageID = 1666165485030094861

// lab stands in for EngageLab: it takes every push at once, and remembers which message id is for which recipients.
type lab struct {
	url    string
	web    *http.Server
	served chan error

	mu       sync.Mutex
	expected map[string]uint64 // numbers of recipients who are first in a chunk, by registration id
	taken    []chunk
}

func startLab(ctx context.Context) (*lab, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &lab{url: "http://" + listener.Addr().String(), served: make(chan error, 1), expected: map[string]uint64{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v4/push", l.push)
	l.web = &http.Server{Handler: mux, ReadHeaderTimeout: exchangeTimeout}
	go func() { l.served <- l.web.Serve(listener) }()
	return l, nil
}

func (l *lab) close() error {
	err := l.web.Close()
	if served := <-l.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// expect announces a push to so many recipients.
func (l *lab) expect(first uint64, recipients int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for number := first; number < first+uint64(recipients); number += chunkSize {
		l.expected[string(appendRegistrationID(nil, number))] = number
	}
}

// chunks returns what was taken since the last call, in the order of recipients.
func (l *lab) chunks() []chunk {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.taken
	l.taken = nil
	slices.SortFunc(taken, func(a, b chunk) int { return cmp.Compare(a.First, b.First) })
	return taken
}

func (l *lab) push(w http.ResponseWriter, r *http.Request) {
	var document struct {
		RequestID string `json:"request_id"`
		To        struct {
			RegistrationID []string `json:"registration_id"`
		} `json:"to"`
	}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&document)
	var messageID string
	if err == nil {
		messageID, err = l.take(document.To.RegistrationID)
	}
	if err != nil {
		engagelab.WriteError(w, http.StatusBadRequest, engagelab.CodeInvalidParameter, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(engagelab.PushResponse{RequestID: document.RequestID, MsgID: messageID}) // the caller may be gone
}

// take gives a chunk its message id.
func (l *lab) take(ids []string) (messageID string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(ids) != chunkSize {
		return "", fmt.Errorf("%d recipients in a request", len(ids))
	}
	first, expected := l.expected[ids[0]]
	last := string(appendRegistrationID(nil, first+chunkSize-1))
	if !expected || ids[chunkSize-1] != last {
		return "", errors.New("recipients are not in the order of the push")
	}
	delete(l.expected, ids[0])
	// Ids of EngageLab's grow with time.
	messageID = strconv.FormatInt(firstMessageID+time.Now().UnixMicro()<<8+int64(len(l.expected)&255), 10)
	l.taken = append(l.taken, chunk{MessageID: messageID, First: first})
	return messageID, nil
}
