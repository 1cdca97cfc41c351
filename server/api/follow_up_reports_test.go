package api_test

import (
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/clock"
	"susul.dev/susul/server/engagelab/sandbox"
	"susul.dev/susul/server/servertest"
)

// A follow-up from its first sending to what it brought, at a thousand times the speed.
func TestFollowUpReports(t *testing.T) {
	s := faces{servertest.Start(t, servertest.Options{
		Clock: clock.Scaled(1000), Behaviour: sandbox.Behaviour{DeliverWithin: time.Second},
	})}
	policy := &susulv1.ResendPolicy{
		HoldoutPermille: 300,
		Trigger:         &susulv1.ResendTrigger{Unless: susulv1.Milestone_MILESTONE_CLICKED, Within: durationpb.New(10 * time.Minute)},
		Steps: []*susulv1.ResendStep{{
			After: durationpb.New(time.Minute), Variants: []*susulv1.ResendVariant{
				{Id: "a", Content: &susulv1.ResendContent{Alert: "A"}}, {Id: "b", Content: &susulv1.ResendContent{Alert: "B"}},
			},
		}},
		Measurement: &susulv1.ResendMeasurement{ClickWindow: durationpb.New(10 * time.Minute), MinimumSample: 100},
	}
	admin := servertest.AsAdmin(t.Context())
	_, err := s.Policies.CreateResendPolicy(admin, &susulv1.CreateResendPolicyRequest{ResendPolicyId: "measured", ResendPolicy: policy})
	require.NoError(t, err)
	nothing, _ := s.alike(t, asAdmin, &susulv1.GetResendPolicyReportRequest{Name: "resendPolicies/measured/report"}).(*susulv1.GetResendPolicyReportResponse)
	unknown := &susulv1.Interval{Lower: 0, Upper: 1}
	require.Equal(t, unknown.String(), nothing.GetReport().GetSteps()[0].GetHoldout().GetInterval().String())
	require.Zero(t, nothing.GetReport().GetSteps()[0].GetPushCount())

	ids := make([]string, 100)
	for i := range ids {
		ids[i] = "r" + strings.Repeat("i", i)
	}
	push := pushTo("measured", ids...)
	push.ResendPolicy = "resendPolicies/measured"
	created, err := s.Pushes.CreatePush(admin, &susulv1.CreatePushRequest{Parent: app, Push: push})
	require.NoError(t, err)

	var total *susulv1.ResendPolicyStepReport
	require.Eventually(t, func() bool {
		resp, err := s.Policies.GetResendPolicyReport(admin, &susulv1.GetResendPolicyReportRequest{Name: "resendPolicies/measured/report"})
		require.NoError(t, err)
		total = resp.GetReport().GetSteps()[0]
		return total.GetPushCount() == 1
	}, patience, 10*time.Millisecond)

	report, _ := s.alike(t, asApp, &susulv1.GetPushReportRequest{Name: created.GetPush().GetName() + "/report"}).(*susulv1.GetPushReportResponse)
	step := report.GetReport().GetSteps()[1]
	require.Len(t, step.GetVariants(), 2)
	a, b, held := step.GetVariants()[0].GetClicks().GetSent(), step.GetVariants()[1].GetClicks().GetSent(), step.GetHoldout().GetSent()
	require.EqualValues(t, 100, a+b+held)
	require.Equal(t, step.GetPassedOver()["HOLDOUT"], held)
	require.Equal(t, step.GetFunnel().GetTargets(), a+b)
	require.Positive(t, min(a, b, held))
	require.Zero(t, step.GetLift().GetDifference())
	require.Less(t, step.GetLift().GetInterval().GetLower(), 0.0)
	// Of n who did not click, Wilson's interval ends at z²/(n+z²).
	z := 1.959963984540054
	require.InDelta(t, z*z/(float64(held)+z*z), step.GetHoldout().GetInterval().GetUpper(), 1e-9)
	require.InDelta(t, math.Hypot(0, z*z/(float64(held)+z*z)), -step.GetLift().GetInterval().GetLower(), 1e-9)
	effect := report.GetReport().GetEffect()
	require.Equal(t, a+b, effect.GetFollowedUp().GetSent())
	require.Equal(t, held, effect.GetHoldout().GetSent())
	require.Equal(t, step.GetHoldout().String(), total.GetHoldout().String(), "what was measured is what the report of the push says")
	require.Equal(t, step.GetLift().String(), total.GetLift().String())
	require.False(t, total.GetPaused())

	explained, _ := s.alike(t, asApp, &susulv1.ExplainRecipientRequest{Name: created.GetPush().GetName() + "/recipients/" + ids[7]}).(*susulv1.ExplainRecipientResponse)
	require.Equal(t, "resendPolicies/measured", explained.GetResendPolicy())
	require.Equal(t, created.GetPush().GetResendPolicyRevision(), explained.GetResendPolicyRevision())
	require.Equal(t, susulv1.OccurrenceKind_OCCURRENCE_KIND_ACCEPTED, explained.GetOccurrences()[0].GetKind())
	kinds := map[susulv1.OccurrenceKind]*susulv1.Occurrence{}
	for _, occurrence := range explained.GetOccurrences() {
		require.NotEmpty(t, occurrence.GetText())
		require.NotZero(t, occurrence.GetKind())
		kinds[occurrence.GetKind()] = occurrence
	}
	reported := kinds[susulv1.OccurrenceKind_OCCURRENCE_KIND_REPORTED]
	require.Equal(t, ids[7], reported.GetEvent().GetCallback().GetRegistrationId())
	if over := kinds[susulv1.OccurrenceKind_OCCURRENCE_KIND_PASSED_OVER]; over != nil {
		require.Equal(t, "HOLDOUT", over.GetReason())
	} else {
		require.NotEmpty(t, kinds[susulv1.OccurrenceKind_OCCURRENCE_KIND_PLANNED].GetVariant())
	}
	s.refuses(t, asApp, &susulv1.ExplainRecipientRequest{Name: created.GetPush().GetName() + "/recipients/nobody"}, missing)
}

