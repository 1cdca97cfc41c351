package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"susul.dev/susul/server"
)

// linesEvery is how often a line tells how far it came where no bar can be drawn.
const linesEvery = 5 * time.Second

// migrateView shows how far a migration came: as a bar on a terminal, as lines elsewhere.
type migrateView struct {
	out      io.Writer
	terminal bool
	bar      *progressbar.ProgressBar
	began    time.Time
	told     time.Time
	latest   server.MigrationProgress
	written  server.MigrationProgress // by the last line
}

func newMigrateView(file *os.File) *migrateView {
	return &migrateView{out: file, terminal: term.IsTerminal(int(file.Fd()))}
}

func (v *migrateView) show(p server.MigrationProgress) {
	if p.Phase != v.latest.Phase {
		v.end()
		v.began, v.told = time.Now(), time.Now()
		if v.terminal {
			v.bar = progressbar.NewOptions64(p.Total, progressbar.OptionSetWriter(v.out), progressbar.OptionSetWidth(30),
				progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetPredictTime(true),
				progressbar.OptionOnCompletion(func() { fmt.Fprintln(v.out) }))
		}
	}
	v.latest = p
	switch {
	case v.bar != nil:
		v.bar.Describe(fmt.Sprintf("%-9s %-15s", p.Phase, p.Table))
		v.bar.ChangeMax64(p.Total)
		_ = v.bar.Set64(min(p.Done, p.Total)) // a terminal that is gone shows nothing
	case time.Since(v.told) >= linesEvery:
		v.line()
	}
}

// end ends a phase, however it did.
func (v *migrateView) end() {
	switch {
	case v.latest.Phase == "":
	case v.bar != nil:
		_ = v.bar.Exit()
		fmt.Fprintln(v.out)
		v.bar = nil
	case v.latest != v.written:
		v.line()
	}
}

func (v *migrateView) line() {
	v.told = time.Now()
	v.written = v.latest
	p := v.latest
	seconds := max(time.Since(v.began).Seconds(), 0.001)
	fmt.Fprintf(v.out, "%s %s: %d%%, %d rows, %.0f rows/s\n", p.Phase, p.Table, 100*p.Done/max(p.Total, 1), p.Rows,
		float64(p.Rows)/seconds)
}
