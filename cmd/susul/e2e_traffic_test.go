package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/engagelab"
)

const (
	// pushersOverGRPC and pushersOverREST push one after the other, to a few devices each time, with a pause in between.
	pushersOverGRPC, pushersOverREST = 4, 2
	pushPause                        = 70 * time.Millisecond
	devicesPerPush                   = 4

	// postersOfRows post what is to be told, with a pause in between.
	postersOfRows = 4
	postPause     = 40 * time.Millisecond
	rowsPerPost   = 100

	// callWithin bounds a call of the traffic.
	callWithin = 20 * time.Second

	// trafficClicks of the devices click, within so long.
	trafficClicks = 0.4
	trafficClick  = 4 * time.Second

	// settleWithin is longer than what a node had claimed that is gone is left alone.
	settleWithin = 3 * time.Minute

	// againShare of what was acknowledged is told again, where calls are repeated.
	againShare = 0.1
)

// traffic is what a fleet's users do to it: pushes, and callbacks about all that EngageLab gets.
type traffic struct {
	fleet *fleet
	// repeats says that a call which failed is made again, as it was, until it is acknowledged.
	repeats bool
	within  time.Duration // of a call

	calls atomic.Int64

	mu       sync.Mutex
	random   *rand.Rand
	pushes   map[string][]string // the devices of acknowledged pushes, by msg_id
	clicks   map[string]*told    // by device
	open     []*told             // what no poster has
	pending  int                 // rows without an acknowledgement
	rows     map[rowKey]bool     // acknowledged
	failures []string
}

// rowKey tells rows apart.
type rowKey struct {
	messageID, device string
	milestone         susulv1.Milestone
}

func newTraffic(random *rand.Rand) *traffic {
	return &traffic{
		random: random, within: callWithin,
		pushes: map[string][]string{}, clicks: map[string]*told{}, rows: map[rowKey]bool{},
	}
}

// witness is a stage before the sandbox that sees what is sent, and has its devices report. What it lets through arrives there even if
// the sender is gone meanwhile.
func (f *traffic) witness(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the sender is gone
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r.WithContext(context.WithoutCancel(r.Context())))
		var request sending
		if r.Method == http.MethodPost && json.Unmarshal(body, &request) == nil {
			f.sent(request, answer.Body.Bytes())
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}

// sent has the devices that got something report that, and some of them click once.
func (f *traffic) sent(request sending, answer []byte) {
	messages := upstreamIDs(answer)
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, recipients := range request.recipients() {
		for _, id := range recipients {
			messageID := messages(id)
			f.tell(&told{row: callbackRow(messageID, id, "delivered"), at: now})
			if f.clicks[id] == nil && f.random.Float64() < trafficClicks {
				c := &told{row: callbackRow(messageID, id, "click"), at: now.Add(time.Duration(f.random.Int64N(int64(trafficClick))))}
				f.clicks[id] = c
				f.tell(c)
			}
		}
	}
}

func (f *traffic) tell(row *told) {
	f.open = append(f.open, row)
	f.pending++
}

// run has users push and EngageLab report, until stop is called, which returns when everything is acknowledged that was begun.
func (f *traffic) run(t *testing.T) (stopPushing, stop func()) {
	t.Helper()
	pushing, endPushing := context.WithCancel(t.Context())
	posting, endPosting := context.WithCancel(t.Context())
	var pushers, posters sync.WaitGroup
	for i := range pushersOverGRPC + pushersOverREST {
		push := f.pushOverGRPC
		if i >= pushersOverGRPC {
			push = f.pushOverREST
		}
		pushers.Go(func() { f.push(pushing, i, push) })
	}
	for range postersOfRows {
		posters.Go(func() { f.post(posting) })
	}
	stopPushing = func() {
		endPushing()
		pushers.Wait()
	}
	stop = func() {
		stopPushing()
		endPosting()
		posters.Wait()
	}
	t.Cleanup(stop)
	return stopPushing, stop
}

// fail notes that a call failed which is not made again.
func (f *traffic) fail(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failures = append(f.failures, fmt.Sprintf(format, args...))
}

