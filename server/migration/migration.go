// Package migration moves all that one backend holds to another, while no server works with either.
//
//	begin ──► copy ──► finish ──► verify ──► complete
//	  │         │                   │
//	  │         │                   ├── every row: numbers and sums of digests, made on both sides, group by group
//	  │         │                   ├── sums per push, each side from what it has itself
//	  │         │                   └── a sample, read from both through the storage interface
//	  │         └── slices of a table, each durable together with where the next begins
//	  └── the target is empty, or has what an earlier run brought from the same source: then that is gone on with
//
// It knows no backend: package server brings the two together. The source is only read.
package migration

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/transfer"
)

// Source is what is moved.
type Source interface {
	// Source tells it from others, and tells what is in no table.
	Source() transfer.Source
	// Work tells how much there is of a table, in the units of Slice.Work, about.
	Work(ctx context.Context, table *transfer.Table) (int64, error)
	// Slice reads rows of a table from a place on: about so many, and about so many bytes. The first place is empty.
	Slice(ctx context.Context, table *transfer.Table, place string, rows, bytes int) (transfer.Slice, error)
	Sums
	// Apps are those of which it holds something.
	Apps(ctx context.Context) ([]string, error)
	// SampleOfPushes returns about n pushes.
	SampleOfPushes(ctx context.Context, n int) ([]int64, error)
	// Store reads it as a server does.
	Store() storage.Store
}

// Target is where it is moved to.
type Target interface {
	// Begin begins to bring a source, or returns how far that came before. If there is anything else it returns
	// transfer.ErrNotEmpty or transfer.ErrOtherSource.
	Begin(ctx context.Context, source transfer.Source) (transfer.State, error)
	// Store stores a slice that began at a place, all or nothing, together with where the next begins.
	Store(ctx context.Context, table *transfer.Table, place string, slice transfer.Slice) error
	// Adapt changes a row to what is stored of it: there may be texts that a database can't keep as they are.
	Adapt(table *transfer.Table, row transfer.Row)
	// Finish stores what is in no table. It may be called again.
	Finish(ctx context.Context) error
	// Digests adds up a table's rows by their groups, in ascending order.
	Digests(ctx context.Context, table *transfer.Table, yield func(transfer.Sum) error) error
	Sums
	// Faults tells what contradicts itself.
	Faults(ctx context.Context) ([]string, error)
	// Reader reads it as a server does. It is to be closed.
	Reader(ctx context.Context) (storage.Store, error)
	// Complete lets servers work with it.
	Complete(ctx context.Context) error
}

// Sums adds up a quantity per push, from what a backend has itself, in the order of the pushes.
type Sums interface {
	Sums(ctx context.Context, what transfer.Quantity, yield func(push, n int64) error) error
}

// Phase is what a migration is at.
type Phase string

// The phases, in their order.
const (
	Copying   Phase = "copying"
	Verifying Phase = "verifying"
)

// Progress is how far a migration came.
type Progress struct {
	Phase Phase
	Table string
	// Done of Total units of the phase's work are done, about.
	Done, Total int64
	// Rows were copied, or verified, in this run.
	Rows int64
}

// Options say what to move. Zero fields get the defaults.
type Options struct {
	Source Source
	Target Target
	// Progress is told how far it came, after each slice.
	Progress func(Progress)
	// SliceRows and SliceBytes bound what is stored at once, and so how much memory it takes. Default 50,000 and 8 MiB.
	SliceRows, SliceBytes int
	// Sample is how many pushes are read through the storage interface, about. Default 20.
	Sample int
}

// Summary is what a migration did.
type Summary struct {
	// Before says that it was complete already: nothing was done.
	Before bool
	// Resumed says that an earlier run had begun.
	Resumed bool
	Tables  []TableSummary
	Rows    int64         // of all tables
	Copied  int64         // of these, in this run
	Copying time.Duration // how long it took
	Verify  time.Duration // likewise
}

// TableSummary is how many rows a table has.
type TableSummary struct {
	Name string
	Rows int64
}

// migration is a run of it.
type migration struct {
	Options
	state    transfer.State
	summary  Summary
	progress Progress
}

