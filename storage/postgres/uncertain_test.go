package postgres_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// gate passes bytes on between a store and PostgreSQL. Once armed, it cuts the connection on which the next commit is confirmed, ahead
// of that.
type gate struct {
	dsn   string
	armed atomic.Bool
}

func openGate(t *testing.T, dsn string) *gate {
	t.Helper()
	to, err := url.Parse(dsn)
	require.NoError(t, err)
	target := to.Host
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	to.Host = listener.Addr().String()
	g := &gate{dsn: to.String()}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { g.pass(client, target) })
		}
	})
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		running.Wait()
	})
	return g
}

// pass serves a connection until either side ends it.
func (g *gate) pass(client net.Conn, target string) {
	defer client.Close()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	var up sync.WaitGroup
	up.Go(func() {
		_, _ = io.Copy(server, client) // the other direction tells how it ends
		_ = server.Close()
	})
	buffer := make([]byte, 64<<10)
	for {
		n, err := server.Read(buffer)
		if bytes.Contains(buffer[:n], []byte("COMMIT\x00")) && g.armed.CompareAndSwap(true, false) {
			break
		}
		_, failed := client.Write(buffer[:n])
		if errors.Join(err, failed) != nil {
			break
		}
	}
	_ = client.Close()
	_ = server.Close()
	up.Wait()
}

// A push that was stored, while its caller's connection broke, is known again: it is there once, and made by who made it.
func TestAPushThatWasStoredUnseenIsKnownAgain(t *testing.T) {
	t.Parallel()
	g := openGate(t, emptyDatabase(t))
	store := openAll(t, g.dsn, 1)[0]
	for id := range int64(4) {
		d := draft(id + 1)
		if id%2 == 0 {
			d.Push.RequestID = ""
		}
		g.armed.Store(true)
		p, created, err := store.CreatePush(t.Context(), d)
		require.NoError(t, err)
		require.False(t, g.armed.Load(), "the connection was cut")
		require.True(t, created)
		require.Equal(t, d.Push.ID, p.ID)
		dispatches, err := store.ListDispatches(t.Context(), p.ID, 0, 10)
		require.NoError(t, err)
		require.Len(t, dispatches, 1)
	}
}
