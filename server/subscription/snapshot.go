package subscription

import (
	"cmp"
	"maps"
	"slices"
)

// Snapshot is all subscriptions as of one etcd revision. It is immutable: who holds one sees one state of all.
type Snapshot struct {
	// Revision is the etcd revision of the latest change of what is in it; 0 before the first load.
	Revision int64

	byKey map[string]*Compiled
	byApp map[string][]*Compiled // parts of all
	all   []*Compiled
}

// newSnapshot takes ownership of the map, by the keys in etcd.
func newSnapshot(revision int64, byKey map[string]*Compiled) *Snapshot {
	s := &Snapshot{Revision: revision, byKey: byKey, byApp: make(map[string][]*Compiled)}
	s.all = slices.SortedFunc(maps.Values(byKey), func(a, b *Compiled) int {
		return cmp.Or(cmp.Compare(a.Subscription.App, b.Subscription.App), cmp.Compare(a.Subscription.ID, b.Subscription.ID))
	})
	for rest := s.all; len(rest) > 0; {
		app := rest[0].Subscription.App
		end := slices.IndexFunc(rest, func(c *Compiled) bool { return c.Subscription.App != app })
		if end < 0 {
			end = len(rest)
		}
		s.byApp[app], rest = rest[:end:end], rest[end:]
	}
	return s
}

// Get returns a subscription.
func (s *Snapshot) Get(app, id string) (*Compiled, bool) {
	c, ok := s.byKey[Key(app, id)]
	return c, ok
}

// List returns an app's subscriptions by ID. The slice is shared and must not be changed.
func (s *Snapshot) List(app string) []*Compiled { return s.byApp[app] }

// All returns all subscriptions by app and ID. The slice is shared and must not be changed.
func (s *Snapshot) All() []*Compiled { return s.all }
