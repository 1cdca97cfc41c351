// Package backend says which storage tests above it run on: SQLite; or PostgreSQL, where TEST_STORAGE is "postgres".
package backend

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/postgres"
	"susul.dev/susul/storage/postgres/postgrestest"
	"susul.dev/susul/storage/sqlite"
)

// choice is the environment variable that chooses.
const choice = "TEST_STORAGE"

// connections are those of a test's handle: many tests run at once on one PostgreSQL.
const connections = 8

// Postgres reports whether tests run on PostgreSQL.
func Postgres() bool { return os.Getenv(choice) == "postgres" }

// Tests are those of a package, with the PostgreSQL that they share: it stops ahead of the look for what leaked. It is for TestMain:
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(backend.Tests{M: m}) }
type Tests struct{ *testing.M }

// Run runs them.
func (t Tests) Run() int {
	defer postgrestest.Stop()
	return t.M.Run()
}

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
	store, err := postgres.Open(context.Background(), postgres.Options{DSN: server.DSN(name), Connections: connections})
	if err != nil {
		return "", err
	}
	return name, store.Close()
})

// Database returns how to connect to a new PostgreSQL database, which is gone when the test ends. It is a copy, for to migrate one takes
// longer than most tests.
func Database(tb testing.TB) (dsn string) {
	tb.Helper()
	server := postgrestest.Shared(tb)
	template, err := migrated()
	if err != nil {
		tb.Fatal(err)
	}
	name, err := server.Create(context.Background(), template)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := server.Drop(context.Background(), name); err != nil {
			tb.Error(err)
		}
	})
	return server.DSN(name)
}

// Open returns an empty store, which the caller closes.
func Open(tb testing.TB) storage.Store {
	tb.Helper()
	var store storage.Store
	var err error
	if Postgres() {
		store, err = postgres.Open(tb.Context(), postgres.Options{DSN: Database(tb), Connections: connections})
	} else {
		store, err = sqlite.Open(tb.Context(), sqlite.Options{Path: filepath.Join(tb.TempDir(), "susul.db")})
	}
	if err != nil {
		tb.Fatal(err)
	}
	return store
}
