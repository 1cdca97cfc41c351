package delivery_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/delivery"
	"susul.dev/susul/storage"
)

// invalid returns why which devices are invalid.
func (h *house) invalid() map[string]string {
	h.t.Helper()
	devices, err := h.store.ListInvalidDevices(h.t.Context(), storage.InvalidQuery{App: app})
	require.NoError(h.t, err)
	reasons := map[string]string{}
	for _, device := range devices {
		reasons[device.RegistrationID] = device.Invalidity.Reason
	}
	return reasons
}

func TestWhatMeansADeadToken(t *testing.T) {
	configured := map[string]string{
		"Uninstalled": "APP_GONE", "30001": "UNREGISTERED", "delivered": "NEVER", "sent_failed": "GIVEN_UP", "40004": "",
	}
	for name, c := range map[string]struct {
		extra  map[string]string
		status string
		code   int
		want   string
	}{
		"the known status":             {nil, "target_invalid", 0, "INVALID_TARGET"},
		"in another spelling":          {nil, " Target_Invalid", 9, "INVALID_TARGET"},
		"another failure":              {nil, "sent_failed", 30001, ""},
		"a configured status":          {configured, "uninstalled", 0, "APP_GONE"},
		"a configured code":            {configured, "delivered_failed", 30001, "UNREGISTERED"},
		"a status says more":           {configured, "sent_failed", 30001, "GIVEN_UP"},
		"the known status stays":       {configured, "target_invalid", 0, "INVALID_TARGET"},
		"an entry is taken away":       {map[string]string{"target_invalid": ""}, "target_invalid", 0, ""},
		"a code that was taken away":   {configured, "delivered_failed", 40004, ""},
		"what is no failure":           {configured, "delivered", 30001, ""},
		"nor is what nobody knows":     {configured, "whatever", 30001, ""},
		"a failure that has no code":   {configured, "delivered_failed", 0, ""},
		"the code 0 means that, too":   {map[string]string{"0": "ZERO"}, "delivered_failed", 0, ""},
		"a reason may be changed":      {map[string]string{"target_invalid": "DEAD"}, "target_invalid", 0, "DEAD"},
		"a status that is a success":   {map[string]string{"clicked": "ODD"}, "clicked", 0, ""},
		"an unknown status is failure": {map[string]string{"zombie": "UNDEAD"}, "ZOMBIE", 0, "UNDEAD"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.stop()
			h.dead = c.extra
			h.start()
			push, first := h.push(2, nil)
			h.settled(push)
			_, err := h.service.RecordCallbacks(t.Context(), app, []storage.Callback{{
				UpstreamID: first.upstream, RegistrationID: "r1", Status: c.status, ErrorCode: c.code, Time: h.clock.Now(),
			}})
			require.NoError(t, err)
			want := map[string]string{}
			if c.want != "" {
				want["r1"] = c.want
			}
			require.Equal(t, want, h.invalid())
		})
	}
}

// EngageLab hands on what APNs and FCM say in the failure's message.
func TestWordsOfMessagesMeanADeadToken(t *testing.T) {
	for name, c := range map[string]struct {
		extra         map[string]string
		message, want string
	}{
		"FCM":               {nil, "Requested entity was not found. (UNREGISTERED)", "UNREGISTERED"},
		"APNs":              {nil, `{"reason":"BadDeviceToken"}`, "BAD_TOKEN"},
		"part of a word":    {nil, "preregistered_unregistered", ""},
		"another failure":   {nil, "quota exceeded", ""},
		"a configured word": {map[string]string{"gone": "GONE"}, "it is gone", "GONE"},
		"a word taken away": {map[string]string{"Unregistered": ""}, "Unregistered", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.stop()
			h.dead = c.extra
			h.start()
			_, first := h.push(1, nil)
			_, err := h.service.RecordCallbacks(t.Context(), app, []storage.Callback{{
				UpstreamID: first.upstream, RegistrationID: "r0", Status: "sent_failed", ErrorMessage: c.message, Time: h.clock.Now(),
			}})
			require.NoError(t, err)
			require.Equal(t, c.want, h.invalid()["r0"])
		})
	}
}

