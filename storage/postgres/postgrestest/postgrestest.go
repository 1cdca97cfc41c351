// Package postgrestest runs a PostgreSQL of its own for the tests of one process, on a loopback port, from the programs that are
// installed.
package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Demand is the environment variable that makes tests fail, instead of being skipped, where PostgreSQL is not installed: when it is
// "required".
const Demand = "TEST_POSTGRES"

// startWithin bounds the start of PostgreSQL, and stopWithin its stop.
const (
	startWithin = time.Minute
	stopWithin  = 20 * time.Second
)

// errMissing says that PostgreSQL is not installed.
var errMissing = errors.New("PostgreSQL is not installed: there is no initdb in PATH, nor in /usr/lib/postgresql")

// Options say how durable the PostgreSQL is.
type Options struct {
	// Durable has it wait for the disk, as it does where data counts. Without it, only the machine's crash loses something.
	Durable bool
	// Dir is where its folder is made; empty for the temporary folder.
	Dir string
	// Settings are further settings, such as "shared_buffers=1GB".
	Settings []string
}

// Server is a PostgreSQL that runs, unless it was brought down.
type Server struct {
	dir     string
	data    string
	bin     string // where PostgreSQL's programs are
	owner   *syscall.SysProcAttr
	options Options
	port    int
	created atomic.Int64

	cmd    *exec.Cmd
	alive  io.Closer // PostgreSQL stops when it is closed, by us or by our death
	exited chan struct{}
}

// shared is the server that all tests of the process share.
var shared struct {
	mu       sync.Mutex
	server   *Server
	err      error
	migrated string // a database of which nothing but its schema is there; empty until somebody needs it
}

// Shared returns the PostgreSQL of this process's tests, started by the first that asks. Where PostgreSQL is not installed, the test is
// skipped, or fails if Demand says so. TestMain must run Tests, or call Stop after the tests.
func Shared(tb testing.TB) *Server {
	tb.Helper()
	server, err := process()
	switch {
	case errors.Is(err, errMissing) && os.Getenv(Demand) != "required":
		tb.Skipf("SKIPPED: %v. Debian has it in the package postgresql.", err)
	case err != nil:
		tb.Fatal(err)
	}
	return server
}

func process() (*Server, error) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server == nil && shared.err == nil {
		shared.server, shared.err = Start(Options{})
	}
	return shared.server, shared.err
}

// Migrated makes a database with a schema on the PostgreSQL of this process's tests, and returns its DSN. It is gone when the test ends.
// The first who asks migrates one; all get copies of that, for to migrate one takes longer than most tests.
func Migrated(tb testing.TB, migrate func(ctx context.Context, dsn string) error) (dsn string) {
	tb.Helper()
	server := Shared(tb)
	template, err := migrated(server, migrate)
	if err != nil {
		tb.Fatal(err)
	}
	return server.Copy(tb, template)
}

func migrated(server *Server, migrate func(ctx context.Context, dsn string) error) (string, error) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.migrated != "" {
		return shared.migrated, nil
	}
	ctx := context.Background() // it outlives the test that asks first
	name, err := server.Create(ctx, "")
	if err != nil {
		return "", err
	}
	if err := migrate(ctx, server.DSN(name)); err != nil {
		return "", err
	}
	shared.migrated = name
	return name, nil
}

// Stop ends the PostgreSQL of this process's tests, if there is one.
func Stop() {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server != nil {
		shared.server.Stop()
		shared.server, shared.migrated = nil, ""
	}
}

// Tests are those of a package, with the PostgreSQL that they share: it stops ahead of the look for what leaked. It is for TestMain:
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(postgrestest.Tests{M: m}) }
type Tests struct{ *testing.M }

// Run runs them.
func (t Tests) Run() int {
	defer Stop()
	return t.M.Run()
}

// Start runs a PostgreSQL until Stop, or until this process ends, however it does.
func Start(o Options) (*Server, error) {
	initdb, err := program("initdb")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(o.Dir, "postgres")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, data: filepath.Join(dir, "data"), bin: filepath.Dir(initdb), options: o}
	if err := s.start(initdb); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

func (s *Server) start(initdb string) (err error) {
	if s.owner, err = credential(s.dir); err != nil {
		return err
	}
	create := exec.Command(initdb, "--pgdata", s.data, "--username", "susul", "--auth", "trust", //nolint:gosec,noctx // an installed program
		"--encoding", "UTF8", "--locale", "C", "--no-sync")
	create.Dir, create.SysProcAttr = s.dir, s.owner
	if output, err := create.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, output)
	}
	if s.port, err = freePort(); err != nil {
		return err
	}
	return s.Up()
}

