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
		"plain title":  {plain(policy.Content{Title: "{{ step }}"}), "steps[0].plain_content.title", "neither"},
		"plain tag":    {plain(policy.Content{Title: "t", Alert: "{% if"}), "steps[0].plain_content.alert", "neither"},
		"plain nested": {plain(policy.Content{Overlay: json.RawMessage(`{"a":["{{ x"]}`)}), "steps[0].plain_content.overlay.a[0]", "neither"},
		"plain long":   {plain(policy.Content{Alert: strings.Repeat("x", 4097)}), "steps[0].plain_content.alert", "4097"},
		"plain empty":  {plain(policy.Content{}), "steps[0].plain_content", "needs a title"},
		"plain to":     {plain(policy.Content{Overlay: json.RawMessage(`{"to":1}`)}), "steps[0].plain_content.overlay", `"to"`},
		"plain alone": {func(p *policy.Policy) {
			p.Steps[0].Plain, p.Steps[0].Content = p.Steps[0].Content, nil
			p.Steps[0].Plain.Title = "t"
		},
			"steps[0]", "needs content"},
		"nothing": {func(p *policy.Policy) { p.Steps[0].Content = nil }, "steps[0]", "needs content"},
		"never delivered": {func(p *policy.Policy) { p.Steps[0].NeverDelivered = &policy.Content{Title: "{{"} },
			"steps[0].content_by_progress.never_delivered.title", "not closed"},
		"not displayed": {func(p *policy.Policy) { p.Steps[0].DeliveredNotDisplayed = &policy.Content{} },
			"steps[0].content_by_progress.delivered_not_displayed", "needs a title"},
		"not clicked": {func(p *policy.Policy) { p.Steps[0].DisplayedNotClicked = &policy.Content{Alert: "{% x %}"} },
			"steps[0].content_by_progress.displayed_not_clicked.alert", "x"},

		"match syntax":   {func(p *policy.Policy) { p.Match = "app ==" }, "match", "Syntax error"},
		"match type":     {func(p *policy.Policy) { p.Match = "app" }, "match", "must yield bool"},
		"match unknown":  {func(p *policy.Policy) { p.Match = "nobody == 1" }, "match", "nobody"},
		"match too long": {func(p *policy.Policy) { p.Match = strings.Repeat(" ", 4097) }, "match", "4097"},

		"unless and on failure": {func(p *policy.Policy) { p.Trigger.OnFailure = true }, "trigger", "either"},
		"unknown milestone":     {func(p *policy.Policy) { p.Trigger.Unless = 77 }, "trigger.unless", "77"},

		"unknown origin": {func(p *policy.Policy) { p.Steps[1].Origin = "NOON" }, "steps[1].counted_from", "NOON"},
		"before the trigger": {func(p *policy.Policy) { p.Steps[0].Origin, p.Steps[0].After = policy.FromFirstSending, 2*time.Hour-1 },
			"steps[0].after", "before the trigger's moment"},
		"origins out of order": {func(p *policy.Policy) { p.Steps[1].Origin = policy.FromFirstSending }, "steps[1].after", "out of order"},
		"only_if syntax":       {onlyIf("device."), "steps[0].only_if", "Syntax error"},
		"only_if type":         {onlyIf("device.attributes.x"), "steps[0].only_if", "must yield bool"},
		"only_if unknown":      {onlyIf("recipient.clickd"), "steps[0].only_if", "recipient"},
		"only_if misused":      {onlyIf(`recipient.clicked == "yes"`), "steps[0].only_if", "no matching overload"},
		"only_if of a push":    {onlyIf("plan_id == ''"), "steps[0].only_if", "plan_id"},
		"only_if too long":     {onlyIf(strings.Repeat(" ", 4097)), "steps[0].only_if", "4097"},

		"one variant":      {variants("a"), "steps[0].variants", "between 2 and 10"},
		"eleven variants":  {variants("a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"), "steps[0].variants", "between 2 and 10"},
		"variants twice":   {variants("a", "b", "a"), "steps[0].variants[2].id", "earlier"},
		"variant holdout":  {variants("a", "holdout"), "steps[0].variants[1].id", "holdout"},
		"variant unnamed":  {variants("", "b"), "steps[0].variants[0].id", "must match"},
		"variant too long": {variants("a", "b"+strings.Repeat("b", 32)), "steps[0].variants[1].id", "must match"},
		"weight":           {variant(func(v *policy.Variant) { v.Weight = -1 }), "steps[0].variants[1].weight", "between 0 and 1000"},
		"weight too large": {variant(func(v *policy.Variant) { v.Weight = 1001 }), "steps[0].variants[1].weight", "between"},
		"variant's title":  {variant(func(v *policy.Variant) { v.Content.Title = "{{" }), "steps[0].variants[1].content.title", "not closed"},
		"variant's plain": {variant(func(v *policy.Variant) { v.Plain = &policy.Content{Title: "{{"} }),
			"steps[0].variants[1].plain_content.title", "neither"},
		"variant's nothing": {variant(func(v *policy.Variant) { v.Contents = policy.Contents{} }), "steps[0].variants[1]", "needs content"},
		"variants and content": {func(p *policy.Policy) { c := p.Steps[0].Contents; variants("a", "b")(p); p.Steps[0].Contents = c },
			"steps[0]", "either"},
		"variants and plain": {func(p *policy.Policy) { variants("a", "b")(p); p.Steps[0].Plain = &policy.Content{Title: "t"} },
			"steps[0]", "either"},
		"optimize nothing": {func(p *policy.Policy) { p.Steps[1].Optimize = true }, "steps[1].optimize", "needs variants"},

		"holdout":          {func(p *policy.Policy) { p.HoldoutPermille = 501 }, "holdout_permille", "between 0 and 500"},
		"holdout negative": {func(p *policy.Policy) { p.HoldoutPermille = -1 }, "holdout_permille", "between"},
		"step's holdout":   {func(p *policy.Policy) { p.Steps[1].HoldoutPermille = 501 }, "steps[1].holdout_permille", "between"},
		"quiet start":      {quiet(policy.QuietHours{From: -1, Until: 60}), "limits.quiet_hours.start", "22:00"},
		"quiet end":        {quiet(policy.QuietHours{From: 60, Until: 1440}), "limits.quiet_hours.end", "07:00"},
		"quiet never":      {quiet(policy.QuietHours{From: 60, Until: 60}), "limits.quiet_hours.end", "must not be the start"},
		"quiet nowhere": {quiet(policy.QuietHours{From: 60, DefaultTimeZone: "Asia/Atlantis"}),
			"limits.quiet_hours.default_time_zone", "Atlantis"},
		"quiet here": {quiet(policy.QuietHours{From: 60, DefaultTimeZone: "Local"}), "limits.quiet_hours.default_time_zone", "Local"},
		"quiet file": {quiet(policy.QuietHours{From: 60, DefaultTimeZone: "../../etc/passwd"}), "limits.quiet_hours.default_time_zone", "no IANA"},
		"quiet long": {quiet(policy.QuietHours{From: 60, DefaultTimeZone: strings.Repeat("z", 65)}),
			"limits.quiet_hours.default_time_zone", "65 bytes"},
		"cap of none":     {capped(0, time.Hour), "limits.frequency_cap.messages", "between 1 and 1000"},
		"cap of many":     {capped(1001, time.Hour), "limits.frequency_cap.messages", "between"},
		"cap's window":    {capped(1, time.Second), "limits.frequency_cap.window", "1m0s"},
		"cap's month":     {capped(1, policy.MaxDelay+1), "limits.frequency_cap.window", "720h"},
		"gap":             {func(p *policy.Policy) { p.Limits.MinimumGap = -1 }, "limits.minimum_gap", "between"},
		"gap too long":    {func(p *policy.Policy) { p.Limits.MinimumGap = policy.MaxDelay + 1 }, "limits.minimum_gap", "between"},
		"expiry":          {func(p *policy.Policy) { p.Limits.ExpireAfter = 2*policy.MaxDelay + 1 }, "limits.expire_after", "1440h"},
		"expiry at first": {func(p *policy.Policy) { p.Limits.ExpireAfter = 3*time.Hour - 1 }, "limits.expire_after", "first step"},
		"hold":            {hold(-1), "unknown_progress.hold_for", "between 0s and 168h"},
		"hold too long":   {hold(7*24*time.Hour + 1), "unknown_progress.hold_for", "between"},
		"click window":    {func(p *policy.Policy) { p.Measurement.ClickWindow = time.Second }, "measurement.click_window", "between 1m0s"},
		"sample":          {func(p *policy.Policy) { p.Measurement.MinimumSample = 99 }, "measurement.minimum_sample", "between 100"},
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

