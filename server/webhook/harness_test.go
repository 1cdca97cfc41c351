package webhook_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"susul.dev/susul/server/webhook"
)

const secret = "a-secret-of-hunter2"

// request is a signed one. Neither the query nor the secret may ever show up in an error.
func request(url string) webhook.Request {
	return webhook.Request{
		URL: url, ID: "whk-1", Time: time.Now(), Body: []byte(`{"total":0,"rows":[]}`), Username: "susul", Secrets: []string{secret},
	}
}

// client returns a client that is closed at the end.
func client(t *testing.T, o webhook.Options) *webhook.Client {
	t.Helper()
	c := webhook.NewClient(o)
	t.Cleanup(c.Close)
	return c
}

// fails posts and demands a failure of a kind.
func fails(t *testing.T, c *webhook.Client, url string, want webhook.Kind) webhook.Result {
	t.Helper()
	result := c.Post(t.Context(), request(url+"?token=hunter2"))
	var failed *webhook.Error
	require.ErrorAs(t, result.Err, &failed)
	require.Equal(t, want, failed.Kind, "%v", result.Err)
	require.NotEmpty(t, failed.Error())
	require.NotContains(t, failed.Error(), "hunter2")
	require.NotContains(t, failed.Error(), "token")
	return result
}

// answering returns the URL of a server that does this for every request.
func answering(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

// speaking returns the address of a server that hands its connections, numbered from 0, to a function, which has read nothing of
// them yet. It closes them afterwards.
func speaking(t *testing.T, speak func(n int, conn *net.TCPConn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var running sync.WaitGroup
	running.Go(func() {
		for n := 0; ; n++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				speak(n, conn.(*net.TCPConn))
				_ = conn.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		running.Wait()
	})
	return listener.Addr().String()
}

// readRequest reads one request off a connection.
func readRequest(conn net.Conn) (*http.Request, []byte, error) {
	r, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(r.Body)
	return r, body, err
}

// names is a name server: of each host, the addresses of the first look-up, the second and so on. The last ones stay.
type names struct {
	mu      sync.Mutex
	answers map[string][][]string
	lookups map[string]int
	silent  chan struct{} // until it is closed nothing is answered; nil: all is
}

func newNames(answers map[string][][]string) *names {
	return &names{answers: answers, lookups: map[string]int{}}
}

// resolver asks the name server, over pipes. A look-up can outlast the post that began it.
func (n *names) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer func() { _ = ours.Close() }()
			for n.answer(ours) == nil {
			}
		}()
		return theirs, nil
	}}
}

// answer answers one question, framed as over TCP.
func (n *names) answer(conn net.Conn) error {
	var size uint16
	if err := binary.Read(conn, binary.BigEndian, &size); err != nil {
		return err
	}
	packet := make([]byte, size)
	if _, err := io.ReadFull(conn, packet); err != nil {
		return err
	}
	if n.silent != nil {
		<-n.silent
		return io.EOF
	}
	var m dnsmessage.Message
	if err := m.Unpack(packet); err != nil {
		return err
	}
	m.Response = true
	m.Additionals = nil
	n.fill(&m)
	reply, err := m.Pack()
	if err != nil {
		return err
	}
	_, err = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...))
	return err
}

func (n *names) fill(m *dnsmessage.Message) {
	question := m.Questions[0]
	addresses, known := n.lookup(question)
	if !known {
		m.RCode = dnsmessage.RCodeNameError
		return
	}
	for _, address := range addresses {
		ip := netip.MustParseAddr(address)
		header := dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: 0}
		switch {
		case ip.Is4() && question.Type == dnsmessage.TypeA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: ip.As4()}})
		case ip.Is6() && question.Type == dnsmessage.TypeAAAA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: ip.As16()}})
		}
	}
}

// lookup counts how often each type is asked for.
func (n *names) lookup(q dnsmessage.Question) ([]string, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	rounds, known := n.answers[q.Name.String()]
	if !known {
		return nil, false
	}
	key := q.Name.String() + q.Type.String()
	round := min(n.lookups[key], len(rounds)-1)
	n.lookups[key]++
	return rounds[round], true
}