// Run moves everything and verifies it. A run that was interrupted, however it was, is gone on with by the next. What was copied and
// differs from the source gets a *Mismatch, and the target stays incomplete.
func Run(ctx context.Context, o Options) (Summary, error) {
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	if o.SliceRows <= 0 {
		o.SliceRows = 50_000
	}
	if o.SliceBytes <= 0 {
		o.SliceBytes = 8 << 20
	}
	if o.Sample <= 0 {
		o.Sample = 20
	}
	m := &migration{Options: o}
	var err error
	if m.state, err = o.Target.Begin(ctx, o.Source.Source()); err != nil {
		return m.summary, err
	}
	if m.state.Complete {
		m.summary.Before = true
		return m.summary, nil
	}
	for _, phase := range []struct {
		run  func(context.Context) error
		took *time.Duration
	}{{m.copy, &m.summary.Copying}, {m.verify, &m.summary.Verify}} {
		began := time.Now() //nolint:forbidigo // how long it takes, for a person
		err := phase.run(ctx)
		*phase.took = time.Since(began) //nolint:forbidigo // likewise
		if err != nil {
			return m.summary, err
		}
	}
	return m.summary, o.Target.Complete(ctx)
}

// begin counts a phase's work, of which some may be done, by tables.
func (m *migration) begin(ctx context.Context, phase Phase, done map[string]transfer.TableState) error {
	m.progress = Progress{Phase: phase}
	for n := range transfer.Tables {
		table := &transfer.Tables[n]
		work, err := m.Source.Work(ctx, table)
		if err != nil {
			return fmt.Errorf("table %s: %w", table.Name, err)
		}
		m.progress.Total += work
		if state := done[table.Name]; state.Done {
			m.progress.Done += work
		} else {
			m.progress.Done += min(work, state.Rows)
		}
	}
	return nil
}

// end ends a phase: what was counted about is done.
func (m *migration) end() {
	m.progress.Done = m.progress.Total
	m.Progress(m.progress)
}

// advance tells of a slice.
func (m *migration) advance(table string, slice transfer.Slice) {
	m.progress.Table = table
	m.progress.Done += slice.Work
	m.progress.Total = max(m.progress.Total, m.progress.Done+1)
	m.progress.Rows += int64(len(slice.Rows))
	m.Progress(m.progress)
}

func (m *migration) copy(ctx context.Context) error {
	if err := m.begin(ctx, Copying, m.state.Tables); err != nil {
		return err
	}
	for n := range transfer.Tables {
		table := &transfer.Tables[n]
		state := m.state.Tables[table.Name]
		m.summary.Resumed = m.summary.Resumed || state.Done || state.Next != ""
		rows := state.Rows
		if !state.Done {
			copied, err := m.copyTable(ctx, table, state.Next)
			if err != nil {
				return err
			}
			rows += copied
		}
		m.summary.Tables = append(m.summary.Tables, TableSummary{table.Name, rows})
		m.summary.Rows += rows
	}
	m.summary.Copied = m.progress.Rows
	if err := m.Target.Finish(ctx); err != nil {
		return err
	}
	m.end()
	return nil
}

// placed is a slice with the place that it began at.
type placed struct {
	place string
	transfer.Slice
}

// copyTable copies a table from a place on. The next slice is read while one is stored.
func (m *migration) copyTable(ctx context.Context, table *transfer.Table, place string) (rows int64, err error) {
	err = m.read(ctx, table, place, func(ctx context.Context, s placed) error {
		if err := m.Target.Store(ctx, table, s.place, s.Slice); err != nil {
			return err
		}
		rows += int64(len(s.Rows))
		return nil
	})
	return rows, err
}

// read reads a table from a place on, and hands each slice on while it reads the next.
func (m *migration) read(ctx context.Context, table *transfer.Table, place string, do func(context.Context, placed) error) error {
	slices := make(chan placed, 1)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(slices)
		for {
			slice, err := m.Source.Slice(ctx, table, place, m.SliceRows, m.SliceBytes)
			if err != nil {
				return err
			}
			select {
			case slices <- placed{place, slice}:
			case <-ctx.Done():
				return ctx.Err()
			}
			if place = slice.Next; place == "" {
				return nil
			}
		}
	})
	group.Go(func() error {
		for s := range slices {
			if err := do(ctx, s); err != nil {
				return err
			}
			m.advance(table.Name, s.Slice)
		}
		return nil
	})
	return group.Wait()
}
