package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"

	"susul.dev/susul/server/delivery"
)

// Bounds on the proxy's connections to EngageLab, in real time.
const (
	proxyDialTimeout   = 3 * time.Second
	proxyAnswerTimeout = 30 * time.Second
	proxyIdleTimeout   = 90 * time.Second
	proxyIdlePerHost   = 16
	proxyConnsPerHost  = 128
)

// proxy passes on what Susul has no part in, as it came, to the caller's own data centre.
type proxy struct {
	bases     map[string]*url.URL // by app key
	transport *http.Transport
	reverse   *httputil.ReverseProxy
}

type proxyBaseKey struct{}

type proxyFailureKey struct{}

func newProxy(apps map[string]App, log *slog.Logger) *proxy {
	p := &proxy{
		bases: make(map[string]*url.URL, len(apps)),
		transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: proxyDialTimeout}).DialContext,
			ForceAttemptHTTP2:     true,
			TLSHandshakeTimeout:   proxyDialTimeout,
			ResponseHeaderTimeout: proxyAnswerTimeout,
			IdleConnTimeout:       proxyIdleTimeout,
			MaxIdleConnsPerHost:   proxyIdlePerHost,
			MaxConnsPerHost:       proxyConnsPerHost,
			DisableCompression:    true, // a body goes on in the encoding that the caller asked for
		},
	}
	for key, app := range apps {
		if base, err := url.Parse(app.BaseURL); err == nil { // configuration has checked it
			p.bases[key] = base
		}
	}
	p.reverse = &httputil.ReverseProxy{
		Rewrite:       rewrite,
		Transport:     p.transport,
		FlushInterval: -1, // what has come goes on at once
		ErrorLog:      slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) {
			if failure, ok := r.Context().Value(proxyFailureKey{}).(*error); ok {
				*failure = err
			}
		},
	}
	return p
}

func (p *proxy) close() { p.transport.CloseIdleConnections() }

// rewrite addresses a request to the data centre. Credentials, query and headers stay; hop-by-hop headers are gone
// already, and so is what only Susul understands.
func rewrite(r *httputil.ProxyRequest) {
	base, _ := r.In.Context().Value(proxyBaseKey{}).(*url.URL)
	r.SetURL(base)
	r.Out.URL.RawQuery = r.In.URL.RawQuery // as it was written, whatever Go thinks of it
	r.Out.Header.Del(policyHeader)
}

// serve passes a request on. An error means that nothing was answered yet.
func (p *proxy) serve(w http.ResponseWriter, r *http.Request, app string) error {
	var failure error
	answer := w
	if own, ok := w.(statusHeaders); ok {
		answer = own.ResponseWriter // EngageLab's headers are its own
	}
	ctx := context.WithValue(r.Context(), proxyBaseKey{}, p.bases[app])
	ctx = context.WithValue(ctx, proxyFailureKey{}, &failure)
	p.reverse.ServeHTTP(answer, r.WithContext(ctx))
	switch {
	case failure == nil:
		return nil
	case r.Context().Err() != nil:
		return r.Context().Err()
	default:
		return fmt.Errorf("%w: %w", delivery.ErrEngageLabUnavailable, failure)
	}
}

// serveElsewhere streams a call that is not Susul's to the app's data centre.
func (a *API) serveElsewhere(w http.ResponseWriter, r *http.Request) error {
	caller, err := a.auth.authenticate(r.Header.Get("Authorization"))
	if err != nil {
		return err
	}
	if err := needsApp(caller); err != nil {
		return err
	}
	return a.proxy.serve(w, r, caller.app)
}

// passOn lets EngageLab answer a call whose body was read already.
func (a *API) passOn(w http.ResponseWriter, call v4Call) error {
	r := call.Request
	r.Body = io.NopCloser(bytes.NewReader(call.body))
	r.ContentLength = int64(len(call.body))
	return a.proxy.serve(w, r, call.app)
}
