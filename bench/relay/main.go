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
	"syscall"
	"text/tabwriter"

	"susul.dev/susul/bench/rig"
)

// scenario is one case.
type scenario struct {
	name      string
	endpoints int
	pushes    int // of 1,000 recipients
}

func scenarios() []scenario {
	return []scenario{
		{"1-endpoint", 1, 150},
		{"100-endpoints", 100, 6},
	}
}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "relay:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	flags := flag.NewFlagSet("relay", flag.ExitOnError)
	names := flags.String("case", "", "`cases` to run, comma separated; default: all")
	binary := flags.String("susul", "", "`path` of the binary to measure; default: it is built")
	dir := flags.String("dir", "", "`folder` for the data, on the disk to measure; default: the temporary folder")
	bare := flags.Bool("bare", false, "be the yardstick: read what to post from standard input")
	_ = flags.Parse(args) // ends the program itself
	if *bare {
		return postBare(ctx, os.Stdin, out)
	}
	chosen, err := rig.Choose(scenarios(), func(c scenario) string { return c.name }, *names)
	if err != nil {
		return err
	}
	b := &bench{say: out}
	if b.Bench, err = rig.NewBench(ctx, *dir, *binary); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	return b.all(ctx, chosen)
}

// all runs the cases. The last line is everything in JSON.
func (b *bench) all(ctx context.Context, chosen []scenario) error {
	var results []result
	for _, c := range chosen {
		r, err := b.run(ctx, c)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		results = append(results, r)
		fmt.Fprintf(b.say, "%s: %d events in %d posts, all there and in order\n", r.Case, r.Events, r.Posts)
	}
	t := tabwriter.NewWriter(b.say, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "case\tevents/s\tposts/s\tCPU µs/event\tpeak MB\tbare events/s\tbare CPU µs/event\tof bare: events/s\tCPU\t")
	for _, r := range results {
		fmt.Fprintf(t, "%s\t%.0f\t%.0f\t%.2f\t%.0f\t%.0f\t%.2f\t%.2f\t%.2f\t\n", r.Case, r.EventsPerSecond, r.PostsPerSecond,
			r.CPUMicros, r.PeakRSS, r.Bare.EventsPerSecond, r.Bare.CPUMicros, r.RateToBare, r.CPUToBare)
	}
	_ = t.Flush() // a table that cannot be written has no reader
	line, err := json.Marshal(struct {
		Bench string   `json:"bench"`
		CPUs  int      `json:"cpus"`
		Go    string   `json:"go"`
		Cases []result `json:"cases"`
	}{"relay", runtime.NumCPU(), runtime.Version(), results})
	if err != nil {
		return err
	}
	fmt.Fprintf(b.say, "%s\n", line)
	return nil
}
