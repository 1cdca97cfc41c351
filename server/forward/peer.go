package forward

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
)

// Peer is a node as others know it: its value in the election.
type Peer struct {
	// GRPC is the host:port of its gRPC API.
	GRPC string `json:"grpc"`
	// Token is known to those who can read the election; each process has another.
	Token string `json:"token"`
}

// NewPeer returns a node at the address with a token of its own.
func NewPeer(address string) Peer { return Peer{GRPC: address, Token: rand.Text()} }

// Encode returns the peer as text.
func (p Peer) Encode() string {
	text, _ := json.Marshal(p) // two texts
	return string(text)
}

// ParsePeer reads what Encode wrote.
func ParsePeer(text string) (Peer, error) {
	var p Peer
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return Peer{}, fmt.Errorf("read peer: %w", err)
	}
	if p.GRPC == "" || p.Token == "" {
		return Peer{}, errors.New("read peer: it has no address or no token")
	}
	return p, nil
}

// Leader is what is known of who leads. The zero value knows nobody. What was known last stays: whether it still holds, the
// node itself says when it is called.
type Leader struct {
	mu      sync.Mutex
	peer    Peer
	changed chan struct{}
}

// Get returns the node that led last, as far as is known, and a channel that is closed when there is news.
func (l *Leader) Get() (peer Peer, known bool, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.peer, l.peer != Peer{}, l.changed
}

// Set tells who leads. It reports whether that is news.
func (l *Leader) Set(peer Peer) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.peer == peer {
		return false
	}
	l.peer = peer
	l.wake()
	return true
}

// Wake tells that the node itself leads, or does so no more.
func (l *Leader) Wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wake()
}

func (l *Leader) wake() {
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}
