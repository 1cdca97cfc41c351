package postgres

import (
	"context"
	"net"
	"syscall"
	"time"
)

// silence is how long PostgreSQL's machine may answer nothing before a connection to it is given up: it is gone, or the way to it is. Without
// a bound, whoever asked it something last would wait for a quarter of an hour, even though another machine is in its place.
const silence = 15 * time.Second

// keepAlive asks a machine that has said nothing for a while whether it is there.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: silence / 3, Interval: silence / 3, Count: 2}

// dial makes a connection that notices when the other machine is gone.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{KeepAliveConfig: keepAlive, Control: func(network, _ string, raw syscall.RawConn) error {
		if network == "unix" {
			return nil
		}
		return raw.Control(func(fd uintptr) { boundSilence(fd, silence) })
	}}
	return dialer.DialContext(ctx, network, address)
}
