package delivery_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

// Of an audience that is no list, those whom callbacks name are reported about and followed up, and nobody else is.
func TestEveryKindOfAudienceIsFollowedUp(t *testing.T) {
	h := newHouse(t)
	h.createPolicy(news())
	for _, to := range []any{
		"all", map[string]any{"tag": []string{"x"}}, map[string]any{"tag_and": []string{"x", "y"}, "tag_not": []string{"z"}},
		map[string]any{"alias": []string{"jo"}}, map[string]any{"seg": map[string]any{"id": "s"}},
		map[string]any{"live_activity_id": "l"}, map[string]any{"of-a-new-kind": []int{1}, "tag": nil},
	} {
		push, s := h.push(0, map[string]any{"to": to})
		sent, err := json.Marshal(s.document.Members()["to"])
		require.NoError(t, err)
		want, err := json.Marshal(to)
		require.NoError(t, err)
		require.JSONEq(t, string(want), string(sent))

		h.callback(s, "delivered", "a", "b", "c")
		h.callback(s, "click", "b", "d") // d becomes known by a click
		h.pass(3 * time.Hour)
		second := h.next()
		slices.Sort(second.ids)
		require.Equal(t, []string{"a", "c"}, second.ids)
		require.Len(t, second.document.Members()["to"], 1, "the original audience must not get it: %v", second.document.Members()["to"])
		h.settled(push)
		h.callback(second, "click", "c")
		h.pass(2 * time.Hour)
		require.Equal(t, []string{"a"}, h.next().ids)
		report := h.settled(push)
		require.Equal(t, storage.Counts{Targets: 4, Sent: 4, Delivered: 4, Displayed: 3, Clicked: 3}, report.Total)
		require.Equal(t, 2, report.Steps[1].Targets)
		require.Equal(t, 1, report.Steps[2].Targets)
	}
}

// A policy is attached by what is in a push, without the push naming it.
func TestPoliciesMatchPushes(t *testing.T) {
	h := newHouse(t)
	for id, match := range map[string]string{
		"plan":     `plan_id == "spring"`,
		"object":   `type(custom_args) == map && has(custom_args.kind) && custom_args.kind == "promo" && custom_args.n == 9007199254740993`,
		"text":     `custom_args == "campaign 7"`,
		"extras":   `has(extras.newsid) && extras.newsid == 321`,
		"platform": `platform == ["hmos"]`,
		"request":  `request_id.startsWith("orders/")`,
		"external": `external`,
	} {
		p := news()
		p.ID, p.Match = id, match
		h.createPolicy(p)
	}
	body := func(platform any, extras, options map[string]any) map[string]any {
		return map[string]any{"platform": platform, "options": options,
			"notification": map[string]any{"android": map[string]any{"title": "News", "alert": "a", "extras": extras}}}
	}
	for want, more := range map[string]map[string]any{
		"plan":     {"body": body("all", nil, map[string]any{"plan_id": "spring"}), "custom_args": nil},
		"object":   {"custom_args": map[string]any{"kind": "promo", "n": json.Number("9007199254740993"), "huge": json.Number("1e400")}},
		"text":     {"custom_args": "campaign 7"},
		"extras":   {"body": body([]string{"android", "ios"}, map[string]any{"newsid": 321}, nil)},
		"platform": {"body": body("hmos", nil, nil)},
		"request":  {"request_id": "orders/1"},
		"":         {"custom_args": map[string]any{"kind": "promo", "n": json.Number("9007199254740992")}},
	} {
		push, _ := h.push(1, more)
		if want == "" {
			require.Nil(t, push.Policy)
			continue
		}
		require.NotNil(t, push.Policy, want)
		require.Equal(t, want, push.Policy.Name)
	}
	h.record(theirs("one", "a", "sent", `{"kind":"other"}`))
	require.Equal(t, "external", h.adopted("one")[0].Policy.Name)
}

// Callbacks of a message from elsewhere go on coming, in any order and more than once, while it becomes a push.
func TestNothingIsLostWhileAnExternalPushIsMade(t *testing.T) {
	const messages, devices, batches = 3, 200, 25
	h := newHouse(t)
	p := news()
	p.Match, p.Steps = `external`, []policy.Step{{After: time.Hour, Contents: says(policy.Content{Alert: "Missed it?"})}}
	h.createPolicy(p)
	var rows []storage.Callback
	var upstream []string
	for m := range messages {
		id := fmt.Sprintf("theirs-%d", m)
		upstream = append(upstream, id)
		for d := range devices {
			device := fmt.Sprintf("d%d", d)
			rows = append(rows, theirs(id, device, "sent", `{"kind":"x"}`), theirs(id, device, "delivered", `{"kind":"x"}`))
			if d%4 == 0 {
				rows = append(rows, theirs(id, device, "click", `{"kind":"x"}`))
			}
		}
	}
	rows = append(rows, rows[:len(rows)/3]...) // some arrive twice
	rand.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	for i := range rows {
		rows[i].Time = h.clock.Now()
	}
	h.record(slices.Clone(rows[:messages*devices/2])...)
	rows = rows[messages*devices/2:]
	var callers errgroup.Group
	for batch := range slices.Chunk(rows, len(rows)/batches+1) {
		callers.Go(func() error {
			_, err := h.service.RecordCallbacks(t.Context(), app, batch)
			return err
		})
	}
	h.adopted(upstream...)
	require.NoError(t, callers.Wait())
	pushes := h.adopted(upstream...)
	listed, err := h.service.ListPushes(t.Context(), storage.PushQuery{App: app})
	require.NoError(t, err)
	require.Len(t, listed, messages, "each is one push")
	for _, push := range pushes {
		report, err := h.service.Report(t.Context(), app, push.ID)
		require.NoError(t, err)
		require.Equal(t, storage.Counts{
			Targets: devices, Sent: devices, Delivered: devices, Displayed: devices / 4, Clicked: devices / 4,
		}, report.Total)
		events, err := h.service.ListEvents(t.Context(), storage.EventQuery{App: app, PushID: push.ID})
		require.NoError(t, err)
		require.Len(t, events, devices*2+devices/4, "each once")
	}
	strays, err := h.store.StrayMessages(t.Context(), app, h.clock.Now().Add(time.Hour), 10)
	require.NoError(t, err)
	require.Empty(t, strays)

	h.pass(4 * time.Hour)
	for range messages {
		require.Len(t, h.next().ids, devices*3/4, "those who did not click are followed up")
	}
}

// A push may override an earlier one by the msg_id that Susul gave that.
func TestAnOverriddenPushIsNamedByEngageLabsID(t *testing.T) {
	h := newHouse(t)
	first, s := h.push(1, nil)
	h.settled(first)
	for given, want := range map[any]any{
		json.Number(fmt.Sprint(first.ID)): json.Number(s.upstream),
		fmt.Sprint(first.ID):              s.upstream,
		json.Number("7"):                  json.Number("7"), // a message from elsewhere
		"x":                               "x",
		json.Number("1e400"):              json.Number("1e400"),
	} {
		_, sent := h.push(1, map[string]any{"body": map[string]any{
			"platform": "all", "notification": map[string]any{"alert": "a"}, "options": map[string]any{"override_msg_id": given},
		}})
		body, _ := sent.document.Members()["body"].(map[string]any)
		options, _ := body["options"].(map[string]any)
		require.Equal(t, want, options["override_msg_id"])
	}
}
