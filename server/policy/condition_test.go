package policy_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

func conditional(t testing.TB, onlyIf string) *policy.CompiledStep {
	t.Helper()
	p := news()
	p.Steps[0].OnlyIf = onlyIf
	compiled, err := policy.Compile(p)
	require.NoError(t, err)
	return compiled.Steps[0]
}

func TestOnlyIf(t *testing.T) {
	ayu := policy.Subject{
		RegistrationID: "r1",
		Reached:        storage.MilestonesOf(storage.Displayed).Implied(),
		Device: policy.Device{
			RegistrationID: "r1", Known: true, TimeZone: "Asia/Jakarta", Locale: "id-ID",
			Attributes: map[string]any{"tier": "gold", "age": json.Number("31"), "tags": []any{"a"}, "address": map[string]any{"city": "Bandung"}},
		},
		Push:       map[string]any{"from": "push", "body": map[string]any{"options": map[string]any{"plan_id": "p"}}},
		CustomArgs: map[string]any{"kind": "promo", "n": json.Number("2.5")},
		Step:       2,
	}
	nobody := policy.Subject{RegistrationID: "r2", CustomArgs: "campaign-7", Step: 1}
	for _, c := range []struct {
		onlyIf  string
		subject policy.Subject
		want    bool
		fails   bool
	}{
		{onlyIf: ``, subject: nobody, want: true},
		{onlyIf: `recipient.registration_id == "r1" && step == 2`, subject: ayu, want: true},
		{onlyIf: `recipient.sent && recipient.delivered && recipient.displayed`, subject: ayu, want: true},
		{onlyIf: `recipient.clicked || recipient.failed`, subject: ayu},
		{onlyIf: `recipient.sent || recipient.failed`, subject: nobody},
		{onlyIf: `recipient.failed && !recipient.clicked`, subject: policy.Subject{Reached: storage.MilestonesOf(storage.Failed)}, want: true},
		{onlyIf: `device.attributes.tier == "gold" && device.attributes.age >= 18`, subject: ayu, want: true},
		{onlyIf: `device.attributes["address"].city.startsWith("Ban") && "a" in device.attributes.tags`, subject: ayu, want: true},
		{onlyIf: `device.known && device.time_zone == "Asia/Jakarta" && device.locale.startsWith("id")`, subject: ayu, want: true},
		{onlyIf: `device.known || device.time_zone != "" || device.locale != ""`, subject: nobody},
		{onlyIf: `device.attributes.tier == "gold"`, subject: nobody, fails: true},
		{onlyIf: `device.attributes.missing == 1`, subject: ayu, fails: true},
		{onlyIf: `has(device.attributes.tier) && device.attributes.tier == "gold"`, subject: nobody},
		{onlyIf: `!has(device.attributes.tier)`, subject: nobody, want: true},
		{onlyIf: `device.attributes.tier > 3`, subject: ayu, fails: true},
		{onlyIf: `push.from == "push" && push.body.options.plan_id == "p"`, subject: ayu, want: true},
		{onlyIf: `push.from == "push"`, subject: nobody, fails: true},
		{onlyIf: `custom_args.kind == "promo" && custom_args.n > 2`, subject: ayu, want: true},
		{onlyIf: `custom_args == "campaign-7"`, subject: nobody, want: true},
		{onlyIf: `custom_args.kind == "promo"`, subject: nobody, fails: true},
	} {
		t.Run(c.onlyIf, func(t *testing.T) {
			step := conditional(t, c.onlyIf)
			require.Equal(t, c.onlyIf != "", step.Conditional())
			holds, err := step.Holds(c.subject)
			require.Equal(t, c.want, holds)
			require.Equal(t, c.fails, err != nil, "%v", err)
		})
	}
}

func TestOnlyIfCostIsBounded(t *testing.T) {
	list := "[" + strings.Repeat("0,", 99) + "0]"
	step := conditional(t, fmt.Sprintf("%[1]s.all(a, %[1]s.all(b, %[1]s.all(c, a+b+c >= 0)))", list))
	holds, err := step.Holds(policy.Subject{})
	require.False(t, holds)
	require.ErrorContains(t, err, "cost limit")
}

func TestUsesDevice(t *testing.T) {
	for onlyIf, uses := range map[string]bool{
		``: false,
		`recipient.registration_id == "device.known"`:      false,
		`custom_args.device.attributes == 1`:               false,
		`device.known`:                                     true,
		`has(device.attributes.x)`:                         true,
		`step == 1 || ["a"].exists(a, a == device.locale)`: true,
	} {
		require.Equal(t, uses, conditional(t, onlyIf).UsesDevice(), onlyIf)
	}
	for template, uses := range map[string]bool{
		"device":                                 false,
		"{{ push.x }} {{ 'device.attributes' }}": false,
		"{{ device.registration_id }}":           false,
		"{{ custom_args.picks[device.registration_id] | default: custom_args.x }}": false,
		"{{ device.registration_ids }}":                                            true,
		"{{ device.attributes.x }}":                                                true,
		"{% assign d = device %}{{ d.registration_id }}":                           true,
		"{% if device.registration_id == device.locale %}{% endif %}":              true,
	} {
		content := &policy.Content{Title: template}
		plain := &policy.Content{Title: "t"}
		for i, step := range []policy.Step{
			{Contents: policy.Contents{Content: content}},
			{Contents: policy.Contents{Content: plain, DisplayedNotClicked: content}},
			{Variants: []policy.Variant{
				{ID: "a", Contents: policy.Contents{Content: plain}},
				{ID: "b", Contents: policy.Contents{NeverDelivered: content, Plain: plain}},
			}},
		} {
			p := news()
			step.After = p.Steps[0].After
			p.Steps[0] = step
			compiled, err := policy.Compile(p)
			require.NoError(t, err)
			require.Equal(t, uses, compiled.Steps[0].UsesDevice(), "%s in step %d", template, i)
		}
	}
}

func BenchmarkOnlyIf(b *testing.B) {
	step := conditional(b, `device.attributes.tier == "gold" && !recipient.failed`)
	subject := policy.Subject{Device: policy.Device{Attributes: map[string]any{"tier": "gold"}}}
	b.ReportAllocs()
	for b.Loop() {
		if holds, err := step.Holds(subject); !holds || err != nil {
			b.Fatal(holds, err)
		}
	}
}
