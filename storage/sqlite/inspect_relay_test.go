package sqlite

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
)

func TestInspectorShowsTheRelay(t *testing.T) {
	const n = 2*inspectedPerRead + 1
	path := emptyFile(t, "susul.db")
	s := open(t, path)
	defer func() { require.NoError(t, s.Close()) }()
	change := storage.RelayChange{Head: 12}
	for i := range n {
		key := storage.RelayEndpointKey{App: benchApp, ID: fmt.Sprintf("url-%03d", i)}
		e := storage.RelayEndpoint{RelayEndpointKey: key, State: storage.RelayActive, Cursor: int64(i)}
		if i == 0 {
			e.State = storage.RelayGone
		}
		change.Endpoints = append(change.Endpoints, e)
		change.Spans = append(change.Spans, storage.RelaySpan{RelayEndpointKey: key, ID: 1, Kind: storage.SpanRetry, PushID: 1, Next: int64(i)})
	}
	require.NoError(t, s.SaveRelay(t.Context(), change))

	i := inspector(t, path)
	overview, err := i.Overview(t.Context())
	require.NoError(t, err)
	require.Equal(t, RelayOverview{12, []EndpointCount{{storage.RelayActive, n - 1}, {storage.RelayGone, 1}},
		[]SpanCount{{storage.SpanRetry, n}}}, overview.Relay)
	endpoints, spans := all(t, i.Endpoints(t.Context(), 0)), all(t, i.Spans(t.Context(), 0))
	require.Len(t, endpoints, n)
	require.Len(t, spans, n)
	for at := range n {
		require.Equal(t, int64(at), endpoints[at].Cursor)
		require.Equal(t, SpanContent{App: benchApp, Endpoint: endpoints[at].Endpoint, Span: 1, Kind: storage.SpanRetry, MsgID: 1,
			Next: int64(at)}, spans[at])
	}
	require.Len(t, all(t, i.Endpoints(t.Context(), 70)), 70)
}
