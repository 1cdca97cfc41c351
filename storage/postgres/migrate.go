package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// ErrSchemaTooNew says that a newer version of the program has changed the database.
var ErrSchemaTooNew = errors.New("the database's schema is newer than this program")

//go:embed migrations/*.sql
var migrations embed.FS

// migrate applies the migrations that the database does not have yet. Nodes that start together take turns.
func migrate(ctx context.Context, pool *pgxpool.Pool, logger *slog.Logger) (err error) {
	db := stdlib.OpenDBFromPool(pool)
	defer func() { err = errors.Join(err, db.Close()) }()
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	turns, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithDisableGlobalRegistry(true), goose.WithSessionLocker(turns))
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if current > target {
		return fmt.Errorf("%w: it has version %d, this program knows %d", ErrSchemaTooNew, current, target)
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
