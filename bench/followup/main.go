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
	"path/filepath"
	"runtime"
	"syscall"
	"text/tabwriter"
	"time"

	"susul.dev/susul/bench/rig"
)

// scenarios are the cases: what the follow-up says.
func scenarios() []scenario {
	return []scenario{
		{name: "plain", alert: "Three things to know today are still waiting for you."},
		{name: "personal", alert: "{{ device.attributes.first_name }}, three things are still waiting for you.", personal: true},
	}
}

func main() {
	if err := measure(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "followup:", err)
		os.Exit(1)
	}
}

// measure runs the cases that the arguments name and prints what they came to.
func measure(args []string, out io.Writer) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	flags := flag.NewFlagSet("followup", flag.ExitOnError)
	names := flags.String("case", "", "`cases` to run, comma separated; default: all")
	recipients := flags.Int("recipients", 1_000_000, "of the push, a multiple of 1000")
	after := flags.Duration("after", time.Minute, "when the step is due after the push; time for what comes before it")
	binary := flags.String("susul", "", "`path` of the binary to measure; default: it is built")
	dir := flags.String("dir", "", "`folder` for the data, on the disk to measure; default: the temporary folder")
	_ = flags.Parse(args) // ends the program itself

	chosen, err := rig.Choose(scenarios(), func(c scenario) string { return c.name }, *names)
	if err != nil {
		return err
	}
	if *recipients < rig.ChunkSize || *recipients%rig.ChunkSize != 0 {
		return errors.New("--recipients must be a multiple of 1000")
	}
	b := &bench{recipients: *recipients, after: *after, say: out}
	if b.Bench, err = rig.NewBench(ctx, *dir, *binary); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	return b.all(ctx, chosen)
}

// all runs the yardstick and the cases. The last line is everything in JSON.
func (b *bench) all(ctx context.Context, chosen []scenario) error {
	scan, err := scanBare(ctx, filepath.Join(b.Dir, "scan.db"), b.recipients)
	if err != nil {
		return fmt.Errorf("scan: %w", err)
	}
	fmt.Fprintf(b.say, "scan (SQLite alone, %d rows, the ids of those who have not clicked): %.3f s, CPU %.3f s\n",
		b.recipients, scan.Seconds, scan.CPU)
	var results []result
	for _, c := range chosen {
		r, err := b.run(ctx, c)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		r.OfScan = rig.Round(r.PlanSeconds/scan.Seconds, 2)
		results = append(results, r)
		fmt.Fprintf(b.say, "%s: planned in %.3f s, sent after another %.1f s; %d recipients in %d requests, each once\n",
			r.Case, r.PlanSeconds, r.SendSeconds, r.Recipients, r.Requests)
	}
	b.table(results)
	line, err := json.Marshal(struct {
		Bench      string    `json:"bench"`
		Recipients int       `json:"recipients"`
		CPUs       int       `json:"cpus"`
		Go         string    `json:"go"`
		Scan       yardstick `json:"scan"`
		Cases      []result  `json:"cases"`
	}{"follow-up", b.recipients, runtime.NumCPU(), runtime.Version(), scan, results})
	if err != nil {
		return err
	}
	fmt.Fprintf(b.say, "%s\n", line)
	return nil
}

func (b *bench) table(results []result) {
	t := tabwriter.NewWriter(b.say, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "case\tplan s\tof scan\tserver CPU s\tsend s\tRSS MB\tpeak\t"+
		"callback max ms: quiet\tplan\tsend\tp99: quiet\tplan\tsend\trefused\t")
	for _, r := range results {
		fmt.Fprintf(t, "%s\t%.3f\t%.2f\t%.2f\t%.1f\t%.0f\t%.0f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%d\t\n",
			r.Case, r.PlanSeconds, r.OfScan, r.PlanCPU, r.SendSeconds, r.RSS, r.PeakRSS,
			r.Quiet.Max, r.Planning.Max, r.Sending.Max, r.Quiet.P99, r.Planning.P99, r.Sending.P99, r.Refused)
	}
	_ = t.Flush() // a table that cannot be written has no reader
}
