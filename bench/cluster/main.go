package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"susul.dev/susul/bench/load"
	"susul.dev/susul/bench/rig"
	"susul.dev/susul/storage/postgres/postgrestest"
)

// The parts that an arrangement goes through.
const (
	partCallbacks = "callbacks"
	partPushes    = "pushes"
	partChanges   = "changes"
	partTakeovers = "takeovers"
)

// bench is one run.
type bench struct {
	*rig.Bench
	settings
	say         io.Writer
	etcd        *rig.Process
	etcdAddress string
	database    *postgrestest.Server // nil where it is not asked for
}

// settings are what the arguments say.
type settings struct {
	dir          string
	parts        []string
	measure      time.Duration // of each load
	recipients   int
	connections  int
	changes      int
	stops, kills int
	profiles     string // folder; empty for none
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch {
	case slices.Equal(args, []string{load.Verb}):
		return load.Generate(ctx, os.Stdin, os.Stdout)
	case len(args) == 2 && args[0] == etcdVerb:
		return serveEtcd(ctx, args[1])
	default:
		return measure(ctx, args, os.Stdout)
	}
}

// measure runs the cases that the arguments name and prints what they came to.
func measure(ctx context.Context, args []string, out io.Writer) (err error) {
	b := &bench{say: out}
	flags := flag.NewFlagSet("cluster", flag.ExitOnError)
	names := flags.String("case", "", "`arrangements` to run, comma separated; default: all")
	parts := flags.String("part", "", "`parts` to run, comma separated: callbacks, pushes, changes, takeovers; default: all")
	seconds := flags.Int("seconds", 6, "how long each load is measured")
	flags.IntVar(&b.recipients, "recipients", 500_000, "of the large push, and of the many together; a multiple of 1000")
	flags.IntVar(&b.connections, "connections", 64, "of each load, together")
	flags.IntVar(&b.changes, "changes", 1000, "of the policy")
	flags.IntVar(&b.stops, "stops", 10, "of the leader, with SIGTERM")
	flags.IntVar(&b.kills, "kills", 3, "of the leader, with SIGKILL")
	flags.StringVar(&b.profiles, "profiles", "", "`folder` for the nodes' CPU profiles of each load; default: none are taken")
	binary := flags.String("susul", "", "`path` of the binary to measure; default: it is built")
	flags.StringVar(&b.dir, "dir", "", "`folder` for the data, on the disk to measure; default: the temporary folder")
	_ = flags.Parse(args) // ends the program itself

	b.measure = time.Duration(*seconds) * time.Second
	if b.recipients < rig.ChunkSize || b.recipients%rig.ChunkSize != 0 {
		return errors.New("--recipients must be a multiple of 1000")
	}
	chosen, err := rig.Choose(arrangements(), func(c arrangement) string { return c.name }, *names)
	if err == nil {
		b.parts, err = chooseParts(*parts)
	}
	if err != nil {
		return err
	}
	if b.Bench, err = rig.NewBench(ctx, b.dir, *binary); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	return b.all(ctx, chosen)
}

func chooseParts(names string) ([]string, error) {
	all := []string{partCallbacks, partPushes, partChanges, partTakeovers}
	if names == "" {
		return all, nil
	}
	for name := range strings.SplitSeq(names, ",") {
		if !slices.Contains(all, name) {
			return nil, fmt.Errorf("--part %s: there is no such part", name)
		}
	}
	return strings.Split(names, ","), nil
}

// all runs the yardstick and the arrangements. The last line is everything in JSON.
func (b *bench) all(ctx context.Context, chosen []arrangement) (err error) {
	fmt.Fprintf(b.say, "%d processors, which the nodes, their storage, etcd, the load and the stand-in EngageLab share\n", runtime.NumCPU())
	if err := b.startEtcd(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.etcd.Stop()) }()
	var plain *inserts
	if slices.ContainsFunc(chosen, func(a arrangement) bool { return a.postgres }) {
		if b.database, err = postgrestest.Start(postgrestest.Options{Durable: true, Dir: b.dir, Settings: postgresSettings()}); err != nil { //nolint:contextcheck // it is stopped when the run ends
			return fmt.Errorf("%w (--case sqlite-1,sqlite-3 measures the others)", err)
		}
		defer b.database.Stop()
		measured, err := plainInserts(ctx, b.Dir, b.database, b.measure)
		if err != nil {
			return err
		}
		plain = &measured
		fmt.Fprintf(b.say, "pgbench (PostgreSQL alone, %d plain rows a transaction, %d clients): %.0f rows/s, "+
			"%.2f ms a transaction, %.2f µs CPU a row\n", rowsPerCommit, pgbenchClients, plain.RowsPerSecond, plain.CommitMillis, plain.CPUPerRow)
	}
	var results []result
	for _, a := range chosen {
		r, err := b.run(ctx, a)
		if err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		r.compare(a, plain)
		results = append(results, r)
	}
	b.tables(results)
	line, err := json.Marshal(struct {
		Bench   string   `json:"bench"`
		Seconds float64  `json:"seconds"`
		CPUs    int      `json:"cpus"`
		Go      string   `json:"go"`
		Plain   *inserts `json:"pgbench,omitempty"`
		Cases   []result `json:"cases"`
	}{"cluster", b.measure.Seconds(), runtime.NumCPU(), runtime.Version(), plain, results})
	if err != nil {
		return err
	}
	fmt.Fprintf(b.say, "%s\n", line)
	return nil
}