// attempt makes a call, again and again if calls are repeated, and reports whether it succeeded.
func (f *traffic) attempt(what string, call func(ctx context.Context) error) bool {
	for tooLate := time.Now().Add(patience); ; <-time.After(pushPause) {
		ctx, cancel := context.WithTimeout(context.Background(), f.within)
		began := time.Now()
		err := call(ctx)
		cancel()
		f.calls.Add(1)
		if err == nil {
			return true
		}
		if !f.repeats || time.Now().After(tooLate) {
			f.fail("%s: %s failed after %s: %v", began.Format("15:04:05.000"), what, time.Since(began), err)
			return false
		}
	}
}

// push pushes until the context ends, to devices that nobody else has.
func (f *traffic) push(ctx context.Context, pusher int, push func(ctx context.Context, requestID string, to []string) (string, error)) {
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pushPause):
		}
		requestID := fmt.Sprintf("p%di%d", pusher, i)
		to := people(requestID+"x", devicesPerPush)
		f.attempt("push "+requestID, func(ctx context.Context) error {
			msgID, err := push(ctx, requestID, to)
			if err != nil {
				return err
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			f.pushes[msgID] = to
			return nil
		})
	}
}

func (f *traffic) pushOverGRPC(ctx context.Context, requestID string, to []string) (msgID string, err error) {
	got, err := f.fleet.pushes.CreatePush(ctx, &susulv1.CreatePushRequest{Parent: "apps/" + testApp, Push: &susulv1.Push{
		RequestId:    requestID,
		Audience:     &susulv1.Audience{Kind: &susulv1.Audience_RegistrationIds{RegistrationIds: &susulv1.RegistrationIds{Ids: to}}},
		Notification: &susulv1.Notification{Alert: "Three things to know today."},
	}})
	return got.GetPush().GetMsgId(), err
}

func (f *traffic) pushOverREST(ctx context.Context, requestID string, to []string) (msgID string, err error) {
	document, err := json.Marshal(map[string]any{
		"from": "e2e", "request_id": requestID, "to": map[string]any{"registration_id": to},
		"body": map[string]any{"platform": "android", "notification": map[string]any{"alert": "Three things to know today."}},
	})
	if err != nil {
		return "", err
	}
	got, err := f.fleet.try(ctx, "/v4/push", document, nil)
	if err != nil {
		return "", err
	}
	var pushed engagelab.PushResponse
	if err := json.Unmarshal([]byte(got.body), &pushed); err != nil || got.status != http.StatusOK {
		return "", fmt.Errorf("%d: %s", got.status, got.body)
	}
	return pushed.MsgID, nil
}

// post tells what has happened until the context ends.
func (f *traffic) post(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(postPause):
		}
		rows := f.happened()
		if len(rows) == 0 {
			continue
		}
		if f.attempt("callbacks", func(ctx context.Context) error { return f.postRows(ctx, rows) }) {
			f.acknowledge(rows)
		}
	}
}

// happened takes rows that have happened.
func (f *traffic) happened() (rows []*told) {
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	var later []*told
	for _, row := range f.open {
		if row.at.After(now) || len(rows) == rowsPerPost {
			later = append(later, row)
			continue
		}
		if row.posted.IsZero() {
			row.posted = now
		}
		rows = append(rows, row)
	}
	f.open = later
	return rows
}

func (f *traffic) postRows(ctx context.Context, rows []*told) error {
	batch := engagelab.CallbackBatch{Total: len(rows)}
	for _, row := range rows {
		batch.Rows = append(batch.Rows, row.row)
	}
	body, err := json.Marshal(batch)
	if err != nil {
		return err
	}
	got, err := f.fleet.try(ctx, callbacksPath, body, http.Header{engagelab.SignatureHeader: {sign()}})
	if err == nil && got.status != http.StatusOK {
		err = fmt.Errorf("%d: %s", got.status, got.body)
	}
	return err
}

