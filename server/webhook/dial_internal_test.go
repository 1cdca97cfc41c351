package webhook

import (
	"testing"

	"code.dny.dev/ssrf"
	"github.com/stretchr/testify/require"
)

// The addresses of others are dialled, whatever the port. Nothing here connects.
func TestPublicAddressesAreDialled(t *testing.T) {
	control := newDialer(Options{}).Control
	for address, network := range map[string]string{
		"8.8.8.8:443": "tcp4", "100.63.255.255:8443": "tcp4", "100.128.0.1:80": "tcp4", "172.15.255.255:1": "tcp4",
		"172.32.0.1:65535": "tcp4", "168.63.129.15:443": "tcp4", "[2606:4700:4700::1111]:443": "tcp6", "[2a00:1450::1]:9": "tcp6",
	} {
		require.NoError(t, control(network, address, nil), address)
	}
	require.ErrorIs(t, control("udp4", "8.8.8.8:443", nil), ssrf.ErrProhibitedNetwork)
	require.ErrorIs(t, control("tcp4", "168.63.129.16:443", nil), ssrf.ErrProhibitedIP)
	require.Nil(t, newDialer(Options{AllowPrivateNetworks: true}).Control)
}