// Up runs the server, after Down, below a shell that stops it when this process is gone, and waits until it answers.
func (s *Server) Up() error {
	arguments := []string{"-c", `"$@" >>postgres.log 2>&1 & trap 'kill -INT $!' TERM INT; cat >/dev/null; kill -INT $!; wait $!`, "sh",
		filepath.Join(s.bin, "postgres"), "-D", s.data, "-p", strconv.Itoa(s.port), "-k", s.dir}
	settings := []string{"listen_addresses=127.0.0.1", "max_connections=300"}
	if !s.options.Durable {
		settings = append(settings, "fsync=off", "full_page_writes=off")
	}
	for _, setting := range slices.Concat(settings, s.options.Settings) {
		arguments = append(arguments, "-c", setting)
	}
	cmd := exec.Command("/bin/sh", arguments...) //nolint:gosec,noctx // an installed program
	cmd.Dir, cmd.SysProcAttr = s.dir, s.owner
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	exited := make(chan struct{})
	s.cmd, s.alive, s.exited = cmd, stdin, exited
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	return s.await()
}

// Down stops the server, which ends all connections and transactions; Up brings it back. If it crashes, it does not put its data in
// order before, and recovers later.
func (s *Server) Down(crash bool) error {
	if crash {
		file, err := os.ReadFile(filepath.Join(s.data, "postmaster.pid"))
		if err != nil {
			return err
		}
		first, _, _ := strings.Cut(string(file), "\n")
		pid, err := strconv.Atoi(first)
		if err != nil {
			return err
		}
		if err := syscall.Kill(pid, syscall.SIGQUIT); err != nil {
			return err
		}
	}
	s.halt()
	return nil
}

// halt stops the server, if it runs.
func (s *Server) halt() {
	if s.alive == nil {
		return
	}
	_ = s.alive.Close()
	select {
	case <-s.exited:
	case <-time.After(stopWithin):
		_ = s.cmd.Process.Kill()
	}
	s.alive = nil
}

// await waits until the server takes connections.
func (s *Server) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.DSN("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-s.exited:
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond): // nothing tells when it is ready
			continue
		}
		said, _ := os.ReadFile(filepath.Join(s.dir, "postgres.log"))
		return fmt.Errorf("PostgreSQL did not start: %w\n%s", err, said)
	}
}

// Stop ends the server and deletes its data. It must be called once.
func (s *Server) Stop() {
	s.halt()
	_ = os.RemoveAll(s.dir)
}

// Program returns the path of another of PostgreSQL's programs, such as pgbench.
func (s *Server) Program(name string) string { return filepath.Join(s.bin, name) }

// PID is of the process that all of the server's descend from.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// DSN returns how to connect to one of its databases.
func (s *Server) DSN(database string) string {
	return fmt.Sprintf("postgres://susul@127.0.0.1:%d/%s?sslmode=disable", s.port, database)
}

// Create makes an empty database, or a copy of a template that nobody is connected to, and returns its name.
func (s *Server) Create(ctx context.Context, template string) (name string, err error) {
	conn, err := pgx.Connect(ctx, s.DSN("postgres"))
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	name = fmt.Sprintf("test_%d", s.created.Add(1))
	statement := "CREATE DATABASE " + name
	if template != "" {
		statement += " TEMPLATE " + template
	}
	_, err = conn.Exec(ctx, statement)
	return name, err
}

// Drop deletes a database, whoever is connected to it.
func (s *Server) Drop(ctx context.Context, name string) error {
	conn, err := pgx.Connect(ctx, s.DSN("postgres"))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
	return errors.Join(err, conn.Close(ctx))
}

// Database makes an empty database for a test and returns its DSN. It is gone when the test ends.
func (s *Server) Database(tb testing.TB) string {
	tb.Helper()
	return s.Copy(tb, "")
}

// Copy is Database with what a template holds that nobody is connected to.
func (s *Server) Copy(tb testing.TB, template string) (dsn string) {
	tb.Helper()
	name, err := s.Create(context.Background(), template)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Drop(context.Background(), name); err != nil {
			tb.Error(err)
		}
	})
	return s.DSN(name)
}

// program finds one of PostgreSQL's programs; of several versions the latest.
func program(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return filepath.EvalSymlinks(path)
	}
	found, _ := filepath.Glob(filepath.Join("/usr/lib/postgresql/*/bin", name))
	if len(found) == 0 {
		return "", errMissing
	}
	slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
	return found[len(found)-1], nil
}

// version is the number in /usr/lib/postgresql/<version>/bin/<program>.
func version(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return n
}

// credential hands a folder to the user who is to run PostgreSQL: it refuses to run as root.
func credential(dir string) (*syscall.SysProcAttr, error) {
	if os.Getuid() != 0 {
		return &syscall.SysProcAttr{}, nil
	}
	owner, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root: %w", err)
	}
	uid, _ := strconv.ParseUint(owner.Uid, 10, 32)
	gid, _ := strconv.ParseUint(owner.Gid, 10, 32)
	if err := os.Chown(dir, int(uid), int(gid)); err != nil {
		return nil, err
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is closed at once
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
