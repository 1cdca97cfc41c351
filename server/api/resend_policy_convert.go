package api

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/policy"
)

// policyFromProto reads what a caller may set of a policy, and tells what can't be read. Whether the policy makes sense is
// for the policy to say.
func policyFromProto(p *susulv1.ResendPolicy) (policy.Policy, []*errdetails.BadRequest_FieldViolation) {
	var r policyReader
	draft := policy.Policy{
		App:         strings.TrimPrefix(p.GetApp(), "apps/"),
		DisplayName: p.GetDisplayName(),
		Description: p.GetDescription(),
		Priority:    p.GetPriority(),
		Match:       p.GetMatch(),
		Paused:      p.GetPaused(),
		Trigger: policy.Trigger{
			Unless:    milestoneFromProto(p.GetTrigger().GetUnless()),
			OnFailure: p.GetTrigger().GetOnFailure(),
			Within:    p.GetTrigger().GetWithin().AsDuration(),
		},
		Limits:          r.limits(p.GetLimits()),
		HoldoutPermille: int(p.GetHoldoutPermille()),
		Stack:           p.GetStack(),
		UnknownProgress: r.unknownProgress(p.GetUnknownProgress()),
		Measurement: policy.Measurement{
			ClickWindow:   p.GetMeasurement().GetClickWindow().AsDuration(),
			MinimumSample: int(p.GetMeasurement().GetMinimumSample()),
		},
	}
	for i, step := range p.GetSteps() {
		draft.Steps = append(draft.Steps, r.step(step, fmt.Sprintf("steps[%d]", i)))
	}
	return draft, r.violations
}

// policyReader collects what can't be read.
type policyReader struct {
	violations []*errdetails.BadRequest_FieldViolation
}

func (r *policyReader) fault(field, description string) {
	r.violations = append(r.violations, &errdetails.BadRequest_FieldViolation{
		Field: "resend_policy." + field, Description: description,
	})
}

// named notes a number that its enum has no name for, which JSON lets pass.
func (r *policyReader) named(field string, value protoreflect.Enum) {
	if value.Descriptor().Values().ByNumber(value.Number()) == nil {
		r.fault(field, "has no value "+strconv.Itoa(int(value.Number())))
	}
}

func (r *policyReader) limits(p *susulv1.ResendLimits) policy.Limits {
	limits := policy.Limits{MinimumGap: p.GetMinimumGap().AsDuration(), ExpireAfter: p.GetExpireAfter().AsDuration()}
	if quiet := p.GetQuietHours(); quiet != nil {
		const field = "limits.quiet_hours."
		r.named(field+"action", quiet.GetAction())
		limits.QuietHours = &policy.QuietHours{
			From: r.timeOfDay(field+"start", quiet.GetStart()), Until: r.timeOfDay(field+"end", quiet.GetEnd()),
			Drop:            quiet.GetAction() == susulv1.QuietHoursAction_QUIET_HOURS_ACTION_DROP,
			DefaultTimeZone: quiet.GetDefaultTimeZone(),
		}
	}
	if frequency := p.GetFrequencyCap(); frequency != nil {
		limits.FrequencyCap = &policy.FrequencyCap{
			Messages: int(frequency.GetMessages()), Window: frequency.GetWindow().AsDuration(),
		}
	}
	return limits
}

func (r *policyReader) timeOfDay(field, text string) policy.TimeOfDay {
	d, err := policy.ParseTimeOfDay(text)
	if err != nil {
		r.fault(field, err.Error())
	}
	return d
}

func (r *policyReader) unknownProgress(p *susulv1.UnknownProgress) policy.UnknownProgress {
	r.named("unknown_progress.otherwise", p.GetOtherwise())
	unknown := policy.UnknownProgress{
		Send: p.GetOtherwise() == susulv1.UnknownProgressAction_UNKNOWN_PROGRESS_ACTION_SEND,
	}
	if p.GetHoldFor() != nil {
		hold := p.GetHoldFor().AsDuration()
		unknown.HoldFor = &hold
	}
	return unknown
}