func plain(c policy.Content) func(*policy.Policy) {
	return func(p *policy.Policy) { p.Steps[0].Plain = &c }
}

func onlyIf(text string) func(*policy.Policy) {
	return func(p *policy.Policy) { p.Steps[0].OnlyIf = text }
}

func variants(ids ...string) func(*policy.Policy) {
	return func(p *policy.Policy) {
		p.Steps[0].Contents = policy.Contents{}
		for _, id := range ids {
			p.Steps[0].Variants = append(p.Steps[0].Variants, policy.Variant{ID: id, Contents: *contents(id + "!")})
		}
	}
}

func variant(change func(*policy.Variant)) func(*policy.Policy) {
	return func(p *policy.Policy) {
		variants("a", "b")(p)
		change(&p.Steps[0].Variants[1])
	}
}

func quiet(q policy.QuietHours) func(*policy.Policy) {
	return func(p *policy.Policy) { p.Limits.QuietHours = &q }
}

func capped(messages int, window time.Duration) func(*policy.Policy) {
	return func(p *policy.Policy) {
		p.Limits.FrequencyCap = &policy.FrequencyCap{Messages: messages, Window: window}
	}
}

func hold(d time.Duration) func(*policy.Policy) {
	return func(p *policy.Policy) { p.UnknownProgress.HoldFor = &d }
}