// buried is a house in which the tokens of the given people are dead. Nothing of what told so is left in its ways.
func buried(t *testing.T, n int, dead ...string) *house {
	t.Helper()
	h := newHouse(t)
	push, first := h.push(n, map[string]any{"custom_args": "the one that told"})
	h.settled(push)
	h.callback(first, "target_invalid", dead...)
	h.clock.Advance(time.Second)
	return h
}

func TestDeadDevicesGetNoPush(t *testing.T) {
	h := buried(t, 2001, "r0", "r7", "r1000", "r2000")
	for range 2 {
		h.next()
	}
	h.createPolicy(news())
	push, first := h.push(2001, nil)
	second := h.next()
	report := h.settled(push)
	require.Equal(t, 1997, len(first.ids)+len(second.ids))
	require.Len(t, first.ids, 1000, "the chunks are cut from those who are left")
	for _, id := range []string{"r0", "r7", "r1000", "r2000"} {
		require.False(t, slices.Contains(first.ids, id) || slices.Contains(second.ids, id))
	}
	require.Equal(t, 1997, report.Steps[0].Targets)
	require.Equal(t, 2001, report.Push.Recipients)
	require.Equal(t, map[storage.Reason]int{storage.ReasonInvalidDevice: 4}, report.Steps[0].PassedOver)
}

func TestAPushToDeadDevicesOnly(t *testing.T) {
	h := buried(t, 2, people(2)...)
	h.createPolicy(news())
	for range 2 { // a repeated request, too, gets its answer at once
		began := time.Now()
		push, err := h.service.CreatePush(t.Context(), h.request(2, map[string]any{"request_id": "r"}))
		require.NoError(t, err)
		require.Less(t, time.Since(began), patience/2, "there is no answer to wait for")
		require.Equal(t, storage.PushActive, push.State)
		report := h.settled(push)
		require.Len(t, report.Steps, 1, "there is nothing to follow up")
		require.Equal(t, 2, report.Steps[0].PassedOver[storage.ReasonInvalidDevice])
		require.Empty(t, report.Steps[0].Dispatches)
		_, ok, err := h.service.ExpectedFinish(t.Context(), push)
		require.NoError(t, err)
		require.False(t, ok)
	}
	require.Len(t, h.engageLab.sendings, 1)
	pushes, err := h.service.ListPushes(t.Context(), storage.PushQuery{App: app})
	require.NoError(t, err)
	require.Len(t, pushes, 2)
	withdrawn, err := h.service.WithdrawPush(t.Context(), app, pushes[0].ID)
	require.NoError(t, err)
	require.Equal(t, storage.PushWithdrawn, withdrawn.State)
}

// A device that reports life gets pushes again, one way or another.
func TestRevival(t *testing.T) {
	for name, revive := range map[string]func(h *house){
		"it reports life": func(h *house) {
			h.callback(h.engageLab.sendings[0], "delivered", "r1")
		},
		"somebody knows better": func(h *house) {
			n, err := h.store.ReviveDevices(h.t.Context(), app, people(2), h.clock.Now())
			require.NoError(h.t, err)
			require.Equal(h.t, 1, n)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := buried(t, 2, "r1")
			push, s := h.push(2, nil)
			require.Equal(t, []string{"r0"}, s.ids)
			h.settled(push)
			revive(h)
			_, s = h.push(2, nil)
			require.Equal(t, people(2), s.ids)
		})
	}
}

