package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"time"

	"susul.dev/susul/bench/rig"
)

// Verb is the argument with which a program starts itself as a load process.
const Verb = "load"

// Measured is what has CPU and memory: a process, or several.
type Measured interface {
	Usage() (rig.Usage, error)
	ForgetPeak() error
}

// Measurement is a load's outcome, and what the servers took for it.
type Measurement struct {
	Outcome
	Elapsed time.Duration
	Servers []Share // in the order in which they were given
	RSS     []int64 // of the first server, once a second
}

// Share is what one server took.
type Share struct {
	CPU   time.Duration // in the measured time
	After rig.Usage     // at its end; the peak is of the measured time
}

// Speed is in rows per second, or pushes.
func (m Measurement) Speed() float64 { return math.Round(float64(m.Rows) / m.Elapsed.Seconds()) }

// PerRow returns some CPU time as microseconds for each row, or push.
func (m Measurement) PerRow(cpu time.Duration) float64 { return PerRow(cpu, m.Rows) }

// PerRow returns CPU time as microseconds for each row.
func PerRow(cpu time.Duration, rows int) float64 {
	return rig.Round(cpu.Seconds()*1e6/float64(rows), 2)
}

// Run runs a load process and looks at the servers when the measured time begins and when it ends. Broken connections are told to say.
func Run(ctx context.Context, say io.Writer, p Plan, servers ...Measured) (m Measurement, err error) {
	text, err := json.Marshal(p)
	if err != nil {
		return m, err
	}
	cmd := exec.CommandContext(ctx, os.Args[0], Verb) //nolint:gosec // this very program
	cmd.Stdin, cmd.Stderr = bytes.NewReader(text), os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return m, err
	}
	err = m.follow(json.NewDecoder(out), servers)
	_, _ = io.Copy(io.Discard, out) // so that it can end
	err = errors.Join(err, cmd.Wait())
	if err == nil && m.Failures > 0 {
		fmt.Fprintf(say, "%d connections broke, the first: %s\n", m.Failures, m.Failure)
	}
	return m, err
}

// follow reads a load's marks up to its outcome.
func (m *Measurement) follow(marks *json.Decoder, servers []Measured) error {
	m.Servers = make([]Share, len(servers))
	var began time.Time
	stop, watched := make(chan struct{}), make(chan struct{})
	defer func() { close(stop); <-watched }()
	go func() { defer close(watched); m.watch(servers[0], stop) }()
	for {
		var got mark
		if err := marks.Decode(&got); err != nil {
			return fmt.Errorf("the load ended early: %w", err)
		}
		var err error
		switch got.Mark {
		case markBegin:
			err = m.begin(servers)
			began = time.Now()
		case markEnd:
			m.Elapsed = time.Since(began)
			err = m.end(servers)
		case markDone:
			m.Outcome = *got.Outcome
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// begin notes what the servers took before the measured time.
func (m *Measurement) begin(servers []Measured) error {
	for i, server := range servers {
		if err := server.ForgetPeak(); err != nil {
			return err
		}
		before, err := server.Usage()
		if err != nil {
			return err
		}
		m.Servers[i].CPU = -before.CPU
	}
	return nil
}

func (m *Measurement) end(servers []Measured) (err error) {
	for i, server := range servers {
		share := &m.Servers[i]
		if share.After, err = server.Usage(); err != nil {
			return err
		}
		share.CPU += share.After.CPU
	}
	return nil
}

// watch notes a server's memory every second.
func (m *Measurement) watch(server Measured, stop <-chan struct{}) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if u, err := server.Usage(); err == nil {
				m.RSS = append(m.RSS, u.RSS)
			}
		case <-stop:
			return
		}
	}
}
