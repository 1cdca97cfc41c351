package webhook

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// What is done with an answer's body.
const (
	maxKept    = 1 << 10  // bytes that are told
	maxDrained = 64 << 10 // bytes that are read, so that the connection can be used again
	// bodyTimeout is how long the body is waited for, in real time. The status has said all that matters.
	bodyTimeout = time.Second
)

// DefaultTimeout is how long a post may take if nothing else is said.
const DefaultTimeout = 15 * time.Second

// Options are what a Client needs. The zero Options go to public addresses.
type Options struct {
	// AllowPrivateNetworks lets posts go to addresses that are not public, too.
	AllowPrivateNetworks bool
	// Timeout bounds a post from the look-up of the host to the answer, in real time. Default DefaultTimeout.
	Timeout time.Duration
	// Resolver looks hosts up. Default: the system's.
	Resolver *net.Resolver
	// RootCAs are whom certificates are trusted from. Default: the system's.
	RootCAs *x509.CertPool
}

// Client posts documents. It goes to no address that is not public, follows no redirects, uses no proxy, and reads little of what is
// answered. It is safe for concurrent use.
type Client struct {
	timeout   time.Duration
	transport *http.Transport
}

// NewClient returns a Client; it does no I/O yet.
func NewClient(o Options) *Client {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	return &Client{timeout: o.Timeout, transport: newTransport(o)}
}

// Close closes idle connections. Posts under way end as they would have.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Request is what is posted, where to, and how it is signed.
type Request struct {
	URL  string
	ID   string    // the webhook-id: the same for a request that is repeated
	Time time.Time // of signing, real time
	Body []byte    // JSON. It must not change any more: what broke off may still read it.
	// Username is the name in X-CALLBACK-ID: no semicolon, no control characters. Default: subscription.DefaultUsername.
	Username string
	Secrets  []string // newest first; none: not signed
}

// Result is what a post met.
type Result struct {
	Status int // 0 without an answer
	// RetryAfter is how long a failed answer asks to be left alone, as it was said; 0 for none.
	RetryAfter time.Duration
	Duration   time.Duration // real time
	Body       []byte        // the beginning of the answer's, up to 1 KiB, UTF-8
	Err        error         // an *Error; nil for 2xx
}

// Post posts once. An answer counts by its status, whatever becomes of its body.
func (c *Client) Post(ctx context.Context, r Request) Result {
	start := time.Now() //nolint:forbidigo // times a network
	result := c.post(ctx, &r)
	result.Duration = time.Since(start) //nolint:forbidigo // times a network
	return result
}

func (c *Client) post(ctx context.Context, r *Request) Result {
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	request, err := newRequest(limited, r)
	if err != nil {
		return Result{Err: err}
	}
	response, err := c.transport.RoundTrip(request) // and not an http.Client, which has ideas about redirects and users
	if err != nil {
		return Result{Err: cause(ctx, limited, err, c.timeout)}
	}
	defer func() { _ = response.Body.Close() }()
	result := Result{Status: response.StatusCode, Err: statusError(response.StatusCode)}
	if response.StatusCode != http.StatusSwitchingProtocols { // then the body is the bare connection, which cancel does not end
		late := time.AfterFunc(bodyTimeout, cancel) //nolint:forbidigo // times a network
		defer late.Stop()
		result.Body = beginning(response.Body)
	}
	if result.Err != nil {
		result.RetryAfter = retryAfter(response.Header, time.Now()) //nolint:forbidigo // times a network
	}
	return result
}

func newRequest(ctx context.Context, r *Request) (*http.Request, error) {
	target, err := url.Parse(r.URL)
	switch {
	case err != nil, target.Hostname() == "", target.Scheme != "http" && target.Scheme != "https":
		return nil, failed(InvalidRequest, "not an http or https URL")
	case target.User != nil:
		return nil, failed(InvalidRequest, "the URL holds a user name or password")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return nil, failed(InvalidRequest, "not an http or https URL")
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "Susul")
	// No such header is sent. It tells net/http that a request may be repeated: on an idle connection that the receiver closed
	// just then, which is no failure of the receiver's.
	request.Header["Idempotency-Key"] = []string{}
	sign(request.Header, r)
	return request, nil
}

// beginning reads a body, as far as it is worth it, and returns its beginning.
func beginning(body io.Reader) []byte {
	kept, err := io.ReadAll(io.LimitReader(body, maxKept))
	if err == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(body, maxDrained-maxKept))
	}
	return bytes.ToValidUTF8(kept, nil)
}

// retryAfter reads how long an answer asks to be left alone. A date counts by the answerer's own clock, if it tells it.
func retryAfter(header http.Header, now time.Time) time.Duration {
	const most = 1 << 32 // seconds; a century is as good as what does not fit
	value := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(seconds, most)) * time.Second
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		now = date
	}
	return max(until.Sub(now), 0)
}
