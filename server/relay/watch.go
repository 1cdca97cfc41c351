package relay

import (
	"context"

	"susul.dev/susul/server/subscription"
	"susul.dev/susul/storage"
)

// WatchQuery selects events to watch.
type WatchQuery struct {
	App    string
	PushID int64 // 0 for all pushes
	After  int64 // events with Sequence > After
	Filter *subscription.Filter
}

// Watch calls tell with every event that the query selects, in order, those to come included, until the context ends or tell fails.
// through is the sequence up to which all was told; now and then, when there was no event for a while, event is nil.
func (r *Relay) Watch(ctx context.Context, q WatchQuery, tell func(event *storage.Event, through int64) error) error {
	return nil
}
