package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
)

func TestWhatKeepsPostgreSQLFromWorkingIsUnavailable(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]bool{
		"08006": true,  // the connection failed
		"25006": true,  // it is read-only
		"40001": true,  // undone once too often
		"53100": true,  // the disk is full
		"53300": true,  // too many connections
		"55P03": true,  // a lock was not free in time
		"57P01": true,  // it is shut down
		"57P03": true,  // it starts
		"58030": true,  // the disk fails
		"22021": false, // a text is none
		"23505": false, // something is there already
		"42P01": false, // a table is missing
	} {
		fault := fmt.Errorf("store it: %w", &pgconn.PgError{Code: code})
		got := unavailable(fault)
		require.Equal(t, want, errors.Is(got, storage.ErrUnavailable), code)
		require.ErrorIs(t, got, fault, "the cause is kept")
	}
	require.ErrorIs(t, unavailable(io.ErrUnexpectedEOF), storage.ErrUnavailable)
	require.NotErrorIs(t, unavailable(context.DeadlineExceeded), storage.ErrUnavailable, "it is the caller's")
	require.NotErrorIs(t, unavailable(storage.ErrConflict), storage.ErrUnavailable)
	require.NoError(t, unavailable(nil))
}
