package postgres

import (
	"errors"
	"io"
	"net"
)

// isNetwork reports whether a connection broke.
func isNetwork(err error) bool {
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// news is what others are told after a commit.
type news struct {
	events  bool // were stored
	work    bool // dispatches or steps may have become due
	answers []answer
}

// answer says that the first dispatch of a push has ended that another handle made.
type answer struct {
	home, push int64
}

// signals brings news to those who wait for it, in this process and in others.
type signals struct{}

func startSignals(*database) *signals { return &signals{} }

func (s *signals) tell(news) {}

func (s *signals) stop() {}
