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

// full is a valid policy in which every field is set.
func full() policy.Policy {
	hold := time.Hour
	content := func(title string) *policy.Content {
		return &policy.Content{Title: title, Alert: "a", Overlay: json.RawMessage(`{"body":{"x":1}}`)}
	}
	contents := policy.Contents{
		Content: content("{{ step }}"), NeverDelivered: content("n"), DeliveredNotDisplayed: content("d"),
		DisplayedNotClicked: content("c"), Plain: content("p"),
	}
	return policy.Policy{
		ID: "full", UID: "u", App: "app1", DisplayName: "Full", Description: "All of it.", Priority: -3, Match: "true", Paused: true,
		Trigger: policy.Trigger{Unless: storage.Displayed, Within: time.Hour},
		Steps: []policy.Step{{
			After: 2 * time.Hour, Origin: policy.FromFirstSending, OnlyIf: "recipient.sent", Contents: contents,
			HoldoutPermille: 20, Paused: true, PauseReason: "harm", MeasuredSince: start,
		}, {
			After: 90 * time.Second, Origin: policy.FromPreviousStep, Optimize: true,
			Variants: []policy.Variant{{ID: "a", Weight: 1, Contents: contents}, {ID: "b", Contents: contents}},
		}},
		Limits: policy.Limits{
			QuietHours:   &policy.QuietHours{From: 22 * 60, Until: 7*60 + 5, Drop: true, DefaultTimeZone: "Asia/Jakarta"},
			FrequencyCap: &policy.FrequencyCap{Messages: 3, Window: 24 * time.Hour},
			MinimumGap:   time.Minute, ExpireAfter: 36 * time.Hour,
		},
		HoldoutPermille: 100, Stack: true,
		UnknownProgress: policy.UnknownProgress{HoldFor: &hold, Send: true},
		Measurement:     policy.Measurement{ClickWindow: 12 * time.Hour, MinimumSample: 500},
		CreateTime:      start, UpdateTime: start.Add(time.Second),
	}
}

func TestFullPolicyEncoding(t *testing.T) {
	p := full()
	require.NoError(t, p.Validate())
	spec, err := p.Encode()
	require.NoError(t, err)
	decoded, err := policy.Decode(spec, 0)
	require.NoError(t, err)
	require.Equal(t, p, decoded)
	for _, part := range []string{
		`"limits":{"quiet_hours":{"start":"22:00","end":"07:05","drop":true,"default_time_zone":"Asia/Jakarta"},` +
			`"frequency_cap":{"messages":3,"window":"24h0m0s"},"minimum_gap":"1m0s","expire_after":"36h0m0s"}`,
		`"unknown_progress":{"hold_for":"1h0m0s","send":true}`,
		`"measurement":{"click_window":"12h0m0s","minimum_sample":500}`,
		`"after":"1m30s","origin":"PREVIOUS_STEP"`,
		`"never_delivered":{"title":"n"`,
	} {
		require.Contains(t, string(spec), part)
	}

	p.Trigger = policy.Trigger{OnFailure: true}
	*p.UnknownProgress.HoldFor = 0
	spec, err = p.Encode()
	require.NoError(t, err)
	require.Contains(t, string(spec), `"trigger":{"within":"0s","on_failure":true}`)
	require.Contains(t, string(spec), `"unknown_progress":{"hold_for":"0s","send":true}`, "0 is not the default")
	decoded, err = policy.Decode(spec, 0)
	require.NoError(t, err)
	require.Equal(t, p, decoded)

	spec, err = news().Encode()
	require.NoError(t, err)
	for _, absent := range []string{"limits", "holdout", "unknown_progress", "measurement", "variants", "stack", "measured_since", "plain"} {
		require.NotContains(t, string(spec), absent, "what is not set is not written")
	}
}

// What is in etcd, and pinned to pushes, from before there were conditions, limits and variants.
func TestOlderEncoding(t *testing.T) {
	const older = `{"id":"morning-news","uid":"6c4a","app":"app1","display_name":"News","priority":2,` +
		`"match":"plan_id == \"news\"","trigger":{"unless":"CLICKED","within":"2h0m0s"},"steps":[` +
		`{"after":"1h0m0s","content":{"title":"Still unread: {{ push.x }}"}},` +
		`{"after":"3h0m0s","content":{"alert":"Last","overlay":{"body":{"a":[1.50,"{{ step }}"]}}}}],` +
		`"create_time":"2026-11-24T03:00:00Z","update_time":"2026-11-24T03:00:01Z"}`
	p, err := policy.Decode([]byte(older), 7)
	require.NoError(t, err)
	require.Equal(t, policy.Policy{
		ID: "morning-news", UID: "6c4a", App: "app1", DisplayName: "News", Priority: 2, Match: `plan_id == "news"`,
		Trigger: policy.Trigger{Unless: storage.Clicked, Within: 2 * time.Hour},
		Steps: []policy.Step{
			step(time.Hour, policy.Content{Title: "Still unread: {{ push.x }}"}),
			step(3*time.Hour, policy.Content{Alert: "Last", Overlay: json.RawMessage(`{"body":{"a":[1.50,"{{ step }}"]}}`)}),
		},
		CreateTime: start, UpdateTime: start.Add(time.Second), Revision: 7,
	}, p)
	compiled, err := policy.Compile(p)
	require.NoError(t, err)
	require.Equal(t, older, string(compiled.Spec()), "and it is written as before") //nolint:testifylint // byte by byte
}

func TestDecodeRefuses(t *testing.T) {
	for name, spec := range map[string]string{
		"no JSON":          `{`,
		"unknown name":     `{"trigger":{"unless":"SNEEZED"}}`,
		"unknown duration": `{"steps":[{"after":"soon"}]}`,
		"duration":         `{"limits":{"minimum_gap":3}}`,
		"window":           `{"limits":{"frequency_cap":{"window":"x"}}}`,
		"time of day":      `{"limits":{"quiet_hours":{"start":"25:00"}}}`,
		"hold":             `{"unknown_progress":{"hold_for":"x"}}`,
		"click window":     `{"measurement":{"click_window":"x"}}`,
		"too large":        `{"description":"` + strings.Repeat("x", policy.MaxSize) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := policy.Decode([]byte(spec), 1)
			require.Error(t, err)
		})
	}
}