// The bounds themselves are allowed.
func TestValidateAtTheBounds(t *testing.T) {
	for name, change := range map[string]func(*policy.Policy){
		"two variants": variants("a", "b"), "ten variants": variants("a", "b", "c", "d", "e", "f", "g", "h", "i", "j"),
		"at the trigger": func(p *policy.Policy) { p.Steps[0].Origin, p.Steps[0].After = policy.FromFirstSending, 2*time.Hour },
		"weight":         variant(func(v *policy.Variant) { v.Weight = 1000 }),
		"holdouts":       func(p *policy.Policy) { p.HoldoutPermille, p.Steps[0].HoldoutPermille = 500, 500 },
		"cap":            capped(1000, time.Minute), "long cap": capped(1, policy.MaxDelay),
		"limits":  func(p *policy.Policy) { p.Limits.MinimumGap, p.Limits.ExpireAfter = policy.MaxDelay, 2*policy.MaxDelay },
		"expiry":  func(p *policy.Policy) { p.Limits.ExpireAfter = 3 * time.Hour },
		"hold":    hold(7 * 24 * time.Hour),
		"no hold": hold(0),
		"zone":    quiet(policy.QuietHours{From: 60, DefaultTimeZone: "Pacific/Apia"}),
		"measurement": func(p *policy.Policy) {
			p.Measurement = policy.Measurement{ClickWindow: time.Minute, MinimumSample: 100}
		},
		"failure": func(p *policy.Policy) { p.Trigger = policy.Trigger{OnFailure: true, Within: p.Trigger.Within} },
	} {
		t.Run(name, func(t *testing.T) {
			p := news()
			change(&p)
			require.NoError(t, p.Validate())
		})
	}
}

func TestValidateRefusesWhatIsTooLarge(t *testing.T) {
	p := news()
	large := &policy.Content{Overlay: json.RawMessage(`{"a":"` + strings.Repeat("x", 16<<10-8) + `"}`)}
	p.Steps = nil
	for i := range policy.MaxSteps {
		step := policy.Step{After: time.Duration(i+1) * time.Hour}
		for _, id := range []string{"a", "b", "c", "d"} {
			step.Variants = append(step.Variants, policy.Variant{ID: id, Contents: policy.Contents{Content: large}})
		}
		p.Steps = append(p.Steps, step)
	}
	require.ErrorContains(t, p.Validate(), "policy: is ")
	p.Steps = p.Steps[:7]
	require.NoError(t, p.Validate())
}

