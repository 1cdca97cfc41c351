package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/forward"
	"susul.dev/susul/storage"
	"susul.dev/susul/storage/postgres/postgrestest"
	"susul.dev/susul/storage/sqlite"
)

// movedRecipients is how many recipients the push has that is moved: several slices of them.
const movedRecipients = 260_000

// largeFile stores a large push as a server does, in a data directory.
func largeFile(t *testing.T) (dataDir string) {
	t.Helper()
	ctx := context.Background()
	dataDir = t.TempDir()
	store, err := sqlite.Open(ctx, sqlite.Options{Path: filepath.Join(dataDir, "susul.db")})
	require.NoError(t, err)
	require.NoError(t, store.Lead(ctx, 1))
	ids := make([]string, movedRecipients)
	for i := range ids {
		ids[i] = fmt.Sprintf("%019x", i)
	}
	now := time.Now()
	_, _, err = store.CreatePush(ctx, storage.PushDraft{
		Push: storage.Push{ID: 7, App: testApp, Listed: true, CreateTime: now, TimeToLive: time.Hour, Document: []byte(`{}`)}, Recipients: ids,
		Dispatches: []storage.DispatchDraft{{Recipients: []uint32{0}, DueTime: now, ExpireTime: now.Add(time.Hour)}},
	})
	require.NoError(t, err)
	require.NoError(t, store.Close())
	return dataDir
}

// migrateArgs are a move of what a data directory has.
func migrateArgs(t *testing.T, dataDir string) []string {
	t.Helper()
	return []string{"migrate-storage", "--from", "sqlite", "--to", "postgres", "--config",
		writeSettings(t, baseSettings(dataDir, "http://127.0.0.1:1"))}
}

// A move that is killed again and again, as a power cut would, is gone on with, and in the end complete. No node works with what is not.
func TestAMoveToPostgreSQLSurvivesKills(t *testing.T) {
	server := postgrestest.Shared(t)
	dsn := server.Database(t)
	dataDir := largeFile(t)
	env := []string{"SUSUL_MIGRATE_TO_DSN=" + dsn}
	for least := int64(1); least < movedRecipients; least += 100_000 {
		move := launch(t, env, migrateArgs(t, dataDir)...)
		eventually(t, "it copies more", func() bool { return rowsCopied(t, dsn) >= least })
		move.crash()
	}
	settings := baseSettings(t.TempDir(), "http://127.0.0.1:1")
	settings["storage"] = map[string]any{"driver": "postgres", "dsn": dsn}
	node := launch(t, nil, "serve", "--config", writeSettings(t, settings))
	require.Equal(t, 1, node.exitCode(t, patience))
	require.Contains(t, node.stderr.String(), "a migration left the database incomplete")

	move := launch(t, env, migrateArgs(t, dataDir)...)
	require.Equal(t, 0, move.exitCode(t, patience))
	require.Contains(t, move.stderr.String(), "copying ")
	require.Contains(t, move.stderr.String(), "verifying ")
	for _, want := range []string{"260,000  recipient\n", "storage.driver: postgres", "storage.dsn: " + filepath.Join(dataDir, "susul.db")} {
		require.Contains(t, move.stdout.String(), want)
	}
	require.Equal(t, int64(movedRecipients), rowsCopied(t, dsn))

	again := launch(t, env, migrateArgs(t, dataDir)...)
	require.Equal(t, 0, again.exitCode(t, patience))
	require.Contains(t, again.stdout.String(), "there is nothing to do")
}

// rowsCopied is how many recipients are durable in the target.
func rowsCopied(t *testing.T, dsn string) (rows int64) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, dsn)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(ctx)) }()
	var there bool
	require.NoError(t, conn.QueryRow(ctx, `SELECT to_regclass('migration_table') IS NOT NULL`).Scan(&there))
	if there {
		require.NoError(t, conn.QueryRow(ctx, `SELECT coalesce(sum(rows), 0) FROM migration_table WHERE name = 'recipient'`).Scan(&rows))
	}
	return rows
}

// A move says everything that is wrong with its arguments at once, tells no password, and keeps off a server's data directory.
func TestAMoveToPostgreSQLRefuses(t *testing.T) {
	dataDir := t.TempDir()
	file := filepath.Join(dataDir, "susul.db")
	require.NoError(t, os.WriteFile(file, []byte("this is no database"), 0o600))
	config := writeSettings(t, baseSettings(dataDir, "http://127.0.0.1:1"))
	refused := func(env []string, args ...string) string {
		t.Helper()
		move := launch(t, env, append([]string{"migrate-storage"}, args...)...)
		require.Equal(t, 1, move.exitCode(t, patience))
		require.NotContains(t, move.stderr.String(), "hunter2")
		require.Empty(t, move.stdout.String())
		return move.stderr.String()
	}
	text := refused(nil, "--from", "postgres", "--to", "sqlite", "--from-dsn", "/nowhere.db", "--config", config+"?")
	for _, want := range []string{"--from: must be sqlite", "--to: must be postgres", "--from-dsn: there is no file /nowhere.db", "cannot be read",
		"--to-dsn: is missing"} {
		require.Contains(t, text, want)
	}
	sure := []string{"--from", "sqlite", "--to", "postgres", "--config", config}
	text = refused([]string{"SUSUL_MIGRATE_TO_DSN=postgres://u:hunter2@h:port/x"}, sure...)
	require.Contains(t, text, "SUSUL_MIGRATE_TO_DSN: this is no PostgreSQL connection string or URL")

	lock := flock.New(filepath.Join(dataDir, "lock"))
	require.NoError(t, lock.Lock())
	nowhere := []string{"SUSUL_MIGRATE_TO_DSN=postgres://u:hunter2@127.0.0.1:1/x"}
	require.Contains(t, refused(nowhere, sure...), "a server works in "+dataDir+": stop all nodes first")
	leader := forward.NewPeer("127.0.0.1:7070")
	require.NoError(t, os.WriteFile(filepath.Join(dataDir, "leader"), []byte(leader.Encode()), 0o600))
	text = refused(nowhere, sure...)
	require.Contains(t, text, "a server works in "+dataDir+" (gRPC at 127.0.0.1:7070): stop all nodes first")
	require.NotContains(t, text, leader.Token)
	require.NoError(t, lock.Unlock())
	require.Contains(t, refused(nowhere, sure...), "open the target: ")
	require.Contains(t, refused([]string{"SUSUL_MIGRATE_TO_DSN=" + postgrestest.Shared(t).Database(t)}, sure...), "open the source: ")
}

// A server may work with a file that is not in the data directory which the command is told of.
func TestAMoveToPostgreSQLKeepsOffAFileThatIsInUse(t *testing.T) {
	dsn := postgrestest.Shared(t).Database(t)
	settings := baseSettings(t.TempDir(), "http://127.0.0.1:1")
	file := filepath.Join(t.TempDir(), "elsewhere.db")
	settings["storage"] = map[string]any{"dsn": file}
	at := serve(t, "--config", writeSettings(t, settings))
	at.awaitReady(t)
	args := append(migrateArgs(t, t.TempDir()), "--from-dsn", file)
	env := []string{"SUSUL_MIGRATE_TO_DSN=" + dsn}
	early := launch(t, env, args...)
	require.Equal(t, 1, early.exitCode(t, patience), "%s", early.stdout.String())
	require.Contains(t, early.stderr.String(), "somebody works with "+file+": stop all nodes first")
	require.Empty(t, early.stdout.String())

	at.crash()
	move := launch(t, env, args...)
	require.Equal(t, 0, move.exitCode(t, patience), "%s", move.stderr.String())
}
