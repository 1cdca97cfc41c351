package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // a database/sql driver
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	_ "modernc.org/sqlite" // a database/sql driver

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/replica/etcdtest"
	"susul.dev/susul/storage/postgres/postgrestest"
)

// fleetSize is how many nodes a fleet has.
const fleetSize = 3

// keeping is where a fleet keeps its data.
type keeping struct {
	name      string
	driver    string // as it is configured
	sqlDriver string // by which tests read it
	// dsn returns where a new database is, of a fleet with a folder.
	dsn func(t *testing.T, dir string) string
}

// keepings are those that a drill runs on.
func keepings() []keeping {
	return []keeping{
		{"SQLite", "sqlite", "sqlite", func(_ *testing.T, dir string) string { return filepath.Join(dir, database) }},
		{"PostgreSQL", "postgres", "pgx", func(t *testing.T, _ string) string {
			t.Helper()
			return postgrestest.Shared(t).Database(t)
		}},
	}
}

// fleet is nodes at addresses that outlast their processes, as behind a load balancer, with an etcd that outlasts them too.
type fleet struct {
	keeping
	dsn     string
	args    [][]string // by node
	http    []string   // addresses, by node
	members []*node    // only the test's own goroutine starts and looks at them

	turn   atomic.Int64
	web    *http.Client
	pushes susulv1.PushServiceClient // round robin over the nodes
}

// startFleet starts nodes that take calls, in front of an EngageLab.
func startFleet(t *testing.T, k keeping, engageLab string) *fleet {
	t.Helper()
	etcd := etcdtest.Start(t)
	dir := t.TempDir()
	f := &fleet{
		keeping: k, dsn: k.dsn(t, dir),
		// A server that closes an idle connection may do so just as a request is on its way, which its client can't tell from one that
		// was taken. So each request has a connection of its own, as a load balancer's user has it who repeats nothing.
		web: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	}
	t.Cleanup(f.web.CloseIdleConnections)
	settings := baseSettings(dir, engageLab)
	settings["storage"] = map[string]any{"driver": k.driver, "dsn": f.dsn}
	settings["apps"].([]any)[0].(map[string]any)["requests_per_second"] = 1e6
	config := writeSettings(t, settings)
	var state resolver.State
	for i := range fleetSize {
		overGRPC, overHTTP := freeAddress(t), freeAddress(t)
		f.http = append(f.http, overHTTP)
		state.Addresses = append(state.Addresses, resolver.Address{Addr: overGRPC})
		dataDir := dir
		if k.driver == "postgres" {
			dataDir = filepath.Join(dir, fmt.Sprint(i)) // they are as if on machines of their own
		}
		f.args = append(f.args, []string{"--config", config, "--etcd.endpoints", etcd.Address(), "--data_dir", dataDir,
			"--grpc.listen", overGRPC, "--http.listen", overHTTP})
	}
	addresses := manual.NewBuilderWithScheme("fleet")
	addresses.InitialState(state)
	conn, err := grpc.NewClient("fleet:///nodes", grpc.WithResolvers(addresses), grpc.WithPerRPCCredentials(administrator{}),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}]}`))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	f.pushes = susulv1.NewPushServiceClient(conn)
	for i := range fleetSize {
		f.members = append(f.members, serve(t, f.args[i]...))
	}
	f.awaitReady(t)
	return f
}

// awaitReady waits until every node takes calls.
func (f *fleet) awaitReady(t *testing.T) {
	t.Helper()
	for _, n := range f.members {
		eventually(t, "a node takes calls", func() bool { return n.readiness(t).Status == http.StatusOK })
	}
}

// restart starts a node in the place of one that is gone.
func (f *fleet) restart(t *testing.T, i int) {
	t.Helper()
	f.members[i] = serve(t, f.args[i]...)
}

// leader returns the number of the node that leads, or -1 if none of them says so.
func (f *fleet) leader(t *testing.T, among ...int) int {
	t.Helper()
	for _, i := range among {
		if f.members[i].readiness(t).Role == "leader" {
			return i
		}
	}
	return -1
}

// others are all nodes but one.
func (f *fleet) others(node int) []int {
	return slices.DeleteFunc(f.all(), func(i int) bool { return i == node })
}

func (f *fleet) all() (nodes []int) {
	for i := range f.members {
		nodes = append(nodes, i)
	}
	return nodes
}

// terminate stops all nodes, the one that leads last.
func (f *fleet) terminate(t *testing.T) {
	t.Helper()
	for _, n := range f.members {
		n.terminate(t, patience)
	}
}

// try calls one of the REST faces through the next node. Where a connection is refused, it takes the next but one: nothing was done
// there. Nothing else is repeated.
func (f *fleet) try(ctx context.Context, path string, body []byte, header http.Header) (answer, error) {
	first := int(f.turn.Add(1))
	var refused error
	for i := range fleetSize {
		got, err := f.tryAt(ctx, f.http[(first+i)%fleetSize], path, body, header)
		if !isRefused(err) {
			return got, err
		}
		refused = err
	}
	return answer{}, refused
}

// isRefused reports whether a connection was refused: at once, or by the kernel when nobody had accepted it by the end of a process.
func isRefused(err error) bool {
	op := new(net.OpError)
	return errors.As(err, &op) && op.Op == "dial" || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func (f *fleet) tryAt(ctx context.Context, address, path string, body []byte, header http.Header) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	maps.Copy(req.Header, header)
	req.SetBasicAuth(testApp, testSecret)
	got, err := f.web.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	return answer{got.StatusCode, got.Header, string(text)}, err
}

// claims returns when each dispatch was claimed, by the first three parts of its cid. Nobody may have the database.
func (f *fleet) claims(t *testing.T) map[string]time.Time {
	t.Helper()
	db, err := sql.Open(f.sqlDriver, f.dsn)
	require.NoError(t, err)
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), `SELECT push_id, step, chunk, claim_time FROM dispatch WHERE claim_time IS NOT NULL`)
	require.NoError(t, err)
	defer rows.Close()
	all := map[string]time.Time{}
	for rows.Next() {
		var push, step, chunk, at int64
		require.NoError(t, rows.Scan(&push, &step, &chunk, &at))
		all[fmt.Sprintf("%d-%d-%d", push, step, chunk)] = time.UnixMilli(at)
	}
	require.NoError(t, rows.Err())
	return all
}
