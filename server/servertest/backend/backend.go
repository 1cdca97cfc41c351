// Package backend says which storage tests above it run on: SQLite; or PostgreSQL, where TEST_STORAGE is "postgres".
package backend

import (
	"context"
	"os"
	"path/filepath"
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

// Database returns how to connect to a new PostgreSQL database, which is gone when the test ends.
func Database(tb testing.TB) (dsn string) {
	tb.Helper()
	return postgrestest.Migrated(tb, func(ctx context.Context, dsn string) error {
		store, err := postgres.Open(ctx, postgres.Options{DSN: dsn, Connections: connections})
		if err != nil {
			return err
		}
		return store.Close()
	})
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
