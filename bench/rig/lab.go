package rig

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
	"strings"
	"sync"
	"time"

	"susul.dev/susul/server/engagelab"
)

// FirstMessageID is a message id as EngageLab had them long ago.
const FirstMessageID = 1666165485030094861

// readTimeout bounds the head of a request.
const readTimeout = time.Minute

// maxBody bounds a request's body, in bytes.
const maxBody = 8 << 20

// Lab stands in for EngageLab: it takes every push at once, and remembers which message id is for which recipients.
type Lab struct {
	URL    string
	web    *http.Server
	served chan error

	mu        sync.Mutex
	expected  map[string]uint64 // numbers of recipients who are first in a chunk, by registration id
	taken     []Chunk
	followUps FollowUps
	small     *SmallPushes // nil if they are not expected
	lastID    int64
}

// SmallPushes is what was taken of pushes that need no second request.
type SmallPushes struct {
	Pushes   int
	Repeated int // of them, by their cids

	seen map[string]bool
}

// FollowUps is what was taken of follow-ups.
type FollowUps struct {
	Requests   int `json:"requests"`
	Recipients int `json:"recipients"`
	Repeated   int `json:"repeated"` // recipients who were named again

	seen map[string]bool
}

// startLab starts one on loopback.
func startLab(ctx context.Context) (*Lab, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &Lab{URL: "http://" + listener.Addr().String(), served: make(chan error, 1), expected: map[string]uint64{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v4/push", l.push)
	mux.HandleFunc("POST /v4/batch/push/regid", l.batch)
	mux.HandleFunc("GET /v4/status/detail", l.statusDetail)
	l.web = &http.Server{Handler: mux, ReadHeaderTimeout: readTimeout}
	go func() { l.served <- l.web.Serve(listener) }()
	return l, nil
}

// Close stops it.
func (l *Lab) Close() error {
	err := l.web.Close()
	if served := <-l.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// Expect announces a push to so many recipients.
func (l *Lab) Expect(first uint64, recipients int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for number := first; number < first+uint64(recipients); number += ChunkSize {
		l.expected[string(AppendRegistrationID(nil, number))] = number
	}
}

// ExpectSmall has pushes taken to whomever, of up to 1,000 recipients, which are only counted.
func (l *Lab) ExpectSmall() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.small = &SmallPushes{seen: map[string]bool{}}
}

// CountSmall returns how many pushes were taken since ExpectSmall, without repetitions.
func (l *Lab) CountSmall() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.small.Pushes
}

// SmallPushes counts what was taken since ExpectSmall, and ends the expectation.
func (l *Lab) SmallPushes() SmallPushes {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := *l.small
	l.small = nil
	return taken
}

// Chunks returns what was taken since the last call, in the order of recipients.
func (l *Lab) Chunks() []Chunk {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.taken
	l.taken = nil
	slices.SortFunc(taken, func(a, b Chunk) int { return cmp.Compare(a.First, b.First) })
	return taken
}

// FollowUps counts what was taken of follow-ups since the last call.
func (l *Lab) FollowUps() FollowUps {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.followUps
	l.followUps = FollowUps{}
	return taken
}

// withOptions is what the lab reads of a push object's body, and of one message of a batch.
type withOptions struct {
	Options struct {
		CID string `json:"cid"`
	} `json:"options"`
}

// followsUp reports whether a cid, which is msg_id-step-…, is a follow-up's.
func (o withOptions) followsUp() bool {
	_, rest, _ := strings.Cut(o.Options.CID, "-")
	return rest != "" && !strings.HasPrefix(rest, "0-")
}

func (l *Lab) push(w http.ResponseWriter, r *http.Request) {
	var document struct {
		RequestID string `json:"request_id"`
		To        struct {
			RegistrationID []string `json:"registration_id"`
		} `json:"to"`
		Body withOptions `json:"body"`
	}
	if !read(w, r, &document) {
		return
	}
	take := func(ids []string) (string, error) { return l.take(document.Body.Options.CID, ids) }
	if document.Body.followsUp() {
		take = l.takeFollowUp
	}
	messageID, err := take(document.To.RegistrationID)
	if err != nil {
		engagelab.WriteError(w, http.StatusBadRequest, engagelab.CodeInvalidParameter, err.Error())
		return
	}
	write(w, engagelab.PushResponse{RequestID: document.RequestID, MsgID: messageID})
}

// batch takes messages that are for one recipient each; only follow-ups have them.
func (l *Lab) batch(w http.ResponseWriter, r *http.Request) {
	var document struct {
		Requests []struct {
			Target string `json:"target"`
		} `json:"requests"`
	}
	if !read(w, r, &document) {
		return
	}
	targets := make([]string, len(document.Requests))
	for i, request := range document.Requests {
		targets[i] = request.Target
	}
	results := make(map[string]engagelab.BatchResult, len(targets))
	l.mu.Lock()
	l.countFollowUp(targets)
	for _, target := range targets {
		results[target] = engagelab.BatchResult{Target: target, Success: true, MsgID: json.Number(l.newMessageID())}
	}
	l.mu.Unlock()
	write(w, engagelab.BatchResponse{Results: results})
}

// statusDetail knows of no reactions but those that were reported.
func (l *Lab) statusDetail(w http.ResponseWriter, r *http.Request) {
	details := map[string]engagelab.StatusDetail{}
	for id := range strings.SplitSeq(r.URL.Query().Get("message_ids"), ",") {
		details[id] = engagelab.StatusDetail{}
	}
	write(w, details)
}

// read decodes a body, or answers that it can't.
func read(w http.ResponseWriter, r *http.Request, into any) bool {
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(into)
	if err != nil {
		engagelab.WriteError(w, http.StatusBadRequest, engagelab.CodeInvalidParameter, err.Error())
	}
	return err == nil
}

func write(w http.ResponseWriter, answer any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // the caller may be gone
}

// newMessageID returns an id; EngageLab's grow with time.
func (l *Lab) newMessageID() string {
	l.lastID = max(l.lastID+1, FirstMessageID+time.Now().UnixMicro()<<8)
	return strconv.FormatInt(l.lastID, 10)
}

// take gives a chunk, or a small push, its message id.
func (l *Lab) take(cid string, ids []string) (messageID string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.small != nil {
		if l.small.seen[cid] {
			l.small.Repeated++
		}
		l.small.seen[cid] = true
		l.small.Pushes = len(l.small.seen)
		return l.newMessageID(), nil
	}
	if len(ids) != ChunkSize {
		return "", fmt.Errorf("%d recipients in a request", len(ids))
	}
	first, expected := l.expected[ids[0]]
	last := string(AppendRegistrationID(nil, first+ChunkSize-1))
	if !expected || ids[ChunkSize-1] != last {
		return "", errors.New("recipients are not in the order of the push")
	}
	delete(l.expected, ids[0])
	messageID = l.newMessageID()
	l.taken = append(l.taken, Chunk{MessageID: messageID, First: first})
	return messageID, nil
}

func (l *Lab) takeFollowUp(ids []string) (messageID string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.countFollowUp(ids)
	return l.newMessageID(), nil
}

func (l *Lab) countFollowUp(ids []string) {
	f := &l.followUps
	if f.seen == nil {
		f.seen = map[string]bool{}
	}
	f.Requests++
	for _, id := range ids {
		if f.seen[id] {
			f.Repeated++
			continue
		}
		f.seen[id] = true
		f.Recipients++
	}
}
