package postgres_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/postgres"
	"susul.dev/susul/storage/postgres/postgrestest"
	"susul.dev/susul/storage/storagetest"
)

// tests are this package's, with the PostgreSQL that they share: it stops ahead of the look for what leaked.
type tests struct{ *testing.M }

func (t tests) Run() int {
	defer postgrestest.Stop()
	return t.M.Run()
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(tests{m}) }

// migrated is the name of a database of which nothing but its schema is there.
var migrated = sync.OnceValues(func() (string, error) {
	server, err := postgrestest.Process()
	if err != nil {
		return "", err
	}
	name, err := server.Create(context.Background(), "")
	if err != nil {
		return "", err
	}
	store, err := postgres.Open(context.Background(), postgres.Options{DSN: server.DSN(name)})
	if err != nil {
		return "", err
	}
	return name, store.Close()
})

// emptyDatabase returns how to connect to a new database. It is a copy, for to migrate one takes longer than most tests.
func emptyDatabase(tb testing.TB) string {
	tb.Helper()
	server := postgrestest.Shared(tb)
	template, err := migrated()
	require.NoError(tb, err)
	name, err := server.Create(context.Background(), template)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, server.Drop(context.Background(), name)) })
	return server.DSN(name)
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
