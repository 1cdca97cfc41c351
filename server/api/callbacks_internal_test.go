package api

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jonboulle/clockwork"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// TestCallbacksBeyondWhatCanBeStoredAreRefusedAtOnce takes all places, as requests would that are being stored.
func TestCallbacksBeyondWhatCanBeStoredAreRefusedAtOnce(t *testing.T) {
	a := New(Options{
		Backend: func() (Backend, error) { return Backend{}, nil }, Apps: map[string]App{"app": {}},
		Callbacks: CallbackRules{Clock: clockwork.NewRealClock()},
		Logger:    slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry(),
	})
	defer a.Close()
	handler := a.withHTTPRecovery(callbackFault, a.serveCallbacks)
	post := func() *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/v1/apps/app/callbacks", strings.NewReader(`{"echostr":"1"}`))
		r.SetPathValue("app_key", "app")
		w := httptest.NewRecorder()
		handler.ServeHTTP(statusHeaders{w}, r)
		return w
	}
	require.True(t, a.callbacksAtWork.TryAcquire(maxCallbacksAtWork))
	refused := post()
	require.Equal(t, http.StatusServiceUnavailable, refused.Code)
	require.Equal(t, "1", refused.Header().Get("Retry-After"))
	require.Contains(t, refused.Body.String(), `"code":2002`)
	a.callbacksAtWork.Release(maxCallbacksAtWork)
	require.Equal(t, "1", post().Body.String(), "the place is free again")
	require.Equal(t, "1", post().Body.String())
}
