package webhook_test

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/webhook"
)

// notPublic has an address at least of each range that must not be reached.
var notPublic = map[string]string{
	"unspecified":               "0.0.0.0",
	"this network":              "0.1.2.3",
	"private 10":                "10.0.0.1",
	"carrier-grade NAT":         "100.64.0.1",
	"Alibaba's metadata":        "100.100.100.200",
	"loopback":                  "127.0.0.1",
	"loopback's end":            "127.255.255.254",
	"link-local":                "169.254.1.1",
	"metadata":                  "169.254.169.254",
	"ECS metadata":              "169.254.170.2",
	"private 172.16":            "172.16.0.1",
	"private 172.31":            "172.31.255.255",
	"Oracle's metadata":         "192.0.0.192",
	"documentation":             "192.0.2.1",
	"6to4 relays":               "192.88.99.1",
	"private 192.168":           "192.168.1.1",
	"benchmarks":                "198.18.0.1",
	"Azure's platform":          "168.63.129.16",
	"multicast":                 "224.0.0.1",
	"multicast's end":           "239.255.255.255",
	"reserved":                  "240.0.0.1",
	"broadcast":                 "255.255.255.255",
	"unspecified, IPv6":         "::",
	"loopback, IPv6":            "::1",
	"IPv4-compatible":           "::7f00:1",
	"IPv4-mapped loopback":      "::ffff:127.0.0.1",
	"IPv4-mapped metadata":      "::ffff:a9fe:a9fe",
	"IPv4-translated":           "::ffff:0:127.0.0.1",
	"NAT64":                     "64:ff9b::a9fe:a9fe",
	"local NAT64":               "64:ff9b:1::a00:1",
	"discard":                   "100::1",
	"Teredo":                    "2001::1",
	"ORCHID":                    "2001:20::1",
	"documentation, IPv6":       "2001:db8::1",
	"more documentation, IPv6":  "3fff::1",
	"6to4 loopback":             "2002:7f00:1::1",
	"6to4 private":              "2002:a00:1::1",
	"segment routing":           "5f00::1",
	"unique-local fc":           "fc00::1",
	"unique-local fd":           "fd12:3456:789a::1",
	"AWS metadata, IPv6":        "fd00:ec2::254",
	"Google's metadata, IPv6":   "fd20:ce::254",
	"link-local, IPv6":          "fe80::1",
	"link-local with zone":      "fe80::1%25lo",
	"site-local":                "fec0::1",
	"multicast, IPv6":           "ff02::1",
	"multicast, IPv6, reserved": "ff0e::1",
}

func TestAddressesThatAreNotPublicAreRefused(t *testing.T) {
	c := client(t, webhook.Options{})
	for name, address := range notPublic {
		t.Run(name, func(t *testing.T) {
			host := net.JoinHostPort(address, "8443")
			fails(t, c, "http://"+host+"/hook", webhook.RefusedAddress)
			fails(t, c, "https://"+host+"/hook", webhook.RefusedAddress)
		})
	}
}

func TestNamesOfAddressesThatAreNotPublicAreRefused(t *testing.T) {
	answers := map[string][][]string{
		"all.example.com.":     {{"127.0.0.1", "10.0.0.1", "::1", "fd00::1"}},
		"mapped.example.com.":  {{"::ffff:127.0.0.1"}},
		"private.example.com.": {{"192.168.0.1"}},
	}
	for name, address := range notPublic {
		if ip, err := netip.ParseAddr(address); err == nil && ip.Zone() == "" {
			answers[dnsLabel(name)+".example.com."] = [][]string{{address}}
		}
	}
	c := client(t, webhook.Options{Resolver: newNames(answers).resolver()})
	for host := range answers {
		t.Run(host, func(t *testing.T) {
			fails(t, c, "https://"+host[:len(host)-1]+":8443/hook", webhook.RefusedAddress)
		})
	}
}

// dnsLabel makes a label of a text.
func dnsLabel(text string) string {
	label := []byte("x")
	for _, b := range []byte(text) {
		if b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' {
			label = append(label, b)
		}
	}
	return string(label)
}

