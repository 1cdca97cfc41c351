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
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	"susul.dev/susul/bench/rig"
	susulv1 "susul.dev/susul/gen/susul/v1"
)

const (
	// quiet is how long callbacks come before the step is due.
	quiet = 5 * time.Second

	// Of every clickCycle recipients, the first clickers click.
	clickers, clickCycle = 2, 5

	devicesAtOnce = 10_000
	clicksAtOnce  = 1_000
	postsAtOnce   = 8

	sendTimeout = 10 * time.Minute

	// look is how often the report is asked for while the step is planned, which bounds how exact its time is.
	look = 50 * time.Millisecond
)

// scenario is one case.
type scenario struct {
	name     string
	alert    string // of the follow-up
	personal bool   // every device has attributes
}

// result is what a case came to.
type result struct {
	Case        string      `json:"case"`
	PlanSeconds float64     `json:"plan_seconds"`
	OfScan      float64     `json:"ratio_to_scan"`
	PlanCPU     float64     `json:"plan_cpu_seconds"` // of the server, all that it did meanwhile
	SendSeconds float64     `json:"send_seconds"`
	RSS         float64     `json:"rss_mb"`      // before the step is due
	PeakRSS     float64     `json:"peak_rss_mb"` // while it is planned
	SendingPeak float64     `json:"sending_peak_rss_mb"`
	Quiet       rig.Latency `json:"callbacks_quiet"`
	Planning    rig.Latency `json:"callbacks_planning"`
	Sending     rig.Latency `json:"callbacks_sending"`
	Refused     int         `json:"refused_callbacks"`
	Recipients  int         `json:"recipients"`
	Requests    int         `json:"requests"`
}

// bench is one run.
type bench struct {
	*rig.Bench
	recipients int
	after      time.Duration
	say        io.Writer
}

// run takes a server through a case.
func (b *bench) run(ctx context.Context, c scenario) (r result, err error) {
	h, err := b.NewHome(rig.HomeOptions{})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(h.Dir)) }()
	err = h.Live(ctx, func(s *rig.Susul) error {
		msgID, p, err := b.prepare(ctx, s, c)
		if err != nil {
			return err
		}
		r, err = b.followUp(ctx, s, msgID, p)
		r.Case = c.name
		return err
	})
	return r, err
}

// prepare makes the push, has it sent and clicked on.
func (b *bench) prepare(ctx context.Context, s *rig.Susul, c scenario) (msgID string, p *poster, err error) {
	if c.personal {
		if err := b.setDevices(ctx, s); err != nil {
			return "", nil, err
		}
	}
	if err := b.createPolicy(ctx, s, c); err != nil {
		return "", nil, err
	}
	b.Lab.Expect(0, b.recipients)
	if msgID, err = s.Push(ctx, 0, b.recipients); err != nil {
		return "", nil, err
	}
	sending, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if err := rig.Poll(sending, func() (bool, error) { return s.Sent(ctx, msgID, b.recipients/rig.ChunkSize) }); err != nil {
		return "", nil, err
	}
	p = newPoster(s.HTTP, b.Lab.Chunks())
	return msgID, p, b.click(ctx, p)
}

func (b *bench) setDevices(ctx context.Context, s *rig.Susul) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(postsAtOnce)
	for from := 0; from < b.recipients; from += devicesAtOnce {
		request := &susulv1.SetDevicesRequest{Parent: "apps/" + rig.AppKey}
		for number := from; number < min(from+devicesAtOnce, b.recipients); number++ {
			request.Devices = append(request.Devices, &susulv1.Device{
				RegistrationId: string(rig.AppendRegistrationID(nil, uint64(number))),
				Attributes: &structpb.Struct{Fields: map[string]*structpb.Value{
					"first_name": structpb.NewStringValue("Reader " + strconv.Itoa(number)),
				}},
			})
		}
		group.Go(func() error {
			_, err := s.Devices.SetDevices(ctx, request)
			return err
		})
	}
	return group.Wait()
}

func (b *bench) createPolicy(ctx context.Context, s *rig.Susul, c scenario) error {
	_, err := s.Policies.CreateResendPolicy(ctx, &susulv1.CreateResendPolicyRequest{
		ResendPolicyId: "bench",
		ResendPolicy: &susulv1.ResendPolicy{
			Match:   "true",
			Trigger: &susulv1.ResendTrigger{Unless: susulv1.Milestone_MILESTONE_CLICKED, Within: durationpb.New(0)},
			Steps: []*susulv1.ResendStep{{
				After: durationpb.New(b.after), Content: &susulv1.ResendContent{Title: "Still unread", Alert: c.alert},
			}},
		},
	})
	return err
}

