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
	"text/tabwriter"
	"time"

	"susul.dev/susul/bench/load"
	"susul.dev/susul/bench/rig"
)

// answerVerb is the argument with which this program starts itself as a server that only answers.
const answerVerb = "answer"

const million = 1_000_000

// scenarios returns all cases. Overload is left out of a run that does not name it.
func scenarios(measure time.Duration) []scenario {
	all := []scenario{
		{name: "1-push", pushes: 1, recipients: million, active: 16, minBatch: 100, maxBatch: 100},
		{name: "1000-pushes", pushes: 1000, recipients: 1000, active: 1000, minBatch: 100, maxBatch: 100},
		{name: "batch-1", pushes: 1, recipients: million, active: 16, minBatch: 1, maxBatch: 1},
		{name: "batch-10", pushes: 1, recipients: million, active: 16, minBatch: 10, maxBatch: 10},
		{name: "batch-1-200", pushes: 1, recipients: million, active: 16, minBatch: 1, maxBatch: 200},
		{name: overloadCase, pushes: 1, recipients: million, active: 16, minBatch: 100, maxBatch: 100,
			overload: 3, connections: 4096},
	}
	for i := range all {
		all[i].measure = measure
	}
	return all
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "ingest:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch {
	case slices.Equal(args, []string{load.Verb}):
		return load.Generate(ctx, os.Stdin, os.Stdout)
	case slices.Equal(args, []string{answerVerb}):
		return serveAnswers(ctx)
	default:
		return measure(ctx, args, os.Stdout)
	}
}

// measure runs the cases that the arguments name and prints what they came to.
func measure(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("ingest", flag.ExitOnError)
	names := flags.String("case", "", "`cases` to run, comma separated; default: all but "+overloadCase)
	seconds := flags.Int("seconds", 10, "how long each case is measured")
	binary := flags.String("susul", "", "`path` of the binary to measure; default: it is built")
	dir := flags.String("dir", "", "`folder` for the data, on the disk to measure; default: the temporary folder")
	_ = flags.Parse(args) // ends the program itself

	length := time.Duration(*seconds) * time.Second
	chosen, err := choose(scenarios(length), *names)
	if err != nil {
		return err
	}
	b := &bench{say: out}
	if b.Bench, err = rig.NewBench(ctx, *dir, *binary); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	return b.all(ctx, chosen, length)
}

func choose(all []scenario, names string) (chosen []scenario, err error) {
	for _, c := range all {
		if names == "" && c.name != overloadCase || slices.Contains(strings.Split(names, ","), c.name) {
			chosen = append(chosen, c)
		}
	}
	if names != "" && len(chosen) != len(strings.Split(names, ",")) {
		return nil, fmt.Errorf("--case %s: there is no such case", names)
	}
	return chosen, nil
}

// all runs the yardsticks and the cases. The last line is everything in JSON.
func (b *bench) all(ctx context.Context, chosen []scenario, length time.Duration) error {
	y, err := b.yardsticks(ctx, length)
	if err != nil {
		return err
	}
	fmt.Fprintf(b.say, "append (SQLite alone, %d rows a transaction): %.0f rows/s, %.2f µs CPU a row\n", appendRows, y.AppendRows, y.AppendCPU)
	fmt.Fprintf(b.say, "answer (net/http alone, 100 rows a request): %.0f rows/s, %.2f µs CPU a row\n", y.AnswerRows, y.AnswerCPU)
	var results []result
	var faults error
	for _, c := range chosen {
		r, err := b.run(ctx, c)
		if err != nil {
			return err
		}
		r.OfAppend, r.OfAnswer = rig.Round(r.RowsPerSecond/y.AppendRows, 3), rig.Round(r.RowsPerSecond/y.AnswerRows, 3)
		results = append(results, r)
		fmt.Fprintf(b.say, "%s: %.0f rows/s; %d rows about %d recipients of %d pushes, each counted once\n",
			r.Case, r.RowsPerSecond, r.Rows, r.Recipients, r.Pushes)
		if c.overload > 0 {
			faults = errors.Join(faults, r.judge(b.say))
		}
	}
	b.table(results)
	line, err := json.Marshal(struct {
		Bench      string     `json:"bench"`
		Seconds    float64    `json:"seconds"`
		CPUs       int        `json:"cpus"`
		Go         string     `json:"go"`
		Yardsticks yardsticks `json:"yardsticks"`
		Cases      []result   `json:"cases"`
	}{"ingest", length.Seconds(), runtime.NumCPU(), runtime.Version(), y, results})
	if err != nil {
		return err
	}
	fmt.Fprintf(b.say, "%s\n", line)
	return faults
}

func (b *bench) table(results []result) {
	t := tabwriter.NewWriter(b.say, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "case\trows/s\tCPU µs/row\tp50 ms\tp99 ms\tmax ms\tRSS MB\tpeak\tper million\tB/event\tB/recipient\tof append\tof answer\tload µs/row\t")
	for _, r := range results {
		fmt.Fprintf(t, "%s\t%.0f\t%.2f\t%.1f\t%.1f\t%.1f\t%.0f\t%.0f\t%.0f\t%.1f\t%.1f\t%.3f\t%.3f\t%.2f\t\n", r.Case, r.RowsPerSecond,
			r.CPUPerRow, r.P50, r.P99, r.Max, r.RSS, r.PeakRSS, r.RSSPerMillion, r.BytesEvent, r.BytesRecipient, r.OfAppend, r.OfAnswer, r.LoadCPU)
	}
	_ = t.Flush() // a table that cannot be written has no reader
}
