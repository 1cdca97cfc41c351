package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
)

// Whatever becomes of a call, only success may look like it: EngageLab forgets rows that got their 200.
func TestNoFailureLooksLikeSuccess(t *testing.T) {
	quiet := &API{log: slog.New(slog.DiscardHandler)}
	for name, c := range map[string]struct {
		handle httpHandler
		status int
	}{
		"success": {func(http.ResponseWriter, *http.Request) error { return nil }, http.StatusOK},
		"cancelled by Susul itself": {
			func(http.ResponseWriter, *http.Request) error { return fmt.Errorf("store: %w", context.Canceled) }, 499,
		},
		"out of time": {
			func(http.ResponseWriter, *http.Request) error { return context.DeadlineExceeded }, http.StatusGatewayTimeout,
		},
		"store is busy": {
			func(http.ResponseWriter, *http.Request) error { return storage.ErrUnavailable }, http.StatusServiceUnavailable,
		},
		"EngageLab's answer has no status": {
			func(http.ResponseWriter, *http.Request) error { return refusedFault(storage.Refusal{Message: "x"}) }, http.StatusBadRequest,
		},
		"body breaks off": {
			func(http.ResponseWriter, *http.Request) error { return bodyFault(io.ErrUnexpectedEOF) }, http.StatusBadRequest,
		},
		"foreseen by nobody": {
			func(http.ResponseWriter, *http.Request) error { return errors.New("secret") }, http.StatusInternalServerError,
		},
		"panic": {
			func(http.ResponseWriter, *http.Request) error { panic("secret") }, http.StatusInternalServerError,
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, write := range []faultWriter{v4Fault, callbackFault} {
				w := httptest.NewRecorder()
				quiet.withHTTPRecovery(write, c.handle).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v4/push", nil))
				require.Equal(t, c.status, w.Code)
				require.NotContains(t, w.Body.String(), "secret")
			}
		})
	}
}
