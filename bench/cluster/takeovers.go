package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"susul.dev/susul/bench/rig"
	susulv1 "susul.dev/susul/gen/susul/v1"
)

const (
	// Each of the nodes that stay has some callers, who make one call after the other with a pause in between.
	callersPerNode = 2
	callPause      = 5 * time.Millisecond

	callTimeout     = 30 * time.Second
	takeoverTimeout = time.Minute

	// before is how long the light load lasts before the leader goes.
	before = 300 * time.Millisecond
)

// takeoversResult tells of changes of leader, as callers of the nodes that stay saw them.
type takeoversResult struct {
	Stops goings `json:"sigterm"`
	Kills goings `json:"sigkill"`
}

// goings are what many leaders' going came to.
type goings struct {
	Rounds int `json:"rounds"`
	// Elected is from the signal until another node was elected, Answered until that one had answered a call.
	Elected  rig.Latency `json:"elected"`
	Answered rig.Latency `json:"answered"`
	// Pause is the longest time in which a caller had no answer.
	Pause rig.Latency `json:"pause"`
	Calls int         `json:"calls"`
	// Failed are calls that got an error. None is repeated.
	Failed  int    `json:"failed_calls"`
	Failure string `json:"failure,omitempty"` // the first
}

// takeovers has the leader stopped some times, and killed.
func (c *cluster) takeovers(ctx context.Context) (r takeoversResult, err error) {
	c.Lab.ExpectSmall()
	defer c.Lab.SmallPushes()
	for _, going := range []struct {
		name   string
		rounds int
		signal syscall.Signal
		into   *goings
	}{
		{"SIGTERM", c.stops, syscall.SIGTERM, &r.Stops},
		{"SIGKILL", c.kills, syscall.SIGKILL, &r.Kills},
	} {
		var elected, answered, pauses []time.Duration
		for range going.rounds {
			t, err := c.takeover(ctx, going.signal)
			if err != nil {
				return r, fmt.Errorf("%s: %w", going.name, err)
			}
			elected, answered = append(elected, t.elected), append(answered, t.answered())
			pauses = append(pauses, t.pause())
			t.count(going.into)
		}
		g := going.into
		g.Rounds, g.Elected, g.Answered, g.Pause = going.rounds, rig.LatencyOf(elected), rig.LatencyOf(answered), rig.LatencyOf(pauses)
		fmt.Fprintf(c.say, "%s: %d × %s to the leader: another one answered after p50 %.0f, max %.0f ms; callers paused for up to %.0f ms; "+
			"%d of %d calls failed\n", c.name, g.Rounds, going.name, g.Answered.P50, g.Answered.Max, g.Pause.Max, g.Failed, g.Calls)
	}
	return r, nil
}

// takeover is one change of leader.
type takeover struct {
	signal  time.Time
	elected time.Duration // from the signal on
	callers [][]attempt
}

// attempt is one call.
type attempt struct {
	began, ended time.Time
	err          error
}

// takeover ends the leader in its way, and starts another node in its place.
func (c *cluster) takeover(ctx context.Context, signal syscall.Signal) (t takeover, err error) {
	leader, err := c.leader(ctx)
	if err != nil {
		return t, err
	}
	leaving := c.members[leader]
	staying := slices.Delete(slices.Clone(c.members), leader, leader+1)
	calling, stopCalling := context.WithCancel(ctx)
	defer stopCalling()
	var callers sync.WaitGroup
	t.callers = make([][]attempt, len(staying)*callersPerNode)
	for i := range t.callers {
		callers.Go(func() { t.callers[i] = call(calling, staying[i%len(staying)]) })
	}
	if err := rig.Rest(ctx, before); err != nil {
		return t, err
	}
	t.signal = time.Now()
	if err := leaving.Signal(signal); err != nil {
		return t, err
	}
	err = t.await(ctx, staying)
	if err == nil {
		err = rig.Rest(ctx, before)
	}
	stopCalling()
	callers.Wait()
	if err != nil {
		return t, err
	}
	if signal == syscall.SIGTERM {
		err = leaving.Stop()
	} else {
		leaving.Kill()
	}
	if err == nil {
		c.members[leader], err = c.home.Start(ctx, strconv.Itoa(leader))
	}
	return t, err
}

// await waits until one of the nodes leads, and notes when it was elected.
func (t *takeover) await(ctx context.Context, staying []*rig.Susul) error {
	ctx, cancel := context.WithTimeout(ctx, takeoverTimeout)
	defer cancel()
	return rig.Poll(ctx, func() (bool, error) {
		for _, s := range staying {
			if !leads(ctx, s) {
				continue
			}
			at, err := electedAfter(s.Log(), t.signal)
			if err != nil || !at.IsZero() {
				t.elected = at.Sub(t.signal)
				return err == nil, err
			}
		}
		return false, nil
	})
}

// electedAfter returns when a log says that its node was elected, after some time; the zero time if it does not.
func electedAfter(log string, after time.Time) (at time.Time, err error) {
	text, err := os.ReadFile(log)
	if err != nil {
		return at, err
	}
	for line := range bytes.Lines(text) {
		var said struct {
			Time time.Time
			Msg  string
		}
		if bytes.Contains(line, []byte(`"elected"`)) && json.Unmarshal(line, &said) == nil && said.Msg == "elected" && said.Time.After(after) {
			return said.Time, nil
		}
	}
	return at, nil
}

// call makes calls through a node until the context ends: pushes, to one device each.
func call(ctx context.Context, s *rig.Susul) (all []attempt) {
	for ctx.Err() == nil {
		began := time.Now()
		calling, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
		_, err := s.Pushes.CreatePush(calling, &susulv1.CreatePushRequest{
			Parent: "apps/" + rig.AppKey,
			Push: &susulv1.Push{
				Audience: &susulv1.Audience{Kind: &susulv1.Audience_RegistrationIds{
					RegistrationIds: &susulv1.RegistrationIds{Ids: []string{string(rig.AppendRegistrationID(nil, firstSmall))}},
				}},
				Notification: &susulv1.Notification{Alert: "Three things to know today."},
			},
		})
		cancel()
		all = append(all, attempt{began, time.Now(), err})
		if rig.Rest(ctx, callPause) != nil {
			break
		}
	}
	return all
}

// answered returns how long after the signal the new leader had answered a call.
func (t takeover) answered() time.Duration {
	first := time.Duration(0)
	for _, attempts := range t.callers {
		for _, a := range attempts {
			if after := a.ended.Sub(t.signal); a.err == nil && after > t.elected && (first == 0 || after < first) {
				first = after
			}
		}
	}
	return first
}

// pause returns the longest time in which a caller had no answer.
func (t takeover) pause() (longest time.Duration) {
	for _, attempts := range t.callers {
		if len(attempts) == 0 {
			continue
		}
		last := attempts[0].began
		for _, a := range attempts {
			if a.err == nil {
				longest, last = max(longest, a.ended.Sub(last)), a.ended
			}
		}
	}
	return longest
}

func (t takeover) count(g *goings) {
	for _, a := range slices.Concat(t.callers...) {
		g.Calls++
		if a.err == nil {
			continue
		}
		if g.Failed++; g.Failure == "" {
			g.Failure = a.err.Error()
		}
	}
}
