package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"susul.dev/susul/bench/load"
	"susul.dev/susul/bench/rig"
)

const (
	gauge  = 2 * time.Second
	warmUp = time.Second

	// reserve is how many more rows are prepared than the gauged speed asks for.
	reserve = 2.5

	// Devices that pushes are sent to have numbers of their own.
	firstMany  = 1 << 32
	firstSmall = 1 << 40

	arriveTimeout = 30 * time.Second
)

// loadResult is what a load came to.
type loadResult struct {
	Load      string      `json:"load"`
	PerSecond float64     `json:"per_second"` // rows, or pushes
	Requests  rig.Latency `json:"requests"`
	Refused   int         `json:"refused_requests,omitempty"`
	Failures  int         `json:"failures,omitempty"`
	Costs     costs       `json:"costs"`
	Verified  int         `json:"verified"`
	OfPlain   float64     `json:"ratio_to_pgbench,omitempty"`
}

func (c *cluster) result(name string, m load.Measurement, leader int) loadResult {
	return loadResult{
		Load: name, PerSecond: m.Speed(), Requests: m.Accepted, Refused: m.Refused.Count, Failures: m.Failures,
		Costs: c.costs(m, leader), Verified: m.Next,
	}
}

// callbacks measures callbacks of one large push, and of many.
func (c *cluster) callbacks(ctx context.Context) (results []loadResult, err error) {
	many := c.recipients / rig.ChunkSize
	for _, shape := range []struct {
		name   string
		world  load.World
		active int
	}{
		{"callbacks of 1 push", load.World{Pushes: 1, Recipients: c.recipients}, 16},
		{fmt.Sprintf("callbacks of %d pushes", many), load.World{Pushes: many, Recipients: rig.ChunkSize, First: firstMany}, many},
	} {
		w := shape.world
		w.Lab = c.Lab
		m, leader, err := c.report(ctx, &w, shape.active)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", shape.name, err)
		}
		r := c.result(shape.name, m, leader)
		results = append(results, r)
		fmt.Fprintf(c.say, "%s: %s: %.0f rows/s; %d rows, each counted once\n", c.name, r.Load, r.PerSecond, r.Verified)
	}
	return results, nil
}

// report finds out how many rows are needed, makes the pushes for them, and measures.
func (c *cluster) report(ctx context.Context, w *load.World, active int) (m load.Measurement, leader int, err error) {
	if err := w.Wave(ctx, c.members[0]); err != nil {
		return m, 0, err
	}
	if leader, err = c.leader(ctx); err != nil {
		return m, 0, err
	}
	p := load.Plan{
		Addresses: c.addresses(), Chunks: w.Chunks, Active: active, MinBatch: rowsPerCommit, MaxBatch: rowsPerCommit,
		Connections: c.connections, WarmUp: warmUp, Measure: gauge,
	}
	first, err := load.Run(ctx, c.say, p, c.parts()...)
	for ; err == nil && first.Exhausted; first, err = load.Run(ctx, c.say, p, c.parts()...) {
		for enough := 2 * w.Rows(); w.Rows() < enough; {
			if err := w.Wave(ctx, c.members[0]); err != nil {
				return m, 0, err
			}
		}
		p.Chunks, p.From = w.Chunks, first.Next
	}
	if err != nil {
		return m, 0, err
	}
	need := first.Next + int(first.Speed()*(c.measure+warmUp).Seconds()*reserve)
	for w.Rows() < need {
		if err := w.Wave(ctx, c.members[0]); err != nil {
			return m, 0, err
		}
	}
	p.Chunks, p.From, p.Measure = w.Chunks, first.Next, c.measure
	if m, err = load.Run(ctx, c.say, p, c.parts()...); err != nil {
		return m, 0, err
	}
	if m.Exhausted {
		return m, 0, errors.New("rows ran out before the time did; the gauge was far too slow, run again")
	}
	return m, leader, w.Verify(ctx, c.members[0], active, m.Next)
}

// sendPushes measures pushes to few devices.
func (c *cluster) sendPushes(ctx context.Context) (results []loadResult, err error) {
	first := uint64(firstSmall)
	for _, devices := range []int{1, 100} {
		name := fmt.Sprintf("pushes to %d", devices)
		leader, err := c.leader(ctx)
		if err != nil {
			return nil, err
		}
		c.Lab.ExpectSmall()
		m, err := load.Run(ctx, c.say, load.Plan{
			Addresses: c.addresses(), Devices: devices, FirstDevice: first, Name: name, MinBatch: 1, MaxBatch: 1,
			Connections: c.connections, WarmUp: warmUp, Measure: c.measure,
		}, c.parts()...)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if err := c.arrived(ctx, m.Next); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		first += uint64(m.Next * devices)
		r := c.result(name, m, leader)
		results = append(results, r)
		fmt.Fprintf(c.say, "%s: %s: %.0f pushes/s; %d pushes, each sent once\n", c.name, r.Load, r.PerSecond, r.Verified)
	}
	return results, nil
}

// arrived waits until EngageLab has so many pushes, and requires that it got none again.
func (c *cluster) arrived(ctx context.Context, pushes int) error {
	waiting, cancel := context.WithTimeout(ctx, arriveTimeout)
	defer cancel()
	late := rig.Poll(waiting, func() (bool, error) { return c.Lab.CountSmall() >= pushes, nil })
	taken := c.Lab.SmallPushes()
	if taken.Pushes != pushes || taken.Repeated > 0 {
		return errors.Join(fmt.Errorf("%d pushes were acknowledged; EngageLab got %d, and %d again", pushes, taken.Pushes, taken.Repeated), late)
	}
	return nil
}
