package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.einride.tech/aip/resourcename"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/delivery"
	"susul.dev/susul/server/policy"
)

const (
	// maxShownTogether bounds the documents of one preview together, in bytes of JSON.
	maxShownTogether = 1 << 20

	// backtestSpan is the default of how far back a backtest looks.
	backtestSpan = 7 * 24 * time.Hour

	defaultBacktestPushes = 100
)

func (s resendPolicyService) GetResendPolicyReport(ctx context.Context, req *susulv1.GetResendPolicyReportRequest) (*susulv1.GetResendPolicyReportResponse, error) {
	backend, err := s.backend()
	if err != nil {
		return nil, err
	}
	var id string
	if err := resourcename.Sscan(req.GetName(), policyReportPattern, &id); err != nil {
		return nil, invalid("name", "must look like "+policyReportPattern)
	}
	found, ok := backend.Policies.Snapshot().Get(id)
	if !ok {
		return nil, notFound(policyName(id))
	}
	effects, err := backend.Delivery.PolicyEffects(ctx, found.Policy)
	if err != nil {
		return nil, err
	}
	report := &susulv1.ResendPolicyReport{Name: req.GetName()}
	for i, e := range effects {
		step := found.Policy.Steps[i]
		report.Steps = append(report.Steps, &susulv1.ResendPolicyStepReport{
			Step: int32(i + 1), PushCount: int64(e.Pushes), Variants: variantsToProto(e.Variants),
			Holdout: clicksToProto(e.Holdout), Lift: liftToProto(e.Lift), Paused: step.Paused, PauseReason: step.PauseReason,
		})
	}
	return &susulv1.GetResendPolicyReportResponse{Report: report}, nil
}

func (s resendPolicyService) PreviewResendPolicy(ctx context.Context, req *susulv1.PreviewResendPolicyRequest) (*susulv1.PreviewResendPolicyResponse, error) {
	app, id, err := parsePush(req.GetPush(), pushPattern)
	if err != nil {
		return nil, err
	}
	core, err := s.coreForApp(ctx, app)
	if err != nil {
		return nil, err
	}
	var compiled *policy.Compiled // nil is the pinned one
	if req.GetResendPolicy() != nil {
		if compiled, err = s.trialPolicy(app, req.GetResendPolicy()); err != nil {
			return nil, err
		}
	}
	preview, err := core.PreviewStep(ctx, delivery.PreviewRequest{
		App: app, PushID: id, Policy: compiled, Step: int(req.GetStep()), RegistrationIDs: req.GetRegistrationIds(),
	})
	if err != nil {
		return nil, previewFault(err)
	}
	return previewToProto(preview), nil
}

// previewFault names the fields that are at fault.
func previewFault(err error) error {
	var unknown *delivery.UnknownRecipientsError
	switch {
	case errors.Is(err, delivery.ErrNoPolicy):
		return invalid("resend_policy", "must be given: the push has none")
	case errors.Is(err, delivery.ErrNoStep):
		return invalid("step", "is none of the resend policy's")
	case errors.As(err, &unknown):
		var violations []*errdetails.BadRequest_FieldViolation
		for _, place := range unknown.Places {
			violations = append(violations, &errdetails.BadRequest_FieldViolation{
				Field: fmt.Sprintf("registration_ids[%d]", place), Description: "is no recipient of the push",
			})
		}
		return invalidFields(violations)
	default:
		return err
	}
}

// trialPolicy returns the stored policy if the message has only a name, else the draft that it is. A draft of a stored policy
// holds out whom that holds out.
func (s resendPolicyService) trialPolicy(app string, p *susulv1.ResendPolicy) (*policy.Compiled, error) {
	policies, err := s.policies()
	if err != nil {
		return nil, err
	}
	id := "draft"
	if p.GetName() != "" {
		if id, err = parsePolicy("resend_policy.name", p.GetName()); err != nil {
			return nil, err
		}
	}
	stored, known := policies.Snapshot().Get(id)
	if proto.Equal(p, &susulv1.ResendPolicy{Name: p.GetName()}) && p.GetName() != "" {
		if !known || !stored.For(app) {
			return nil, invalid("resend_policy.name", "there is no such resend policy for this app")
		}
		return stored, nil
	}
	draft, err := s.policyDraft(id, p)
	if err != nil {
		return nil, err
	}
	if p.GetName() != "" && known {
		draft.UID = stored.Policy.UID
	}
	compiled, err := policy.Compile(draft)
	if err != nil {
		return nil, err
	}
	if !compiled.For(app) {
		return nil, invalid("resend_policy.app", "must be empty, or the app that is asked about")
	}
	return compiled, nil
}

