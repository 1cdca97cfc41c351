package policy_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/policy"
)

func compiledContent(t testing.TB, c policy.Content) *policy.CompiledContent {
	t.Helper()
	p := news()
	p.Steps = p.Steps[:1]
	p.Steps[0].Content = &c
	compiled, err := policy.Compile(p)
	require.NoError(t, err)
	return compiled.Steps[0].Variants()[0].For(0)
}

// variables decodes its arguments as the server does.
func variables(t testing.TB, push, customArgs, device string) policy.Variables {
	t.Helper()
	decode := func(text string, v any) {
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		require.NoError(t, decoder.Decode(v))
	}
	v := policy.Variables{Step: 2}
	decode(push, &v.Push)
	decode(customArgs, &v.CustomArgs)
	decode(device, &v.Device.Attributes)
	return v
}

func TestRender(t *testing.T) {
	v := variables(t,
		`{"body":{"notification":{"alert":"Gempa"},"n":3,"list":["a","b"]},"from":"<b>","mixed":[1,1,null,null,"1",{"a":[1]},{"a":[1]}]}`,
		`{"price":321,"half":0.5,"big":1234567.5,"exp":3.21e2,"huge":12345678901234567890123,"items":{"z":1,"a":2},"no":null}`,
		`{"name":"Ayu","tags":["x","y"]}`)
	for name, c := range map[string]struct{ template, want string }{
		"plain":             {"as it is }} % <b>", "as it is }} % <b>"},
		"variables":         {"{{ push.body.notification.alert }} {{ device.attributes.name }} {{ step }}", "Gempa Ayu 2"},
		"undefined":         {"[{{ nobody }}{{ push.a.b.c }}{{ device.attributes.tags[7] }}{{ custom_args.no }}]", "[]"},
		"default":           {"{{ device.attributes.nick | default: device.attributes.name }}", "Ayu"},
		"integer":           {"{{ custom_args.price }}", "321"},
		"decimal":           {"{{ custom_args.half }} {{ custom_args.big }} {{ custom_args.exp }}", "0.5 1234567.5 321"},
		"huge":              {"{{ custom_args.huge }}", "12345678901234567890123"},
		"arithmetic":        {"{{ custom_args.price | times: 1000000 | plus: 1 }}", "321000001"},
		"decimals":          {"{{ custom_args.big | times: 2 | plus: 0.25 }}", "2469135.25"},
		"division":          {"{{ 7 | divided_by: 2 }} {{ 7 | divided_by: custom_args.half }}", "3 14"},
		"compare":           {"{% if custom_args.price > 320.5 and step == 2 %}yes{% else %}no{% endif %}", "yes"},
		"loop over list":    {"{% for x in push.body.list reversed %}{{ x }}{{ forloop.index }}{% endfor %}", "b1a2"},
		"loop over object":  {"{% for pair in custom_args.items %}{{ pair[0] }}={{ pair[1] }};{% endfor %}", "a=2;z=1;"},
		"loop over range":   {"{% for i in (1..3) %}{{ i }}{% endfor %}", "123"},
		"loop limit":        {"{% for x in push.body.list limit: step %}{{ x }}{% endfor %}", "ab"},
		"loop else":         {"{% for x in nobody %}x{% else %}none{% endfor %}", ""},
		"case":              {"{% case device.attributes.name %}{% when 'Ayu' %}A{% else %}B{% endcase %}", "A"},
		"assign":            {"{% assign x = device.attributes.name | upcase %}{{ x }}", "AYU"},
		"whitespace":        {"a {{- ' b ' -}} c", "a b c"},
		"raw":               {"{% raw %}{{ x }}{% endraw %}", "{{ x }}"},
		"dots in a text":    {"{{ 'wait...' }}", "wait..."},
		"no HTML escape":    {"{{ push.from }}", "<b>"},
		"capitalize letter": {"{{ 'élan' | capitalize }}{{ '' | capitalize }}", "Élan"},
		"uniq":              {"{{ push.mixed | uniq | size }}", "4"},
		"replace":           {"{{ 'a-b-c' | replace: '-', '+' }}", "a+b+c"},
	} {
		t.Run(name, func(t *testing.T) {
			rendered, err := compiledContent(t, policy.Content{Title: c.template}).Render(v)
			require.NoError(t, err)
			require.Equal(t, c.want, rendered.Title)
		})
	}
}

