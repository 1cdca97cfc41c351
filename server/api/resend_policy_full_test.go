package api_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/config"
	"susul.dev/susul/server/policy"
	"susul.dev/susul/server/replica/etcdtest"
	"susul.dev/susul/server/servertest"
)

// fullPolicy returns a policy with all that can be set.
func fullPolicy(t testing.TB) *susulv1.ResendPolicy {
	t.Helper()
	content := func(title string) *susulv1.ResendContent {
		return &susulv1.ResendContent{Title: title, Alert: "a", Overlay: structOf(t, map[string]any{"body": map[string]any{"x": 1}})}
	}
	byProgress := &susulv1.ContentByProgress{
		NeverDelivered: content("never"), DeliveredNotDisplayed: content("unseen"), DisplayedNotClicked: content("seen"),
	}
	return proto.CloneOf(&susulv1.ResendPolicy{ // nothing is shared within it
		App: app, DisplayName: "full", Description: "all of it", Priority: -1, Match: "false", Paused: true,
		Trigger: &susulv1.ResendTrigger{OnFailure: true, Within: durationpb.New(time.Hour)},
		Steps: []*susulv1.ResendStep{
			{
				After: durationpb.New(90 * time.Minute), CountedFrom: susulv1.StepOrigin_STEP_ORIGIN_FIRST_SENDING,
				Content: content("{{ step }}"), ContentByProgress: byProgress, PlainContent: content("plain"),
				OnlyIf: `has(device.attributes.tier) && recipient.failed`, HoldoutPermille: 20, Paused: true,
			},
			{
				After: durationpb.New(time.Hour), CountedFrom: susulv1.StepOrigin_STEP_ORIGIN_PREVIOUS_STEP, Optimize: true,
				Variants: []*susulv1.ResendVariant{
					{Id: "a", Weight: 3, Content: content("A"), ContentByProgress: byProgress, PlainContent: content("plain")},
					{Id: "b", ContentByProgress: &susulv1.ContentByProgress{NeverDelivered: content("never")}},
				},
			},
		},
		Limits: &susulv1.ResendLimits{
			QuietHours: &susulv1.QuietHours{
				Start: "22:00", End: "07:05", Action: susulv1.QuietHoursAction_QUIET_HOURS_ACTION_DROP, DefaultTimeZone: "Asia/Jakarta",
			},
			FrequencyCap: &susulv1.FrequencyCap{Messages: 3, Window: durationpb.New(24 * time.Hour)},
			MinimumGap:   durationpb.New(time.Minute), ExpireAfter: durationpb.New(36 * time.Hour),
		},
		HoldoutPermille: 100, Stack: true,
		UnknownProgress: &susulv1.UnknownProgress{
			HoldFor: durationpb.New(0), Otherwise: susulv1.UnknownProgressAction_UNKNOWN_PROGRESS_ACTION_SEND,
		},
		Measurement: &susulv1.ResendMeasurement{ClickWindow: durationpb.New(12 * time.Hour), MinimumSample: 500},
	})
}

// settable returns what a caller can set of a policy.
func settable(p *susulv1.ResendPolicy) *susulv1.ResendPolicy {
	p = proto.CloneOf(p)
	p.Name, p.Uid, p.Etag, p.Revision, p.CreateTime, p.UpdateTime = "", "", "", 0, nil, nil
	return p
}

func requireSamePolicy(t testing.TB, want, got *susulv1.ResendPolicy) {
	t.Helper()
	require.True(t, proto.Equal(settable(want), settable(got)), "want %v\ngot  %v", want, got)
}

