package rig

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	susulv1 "susul.dev/susul/gen/susul/v1"
)

// The one app, and who signs its callbacks.
const (
	AppKey         = "1f2e3d4c5b6a798081726354"
	CallbackUser   = "bench"
	CallbackSecret = "bench-callback-secret"
	CallbackPath   = "/v1/apps/" + AppKey + "/callbacks"

	masterSecret = "bench-master-secret"
	adminToken   = "bench-administrator-token"
)

// Authorization is what the app's own callers say.
var Authorization = "Basic " + base64.StdEncoding.EncodeToString([]byte(AppKey+":"+masterSecret))

// startTimeout bounds a start, recovery included.
const startTimeout = 5 * time.Minute

// Home is where the lives of a server find what the earlier ones left. Several servers may live in it, if they have an etcd and
// different names.
type Home struct {
	Dir            string // everything that it keeps
	binary, config string
	shared         bool // the servers have one data directory
}

// HomeOptions say what servers use besides the stand-in EngageLab. Nothing is needed.
type HomeOptions struct {
	Etcd     string // address; empty for the embedded one
	Postgres string // data source; empty for SQLite
}

// NewHome makes a folder with a configuration for servers that report to nobody but the stand-in EngageLab.
func (b *Bench) NewHome(o HomeOptions) (h Home, err error) {
	if h.Dir, err = os.MkdirTemp(b.Dir, "case-"); err != nil {
		return h, err
	}
	h.shared = o.Postgres == ""
	h.binary, h.config = b.binary, filepath.Join(h.Dir, "susul.yaml")
	local := map[string]any{"listen": "127.0.0.1:0"}
	settings := map[string]any{
		"data_dir": h.data(), "grpc": local, "http": local, "ops": local,
		"log": map[string]any{"format": "json"}, "admin": map[string]any{"tokens": []string{adminToken}},
		"relay": map[string]any{"allow_private_networks": true},
		"apps": []any{map[string]any{
			"app_key": AppKey, "master_secret": masterSecret, "base_url": b.Lab.URL, "requests_per_second": 1e6,
			"callback": map[string]any{"username": CallbackUser, "secret": CallbackSecret},
		}},
	}
	if o.Etcd != "" {
		settings["etcd"] = map[string]any{"endpoints": []string{o.Etcd}}
	}
	if o.Postgres != "" {
		settings["storage"] = map[string]any{"driver": "postgres", "dsn": o.Postgres}
	}
	text, err := json.Marshal(settings)
	if err != nil {
		return h, err
	}
	return h, os.WriteFile(h.config, text, 0o600)
}

func (h Home) data() string { return filepath.Join(h.Dir, "data") }

// Size returns how many bytes the stopped server's data takes, without the embedded etcd's.
func (h Home) Size() (bytes int64, err error) {
	err = filepath.WalkDir(h.data(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if entry.Name() == "etcd" {
				return filepath.SkipDir
			}
			return nil
		}
		info, err := entry.Info()
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	return bytes, err
}

// Susul is a running server, and an administrator's clients of it.
type Susul struct {
	Process
	GRPC      string // where it listens
	HTTP      string
	Ops       string
	Pushes    susulv1.PushServiceClient
	Callbacks susulv1.CallbackServiceClient
	Policies  susulv1.ResendPolicyServiceClient
	Devices   susulv1.DeviceServiceClient
	conn      *grpc.ClientConn
}

// Live starts a server, does something with it and stops it.
func (h Home) Live(ctx context.Context, do func(*Susul) error) error {
	s, err := h.Start(ctx, "susul")
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.Stop())
}

// Start starts a server and waits until it takes calls.
func (h Home) Start(ctx context.Context, name string) (*Susul, error) {
	data := h.data()
	if !h.shared {
		data = filepath.Join(data, name)
	}
	cmd := exec.CommandContext(ctx, h.binary, "serve", "--config", h.config, "--data_dir", data) //nolint:gosec // our own binary
	s := &Susul{Process: Process{cmd: cmd}}
	lines, err := s.Launch(filepath.Join(h.Dir, name+".log"))
	if err != nil {
		return nil, err
	}
	if err := s.connect(ctx, lines); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// connect finds out where the server listens, and waits until it takes calls.
func (s *Susul) connect(ctx context.Context, lines <-chan []byte) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	var at struct{ Msg, GRPC, HTTP, Ops string }
	for at.Msg != "listening" {
		select {
		case line, ok := <-lines:
			if !ok {
				return errors.New("susul serve ended at once")
			}
			_ = json.Unmarshal(line, &at) // other lines need not be understood
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	var err error
	s.GRPC, s.HTTP, s.Ops = at.GRPC, at.HTTP, at.Ops
	s.conn, err = grpc.NewClient(at.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithPerRPCCredentials(credentials{}))
	if err != nil {
		return err
	}
	s.Pushes, s.Callbacks = susulv1.NewPushServiceClient(s.conn), susulv1.NewCallbackServiceClient(s.conn)
	s.Policies, s.Devices = susulv1.NewResendPolicyServiceClient(s.conn), susulv1.NewDeviceServiceClient(s.conn)
	return Poll(ctx, func() (bool, error) {
		_, err := s.Pushes.ListPushes(ctx, &susulv1.ListPushesRequest{Parent: "apps/" + AppKey, PageSize: 1})
		return err == nil, nil
	})
}

// Poll asks again and again until the answer is yes.
func Poll(ctx context.Context, done func() (bool, error)) error {
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		if err := Rest(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

// Rest waits, or until ctx ends.
func Rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Stop ends the server in good order, so that its data is in one file.
func (s *Susul) Stop() error {
	s.disconnect()
	return s.Process.Stop()
}

// Kill ends the server as a power cut would.
func (s *Susul) Kill() {
	s.disconnect()
	s.Process.Kill()
}

func (s *Susul) disconnect() {
	if s.conn != nil {
		_ = s.conn.Close() // nothing is under way on it
	}
}

// credentials are the administrator's.
type credentials struct{}

func (credentials) RequireTransportSecurity() bool { return false }

func (credentials) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + adminToken}, nil
}