func TestRenderCustomArgsAsString(t *testing.T) {
	step := compiledContent(t, policy.Content{Title: "{{ custom_args }}{{ custom_args.kind }}"})
	rendered, err := step.Render(policy.Variables{CustomArgs: "campaign-7"})
	require.NoError(t, err)
	require.Equal(t, "campaign-7", rendered.Title)
}

func TestRenderOverlay(t *testing.T) {
	step := compiledContent(t, policy.Content{Overlay: json.RawMessage(
		`{ "z": 1.50, "{{ key }}": ["{{ step }}", true, null, {"deep": "a \"{{ device.attributes.name }}\" <"}], "a": 12345678901234567890 }`)})
	rendered, err := step.Render(variables(t, `{}`, `"s"`, `{"name":"Ayu"}`))
	require.NoError(t, err)
	require.Equal(t, `{"a":12345678901234567890,"z":1.50,"{{ key }}":["2",true,null,{"deep":"a \"Ayu\" <"}]}`, string(rendered.Overlay)) //nolint:testifylint // byte by byte

	encoded := rendered.Encode()
	decoded, err := policy.DecodeRendered(encoded)
	require.NoError(t, err)
	require.Equal(t, rendered, decoded)
	require.Equal(t, encoded, decoded.Encode())
	_, err = policy.DecodeRendered([]byte(`{"title":1}`))
	require.Error(t, err)
}

func TestEqualContentsAreEqualBytes(t *testing.T) {
	one := compiledContent(t, policy.Content{Title: "Hi {{ device.attributes.name }}", Overlay: json.RawMessage(`{"b":{"y":1,"x":"{{ step }}"},"a":2}`)})
	two := compiledContent(t, policy.Content{Title: "Hi Ayu", Overlay: json.RawMessage(` {"a" : 2, "b":{"x":"2","y":1}}`)})
	v := variables(t, `{}`, `"s"`, `{"name":"Ayu"}`)
	a, err := one.Render(v)
	require.NoError(t, err)
	b, err := two.Render(v)
	require.NoError(t, err)
	require.Equal(t, string(a.Encode()), string(b.Encode()))
}

func TestPersonal(t *testing.T) {
	for template, personal := range map[string]bool{
		"no template, device":                                           false,
		"{{ push.title }} for {{ custom_args.x }}":                      false,
		"{{ 'device' }}":                                                false,
		"{{ my_device }}":                                               false,
		"{{ device.attributes.name }}":                                  true,
		"{% if push.x %}{{ device.attributes.name }}{% endif %}":        true,
		"{% if push.x %}{% elsif device.attributes.x %}{% endif %}":     true,
		"{% assign x = device %}{{ x.name }}":                           true,
		"{{ push.x | default: device.attributes.name }}":                true,
		"{% for x in device.attributes.list %}{% endfor %}":             true,
		"{% case push.x %}{% when device.attributes.x %}a{% endcase %}": true,
	} {
		t.Run(template, func(t *testing.T) {
			require.Equal(t, personal, compiledContent(t, policy.Content{Alert: template}).Personal())
			raw, err := json.Marshal(map[string]any{"a": []string{template}})
			require.NoError(t, err)
			require.Equal(t, personal, compiledContent(t, policy.Content{Overlay: raw}).Personal())
		})
	}
}

