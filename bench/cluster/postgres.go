package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"susul.dev/susul/bench/load"
	"susul.dev/susul/bench/rig"
	"susul.dev/susul/storage/postgres/postgrestest"
)

const (
	// rowsPerCommit are what pgbench inserts in a transaction, and what EngageLab posts in a request.
	rowsPerCommit = 100

	pgbenchClients = 8
	pgbenchThreads = 2
)

// postgresSettings are PostgreSQL's, as somebody sets them who gives it a small machine.
func postgresSettings() []string {
	return []string{"shared_buffers=1GB", "max_wal_size=8GB", "wal_compression=on"}
}

// plainTable has rows of an event's size and nothing else.
const plainTable = `CREATE TABLE event (push bigint, recipient int, step smallint, milestone smallint, happened bigint)`

// plainInsert is one transaction.
const plainInsert = `INSERT INTO event SELECT 1792304712334409728, g, 1, 3, 1764127706 FROM generate_series(1, 100) g;
`

// inserts are what pgbench came to.
type inserts struct {
	RowsPerSecond float64 `json:"rows_per_second"`
	CommitMillis  float64 `json:"commit_mean_ms"`
	CPUPerRow     float64 `json:"postgres_cpu_us_per_row"`
}

var (
	tpsLine     = regexp.MustCompile(`tps = ([0-9.]+)`)
	latencyLine = regexp.MustCompile(`latency average = ([0-9.]+) ms`)
)

// plainInserts has pgbench insert for a while.
func plainInserts(ctx context.Context, dir string, server *postgrestest.Server, measure time.Duration) (r inserts, err error) {
	name, err := server.Create(ctx, "")
	if err != nil {
		return r, err
	}
	script := filepath.Join(dir, "insert.sql")
	if err := os.WriteFile(script, []byte(plainInsert), 0o600); err != nil {
		return r, err
	}
	dsn := server.DSN(name)
	if out, err := exec.CommandContext(ctx, server.Program("psql"), "-c", plainTable, dsn).CombinedOutput(); err != nil { //nolint:gosec // an installed program
		return r, fmt.Errorf("psql: %w\n%s", err, out)
	}
	tree := rig.Tree{PID: server.PID()}
	before, err := tree.Usage()
	if err != nil {
		return r, err
	}
	out, err := exec.CommandContext(ctx, server.Program("pgbench"), "--no-vacuum", "--protocol=prepared", "--file", script, //nolint:gosec // an installed program
		"--client", strconv.Itoa(pgbenchClients), "--jobs", strconv.Itoa(pgbenchThreads), "--time", strconv.Itoa(int(measure.Seconds())),
		dsn).CombinedOutput()
	if err != nil {
		return r, fmt.Errorf("pgbench: %w\n%s", err, out)
	}
	after, err := tree.Usage()
	if err != nil {
		return r, err
	}
	tps, latency := tpsLine.FindSubmatch(out), latencyLine.FindSubmatch(out)
	if tps == nil || latency == nil {
		return r, fmt.Errorf("pgbench says what is not understood:\n%s", out)
	}
	perSecond, _ := strconv.ParseFloat(string(tps[1]), 64) // the pattern has seen to it
	r.CommitMillis, _ = strconv.ParseFloat(string(latency[1]), 64)
	r.RowsPerSecond = rig.Round(perSecond*rowsPerCommit, 0)
	r.CPUPerRow = load.PerRow(after.CPU-before.CPU, int(r.RowsPerSecond*measure.Seconds()))
	return r, server.Drop(ctx, name)
}
