package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

const (
	etcdName = "susul"
	// etcdQuota bounds the embedded etcd's file. Policies are small; a full file would refuse writes.
	etcdQuota = 1 << 30
	// etcdHistory is how many revisions the embedded etcd keeps, for watches that resume.
	etcdHistory = "1000"
)

// etcdOptions say which etcd to use.
type etcdOptions struct {
	// Endpoints are URLs or host:port of a cluster. None: an etcd of our own, inside this process.
	Endpoints []string
	// DataDir is where our own etcd keeps its data, in the folder etcd. The caller holds the directory's lock.
	DataDir string
	Logger  *slog.Logger
}

// startEtcd returns a client, and a function that stops it and, if there is one, our own etcd, until its context ends.
// A cluster need not be reachable yet; our own etcd is ready.
func startEtcd(ctx context.Context, o etcdOptions) (*clientv3.Client, func(context.Context) error, error) {
	if len(o.Endpoints) > 0 {
		return dialEtcd(o)
	}
	return embedEtcd(ctx, o)
}

func dialEtcd(o etcdOptions) (*clientv3.Client, func(context.Context) error, error) {
	client, err := clientv3.New(clientv3.Config{
		Endpoints:            o.Endpoints,
		DialKeepAliveTime:    10 * time.Second,
		DialKeepAliveTimeout: 3 * time.Second,
		Logger:               zap.New(newSlogCore(o.Logger)),
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			// The default would grow to two minutes after which a recovered etcd is noticed.
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second},
			MinConnectTimeout: 3 * time.Second,
		}), grpc.WithChainUnaryInterceptor(bounded)},
	})
	if err != nil {
		return nil, nil, fmt.Errorf("etcd client: %w", err)
	}
	return client, func(context.Context) error { return client.Close() }, nil
}

// embedEtcd starts an etcd of one member that nobody else can reach: it listens nowhere, and our client calls it
// directly. Leases in its data are those of a process that crashed.
func embedEtcd(ctx context.Context, o etcdOptions) (*clientv3.Client, func(context.Context) error, error) {
	etcd, err := embed.StartEtcd(embeddedConfig(o))
	if err != nil {
		return nil, nil, fmt.Errorf("start embedded etcd: %w", err)
	}
	select {
	case <-etcd.Server.ReadyNotify():
	case err := <-etcd.Err():
		etcd.Close()
		return nil, nil, fmt.Errorf("start embedded etcd: %w", err)
	case <-etcd.Server.StopNotify():
		etcd.Close()
		return nil, nil, errors.New("start embedded etcd: it stopped at once")
	case <-ctx.Done():
		etcd.Close()
		return nil, nil, fmt.Errorf("start embedded etcd: %w", ctx.Err())
	}
	client := v3client.New(etcd.Server)
	if err := revokeLeases(ctx, client); err != nil {
		_ = client.Close()
		etcd.Close()
		return nil, nil, fmt.Errorf("start embedded etcd: %w", err)
	}
	stop := func(ctx context.Context) error {
		closed := make(chan error, 1)
		go func() {
			err := client.Close()
			etcd.Close()
			closed <- err
		}()
		select {
		case err := <-closed:
			return ignoreCanceled(err)
		case <-ctx.Done():
			return fmt.Errorf("stop embedded etcd: %w", ctx.Err())
		}
	}
	return client, stop, nil
}

// revokeLeases ends all leases, so that nobody waits for those to lapse whose owner is gone.
func revokeLeases(ctx context.Context, client *clientv3.Client) error {
	left, err := client.Leases(ctx)
	if err != nil {
		return fmt.Errorf("list leases: %w", err)
	}
	for _, lease := range left.Leases {
		if _, err := client.Revoke(ctx, lease.ID); err != nil && !errors.Is(err, rpctypes.ErrLeaseNotFound) {
			return fmt.Errorf("revoke lease: %w", err)
		}
	}
	return nil
}

// ignoreCanceled drops the error that the in-process client always closes with: that of its own cancelled context.
func ignoreCanceled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func embeddedConfig(o etcdOptions) *embed.Config {
	cfg := embed.NewConfig()
	cfg.Name = etcdName
	cfg.Dir = filepath.Join(o.DataDir, "etcd")
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.New(newSlogCore(o.Logger)))
	cfg.QuotaBackendBytes = etcdQuota
	// A member without peers need not wait for their votes.
	cfg.TickMs, cfg.ElectionMs = 10, 100
	cfg.AutoCompactionMode, cfg.AutoCompactionRetention = embed.CompactorModeRevision, etcdHistory

	// The member's id comes from the address that it advertises. Nobody ever dials it; it only has to stay the same.
	nowhere := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	cfg.ListenPeerUrls, cfg.ListenClientUrls = nil, nil
	cfg.AdvertisePeerUrls, cfg.AdvertiseClientUrls = nowhere, nowhere
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	return cfg
}

// slogCore hands etcd's warnings and errors to our logger. Etcd is talkative below that.
type slogCore struct {
	logger *slog.Logger
}

func newSlogCore(logger *slog.Logger) zapcore.Core {
	return slogCore{logger.With("component", "etcd")}
}

func (c slogCore) Enabled(level zapcore.Level) bool { return level >= zapcore.WarnLevel }

func (c slogCore) With(fields []zapcore.Field) zapcore.Core {
	return slogCore{slog.New(c.logger.Handler().WithAttrs(attrs(fields)))}
}

func (c slogCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(entry.Level) {
		return checked.AddCore(entry, c)
	}
	return checked
}

func (c slogCore) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	level := slog.LevelWarn
	switch {
	case expected(entry.Message):
		level = slog.LevelDebug
	case entry.Level > zapcore.WarnLevel:
		level = slog.LevelError
	}
	c.logger.LogAttrs(context.Background(), level, entry.Message, attrs(fields)...) //nolint:sloglint // etcd's own text
	return nil
}

// expected reports whether etcd complains about what is no fault: one listener or none for both its protocols, tokens that
// nobody uses, versions that it has not settled yet, which it tries again, what it leaves undone when it is stopped, and calls that the
// client tries again.
func expected(message string) bool {
	switch message {
	case "Running http and grpc server on single port. This is not recommended for production.",
		"simple token is not cryptographically signed",
		"Failed to detect schema version",
		"failed to update storage version",
		"failed to update cluster version",
		"aborting cluster version update; server is stopped",
		"server has stopped; skipping GoAttach",
		"retrying of unary invoker failed":
		return true
	default:
		return false
	}
}

func (c slogCore) Sync() error { return nil }

func attrs(fields []zapcore.Field) []slog.Attr {
	encoder := zapcore.NewMapObjectEncoder()
	for _, f := range fields {
		f.AddTo(encoder)
	}
	out := make([]slog.Attr, 0, len(encoder.Fields))
	for key, value := range encoder.Fields {
		out = append(out, slog.Any(key, value))
	}
	return out
}
