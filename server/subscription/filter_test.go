package subscription_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/subscription"
	"susul.dev/susul/storage"
)

func clicked() *storage.Event {
	return &storage.Event{
		Sequence: 9, App: "app1", PushID: 7, Step: 1, Variant: "b", ReceiveTime: start.Add(time.Minute),
		Callback: storage.Callback{
			RegistrationID: "r1", Milestone: storage.Clicked, Status: "click", Time: start, ErrorCode: 3, ErrorMessage: "none",
			Channel: "fcm", LossSource: "vendor",
		},
	}
}

const promotionArgs = `{"kind":"promotion","n":3,"big":9007199254740993,"deep":{"x":true}}`

func promotion(t testing.TB) *subscription.Push {
	t.Helper()
	push, err := subscription.PushOf(storage.Push{
		ID: 7, App: "app1", External: true, Policy: &storage.PinnedPolicy{Name: "promotion"},
		CallbackURLs: []string{"https://h/x"},
		Document: []byte(`{"from":"shop","request_id":"r-1","custom_args":` + promotionArgs + `,
			"body":{"platform":["android","ios"],"options":{"plan_id":"sale"},"notification":{"ios":{"extras":{"k":"v","n":2.5}}}}}`),
	})
	require.NoError(t, err)
	return push
}

func TestFilter(t *testing.T) {
	text := &subscription.Push{CustomArgs: "campaign-7"}
	none := &subscription.Push{}
	for _, c := range []struct {
		filter string
		push   *subscription.Push // nil is the promotion
		want   bool
		fails  string
	}{
		{filter: `event.milestone == "CLICKED"`, want: true},
		{filter: `event.milestone in ["SENT", "DELIVERED"]`},
		{filter: `event.status == "click" && event.step == 1 && event.variant == "b"`, want: true},
		{filter: `event.registration_id == "r1" && event.error_code == 3 && event.error_message == "none"`, want: true},
		{filter: `event.channel == "fcm" && event.loss_source == "vendor"`, want: true},
		{filter: `event.time == timestamp("2026-11-24T03:00:00Z")`, want: true},
		{filter: `event.receive_time - event.time == duration("60s")`, want: true},
		{filter: `event.time.getHours("Asia/Jakarta") == 10`, want: true},
		{filter: `push.msg_id == "7" && push.request_id == "r-1" && push.plan_id == "sale"`, want: true},
		{filter: `push.platform == ["android", "ios"] && "ios" in push.platform`, want: true},
		{filter: `push.extras.k == "v" && push.extras["n"] == 2.5`, want: true},
		{filter: `push.external && push.resend_policy == "promotion"`, want: true},
		{filter: `custom_args.kind == "promotion" && custom_args.n > 2 && custom_args.deep.x == true`, want: true},
		{filter: `custom_args.big == 9007199254740993`, want: true},
		{filter: `custom_args.big == 9007199254740992`},
		{filter: `has(custom_args.other) && custom_args.other == 1`},
		{filter: `custom_args.exists(name, name.startsWith("k"))`, want: true},
		{filter: `custom_args == "campaign-7" && !push.external`, push: text, want: true},
		{filter: `type(custom_args) == string && custom_args.matches("^campaign-[0-9]$")`, push: text, want: true},
		{filter: `custom_args == null && size(push.platform) == 0 && size(push.extras) == 0`, push: none, want: true},
		{filter: `push.resend_policy == "" && push.request_id == ""`, push: none, want: true},
		{filter: `custom_args.other == 1`, fails: "no such key"},
		{filter: `custom_args.kind == "promotion"`, push: text, fails: "no such key"},
		{filter: `custom_args.kind == "promotion"`, push: none, fails: "no such key"},
		{filter: `push.extras.other == 1`, fails: "no such key"},
		{filter: `event.milestone == "SENT" && custom_args.other == 1`},
	} {
		t.Run(c.filter, func(t *testing.T) {
			push := c.push
			if push == nil {
				push = promotion(t)
			}
			f, err := subscription.CompileFilter(c.filter)
			require.NoError(t, err)
			matched, err := f.Matches(clicked(), push)
			require.Equal(t, c.want, matched)
			if c.fails != "" {
				require.ErrorContains(t, err, c.fails)
			} else {
				require.NoError(t, err)
			}
		})
	}
}

