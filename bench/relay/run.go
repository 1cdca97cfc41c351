package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"susul.dev/susul/bench/rig"
	susulv1 "susul.dev/susul/gen/susul/v1"
)

const (
	callsAtOnce = 8
	concurrency = 4 // requests to an endpoint at once
	maxBatch    = 200

	prepareTimeout = 5 * time.Minute
	postTimeout    = 10 * time.Minute
)

// statuses are what is reported of each recipient.
func statuses() []string { return []string{"sent", "delivered", "impression"} }

// result is what a case came to.
type result struct {
	Case            string  `json:"case"`
	Endpoints       int     `json:"endpoints"`
	Events          int     `json:"events"` // posted to all endpoints together
	Posts           int     `json:"posts"`
	Seconds         float64 `json:"seconds"`
	EventsPerSecond float64 `json:"events_per_second"`
	PostsPerSecond  float64 `json:"posts_per_second"`
	CPUMicros       float64 `json:"cpu_us_per_event"`
	PeakRSS         float64 `json:"peak_rss_mb"`
	Bare            bare    `json:"bare"`
	RateToBare      float64 `json:"rate_to_bare"`
	CPUToBare       float64 `json:"cpu_to_bare"`
}

// bare is the yardstick of a case.
type bare struct {
	EventsPerSecond float64 `json:"events_per_second"`
	CPUMicros       float64 `json:"cpu_us_per_event"`
}

// bench is one run.
type bench struct {
	*rig.Bench
	say io.Writer
}

// run takes a server through a case.
func (b *bench) run(ctx context.Context, c scenario) (r result, err error) {
	h, err := b.NewHome(rig.HomeOptions{})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(h.Dir)) }()
	to := startReceivers(c.endpoints, c.pushes*rig.ChunkSize*len(statuses()))
	defer to.Close()
	err = h.Live(ctx, func(s *rig.Susul) error {
		if err := b.prepare(ctx, s, c, to); err != nil {
			return err
		}
		r, err = relay(ctx, s, c, to)
		return err
	})
	if err != nil {
		return r, err
	}
	return r, r.compare(ctx, to)
}

// prepare makes the subscriptions, the pushes and their events.
func (b *bench) prepare(ctx context.Context, s *rig.Susul, c scenario, to *receivers) error {
	ctx, cancel := context.WithTimeout(ctx, prepareTimeout)
	defer cancel()
	if err := b.each(ctx, c.endpoints, func(ctx context.Context, i int) error {
		_, err := s.Callbacks.CreateSubscription(ctx, &susulv1.CreateSubscriptionRequest{
			Parent: "apps/" + rig.AppKey, SubscriptionId: subscriptionID(i),
			Subscription: &susulv1.Subscription{Url: to.url(i), Paused: true, MaxConcurrency: concurrency},
		})
		return err
	}); err != nil {
		return err
	}
	b.Lab.Expect(0, c.pushes*rig.ChunkSize)
	if err := b.each(ctx, c.pushes, func(ctx context.Context, i int) error {
		msgID, err := s.Push(ctx, uint64(i*rig.ChunkSize), rig.ChunkSize)
		if err != nil {
			return err
		}
		return rig.Poll(ctx, func() (bool, error) { return s.Sent(ctx, msgID, 1) })
	}); err != nil {
		return err
	}
	chunks := b.Lab.Chunks()
	for _, status := range statuses() {
		if err := b.each(ctx, len(chunks), func(ctx context.Context, i int) error {
			return report(ctx, s, chunks[i], status)
		}); err != nil {
			return err
		}
	}
	return nil
}

// each does something with each number, several at once.
func (b *bench) each(ctx context.Context, count int, do func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(callsAtOnce)
	for i := range count {
		group.Go(func() error { return do(ctx, i) })
	}
	return group.Wait()
}

func subscriptionID(i int) string { return "bench-" + strconv.Itoa(i) }

// report tells a status of all recipients of a chunk.
func report(ctx context.Context, s *rig.Susul, chunk rig.Chunk, status string) error {
	req := &susulv1.ReportCallbacksRequest{Parent: "apps/" + rig.AppKey}
	for i := range uint64(rig.ChunkSize) {
		req.Callbacks = append(req.Callbacks, &susulv1.Callback{
			UpstreamMessageId: chunk.MessageID, RegistrationId: string(rig.AppendRegistrationID(nil, chunk.First+i)),
			Status: status, Channel: "FCM",
		})
	}
	_, err := s.Callbacks.ReportCallbacks(ctx, req)
	return err
}

// relay resumes the subscriptions and measures until every event has been posted to each.
func relay(ctx context.Context, s *rig.Susul, c scenario, to *receivers) (r result, err error) {
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	if err := s.ForgetPeak(); err != nil {
		return r, err
	}
	before, err := s.Usage()
	if err != nil {
		return r, err
	}
	began := time.Now()
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(callsAtOnce)
	for i := range c.endpoints {
		group.Go(func() error {
			_, err := s.Callbacks.UpdateSubscription(groupCtx, &susulv1.UpdateSubscriptionRequest{
				Subscription: &susulv1.Subscription{Name: "apps/" + rig.AppKey + "/subscriptions/" + subscriptionID(i)},
				UpdateMask:   &fieldmaskpb.FieldMask{Paths: []string{"paused"}},
			})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return r, err
	}
	select {
	case <-to.complete:
	case <-ctx.Done():
		return r, errors.Join(errors.New("not every receiver got every event"), to.failed(), ctx.Err())
	}
	took := time.Since(began)
	after, err := s.Usage()
	if err != nil {
		return r, err
	}
	events := to.want * c.endpoints
	posts := to.posted()
	return result{
		Case: c.name, Endpoints: c.endpoints, Events: events, Posts: posts, Seconds: rig.Round(took.Seconds(), 3),
		EventsPerSecond: rig.Round(float64(events)/took.Seconds(), 0), PostsPerSecond: rig.Round(float64(posts)/took.Seconds(), 0),
		CPUMicros: rig.Round(float64((after.CPU-before.CPU).Microseconds())/float64(events), 2),
		PeakRSS:   rig.Megabytes(after.Peak),
	}, to.failed()
}

// compare measures the yardstick: as many posts of full documents as the events need.
func (r *result) compare(ctx context.Context, to *receivers) error {
	to.measureBare()
	w := bareWork{Connections: concurrency * r.Endpoints, Body: to.sample, Posts: (to.want + maxBatch - 1) / maxBatch}
	for i := range r.Endpoints {
		w.URLs = append(w.URLs, to.url(i))
	}
	measured, err := measureBareLoop(ctx, w)
	if err != nil {
		return err
	}
	r.Bare = bare{
		EventsPerSecond: rig.Round(float64(r.Events)/measured.Seconds, 0),
		CPUMicros:       rig.Round(measured.CPU*1e6/float64(r.Events), 2),
	}
	r.RateToBare = rig.Round(r.EventsPerSecond/r.Bare.EventsPerSecond, 2)
	r.CPUToBare = rig.Round(r.CPUMicros/r.Bare.CPUMicros, 2)
	return nil
}

// posted returns how many requests came.
func (r *receivers) posted() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.posts
}

// failed returns the first thing that was wrong.
func (r *receivers) failed() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fault != nil {
		return fmt.Errorf("the figures are void: %w", r.fault)
	}
	return nil
}
