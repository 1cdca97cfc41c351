package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/storage"
)

// outages are the ways in which EngageLab can be down. Nothing that arrives during one is taken.
var outages = map[string]error{
	"connections are refused": errors.New("dial tcp: connection refused"),
	"it answers 503":          errDown,
	"it answers 502":          errLost, // whether it was taken can't be told
	"it asks for an hour":     &engagelab.Error{HTTPStatus: 503, Message: "maintenance", RetryAfter: time.Hour},
}

// EngageLab is down for ten minutes during a burst. What is accepted is sent once when it is back, but for what nobody
// wants to get any more.
func TestAnOutageOfTenMinutesDuringABurst(t *testing.T) {
	for name, outage := range outages {
		t.Run(name, func(t *testing.T) {
			const pushes, lasting, short = 40, 10 * time.Minute, 300
			h := newHouse(t)
			tried := h.failing(outage)
			made := h.burst(pushes, func(i int) int { return []int{short, 86_400}[i%2] })
			for range pushes {
				<-tried
			}
			h.passUntil(10*time.Second, func() bool { return h.clock.Since(made[0].CreateTime) >= lasting })
			require.Empty(t, h.engageLab.sendings)

			h.engageLab.hook(nil, nil)
			h.passUntil(10*time.Second, func() bool { return h.states(made)[storage.PushExpired] == pushes/2 })
			h.passUntil(10*time.Second, func() bool { return len(h.engageLab.arrived) == pushes/2 })
			sent := map[string]int{}
			for range pushes / 2 {
				sent[h.next().cid]++
			}
			for i, push := range made {
				report := h.settled(push)
				cid := fmt.Sprintf("%d-0-0", push.ID)
				if i%2 == 0 {
					require.Equal(t, storage.PushExpired, report.Push.State)
					require.Equal(t, 1, report.Steps[0].Dispatches[storage.DispatchExpired])
					require.Zero(t, sent[cid])
					require.True(t, report.Push.FirstSentTime.IsZero())
					continue
				}
				require.Equal(t, storage.PushActive, report.Push.State)
				require.Equal(t, 1, report.Steps[0].Dispatches[storage.DispatchSent])
				require.Equal(t, 1, sent[cid], "sent once")
			}
			require.Empty(t, h.engageLab.arrived, "nothing is left to be sent")
		})
	}
}

// failing makes EngageLab take nothing, and tells of each push that was tried for the first time.
func (h *house) failing(outage error) (tried <-chan struct{}) {
	first := make(chan struct{}, 10_000)
	var mu sync.Mutex
	seen := map[string]bool{}
	h.engageLab.hook(func(s sending) error {
		mu.Lock()
		defer mu.Unlock()
		if !seen[s.cid] {
			seen[s.cid] = true
			first <- struct{}{}
		}
		return outage
	}, nil)
	return first
}

// burst creates pushes at once, for callers who do not wait for EngageLab.
func (h *house) burst(n int, timeToLive func(i int) (seconds int)) []storage.Push {
	h.t.Helper()
	made := make([]storage.Push, n)
	errs := make(chan error, n)
	var callers sync.WaitGroup
	for i := range n {
		request := h.request(2, map[string]any{"body": map[string]any{
			"platform": "all", "notification": map[string]any{"alert": "burst"}, "options": map[string]any{"time_to_live": timeToLive(i)},
		}})
		callers.Go(func() {
			ctx, leave := context.WithCancel(h.t.Context())
			leave()
			var err error
			made[i], err = h.service.CreatePush(ctx, request)
			errs <- err
		})
	}
	callers.Wait()
	for range n {
		require.NoError(h.t, <-errs)
	}
	return made
}

func (h *house) states(pushes []storage.Push) map[storage.PushState]int {
	h.t.Helper()
	states := map[storage.PushState]int{}
	for _, push := range pushes {
		now, err := h.service.GetPush(h.t.Context(), app, push.ID)
		require.NoError(h.t, err)
		states[now.State]++
	}
	return states
}

// A chunk whose answer never came while it was worth sending is not sent late, and nobody is followed up: who got it is
// not known.
func TestALaterChunkWithoutAnAnswerIsNotSentLate(t *testing.T) {
	h := newHouse(t)
	h.createPolicy(news())
	h.engageLab.hook(func(s sending) error {
		if len(s.ids) == 500 {
			return errLost
		}
		return nil
	}, nil)
	push, _ := h.push(1500, nil)
	h.passUntil(time.Second, func() bool { return h.dispatches(push, 0, storage.DispatchSending) })
	h.passUntil(time.Minute, func() bool { return h.dispatches(push, 0, storage.DispatchUnanswered) })
	h.engageLab.hook(nil, nil)
	report := h.settled(push)
	require.Equal(t, storage.PushActive, report.Push.State)
	require.Equal(t, storage.StepCancelled, report.Steps[1].State)
	require.Len(t, h.engageLab.sendings, 1)
}