func TestRenderIsBounded(t *testing.T) {
	grow := "{% assign s = 'xxxxxxxx' %}" + strings.Repeat("{% assign s = s | append: s %}", 60)
	list := "{% assign l = push.list %}" + strings.Repeat("{% assign l = l | concat: l %}", 60)
	nested := strings.Repeat("{% for a in (1..100) %}", 5) + strings.Repeat("{% endfor %}", 5)
	long := "{% for a in (1..100) %}" + strings.Repeat("x", 100) + "{% endfor %}"
	slow := "{% for a in (1..100) %}{% for b in (1..9) %}" +
		strings.Repeat("{% assign x = push.text | truncate: 900 %}", 90) + "{% endfor %}{% endfor %}"
	for name, c := range map[string]struct{ template, want string }{
		"text growing in assigns":  {grow, "too long"},
		"list growing in assigns":  {list, "too long"},
		"replace":                  {"{% assign s = 'x' | append: push.text %}{{ s | replace: 'x', push.text }}", "too long"},
		"split":                    {"{{ push.text | split: '' | size }}", "too long"},
		"nested loops":             {nested, "turns"},
		"nested loops over lists":  {"{% for a in push.list %}" + nested + "{% endfor %}", "turns"},
		"slow loop":                {slow, "longer than 1s"},
		"long output":              {long, "more than 8192 bytes"},
		"a loop that is cycled":    {"{% assign forloop = 1 %}{% cycle 'a', 'b' %}", "failed"},
		"slice outside of a text":  {"{{ 'abc' | slice: 9 }}", "failed"},
		"truncate beyond a regexp": {"{{ push.text | truncate: 2000 }}", "failed"},
		"division by zero":         {"{{ 1 | divided_by: 0 }}", "zero"},
		"a date that is none":      {"{{ 'x' | date: '%Y' }}", "convert"},
		"too many arguments":       {"{{ 'x' | upcase: 1, 2, 3 }}", "arguments"},
	} {
		t.Run(name, func(t *testing.T) {
			step := compiledContent(t, policy.Content{Alert: c.template})
			began := time.Now()
			_, err := step.Render(policy.Variables{Push: map[string]any{
				"text": strings.Repeat("x", 8000), "list": []any{"a", "b"},
			}})
			require.ErrorContains(t, err, c.want)
			require.Less(t, time.Since(began), 10*time.Second)
			require.NotContains(t, err.Error(), "goroutine", "no stack traces")
		})
	}
}

func TestRenderErrorsNameTheirPlace(t *testing.T) {
	bad := "{{ 1 | divided_by: 0 }}"
	step := compiledContent(t, policy.Content{
		Title: bad, Alert: bad, Overlay: json.RawMessage(fmt.Sprintf(`{"a":[%q,%q]}`, bad, bad)),
	})
	_, err := step.Render(policy.Variables{})
	for _, place := range []string{"title: ", "alert: ", "overlay.a[0]: ", "overlay.a[1]: "} {
		require.ErrorContains(t, err, place)
	}
}

func TestRenderConcurrently(t *testing.T) {
	step := compiledContent(t, policy.Content{
		Title:   "{% for x in push.list %}{{ x }}{% endfor %}{{ device.attributes.name }}",
		Overlay: json.RawMessage(`{"a":"{{ push.list | join }}"}`),
	})
	push := map[string]any{"list": []any{"a", json.Number("1")}}
	for i := range 8 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			for range 100 {
				rendered, err := step.Render(policy.Variables{Push: push, Device: policy.Device{Attributes: map[string]any{"name": fmt.Sprint(i)}}})
				require.NoError(t, err)
				require.Equal(t, fmt.Sprintf("a1%d", i), rendered.Title)
			}
		})
	}
}

func BenchmarkRenderPersonal(b *testing.B) {
	step := compiledContent(b, policy.Content{
		Title:   "{{ device.attributes.name }}, only {{ custom_args.hours }} h left",
		Overlay: json.RawMessage(`{"body":{"notification":{"android":{"extras":{"product":"{{ device.attributes.product | default: 'x' }}"}}}}}`),
	})
	v := variables(b, `{"body":{"notification":{"alert":"Gempa"}}}`, `{"hours":3}`, `{"name":"Ayu"}`)
	b.ReportAllocs()
	for b.Loop() {
		rendered, err := step.Render(v)
		require.NoError(b, err)
		_ = rendered.Encode()
	}
}

// Each text may be within its bound and all of them together be far too much to be kept for thousands of recipients.
func TestTextsTogetherAreBounded(t *testing.T) {
	overlay := func(texts int) json.RawMessage {
		extras := make([]string, texts)
		for i := range extras {
			extras[i] = fmt.Sprintf(`"e%d":"{{ device.attributes.text }}"`, i)
		}
		return json.RawMessage(`{"body":{"notification":{"android":{"extras":{` + strings.Join(extras, ",") + `}}}}}`)
	}
	v := variables(t, `{}`, `{}`, `{"text":"`+strings.Repeat("x", 8000)+`"}`)
	_, err := compiledContent(t, policy.Content{Overlay: overlay(7)}).Render(v)
	require.NoError(t, err)
	_, err = compiledContent(t, policy.Content{Overlay: overlay(200)}).Render(v)
	require.ErrorContains(t, err, "more than 65536")
}
