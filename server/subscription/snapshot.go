package subscription

// Snapshot is all subscriptions as of one etcd revision. It is immutable: who holds one sees one state of all.
type Snapshot struct {
	// Revision is the etcd revision of the latest change of what is in it; 0 before the first load.
	Revision int64
}

// Get returns a subscription.
func (s *Snapshot) Get(app, id string) (*Compiled, bool) { return nil, false }

// List returns an app's subscriptions by ID. The slice is shared and must not be changed.
func (s *Snapshot) List(app string) []*Compiled { return nil }

// All returns all subscriptions by app and ID. The slice is shared and must not be changed.
func (s *Snapshot) All() []*Compiled { return nil }
