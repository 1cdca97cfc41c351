package policy_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

// news is a valid policy: the morning news of the documentation.
func news() policy.Policy {
	return policy.Policy{
		ID:      "morning-news",
		App:     "app1",
		Match:   `plan_id == "news" && "ios" in platform`,
		Trigger: policy.Trigger{Unless: storage.Clicked, Within: 2 * time.Hour},
		Steps: []policy.Step{
			step(time.Hour, policy.Content{Title: "Still new: {{ push.body.notification.alert }}"}),
			step(3*time.Hour, policy.Content{
				Alert:   "For {{ device.attributes.name | default: 'you' }}",
				Overlay: json.RawMessage(`{"body": {"notification": {"android": {"extras": {"n": "{{ step }}", "gone": null, "max": 1.50}}}}}`),
			}),
		},
	}
}

func step(after time.Duration, c policy.Content) policy.Step {
	return policy.Step{After: after, Contents: policy.Contents{Content: &c}}
}

func TestPolicyEncoding(t *testing.T) {
	p := news()
	p.UID = "u"
	p.CreateTime = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	spec, err := p.Encode()
	require.NoError(t, err)
	require.Contains(t, string(spec), `"trigger":{"unless":"CLICKED","within":"2h0m0s"}`)
	require.Contains(t, string(spec), `"after":"1h0m0s"`)
	require.Contains(t, string(spec), `"match":"plan_id == \"news\" && \"ios\" in platform"`, "readable, without HTML escapes")

	decoded, err := policy.Decode(spec, 42)
	require.NoError(t, err)
	require.EqualValues(t, 42, decoded.Revision)
	require.JSONEq(t, string(p.Steps[1].Content.Overlay), string(decoded.Steps[1].Content.Overlay))
	require.Equal(t, 5*time.Hour, decoded.Offset(1))
	again, err := decoded.Encode()
	require.NoError(t, err)
	require.Equal(t, string(spec), string(again))

	compiled, err := policy.Compile(p)
	require.NoError(t, err)
	require.Equal(t, spec, compiled.Spec())
}

func TestDecodeRefuses(t *testing.T) {
	for name, spec := range map[string]string{
		"no JSON":          `{`,
		"unknown name":     `{"trigger":{"unless":"SNEEZED"}}`,
		"unknown duration": `{"steps":[{"after":"soon"}]}`,
		"too large":        `{"description":"` + strings.Repeat("x", policy.MaxSize) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := policy.Decode([]byte(spec), 1)
			require.Error(t, err)
		})
	}
}

