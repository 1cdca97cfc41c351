package policy_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/policy"
)

func TestMatches(t *testing.T) {
	push := policy.Attributes{
		App: "app1", PlanID: "news", RequestID: "r-1", Platform: []string{"android", "ios"},
		CustomArgs: map[string]any{"kind": "promo", "n": json.Number("3"), "big": json.Number("9007199254740993"), "huge": json.Number("1e400"), "deep": map[string]any{"x": true}},
		Extras:     map[string]any{"campaign": "c1", "n": json.Number("2.5")},
	}
	text := policy.Attributes{CustomArgs: "campaign-7"}
	for _, c := range []struct {
		match string
		push  policy.Attributes
		want  bool
		fails bool
	}{
		{match: `app == "app1" && plan_id == "news" && request_id.startsWith("r-")`, push: push, want: true},
		{match: `"ios" in platform && platform.exists(p, p == "android")`, push: push, want: true},
		{match: `custom_args.kind == "promo" && custom_args.n > 2 && custom_args.deep.x == true`, push: push, want: true},
		{match: `custom_args.big == 9007199254740993`, push: push, want: true},
		{match: `custom_args.big == 9007199254740992`, push: push, want: false},
		{match: `custom_args.huge > 7`, push: push, fails: true},
		{match: `extras.campaign.matches("^c[0-9]$") && extras.n < 3.0`, push: push, want: true},
		{match: `has(custom_args.other) && custom_args.other == 1`, push: push, want: false},
		{match: `custom_args == "campaign-7"`, push: text, want: true},
		{match: `type(custom_args) == string && custom_args.startsWith("campaign")`, push: text, want: true},
		{match: `custom_args == null && size(platform) == 0 && size(extras) == 0 && app == ""`, want: true},
		{match: `false`, push: push, want: false},
		{match: `external`, push: push, want: false},
		{match: `external && app == "app2"`, push: policy.Attributes{App: "app2", External: true}, want: true},
		{match: ``, push: push, want: false},
		{match: `custom_args.other == 1`, push: push, fails: true},
		{match: `extras.other == "x"`, push: push, fails: true},
		{match: `custom_args.kind == "promo"`, push: text, fails: true},
	} {
		t.Run(c.match, func(t *testing.T) {
			p := news()
			p.Match = c.match
			compiled, err := policy.Compile(p)
			require.NoError(t, err)
			matched, err := compiled.Matches(c.push)
			require.Equal(t, c.want, matched)
			require.Equal(t, c.fails, err != nil, "%v", err)
		})
	}
}

func TestMatchCostIsBounded(t *testing.T) {
	list := "[" + strings.Repeat("0,", 99) + "0]"
	p := news()
	p.Match = fmt.Sprintf("%[1]s.all(a, %[1]s.all(b, %[1]s.all(c, a+b+c >= 0)))", list)
	compiled, err := policy.Compile(p)
	require.NoError(t, err)
	matched, err := compiled.Matches(policy.Attributes{})
	require.False(t, matched)
	require.ErrorContains(t, err, "cost limit")
}

func BenchmarkMatch(b *testing.B) {
	p := news()
	p.Match = `app == "app1" && "ios" in platform && has(custom_args.kind) && custom_args.kind == "promo"`
	compiled, err := policy.Compile(p)
	require.NoError(b, err)
	a := policy.Attributes{App: "app1", Platform: []string{"ios"}, CustomArgs: map[string]any{"kind": "promo"}}
	b.ReportAllocs()
	for b.Loop() {
		_, err := compiled.Matches(a)
		require.NoError(b, err)
	}
}