func TestValidateReportsEveryFaultAtOnce(t *testing.T) {
	p := news()
	p.ID, p.Match, p.Trigger.Within = "", "1", -time.Second
	p.Steps[0].Content.Title = "{{"
	p.Steps[0].OnlyIf = "1"
	p.Steps[1].After = time.Minute
	p.Limits.MinimumGap = -1
	var invalid *policy.InvalidError
	require.ErrorAs(t, p.Validate(), &invalid)
	var fields []string
	for _, v := range invalid.Violations {
		fields = append(fields, v.Field)
	}
	require.Equal(t, []string{
		"id", "trigger.within", "steps[1].after", "limits.minimum_gap", "match", "steps[0].only_if", "steps[0].content.title",
	}, fields)
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

func TestTriggerHolds(t *testing.T) {
	progress := func(reports ...storage.Milestone) (p storage.Progress) {
		for step, m := range reports {
			p = p.With(step, m)
		}
		return p
	}
	const none = storage.MilestoneUnknown
	for name, c := range map[string]struct {
		trigger  policy.Trigger
		progress storage.Progress
		want     bool
	}{
		"nothing yet":                 {policy.Trigger{Unless: storage.Delivered}, progress(), true},
		"sent":                        {policy.Trigger{Unless: storage.Delivered}, progress(storage.Sent), true},
		"delivered":                   {policy.Trigger{Unless: storage.Delivered}, progress(storage.Delivered), false},
		"a click was delivered":       {policy.Trigger{Unless: storage.Delivered}, progress(storage.Clicked), false},
		"not displayed":               {policy.Trigger{Unless: storage.Displayed}, progress(storage.Delivered, storage.Failed), true},
		"displayed later":             {policy.Trigger{Unless: storage.Displayed}, progress(none, none, storage.Displayed), false},
		"not clicked":                 {policy.Trigger{Unless: storage.Clicked}, progress(storage.Displayed, storage.Displayed), true},
		"clicked a step":              {policy.Trigger{Unless: storage.Clicked}, progress(storage.Displayed, storage.Clicked), false},
		"failed, nothing yet":         {policy.Trigger{OnFailure: true}, progress(), false},
		"failed, sent":                {policy.Trigger{OnFailure: true}, progress(storage.Sent), false},
		"failed":                      {policy.Trigger{OnFailure: true}, progress(storage.Failed), true},
		"failed again":                {policy.Trigger{OnFailure: true}, progress(storage.Failed, storage.Failed), true},
		"failed, delivered by a step": {policy.Trigger{OnFailure: true}, progress(storage.Failed, storage.Delivered), false},
		"failed, a step was sent":     {policy.Trigger{OnFailure: true}, progress(storage.Failed, storage.Sent), true},
		"delivered, a step failed":    {policy.Trigger{OnFailure: true}, progress(storage.Delivered, storage.Failed), false},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, c.trigger.Holds(c.progress)) })
	}
}

func TestOffset(t *testing.T) {
	p := news()
	p.Steps = append(p.Steps, p.Steps[0], p.Steps[0], p.Steps[0])
	p.Steps[2].Origin, p.Steps[2].After = policy.FromPreviousStep, time.Minute
	p.Steps[3].Origin, p.Steps[3].After = policy.FromFirstSending, 6*time.Hour
	p.Steps[4].Origin, p.Steps[4].After = policy.FromPreviousStep, 2*time.Minute
	require.NoError(t, p.Validate())
	var offsets []time.Duration
	for i := range p.Steps {
		offsets = append(offsets, p.Offset(i))
	}
	require.Equal(t, []time.Duration{
		3 * time.Hour, 5 * time.Hour, 5*time.Hour + time.Minute, 6 * time.Hour, 6*time.Hour + 2*time.Minute,
	}, offsets)
	p.Steps[0].Origin = policy.FromPreviousStep
	require.Equal(t, 3*time.Hour, p.Offset(0), "before the first step there is the trigger")
}

func TestDefaults(t *testing.T) {
	p := news()
	require.Equal(t, 30*time.Minute, p.HoldFor())
	require.Equal(t, 24*time.Hour, p.ClickWindow())
	require.Equal(t, 1000, p.MinimumSample())
	none := time.Duration(0)
	p.UnknownProgress.HoldFor = &none
	p.Measurement = policy.Measurement{ClickWindow: time.Hour, MinimumSample: 100}
	require.Zero(t, p.HoldFor(), "0 is not the default")
	require.Equal(t, time.Hour, p.ClickWindow())
	require.Equal(t, 100, p.MinimumSample())
}
