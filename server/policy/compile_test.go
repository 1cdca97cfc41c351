package policy_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

func compiledVariants(t *testing.T, step policy.Step) []*policy.CompiledVariant {
	t.Helper()
	p := news()
	step.After = p.Steps[0].After
	p.Steps = []policy.Step{step}
	compiled, err := policy.Compile(p)
	require.NoError(t, err)
	return compiled.Steps[0].Variants()
}

func TestContentByProgress(t *testing.T) {
	reached := map[string]storage.Milestones{
		"nothing":   storage.MilestonesOf(),
		"failed":    storage.MilestonesOf(storage.Failed),
		"sent":      storage.MilestonesOf(storage.Sent),
		"delivered": storage.MilestonesOf(storage.Delivered).Implied(),
		"displayed": storage.MilestonesOf(storage.Displayed, storage.Failed).Implied(),
		"clicked":   storage.MilestonesOf(storage.Clicked).Implied(),
	}
	content := func(title string) *policy.Content { return &policy.Content{Title: title} }
	for name, c := range map[string]struct {
		contents policy.Contents
		want     map[string]string
	}{
		"the same for all": {
			policy.Contents{Content: content("c")},
			map[string]string{"nothing": "c", "failed": "c", "sent": "c", "delivered": "c", "displayed": "c", "clicked": "c"},
		},
		"each its own": {
			policy.Contents{
				Content: content("c"), NeverDelivered: content("never"),
				DeliveredNotDisplayed: content("unseen"), DisplayedNotClicked: content("seen"),
			},
			map[string]string{
				"nothing": "never", "failed": "never", "sent": "never", "delivered": "unseen", "displayed": "seen", "clicked": "c",
			},
		},
		"some": {
			policy.Contents{Content: content("c"), DeliveredNotDisplayed: content("unseen")},
			map[string]string{"nothing": "c", "failed": "c", "sent": "c", "delivered": "unseen", "displayed": "c", "clicked": "c"},
		},
		"else as it was": {
			policy.Contents{NeverDelivered: content("never")},
			map[string]string{"nothing": "never", "failed": "never", "sent": "never", "delivered": "", "displayed": "", "clicked": ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			variants := compiledVariants(t, policy.Step{Contents: c.contents})
			require.Len(t, variants, 1)
			require.Empty(t, variants[0].ID)
			for who, set := range reached {
				rendered, err := variants[0].For(set).Render(policy.Variables{})
				require.NoError(t, err)
				require.Equal(t, policy.Rendered{Title: c.want[who]}, rendered, who)
			}
		})
	}
}

func TestVariantsAndPlainContent(t *testing.T) {
	variants := compiledVariants(t, policy.Step{Variants: []policy.Variant{
		{ID: "a", Weight: 2, Contents: policy.Contents{
			Content: &policy.Content{Title: "{{ device.attributes.name }}"},
			Plain:   &policy.Content{Title: "t }}", Alert: "a", Overlay: json.RawMessage(`{ "{{ key }}": ["s", 1.50] }`)},
		}},
		{ID: "b", Contents: policy.Contents{Content: &policy.Content{Title: "B"}}},
	}})
	require.Len(t, variants, 2)
	require.Equal(t, "a", variants[0].ID)
	require.Equal(t, 2, variants[0].Weight)
	require.True(t, variants[0].For(0).Personal())
	require.False(t, variants[1].For(0).Personal())
	plain, ok := variants[0].Plain()
	require.True(t, ok)
	require.Equal(t, policy.Rendered{Title: "t }}", Alert: "a", Overlay: json.RawMessage(`{"{{ key }}":["s",1.50]}`)}, plain)
	_, ok = variants[1].Plain()
	require.False(t, ok)
}