func (w world) TestPreviews(t *testing.T) {
	push := w.create(t, other, pushTo("previewed", "p1", "p2", "p3"))
	w.awaitSent(t, push.GetName())
	draft := soundPolicy()
	draft.Steps[1].Content.Alert = `{{ device.attributes.name | default: "you" }}, last call`
	_, err := w.Devices.SetDevices(servertest.AsAdmin(t.Context()), &susulv1.SetDevicesRequest{Parent: other, Devices: []*susulv1.Device{
		{RegistrationId: "p2", Attributes: structOf(t, map[string]any{"name": "Ayu"})},
	}})
	require.NoError(t, err)
	w.report(t, other, w.upstreamID(t, "previewed"), "click", "p3")
	w.unchanged(t)

	request := &susulv1.PreviewResendPolicyRequest{Push: push.GetName(), ResendPolicy: draft, Step: 2, RegistrationIds: []string{"p3", "p2", "p1"}}
	preview := func() *susulv1.PreviewResendPolicyResponse {
		resp, _ := w.rest(t, asAdmin, request)
		require.Equal(t, http.StatusOK, resp.Status, resp.Body)
		overGRPC, _ := w.grpc(t, asAdmin, request)
		answer, _ := overGRPC.(*susulv1.PreviewResendPolicyResponse)
		return answer
	}
	got := preview()
	require.EqualValues(t, 2, got.GetEligibleCount())
	require.Equal(t, map[string]int64{"MILESTONE_REACHED": 1}, got.GetPassedOver())
	require.EqualValues(t, 2, got.GetQuotaUnits())
	require.Equal(t, "MILESTONE_REACHED", got.GetRecipients()[0].GetPassedOverReason())
	require.Nil(t, got.GetRecipients()[0].GetDocument())
	for i, text := range map[int]string{1: "Ayu, last call", 2: "you, last call"} {
		shown := got.GetRecipients()[i]
		require.Equal(t, text, at(t, shown.GetDocument().AsMap(), "body", "notification", "alert"))
		require.NotContains(t, shown.GetDocument().GetFields(), "to")
		require.NotEmpty(t, at(t, shown.GetDocument().AsMap(), "body", "options", "override_msg_id"))
		require.NotNil(t, shown.GetSendTime())
	}

	request.RegistrationIds = []string{"p1", "nobody", "p2", "none"}
	w.refuses(t, asAdmin, request, invalid("registration_ids[1]", "registration_ids[3]"))
	request.RegistrationIds, request.Step = nil, 3
	w.refuses(t, asAdmin, request, invalid("step"))
	request.Step, request.ResendPolicy = 1, nil
	w.refuses(t, asAdmin, request, invalid("resend_policy"))
	request.ResendPolicy = &susulv1.ResendPolicy{Name: "resendPolicies/no-such"}
	w.refuses(t, asAdmin, request, invalid("resend_policy.name"))
	stored := w.createPolicy(t, "to-be-previewed")
	request.ResendPolicy.Name = stored.GetName()
	require.EqualValues(t, 2, preview().GetEligibleCount())
	request.ResendPolicy = withChange(soundPolicy(), func(p *susulv1.ResendPolicy) { p.App = app })
	w.refuses(t, asAdmin, request, invalid("resend_policy.app"))
	request.ResendPolicy = &susulv1.ResendPolicy{Match: "1", Steps: []*susulv1.ResendStep{{OnlyIf: "nonsense"}}}
	w.refuses(t, asAdmin, request, want{code: codes.InvalidArgument, http: http.StatusBadRequest, reason: "INVALID_REQUEST"})
	_, outcome := w.grpc(t, asAdmin, request)
	require.Subset(t, outcome.Fields, []string{"resend_policy.match", "resend_policy.trigger", "resend_policy.steps[0].only_if"})
	request.Push = other + "/pushes/1"
	request.ResendPolicy = soundPolicy()
	w.refuses(t, asAdmin, request, missing)
}

