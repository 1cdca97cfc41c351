package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"susul.dev/susul/server/config"
	"susul.dev/susul/server/forward"
)

const (
	// lockPoll is how often a standby looks whether the data directory is free, and who has it, in real time.
	lockPoll = 20 * time.Millisecond

	// formerLeader is how long an elected node waits for the process that has the data directory, in real time: one that was cut
	// off from etcd may be about to close the file.
	formerLeader = 500 * time.Millisecond
)

// observe takes from the election who leads.
func (n *node) observe(candidate string) {
	peer, err := forward.ParsePeer(candidate)
	if err != nil {
		n.server.log.Warn("the election has a leader that this node does not understand", "error", err)
		return
	}
	n.follow(peer)
}

// follow takes note of who leads.
func (n *node) follow(peer forward.Peer) {
	if n.leader.Set(peer) {
		switch {
		case peer.Token == n.self.Token:
		case peer.GRPC == n.self.GRPC:
			n.server.log.Warn("the leader told this node's own address: unless this node led before it was restarted, set advertise on every node",
				"leader", peer.GRPC)
		default:
			n.server.log.Info("another node leads", "leader", peer.GRPC)
		}
		n.forwarder.LeaderChanged()
		n.tellHealth()
	}
}

// tellHealth says SERVING if calls are answered, here or by a leader that is known.
func (n *node) tellHealth() {
	status := healthv1.HealthCheckResponse_NOT_SERVING
	if n.active.Load() != nil || n.otherLeader() != "" {
		status = healthv1.HealthCheckResponse_SERVING
	}
	n.server.setServing(status)
}

// otherLeader returns the address of the node that leads, as far as is known, unless it is this one: that may have been the last to
// lead, and is not the one to call now.
func (n *node) otherLeader() string {
	if peer, known, _ := n.leader.Get(); known && peer.Token != n.self.Token {
		return peer.GRPC
	}
	return ""
}

// advertised is the address that other nodes and callers are given: the configured one, with the real port if that was left to the
// system.
func advertised(configured, listening string) string {
	host, port, err := net.SplitHostPort(configured)
	if err != nil || port != "0" {
		return configured
	}
	_, port, _ = net.SplitHostPort(listening)
	return net.JoinHostPort(host, port)
}

// onlyHere reports whether an address is of use on this machine alone, though other nodes are likely to be on others: etcd is.
func onlyHere(address string, endpoints []string) bool {
	host, _, _ := net.SplitHostPort(address)
	elsewhere := slices.ContainsFunc(endpoints, func(endpoint string) bool {
		if at, err := url.Parse(endpoint); err == nil && at.Host != "" {
			return !loopback(at.Hostname())
		}
		host, _, _ := net.SplitHostPort(endpoint)
		return !loopback(host)
	})
	wildcard := host == "" || net.ParseIP(host).IsUnspecified()
	return len(endpoints) > 0 && (wildcard || elsewhere && loopback(host))
}

func loopback(host string) bool { return host == "localhost" || net.ParseIP(host).IsLoopback() }

// peerTLS is how the node that leads is verified; nil for plain text, if nodes have no certificates.
func peerTLS(cfg config.TLS) (*tls.Config, error) {
	if !cfg.Enabled() {
		return nil, nil
	}
	secure := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.CAFile == "" {
		return secure, nil
	}
	text, err := os.ReadFile(cfg.CAFile)
	if err != nil {
		return nil, fmt.Errorf("tls.ca_file: %w", err)
	}
	secure.RootCAs = x509.NewCertPool()
	if !secure.RootCAs.AppendCertsFromPEM(text) {
		return nil, errors.New("tls.ca_file: there is no certificate in it")
	}
	return secure, nil
}

// leaderFile tells those who wait for the data directory's lock who has it.
func (n *node) leaderFile() string { return filepath.Join(n.server.config.DataDir, "leader") }

// readLeaderFile takes from the file who leads.
func (n *node) readLeaderFile() {
	text, err := os.ReadFile(n.leaderFile())
	if err != nil {
		return // nobody has led yet, or it is being written
	}
	if peer, err := forward.ParsePeer(string(text)); err == nil {
		n.follow(peer)
	}
}

// writeLeaderFile replaces the file: it has a token in it, and is read at any time.
func (n *node) writeLeaderFile() {
	next := n.leaderFile() + ".new"
	err := os.WriteFile(next, []byte(n.self.Encode()+"\n"), 0o600)
	if err == nil {
		err = os.Rename(next, n.leaderFile())
	}
	if err != nil {
		n.server.log.Warn("standbys will not know this node's address", "error", err)
	}
}

// lockDataDir waits until no other process works in the data directory.
func (n *node) lockDataDir(ctx context.Context) error {
	tick := time.NewTicker(lockPoll) //nolint:forbidigo // other processes' time is real
	defer tick.Stop()
	for told := false; ; {
		locked, err := n.lock.TryLock()
		if err != nil {
			return fmt.Errorf("lock data_dir: %w", err)
		}
		if locked {
			n.writeLeaderFile()
			return nil
		}
		n.readLeaderFile()
		if !told {
			n.server.log.Info("another node works in the data directory; this one stands by", "leader", n.otherLeader())
			told = true
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// awaitFormerLeader waits for the data directory, but not for ever: who has it was the leader, and its lease is over. It may be
// frozen. When it wakes it can do no harm, since the store refuses what it writes from the moment that a later term is in it.
// So the lock is only a courtesy here, unlike where the embedded etcd's data is in the directory.
func (n *node) awaitFormerLeader(ctx context.Context) error {
	patience, cancel := context.WithTimeout(ctx, formerLeader)
	defer cancel()
	err := n.lockDataDir(patience)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		n.server.log.Warn("the former leader keeps the data directory: this node goes on without its lock")
		n.writeLeaderFile()
		return nil
	}
	return err
}

func (n *node) unlockDataDir() {
	if err := n.lock.Unlock(); err != nil {
		n.server.log.Error("the data directory stays locked until the process ends", "error", err)
	}
}
