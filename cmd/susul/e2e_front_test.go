package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"susul.dev/susul/server/engagelab"
)

const (
	// slowest is how long an answer to a follow-up takes at most. There are some for all of a leader's senders at once, so that
	// a step is sent in waves, between which people click.
	slowest = 2 * time.Second

	// lostShare of the answers to follow-ups get lost with their connection, lateShare come too late.
	lostShare, lateShare = 0.03, 0.015

	// clickShare of those whom a request reaches click, within so long.
	clickShare  = 0.15
	clickWithin = 10 * time.Second

	// clickPause is the pause between two callbacks.
	clickPause = 100 * time.Millisecond
)

// ambush is when a leader is killed in a step: with its n-th request, before EngageLab has it or once it has taken it; or, if
// request is 0, so long after the step was due.
type ambush struct {
	step, request int
	taken         bool
	after         time.Duration
	sprung        chan struct{} // closed when the leader is gone
}

// front stands between a cluster and its EngageLab. Requests go through it, with their trouble. Those whom they reach click,
// which it reports to whoever leads, as EngageLab does. It notes when.
type front struct {
	cluster *cluster

	mu       sync.Mutex
	random   *rand.Rand
	ambush   ambush               // there is none if its step is 0
	requests map[int]int          // by step
	arrived  map[string]time.Time // the first request with a cid
	clicks   map[string]*told     // the first of each, by registration id
	open     []*told              // those that no node has acknowledged yet
}

// told is a row that is to be told to Susul when it has happened.
type told struct {
	row          engagelab.CallbackRow
	at           time.Time
	posted       time.Time // when a node was first told; zero if none was
	acknowledged time.Time // when a node had answered 200; zero if none has
}

func newFront(c *cluster, random *rand.Rand) *front {
	return &front{
		cluster: c, random: random, requests: map[int]int{}, arrived: map[string]time.Time{}, clicks: map[string]*told{},
	}
}

// lay prepares an ambush for one of the requests to come, and reports whether it is too late for it.
func (f *front) lay(a ambush) (late bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	late = f.requests[a.step] >= a.request
	if !late {
		f.ambush = a
	}
	return late
}

// sending is a request that sends something, as far as the test looks at it.
type sending struct {
	To struct {
		RegistrationID []string `json:"registration_id"`
	} `json:"to"`
	Body     withOptions `json:"body"`
	Requests []struct {
		withOptions
		Target string `json:"target"`
	} `json:"requests"` // of a batch
}

type withOptions struct {
	Options struct {
		CID string `json:"cid"`
	} `json:"options"`
}

// recipients returns the recipients by cid.
func (s sending) recipients() map[string][]string {
	all := map[string][]string{}
	if len(s.To.RegistrationID) > 0 {
		all[s.Body.Options.CID] = s.To.RegistrationID
	}
	for _, single := range s.Requests {
		all[single.Options.CID] = append(all[single.Options.CID], single.Target)
	}
	return all
}

// stepIn reads the step out of a cid, which is msg_id-step-chunk.
func stepIn(cid string) int {
	parts := strings.SplitN(cid, "-", 3)
	if len(parts) < 3 {
		return 0
	}
	step, _ := strconv.Atoi(parts[1]) // what is no cid of Susul's is told by the checks
	return step
}

// trouble is what becomes of a request.
type trouble struct {
	killBefore, killAfter chan struct{} // to be closed when the leader is gone; nil if it is not killed
	delay                 time.Duration
	lost, late            bool
}

// toEngageLab is the stage before the sandbox. What it lets through arrives there even if the sender is gone meanwhile.
func (f *front) toEngageLab(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the sender is gone
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		var request sending
		if r.Method != http.MethodPost || json.Unmarshal(body, &request) != nil || len(request.recipients()) == 0 {
			next.ServeHTTP(w, r)
			return
		}
		fate := f.arrive(request)
		if fate.killBefore != nil {
			f.cluster.killLeader(fate.killBefore)
			panic(http.ErrAbortHandler)
		}
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r.WithContext(context.WithoutCancel(r.Context())))
		f.drawClicks(request, answer.Body.Bytes())
		if fate.killAfter != nil {
			f.cluster.killLeader(fate.killAfter)
			panic(http.ErrAbortHandler)
		}
		fate.hold(r)
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}

// hold lets the answer wait, or get lost.
func (fate trouble) hold(r *http.Request) {
	if fate.late {
		<-r.Context().Done() // the sender has given up
	}
	select {
	case <-r.Context().Done():
	case <-time.After(fate.delay):
	}
	if fate.lost {
		panic(http.ErrAbortHandler)
	}
}

// arrive notes a request and draws what becomes of it. First sendings have no trouble.
func (f *front) arrive(request sending) (fate trouble) {
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	step := 0
	for cid := range request.recipients() {
		if _, again := f.arrived[cid]; !again {
			f.arrived[cid] = now
		}
		step = stepIn(cid)
	}
	if step == 0 {
		return fate
	}
	f.requests[step]++
	if a := f.ambush; a.step == step && a.request == f.requests[step] {
		f.ambush = ambush{}
		if fate.killBefore = a.sprung; a.taken {
			fate.killBefore, fate.killAfter = nil, a.sprung
		}
	}
	fate.delay = time.Duration(f.random.Int64N(int64(slowest)))
	fate.lost, fate.late = f.random.Float64() < lostShare, f.random.Float64() < lateShare
	return fate
}

// upstreamIDs returns what tells the message that a device got by EngageLab's answer to a push, or to a batch of single messages.
func upstreamIDs(answer []byte) func(device string) string {
	var taken struct {
		MsgID   string                           `json:"msg_id"`
		Results map[string]engagelab.BatchResult `json:"results"`
	}
	if json.Unmarshal(answer, &taken) != nil {
		return func(string) string { return "" } // nobody knows such a message
	}
	return func(device string) string {
		if single, ok := taken.Results[device]; ok {
			return single.MsgID.String()
		}
		return taken.MsgID
	}
}

// drawClicks decides who of a request's recipients will click, and when, if they don't already.
func (f *front) drawClicks(request sending, answer []byte) {
	messages := upstreamIDs(answer)
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, recipients := range request.recipients() {
		for _, id := range recipients {
			if f.clicks[id] != nil || f.random.Float64() >= clickShare {
				continue
			}
			c := &told{row: callbackRow(messages(id), id, "click"), at: now.Add(time.Duration(f.random.Int64N(int64(clickWithin))))}
			f.clicks[id], f.open = c, append(f.open, c)
		}
	}
}

// report posts clicks as they happen, again and again until a node takes them, until the context ends.
func (f *front) report(ctx context.Context) {
	tick := time.NewTicker(clickPause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		clicks := f.happened()
		rows := make([]engagelab.CallbackRow, len(clicks))
		for i, c := range clicks {
			rows[i] = c.row
		}
		for _, n := range f.cluster.nodes() {
			got, err := n.postCallbacks(rows)
			if err == nil && got.status == http.StatusOK {
				f.acknowledge(clicks)
				break
			}
		}
	}
}

// happened returns the open clicks that have happened.
func (f *front) happened() (clicks []*told) {
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.open {
		if c.at.After(now) {
			continue
		}
		if c.posted.IsZero() {
			c.posted = now
		}
		clicks = append(clicks, c)
	}
	return clicks
}

func (f *front) acknowledge(clicks []*told) {
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range clicks {
		c.acknowledged = now
	}
	f.open = slices.DeleteFunc(f.open, func(c *told) bool { return !c.acknowledged.IsZero() })
}