func (w world) TestFullPolicies(t *testing.T) {
	want := fullPolicy(t)
	created, outcome := w.grpc(t, asAdmin, &susulv1.CreateResendPolicyRequest{ResendPolicyId: "full", ResendPolicy: want})
	require.Zero(t, outcome)
	requireSamePolicy(t, want, created.(*susulv1.CreateResendPolicyResponse).GetResendPolicy())
	read, outcome := w.grpc(t, asAdmin, &susulv1.GetResendPolicyRequest{Name: "resendPolicies/full"})
	require.Zero(t, outcome)
	requireSamePolicy(t, want, read.(*susulv1.GetResendPolicyResponse).GetResendPolicy())
	resp, outcome := w.rest(t, asAdmin, &susulv1.CreateResendPolicyRequest{ResendPolicyId: "full-rest", ResendPolicy: want})
	require.Zero(t, outcome)
	var over susulv1.ResendPolicy
	require.NoError(t, protojson.Unmarshal([]byte(resp.Body), &over))
	requireSamePolicy(t, want, &over)

	// What is said of a default is the default.
	said := soundPolicy()
	said.Steps[0].CountedFrom = susulv1.StepOrigin_STEP_ORIGIN_TRIGGER
	said.Limits = &susulv1.ResendLimits{}
	said.UnknownProgress = &susulv1.UnknownProgress{Otherwise: susulv1.UnknownProgressAction_UNKNOWN_PROGRESS_ACTION_SKIP}
	said.Measurement = &susulv1.ResendMeasurement{}
	created, outcome = w.grpc(t, asAdmin, &susulv1.CreateResendPolicyRequest{ResendPolicyId: "defaults", ResendPolicy: said})
	require.Zero(t, outcome)
	requireSamePolicy(t, soundPolicy(), created.(*susulv1.CreateResendPolicyResponse).GetResendPolicy())

	// What only Susul sets can't be set.
	forged := soundPolicy()
	forged.Steps[0].PauseReason, forged.Steps[1].MeasuredSince = "forged", timestamppb.Now()
	created, outcome = w.grpc(t, asAdmin, &susulv1.CreateResendPolicyRequest{ResendPolicyId: "forged", ResendPolicy: forged})
	require.Zero(t, outcome)
	requireSamePolicy(t, soundPolicy(), created.(*susulv1.CreateResendPolicyResponse).GetResendPolicy())
}

