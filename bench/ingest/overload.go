package main

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"susul.dev/susul/bench/rig"
)

const (
	overloadCase = "overload"

	// acceptWithin is EngageLab's patience, in milliseconds; refuseWithin is what "at once" means to it at most.
	acceptWithin = 3000
	refuseWithin = 1000

	// flatShare and flatBytes are by how much memory may differ between the second and the last third of the time.
	flatShare = 0.15
	flatBytes = 32e6
)

// judge checks what is promised under overload: what is accepted is finished in time, the rest is refused at once and
// told when to come back, and memory stays flat.
func (r result) judge(say io.Writer) error {
	o := r.outcome
	fmt.Fprintf(say, "%s: %.0f rows/s were offered and %.0f taken\n", r.Case, r.Offered, r.RowsPerSecond)
	fmt.Fprintf(say, "%s: accepted %d requests, p50 %.1f, p99 %.1f, max %.1f ms; refused %d, p50 %.1f, p99 %.1f, max %.1f ms\n",
		r.Case, o.Accepted.Count, o.Accepted.P50, o.Accepted.P99, o.Accepted.Max,
		o.Refused.Count, o.Refused.P50, o.Refused.P99, o.Refused.Max)
	var faults error
	if o.Accepted.Max > acceptWithin {
		faults = errors.Join(faults, fmt.Errorf("accepted work took up to %.0f ms", o.Accepted.Max))
	}
	if o.Refused.P99 > refuseWithin {
		faults = errors.Join(faults, fmt.Errorf("refusals took up to %.0f ms", o.Refused.P99))
	}
	if o.Unhinted > 0 {
		faults = errors.Join(faults, fmt.Errorf("%d refusals had no Retry-After", o.Unhinted))
	}
	if o.Failures > 0 {
		faults = errors.Join(faults, fmt.Errorf("%d connections broke, the first: %s", o.Failures, o.Failure))
	}
	if third := len(r.rss) / 3; third > 0 {
		middle, last := slices.Max(r.rss[third:2*third]), slices.Max(r.rss[2*third:])
		fmt.Fprintf(say, "%s: RSS up to %.0f MB in the second third of the time, %.0f MB in the last\n",
			r.Case, rig.Megabytes(middle), rig.Megabytes(last))
		if float64(last) > float64(middle)*(1+flatShare)+flatBytes {
			faults = errors.Join(faults, errors.New("memory grew"))
		}
	}
	return faults
}
