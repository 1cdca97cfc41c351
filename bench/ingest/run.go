package main

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

const (
	connections = 64

	gauge  = 3 * time.Second
	warmUp = time.Second

	// reserve is how many more rows are prepared than the gauged speed asks for.
	reserve = 1.6
)

// scenario is one case: a shape of pushes, and a shape of load.
type scenario struct {
	name               string
	pushes, recipients int // of a wave
	active             int // chunks at a time
	minBatch, maxBatch int
	overload           float64 // how many times the gauged speed is offered; 0: each connection waits for its answers
	connections        int
	measure            time.Duration
}

// result is what a case came to.
type result struct {
	Case           string  `json:"case"`
	RowsPerSecond  float64 `json:"rows_per_second"`
	CPUPerRow      float64 `json:"server_cpu_us_per_row"`
	P50            float64 `json:"p50_ms"`
	P99            float64 `json:"p99_ms"`
	Max            float64 `json:"max_ms"`
	RSS            float64 `json:"rss_mb"`
	PeakRSS        float64 `json:"peak_rss_mb"`
	RSSPerMillion  float64 `json:"rss_mb_per_million_recipients"`
	BytesEvent     float64 `json:"disk_bytes_per_event"`
	BytesRecipient float64 `json:"disk_bytes_per_recipient"`
	OfAppend       float64 `json:"ratio_to_append"`
	OfAnswer       float64 `json:"ratio_to_answer"`
	Pushes         int     `json:"pushes"`
	Recipients     int     `json:"recipients"`
	Rows           int     `json:"rows_verified"`
	LoadCPU        float64 `json:"load_cpu_us_per_row"`
	Offered        float64 `json:"offered_rows_per_second,omitempty"` // more than were taken, under overload
	Refused        int     `json:"refused_requests,omitempty"`
	Failures       int     `json:"failures,omitempty"`

	outcome outcome
	rss     []int64 // once a second
}

// bench is one run.
type bench struct {
	*rig.Bench
	say io.Writer
}

// run takes a case through the server's lives.
func (b *bench) run(ctx context.Context, c scenario) (r result, err error) {
	h, err := b.NewHome()
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(h.Dir)) }()
	w := &world{lab: b.Lab, pushes: c.pushes, recipients: c.recipients}

	var empty, filled, loaded int64
	for _, life := range []struct {
		run  func(s *rig.Susul) error
		size *int64
	}{
		{func(*rig.Susul) error { return nil }, &empty},
		{func(s *rig.Susul) error { return w.wave(ctx, s) }, &filled},
		{func(s *rig.Susul) (err error) { r, err = b.load(ctx, c, w, s); return err }, &loaded},
		{func(s *rig.Susul) error { return w.verify(ctx, s, newFeed(w.chunks, c.active), r.Rows) }, nil},
	} {
		if err := h.Live(ctx, life.run); err != nil {
			return r, fmt.Errorf("%s: %w", c.name, err)
		}
		if life.size == nil {
			continue
		}
		if *life.size, err = h.Size(); err != nil {
			return r, err
		}
	}
	perRecipient := float64(filled-empty) / float64(c.pushes*c.recipients)
	r.BytesRecipient = rig.Round(perRecipient, 1)
	r.BytesEvent = rig.Round((float64(loaded-empty)-perRecipient*float64(w.total()))/float64(r.Rows), 1)
	return r, nil
}

// load finds out how many rows are needed, makes the pushes for them, and measures.
func (b *bench) load(ctx context.Context, c scenario, w *world, s *rig.Susul) (r result, err error) {
	p := plan{
		Address: s.HTTP, Path: rig.CallbackPath,
		Chunks: w.chunks, Active: c.active, MinBatch: c.minBatch, MaxBatch: c.maxBatch,
		Connections: connections, WarmUp: warmUp, Measure: gauge,
	}
	first, err := b.generate(ctx, p, &s.Process)
	if err != nil {
		return r, err
	}
	speed := first.speed()
	need := first.outcome.Next + int(speed*(c.measure+warmUp).Seconds()*reserve*max(1, c.overload/2))
	for len(w.chunks)*rowsPerChunk < need {
		if err := w.wave(ctx, s); err != nil {
			return r, err
		}
	}
	p.Chunks, p.From, p.Measure = w.chunks, first.outcome.Next, c.measure
	if c.overload > 0 {
		p.Rate, p.Connections = c.overload*speed, c.connections
		fmt.Fprintf(b.say, "%s: capacity %.0f rows/s, offering %.0f\n", c.name, speed, p.Rate)
	}
	m, err := b.generate(ctx, p, &s.Process)
	if err != nil {
		return r, err
	}
	if m.outcome.Exhausted && c.overload == 0 {
		return r, errors.New("rows ran out before the time did; the gauge was far too slow, run again")
	}
	return m.result(c, w), nil
}

