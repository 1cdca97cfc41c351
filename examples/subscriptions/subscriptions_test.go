package subscriptions

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/subscription"
	"susul.dev/susul/storage"
)

func read(t testing.TB, name string) *susulv1.CreateSubscriptionRequest {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	document, err := yaml.YAMLToJSON(text)
	require.NoError(t, err)
	req := &susulv1.CreateSubscriptionRequest{}
	require.NoError(t, protojson.Unmarshal(document, req))
	return req
}

// The command beside each YAML file creates the same subscription, whose name is the file's.
func TestCommandsCreateWhatTheYAMLSays(t *testing.T) {
	names, err := filepath.Glob("*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			want := read(t, name)
			require.Equal(t, want.GetSubscriptionId()+".yaml", name)
			script, err := os.ReadFile(want.GetSubscriptionId() + ".sh")
			require.NoError(t, err)
			_, rest, found := strings.Cut(string(script), "<<'JSON'\n")
			require.True(t, found)
			body, _, found := strings.Cut(rest, "\nJSON\n")
			require.True(t, found)
			got := &susulv1.CreateSubscriptionRequest{}
			require.NoError(t, protojson.Unmarshal([]byte(body), got))
			require.True(t, proto.Equal(want, got), "want %v\ngot  %v", want, got)
		})
	}
}

// The coupon service gets the clicks on promotions, and nothing else.
func TestWhoClickedOnAPromotion(t *testing.T) {
	filter, err := subscription.CompileFilter(read(t, "clicked-promotion.yaml").GetSubscription().GetFilter())
	require.NoError(t, err)
	for name, c := range map[string]struct {
		milestone storage.Milestone
		args      any
		want      bool
	}{
		"a click on a promotion":   {storage.Clicked, map[string]any{"kind": "promotion"}, true},
		"a display of a promotion": {storage.Displayed, map[string]any{"kind": "promotion"}, false},
		"a click on news":          {storage.Clicked, map[string]any{"kind": "news"}, false},
		"a click on another":       {storage.Clicked, map[string]any{}, false},
		"a click with a text":      {storage.Clicked, "promotion", false},
		"a click without":          {storage.Clicked, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			event := &storage.Event{PushID: 7, App: "demo", Callback: storage.Callback{Milestone: c.milestone, Time: time.Unix(1, 0)}}
			got, _ := filter.Matches(event, &subscription.Push{ID: 7, App: "demo", CustomArgs: c.args})
			require.Equal(t, c.want, got)
		})
	}
}
