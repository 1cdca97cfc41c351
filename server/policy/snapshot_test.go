package policy

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
)

func snapshotOf(t *testing.T, policies ...Policy) *Snapshot {
	t.Helper()
	byID := make(map[string]*Compiled)
	for _, p := range policies {
		p.Trigger = Trigger{Unless: storage.Clicked, Within: time.Hour}
		p.Steps = []Step{{After: time.Hour, Contents: Contents{Content: &Content{Title: "t"}}}}
		c, err := Compile(p)
		require.NoError(t, err)
		byID[p.ID] = c
	}
	return newSnapshot(7, byID, nil)
}

func TestSelect(t *testing.T) {
	s := snapshotOf(t,
		Policy{ID: "low", Match: "true", Priority: -1},
		Policy{ID: "b-mid", Match: `plan_id == "news"`, Priority: 5},
		Policy{ID: "a-mid", Match: `plan_id == "news"`, Priority: 5, App: "app1"},
		Policy{ID: "paused", Match: "true", Priority: 9, Paused: true},
		Policy{ID: "by-name-only", Priority: 9},
		Policy{ID: "fails", Match: `custom_args.x == 1`, Priority: 8},
		Policy{ID: "other-app", Match: "true", Priority: 9, App: "app2"},
	)
	args := map[string]any{"x": 0}
	for name, c := range map[string]struct {
		push  Attributes
		want  string
		fails bool
	}{
		"lower id of equal priority": {push: Attributes{App: "app1", PlanID: "news", CustomArgs: args}, want: "a-mid"},
		"its app only":               {push: Attributes{App: "app3", PlanID: "news", CustomArgs: args}, want: "b-mid"},
		"the rest":                   {push: Attributes{App: "app3", CustomArgs: args}, want: "low"},
		"highest priority":           {push: Attributes{App: "app2"}, want: "other-app"},
		"passes over what fails":     {push: Attributes{App: "app1"}, want: "low", fails: true},
		"match of an earlier":        {push: Attributes{App: "app1", CustomArgs: map[string]any{"x": 1}}, want: "fails"},
	} {
		t.Run(name, func(t *testing.T) {
			chosen, ok, err := s.Select(c.push)
			require.True(t, ok)
			require.Equal(t, c.want, chosen.Policy.ID)
			if c.fails {
				require.ErrorContains(t, err, "policy fails: ")
			} else {
				require.NoError(t, err)
			}
		})
	}
	_, ok, err := snapshotOf(t, Policy{ID: "never", Match: "false"}).Select(Attributes{})
	require.False(t, ok)
	require.NoError(t, err)
}

func TestNamedAndGet(t *testing.T) {
	s := snapshotOf(t, Policy{ID: "all"}, Policy{ID: "one", App: "app1", Paused: true})
	for _, c := range []struct {
		app, id string
		want    bool
	}{
		{"app1", "all", true}, {"app2", "all", true},
		{"app1", "one", true}, {"app2", "one", false},
		{"app1", "none", false},
	} {
		_, ok := s.Named(c.app, c.id)
		require.Equal(t, c.want, ok, "%s of %s", c.id, c.app)
	}
	got, ok := s.Get("one")
	require.True(t, ok)
	require.Equal(t, "app1", got.Policy.App)
	require.Len(t, s.List(), 2)
	require.Equal(t, "all", s.List()[0].Policy.ID)
}
