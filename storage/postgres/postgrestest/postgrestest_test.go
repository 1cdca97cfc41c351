package postgrestest_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"susul.dev/susul/storage/postgres/postgrestest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDatabasesAreApart(t *testing.T) {
	server := postgrestest.Shared(t)
	t.Cleanup(postgrestest.Stop)
	one, err := pgx.Connect(t.Context(), server.Database(t))
	require.NoError(t, err)
	two, err := pgx.Connect(t.Context(), server.Database(t))
	require.NoError(t, err)
	_, err = one.Exec(t.Context(), "CREATE TABLE mine (n int)")
	require.NoError(t, err)
	_, err = two.Exec(t.Context(), "SELECT n FROM mine")
	require.Error(t, err)
	require.NoError(t, one.Close(t.Context()))
	require.NoError(t, two.Close(t.Context()))
}