func TestFilterKnowsEveryMilestone(t *testing.T) {
	for milestone, name := range map[storage.Milestone]string{
		storage.MilestoneUnknown: "", storage.Sent: "SENT", storage.Delivered: "DELIVERED", storage.Displayed: "DISPLAYED",
		storage.Clicked: "CLICKED", storage.Failed: "FAILED", storage.Failed + 1: "",
	} {
		f, err := subscription.CompileFilter(fmt.Sprintf("event.milestone == %q", name))
		require.NoError(t, err)
		matched, err := f.Matches(&storage.Event{Callback: storage.Callback{Milestone: milestone}}, promotion(t))
		require.NoError(t, err)
		require.True(t, matched, "%d", milestone)
	}
}

func TestNoFilterSelectsAll(t *testing.T) {
	s := coupons()
	s.Filter = ""
	compiled, err := subscription.Compile(s)
	require.NoError(t, err)
	matched, err := compiled.Filter.Matches(clicked(), promotion(t))
	require.NoError(t, err)
	require.True(t, matched)
}

func TestMisspeltFiltersAreFoundAtWriting(t *testing.T) {
	for _, filter := range []string{
		`event.milstone == "SENT"`, `evnt.milestone == "SENT"`, `push.msgid == "7"`, `custom_arg.kind == "x"`, `event == 1`,
		`push.msg_id == 7`, `event.step == "1"`, `event.milestone`, `custom_args`, `event.time > 7`, `"`,
	} {
		_, err := subscription.CompileFilter(filter)
		require.Error(t, err, filter)
	}
}

func TestFilterCostIsBounded(t *testing.T) {
	list := "[" + strings.Repeat("0,", 99) + "0]"
	f, err := subscription.CompileFilter(fmt.Sprintf("%[1]s.all(a, %[1]s.all(b, %[1]s.all(c, a+b+c >= 0)))", list))
	require.NoError(t, err)
	matched, err := f.Matches(clicked(), promotion(t))
	require.False(t, matched)
	require.ErrorContains(t, err, "cost limit")
}

func TestPushOf(t *testing.T) {
	push := promotion(t)
	require.Equal(t, "shop", push.From)
	require.Equal(t, []string{"https://h/x"}, push.CallbackURLs)
	require.Equal(t, json.Number("9007199254740993"), push.CustomArgs.(map[string]any)["big"])
	require.True(t, bytes.Equal([]byte(promotionArgs), push.CustomArgsAs), "%s", push.CustomArgsAs)

	push, err := subscription.PushOf(storage.Push{ID: 8, Document: []byte(`{"custom_args":"a\u0062c"}`)})
	require.NoError(t, err)
	require.Equal(t, "abc", push.CustomArgs)
	require.Equal(t, `"a\u0062c"`, string(push.CustomArgsAs), "as it came")
	push, err = subscription.PushOf(storage.Push{ID: 8, Document: []byte(`{}`)})
	require.NoError(t, err)
	require.Nil(t, push.CustomArgs)
	require.Nil(t, push.CustomArgsAs)
	require.Empty(t, push.Policy)
	_, err = subscription.PushOf(storage.Push{ID: 8, Document: []byte(`[]`)})
	require.ErrorContains(t, err, "push 8")
}

// BenchmarkFilter is what an event costs a subscription.
func BenchmarkFilter(b *testing.B) {
	push, event := promotion(b), clicked()
	for name, source := range map[string]string{
		"other":    `event.milestone == "SENT" && custom_args.kind == "promotion"`,
		"selected": `event.milestone == "CLICKED" && custom_args.kind == "promotion"`,
		"rich":     `event.milestone in ["CLICKED", "DISPLAYED"] && event.step > 0 && custom_args.n > 2 && event.channel.startsWith("f")`,
		"fails":    `custom_args.nothing == 1`,
		"counted":  `custom_args.kind.matches("^pro") && event.milestone == "CLICKED"`,
	} {
		f, err := subscription.CompileFilter(source)
		require.NoError(b, err)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				matched, err := f.Matches(event, push)
				if matched == (name == "other" || name == "fails") || (err != nil) != (name == "fails") {
					b.Fatal(matched, err)
				}
			}
		})
	}
}
