package rig

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
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

const (
	startTimeout = 5 * time.Minute // recovery included
	stopTimeout  = time.Minute

	maxLogLine = 1 << 20
)

// Home is where the lives of a server find what the earlier ones left.
type Home struct {
	Dir            string // everything that it keeps
	binary, config string
}

// NewHome makes a folder with a configuration for a server that reports to nobody but the stand-in EngageLab.
func (b *Bench) NewHome() (h Home, err error) {
	if h.Dir, err = os.MkdirTemp(b.Dir, "case-"); err != nil {
		return h, err
	}
	h.binary, h.config = b.binary, filepath.Join(h.Dir, "susul.yaml")
	local := map[string]any{"listen": "127.0.0.1:0"}
	text, err := json.Marshal(map[string]any{
		"data_dir": h.data(), "grpc": local, "http": local, "ops": local,
		"log": map[string]any{"format": "json"}, "admin": map[string]any{"tokens": []string{adminToken}},
		"relay": map[string]any{"allow_private_networks": true},
		"apps": []any{map[string]any{
			"app_key": AppKey, "master_secret": masterSecret, "base_url": b.Lab.URL, "requests_per_second": 1e6,
			"callback": map[string]any{"username": CallbackUser, "secret": CallbackSecret},
		}},
	})
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
	HTTP      string // where it listens
	Pushes    susulv1.PushServiceClient
	Callbacks susulv1.CallbackServiceClient
	Policies  susulv1.ResendPolicyServiceClient
	Devices   susulv1.DeviceServiceClient
	conn      *grpc.ClientConn
}

// Live starts a server, does something with it and stops it.
func (h Home) Live(ctx context.Context, do func(*Susul) error) error {
	s, err := h.start(ctx)
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.stop())
}

// start starts a server and waits until it is ready.
func (h Home) start(ctx context.Context) (*Susul, error) {
	s := &Susul{Process: Process{cmd: exec.CommandContext(ctx, h.binary, "serve", "--config", h.config)}} //nolint:gosec // our own binary
	lines, err := s.Launch(filepath.Join(h.Dir, "log"))
	if err != nil {
		return nil, err
	}
	if err := s.connect(ctx, lines); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// connect finds out where the server listens, and waits until it leads.
func (s *Susul) connect(ctx context.Context, lines <-chan []byte) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	var at struct{ Msg, GRPC, HTTP string }
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
	s.HTTP = at.HTTP
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

// stop ends the server in good order, so that its data is in one file.
func (s *Susul) stop() error {
	if s.conn != nil {
		_ = s.conn.Close() // nothing is under way on it
	}
	return s.Stop()
}

// credentials are the administrator's.
type credentials struct{}

func (credentials) RequireTransportSecurity() bool { return false }

func (credentials) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + adminToken}, nil
}

// Process is a child whose standard error is kept.
type Process struct {
	cmd    *exec.Cmd
	log    string
	exited chan struct{}
	err    error // how it ended; valid once exited is closed
}

// NewProcess prepares to run a command.
func NewProcess(cmd *exec.Cmd) *Process { return &Process{cmd: cmd} }

// Launch starts the process and hands out the first lines of its log; all of them go to the file.
func (p *Process) Launch(log string) (lines <-chan []byte, err error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	p.log, p.exited = log, make(chan struct{})
	stderr, err := p.cmd.StderrPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	first := make(chan []byte, 100)
	go func() {
		defer close(p.exited)
		scanner := bufio.NewScanner(stderr)
		scanner.Buffer(nil, maxLogLine)
		for scanner.Scan() {
			_, _ = file.Write(append(scanner.Bytes(), '\n')) // a log that is cut short does no harm
			select {
			case first <- bytes.Clone(scanner.Bytes()):
			default:
			}
		}
		close(first)
		p.err = errors.Join(p.cmd.Wait(), file.Close())
	}()
	return first, nil
}

// Stop asks the process to end, and kills it if it does not.
func (p *Process) Stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may be gone
	select {
	case <-p.exited:
	case <-time.After(stopTimeout):
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
	if p.err != nil {
		text, _ := os.ReadFile(p.log)
		return fmt.Errorf("%s: %w\n%s", p.cmd, p.err, text[max(0, len(text)-2000):])
	}
	return nil
}

// Usage is what a process has taken.
type Usage struct {
	CPU       time.Duration
	RSS, Peak int64 // bytes; the peak is since the last call of ForgetPeak
}

// clockTick is the unit of /proc/…/stat on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// Usage returns what the process has taken up to now.
func (p *Process) Usage() (u Usage, err error) {
	stat, err := os.ReadFile(p.proc("stat"))
	if err != nil {
		return u, err
	}
	// The name before the last parenthesis can hold anything; utime and stime are the 12th and 13th after it.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	for _, field := range fields[11:13] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return u, err
		}
		u.CPU += time.Duration(ticks) * clockTick
	}
	status, err := os.ReadFile(p.proc("status"))
	if err != nil {
		return u, err
	}
	for line := range strings.Lines(string(status)) {
		var kilobytes int64
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kilobytes); n == 1 {
			u.RSS = kilobytes << 10
		}
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kilobytes); n == 1 {
			u.Peak = kilobytes << 10
		}
	}
	return u, nil
}

// ForgetPeak lets the peak of the resident set begin anew.
func (p *Process) ForgetPeak() error { return os.WriteFile(p.proc("clear_refs"), []byte("5"), 0) }

func (p *Process) proc(file string) string {
	return filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), file)
}
