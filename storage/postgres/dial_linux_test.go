package postgres

import (
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Either side notices soon when the other's machine is gone without a word.
func TestSilentMachinesAreGivenUp(t *testing.T) {
	config, err := configure(Options{DSN: "postgres://susul@127.0.0.1/susul?tcp_keepalives_idle=77"})
	require.NoError(t, err)
	require.Equal(t, "77", config.ConnConfig.RuntimeParams["tcp_keepalives_idle"], "what the DSN says counts")
	require.NotEmpty(t, config.ConnConfig.RuntimeParams["tcp_keepalives_interval"])

	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	conn, err := config.ConnConfig.DialFunc(t.Context(), "tcp", listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	require.NoError(t, err)
	got := map[int]int{}
	require.NoError(t, raw.Control(func(fd uintptr) {
		for _, option := range []int{tcpUserTimeout, syscall.TCP_KEEPIDLE, syscall.TCP_KEEPINTVL} {
			got[option], err = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, option)
		}
	}))
	require.NoError(t, err)
	require.Equal(t, map[int]int{tcpUserTimeout: 15_000, syscall.TCP_KEEPIDLE: 5, syscall.TCP_KEEPINTVL: 5}, got)
}
