package delivery_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

func in(t *testing.T, zone, text string) time.Time {
	t.Helper()
	location, err := time.LoadLocation(zone)
	require.NoError(t, err)
	at, err := time.ParseInLocation("2006-01-02 15:04", text, location)
	require.NoError(t, err)
	return at.UTC()
}

// quiet is the policy of one step with quiet hours.
func quiet(from, until string) policy.Policy {
	p := oneStep()
	p.Limits.QuietHours = &policy.QuietHours{From: hm(from), Until: hm(until)}
	return p
}

// Quiet hours end when the recipient's clock says so, on the days too on which it is put forward or back.
func TestQuietHoursDefer(t *testing.T) {
	for name, c := range map[string]struct {
		zone, due, want string
		took            time.Duration
	}{
		"in the evening":             {"Asia/Jakarta", "2026-03-10 23:00", "2026-03-11 07:00", 8 * time.Hour},
		"at their beginning":         {"Asia/Jakarta", "2026-03-10 22:00", "2026-03-11 07:00", 9 * time.Hour},
		"just before":                {"Asia/Jakarta", "2026-03-10 21:59", "2026-03-10 21:59", 0},
		"early in the morning":       {"Asia/Jakarta", "2026-03-11 00:30", "2026-03-11 07:00", 6*time.Hour + 30*time.Minute},
		"at their end":               {"Asia/Jakarta", "2026-03-11 07:00", "2026-03-11 07:00", 0},
		"clocks put forward":         {"Europe/Berlin", "2026-03-28 23:00", "2026-03-29 07:00", 7 * time.Hour},
		"clocks put back":            {"Europe/Berlin", "2026-10-24 23:00", "2026-10-25 07:00", 9 * time.Hour},
		"forward in America":         {"America/New_York", "2026-03-08 01:30", "2026-03-08 07:00", 4*time.Hour + 30*time.Minute},
		"back south of the equator":  {"Australia/Sydney", "2026-04-05 00:00", "2026-04-05 07:00", 8 * time.Hour},
		"a zone of quarters of hour": {"Asia/Kathmandu", "2026-03-10 22:15", "2026-03-11 07:00", 8*time.Hour + 45*time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			due, want := in(t, c.zone, c.due), in(t, c.zone, c.want)
			require.Equal(t, c.took, want.Sub(due), "the case itself")
			h := newHouse(t)
			h.createPolicy(quiet("22:00", "07:00"))
			h.knows("r0", nil, c.zone)
			h.at(due)
			push, _ := h.push(1, nil)
			h.settled(push)
			h.pass(3 * time.Hour)
			request := h.requests(push, 1)[0]
			require.Equal(t, want, request.DueTime)
			require.Equal(t, want.Add(10*time.Minute), request.ExpireTime, "the push lives for ten minutes")
			h.clock.Advance(c.took)
			require.Equal(t, []string{"r0"}, h.next().ids)
			require.Equal(t, map[storage.DispatchState]int{storage.DispatchSent: 1}, h.settled(push).Steps[1].Dispatches)
		})
	}
}

// Of the steps that come due in a night, only the last goes out in the morning.
func TestOfOneNightsStepsTheLastGoesOut(t *testing.T) {
	for name, stopped := range map[string]bool{"both go on": false, "the later one is paused": true} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			p := quiet("22:00", "07:00")
			p.Steps = news().Steps
			p = h.createPolicy(p)
			h.at(in(t, "UTC", "2026-03-10 23:00"))
			push, _ := h.push(1, nil)
			h.settled(push)
			h.pass(3 * time.Hour)
			h.pass(2 * time.Hour)
			want := 2
			if stopped {
				want = 1
				_, err := h.policies.Update(t.Context(), 0, p.ID, func(p policy.Policy) (policy.Policy, error) {
					p.Steps[1].Paused = true
					return p, nil
				})
				require.NoError(t, err)
			}
			h.clock.Advance(6 * time.Hour)
			require.Equal(t, fmt.Sprintf("%d-%d-0", push.ID, want), h.next().cid)
			report := h.settled(push)
			require.Equal(t, map[storage.DispatchState]int{storage.DispatchSent: 1}, report.Steps[want].Dispatches)
			require.Equal(t, map[storage.DispatchState]int{storage.DispatchCancelled: 1}, report.Steps[3-want].Dispatches)
			reason := storage.ReasonSuperseded
			if stopped {
				reason = storage.ReasonStepPaused
			}
			require.Equal(t, map[storage.Reason]int{reason: 1}, report.Steps[3-want].Unsent)
		})
	}
}