func previewToProto(preview delivery.Preview) *susulv1.PreviewResendPolicyResponse {
	resp := &susulv1.PreviewResendPolicyResponse{
		EligibleCount: int64(preview.Eligible), DeferredCount: int64(preview.Deferred),
		PassedOver: countsByName(preview.PassedOver), QuotaUnits: int64(preview.QuotaUnits),
	}
	left := maxShownTogether
	for _, recipient := range preview.Recipients {
		shown := &susulv1.RecipientPreview{
			RegistrationId: recipient.RegistrationID, PassedOverReason: string(recipient.Reason),
			SendTime: timeToProto(recipient.SendTime), Variant: recipient.Variant, TemplateError: recipient.TemplateError,
		}
		if size := len(recipient.Document); size > 0 && size <= min(left, maxShown) {
			left -= size
			shown.Document = structOf(recipient.Document)
		}
		resp.Recipients = append(resp.Recipients, shown)
	}
	return resp
}

// structOf reads a JSON object; one that nests too deeply is left out.
func structOf(data []byte) *structpb.Struct {
	object := &structpb.Struct{}
	readable := protojson.UnmarshalOptions{RecursionLimit: maxNesting}
	if readable.Unmarshal(data, object) != nil {
		return nil
	}
	return object
}

func (s resendPolicyService) BacktestResendPolicy(ctx context.Context, req *susulv1.BacktestResendPolicyRequest) (*susulv1.BacktestResendPolicyResponse, error) {
	app, core, err := s.coreFor(ctx, req.GetParent())
	if err != nil {
		return nil, err
	}
	compiled, err := s.trialPolicy(app, req.GetResendPolicy())
	if err != nil {
		return nil, err
	}
	if compiled.Policy.Match == "" && req.GetResendPolicy().GetName() == "" {
		return nil, invalid("resend_policy.match", "must be given, or the name of the stored policy whose pushes are looked at")
	}
	start, end, err := backtestTimes(req, core.Clock.Now())
	if err != nil {
		return nil, err
	}
	backtest, err := core.BacktestPolicy(ctx, delivery.BacktestRequest{
		App: app, Policy: compiled, StartTime: start, EndTime: end, MaxPushes: pageSize(req.GetMaxPushes(), defaultBacktestPushes),
	})
	if err != nil {
		return nil, err
	}
	return backtestToProto(app, backtest), nil
}

func backtestTimes(req *susulv1.BacktestResendPolicyRequest, now time.Time) (start, end time.Time, err error) {
	if end, err = parseOptionalTime("end_time", req.GetEndTime()); err != nil {
		return start, end, err
	}
	if end.IsZero() {
		end = now
	}
	if start, err = parseOptionalTime("start_time", req.GetStartTime()); err != nil {
		return start, end, err
	}
	if req.GetStartTime() == nil {
		start = end.Add(-backtestSpan)
	}
	if !start.Before(end) {
		return start, end, invalid("start_time", "must be before end_time")
	}
	return start, end, nil
}

func backtestToProto(app string, backtest delivery.Backtest) *susulv1.BacktestResendPolicyResponse {
	resp := &susulv1.BacktestResendPolicyResponse{PushCount: int32(len(backtest.Pushes)), MorePushes: backtest.MorePushes}
	for i, step := range backtest.Steps {
		p := &susulv1.BacktestStep{
			Step: int32(i + 1), Reached: int64(step.Reached), ClickedAnyway: int64(step.ClickedAnyway),
			PassedOver: countsByName(step.PassedOver), QuotaUnits: int64(step.QuotaUnits),
		}
		if step.Reached > 0 {
			p.ClickedAnywayRate = float64(step.ClickedAnyway) / float64(step.Reached)
		}
		resp.Steps = append(resp.Steps, p)
	}
	for _, push := range backtest.Pushes {
		p := &susulv1.BacktestPush{Push: pushName(app, push.ID), RecipientCount: int64(push.Recipients)}
		for _, step := range push.Steps {
			p.Steps = append(p.Steps, &susulv1.BacktestPushStep{
				Step: int32(step.Number), DueTime: timestamppb.New(step.DueTime), Reached: int64(step.Reached),
				ClickedAnyway: int64(step.ClickedAnyway), SampleRegistrationIds: step.Samples,
			})
		}
		resp.Pushes = append(resp.Pushes, p)
	}
	return resp
}
