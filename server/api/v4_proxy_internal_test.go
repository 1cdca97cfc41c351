package api

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// An upload may outlast the server's time-out, which here is over before the body begins.
func TestAPatientBodyOutlastsTheReadTimeout(t *testing.T) {
	for patient, want := range map[bool]string{false: "", true: "late"} {
		started, arrived := make(chan struct{}), make(chan string, 1)
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body := r.Body
			if patient {
				body = patientBody{r.Body, http.NewResponseController(w)}
			}
			close(started)
			text, _ := io.ReadAll(body)
			arrived <- string(text)
		}))
		server.Config.ReadHeaderTimeout, server.Config.ReadTimeout = time.Minute, time.Nanosecond
		server.Start()
		reader, writer := io.Pipe()
		go func() {
			<-started
			_, _ = io.WriteString(writer, "late")
			_ = writer.Close()
		}()
		resp, err := server.Client().Post(server.URL, "text/plain", reader)
		if err == nil {
			require.NoError(t, resp.Body.Close())
		}
		require.Equal(t, want, <-arrived)
		server.Close()
	}
}
