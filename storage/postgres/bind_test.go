package postgres_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/postgres"
)

// Nodes that are elected elsewhere are kept out, until somebody hands the database over; then their terms follow the last.
func TestADatabaseBelongsToOneElection(t *testing.T) {
	t.Parallel()
	dsn := emptyDatabase(t)
	one, other := open(t, dsn), open(t, dsn)
	defer func() { require.NoError(t, one.Close()); require.NoError(t, other.Close()) }()
	bind := func(s *postgres.Store, election string) int64 {
		base, err := s.Bind(t.Context(), election)
		require.NoError(t, err)
		return base
	}
	require.Zero(t, bind(one, "here"))
	require.Zero(t, bind(other, "here"))
	require.NoError(t, one.Lead(t.Context(), 5000))
	_, err := other.Bind(t.Context(), "elsewhere")
	require.ErrorIs(t, err, postgres.ErrOtherElection)
	require.NotErrorIs(t, err, storage.ErrUnavailable, "it is nothing to wait for")
	require.Zero(t, bind(other, "here"), "nothing has changed")

	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(context.WithoutCancel(t.Context()))) }()
	_, err = conn.Exec(t.Context(), `UPDATE leadership SET election = ''`)
	require.NoError(t, err)
	base := bind(other, "elsewhere")
	require.EqualValues(t, 5000, base)
	require.EqualValues(t, 5000, bind(opened(t, dsn), "elsewhere"), "terms go on from there, whoever asks")
	require.NoError(t, other.Lead(t.Context(), base+3))
	require.ErrorIs(t, one.Ping(t.Context()), storage.ErrFenced)
	_, err = one.Bind(t.Context(), "here")
	require.ErrorIs(t, err, postgres.ErrOtherElection)
}

// opened opens a handle that the test's end closes.
func opened(t *testing.T, dsn string) *postgres.Store {
	t.Helper()
	s := open(t, dsn)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}