func (w world) TestUpdatePartsOfAPolicy(t *testing.T) {
	_, outcome := w.grpc(t, asAdmin, &susulv1.CreateResendPolicyRequest{ResendPolicyId: "parts", ResendPolicy: fullPolicy(t)})
	require.Zero(t, outcome)
	seconds := func(n int64) *durationpb.Duration { return &durationpb.Duration{Seconds: n} }
	for _, c := range []struct {
		name   string
		mask   *fieldmaskpb.FieldMask
		change *susulv1.ResendPolicy
		want   func(*susulv1.ResendPolicy) // from what it was
	}{
		{
			"one of the limits", mask("limits.quiet_hours"),
			&susulv1.ResendPolicy{Limits: &susulv1.ResendLimits{QuietHours: &susulv1.QuietHours{Start: "01:00", End: "02:00"}, MinimumGap: seconds(7)}},
			func(p *susulv1.ResendPolicy) {
				p.Limits.QuietHours = &susulv1.QuietHours{Start: "01:00", End: "02:00"}
			},
		},
		{
			"deep within", mask("limits.quiet_hours.end", "limits.frequency_cap.messages"),
			&susulv1.ResendPolicy{Limits: &susulv1.ResendLimits{
				QuietHours: &susulv1.QuietHours{End: "03:00"}, FrequencyCap: &susulv1.FrequencyCap{Messages: 9},
			}},
			func(p *susulv1.ResendPolicy) { p.Limits.QuietHours.End, p.Limits.FrequencyCap.Messages = "03:00", 9 },
		},
		{
			"a limit removed", mask("limits.quiet_hours"), &susulv1.ResendPolicy{},
			func(p *susulv1.ResendPolicy) { p.Limits.QuietHours = nil },
		},
		{
			"all limits removed", mask("limits"), &susulv1.ResendPolicy{},
			func(p *susulv1.ResendPolicy) { p.Limits = nil },
		},
		{
			"a limit of none", mask("limits.minimum_gap"), &susulv1.ResendPolicy{Limits: &susulv1.ResendLimits{MinimumGap: seconds(90)}},
			func(p *susulv1.ResendPolicy) { p.Limits = &susulv1.ResendLimits{MinimumGap: seconds(90)} },
		},
		{
			"numbers", mask("holdout_permille", "stack", "measurement.minimum_sample"),
			&susulv1.ResendPolicy{HoldoutPermille: 50, Measurement: &susulv1.ResendMeasurement{MinimumSample: 700}},
			func(p *susulv1.ResendPolicy) {
				p.HoldoutPermille, p.Stack, p.Measurement.MinimumSample = 50, false, 700
			},
		},
		{
			"to the default", mask("unknown_progress.hold_for", "measurement"), &susulv1.ResendPolicy{},
			func(p *susulv1.ResendPolicy) { p.UnknownProgress.HoldFor, p.Measurement = nil, nil },
		},
		{
			"another trigger", mask("trigger.on_failure", "trigger.unless"),
			&susulv1.ResendPolicy{Trigger: &susulv1.ResendTrigger{Unless: susulv1.Milestone_MILESTONE_DISPLAYED}},
			func(p *susulv1.ResendPolicy) {
				p.Trigger = &susulv1.ResendTrigger{Unless: susulv1.Milestone_MILESTONE_DISPLAYED, Within: seconds(3600)}
			},
		},
		{
			"what is set", nil,
			&susulv1.ResendPolicy{Limits: &susulv1.ResendLimits{MinimumGap: &durationpb.Duration{Seconds: 60, Nanos: 5e8}, ExpireAfter: seconds(86_400)}},
			func(p *susulv1.ResendPolicy) {
				p.Limits = &susulv1.ResendLimits{MinimumGap: &durationpb.Duration{Seconds: 60, Nanos: 5e8}, ExpireAfter: seconds(86_400)}
			},
		},
		{
			"a duration as one", nil, &susulv1.ResendPolicy{Limits: &susulv1.ResendLimits{MinimumGap: seconds(30)}},
			func(p *susulv1.ResendPolicy) { p.Limits.MinimumGap = seconds(30) },
		},
		{
			"a duration of nothing", nil, &susulv1.ResendPolicy{Trigger: &susulv1.ResendTrigger{Within: seconds(0)}},
			func(p *susulv1.ResendPolicy) { p.Trigger.Within = seconds(0) },
		},
		{
			"the steps", mask("steps"), &susulv1.ResendPolicy{Steps: soundPolicy().GetSteps()},
			func(p *susulv1.ResendPolicy) { p.Steps = soundPolicy().GetSteps() },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			for face := range 2 {
				resp, outcome := w.grpc(t, asAdmin, &susulv1.GetResendPolicyRequest{Name: "resendPolicies/parts"})
				require.Zero(t, outcome)
				before := resp.(*susulv1.GetResendPolicyResponse).GetResendPolicy()
				want := proto.CloneOf(before)
				c.want(want)
				change := proto.CloneOf(c.change)
				change.Name = before.GetName()
				update := &susulv1.UpdateResendPolicyRequest{ResendPolicy: change, UpdateMask: c.mask}
				after := &susulv1.ResendPolicy{}
				if face == 0 {
					resp, outcome := w.grpc(t, asAdmin, update)
					require.Zero(t, outcome)
					after = resp.(*susulv1.UpdateResendPolicyResponse).GetResendPolicy()
				} else {
					resp, outcome := w.rest(t, asAdmin, update)
					require.Zero(t, outcome, resp.Body)
					require.NoError(t, protojson.Unmarshal([]byte(resp.Body), after))
				}
				requireSamePolicy(t, want, after)
				if face == 0 { // once more, as it was
					before.Etag = ""
					_, outcome = w.grpc(t, asAdmin, &susulv1.UpdateResendPolicyRequest{ResendPolicy: before, UpdateMask: mask("*")})
					require.Zero(t, outcome)
				}
			}
		})
	}
	for name, c := range map[string]struct {
		mask   *fieldmaskpb.FieldMask
		change *susulv1.ResendPolicy
		fields []string
	}{
		"half of quiet hours": {
			mask("limits.quiet_hours"), &susulv1.ResendPolicy{Limits: &susulv1.ResendLimits{QuietHours: &susulv1.QuietHours{Start: "22:00"}}},
			[]string{"limits.quiet_hours.end"},
		},
		"no names": {
			mask("limits.quiet_hours", "unknown_progress.otherwise"),
			&susulv1.ResendPolicy{
				Limits:          &susulv1.ResendLimits{QuietHours: &susulv1.QuietHours{Start: "22:00", End: "9:00", Action: 7}},
				UnknownProgress: &susulv1.UnknownProgress{Otherwise: -1},
			},
			[]string{"limits.quiet_hours.end", "limits.quiet_hours.action", "unknown_progress.otherwise"},
		},
		"no origin": {
			mask("steps"), &susulv1.ResendPolicy{Steps: []*susulv1.ResendStep{
				{After: durationpb.New(time.Hour), CountedFrom: 9, Content: &susulv1.ResendContent{Title: "t"}},
			}},
			[]string{"steps[0].counted_from"},
		},
		"holdout": {mask("holdout_permille"), &susulv1.ResendPolicy{HoldoutPermille: 900}, []string{"holdout_permille"}},
		"trigger": {mask("trigger.on_failure"), &susulv1.ResendPolicy{Trigger: &susulv1.ResendTrigger{OnFailure: true}}, []string{"trigger"}},
	} {
		t.Run(name, func(t *testing.T) {
			for i, field := range c.fields {
				c.fields[i] = "resend_policy." + field
			}
			c.change.Name = "resendPolicies/parts"
			w.refuses(t, asAdmin, &susulv1.UpdateResendPolicyRequest{ResendPolicy: c.change, UpdateMask: c.mask}, invalid(c.fields...))
		})
	}
}

