package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"susul.dev/susul/bench/rig"
)

const (
	pushesAtOnce  = 16
	reportsAtOnce = 4
	sendTimeout   = 10 * time.Minute
)

// world is the pushes of one case. They come in waves of the same shape.
type world struct {
	lab        *rig.Lab
	pushes     int // of a wave
	recipients int // of a push
	waves      int
	made       []push
	chunks     []rig.Chunk
}

// push is one push; its recipients have consecutive numbers.
type push struct {
	msgID string
	first uint64
}

func (w *world) total() int { return len(w.made) * w.recipients }

// wave makes pushes over the API, and waits until EngageLab has all of them.
func (w *world) wave(ctx context.Context, s *rig.Susul) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	wave := make([]push, w.pushes)
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(pushesAtOnce)
	for i := range wave {
		wave[i].first = uint64(w.total() + i*w.recipients)
		w.lab.Expect(wave[i].first, w.recipients)
		group.Go(func() (err error) {
			wave[i].msgID, err = s.Push(groupCtx, wave[i].first, w.recipients)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, p := range wave {
		if err := rig.Poll(ctx, func() (bool, error) { return s.Sent(ctx, p.msgID, w.recipients/rig.ChunkSize) }); err != nil {
			return fmt.Errorf("push %s: %w", p.msgID, err)
		}
	}
	chunks := w.lab.Chunks()
	for i := range chunks {
		chunks[i].Group = w.waves
	}
	w.made, w.chunks = append(w.made, wave...), append(w.chunks, chunks...)
	w.waves++
	return nil
}

// verify requires that every report counts the first rows of the feed, each once, and no others.
func (w *world) verify(ctx context.Context, s *rig.Susul, f *feed, rows int) error {
	want := make([][len(statuses)]int64, len(w.made))
	for first, count := range f.tally(rows) {
		for i, n := range count {
			want[int(first)/w.recipients][i] += int64(n)
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(reportsAtOnce)
	for i, p := range w.made {
		group.Go(func() error {
			report, err := s.Report(ctx, p.msgID)
			if err != nil {
				return err
			}
			funnel := report.GetTotal()
			got := [len(statuses)]int64{funnel.GetSent(), funnel.GetDelivered(), funnel.GetDisplayed(), funnel.GetClicked()}
			if got != want[i] {
				return fmt.Errorf("push %s: the report counts %d, acknowledged were %d", p.msgID, got, want[i])
			}
			return nil
		})
	}
	return group.Wait()
}
