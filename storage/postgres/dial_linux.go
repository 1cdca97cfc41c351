package postgres

import (
	"syscall"
	"time"
)

// tcpUserTimeout is Linux's TCP_USER_TIMEOUT, which package syscall does not name.
const tcpUserTimeout = 18

// boundSilence bounds how long what was sent may stay without an acknowledgement. Where that can't be bounded, the system's bound counts.
func boundSilence(fd uintptr, bound time.Duration) {
	_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(bound.Milliseconds()))
}
