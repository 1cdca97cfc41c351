package postgres_test

import (
	"context"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/postgres/postgrestest"
)

// A database may compare texts as people do. What is listed is in the order of bytes all the same, and no page misses anything.
func TestTextsAreInTheOrderOfTheirBytes(t *testing.T) {
	t.Parallel()
	server := postgrestest.Shared(t)
	conn, err := pgx.Connect(t.Context(), server.DSN("postgres"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close(context.Background())) })
	const name = "compares_as_people_do"
	if _, err := conn.Exec(t.Context(), `CREATE DATABASE `+name+` TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'`); err != nil {
		t.Skipf("SKIPPED: this PostgreSQL can't: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, server.Drop(context.Background(), name)) })
	store := openAll(t, server.DSN(name), 1)[0]

	names := []string{"b", "A", "a", "B", "_", "ä", "Z", "z", "a-b", "ab", "a_b", "0"}
	var change storage.RelayChange
	var devices []storage.Device
	for _, id := range names {
		key := storage.RelayEndpointKey{App: "app", ID: id}
		change.Endpoints = append(change.Endpoints, storage.RelayEndpoint{RelayEndpointKey: key, State: storage.RelayActive})
		change.Spans = append(change.Spans, storage.RelaySpan{RelayEndpointKey: key, ID: 1, Kind: storage.SpanRetry})
		devices = append(devices, storage.Device{RegistrationID: id, Locale: "en"})
	}
	require.NoError(t, store.SaveRelay(t.Context(), change))
	require.NoError(t, store.SetDevices(t.Context(), "app", devices, draft(1).Push.CreateTime))
	slices.Sort(names)

	var after storage.RelayEndpointKey
	var afterSpan storage.RelaySpanKey
	for _, id := range names {
		endpoints, err := store.ListRelayEndpoints(t.Context(), after, 1)
		require.NoError(t, err)
		require.Len(t, endpoints, 1)
		require.Equal(t, id, endpoints[0].ID)
		after = endpoints[0].RelayEndpointKey
		spans, err := store.ListRelaySpans(t.Context(), storage.RelaySpanQuery{App: "app", After: afterSpan, Limit: 1})
		require.NoError(t, err)
		require.Len(t, spans, 1)
		require.Equal(t, id, spans[0].RelayEndpointKey.ID)
		afterSpan = storage.RelaySpanKey{RelayEndpointKey: spans[0].RelayEndpointKey, ID: spans[0].ID}
	}
	got, err := store.GetDevices(t.Context(), "app", slices.Concat([]string{"absent"}, names))
	require.NoError(t, err)
	require.Len(t, got, len(names))
	for i, d := range got {
		require.Equal(t, names[i], d.RegistrationID)
	}
}
