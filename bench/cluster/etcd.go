package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"susul.dev/susul/bench/rig"
)

// etcdVerb is the argument with which this program starts itself as an etcd, followed by the folder for its data.
const etcdVerb = "etcd"

// serveEtcd is an etcd of one member, which waits for the disk. Its first line of standard error is its address.
func serveEtcd(ctx context.Context, dir string) error {
	local := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	cfg := embed.NewConfig()
	cfg.Name, cfg.Dir = "bench", dir
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = local, local
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = nil, local
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	etcd, err := embed.StartEtcd(cfg)
	if err != nil {
		return err
	}
	defer etcd.Close()
	select {
	case <-etcd.Server.ReadyNotify():
	case <-ctx.Done():
		return ctx.Err()
	}
	fmt.Fprintln(os.Stderr, etcd.Clients[0].Addr())
	select {
	case err := <-etcd.Err():
		return err
	case <-ctx.Done():
		return nil
	}
}

// startEtcd starts it, and notes its address.
func (b *bench) startEtcd(ctx context.Context) error {
	etcd := rig.NewProcess(exec.CommandContext(ctx, os.Args[0], etcdVerb, filepath.Join(b.Dir, "etcd"))) //nolint:gosec // this very program
	lines, err := etcd.Launch(filepath.Join(b.Dir, "etcd.log"))
	if err != nil {
		return err
	}
	line, ok := <-lines
	if !ok {
		return errors.Join(errors.New("etcd ended at once"), etcd.Stop())
	}
	b.etcd, b.etcdAddress = etcd, strings.TrimSpace(string(line))
	return nil
}
