package load

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// exchangeTimeout bounds one request and its answer.
const exchangeTimeout = time.Minute

// conn is a keep-alive connection that speaks just enough of HTTP/1.1, so that the load leaves the machine to the server.
// It connects when it is first used and after a failure.
type conn struct {
	address string
	tcp     net.Conn
	in      *bufio.Reader
}

// answer is what counts of an answer.
type answer struct {
	status     int
	retryAfter time.Duration // 0 if the answer has none
}

// exchange sends a complete request and reads the answer.
func (c *conn) exchange(ctx context.Context, request []byte) (answer, error) {
	if c.tcp == nil {
		tcp, err := new(net.Dialer).DialContext(ctx, "tcp", c.address)
		if err != nil {
			return answer{}, err
		}
		c.tcp, c.in = tcp, bufio.NewReader(tcp)
	}
	a, last, err := c.try(request)
	if err != nil || last {
		c.close()
	}
	return a, err
}

func (c *conn) close() {
	if c.tcp != nil {
		_ = c.tcp.Close() // nothing is under way on it
		c.tcp = nil
	}
}

func (c *conn) try(request []byte) (a answer, last bool, err error) {
	if err := c.tcp.SetDeadline(time.Now().Add(exchangeTimeout)); err != nil {
		return a, false, err
	}
	if _, err := c.tcp.Write(request); err != nil {
		return a, false, err
	}
	return readAnswer(c.in)
}

// readAnswer reads an answer to its end, and whether it is the connection's last.
func readAnswer(in *bufio.Reader) (a answer, last bool, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return a, false, err
	}
	if len(line) < len("HTTP/1.1 200") {
		return a, false, fmt.Errorf("unreadable answer %q", line)
	}
	if a.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return a, false, fmt.Errorf("unreadable answer %q", line)
	}
	length := 0
	for {
		if line, err = in.ReadSlice('\n'); err != nil {
			return a, false, err
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			length, err = strconv.Atoi(string(value))
		case bytes.EqualFold(name, []byte("Retry-After")):
			var seconds int
			seconds, err = strconv.Atoi(string(value))
			a.retryAfter = time.Duration(seconds) * time.Second
		case bytes.EqualFold(name, []byte("Connection")):
			last = bytes.EqualFold(value, []byte("close"))
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			err = errors.New("an answer in parts")
		}
		if err != nil {
			return a, false, err
		}
	}
	_, err = in.Discard(length)
	return a, last, err
}
