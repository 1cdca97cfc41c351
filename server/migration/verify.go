package migration

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"susul.dev/susul/storage/transfer"
)

// maxFindings bounds how many differences are told.
const maxFindings = 20

// Mismatch says that what was copied is not what the source has.
type Mismatch struct {
	Findings []string // what differs, and where
	More     int      // that are not among them
}

// Error lists the findings, one a line.
func (m *Mismatch) Error() string {
	text := "the copy differs from the source:\n  " + strings.Join(m.Findings, "\n  ")
	if m.More > 0 {
		text += fmt.Sprintf("\n  and %d more", m.More)
	}
	return text + "\nThe database stays as it is, and no server works with it. Begin anew with an empty one."
}

func (m *Mismatch) add(format string, args ...any) {
	if len(m.Findings) == maxFindings {
		m.More++
		return
	}
	m.Findings = append(m.Findings, fmt.Sprintf(format, args...))
}

// verify compares what was copied with the source, which it reads anew.
func (m *migration) verify(ctx context.Context) error {
	if err := m.begin(ctx, Verifying, nil); err != nil {
		return err
	}
	found := &Mismatch{}
	for n := range transfer.Tables {
		if err := m.verifyTable(ctx, &transfer.Tables[n], found); err != nil {
			return fmt.Errorf("verify table %s: %w", transfer.Tables[n].Name, err)
		}
	}
	for _, what := range []transfer.Quantity{transfer.Recipients, transfer.Events, transfer.Clicks} {
		if err := m.verifySums(ctx, what, found); err != nil {
			return fmt.Errorf("verify the %s: %w", what, err)
		}
	}
	faults, err := m.Target.Faults(ctx)
	if err != nil {
		return err
	}
	for _, fault := range faults {
		found.add("%s", fault)
	}
	// What differs in its rows reads differently too: there is nothing to be learnt from it.
	if len(found.Findings) == 0 {
		if err := m.verifySample(ctx, found); err != nil {
			return fmt.Errorf("verify a sample: %w", err)
		}
	}
	if len(found.Findings) > 0 {
		return found
	}
	m.end()
	return nil
}

func (m *migration) verifyTable(ctx context.Context, table *transfer.Table, found *Mismatch) error {
	source := func(ctx context.Context, yield func(transfer.Sum) error) error { return m.sumSource(ctx, table, yield) }
	target := func(ctx context.Context, yield func(transfer.Sum) error) error {
		return m.Target.Digests(ctx, table, yield)
	}
	return compare(ctx, source, target, func(s, t transfer.Sum) {
		if s.Rows != t.Rows {
			found.add("%s: %d rows in the source, %d in the target", table.Place(s.Group), s.Rows, t.Rows)
		} else {
			found.add("%s: of %d rows some have other values in the target", table.Place(s.Group), s.Rows)
		}
	})
}

// sumSource adds up the source's rows by their groups.
func (m *migration) sumSource(ctx context.Context, table *transfer.Table, yield func(transfer.Sum) error) error {
	var sum transfer.Sum
	var buffer []byte
	err := m.read(ctx, table, "", func(_ context.Context, s placed) error {
		for _, row := range s.Rows {
			if group := table.GroupOf(row); group != sum.Group {
				if sum.Rows > 0 {
					if err := yield(sum); err != nil {
						return err
					}
				}
				sum = transfer.Sum{Group: group}
			}
			m.Target.Adapt(table, row)
			buffer = sum.Add(row, buffer)
		}
		return nil
	})
	if err == nil && sum.Rows > 0 {
		err = yield(sum)
	}
	return err
}

func (m *migration) verifySums(ctx context.Context, what transfer.Quantity, found *Mismatch) error {
	of := func(sums Sums) func(context.Context, func(transfer.Sum) error) error {
		return func(ctx context.Context, yield func(transfer.Sum) error) error {
			return sums.Sums(ctx, what, func(push, n int64) error { return yield(transfer.Sum{Group: push, Rows: n}) })
		}
	}
	return compare(ctx, of(m.Source), of(m.Target), func(s, t transfer.Sum) {
		found.add("push %d: the source says that there are %d %s, the target has %d", s.Group, s.Rows, what, t.Rows)
	})
}

// sumsAhead is how many sums of one side wait for the other.
const sumsAhead = 64

// compare goes through the sums of both sides, in the order of their groups, and tells which are not equal. A group that a side does not
// have has no rows there.
func compare(ctx context.Context, source, target func(context.Context, func(transfer.Sum) error) error, differ func(s, t transfer.Sum)) error {
	group, ctx := errgroup.WithContext(ctx)
	stream := func(sums func(context.Context, func(transfer.Sum) error) error) <-chan transfer.Sum {
		to := make(chan transfer.Sum, sumsAhead)
		group.Go(func() error {
			defer close(to)
			return sums(ctx, func(sum transfer.Sum) error {
				select {
				case to <- sum:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			})
		})
		return to
	}
	sources, targets := stream(source), stream(target)
	s, moreS := <-sources
	t, moreT := <-targets
	for moreS || moreT {
		switch {
		case !moreT || moreS && s.Group < t.Group:
			differ(s, transfer.Sum{Group: s.Group})
			s, moreS = <-sources
		case !moreS || t.Group < s.Group:
			differ(transfer.Sum{Group: t.Group}, t)
			t, moreT = <-targets
		default:
			if s != t {
				differ(s, t)
			}
			s, moreS = <-sources
			t, moreT = <-targets
		}
	}
	return group.Wait()
}
