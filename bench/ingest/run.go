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
	"path/filepath"
	"time"
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
	dir, susul string
	lab        *lab
	say        io.Writer
}

// run takes a case through the server's lives.
func (b *bench) run(ctx context.Context, c scenario) (r result, err error) {
	h, err := newHome(b.susul, b.dir, b.lab.url)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(h.dir)) }()
	w := &world{lab: b.lab, pushes: c.pushes, recipients: c.recipients}

	var empty, filled, loaded int64
	for _, life := range []struct {
		run  func(s *susul) error
		size *int64
	}{
		{func(*susul) error { return nil }, &empty},
		{func(s *susul) error { return w.wave(ctx, s) }, &filled},
		{func(s *susul) (err error) { r, err = b.load(ctx, c, w, s); return err }, &loaded},
		{func(s *susul) error { return w.verify(ctx, s, newFeed(w.chunks, c.active), r.Rows) }, nil},
	} {
		if err := h.live(ctx, life.run); err != nil {
			return r, fmt.Errorf("%s: %w", c.name, err)
		}
		if life.size == nil {
			continue
		}
		if *life.size, err = h.size(); err != nil {
			return r, err
		}
	}
	perRecipient := float64(filled-empty) / float64(c.pushes*c.recipients)
	r.BytesRecipient = round(perRecipient, 1)
	r.BytesEvent = round((float64(loaded-empty)-perRecipient*float64(w.total()))/float64(r.Rows), 1)
	return r, nil
}

// live starts a server, does something with it and stops it.
func (h home) live(ctx context.Context, do func(*susul) error) error {
	s, err := h.start(ctx)
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.stop())
}

// load finds out how many rows are needed, makes the pushes for them, and measures.
func (b *bench) load(ctx context.Context, c scenario, w *world, s *susul) (r result, err error) {
	p := plan{
		Address: s.http, Path: callbackPath,
		Chunks: w.chunks, Active: c.active, MinBatch: c.minBatch, MaxBatch: c.maxBatch,
		Connections: connections, WarmUp: warmUp, Measure: gauge,
	}
	first, err := b.generate(ctx, p, &s.process)
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
	m, err := b.generate(ctx, p, &s.process)
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
		RSS: megabytes(m.after.rss), PeakRSS: megabytes(m.after.peak),
		RSSPerMillion: round(megabytes(m.after.rss)/(float64(w.total())/1e6), 1),
		Pushes:        len(w.made), Recipients: w.total(), Rows: o.Next,
		LoadCPU: round(o.CPU*1e6/float64(o.Rows), 2), Offered: math.Round(float64(o.Offered) / m.elapsed.Seconds()), Refused: o.Refused.Count, Failures: o.Failures,
		outcome: o, rss: m.rss,
	}
}

func perRow(cpu time.Duration, rows int) float64 { return round(cpu.Seconds()*1e6/float64(rows), 2) }

func megabytes(bytes int64) float64 { return round(float64(bytes)/1e6, 1) }

func round(x float64, digits int) float64 {
	unit := math.Pow10(digits)
	return math.Round(x*unit) / unit
}

// measurement is a load's outcome, and what the server took for it.
type measurement struct {
	outcome outcome
	elapsed time.Duration
	cpu     time.Duration
	after   usage
	rss     []int64 // once a second
}

// speed is in rows per second.
func (m measurement) speed() float64 {
	return math.Round(float64(m.outcome.Rows) / m.elapsed.Seconds())
}

// generate runs a load process against a server and looks at the server when the measured time begins and ends.
func (b *bench) generate(ctx context.Context, p plan, server *process) (m measurement, err error) {
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
func (m *measurement) follow(marks *json.Decoder, server *process) error {
	var before usage
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
			if err = server.forgetPeak(); err == nil {
				before, err = server.usage()
			}
			began = time.Now()
		case markEnd:
			m.elapsed = time.Since(began)
			m.after, err = server.usage()
			m.cpu = m.after.cpu - before.cpu
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
func (m *measurement) watch(server *process, stop <-chan struct{}) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if u, err := server.usage(); err == nil {
				m.rss = append(m.rss, u.rss)
			}
		case <-stop:
			return
		}
	}
}

// buildSusul builds the server that is measured.
func buildSusul(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "susul")
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "susul.dev/susul/cmd/susul") //nolint:gosec // nothing foreign
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build susul: %w\n%s", err, out)
	}
	return path, nil
}
