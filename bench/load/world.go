package load

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

// World is the pushes of one case. They come in waves of the same shape.
type World struct {
	Lab        *rig.Lab
	Pushes     int // of a wave
	Recipients int // of a push
	// First is the number of the first recipient; others have had those before it.
	First uint64
	// Chunks are what EngageLab took, wave by wave.
	Chunks []rig.Chunk

	waves int
	made  []push
}

// push is one push; its recipients have consecutive numbers.
type push struct {
	msgID string
	first uint64
}

// Made returns how many pushes there are, and how many recipients they have together.
func (w *World) Made() (pushes, recipients int) { return len(w.made), len(w.made) * w.Recipients }

// Rows returns how many rows can be told of the pushes.
func (w *World) Rows() int { return len(w.Chunks) * RowsPerChunk }

// Wave makes pushes over the API, and waits until EngageLab has all of them.
func (w *World) Wave(ctx context.Context, s *rig.Susul) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	wave := make([]push, w.Pushes)
	_, before := w.Made()
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(pushesAtOnce)
	for i := range wave {
		wave[i].first = w.First + uint64(before+i*w.Recipients)
		w.Lab.Expect(wave[i].first, w.Recipients)
		group.Go(func() (err error) {
			wave[i].msgID, err = s.Push(groupCtx, wave[i].first, w.Recipients)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, p := range wave {
		if err := rig.Poll(ctx, func() (bool, error) { return s.Sent(ctx, p.msgID, w.Recipients/rig.ChunkSize) }); err != nil {
			return fmt.Errorf("push %s: %w", p.msgID, err)
		}
	}
	chunks := w.Lab.Chunks()
	for i := range chunks {
		chunks[i].Group = w.waves
	}
	w.made, w.Chunks = append(w.made, wave...), append(w.Chunks, chunks...)
	w.waves++
	return nil
}

// Verify requires that every report counts the first rows of the feed, each once, and no others.
func (w *World) Verify(ctx context.Context, s *rig.Susul, active, rows int) error {
	want := make([][len(statuses)]int64, len(w.made))
	for first, count := range newFeed(w.Chunks, active).tally(rows) {
		for i, n := range count {
			want[int(first-w.First)/w.Recipients][i] += int64(n)
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