func (w world) TestInvalidFullPolicies(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*susulv1.ResendPolicy)
		fields []string
	}{
		"content and variants": {func(p *susulv1.ResendPolicy) { p.Steps[1].Content = p.GetSteps()[0].GetContent() }, []string{"steps[1]"}},
		"only_if":              {func(p *susulv1.ResendPolicy) { p.Steps[0].OnlyIf = "recipient.clickd" }, []string{"steps[0].only_if"}},
		"a variant's title": {
			func(p *susulv1.ResendPolicy) { p.Steps[1].Variants[0].Content.Title = "{{" }, []string{"steps[1].variants[0].content.title"},
		},
		"holdout as a variant": {func(p *susulv1.ResendPolicy) { p.Steps[1].Variants[1].Id = "holdout" }, []string{"steps[1].variants[1].id"}},
		"plain template": {
			func(p *susulv1.ResendPolicy) { p.Steps[0].PlainContent.Alert = "{{ step }}" }, []string{"steps[0].plain_content.alert"},
		},
		"by progress": {
			func(p *susulv1.ResendPolicy) {
				p.Steps[0].ContentByProgress.NeverDelivered = &susulv1.ResendContent{Title: "{% x %}"}
			},
			[]string{"steps[0].content_by_progress.never_delivered.title"},
		},
		"zone": {
			func(p *susulv1.ResendPolicy) { p.Limits.QuietHours.DefaultTimeZone = "Asia/Atlantis" },
			[]string{"limits.quiet_hours.default_time_zone"},
		},
		"all at once": {
			func(p *susulv1.ResendPolicy) {
				p.Trigger.Unless = susulv1.Milestone_MILESTONE_CLICKED
				p.Steps[0].CountedFrom, p.Steps[0].HoldoutPermille = 9, 501
				p.Steps[1].Variants = p.Steps[1].Variants[:1]
				p.Limits.QuietHours.Start, p.Limits.QuietHours.Action = "24:00", 9
				p.Limits.FrequencyCap.Messages = 0
				p.Limits.MinimumGap = durationpb.New(-time.Second)
				p.Limits.ExpireAfter = durationpb.New(time.Minute)
				p.HoldoutPermille = -1
				p.UnknownProgress.HoldFor = durationpb.New(8 * 24 * time.Hour)
				p.Measurement.MinimumSample, p.Measurement.ClickWindow = 1, durationpb.New(time.Second)
			},
			[]string{
				"trigger", "steps[0].counted_from", "steps[0].holdout_permille", "steps[1].variants",
				"limits.quiet_hours.start", "limits.quiet_hours.action", "limits.frequency_cap.messages", "limits.minimum_gap",
				"limits.expire_after", "holdout_permille", "unknown_progress.hold_for", "measurement.minimum_sample",
				"measurement.click_window",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			fields := make([]string, len(c.fields))
			for i, field := range c.fields {
				fields[i] = "resend_policy." + field
			}
			p := withChange(fullPolicy(t), c.change)
			w.refuses(t, asAdmin, &susulv1.CreateResendPolicyRequest{ResendPolicyId: "invalid", ResendPolicy: p}, invalid(fields...))
		})
	}
}

