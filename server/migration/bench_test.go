package migration

import (
	"context"
	"flag"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/postgres/postgrestest"
)

var benchRecipients = flag.Int("migration-recipients", 1_000_000, "recipients of the push that BenchmarkMigration moves")

// BenchmarkMigration moves a push of which each recipient has three events, to a PostgreSQL that waits for its disk.
func BenchmarkMigration(b *testing.B) {
	server, err := postgrestest.Start(postgrestest.Options{Durable: true, Settings: []string{"shared_buffers=512MB", "max_wal_size=4GB"}})
	if err != nil {
		b.Skip(err)
	}
	defer server.Stop()
	path := bigFile(b, *benchRecipients)
	b.ResetTimer()
	for b.Loop() {
		name, err := server.Create(context.Background(), "")
		require.NoError(b, err)
		source, target := openSource(b, path), openTarget(b, server.DSN(name))
		summary, err := Run(context.Background(), Options{Source: source, Target: target})
		require.NoError(b, err)
		require.NoError(b, target.Close())
		require.NoError(b, server.Drop(context.Background(), name))
		b.ReportMetric(float64(summary.Rows)/summary.Copying.Seconds(), "rows/s")
		b.ReportMetric(summary.Copying.Seconds(), "s-copying")
		b.ReportMetric(summary.Verify.Seconds(), "s-verifying")
	}
}

// bigFile makes a file with one push, of which every recipient clicked.
func bigFile(b *testing.B, recipients int) string {
	b.Helper()
	ctx := context.Background()
	path := filepath.Join(b.TempDir(), "susul.db")
	store := openSQLite(b, path)
	f := newFiller(b, store, 1)
	ids := make([]string, recipients)
	var all []uint32
	for i := range ids {
		ids[i] = f.device(1, i, true)
		all = append(all, uint32(i))
	}
	d := storage.PushDraft{Push: storage.Push{ID: 1, App: fillApps[0], Listed: true, CreateTime: f.now, TimeToLive: fillTTL, Document: []byte(`{}`)},
		Recipients: ids, Steps: []storage.StepDraft{{Number: 1, Offset: time.Hour}}}
	for chunk := range slices.Chunk(all, 1000) {
		d.Dispatches = append(d.Dispatches, storage.DispatchDraft{Chunk: len(d.Dispatches), DueTime: f.now, Recipients: chunk, ExpireTime: f.now.Add(fillTTL)})
	}
	_, _, err := store.CreatePush(ctx, d)
	require.NoError(b, err)
	for {
		claims, err := store.ClaimDispatches(ctx, claimEverything(f.now))
		require.NoError(b, err)
		if len(claims) == 0 {
			break
		}
		for _, c := range claims {
			require.NoError(b, store.StartDispatch(ctx, storage.DispatchStart{ID: c.Dispatch.ID, Attempt: c.Dispatch.Attempt}))
			_, err := store.FinishDispatch(ctx, storage.DispatchResult{ID: c.Dispatch.ID, Attempt: c.Dispatch.Attempt, Time: f.now,
				State: storage.DispatchSent, UpstreamID: upstream(c.Dispatch, 0)})
			require.NoError(b, err)
		}
	}
	for chunk := range len(d.Dispatches) {
		up := upstream(storage.Dispatch{PushID: 1, DispatchDraft: storage.DispatchDraft{Chunk: chunk}}, 0)
		for _, m := range []storage.Milestone{storage.Sent, storage.Delivered, storage.Clicked} {
			var rows []storage.Callback
			for _, id := range ids[chunk*1000 : min((chunk+1)*1000, recipients)] {
				rows = append(rows, storage.Callback{UpstreamID: up, RegistrationID: id, Milestone: m, Status: m.String(), Time: f.now.Truncate(time.Second)})
			}
			_, err := store.RecordCallbacks(ctx, fillApps[0], f.now, rows)
			require.NoError(b, err)
		}
	}
	require.NoError(b, store.Close())
	return path
}
