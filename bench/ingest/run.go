package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"susul.dev/susul/bench/load"
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

	outcome load.Outcome
	rss     []int64 // once a second
}

// bench is one run.
type bench struct {
	*rig.Bench
	say io.Writer
}

// run takes a case through the server's lives.
func (b *bench) run(ctx context.Context, c scenario) (r result, err error) {
	h, err := b.NewHome(rig.HomeOptions{})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(h.Dir)) }()
	w := &load.World{Lab: b.Lab, Pushes: c.pushes, Recipients: c.recipients}

	var empty, filled, loaded int64
	for _, life := range []struct {
		run  func(s *rig.Susul) error
		size *int64
	}{
		{func(*rig.Susul) error { return nil }, &empty},
		{func(s *rig.Susul) error { return w.Wave(ctx, s) }, &filled},
		{func(s *rig.Susul) (err error) { r, err = b.load(ctx, c, w, s); return err }, &loaded},
		{func(s *rig.Susul) error { return w.Verify(ctx, s, c.active, r.Rows) }, nil},
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
	_, recipients := w.Made()
	perRecipient := float64(filled-empty) / float64(c.pushes*c.recipients)
	r.BytesRecipient = rig.Round(perRecipient, 1)
	r.BytesEvent = rig.Round((float64(loaded-empty)-perRecipient*float64(recipients))/float64(r.Rows), 1)
	return r, nil
}

// load finds out how many rows are needed, makes the pushes for them, and measures.
func (b *bench) load(ctx context.Context, c scenario, w *load.World, s *rig.Susul) (r result, err error) {
	p := load.Plan{
		Addresses: []string{s.HTTP}, Chunks: w.Chunks, Active: c.active, MinBatch: c.minBatch, MaxBatch: c.maxBatch,
		Connections: connections, WarmUp: warmUp, Measure: gauge,
	}
	first, err := load.Run(ctx, b.say, p, s)
	if err != nil {
		return r, err
	}
	speed := first.Speed()
	need := first.Next + int(speed*(c.measure+warmUp).Seconds()*reserve*max(1, c.overload/2))
	for w.Rows() < need {
		if err := w.Wave(ctx, s); err != nil {
			return r, err
		}
	}
	p.Chunks, p.From, p.Measure = w.Chunks, first.Next, c.measure
	if c.overload > 0 {
		p.Rate, p.Connections = c.overload*speed, c.connections
		fmt.Fprintf(b.say, "%s: capacity %.0f rows/s, offering %.0f\n", c.name, speed, p.Rate)
	}
	m, err := load.Run(ctx, b.say, p, s)
	if err != nil {
		return r, err
	}
	if m.Exhausted && c.overload == 0 {
		return r, errors.New("rows ran out before the time did; the gauge was far too slow, run again")
	}
	return resultOf(m, c, w), nil
}

func resultOf(m load.Measurement, c scenario, w *load.World) result {
	server := m.Servers[0]
	pushes, recipients := w.Made()
	return result{
		Case: c.name, RowsPerSecond: m.Speed(), CPUPerRow: m.PerRow(server.CPU),
		P50: m.Accepted.P50, P99: m.Accepted.P99, Max: m.Accepted.Max,
		RSS: rig.Megabytes(server.After.RSS), PeakRSS: rig.Megabytes(server.After.Peak),
		RSSPerMillion: rig.Round(rig.Megabytes(server.After.RSS)/(float64(recipients)/1e6), 1),
		Pushes:        pushes, Recipients: recipients, Rows: m.Next,
		LoadCPU: rig.Round(m.CPU*1e6/float64(m.Rows), 2), Offered: math.Round(float64(m.Offered) / m.Elapsed.Seconds()),
		Refused: m.Refused.Count, Failures: m.Failures,
		outcome: m.Outcome, rss: m.RSS,
	}
}
