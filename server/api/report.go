package api

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/delivery"
	"susul.dev/susul/server/effect"
	"susul.dev/susul/storage"
)

func reportToProto(report storage.Report, effect delivery.PushEffect) *susulv1.PushReport {
	p := &susulv1.PushReport{
		Name:  reportName(report.Push.App, report.Push.ID),
		MsgId: msgID(report.Push.ID),
		State: susulv1.PushState(susulv1.PushState_value["PUSH_STATE_"+string(report.Push.State)]),
		Total: funnelToProto(report.Total),
	}
	for _, step := range report.Steps {
		p.Steps = append(p.Steps, stepReportToProto(step, effect.Steps))
	}
	if whole := effect.Whole; whole != nil {
		p.Effect = &susulv1.Effect{
			FollowedUp: clicksToProto(&whole.FollowedUp), Holdout: clicksToProto(&whole.Holdout), Lift: liftToProto(&whole.Lift),
		}
	}
	return p
}

func stepReportToProto(step storage.StepReport, effects map[int]delivery.StepEffect) *susulv1.StepReport {
	p := &susulv1.StepReport{
		Step:              int32(step.Number),
		State:             susulv1.StepState(susulv1.StepState_value["STEP_STATE_"+string(step.State)]),
		DueTime:           timeToProto(step.DueTime),
		Funnel:            funnelToProto(step.Counts),
		CancelReason:      string(step.CancelReason),
		PassedOver:        countsByName(step.PassedOver),
		Unsent:            countsByName(step.Unsent),
		Dispatches:        countsByName(step.Dispatches),
		HoldTime:          timeToProto(step.HoldTime),
		PlainContentCount: int64(step.PlainContent),
	}
	if e, planned := effects[step.Number]; planned {
		p.Variants, p.Holdout, p.Lift = variantsToProto(e.Variants), clicksToProto(e.Holdout), liftToProto(e.Lift)
	}
	return p
}

func variantsToProto(variants []delivery.VariantEffect) []*susulv1.VariantReport {
	p := make([]*susulv1.VariantReport, len(variants))
	for i, v := range variants {
		p[i] = &susulv1.VariantReport{Variant: v.Variant, Clicks: clicksToProto(&v.Clicks), Lift: liftToProto(v.Lift)}
	}
	return p
}

func clicksToProto(c *delivery.Clicks) *susulv1.ClickRate {
	if c == nil {
		return nil
	}
	return &susulv1.ClickRate{
		Sent: int64(c.Sent), Clicked: int64(c.Clicked), Rate: c.Rate, Interval: intervalToProto(c.Interval),
	}
}

func liftToProto(l *delivery.Lift) *susulv1.Lift {
	if l == nil {
		return nil
	}
	return &susulv1.Lift{Difference: l.Difference, Interval: intervalToProto(l.Interval)}
}

func intervalToProto(i effect.Interval) *susulv1.Interval {
	return &susulv1.Interval{Lower: i.Low, Upper: i.High}
}

// timeToProto returns nothing for the zero time.
func timeToProto(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func countsByName[K ~string](counts map[K]int) map[string]int64 {
	named := make(map[string]int64, len(counts))
	for name, n := range counts {
		named[string(name)] = int64(n)
	}
	return named
}

func funnelToProto(c storage.Counts) *susulv1.Funnel {
	rate := func(n int) float64 {
		if c.Targets == 0 {
			return 0
		}
		return float64(n) / float64(c.Targets)
	}
	return &susulv1.Funnel{
		Targets: int64(c.Targets), Sent: int64(c.Sent), Delivered: int64(c.Delivered),
		Displayed: int64(c.Displayed), Clicked: int64(c.Clicked), Failed: int64(c.Failed),
		DeliveryRate: rate(c.Delivered), DisplayRate: rate(c.Displayed), ClickRate: rate(c.Clicked),
	}
}