// acknowledge notes rows, and has some told again.
func (f *traffic) acknowledge(rows []*told) {
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, row := range rows {
		if row.acknowledged.IsZero() {
			row.acknowledged = now
		}
		f.pending--
		milestone := susulv1.Milestone_MILESTONE_DELIVERED
		if row.row.Status.MessageStatus == "click" {
			milestone = susulv1.Milestone_MILESTONE_CLICKED
		}
		f.rows[rowKey{row.row.MessageID, row.row.To, milestone}] = true
		if f.repeats && f.random.Float64() < againShare {
			f.tell(row)
		}
	}
}

// settle waits until every push has been followed up and everything that happened is told, and returns when that was known.
func (f *traffic) settle(t *testing.T) (followedUp time.Time) {
	t.Helper()
	f.mu.Lock()
	pushes := maps.Clone(f.pushes)
	f.mu.Unlock()
	tooLate := time.Now().Add(settleWithin)
	for msgID := range pushes {
		for !stepsAreSent(f.fleet.members[0].report(t, msgID)) {
			require.True(t, time.Now().Before(tooLate), "push %s: %v", msgID, f.fleet.members[0].report(t, msgID))
			<-time.After(pollPause)
		}
	}
	followedUp = time.Now()
	eventually(t, "everything is told", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.pending == 0 || len(f.failures) > 0
	})
	return followedUp
}

// check requires what is promised, whatever happened to the nodes, and stops them. The log must have been read.
func (f *traffic) check(t *testing.T, log *sendLog, followedUp time.Time) {
	t.Helper()
	log.read(t)
	f.checkEvents(t, f.fleet.members[0])
	f.checkReports(t, f.fleet.members[1])
	f.fleet.terminate(t)
	claims := f.fleet.claims(t)
	devices, clicked, spared := 0, 0, 0
	for msgID, to := range f.pushes {
		for _, id := range to {
			devices++
			require.True(t, strings.HasPrefix(log.steps[0][id], msgID+"-0-"), "%s did not get push %s, but %q", id, msgID, log.steps[0][id])
			cid, got := log.steps[1][id]
			c := f.clicks[id]
			switch {
			case !got:
				require.True(t, c != nil && c.posted.Before(followedUp), "%s did not click, and was not followed up", id)
				spared++
			case c != nil:
				clicked++
				claim := claims[strings.Join(strings.Split(cid, "-")[:3], "-")]
				require.False(t, claim.IsZero(), "nobody claimed %s", cid)
				require.False(t, c.acknowledged.Before(claim), "%s clicked before %s was claimed, and got it", id, cid)
			}
		}
	}
	require.Len(t, log.steps[0], devices, "nobody else got a push")
	t.Logf("%d calls; %d pushes to %d devices; %d rows; %d clicked in time and were spared, %d clicked and were followed up",
		f.calls.Load(), len(f.pushes), devices, len(f.rows), spared, clicked)
	require.Positive(t, spared)
}

// checkEvents requires that each acknowledged row is an event, once, and that there are no others.
func (f *traffic) checkEvents(t *testing.T, n *node) {
	t.Helper()
	events := map[rowKey]bool{}
	for _, event := range n.events(t, "") {
		key := rowKey{event.GetCallback().GetUpstreamMessageId(), event.GetCallback().GetRegistrationId(), event.GetMilestone()}
		require.False(t, events[key], "%v is there twice", key)
		require.True(t, f.rows[key], "%v was not told", key)
		events[key] = true
	}
	require.Len(t, events, len(f.rows), "what was acknowledged is there")
}

// checkReports requires that each push's report counts what was told of it.
func (f *traffic) checkReports(t *testing.T, n *node) {
	t.Helper()
	for msgID, to := range f.pushes {
		clicked := int64(0)
		for _, id := range to {
			if f.clicks[id] != nil {
				clicked++
			}
		}
		total := n.report(t, msgID).GetTotal()
		require.EqualValues(t, len(to), total.GetDelivered(), "push %s", msgID)
		require.Equal(t, clicked, total.GetClicked(), "push %s", msgID)
	}
}