func (m measurement) result(c scenario, w *world) result {
	o := m.outcome
	return result{
		Case: c.name, RowsPerSecond: m.speed(), CPUPerRow: perRow(m.cpu, o.Rows),
		P50: o.Accepted.P50, P99: o.Accepted.P99, Max: o.Accepted.Max,
		RSS: rig.Megabytes(m.after.RSS), PeakRSS: rig.Megabytes(m.after.Peak),
		RSSPerMillion: rig.Round(rig.Megabytes(m.after.RSS)/(float64(w.total())/1e6), 1),
		Pushes:        len(w.made), Recipients: w.total(), Rows: o.Next,
		LoadCPU: rig.Round(o.CPU*1e6/float64(o.Rows), 2), Offered: math.Round(float64(o.Offered) / m.elapsed.Seconds()),
		Refused: o.Refused.Count, Failures: o.Failures,
		outcome: o, rss: m.rss,
	}
}

func perRow(cpu time.Duration, rows int) float64 {
	return rig.Round(cpu.Seconds()*1e6/float64(rows), 2)
}

// measurement is a load's outcome, and what the server took for it.
type measurement struct {
	outcome outcome
	elapsed time.Duration
	cpu     time.Duration
	after   rig.Usage
	rss     []int64 // once a second
}

// speed is in rows per second.
func (m measurement) speed() float64 {
	return math.Round(float64(m.outcome.Rows) / m.elapsed.Seconds())
}

// generate runs a load process against a server and looks at the server when the measured time begins and ends.
func (b *bench) generate(ctx context.Context, p plan, server *rig.Process) (m measurement, err error) {
	text, err := json.Marshal(p)
	if err != nil {
		return m, err
	}
	cmd := exec.CommandContext(ctx, os.Args[0], loadVerb) //nolint:gosec // this very program
	cmd.Stdin, cmd.Stderr = bytes.NewReader(text), os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return m, err
	}
	err = m.follow(json.NewDecoder(out), server)
	_, _ = io.Copy(io.Discard, out) // so that it can end
	err = errors.Join(err, cmd.Wait())
	if err == nil && m.outcome.Failures > 0 {
		fmt.Fprintf(b.say, "%d connections broke, the first: %s\n", m.outcome.Failures, m.outcome.Failure)
	}
	return m, err
}

// follow reads a load's marks up to its outcome.
func (m *measurement) follow(marks *json.Decoder, server *rig.Process) error {
	var before rig.Usage
	var began time.Time
	stop, watched := make(chan struct{}), make(chan struct{})
	defer func() { close(stop); <-watched }()
	go func() { defer close(watched); m.watch(server, stop) }()
	for {
		var got mark
		if err := marks.Decode(&got); err != nil {
			return fmt.Errorf("the load ended early: %w", err)
		}
		var err error
		switch got.Mark {
		case markBegin:
			if err = server.ForgetPeak(); err == nil {
				before, err = server.Usage()
			}
			began = time.Now()
		case markEnd:
			m.elapsed = time.Since(began)
			m.after, err = server.Usage()
			m.cpu = m.after.CPU - before.CPU
		case markDone:
			m.outcome = *got.Outcome
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// watch notes the server's memory every second.
func (m *measurement) watch(server *rig.Process, stop <-chan struct{}) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if u, err := server.Usage(); err == nil {
				m.rss = append(m.rss, u.RSS)
			}
		case <-stop:
			return
		}
	}
}
