package server_test

import (
	"database/sql"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // the driver

	"susul.dev/susul/server/config"
	"susul.dev/susul/server/servertest"
)

// TestAStoreThatCannotWriteIsToldAndRecovers keeps the store from writing, as a failing disk would: callbacks are refused so
// that EngageLab repeats them, the node is unready, and both pass by themselves.
func TestAStoreThatCannotWriteIsToldAndRecovers(t *testing.T) {
	var path string
	s := servertest.Start(t, servertest.Options{SQLite: true, Configure: func(cfg *config.Config) { path = cfg.Storage.DSN.Reveal() }})
	client := &http.Client{}
	defer client.CloseIdleConnections()
	do := func(method, address, body string) (status int, header http.Header, text string) {
		req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
		require.NoError(t, err)
		resp, err := client.Do(req)
		require.NoError(t, err)
		defer func() { require.NoError(t, resp.Body.Close()) }()
		answer, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, resp.Header, string(answer)
	}
	callbacks := "http://" + s.HTTPAddress() + "/v1/apps/" + servertest.OtherApp + "/callbacks"
	readyz := "http://" + s.OpsAddress() + "/readyz"
	const row = `{"rows":[{"message_id":"1","to":"a","status":{"message_status":"sent"}}]}`
	status, _, _ := do(http.MethodPost, callbacks, row)
	require.Equal(t, http.StatusOK, status)

	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(path)+"?_txlock=immediate&_pragma=busy_timeout(5000)") // the store may be writing
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	lock, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	status, header, text := do(http.MethodPost, callbacks, row)
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.NotEmpty(t, header.Get("Retry-After"))
	require.NotContains(t, text, "locked", "what is internal stays inside")
	status, _, text = do(http.MethodGet, readyz, "")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, text, "storage takes no writes")

	require.NoError(t, lock.Rollback())
	status, _, _ = do(http.MethodPost, callbacks, row)
	require.Equal(t, http.StatusOK, status)
	status, _, text = do(http.MethodGet, readyz, "")
	require.Equal(t, http.StatusOK, status, text)
}