// origins are what a step may count from; what is not here counts from the trigger.
var origins = map[susulv1.StepOrigin]policy.Origin{
	susulv1.StepOrigin_STEP_ORIGIN_PREVIOUS_STEP: policy.FromPreviousStep,
	susulv1.StepOrigin_STEP_ORIGIN_FIRST_SENDING: policy.FromFirstSending,
}

func (r *policyReader) step(p *susulv1.ResendStep, field string) policy.Step {
	r.named(field+".counted_from", p.GetCountedFrom())
	step := policy.Step{
		After:           p.GetAfter().AsDuration(),
		Origin:          origins[p.GetCountedFrom()],
		OnlyIf:          p.GetOnlyIf(),
		Contents:        r.contents(p, field),
		Optimize:        p.GetOptimize(),
		HoldoutPermille: int(p.GetHoldoutPermille()),
		Paused:          p.GetPaused(),
	}
	for i, variant := range p.GetVariants() {
		step.Variants = append(step.Variants, policy.Variant{
			ID: variant.GetId(), Weight: int(variant.GetWeight()),
			Contents: r.contents(variant, fmt.Sprintf("%s.variants[%d]", field, i)),
		})
	}
	return step
}

// contented is a step or a variant.
type contented interface {
	GetContent() *susulv1.ResendContent
	GetContentByProgress() *susulv1.ContentByProgress
	GetPlainContent() *susulv1.ResendContent
}

func (r *policyReader) contents(p contented, field string) policy.Contents {
	progress, byProgress := p.GetContentByProgress(), field+".content_by_progress."
	return policy.Contents{
		Content:               r.content(p.GetContent(), field+".content"),
		NeverDelivered:        r.content(progress.GetNeverDelivered(), byProgress+"never_delivered"),
		DeliveredNotDisplayed: r.content(progress.GetDeliveredNotDisplayed(), byProgress+"delivered_not_displayed"),
		DisplayedNotClicked:   r.content(progress.GetDisplayedNotClicked(), byProgress+"displayed_not_clicked"),
		Plain:                 r.content(p.GetPlainContent(), field+".plain_content"),
	}
}

func (r *policyReader) content(p *susulv1.ResendContent, field string) *policy.Content {
	if p == nil {
		return nil
	}
	content := &policy.Content{Title: p.GetTitle(), Alert: p.GetAlert()}
	if overlay := p.GetOverlay(); overlay != nil {
		data, err := protojson.Marshal(overlay)
		if err != nil {
			r.fault(field+".overlay", "can't be written as JSON")
		}
		content.Overlay = json.RawMessage(data)
	}
	return content
}

func policyToProto(stored policy.Policy) *susulv1.ResendPolicy {
	p := &susulv1.ResendPolicy{
		Name:        policyName(stored.ID),
		Uid:         stored.UID,
		Etag:        strconv.FormatInt(stored.Revision, 10),
		Revision:    stored.Revision,
		DisplayName: stored.DisplayName,
		Description: stored.Description,
		Priority:    stored.Priority,
		Match:       stored.Match,
		Paused:      stored.Paused,
		Trigger: &susulv1.ResendTrigger{
			Unless:    milestoneToProto(stored.Trigger.Unless),
			OnFailure: stored.Trigger.OnFailure,
			Within:    durationpb.New(stored.Trigger.Within),
		},
		Limits:          limitsToProto(stored.Limits),
		HoldoutPermille: int32(stored.HoldoutPermille),
		Stack:           stored.Stack,
		CreateTime:      timestamppb.New(stored.CreateTime),
		UpdateTime:      timestamppb.New(stored.UpdateTime),
	}
	if stored.App != "" {
		p.App = appName(stored.App)
	}
	for _, step := range stored.Steps {
		p.Steps = append(p.Steps, stepToProto(step))
	}
	if stored.UnknownProgress != (policy.UnknownProgress{}) {
		p.UnknownProgress = &susulv1.UnknownProgress{}
		if stored.UnknownProgress.HoldFor != nil {
			p.UnknownProgress.HoldFor = durationpb.New(*stored.UnknownProgress.HoldFor)
		}
		if stored.UnknownProgress.Send {
			p.UnknownProgress.Otherwise = susulv1.UnknownProgressAction_UNKNOWN_PROGRESS_ACTION_SEND
		}
	}
	if stored.Measurement != (policy.Measurement{}) {
		p.Measurement = &susulv1.ResendMeasurement{
			ClickWindow: optionalDuration(stored.Measurement.ClickWindow), MinimumSample: int32(stored.Measurement.MinimumSample),
		}
	}
	return p
}

