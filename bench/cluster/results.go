package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"

	"susul.dev/susul/bench/rig"
)

// result is what an arrangement came to.
type result struct {
	Case      string           `json:"case"`
	Nodes     int              `json:"nodes"`
	Loads     []loadResult     `json:"loads"`
	Changes   *changesResult   `json:"policy_changes,omitempty"`
	Takeovers *takeoversResult `json:"takeovers,omitempty"`
}

// run takes an arrangement through its parts.
func (b *bench) run(ctx context.Context, a arrangement) (r result, err error) {
	c, stop, err := b.start(ctx, a)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	r = result{Case: a.name, Nodes: a.nodes}
	for _, part := range []struct {
		name    string
		several bool // it takes more than one node
		run     func() error
	}{
		{partCallbacks, false, func() error {
			loads, err := c.callbacks(ctx)
			r.Loads = append(r.Loads, loads...)
			return err
		}},
		{partPushes, false, func() error {
			loads, err := c.sendPushes(ctx)
			r.Loads = append(r.Loads, loads...)
			return err
		}},
		{partChanges, true, func() error {
			changes, err := c.changePolicy(ctx)
			r.Changes = &changes
			return err
		}},
		{partTakeovers, true, func() error {
			takeovers, err := c.takeovers(ctx)
			r.Takeovers = &takeovers
			return err
		}},
	} {
		if !slices.Contains(b.parts, part.name) || part.several && a.nodes == 1 {
			continue
		}
		if err := part.run(); err != nil {
			return r, fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return r, nil
}

// compare sets what PostgreSQL took beside plain inserts.
func (r *result) compare(a arrangement, plain *inserts) {
	if !a.postgres || plain == nil {
		return
	}
	for i := range r.Loads {
		r.Loads[i].OfPlain = rig.Round(r.Loads[i].PerSecond/plain.RowsPerSecond, 3)
	}
}

// tables prints all figures.
func (b *bench) tables(results []result) {
	t := tabwriter.NewWriter(b.say, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "case\tload\tper second\tof pgbench\tp50 ms\tp99 ms\tmax ms\t"+
		"CPU µs each: leader\tothers\tPostgreSQL\tetcd\tEngageLab\tload\tbusy\twith others\tpeak MB\trefused\t")
	for _, r := range results {
		for _, l := range r.Loads {
			others := max(0, l.Costs.sum()-l.Costs.Nodes[0]-l.Costs.Postgres)
			fmt.Fprintf(t, "%s\t%s\t%.0f\t%s\t%.1f\t%.1f\t%.1f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.0f\t%d\t\n",
				r.Case, l.Load, l.PerSecond, ratio(l.OfPlain), l.Requests.P50, l.Requests.P99, l.Requests.Max,
				l.Costs.Nodes[0], others, l.Costs.Postgres, l.Costs.Etcd, l.Costs.EngageLab, l.Costs.Load, l.Costs.Busy, l.Costs.Foreign, l.Costs.PeakRSS, l.Refused)
		}
	}
	_ = t.Flush() // a table that cannot be written has no reader
	for _, r := range results {
		if r.Changes != nil {
			fmt.Fprintf(b.say, "%s: a policy change is everywhere after p50 %.2f, p99 %.2f, max %.2f ms; the call takes %.2f, %.2f, %.2f ms\n", r.Case,
				r.Changes.Everywhere.P50, r.Changes.Everywhere.P99, r.Changes.Everywhere.Max,
				r.Changes.Calls.P50, r.Changes.Calls.P99, r.Changes.Calls.Max)
		}
		if r.Takeovers != nil {
			for _, going := range []struct {
				name string
				goings
			}{{"SIGTERM", r.Takeovers.Stops}, {"SIGKILL", r.Takeovers.Kills}} {
				fmt.Fprintf(b.say, "%s: after %s another is elected after p50 %.0f, max %.0f ms, and has answered after %.0f, %.0f ms; "+
					"a caller waits for up to %.0f, %.0f ms\n", r.Case, going.name, going.Elected.P50, going.Elected.Max,
					going.Answered.P50, going.Answered.Max, going.Pause.P50, going.Pause.Max)
			}
		}
	}
}

// ratio is a dash where there is none.
func ratio(r float64) string {
	if r == 0 {
		return "-"
	}
	return fmt.Sprintf("%.3f", r)
}
