package migration

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/postgres"
	"susul.dev/susul/storage/postgres/postgrestest"
)

func claimEverything(now time.Time) storage.ClaimRequest {
	return storage.ClaimRequest{App: fillApps[0], Now: now, Lease: lease, Limit: 1000}
}

// claimed is a claim as both sides must have it.
type claimed struct {
	id         int64
	state      storage.DispatchState
	attempt    int
	recipients int
}

// After the move, life goes on as it would have in the file: what was claimed is claimed again, what is repeated is repeated, what is new
// is new.
func TestLifeGoesOnAfterTheMove(t *testing.T) {
	server := postgrestest.Shared(t)
	path := filepath.Join(t.TempDir(), "susul.db")
	file := openSQLite(t, path)
	f := newFiller(t, file, 11)
	f.fill(100)
	require.NoError(t, file.Close())
	dsn := server.Database(t)
	_, err := migrate(t, openSource(t, path), dsn)
	require.NoError(t, err)

	stayed := openSQLite(t, copyOf(t, path))
	defer func() { require.NoError(t, stayed.Close()) }()
	moved, err := postgres.Open(t.Context(), postgres.Options{DSN: dsn})
	require.NoError(t, err)
	defer func() { require.NoError(t, moved.Close()) }()
	goOn := func(store storage.Store) (log []any) {
		require.NoError(t, store.Lead(t.Context(), 4))
		return f.goOn(t, store)
	}
	require.Equal(t, goOn(stayed), goOn(moved))
}

func copyOf(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	other := filepath.Join(t.TempDir(), "susul.db")
	require.NoError(t, os.WriteFile(other, content, 0o600))
	return other
}

// goOn works with a store that was filled, and tells what it answered.
func (f *filler) goOn(t *testing.T, store storage.Store) (log []any) {
	t.Helper()
	ctx := context.Background()
	now := f.now.Add(time.Second) // no lease has ended
	claims, err := store.ClaimDispatches(ctx, claimEverything(now))
	require.NoError(t, err)
	require.NotEmpty(t, claims)
	for _, c := range claims {
		log = append(log, claimed{c.Dispatch.ID, c.Dispatch.State, c.Dispatch.Attempt, len(c.Recipients)})
	}
	for _, p := range f.pushes {
		events, err := store.ListEvents(ctx, storage.EventQuery{PushID: p.id})
		require.NoError(t, err)
		var again, fresh []storage.Callback
		for _, e := range events {
			if e.UpstreamID != "" {
				again = append(again, e.Callback)
				e.Status, e.Milestone = "never seen before", storage.MilestoneUnknown
				fresh = append(fresh, e.Callback)
			}
		}
		for _, rows := range [][]storage.Callback{again, fresh, fresh} {
			summary, err := store.RecordCallbacks(ctx, p.app, now, rows)
			require.NoError(t, err)
			log = append(log, p.id, summary)
		}
		report, err := store.Report(ctx, p.app, p.id)
		require.NoError(t, err)
		log = append(log, report.Total)
	}
	for _, d := range f.reused {
		p, created, err := store.CreatePush(ctx, d)
		if err == nil && created { // it was rejected, or expired
			require.Fail(t, "a request id and a push id are free again", "%v", p)
		}
		log = append(log, p.ID, created, err != nil)
	}
	d := storage.PushDraft{Push: storage.Push{ID: f.lastID + 1, App: fillApps[0], CreateTime: now, TimeToLive: fillTTL, Document: []byte(`{}`)},
		Dispatches: []storage.DispatchDraft{{DueTime: now, ExpireTime: now.Add(fillTTL)}}}
	_, created, err := store.CreatePush(ctx, d)
	require.NoError(t, err)
	require.True(t, created)
	dispatches, err := store.ListDispatches(ctx, d.Push.ID, 0, 1)
	require.NoError(t, err)
	return append(log, dispatches[0].ID)
}