func (w world) TestFollowUpSwitch(t *testing.T) {
	const name = other + "/followUpSwitch"
	read := func() *susulv1.FollowUpSwitch {
		t.Helper()
		resp, outcome := w.grpc(t, asAdmin, &susulv1.GetFollowUpSwitchRequest{Name: name})
		require.Zero(t, outcome)
		over, outcome := w.rest(t, asAdmin, &susulv1.GetFollowUpSwitchRequest{Name: name})
		require.Zero(t, outcome)
		var overREST susulv1.FollowUpSwitch
		require.NoError(t, protojson.Unmarshal([]byte(over.Body), &overREST))
		got := resp.(*susulv1.GetFollowUpSwitchResponse).GetFollowUpSwitch()
		require.True(t, proto.Equal(got, &overREST))
		return got
	}
	require.True(t, proto.Equal(&susulv1.FollowUpSwitch{Name: name}, read()), "nobody stopped anything")

	stop := &susulv1.UpdateFollowUpSwitchRequest{FollowUpSwitch: &susulv1.FollowUpSwitch{
		Name: name, Stopped: true, Note: "a wrong text", UpdateTime: timestamppb.New(time.Unix(1, 0)),
	}}
	resp, outcome := w.grpc(t, asAdmin, stop)
	require.Zero(t, outcome)
	stopped := resp.(*susulv1.UpdateFollowUpSwitchResponse).GetFollowUpSwitch()
	require.True(t, proto.Equal(stopped, read()))
	require.True(t, stopped.GetStopped())
	require.Equal(t, "a wrong text", stopped.GetNote())
	require.Greater(t, stopped.GetUpdateTime().GetSeconds(), int64(1), "Susul's own clock stamps it")
	_, outcome = w.rest(t, asAdmin, &susulv1.UpdateFollowUpSwitchRequest{FollowUpSwitch: &susulv1.FollowUpSwitch{Name: name}})
	require.Zero(t, outcome)
	require.False(t, read().GetStopped())
	require.Empty(t, read().GetNote(), "all of it is replaced")

	_, outcome = w.grpc(t, asAdmin, stop)
	require.Zero(t, outcome)
	patch := w.Do(t, http.MethodPatch, "/v1/"+name, []byte(`{"note":"still wrong"}`), "Authorization", asAdmin)
	require.GreaterOrEqual(t, patch.Status, http.StatusBadRequest, "a part of it would let follow-ups go on: %s", patch.Body)
	require.True(t, read().GetStopped())

	const nobody = "apps/nobody/followUpSwitch"
	w.refuses(t, asAdmin, &susulv1.GetFollowUpSwitchRequest{Name: nobody}, missing)
	w.refuses(t, asAdmin, &susulv1.UpdateFollowUpSwitchRequest{FollowUpSwitch: &susulv1.FollowUpSwitch{Name: nobody}}, missing)
	w.refuses(t, asAdmin, &susulv1.UpdateFollowUpSwitchRequest{FollowUpSwitch: &susulv1.FollowUpSwitch{Name: name, Note: text(2001)}},
		invalid("follow_up_switch.note"))
	_, outcome = w.grpc(t, asAdmin, &susulv1.GetFollowUpSwitchRequest{Name: "apps/a/b"})
	require.Equal(t, []string{"name"}, outcome.Fields)
	_, outcome = w.grpc(t, asAdmin, &susulv1.UpdateFollowUpSwitchRequest{})
	require.Equal(t, codes.InvalidArgument, outcome.Code)
	require.Equal(t, http.StatusForbidden, w.Do(t, http.MethodGet, "/v1/"+name, nil, "Authorization", asOther).Status)
}