// Each recipient has its own clock: who sleeps gets it in the morning, who is awake now, and nobody's zone delays another's.
func TestRecipientsOfOneDispatchShareATimeZone(t *testing.T) {
	h := newHouse(t)
	p := quiet("22:00", "07:00")
	p.Limits.QuietHours.DefaultTimeZone = "Asia/Tokyo"
	p.Measurement.ClickWindow = time.Hour
	h.createPolicy(p)
	for id, zone := range map[string]string{
		"r0": "Asia/Jakarta", "r1": "Asia/Jakarta", "r2": "Europe/Berlin", "r3": "Asia/Tokyo", "r5": "Europe/Paris", "r6": "Nowhere/Land",
	} {
		h.knows(id, nil, zone)
	}
	h.at(in(t, "Asia/Tokyo", "2026-03-10 23:30")) // 21:30 in Jakarta, 15:30 in Berlin
	push, _ := h.push(7, nil)
	h.settled(push)
	h.pass(3 * time.Hour)
	got := map[string]string{}
	for range 3 {
		s := h.next()
		got[s.ids[0]] = s.upstream
	}
	require.Len(t, got, 3, "Jakarta, Berlin and Paris")
	require.NotContains(t, got, "r3")
	h.clock.Advance(7*time.Hour + 30*time.Minute)
	require.Equal(t, []string{"r3", "r4", "r6"}, h.next().ids, "what has no known zone goes by the policy's")
	h.settled(push)
	steps, err := h.store.StepsToMeasure(t.Context(), h.clock.Now().Add(time.Hour-time.Millisecond), 10)
	require.NoError(t, err)
	require.Empty(t, steps, "the click window begins when the last of them got it")
	steps, err = h.store.StepsToMeasure(t.Context(), h.clock.Now().Add(time.Hour), 10)
	require.NoError(t, err)
	require.Len(t, steps, 1)
}

// A dispatch that comes to be sent within quiet hours, since the queue was long, is deferred as a whole.
func TestALateDispatchIsDeferred(t *testing.T) {
	h := newHouse(t)
	h.createPolicy(quiet("22:00", "07:00"))
	h.at(in(t, "UTC", "2026-03-10 21:55"))
	push, _ := h.push(2, nil)
	h.settled(push)
	h.stop()
	h.pass(3 * time.Hour)
	require.Equal(t, h.clock.Now(), h.requests(push, 1)[0].DueTime)
	h.clock.Advance(6 * time.Minute)
	h.start()
	morning := in(t, "UTC", "2026-03-11 07:00")
	require.Eventually(t, func() bool { return h.requests(push, 1)[0].DueTime.Equal(morning) }, patience, time.Millisecond)
	request := h.requests(push, 1)[0]
	require.Equal(t, storage.DispatchPending, request.State)
	require.Equal(t, morning.Add(10*time.Minute), request.ExpireTime)
	require.Empty(t, h.reasons(push, 1))
	h.clock.Advance(morning.Sub(h.clock.Now()))
	require.Equal(t, people(2), h.next().ids)
	h.settled(push)
}

// Devices that moved since the step was planned: a dispatch goes to those who are awake.
func TestADispatchWhoseRecipientsMoved(t *testing.T) {
	h := newHouse(t)
	h.createPolicy(quiet("22:00", "07:00"))
	h.at(in(t, "UTC", "2026-03-10 16:00"))
	push, _ := h.push(3, nil)
	h.settled(push)
	h.stop()
	h.pass(3 * time.Hour)
	h.knows("r1", nil, "Asia/Tokyo")
	h.start()
	require.Equal(t, []string{"r0", "r2"}, h.next().ids)
	h.settled(push)
	require.Equal(t, map[string]storage.Reason{"r1": storage.ReasonQuietHours}, h.reasons(push, 1))
}

func TestExpireAfterBoundsTheExpiry(t *testing.T) {
	h := newHouse(t)
	p := news()
	p.Limits.ExpireAfter = 3*time.Hour + 4*time.Minute
	h.createPolicy(p)
	push, _ := h.push(2, nil)
	h.settled(push)
	h.stop()
	h.pass(3 * time.Hour)
	require.Equal(t, push.FirstSentTime.Add(p.Limits.ExpireAfter), h.requests(push, 1)[0].ExpireTime)
	h.clock.Advance(4*time.Minute + time.Millisecond)
	h.start()
	require.Equal(t, map[storage.DispatchState]int{storage.DispatchExpired: 1}, h.settled(push).Steps[1].Dispatches)
	h.pass(2 * time.Hour)
	h.settled(push)
	require.Equal(t, map[string]storage.Reason{"r0": storage.ReasonLimitExpired, "r1": storage.ReasonLimitExpired}, h.reasons(push, 2))
	require.Len(t, h.engageLab.sendings, 1)
}

