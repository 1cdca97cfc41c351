package policy_test

import (
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

func TestHoldouts(t *testing.T) {
	const devices = 20_000
	p := news()
	p.UID, p.HoldoutPermille = "u", 100
	p.Steps[0].HoldoutPermille, p.Steps[1].HoldoutPermille = 100, 500
	other := p
	other.UID = "v"
	var held, first, second, both, elsewhere int
	count := func(n *int, held bool) {
		if held {
			*n++
		}
	}
	for i := range devices {
		id := strconv.Itoa(i)
		count(&held, p.Held(id))
		count(&first, p.StepHeld(1, id))
		count(&second, p.StepHeld(2, id))
		count(&both, p.Held(id) && p.StepHeld(1, id))
		count(&elsewhere, p.Held(id) && other.Held(id))
	}
	require.InDelta(t, 0.1*devices, held, 200)
	require.InDelta(t, 0.1*devices, first, 200)
	require.InDelta(t, 0.5*devices, second, 400)
	require.InDelta(t, 0.01*devices, both, 75, "a holdout has nothing to do with another")
	require.InDelta(t, 0.01*devices, elsewhere, 75, "another policy holds out others")

	more := p
	more.HoldoutPermille, more.Paused = 200, true
	for i := range devices {
		if id := strconv.Itoa(i); p.Held(id) {
			require.True(t, more.Held(id), "who is held out stays so when more are")
		}
	}
	p.HoldoutPermille = 0
	p.Steps[0].HoldoutPermille = 0
	for i := range devices {
		require.False(t, p.Held(strconv.Itoa(i)) || p.StepHeld(1, strconv.Itoa(i)))
	}
}

func TestStepKey(t *testing.T) {
	base := func() policy.Policy {
		p := news()
		p.UID = "u"
		p.Steps[0].Variants = []policy.Variant{
			{ID: "a", Contents: *contents("A")}, {ID: "b", Weight: 3, Contents: *contents("B")},
		}
		p.Steps[0].Contents = policy.Contents{}
		require.NoError(t, p.Validate())
		return p
	}
	want := base().StepKey(1)
	require.Regexp(t, "^[0-9a-f]{16}$", want)
	require.NotEqual(t, want, base().StepKey(2))
	require.Equal(t, "870d1cb683e8aa76", news().StepKey(1), "keys are stored: they must stay as they are")

	for name, change := range map[string]func(*policy.Policy){
		"paused":         func(p *policy.Policy) { p.Paused, p.Steps[0].Paused, p.Steps[0].PauseReason = true, true, "x" },
		"measured since": func(p *policy.Policy) { p.Steps[0].MeasuredSince = start },
		"weights":        func(p *policy.Policy) { p.Steps[0].Variants[0].Weight = 7 },
		"optimize":       func(p *policy.Policy) { p.Steps[0].Optimize = true },
		"other steps":    func(p *policy.Policy) { p.Steps = p.Steps[:1] },
		"a name":         func(p *policy.Policy) { p.DisplayName, p.Match, p.UpdateTime, p.Revision = "x", "true", start, 9 },
		"same time":      func(p *policy.Policy) { p.Steps[0].Origin, p.Steps[0].After = policy.FromFirstSending, 3*time.Hour },
	} {
		t.Run(name+" does not matter", func(t *testing.T) {
			p := base()
			change(&p)
			require.Equal(t, want, p.StepKey(1))
		})
	}
	seen := map[string]string{want: "base"}
	for name, change := range map[string]func(*policy.Policy){
		"unless":         func(p *policy.Policy) { p.Trigger.Unless = storage.Displayed },
		"on failure":     func(p *policy.Policy) { p.Trigger = policy.Trigger{OnFailure: true, Within: p.Trigger.Within} },
		"within":         func(p *policy.Policy) { p.Trigger.Within++ },
		"after":          func(p *policy.Policy) { p.Steps[0].After++ },
		"only if":        func(p *policy.Policy) { p.Steps[0].OnlyIf = "true" },
		"variant's id":   func(p *policy.Policy) { p.Steps[0].Variants[0].ID = "c" },
		"content":        func(p *policy.Policy) { p.Steps[0].Variants[0].Content.Title = "C" },
		"overlay":        func(p *policy.Policy) { p.Steps[0].Variants[0].Content.Overlay = json.RawMessage(`{"a":1}`) },
		"by progress":    func(p *policy.Policy) { p.Steps[0].Variants[0].NeverDelivered = &policy.Content{Title: "N"} },
		"plain":          func(p *policy.Policy) { p.Steps[0].Variants[0].Plain = &policy.Content{Title: "N"} },
		"a variant more": func(p *policy.Policy) { p.Steps[0].Variants = append(p.Steps[0].Variants, policy.Variant{ID: "c"}) },
		"its holdout":    func(p *policy.Policy) { p.Steps[0].HoldoutPermille = 1 },
		"the holdout":    func(p *policy.Policy) { p.HoldoutPermille = 1 },
	} {
		p := base()
		change(&p)
		key := p.StepKey(1)
		require.Empty(t, seen[key], "%s: the key is that of %s", name, seen[key])
		seen[key] = name
	}
}

func contents(title string) *policy.Contents {
	return &policy.Contents{Content: &policy.Content{Title: title}}
}

func TestWithMeasurementsOf(t *testing.T) {
	current := news()
	current.Steps[0].PauseReason, current.Steps[0].MeasuredSince = "harmful", start
	draft := news()
	draft.Steps = append(draft.Steps, draft.Steps[0])
	draft.Steps[1].PauseReason, draft.Steps[2].MeasuredSince = "forged", start
	got := draft.WithMeasurementsOf(current)
	require.Equal(t, "harmful", got.Steps[0].PauseReason)
	require.Equal(t, start, got.Steps[0].MeasuredSince)
	require.Empty(t, got.Steps[1].PauseReason)
	require.Zero(t, got.Steps[2].MeasuredSince)
	require.Equal(t, "forged", draft.Steps[1].PauseReason, "the draft itself stays")
	require.Len(t, news().WithMeasurementsOf(draft).Steps, 2)
}
