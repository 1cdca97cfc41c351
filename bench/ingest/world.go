package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/engagelab"
)

const (
	pushesAtOnce  = 16
	reportsAtOnce = 4
	sendTimeout   = 10 * time.Minute
)

// world is the pushes of one case. They come in waves of the same shape.
type world struct {
	lab        *lab
	pushes     int // of a wave
	recipients int // of a push
	waves      int
	made       []push
	chunks     []chunk
}

// push is one push; its recipients have consecutive numbers.
type push struct {
	msgID string
	first uint64
}

func (w *world) total() int { return len(w.made) * w.recipients }

// wave makes pushes over the API, and waits until EngageLab has all of them.
func (w *world) wave(ctx context.Context, s *susul) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	wave := make([]push, w.pushes)
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(pushesAtOnce)
	for i := range wave {
		wave[i].first = uint64(w.total() + i*w.recipients)
		w.lab.expect(wave[i].first, w.recipients)
		group.Go(func() (err error) {
			wave[i].msgID, err = s.push(groupCtx, wave[i].first, w.recipients)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, p := range wave {
		if err := poll(ctx, func() (bool, error) { return s.sent(ctx, p.msgID, w.recipients/chunkSize) }); err != nil {
			return fmt.Errorf("push %s: %w", p.msgID, err)
		}
	}
	chunks := w.lab.chunks()
	for i := range chunks {
		chunks[i].Group = w.waves
	}
	w.made, w.chunks = append(w.made, wave...), append(w.chunks, chunks...)
	w.waves++
	return nil
}

// push sends a push in EngageLab's own words.
func (s *susul) push(ctx context.Context, first uint64, recipients int) (msgID string, err error) {
	body := []byte(`{"from":"bench","request_id":"` + strconv.FormatUint(first, 10) + `","body":{"platform":"android",` +
		`"notification":{"android":{"title":"Morning news","alert":"Three things to know today."}}},` +
		`"custom_args":{"campaign":"spring-sale"},"to":{"registration_id":[`)
	for i := range recipients {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(appendRegistrationID(append(body, '"'), first+uint64(i)), '"')
	}
	body = append(body, "]}}"...)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.http+"/v4/push", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.SetBasicAuth(appKey, masterSecret)
	got, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		return "", err
	}
	var pushed engagelab.PushResponse
	if err := json.Unmarshal(text, &pushed); err != nil || got.StatusCode != http.StatusOK {
		return "", fmt.Errorf("push: %s: %s", got.Status, text)
	}
	return pushed.MsgID, nil
}

// sent reports whether every dispatch of a push has gone out.
func (s *susul) sent(ctx context.Context, msgID string, dispatches int) (bool, error) {
	report, err := s.report(ctx, msgID)
	if err != nil {
		return false, err
	}
	return report.GetSteps()[0].GetDispatches()["SENT"] == int64(dispatches), nil
}

func (s *susul) report(ctx context.Context, msgID string) (*susulv1.PushReport, error) {
	got, err := s.callbacks.GetPushReport(ctx, &susulv1.GetPushReportRequest{
		Name: "apps/" + appKey + "/pushes/" + msgID + "/report",
	})
	return got.GetReport(), err
}

// verify requires that every report counts the first rows of the feed, each once, and no others.
func (w *world) verify(ctx context.Context, s *susul, f *feed, rows int) error {
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
			report, err := s.report(ctx, p.msgID)
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
