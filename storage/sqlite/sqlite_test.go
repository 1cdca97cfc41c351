package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/storagetest"
)

// usualChecks is how often a property is checked here, unless -rapid.checks says otherwise: each check is a store's whole life, and takes
// seconds under the race detector.
const usualChecks = "30"

func TestMain(m *testing.M) {
	recordIfChild() // the child of TestKillLosesNothing; it never returns there
	if err := flag.Set("rapid.checks", usualChecks); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

func TestConformance(t *testing.T) {
	t.Parallel()
	storagetest.Run(t, func(tb testing.TB) storagetest.Database {
		tb.Helper()
		path := emptyFile(tb, "it's a 100% #?odd name.db")
		return func(tb testing.TB) storage.Store {
			tb.Helper()
			return open(tb, path)
		}
	}, storagetest.Traits{})
}

// TestConformanceInLittleMemory folds and forgets all the time.
func TestConformanceInLittleMemory(t *testing.T) {
	t.Parallel()
	storagetest.Run(t, func(tb testing.TB) storagetest.Database {
		tb.Helper()
		path := emptyFile(tb, "susul.db")
		return func(tb testing.TB) storage.Store {
			tb.Helper()
			s, err := Open(tb.Context(), Options{Path: path, Memory: 1, foldPause: time.Millisecond})
			require.NoError(tb, err)
			return s
		}
	}, storagetest.Traits{})
}

// migrated is the content of a database of which nothing but its schema is there.
var migrated = sync.OnceValues(func() ([]byte, error) {
	folder, err := os.MkdirTemp("", "susul")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	path := filepath.Join(folder, "susul.db")
	s, err := Open(context.Background(), Options{Path: path})
	if err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// emptyFile returns the path of a new database. It is a copy, for to migrate one takes longer than most tests.
func emptyFile(tb testing.TB, name string) string {
	tb.Helper()
	content, err := migrated()
	require.NoError(tb, err)
	path := filepath.Join(tb.TempDir(), name)
	require.NoError(tb, os.WriteFile(path, content, 0o600))
	return path
}

// open opens a store that the caller closes.
func open(tb testing.TB, path string) *Store {
	tb.Helper()
	s, err := Open(tb.Context(), Options{Path: path})
	require.NoError(tb, err)
	return s
}

// fresh opens a store of its own for a test.
func fresh(tb testing.TB, opts Options) *Store {
	tb.Helper()
	opts.Path = emptyFile(tb, "susul.db")
	s, err := Open(tb.Context(), opts)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return s
}

func TestMigratingTwiceAppliesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "susul.db")
	versions := func() (n int) {
		s := open(t, path)
		require.NoError(t, s.readers.QueryRow(`SELECT COUNT(*) FROM goose_db_version`).Scan(&n))
		require.NoError(t, s.Close())
		return n
	}
	once := versions()
	require.Equal(t, once, versions())
}

func TestNewerSchemaIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "susul.db")
	require.NoError(t, open(t, path).Close())
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	_, err = db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
	require.NoError(t, errors.Join(err, db.Close()))
	_, err = Open(t.Context(), Options{Path: path})
	require.ErrorIs(t, err, ErrSchemaTooNew)
}

func TestOpenReportsAFileThatCannotBe(t *testing.T) {
	_, err := Open(t.Context(), Options{Path: filepath.Join(t.TempDir(), "no such folder", "susul.db")})
	require.Error(t, err)
}

func TestDurabilitySettings(t *testing.T) {
	s := fresh(t, Options{})
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"} {
		got, err := write(t.Context(), s, func(t *tx) (string, error) {
			return first(t.ctx, t, value[string], `PRAGMA `+pragma)
		})
		require.NoError(t, err)
		require.Equal(t, want, got, pragma)
	}
	_, err := s.readers.Exec(`DELETE FROM push`)
	require.Error(t, err, "readers can't write")
}
