package webhook_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// A proxy is configured from the beginning, and every post that arrives shows that it is not used.
func TestMain(m *testing.M) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		if err := os.Setenv(name, "http://127.0.0.1:1"); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}
