package migration

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/postgres"
	"susul.dev/susul/storage/postgres/postgrestest"
	"susul.dev/susul/storage/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(postgrestest.Tests{M: m}) }

func openSQLite(tb testing.TB, path string) *sqlite.Store {
	tb.Helper()
	store, err := sqlite.Open(context.Background(), sqlite.Options{Path: path})
	require.NoError(tb, err)
	return store
}

// filledFile returns the path of a file that has something of everything.
func filledFile(tb testing.TB, seed uint64, moves int) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "susul.db")
	store := openSQLite(tb, path)
	newFiller(tb, store, seed).fill(moves)
	require.NoError(tb, store.Close())
	return path
}

// killedFile is filledFile as a server leaves it that is killed: the end of the log is not folded.
func killedFile(tb testing.TB, seed uint64, moves int) string {
	tb.Helper()
	path, left := filepath.Join(tb.TempDir(), "susul.db"), filepath.Join(tb.TempDir(), "susul.db")
	store := openSQLite(tb, path)
	newFiller(tb, store, seed).fill(moves)
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(path + suffix)
		require.NoError(tb, err)
		require.NoError(tb, os.WriteFile(left+suffix, content, 0o600))
	}
	require.NoError(tb, store.Close())
	return left
}

func openSource(tb testing.TB, path string) *sqlite.Export {
	tb.Helper()
	source, err := sqlite.OpenExport(context.Background(), sqlite.Options{Path: path})
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, source.Close()) })
	return source
}

func openTarget(tb testing.TB, dsn string) *postgres.Import {
	tb.Helper()
	target, err := postgres.OpenImport(context.Background(), postgres.Options{DSN: dsn})
	require.NoError(tb, err)
	return target
}

// migrate moves a file to a database, in small slices.
func migrate(tb testing.TB, source Source, dsn string) (Summary, error) {
	tb.Helper()
	target := openTarget(tb, dsn)
	defer func() { require.NoError(tb, target.Close()) }()
	return Run(tb.Context(), Options{Source: source, Target: target, SliceRows: 1000})
}

// Whatever a store holds, the other answers every question as the first did.
func TestEverythingIsCopied(t *testing.T) {
	for seed, file := range []func(testing.TB, uint64, int) string{filledFile, killedFile} {
		source := openSource(t, file(t, uint64(seed), 150))
		dsn := postgrestest.Shared(t).Database(t)
		summary, err := migrate(t, source, dsn)
		require.NoError(t, err)
		require.False(t, summary.Resumed)
		require.Equal(t, summary.Rows, summary.Copied)
		store, err := postgres.Open(t.Context(), postgres.Options{DSN: dsn})
		require.NoError(t, err)
		requireSame(t, source, store)
		require.NoError(t, store.Close())
		summary, err = migrate(t, source, dsn)
		require.NoError(t, err)
		require.True(t, summary.Before)
	}
}

// requireSame asks both sides everything.
func requireSame(tb testing.TB, source *sqlite.Export, store storage.Store) {
	tb.Helper()
	apps, err := source.Apps(tb.Context())
	require.NoError(tb, err)
	pushes, err := source.SampleOfPushes(tb.Context(), 10_000)
	require.NoError(tb, err)
	s := &sampler{ctx: tb.Context(), source: source.Store(), target: store, page: storage.MaxPage, found: &Mismatch{}}
	require.NoError(tb, s.compareAll(apps, pushes))
	require.Empty(tb, s.found.Findings)
}