func limitsToProto(limits policy.Limits) *susulv1.ResendLimits {
	if limits == (policy.Limits{}) {
		return nil
	}
	p := &susulv1.ResendLimits{
		MinimumGap: optionalDuration(limits.MinimumGap), ExpireAfter: optionalDuration(limits.ExpireAfter),
	}
	if quiet := limits.QuietHours; quiet != nil {
		p.QuietHours = &susulv1.QuietHours{
			Start: quiet.From.String(), End: quiet.Until.String(), DefaultTimeZone: quiet.DefaultTimeZone,
		}
		if quiet.Drop {
			p.QuietHours.Action = susulv1.QuietHoursAction_QUIET_HOURS_ACTION_DROP
		}
	}
	if frequency := limits.FrequencyCap; frequency != nil {
		p.FrequencyCap = &susulv1.FrequencyCap{Messages: int32(frequency.Messages), Window: durationpb.New(frequency.Window)}
	}
	return p
}

func stepToProto(step policy.Step) *susulv1.ResendStep {
	p := &susulv1.ResendStep{
		After:             durationpb.New(step.After),
		Content:           contentToProto(step.Content),
		ContentByProgress: byProgressToProto(step.Contents),
		PlainContent:      contentToProto(step.Plain),
		OnlyIf:            step.OnlyIf,
		Optimize:          step.Optimize,
		HoldoutPermille:   int32(step.HoldoutPermille),
		Paused:            step.Paused,
		PauseReason:       step.PauseReason,
		MeasuredSince:     timeToProto(step.MeasuredSince),
	}
	for number, origin := range origins {
		if origin == step.Origin {
			p.CountedFrom = number
		}
	}
	for _, variant := range step.Variants {
		p.Variants = append(p.Variants, &susulv1.ResendVariant{
			Id: variant.ID, Weight: int32(variant.Weight),
			Content:           contentToProto(variant.Content),
			ContentByProgress: byProgressToProto(variant.Contents),
			PlainContent:      contentToProto(variant.Plain),
		})
	}
	return p
}

func byProgressToProto(c policy.Contents) *susulv1.ContentByProgress {
	if c.NeverDelivered == nil && c.DeliveredNotDisplayed == nil && c.DisplayedNotClicked == nil {
		return nil
	}
	return &susulv1.ContentByProgress{
		NeverDelivered:        contentToProto(c.NeverDelivered),
		DeliveredNotDisplayed: contentToProto(c.DeliveredNotDisplayed),
		DisplayedNotClicked:   contentToProto(c.DisplayedNotClicked),
	}
}

func contentToProto(content *policy.Content) *susulv1.ResendContent {
	if content == nil {
		return nil
	}
	p := &susulv1.ResendContent{Title: content.Title, Alert: content.Alert}
	overlay := &structpb.Struct{}
	// What is stored was a Struct when it came.
	if len(content.Overlay) > 0 && protojson.Unmarshal(content.Overlay, overlay) == nil {
		p.Overlay = overlay
	}
	return p
}

// optionalDuration leaves a duration away that is zero by default.
func optionalDuration(d time.Duration) *durationpb.Duration {
	if d == 0 {
		return nil
	}
	return durationpb.New(d)
}