// A cap counts all messages to the device in the window that ends now: pushes, and follow-ups of whatever policy.
func TestFrequencyCap(t *testing.T) {
	h := newHouse(t)
	p := news() // T+3 h, T+5 h
	p.Limits.FrequencyCap = &policy.FrequencyCap{Messages: 2, Window: 5 * time.Hour}
	h.createPolicy(p)
	push, _ := h.push(3, nil)
	h.settled(push)
	h.clock.Advance(time.Hour)
	h.push(1, map[string]any{"custom_args": "other"}) // r0 has two now
	h.pass(2 * time.Hour)
	require.Equal(t, []string{"r1", "r2"}, h.next().ids)
	h.settled(push)
	require.Equal(t, map[string]storage.Reason{"r0": storage.ReasonFrequencyCap}, h.reasons(push, 1))
	h.clock.Advance(time.Hour)
	h.push(2, map[string]any{"custom_args": "other"}) // r0 and r1 have three
	h.pass(time.Hour)
	require.Equal(t, []string{"r2"}, h.next().ids, "the first sending has just left the window")
	h.settled(push)
	require.Equal(t, map[string]storage.Reason{"r0": storage.ReasonFrequencyCap, "r1": storage.ReasonFrequencyCap}, h.reasons(push, 2))
}

func TestMinimumGap(t *testing.T) {
	h := newHouse(t)
	p := oneStep()
	p.Limits.MinimumGap = 90 * time.Minute
	h.createPolicy(p)
	push, _ := h.push(3, nil)
	h.settled(push)
	h.clock.Advance(90 * time.Minute)
	h.push(1, map[string]any{"custom_args": "other"}) // r0: exactly 90 minutes before
	h.clock.Advance(time.Millisecond)
	_, err := h.service.CreatePush(t.Context(), h.request(2, map[string]any{
		"custom_args": "other", "to": map[string]any{"registration_id": []string{"r1"}},
	}))
	require.NoError(t, err)
	h.next()
	h.pass(90*time.Minute - time.Millisecond)
	require.Equal(t, []string{"r0", "r2"}, h.next().ids)
	h.settled(push)
	require.Equal(t, map[string]storage.Reason{"r1": storage.ReasonMinimumGap}, h.reasons(push, 1))
}

// The gap is to the time at which a follow-up would be sent, not to that at which it is planned.
func TestLimitsLookAtTheTimeOfSending(t *testing.T) {
	h := newHouse(t)
	p := quiet("22:00", "07:00")
	p.Limits.MinimumGap = 4 * time.Hour
	h.createPolicy(p)
	h.at(in(t, "UTC", "2026-03-10 23:00"))
	push, _ := h.push(1, nil)
	h.settled(push)
	h.pass(3 * time.Hour)
	h.clock.Advance(8 * time.Hour)
	require.Equal(t, []string{"r0"}, h.next().ids)
	h.settled(push)
}

// Steps of several pushes and policies that are claimed at the same time hold a cap together, to the last message.
func TestACapIsStrict(t *testing.T) {
	h := newHouse(t)
	const pushes, people = 8, 5
	for _, id := range []string{"one", "two"} {
		p := oneStep()
		p.ID, p.Match = id, `custom_args == "`+id+`"`
		p.Limits.FrequencyCap = &policy.FrequencyCap{Messages: 2*pushes + 3, Window: 24 * time.Hour}
		h.createPolicy(p)
	}
	var all []storage.Push
	for range pushes {
		for _, id := range []string{"one", "two"} {
			push, _ := h.push(people, map[string]any{"custom_args": id})
			all = append(all, push)
		}
	}
	for _, push := range all {
		h.settled(push)
	}
	h.stop()
	h.senders = 16
	h.pass(3 * time.Hour)
	for _, push := range all {
		require.Empty(t, h.reasons(push, 1), "when they were planned, nobody had too many")
	}
	h.start()
	followUps := 0
	for _, push := range all {
		followUps += h.settled(push).Steps[1].Targets
	}
	require.Equal(t, 3*people, followUps)
}

// After an outage two steps may come due at once. Only the later one goes out.
func TestOfTwoStepsThatAreLateOnlyTheLaterGoesOut(t *testing.T) {
	h := newHouse(t)
	h.createPolicy(news())
	push, first := h.push(2, nil)
	h.callback(first, "sent", first.ids...)
	h.pass(6 * time.Hour)
	report := h.settled(push)
	require.Equal(t, map[storage.DispatchState]int{storage.DispatchCancelled: 1}, report.Steps[1].Dispatches)
	require.Equal(t, 2, report.Steps[2].Targets)
	require.Len(t, h.engageLab.sendings, 2)
}