// A step that paused itself keeps its reason through changes of other things, and is measured anew when it is resumed.
func TestResumeAStepThatPausedItself(t *testing.T) {
	etcd := etcdtest.Start(t)
	s := servertest.Start(t, servertest.Options{Configure: func(cfg *config.Config) { cfg.Etcd.Endpoints = []string{etcd.Address()} }})
	w := world{faces: faces{s}}
	created := w.createPolicy(t, "harmful")
	client := etcd.Client()
	got, err := client.Get(t.Context(), policy.Prefix+"harmful")
	require.NoError(t, err)
	stored, err := policy.Decode(got.Kvs[0].Value, 0)
	require.NoError(t, err)
	stored.Steps[1].Paused, stored.Steps[1].PauseReason = true, "it did harm"
	spec, err := stored.Encode()
	require.NoError(t, err)
	_, err = client.Put(t.Context(), policy.Prefix+"harmful", string(spec))
	require.NoError(t, err)
	var paused *susulv1.ResendPolicy
	require.Eventually(t, func() bool {
		resp, err := s.Policies.GetResendPolicy(servertest.AsAdmin(t.Context()), &susulv1.GetResendPolicyRequest{Name: created.GetName()})
		paused = resp.GetResendPolicy()
		return err == nil && paused.GetSteps()[1].GetPaused()
	}, patience, 10*time.Millisecond)
	require.Equal(t, "it did harm", paused.GetSteps()[1].GetPauseReason())
	require.Nil(t, paused.GetSteps()[1].GetMeasuredSince())

	update := func(m *fieldmaskpb.FieldMask, change *susulv1.ResendPolicy) []*susulv1.ResendStep {
		t.Helper()
		change = proto.CloneOf(change)
		change.Name, change.Etag = created.GetName(), ""
		resp, outcome := w.grpc(t, asAdmin, &susulv1.UpdateResendPolicyRequest{ResendPolicy: change, UpdateMask: m})
		require.Zero(t, outcome)
		return resp.(*susulv1.UpdateResendPolicyResponse).GetResendPolicy().GetSteps()
	}
	steps := update(mask("display_name"), &susulv1.ResendPolicy{DisplayName: "x"})
	require.Equal(t, "it did harm", steps[1].GetPauseReason())
	paused.Steps[1].PauseReason = "" // a caller need not send it back
	steps = update(mask("steps"), paused)
	require.Equal(t, "it did harm", steps[1].GetPauseReason())
	require.True(t, steps[1].GetPaused())

	before := time.Now().Truncate(time.Millisecond)
	paused.Steps[1].Paused = false
	steps = update(mask("*"), paused)
	require.False(t, steps[1].GetPaused())
	require.Empty(t, steps[1].GetPauseReason())
	since := steps[1].GetMeasuredSince().AsTime()
	require.False(t, since.Before(before))
	require.Nil(t, steps[0].GetMeasuredSince())
	paused.Steps[1].Paused = true
	steps = update(mask("steps"), paused)
	require.Empty(t, steps[1].GetPauseReason(), "an administrator paused it")
	paused.Steps[1].Paused = false
	steps = update(mask("steps"), paused)
	require.Equal(t, since, steps[1].GetMeasuredSince().AsTime())
}
