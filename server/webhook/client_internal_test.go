package webhook

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Whatever a header says, nobody is asked to wait for less than nothing or beyond what a duration holds.
func FuzzRetryAfter(f *testing.F) {
	for _, value := range []string{"", "120", "-1", "99999999999999999999", "Wed, 21 Oct 2015 07:28:00 GMT", "Mon, 01 Jan 0001 00:00:00 GMT"} {
		f.Add(value, "Wed, 21 Oct 2015 07:27:00 GMT", int64(0))
		f.Add(value, "", int64(1<<62))
	}
	f.Fuzz(func(t *testing.T, value, date string, now int64) {
		header := http.Header{"Retry-After": {value}, "Date": {date}}
		require.GreaterOrEqual(t, retryAfter(header, time.Unix(now, 0)), time.Duration(0))
	})
}