func TestValidate(t *testing.T) {
	require.NoError(t, news().Validate())
	for name, c := range map[string]struct {
		change func(*policy.Policy)
		field  string
		text   string
	}{
		"id":              {func(p *policy.Policy) { p.ID = "Morning" }, "id", "must match"},
		"id ends":         {func(p *policy.Policy) { p.ID = "a-" }, "id", "must match"},
		"app":             {func(p *policy.Policy) { p.App = strings.Repeat("a", 129) }, "app", "129 bytes"},
		"display name":    {func(p *policy.Policy) { p.DisplayName = strings.Repeat("a", 201) }, "display_name", "more than 200"},
		"description":     {func(p *policy.Policy) { p.Description = "\xff" }, "description", "UTF-8"},
		"no unless":       {func(p *policy.Policy) { p.Trigger.Unless = 0 }, "trigger", "either"},
		"unless sent":     {func(p *policy.Policy) { p.Trigger.Unless = storage.Sent }, "trigger.unless", "SENT"},
		"unless failed":   {func(p *policy.Policy) { p.Trigger.Unless = storage.Failed }, "trigger.unless", "FAILED"},
		"within negative": {func(p *policy.Policy) { p.Trigger.Within = -1 }, "trigger.within", "between 0"},
		"within too long": {func(p *policy.Policy) { p.Trigger.Within = policy.MaxDelay + 1 }, "trigger.within", "720h"},
		"no steps":        {func(p *policy.Policy) { p.Steps = nil }, "steps", "between 1 and 11"},
		"many steps": {func(p *policy.Policy) {
			p.Steps = nil
			for i := range 12 {
				p.Steps = append(p.Steps, step(time.Duration(i+1)*time.Hour, policy.Content{Title: "t"}))
			}
		}, "steps", "not 12"},
		"after zero":      {func(p *policy.Policy) { p.Steps[0].After = 0 }, "steps[0].after", "more than 0"},
		"after too long":  {func(p *policy.Policy) { p.Steps[1].After = policy.MaxDelay + 1 }, "steps[1].after", "at most"},
		"out of order":    {func(p *policy.Policy) { p.Steps[1].After = time.Hour }, "steps[1].after", "out of order"},
		"no content":      {func(p *policy.Policy) { *p.Steps[0].Content = policy.Content{} }, "steps[0].content", "needs a title"},
		"title too long":  {title(strings.Repeat("x", 1025)), "steps[0].content.title", "1025 bytes"},
		"title unclosed":  {title("Hi {{ device.name"), "steps[0].content.title", "not closed"},
		"title no filter": {title("{{ 'a' | upscale }}"), "steps[0].content.title", `unknown filter "upscale"`},
		"title no tag":    {title("{% exec %}"), "steps[0].content.title", "exec"},
		"title open if":   {title("{% if a %}b"), "steps[0].content.title", "if"},
		"title include":   {title("{% include '/etc/passwd' %}"), "steps[0].content.title", "reads files"},
		"title capture":   {title("{% if a %}{% capture x %}{% endcapture %}{% endif %}"), "steps[0].content.title", "no bound"},
		"huge range":      {title("{% for i in (1..1000000000) %}x{% endfor %}"), "steps[0].content.title", "range"},
		"range backwards": {title("{{ (5..1) | join }}"), "steps[0].content.title", "ascending"},
		"variable range":  {title("{% if a %}{% else %}{{ (1..push.n) | join }}{% endif %}"), "steps[0].content.title", "literal"},
		"overlay list":    {overlay(`[]`), "steps[0].content.overlay", "must be a JSON object"},
		"overlay null":    {overlay(`null`), "steps[0].content.overlay", "must be a JSON object"},
		"overlay empty":   {overlay(`{}`), "steps[0].content.overlay", "is empty"},
		"overlay two":     {overlay(`{"a":1} {}`), "steps[0].content.overlay", "after its end"},
		"overlay long":    {overlay(`{"a":"` + strings.Repeat("x", 16<<10) + `"}`), "steps[0].content.overlay", "more than 16384"},
		"overlay to":      {overlay(`{"to":null}`), "steps[0].content.overlay", `"to"`},
		"overlay url":     {overlay(`{"callback_url":[]}`), "steps[0].content.overlay", `"callback_url"`},
		"overlay request": {overlay(`{"request_id":"r"}`), "steps[0].content.overlay", `"request_id"`},
		"overlay cid":     {overlay(`{"options":{"cid":"c"}}`), "steps[0].content.overlay", `"options.cid"`},
		"body cid":        {overlay(`{"body":{"options":{"cid":"c"}}}`), "steps[0].content.overlay", `"body.options.cid"`},
		"body null":       {overlay(`{"body":null}`), "steps[0].content.overlay", "must be an object"},
		"options null":    {overlay(`{"body":{"options":null}}`), "steps[0].content.overlay", "must be an object"},
		"overlay nested": {overlay(`{"body":{"list":["ok",{"a":"{{"}]}}`),
			"steps[0].content.overlay.body.list[1].a", "not closed"},
		"match syntax":   {func(p *policy.Policy) { p.Match = "app ==" }, "match", "Syntax error"},
		"match type":     {func(p *policy.Policy) { p.Match = "app" }, "match", "must yield bool"},
		"match unknown":  {func(p *policy.Policy) { p.Match = "nobody == 1" }, "match", "nobody"},
		"match too long": {func(p *policy.Policy) { p.Match = strings.Repeat(" ", 4097) }, "match", "4097"},
	} {
		t.Run(name, func(t *testing.T) {
			p := news()
			c.change(&p)
			var invalid *policy.InvalidError
			require.ErrorAs(t, p.Validate(), &invalid)
			require.Len(t, invalid.Violations, 1, "%v", invalid)
			require.Equal(t, c.field, invalid.Violations[0].Field)
			require.Contains(t, invalid.Violations[0].Description, c.text)
		})
	}
}

