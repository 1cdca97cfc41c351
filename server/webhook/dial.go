package webhook

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"time"

	"code.dny.dev/ssrf"
)

// What connections may take, in real time.
const (
	dialTimeout = 5 * time.Second // with the look-up of the host
	tlsTimeout  = 5 * time.Second
	idleTimeout = 90 * time.Second
	// pingAfter and pingTimeout find HTTP/2 connections whose other end is gone.
	pingAfter   = 15 * time.Second
	pingTimeout = 5 * time.Second
)

// How many connections there may be, and how large an answer's headers.
const (
	maxConnsPerHost     = 512 // hosts of many endpoints have them, and what hangs must leave some to the others
	maxIdleConnsPerHost = 64
	maxIdleConns        = 512
	maxHeaderBytes      = 64 << 10
)

// platformAddresses are public and yet answered by the machine's own cloud: Azure's, where its agent gets secrets from.
var platformAddresses = []netip.Prefix{netip.MustParsePrefix("168.63.129.16/32")}

// newDialer returns a dialer that, unless private networks are allowed, connects to public addresses only. It looks at the address
// that a connection is about to be made to, so it does not matter what a name resolved to before.
func newDialer(o Options) *net.Dialer {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second, Resolver: o.Resolver}
	if !o.AllowPrivateNetworks {
		dialer.Control = ssrf.New(ssrf.WithAnyPort(), ssrf.WithDeniedV4Prefixes(platformAddresses...)).Safe
	}
	return dialer
}

func newTransport(o Options) *http.Transport {
	return &http.Transport{
		Proxy:                  nil, // a proxy would resolve and connect unchecked
		DialContext:            newDialer(o).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs},
		TLSHandshakeTimeout:    tlsTimeout,
		DisableCompression:     true, // nothing is worth it, and what is read must be what came
		MaxConnsPerHost:        maxConnsPerHost,
		MaxIdleConns:           maxIdleConns,
		MaxIdleConnsPerHost:    maxIdleConnsPerHost,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
	}
}
