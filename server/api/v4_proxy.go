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
	proxyBodyPause     = time.Minute // a body that stops arriving for so long is given up
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

// forwarded are headers of the caller's that httputil takes away for the sake of those who trust them.
var forwarded = []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"}

// rewrite addresses a request to the data centre. Credentials, query and headers stay; hop-by-hop headers are gone
// already, and so is what only Susul understands.
func rewrite(r *httputil.ProxyRequest) {
	base, _ := r.In.Context().Value(proxyBaseKey{}).(*url.URL)
	r.SetURL(base)
	r.Out.URL.RawQuery = r.In.URL.RawQuery // as it was written, whatever Go thinks of it
	for _, name := range forwarded {       // Susul adds nothing to them, nor takes anything away
		if values, given := r.In.Header[name]; given {
			r.Out.Header[name] = values
		}
	}
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
	r.Body = patientBody{r.Body, http.NewResponseController(w)}
	return a.proxy.serve(w, r, caller.app)
}

// patientBody lets a body take as long as it needs, provided that it goes on arriving.
type patientBody struct {
	io.ReadCloser
	control *http.ResponseController
}

func (b patientBody) Read(p []byte) (int, error) {
	// A connection that knows no deadlines has none to put off. They are real time, as the network is.
	_ = b.control.SetReadDeadline(time.Now().Add(proxyBodyPause)) //nolint:forbidigo // see above
	return b.ReadCloser.Read(p)
}

// passOn lets EngageLab answer a call whose body was read already.
func (a *API) passOn(w http.ResponseWriter, call v4Call) error {
	r := call.Request
	r.Body = io.NopCloser(bytes.NewReader(call.body))
	r.ContentLength = int64(len(call.body))
	return a.proxy.serve(w, r, call.app)
}
