package etcdtest

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Gate is a TCP proxy that can be closed: a network that fails while etcd lives.
type Gate struct {
	t       testing.TB
	address string
	ln      net.Listener
	cancel  context.CancelFunc
	done    chan struct{}

	mu      sync.Mutex
	flowing chan struct{} // closed while bytes pass
}

// NewGate returns an open gate to an address. It is closed when the test ends.
func NewGate(t testing.TB, target string) *Gate {
	t.Helper()
	g := &Gate{t: t, address: "127.0.0.1:0", flowing: make(chan struct{})}
	g.Flow()
	g.Open(target)
	t.Cleanup(g.Close)
	return g
}

// Address is where the gate listens, also when it is closed.
func (g *Gate) Address() string { return g.address }

// Open opens a closed gate, to an address.
func (g *Gate) Open(target string) {
	g.t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(g.t.Context(), "tcp", g.address)
	require.NoError(g.t, err)
	g.ln, g.address, g.done = ln, ln.Addr().String(), make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	g.cancel = cancel
	go func() {
		defer close(g.done)
		g.serve(ctx, ln, target)
	}()
}

// Close cuts all connections and refuses new ones.
func (g *Gate) Close() {
	g.cancel()
	_ = g.ln.Close() // a second time says that it is closed
	<-g.done
}

// Stall lets nothing pass any more, in a gate that stays open: a network that loses every packet.
func (g *Gate) Stall() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.flowing = make(chan struct{})
}

// Flow ends what Stall began: what came meanwhile passes now.
func (g *Gate) Flow() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.flowing:
	default:
		close(g.flowing)
	}
}

// flow is one direction of a connection, which may pass when the gate lets it.
type flow struct {
	net.Conn
	gate *Gate
	ctx  context.Context
}

func (f flow) Write(p []byte) (int, error) {
	f.gate.mu.Lock()
	flowing := f.gate.flowing
	f.gate.mu.Unlock()
	select {
	case <-flowing:
		return f.Conn.Write(p)
	case <-f.ctx.Done():
		return 0, f.ctx.Err()
	}
}

func (g *Gate) serve(ctx context.Context, ln net.Listener, target string) {
	var pipes sync.WaitGroup
	defer pipes.Wait()
	for {
		in, err := ln.Accept()
		if err != nil {
			return
		}
		out, err := (&net.Dialer{}).DialContext(ctx, "tcp", target)
		if err != nil {
			_ = in.Close()
			continue
		}
		stop := context.AfterFunc(ctx, func() { _, _ = in.Close(), out.Close() })
		pipe := func(to, from net.Conn) {
			_, _ = io.Copy(flow{to, g, ctx}, from) // ends with either connection
			_, _ = to.Close(), from.Close()
			stop()
		}
		pipes.Go(func() { pipe(in, out) })
		pipes.Go(func() { pipe(out, in) })
	}
}
