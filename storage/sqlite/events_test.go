package sqlite

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
)

// Between the commit of a transaction and the moment in which the end of the log is known to be longer, queries for an app, a push or a
// device find what a query for everything finds.
func TestListEventsAgreesWithTheSnapshot(t *testing.T) {
	s := fresh(t, Options{})
	var upstreams []string
	for id := range int64(2) {
		createListed(t, s, id+1, 10)
		upstreams = append(upstreams, sendAll(t, s)[0])
	}
	record := func(ids ...int) {
		for _, upstream := range upstreams {
			rows := make([]storage.Callback, len(ids))
			for i, id := range ids {
				rows[i] = storage.Callback{UpstreamID: upstream, RegistrationID: benchID(id), Milestone: storage.Sent, Status: "sent", Time: time.Now()}
			}
			_, err := s.RecordCallbacks(t.Context(), benchApp, time.Now(), rows)
			require.NoError(t, err)
		}
	}
	record(0, 1)
	through, before := s.live.tail.get()
	record(2, 3)
	queries := []storage.EventQuery{
		{App: benchApp}, {App: benchApp, PushID: 1}, {PushID: 2}, {RegistrationID: benchID(2)}, {App: benchApp, RegistrationID: benchID(1)},
		{App: benchApp, After: 2}, {PushID: 2, After: 5}, {App: benchApp, Limit: 1}, {App: benchApp, PushID: 2, Limit: 3},
	}
	list := func() (lists [][]storage.Event) {
		for _, q := range queries {
			events, err := s.ListEvents(t.Context(), q)
			require.NoError(t, err)
			require.NotEmpty(t, events, "%+v", q)
			lists = append(lists, events)
		}
		return lists
	}
	want := list()
	s.live.tail.set(through, before[:len(before):len(before)])
	require.Equal(t, want, list())
}
