package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/pressly/goose/v3"
)

// ErrSchemaTooNew says that a newer version of the program has written the file.
var ErrSchemaTooNew = errors.New("the database's schema is newer than this program")

//go:embed migrations/*.sql
var migrations embed.FS

// migrate applies the migrations that the file does not have yet.
func migrate(ctx context.Context, db *sql.DB, logger *slog.Logger) error {
	provider, current, target, err := schemaVersions(ctx, db)
	if err != nil {
		return err
	}
	applied, err := provider.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate from version %d to %d: %w", current, target, err)
	}
	for _, m := range applied {
		logger.InfoContext(ctx, "migration applied", "version", m.Source.Version, "took_ms", m.Duration.Milliseconds())
	}
	return nil
}

// schemaVersions returns the version that the file's schema has, and the one that this program knows, which is no older.
func schemaVersions(ctx context.Context, db *sql.DB) (provider *goose.Provider, current, target int64, err error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, 0, 0, err
	}
	provider, err = goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return nil, 0, 0, fmt.Errorf("read the migrations: %w", err)
	}
	current, target, err = provider.GetVersions(ctx)
	if err != nil {
		return nil, 0, 0, fmt.Errorf("read the schema's version: %w", err)
	}
	if current > target {
		return nil, 0, 0, fmt.Errorf("%w: it has version %d, this program knows %d", ErrSchemaTooNew, current, target)
	}
	return provider, current, target, nil
}
