package policy

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Snapshot is all policies and switches as of one etcd revision. It is immutable: who holds one sees one state of all.
type Snapshot struct {
	// Revision is the etcd revision of the latest change of what is in it; 0 before the first load.
	Revision int64

	byID     map[string]*Compiled
	switches map[string]Switch // by app
	list     []*Compiled       // by ID
	// candidates are those that may be selected, in the order in which they are asked.
	candidates []*Compiled
}

// newSnapshot takes ownership of the maps.
func newSnapshot(revision int64, byID map[string]*Compiled, switches map[string]Switch) *Snapshot {
	s := &Snapshot{Revision: revision, byID: byID, switches: switches}
	s.list = slices.SortedFunc(maps.Values(byID), func(a, b *Compiled) int {
		return cmp.Compare(a.Policy.ID, b.Policy.ID)
	})
	for _, c := range s.list {
		if c.match != nil && !c.Policy.Paused {
			s.candidates = append(s.candidates, c)
		}
	}
	slices.SortStableFunc(s.candidates, func(a, b *Compiled) int {
		return cmp.Compare(b.Policy.Priority, a.Policy.Priority)
	})
	return s
}

// Get returns a policy whatever its app.
func (s *Snapshot) Get(id string) (*Compiled, bool) {
	c, ok := s.byID[id]
	return c, ok
}

// List returns all policies by ID. The slice is shared and must not be changed.
func (s *Snapshot) List() []*Compiled { return s.list }

// Named returns the policy that a push of the app names, paused or not. A policy of another app is not found.
func (s *Snapshot) Named(app, id string) (*Compiled, bool) {
	c, ok := s.byID[id]
	if !ok || !c.For(app) {
		return nil, false
	}
	return c, true
}

// Select returns the policy for a push that names none: of those that are not paused, belong to its app or to all, and
// match it, the one with the highest priority, and of these the one with the lowest ID. A policy whose match fails is
// passed over and named in the error; the selection is good all the same.
func (s *Snapshot) Select(a Attributes) (c *Compiled, ok bool, err error) {
	var errs []error
	for _, c := range s.candidates {
		if !c.For(a.App) {
			continue
		}
		matched, err := c.Matches(a)
		if err != nil {
			errs = append(errs, fmt.Errorf("policy %s: %w", c.Policy.ID, err))
		}
		if matched {
			return c, true, errors.Join(errs...)
		}
	}
	return nil, false, errors.Join(errs...)
}
