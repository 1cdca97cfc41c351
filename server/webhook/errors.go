package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
	"golang.org/x/net/http2"
)

// Kind says at what a post failed.
type Kind string

// The kinds.
const (
	InvalidRequest   Kind = "invalid_request"   // the URL is none that is posted to
	RefusedAddress   Kind = "refused_address"   // the host's address is not public
	LookupFailed     Kind = "lookup_failed"     // the host has no address
	Unreachable      Kind = "unreachable"       // no connection: refused, no way to the host, or none in time
	ConnectionFailed Kind = "connection_failed" // a connection was reset, or closed before an answer
	TLSFailed        Kind = "tls_failed"        // no agreement, or a certificate that proves nothing
	TimedOut         Kind = "timed_out"
	UnreadableAnswer Kind = "unreadable_answer" // no HTTP, or headers that are too large
	Redirected       Kind = "redirected"        // 3xx
	BadStatus        Kind = "bad_status"        // any other status that is not 2xx
	Stopped          Kind = "stopped"           // the context ended
)

// Error says why a post failed. Its text is fit for users: it has neither the URL nor what a secret could be in.
type Error struct {
	Kind Kind
	text string
}

// Error returns one sentence without an end.
func (e *Error) Error() string { return e.text }

func failed(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, text: fmt.Sprintf(format, args...)}
}

// statusError returns what an answer's status means, nil for success.
func statusError(status int) error {
	text := strings.TrimSpace(fmt.Sprintf("HTTP %d %s", status, http.StatusText(status)))
	switch status / 100 {
	case 2:
		return nil
	case 3:
		return failed(Redirected, "%s: redirects are not followed", text)
	default:
		return failed(BadStatus, "%s", text)
	}
}

// cause turns what a round trip failed with into an Error. ctx is the caller's context, limited what the timeout made of it.
func cause(ctx, limited context.Context, err error, timeout time.Duration) *Error {
	switch {
	case errors.Is(err, ssrf.ErrProhibitedIP), errors.Is(err, ssrf.ErrProhibitedNetwork), errors.Is(err, ssrf.ErrInvalidHostPort):
		return failed(RefusedAddress, "the host's address is not public, and relay.allow_private_networks is false")
	case ctx.Err() != nil:
		return failed(Stopped, "stopped before there was an answer")
	case limited.Err() != nil: // a dial's own time-out says that it is a deadline's, too
		return failed(TimedOut, "no answer within %s", timeout)
	}
	for _, find := range []func(error) *Error{lookupError, tlsError, timeoutError, connectionError} {
		if found := find(err); found != nil {
			return found
		}
	}
	return failed(UnreadableAnswer, "the answer is not HTTP, or its headers are larger than %d KiB", maxHeaderBytes>>10)
}

func lookupError(err error) *Error {
	var dns *net.DNSError
	switch {
	case !errors.As(err, &dns):
		return nil
	case dns.IsNotFound:
		return failed(LookupFailed, "no address is known for the host")
	default:
		return failed(LookupFailed, "the host's address could not be looked up")
	}
}

func tlsError(err error) *Error {
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return failed(TLSFailed, "TLS: the certificate is signed by nobody who is trusted")
	case errors.As(err, new(x509.HostnameError)):
		return failed(TLSFailed, "TLS: the certificate is not the host's")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return failed(TLSFailed, "TLS: the certificate has expired, or is not valid yet")
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return failed(TLSFailed, "TLS: the certificate is not valid")
	case errors.As(err, new(tls.RecordHeaderError)):
		return failed(TLSFailed, "TLS: the host speaks something else")
	case strings.Contains(err.Error(), "tls: "): // an alert, and what else has no type
		return failed(TLSFailed, "TLS: no agreement with the host")
	default:
		return nil
	}
}

func timeoutError(err error) *Error {
	var timeout net.Error
	var dialled *net.OpError
	switch {
	case !errors.As(err, &timeout) || !timeout.Timeout():
		return nil
	case errors.As(err, &dialled) && dialled.Op == "dial":
		return failed(Unreachable, "no connection within %s", dialTimeout)
	case strings.Contains(err.Error(), "TLS handshake"): // it has no type
		return failed(TimedOut, "no TLS handshake within %s", tlsTimeout)
	default:
		return failed(TimedOut, "the connection timed out")
	}
}

func connectionError(err error) *Error {
	var number syscall.Errno
	var dialled *net.OpError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return failed(Unreachable, "connection refused")
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.As(err, new(http2.StreamError)):
		return failed(ConnectionFailed, "connection reset before there was an answer")
	case errors.As(err, &dialled) && dialled.Op == "dial" && errors.As(err, &number):
		return failed(Unreachable, "no connection: %s", number.Error())
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), lostHTTP2(err):
		return failed(ConnectionFailed, "connection closed before there was an answer")
	case errors.As(err, &number):
		return failed(ConnectionFailed, "no connection: %s", number.Error())
	case errors.As(err, new(*net.OpError)):
		return failed(ConnectionFailed, "no connection")
	default:
		return nil
	}
}

// lostHTTP2 reports whether an HTTP/2 connection ended. Such errors have no type; of the texts one is about the answer.
func lostHTTP2(err error) bool {
	text := err.Error()
	return strings.HasPrefix(text, "http2: ") && !strings.Contains(text, "header list")
}