// Whoever looks a name up first and connects later is fooled by a name server that changes its mind. What counts is what is dialled.
func TestANameThatIsPublicFirstAndPrivateLaterIsRefused(t *testing.T) {
	var reached atomic.Int32
	server := answering(t, func(http.ResponseWriter, *http.Request) { reached.Add(1) })
	port := server.Listener.Addr().(*net.TCPAddr).AddrPort().Port()
	resolver := newNames(map[string][][]string{"rebound.example.com.": {{"8.8.8.8"}, {"127.0.0.1"}}}).resolver()
	checked, err := resolver.LookupNetIP(t.Context(), "ip4", "rebound.example.com")
	require.NoError(t, err)
	require.Equal(t, "8.8.8.8", checked[0].String())
	address := "http://rebound.example.com:" + netip.AddrPortFrom(checked[0], port).String()[len("8.8.8.8:"):]

	fails(t, client(t, webhook.Options{Resolver: resolver}), address, webhook.RefusedAddress)
	require.Zero(t, reached.Load())

	allowed := client(t, webhook.Options{Resolver: resolver, AllowPrivateNetworks: true})
	require.NoError(t, allowed.Post(t.Context(), request(address)).Err)
	require.EqualValues(t, 1, reached.Load(), "the name does lead to the server")
}

func TestURLsThatAreNotPostedTo(t *testing.T) {
	c := client(t, webhook.Options{AllowPrivateNetworks: true})
	for _, address := range []string{
		"", "/hook", "ftp://example.com/", "http://", "https://:443/", "file:///etc/passwd", "http://user@example.com/",
		"http://user:hunter2@example.com/", "http://a b/", "http://example.com:port/", "\x00",
	} {
		t.Run(url.QueryEscape(address), func(t *testing.T) { fails(t, c, address, webhook.InvalidRequest) })
	}
}

func TestHostsThatHaveNoAddress(t *testing.T) {
	resolver := newNames(map[string][][]string{"empty.example.com.": {{}}}).resolver()
	c := client(t, webhook.Options{Resolver: resolver})
	for _, host := range []string{"unknown.example.com", "empty.example.com", "2130706433.example.com"} {
		t.Run(host, func(t *testing.T) { fails(t, c, "http://"+host+"/", webhook.LookupFailed) })
	}
}

func TestANameServerThatDoesNotAnswer(t *testing.T) {
	silent := newNames(nil)
	silent.silent = make(chan struct{})
	defer close(silent.silent)
	c := client(t, webhook.Options{Resolver: silent.resolver(), Timeout: 100 * time.Millisecond})
	result := fails(t, c, "http://slow.example.com/", webhook.TimedOut)
	require.EqualError(t, result.Err, "no answer within 100ms")
}

func TestCertificates(t *testing.T) {
	server := newTLSServer(t, nil)
	resolver := newNames(map[string][][]string{"example.com.": {{"127.0.0.1"}}, "example.net.": {{"127.0.0.1"}}}).resolver()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)
	trusting := client(t, webhook.Options{AllowPrivateNetworks: true, Resolver: resolver, RootCAs: rootOf(server)})
	require.NoError(t, trusting.Post(t.Context(), request("https://example.com:"+port)).Err)

	result := fails(t, trusting, "https://example.net:"+port, webhook.TLSFailed)
	require.EqualError(t, result.Err, "TLS: the certificate is not the host's")
	suspicious := client(t, webhook.Options{AllowPrivateNetworks: true, Resolver: resolver})
	result = fails(t, suspicious, "https://example.com:"+port, webhook.TLSFailed)
	require.EqualError(t, result.Err, "TLS: the certificate is signed by nobody who is trusted")

	plain := answering(t, func(http.ResponseWriter, *http.Request) {})
	fails(t, trusting, "https://"+plain.Listener.Addr().String(), webhook.TLSFailed)
	old := newTLSServer(t, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS11; c.MinVersion = tls.VersionTLS10 })
	late := client(t, webhook.Options{AllowPrivateNetworks: true, RootCAs: rootOf(old)})
	result = fails(t, late, old.URL, webhook.TLSFailed)
	require.EqualError(t, result.Err, "TLS: no agreement with the host")
}
