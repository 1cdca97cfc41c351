package api_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What Susul has no part in goes to EngageLab and back as it came.
func (w world) TestProxy(t *testing.T) {
	w.unchanged(t)
	var got *http.Request
	var body []byte
	w.engageLab.failWith(func(rw http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		rw.Header()["X-Two"] = []string{"a", "b"}
		rw.Header().Set("X-Hop", "between Susul and EngageLab")
		rw.Header().Set("Connection", "X-Hop")
		rw.Header().Set("Content-Type", "text/odd")
		rw.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(rw, "\x00as it is")
	})
	defer w.engageLab.failWith(nil)

	for _, call := range []struct{ method, uri string }{
		{http.MethodGet, "/v4/devices/1507bfd3f9e"},
		{http.MethodPost, "/v4/tags/a%2Fb%20c?platform=android,ios&x=1;y=%E4%BD%A0&x=2&flag"},
		{http.MethodPut, "/v4/schedules/id"},
		{http.MethodDelete, "/v4/aliases/x?platform="},
		{http.MethodPatch, "/v4/anything/new"},
		{http.MethodGet, "/v4/status/plan/msg/?plan_ids=a"},
		{http.MethodGet, "/v4/push"}, // not Susul's with this method
		{http.MethodGet, "/v4/push/withdraw"},
	} {
		resp := w.Do(t, call.method, call.uri, []byte("\xffbody"), "Authorization", asOther, "X-Own", "kept", "Content-Type", "a/b",
			"Connection", "X-Mine", "X-Mine", "between the caller and Susul", "Susul-Resend-Policy", "news", "User-Agent", "sdk/1",
			"X-Forwarded-For", "203.0.113.7", "Keep-Alive", "timeout=5", "Proxy-Authorization", "Basic x", "TE", "gzip")
		require.Equal(t, call.method, got.Method)
		require.Equal(t, call.uri, got.RequestURI)
		require.Equal(t, asOther, got.Header.Get("Authorization"))
		require.Equal(t, "kept", got.Header.Get("X-Own"))
		require.Equal(t, "sdk/1", got.UserAgent())
		require.Equal(t, "a/b", got.Header.Get("Content-Type"))
		require.Equal(t, []string{"203.0.113.7"}, got.Header["X-Forwarded-For"], "the caller's own, with nothing added")
		for _, absent := range []string{"X-Mine", "Susul-Resend-Policy", "X-Forwarded-Host", "Keep-Alive", "Proxy-Authorization", "Te"} {
			require.NotContains(t, got.Header, absent)
		}
		require.Equal(t, "\xffbody", string(body))

		require.Equal(t, http.StatusTeapot, resp.Status)
		require.Equal(t, "\x00as it is", resp.Body)
		require.Equal(t, []string{"a", "b"}, resp.Header["X-Two"])
		require.Equal(t, "text/odd", resp.Header.Get("Content-Type"))
		require.NotContains(t, resp.Header, "X-Hop")
	}
}

// EngageLab's refusals, redirects and encodings stay its own; what it can't answer gets an error in its shape.
func (w world) TestProxyAnswers(t *testing.T) {
	defer w.engageLab.failWith(nil)
	const bare = "as it is"
	get := func(t *testing.T, header, value string, status int) *http.Response {
		t.Helper()
		w.engageLab.failWith(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set(header, value)
			rw.WriteHeader(status)
			_, _ = io.WriteString(rw, bare)
		})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+w.HTTPAddress()+"/v4/tags", http.NoBody)
		require.NoError(t, err)
		req.Header.Set("Authorization", asOther)
		resp, err := (&http.Transport{DisableCompression: true}).RoundTrip(req)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, resp.Body.Close()) })
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, bare, string(text))
		require.Equal(t, status, resp.StatusCode)
		require.Equal(t, value, resp.Header.Get(header))
		return resp
	}
	get(t, "Retry-After", "7", http.StatusTooManyRequests)
	get(t, "WWW-Authenticate", "Basic realm=EngageLab", http.StatusUnauthorized)
	get(t, "Location", "/elsewhere", http.StatusFound)
	get(t, "Content-Encoding", "gzip", http.StatusOK)

	w.engageLab.failWith(down)
	resp := w.Do(t, http.MethodGet, "/v4/tags", nil, "Authorization", asOther)
	require.NotContains(t, requireV4Error(t, resp, http.StatusServiceUnavailable, 21030), "127.0.0.1")
	require.Equal(t, "1", resp.Header.Get("Retry-After"))
}

// A body of any size goes through as it arrives, in both directions; an answer that breaks off is seen to.
func (w world) TestProxyStreams(t *testing.T) {
	defer w.engageLab.failWith(nil)
	payload := make([]byte, 40<<20) // more than Susul would take for itself
	_, _ = rand.Read(payload)
	sum := sha256.Sum256(payload)
	w.engageLab.failWith(func(rw http.ResponseWriter, r *http.Request) {
		hash := sha256.New()
		_, _ = io.Copy(hash, r.Body)
		_, _ = io.WriteString(rw, hex.EncodeToString(hash.Sum(nil)))
	})
	resp := w.Do(t, http.MethodPost, "/v4/images", payload, "Authorization", asOther, "Content-Type", "multipart/form-data; boundary=x")
	require.Equal(t, hex.EncodeToString(sum[:]), resp.Body)

	goOn := make(chan struct{})
	w.engageLab.failWith(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(rw, "first")
		_ = http.NewResponseController(rw).Flush()
		<-goOn
		if r.URL.Path == "/v4/broken" {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(rw, "second")
	})
	read := func(path string) (string, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+w.HTTPAddress()+path, http.NoBody)
		require.NoError(t, err)
		req.Header.Set("Authorization", asOther)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer func() { require.NoError(t, resp.Body.Close()) }()
		first := make([]byte, len("first"))
		_, err = io.ReadFull(resp.Body, first)
		require.NoError(t, err)
		goOn <- struct{}{} // it has not come to an end
		rest, err := io.ReadAll(resp.Body)
		return string(first) + string(rest), err
	}
	whole, err := read("/v4/whole")
	require.NoError(t, err)
	require.Equal(t, "firstsecond", whole)
	_, err = read("/v4/broken")
	require.Error(t, err)
}

// Nothing leaves for EngageLab before the caller is known.
func (w world) TestProxyCallers(t *testing.T) {
	asked := false
	w.engageLab.failWith(func(http.ResponseWriter, *http.Request) { asked = true })
	defer w.engageLab.failWith(nil)
	for _, authorization := range []string{"", "Basic !", strings.Replace(asOther, "Basic ", "Basic x", 1)} {
		resp := w.Do(t, http.MethodGet, "/v4/tags", nil, "Authorization", authorization)
		requireV4Error(t, resp, http.StatusUnauthorized, 21004)
	}
	for _, authorization := range []string{asAdmin, asGroup} {
		resp := w.Do(t, http.MethodGet, "/v4/tags", nil, "Authorization", authorization)
		requireV4Error(t, resp, http.StatusForbidden, 21004)
	}
	require.False(t, asked)
}
