package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"susul.dev/susul/server/forward"
	"susul.dev/susul/server/migration"
	"susul.dev/susul/storage/postgres"
	"susul.dev/susul/storage/sqlite"
)

type (
	// MigrationProgress is how far a migration came.
	MigrationProgress = migration.Progress
	// MigrationSummary is what a migration did.
	MigrationSummary = migration.Summary
)

// MigrationOptions say what to move where.
type MigrationOptions struct {
	// DataDir is the servers' data directory: none may be at work in it, nor with From, wherever that is.
	DataDir string
	// From is the path of SQLite's database, To how to connect to PostgreSQL's.
	From, To string
	Logger   *slog.Logger            // default: discard
	Progress func(MigrationProgress) // is told how far it came; may be nil
}

// CheckPostgresDSN returns an error, which does not quote it, for what is no connection string or URL.
func CheckPostgresDSN(dsn string) error { return postgres.CheckDSN(dsn) }

// MigrateStorage copies all that a SQLite database holds to a PostgreSQL that is empty, or has what an earlier run copied, and verifies
// it. No server may be at work with either.
func MigrateStorage(ctx context.Context, o MigrationOptions) (summary MigrationSummary, err error) {
	unlock, err := lockForMigration(o.DataDir)
	if err != nil {
		return summary, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	target, err := postgres.OpenImport(ctx, postgres.Options{DSN: o.To, Logger: o.Logger})
	if err != nil {
		return summary, fmt.Errorf("open the target: %w", err)
	}
	defer func() { err = errors.Join(err, target.Close()) }() //nolint:contextcheck // it closes whatever has ended
	switch err := sqlite.RequireUnused(ctx, o.From); {
	case errors.Is(err, sqlite.ErrInUse):
		return summary, fmt.Errorf("somebody works with %s: stop all nodes first", o.From)
	case err != nil:
		return summary, fmt.Errorf("open the source: %w", err)
	}
	source, err := sqlite.OpenExport(ctx, sqlite.Options{Path: o.From, Logger: o.Logger})
	if err != nil {
		return summary, fmt.Errorf("open the source: %w", err)
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	return migration.Run(ctx, migration.Options{Source: source, Target: target, Progress: o.Progress})
}

// lockForMigration takes the lock that a server holds while it works in its data directory.
func lockForMigration(dataDir string) (unlock func() error, err error) {
	if _, err := os.Stat(dataDir); errors.Is(err, fs.ErrNotExist) {
		return func() error { return nil }, nil // nobody works in it
	}
	lock := flock.New(filepath.Join(dataDir, "lock"))
	locked, err := lock.TryLock()
	switch {
	case err != nil:
		return nil, fmt.Errorf("lock data_dir: %w", err)
	case !locked:
		text, _ := os.ReadFile(filepath.Join(dataDir, "leader")) // it has a token in it, too
		if leader, err := forward.ParsePeer(string(text)); err == nil {
			return nil, fmt.Errorf("a server works in %s (gRPC at %s): stop all nodes first", dataDir, leader.GRPC)
		}
		return nil, fmt.Errorf("a server works in %s: stop all nodes first", dataDir)
	}
	return lock.Unlock, nil
}