func title(text string) func(*policy.Policy) {
	return func(p *policy.Policy) { p.Steps[0].Content.Title = text }
}

func overlay(text string) func(*policy.Policy) {
	return func(p *policy.Policy) { p.Steps[0].Content.Overlay = json.RawMessage(text) }
}

func TestValidateReportsEveryFaultAtOnce(t *testing.T) {
	p := news()
	p.ID, p.Match, p.Trigger.Within = "", "1", -time.Second
	p.Steps[0].Content.Title = "{{"
	p.Steps[1].After = time.Minute
	var invalid *policy.InvalidError
	require.ErrorAs(t, p.Validate(), &invalid)
	var fields []string
	for _, v := range invalid.Violations {
		fields = append(fields, v.Field)
	}
	require.Equal(t, []string{"id", "trigger.within", "steps[1].after", "match", "steps[0].content.title"}, fields)
	for _, field := range fields {
		require.ErrorContains(t, invalid, field)
	}
}

func TestValidateBoundsItsReport(t *testing.T) {
	p := news()
	p.Steps[0].Content.Overlay = json.RawMessage(`{"a":[` + strings.Repeat(`"{{",`, 1000) + `"{{"]}`)
	var invalid *policy.InvalidError
	require.ErrorAs(t, p.Validate(), &invalid)
	require.Len(t, invalid.Violations, 100)
}

func BenchmarkCompile(b *testing.B) {
	p := news()
	b.ReportAllocs()
	for b.Loop() {
		_, err := policy.Compile(p)
		require.NoError(b, err)
	}
}

func FuzzCompile(f *testing.F) {
	f.Add("Hi {{ device.name | default: 'x' }}", `{"a":["{{ step }}"]}`, `custom_args.kind == "promo"`)
	f.Add("{% for i in (1..3) %}{{ i | times: 2.5 }}{% endfor %}", `{"a":{"b":null}}`, `has(custom_args.a)`)
	f.Add("{% assign forloop = 1 %}{% cycle 'a', 'b' %}", `[]`, `platform.exists(p, p == "ios")`)
	f.Add("{{ 'abc' | slice: 9 }}{{ 'x' | truncate: 2000 }}{{ push | sort | uniq }}", ``, `app.matches("(")`)
	f.Fuzz(func(t *testing.T, text, overlay, match string) {
		p := news()
		p.Match = match
		p.Steps[0].Content = &policy.Content{Title: text, Overlay: json.RawMessage(overlay)}
		c, err := policy.Compile(p)
		if err != nil {
			var invalid *policy.InvalidError
			require.ErrorAs(t, err, &invalid)
			return
		}
		variables := policy.Variables{
			Push:       map[string]any{"list": []any{"a", json.Number("1"), nil}, "s": "text"},
			CustomArgs: map[string]any{"kind": "promo", "n": json.Number("2.5")},
			Device:     policy.Device{RegistrationID: "r", Attributes: map[string]any{"name": "Ayu"}},
			Step:       1,
		}
		rendered, err := c.Steps[0].Variants()[0].For(0).Render(variables)
		if err == nil {
			decoded, err := policy.DecodeRendered(rendered.Encode())
			require.NoError(t, err)
			require.Equal(t, rendered, decoded)
		}
		_, _ = c.Matches(policy.Attributes{App: "app1", CustomArgs: variables.CustomArgs, Platform: []string{"ios"}})
		spec := c.Spec()
		again, err := policy.Decode(spec, 0)
		require.NoError(t, err)
		encoded, err := again.Encode()
		require.NoError(t, err)
		require.Equal(t, string(spec), string(encoded))
	})
}