func (w world) TestBacktests(t *testing.T) {
	draft := &susulv1.ResendPolicy{
		Match:   `request_id.startsWith("backtested")`,
		Trigger: &susulv1.ResendTrigger{Unless: susulv1.Milestone_MILESTONE_CLICKED, Within: durationpb.New(0)},
		Steps:   []*susulv1.ResendStep{{After: durationpb.New(time.Millisecond), Content: &susulv1.ResendContent{Title: "again"}}},
	}
	var names []string
	for _, id := range []string{"backtested-1", "backtested-2"} {
		push := w.create(t, other, pushTo(id, "b1", "b2", "b3"))
		w.awaitSent(t, push.GetName())
		names = append(names, push.GetName())
		w.report(t, other, w.upstreamID(t, id), "click", "b2")
	}
	request := &susulv1.BacktestResendPolicyRequest{Parent: other, ResendPolicy: draft, EndTime: timestamppb.New(time.Now().Add(time.Hour))}
	got, _ := w.alike(t, asAdmin, request).(*susulv1.BacktestResendPolicyResponse)
	require.EqualValues(t, 2, got.GetPushCount())
	require.Equal(t, names[1], got.GetPushes()[0].GetPush(), "the newest first")
	require.EqualValues(t, 6, got.GetSteps()[0].GetReached()+got.GetSteps()[0].GetPassedOver()["MILESTONE_REACHED"])
	require.EqualValues(t, 3, got.GetPushes()[0].GetRecipientCount())
	require.NotEmpty(t, got.GetPushes()[0].GetSteps()[0].GetSampleRegistrationIds())
	step := got.GetSteps()[0]
	require.Equal(t, float64(step.GetClickedAnyway())/float64(step.GetReached()), step.GetClickedAnywayRate())

	request.MaxPushes = 1
	got, _ = w.alike(t, asAdmin, request).(*susulv1.BacktestResendPolicyResponse)
	require.True(t, got.GetMorePushes())
	request.MaxPushes, request.EndTime, request.StartTime = 0, timestamppb.New(time.Unix(1, 0)), timestamppb.New(time.Unix(0, 0))
	got, _ = w.alike(t, asAdmin, request).(*susulv1.BacktestResendPolicyResponse)
	require.Zero(t, got.GetPushCount())
	request.StartTime = request.GetEndTime()
	w.refuses(t, asAdmin, request, invalid("start_time"))
	request.StartTime, request.EndTime = nil, nil
	draft.Match = ""
	w.refuses(t, asAdmin, request, invalid("resend_policy.match"))
	draft.Name = "resendPolicies/never-was"
	got, _ = w.alike(t, asAdmin, request).(*susulv1.BacktestResendPolicyResponse)
	require.Zero(t, got.GetPushCount(), "no push has it")
	draft.Name, draft.Match, draft.Steps[0].Content.Title = "", "1 +", "{{"
	w.refuses(t, asAdmin, request, invalid("resend_policy.match", "resend_policy.steps[0].content.title"))
	request.ResendPolicy, request.MaxPushes = nil, 1001
	w.refuses(t, asAdmin, request, want{code: codes.InvalidArgument, http: http.StatusBadRequest, reason: "INVALID_REQUEST"})
}
