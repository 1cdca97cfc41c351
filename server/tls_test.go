package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server"
	"susul.dev/susul/server/config"
	"susul.dev/susul/server/servertest"
)

// With a certificate both faces speak TLS, and the operators' listener does not.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	certificate := config.TLS{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	trusted := &tls.Config{RootCAs: selfSigned(t, certificate), MinVersion: tls.VersionTLS12}
	s := servertest.Start(t, servertest.Options{Configure: func(cfg *config.Config) { cfg.TLS = certificate }})

	conn, err := grpc.NewClient(s.GRPCAddress(), grpc.WithTransportCredentials(credentials.NewTLS(trusted)))
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	list := &susulv1.ListPushesRequest{Parent: "apps/" + servertest.App}
	_, err = susulv1.NewPushServiceClient(conn).ListPushes(servertest.AsApp(t.Context()), list)
	require.NoError(t, err)
	_, err = s.Pushes.ListPushes(servertest.AsApp(t.Context()), list)
	require.Error(t, err, "a client without TLS")

	client := &http.Client{Transport: &http.Transport{TLSClientConfig: trusted, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	for address, want := range map[string]int{
		"https://" + s.HTTPAddress() + "/v1/apps/" + servertest.App + "/pushes": http.StatusUnauthorized,
		"http://" + s.OpsAddress() + "/readyz":                                  http.StatusOK,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		require.NoError(t, err)
		resp, err := client.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, want, resp.StatusCode, address)
	}
}

// With certificates, the leader is verified by the configured ones before anything is forwarded to it.
func TestForwardingVerifiesTheLeader(t *testing.T) {
	c := newCluster(t)
	dir := t.TempDir()
	c.cfg.TLS = config.TLS{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	selfSigned(t, c.cfg.TLS)
	leader := c.start(t)
	leader.awaitWorking(t)

	distrustful := c.start(t)
	require.Eventually(t, func() bool { return distrustful.readiness(t).Leader == leader.GRPCAddress() }, clusterPatience, 10*time.Millisecond)
	require.False(t, distrustful.readiness(t).Ready, "the system does not know who signed the certificate")
	c.cfg.TLS.CAFile = c.cfg.TLS.CertFile
	c.start(t).awaitStandby(t, leader)

	c.cfg.TLS.CAFile = c.cfg.TLS.KeyFile
	_, err := server.New(t.Context(), server.Options{Config: c.cfg, Logger: slog.New(slog.DiscardHandler)})
	require.ErrorContains(t, err, "tls.ca_file")
}

// selfSigned writes a certificate for 127.0.0.1 and returns a pool that trusts it.
func selfSigned(t *testing.T, to config.TLS) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "susul test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	write := func(name, kind string, data []byte) {
		require.NoError(t, os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600))
	}
	write(to.CertFile, "CERTIFICATE", der)
	write(to.KeyFile, "EC PRIVATE KEY", keyDER)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return pool
}