// Devices may die between the acceptance of a push and its sending.
func TestDevicesThatDieMeanwhile(t *testing.T) {
	for name, c := range map[string]struct {
		dead   []int // of 2,500
		chunks []int
		over   int
	}{
		"nobody":                  {nil, []int{1000, 1000, 500}, 0},
		"some of each":            {[]int{0, 999, 1000, 2499}, []int{998, 999, 499}, 4},
		"a whole chunk":           {span(1000, 2000), []int{1000, 500}, 1000},
		"the first chunk but one": {span(0, 999), []int{1, 1000, 500}, 999},
		"the first chunk, and more": {append(span(0, 1000), 1000),
			[]int{1000, 999, 500}, 1}, // nothing could follow if it came to nothing
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			other, first := h.push(2500, map[string]any{"custom_args": "the one that tells"})
			rest := []sending{first, h.next(), h.next()}
			h.settled(other)
			h.stop()
			h.service = h.accepting()
			push, err := h.service.CreatePush(t.Context(), h.request(2500, nil))
			require.NoError(t, err)
			for _, i := range c.dead {
				h.buries(rest[i/1000], "r"+strconv.Itoa(i))
			}
			h.start()
			report := h.settled(push)
			var chunks []int
			for range c.chunks {
				chunks = append(chunks, len(h.next().ids))
			}
			require.Equal(t, c.chunks[0], chunks[0])
			require.ElementsMatch(t, c.chunks, chunks)
			require.Equal(t, c.over, report.Steps[0].PassedOver[storage.ReasonInvalidDevice])
			require.Equal(t, 2500-c.over, report.Steps[0].Targets)
		})
	}
}

func span(from, to int) []int {
	var numbers []int
	for i := from; i < to; i++ {
		numbers = append(numbers, i)
	}
	return numbers
}

// accepting returns a Service that accepts pushes and sends nothing.
func (h *house) accepting() *delivery.Service {
	o := h.options()
	o.AnswerWithin = time.Millisecond
	return delivery.New(o)
}

func TestDeadDevicesAreDeleted(t *testing.T) {
	const n = 250
	h := buried(t, n, people(n)...)
	require.Empty(t, h.engageLab.deleted, "nobody asked for it")
	h.stop()
	h.deleting = true
	refusals, outage := 0, true
	h.engageLab.onDelete = func(id string) error {
		switch {
		case id == "r1":
			refusals++
			return errRefused
		case len(h.engageLab.deleted) == 150 && outage:
			outage = false
			return errDown
		}
		return nil
	}
	h.start()
	undeleted := func() []storage.Device {
		devices, err := h.store.ListInvalidDevices(t.Context(), storage.InvalidQuery{App: app, Undeleted: true})
		require.NoError(t, err)
		return devices
	}
	require.NoError(t, h.idle(t.Context()))
	require.Len(t, undeleted(), n-150, "what was deleted before the outage is noted")
	h.clock.Advance(time.Hour)
	require.Eventually(t, func() bool { return len(undeleted()) == 1 }, patience, time.Millisecond)
	require.Equal(t, "r1", undeleted()[0].RegistrationID)
	require.NoError(t, h.idle(t.Context()))
	h.stop()
	require.Len(t, h.engageLab.deleted, n-1, "none is deleted twice")
	require.Equal(t, 2, refusals, "once in each round")
	require.Len(t, h.invalid(), n, "they stay invalid")
}

func TestExpectedFinish(t *testing.T) {
	h := newHouse(t)
	h.stop()
	h.rate = 2
	h.service = h.accepting()
	now := h.clock.Now()
	for i, want := range []time.Duration{1500 * time.Millisecond, 3 * time.Second} { // three chunks each
		push, err := h.service.CreatePush(t.Context(), h.request(2500, map[string]any{"request_id": strconv.Itoa(i)}))
		require.NoError(t, err)
		finish, ok, err := h.service.ExpectedFinish(t.Context(), push)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, want, finish.Sub(now))
	}
	h.start()
	pushes, err := h.service.ListPushes(t.Context(), storage.PushQuery{App: app})
	require.NoError(t, err)
	for _, push := range pushes {
		h.settled(push)
		_, ok, err := h.service.ExpectedFinish(t.Context(), push)
		require.NoError(t, err)
		require.False(t, ok, "nothing is queued")
	}
}
