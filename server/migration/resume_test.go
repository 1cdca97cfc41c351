package migration

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage/postgres"
	"susul.dev/susul/storage/postgres/postgrestest"
	"susul.dev/susul/storage/transfer"
)

var errKilled = errors.New("killed")

// mortal is a target that dies once it has stored so many slices: before it stores the next, or after; or else at a later moment.
type mortal struct {
	Target
	slices   int
	before   bool
	finish   func(context.Context) error // nil: the target's
	complete func(context.Context) error // likewise
	stored   int
}

func (m *mortal) Store(ctx context.Context, table *transfer.Table, place string, slice transfer.Slice) error {
	if m.stored == m.slices && m.before {
		return errKilled
	}
	if err := m.Target.Store(ctx, table, place, slice); err != nil {
		return err
	}
	if m.stored++; m.stored == m.slices && !m.before {
		return errKilled
	}
	return nil
}

func (m *mortal) Finish(ctx context.Context) error {
	if err := m.Target.Finish(ctx); err != nil || m.finish == nil {
		return err
	}
	return m.finish(ctx)
}

func (m *mortal) Complete(ctx context.Context) error {
	if m.complete == nil {
		return m.Target.Complete(ctx)
	}
	return m.complete(ctx)
}

func dies(context.Context) error { return errKilled }

// runMortal runs a migration that may die.
func runMortal(t *testing.T, source Source, dsn string, m *mortal) (Summary, error) {
	t.Helper()
	target := openTarget(t, dsn)
	defer func() { require.NoError(t, target.Close()) }()
	m.Target = target
	return Run(t.Context(), Options{Source: source, Target: m, SliceRows: 100})
}

// A migration that is killed at every border between two slices, and at every later moment, copies each row once.
func TestAMigrationGoesOnWhereItWasKilled(t *testing.T) {
	server := postgrestest.Shared(t)
	source := openSource(t, filledFile(t, 1, 60))
	dsn := server.Database(t)
	runs := 0
	for ; ; runs++ {
		require.Less(t, runs, 1000)
		_, err := runMortal(t, source, dsn, &mortal{slices: 1, before: runs%2 == 1, finish: dies})
		require.ErrorIs(t, err, errKilled)
		requireIncomplete(t, dsn)
		if copied(t, dsn) {
			break
		}
	}
	require.Greater(t, runs, len(transfer.Tables))
	for _, m := range []*mortal{{slices: -1, finish: dies}, {slices: -1, complete: dies}} {
		_, err := runMortal(t, source, dsn, m)
		require.ErrorIs(t, err, errKilled)
		requireIncomplete(t, dsn)
	}
	summary, err := runMortal(t, source, dsn, &mortal{slices: -1})
	require.NoError(t, err)
	require.True(t, summary.Resumed)
	require.Zero(t, summary.Copied)
	store, err := postgres.Open(t.Context(), postgres.Options{DSN: dsn})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	requireSame(t, source, store)
}

// copied reports whether all tables are done.
func copied(t *testing.T, dsn string) (all bool) {
	t.Helper()
	query(t, dsn, `SELECT NOT EXISTS (SELECT FROM migration_table WHERE place IS NOT NULL)`, &all)
	return all
}

func query(t *testing.T, dsn, text string, to any) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(context.Background())) }()
	require.NoError(t, conn.QueryRow(t.Context(), text).Scan(to))
}

// requireIncomplete requires that no node works with the database.
func requireIncomplete(t *testing.T, dsn string) {
	t.Helper()
	_, err := postgres.Open(t.Context(), postgres.Options{DSN: dsn})
	require.ErrorIs(t, err, postgres.ErrIncomplete)
}

// Nodes and migrations keep off each other, and what is in a database already is not mixed with what is brought.
func TestATargetBelongsToOneMigration(t *testing.T) {
	server := postgrestest.Shared(t)
	path := filledFile(t, 8, 5)

	dsn := server.Database(t)
	node, err := postgres.Open(t.Context(), postgres.Options{DSN: dsn})
	require.NoError(t, err)
	_, err = postgres.OpenImport(t.Context(), postgres.Options{DSN: dsn})
	require.ErrorIs(t, err, transfer.ErrInUse)
	require.NoError(t, node.Lead(t.Context(), 1))
	require.NoError(t, node.Close())
	source := openSource(t, path)
	_, err = migrate(t, source, dsn)
	require.ErrorIs(t, err, transfer.ErrNotEmpty)

	dsn = server.Database(t)
	target := openTarget(t, dsn)
	_, err = postgres.Open(t.Context(), postgres.Options{DSN: dsn})
	require.ErrorIs(t, err, postgres.ErrMigrating)
	_, err = postgres.OpenImport(t.Context(), postgres.Options{DSN: dsn})
	require.ErrorIs(t, err, transfer.ErrInUse)
	require.NoError(t, target.Close())

	_, err = runMortal(t, source, dsn, &mortal{slices: 3})
	require.ErrorIs(t, err, errKilled)
	_, err = migrate(t, openSource(t, filledFile(t, 9, 5)), dsn)
	require.ErrorIs(t, err, transfer.ErrOtherSource)
	// A server that works with the source again makes it another one, though it stores nothing.
	again := openSQLite(t, path)
	require.NoError(t, again.Lead(t.Context(), 4))
	require.NoError(t, again.Close())
	changed := openSource(t, path)
	_, err = migrate(t, changed, dsn)
	require.ErrorIs(t, err, transfer.ErrOtherSource)
}

// To open and copy a source changes nothing that tells it from others: it can be opened again, and be gone on with.
func TestTheSourceStaysAsItIs(t *testing.T) {
	path := filledFile(t, 10, 20)
	first := openSource(t, path).Source()
	require.Equal(t, first, openSource(t, path).Source())
	store := openSQLite(t, path)
	defer func() { require.NoError(t, store.Close()) }()
	term, err := store.Term(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(3), term)
	last, err := store.LastSequence(t.Context())
	require.NoError(t, err)
	require.Equal(t, first.Sequence, last)
	require.Positive(t, last)
}
