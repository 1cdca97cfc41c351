package postgres_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/postgres"
	"susul.dev/susul/storage/postgres/postgrestest"
	"susul.dev/susul/storage/storagetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(postgrestest.Tests{M: m}) }

// emptyDatabase returns how to connect to a new database, which has its schema.
func emptyDatabase(tb testing.TB) (dsn string) {
	tb.Helper()
	return postgrestest.Migrated(tb, func(ctx context.Context, dsn string) error {
		store, err := postgres.Open(ctx, postgres.Options{DSN: dsn})
		if err != nil {
			return err
		}
		return store.Close()
	})
}

// open opens a handle that the caller closes.
func open(tb testing.TB, dsn string) *postgres.Store {
	tb.Helper()
	store, err := postgres.Open(tb.Context(), postgres.Options{DSN: dsn, Connections: 4})
	require.NoError(tb, err)
	return store
}

func TestConformance(t *testing.T) {
	t.Parallel()
	storagetest.Run(t, func(tb testing.TB) storagetest.Database {
		tb.Helper()
		dsn := emptyDatabase(tb)
		return func(tb testing.TB) storage.Store {
			tb.Helper()
			store, err := postgres.Open(tb.Context(), postgres.NeverLook(postgres.Options{DSN: dsn, Connections: 4}))
			require.NoError(tb, err)
			return store
		}
	}, storagetest.Traits{SignalsFromOtherHandles: true})
}