// clicks reports whether a recipient clicks on the push.
func clicks(number uint64) bool { return number%clickCycle < clickers }

// click reports the clicks on the push.
func (b *bench) click(ctx context.Context, p *poster) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(postsAtOnce)
	var batch []uint64
	for number := range uint64(b.recipients) {
		if clicks(number) {
			batch = append(batch, number)
		}
		if len(batch) == clicksAtOnce || int(number) == b.recipients-1 {
			numbers := batch
			group.Go(func() error { return p.post(ctx, "click", numbers) })
			batch = nil
		}
	}
	return group.Wait()
}

// followUp measures the step.
func (b *bench) followUp(ctx context.Context, s *rig.Susul, msgID string, p *poster) (r result, err error) {
	report, err := s.Report(ctx, msgID)
	if err != nil {
		return r, err
	}
	due := report.GetSteps()[1].GetDueTime().AsTime()
	if time.Until(due) < quiet {
		return r, errors.New("the step is due before all is ready; run again with a longer --after")
	}
	if err := rig.Rest(ctx, time.Until(due.Add(-quiet))); err != nil {
		return r, err
	}
	posting, stopPosting := context.WithCancel(ctx)
	posted := make(chan error, 1)
	go func() { posted <- p.run(posting, uint64(b.recipients)) }()
	planned, sent, err := b.watch(ctx, s, msgID, due, &r)
	stopPosting()
	if err := errors.Join(err, <-posted); err != nil {
		return r, err
	}
	r.PlanSeconds, r.SendSeconds = rig.Round(planned.Sub(due).Seconds(), 3), rig.Round(sent.Sub(planned).Seconds(), 1)
	r.Quiet, r.Planning, r.Sending = p.between(time.Time{}, due), p.between(due, planned), p.between(planned, sent)
	r.Refused = p.refused
	return r, b.verify(ctx, s, msgID, &r)
}

// watch waits until the step is planned and sent, and notes the server's memory.
func (b *bench) watch(ctx context.Context, s *rig.Susul, msgID string, due time.Time, r *result) (planned, sent time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, quiet+sendTimeout)
	defer cancel()
	if err := rig.Rest(ctx, time.Until(due.Add(-look))); err != nil {
		return planned, sent, err
	}
	if err := s.ForgetPeak(); err != nil {
		return planned, sent, err
	}
	before, err := s.Usage()
	if err != nil {
		return planned, sent, err
	}
	r.RSS = rig.Megabytes(before.RSS)
	for {
		report, err := s.Report(ctx, msgID)
		if err != nil {
			return planned, sent, err
		}
		step := report.GetSteps()[1]
		usage, err := s.Usage()
		switch {
		case err != nil:
			return planned, sent, err
		case step.GetState() == susulv1.StepState_STEP_STATE_CANCELLED:
			return planned, sent, fmt.Errorf("the step was cancelled: %s", step.GetCancelReason())
		case step.GetState() != susulv1.StepState_STEP_STATE_PLANNED:
		case planned.IsZero():
			planned, r.PeakRSS = time.Now(), rig.Megabytes(usage.Peak)
			r.PlanCPU = rig.Round((usage.CPU - before.CPU).Seconds(), 2)
		case isSent(step):
			r.SendingPeak = rig.Megabytes(usage.Peak)
			return planned, time.Now(), nil
		}
		if err := rig.Rest(ctx, look); err != nil {
			return planned, sent, err
		}
	}
}

// isSent reports whether EngageLab has all of a step.
func isSent(step *susulv1.StepReport) bool {
	for state, n := range step.GetDispatches() {
		if state != "SENT" && n > 0 {
			return false
		}
	}
	return true
}

// verify requires that those who did not click, and no others, were followed up, each once.
func (b *bench) verify(ctx context.Context, s *rig.Susul, msgID string, r *result) error {
	report, err := s.Report(ctx, msgID)
	if err != nil {
		return err
	}
	taken := b.Lab.FollowUps()
	r.Recipients, r.Requests = taken.Recipients, taken.Requests
	want := b.recipients / clickCycle * (clickCycle - clickers)
	counted := report.GetSteps()[1].GetFunnel().GetTargets()
	if taken.Recipients != want || taken.Repeated > 0 || counted != int64(want) {
		return fmt.Errorf("%d have not clicked; the report counts %d, EngageLab got %d and %d again",
			want, counted, taken.Recipients, taken.Repeated)
	}
	return nil
}
