package webhook

import (
	"net/http"
	"testing"
	"time"
)

func BenchmarkSign(b *testing.B) {
	r := Request{ID: "whk-1", Time: time.Now(), Body: make([]byte, 80<<10), Secrets: []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}
	b.ReportAllocs()
	b.SetBytes(int64(len(r.Body)))
	for b.Loop() {
		sign(http.Header{}, &r)
	}
}
