package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/servertest"
)

// soundPolicy returns a policy that is fine.
func soundPolicy() *susulv1.ResendPolicy {
	return &susulv1.ResendPolicy{
		DisplayName: "news",
		Trigger:     &susulv1.ResendTrigger{Unless: susulv1.Milestone_MILESTONE_CLICKED, Within: durationpb.New(2 * time.Hour)},
		Steps: []*susulv1.ResendStep{
			{After: durationpb.New(time.Hour), Content: &susulv1.ResendContent{Title: "again"}},
			{After: durationpb.New(3 * time.Hour), Content: &susulv1.ResendContent{Alert: "last"}},
		},
	}
}

func withChange(p *susulv1.ResendPolicy, change func(*susulv1.ResendPolicy)) *susulv1.ResendPolicy {
	change(p)
	return p
}

func (w world) createPolicy(t testing.TB, id string) *susulv1.ResendPolicy {
	t.Helper()
	resp, err := w.Policies.CreateResendPolicy(servertest.AsAdmin(t.Context()),
		&susulv1.CreateResendPolicyRequest{ResendPolicyId: id, ResendPolicy: soundPolicy()})
	require.NoError(t, err)
	return resp.GetResendPolicy()
}

func (w world) TestPolicies(t *testing.T) {
	overREST, outcome := w.rest(t, asAdmin, &susulv1.CreateResendPolicyRequest{ResendPolicyId: "over-rest", ResendPolicy: soundPolicy()})
	require.Zero(t, outcome, overREST.Body)
	overGRPC := w.createPolicy(t, "over-grpc")
	require.Equal(t, "resendPolicies/over-grpc", overGRPC.GetName())
	require.NotEmpty(t, overGRPC.GetUid())
	require.NotEmpty(t, overGRPC.GetEtag())
	require.True(t, proto.Equal(soundPolicy().GetSteps()[1], overGRPC.GetSteps()[1]))
	require.Equal(t, "resendPolicies/over-rest", member(t, overREST.Body, "name"))

	w.refuses(t, asAdmin, &susulv1.CreateResendPolicyRequest{ResendPolicyId: "over-grpc", ResendPolicy: soundPolicy()},
		want{code: codes.AlreadyExists, http: http.StatusConflict, reason: "ALREADY_EXISTS"})

	read, outcome := w.grpc(t, asAdmin, &susulv1.GetResendPolicyRequest{Name: "resendPolicies/over-rest"})
	require.Zero(t, outcome)
	again, outcome := w.rest(t, asAdmin, &susulv1.GetResendPolicyRequest{Name: "resendPolicies/over-rest"})
	require.Zero(t, outcome)
	require.JSONEq(t, overREST.Body, again.Body)
	require.Equal(t, member(t, overREST.Body, "etag"), read.(*susulv1.GetResendPolicyResponse).GetResendPolicy().GetEtag())
	for _, req := range []proto.Message{
		&susulv1.GetResendPolicyRequest{Name: "resendPolicies/nobody"},
		&susulv1.DeleteResendPolicyRequest{Name: "resendPolicies/nobody"},
		&susulv1.UpdateResendPolicyRequest{
			ResendPolicy: withChange(soundPolicy(), func(p *susulv1.ResendPolicy) { p.Name = "resendPolicies/nobody" }),
		},
	} {
		w.refuses(t, asAdmin, req, missing)
	}
	w.refuses(t, asAdmin, &susulv1.GetResendPolicyRequest{Name: "resendPolicies/No-body"}, invalid("name"))
}

// A push gets the policy that it names, or one whose match is true.
func (w world) TestChoiceOfPolicy(t *testing.T) {
	named := w.createPolicy(t, "named")
	resp, outcome := w.grpc(t, asAdmin, &susulv1.CreateResendPolicyRequest{
		ResendPolicyId: "matching",
		ResendPolicy:   withChange(soundPolicy(), func(p *susulv1.ResendPolicy) { p.Match = `request_id == "match me"` }),
	})
	require.Zero(t, outcome)
	matching := resp.(*susulv1.CreateResendPolicyResponse).GetResendPolicy()
	for requestID, c := range map[string]struct {
		name string
		want *susulv1.ResendPolicy
	}{
		"name one": {named.GetName(), named}, "match me": {"", matching}, "neither": {"", nil},
	} {
		push := pushTo(requestID, "a")
		push.ResendPolicy = c.name
		validate := &susulv1.ValidatePushRequest{Parent: app, Push: push}
		told, outcome := w.grpc(t, asApp, validate)
		require.Zero(t, outcome)
		require.Equal(t, c.want.GetName(), told.(*susulv1.ValidatePushResponse).GetResendPolicy())
		over, outcome := w.rest(t, asApp, validate)
		require.Zero(t, outcome)
		require.Equal(t, c.want.GetName(), member(t, over.Body, "resendPolicy"))
		created := w.create(t, app, push)
		require.Equal(t, c.want.GetName(), created.GetResendPolicy())
		require.Equal(t, c.want.GetRevision(), created.GetResendPolicyRevision())
	}
	document := strings.Replace(seed, "12345678", "named over v4", 1)
	v4 := w.Do(t, http.MethodPost, "/v4/push", []byte(document), "Authorization", asApp, "Susul-Resend-Policy", "named")
	require.Equal(t, http.StatusOK, v4.Status, v4.Body)
	read, outcome := w.grpc(t, asApp, &susulv1.GetPushRequest{Name: app + "/pushes/" + member(t, v4.Body, "msg_id")})
	require.Zero(t, outcome)
	require.Equal(t, named.GetName(), read.(*susulv1.GetPushResponse).GetPush().GetResendPolicy())
}

func (w world) TestListPolicies(t *testing.T) {
	for i := range 3 {
		w.createPolicy(t, fmt.Sprintf("list-%d", i))
	}
	var names []string
	var token string
	for {
		resp, outcome := w.grpc(t, asAdmin, &susulv1.ListResendPoliciesRequest{PageSize: 2, PageToken: token})
		require.Zero(t, outcome)
		over, outcome := w.rest(t, asAdmin, &susulv1.ListResendPoliciesRequest{PageSize: 2, PageToken: token})
		require.Zero(t, outcome)
		page := resp.(*susulv1.ListResendPoliciesResponse)
		require.LessOrEqual(t, len(page.GetResendPolicies()), 2)
		for _, found := range page.GetResendPolicies() {
			names = append(names, found.GetName())
		}
		require.Equal(t, page.GetNextPageToken(), member(t, over.Body, "nextPageToken"))
		if page.GetNextPageToken() == "" {
			break
		}
		token = page.GetNextPageToken()
	}
	require.True(t, slices.IsSorted(names), names)
	require.Subset(t, names, []string{"resendPolicies/list-0", "resendPolicies/list-1", "resendPolicies/list-2"})
	require.Len(t, slices.Compact(slices.Clone(names)), len(names))
	w.refuses(t, asAdmin, &susulv1.ListPushesRequest{Parent: app, PageToken: token}, invalid("page_token"))
	w.refuses(t, asAdmin, &susulv1.ListResendPoliciesRequest{PageToken: "x"}, invalid("page_token"))
	w.refuses(t, asAdmin, &susulv1.ListResendPoliciesRequest{PageSize: 1001}, invalid("page_size"))
}

func mask(paths ...string) *fieldmaskpb.FieldMask { return &fieldmaskpb.FieldMask{Paths: paths} }

func (w world) TestUpdatePolicy(t *testing.T) {
	created := w.createPolicy(t, "update")
	update := func(m *fieldmaskpb.FieldMask, change *susulv1.ResendPolicy) *susulv1.ResendPolicy {
		t.Helper()
		change.Name = created.GetName()
		resp, outcome := w.grpc(t, asAdmin, &susulv1.UpdateResendPolicyRequest{ResendPolicy: change, UpdateMask: m})
		require.Zero(t, outcome)
		return resp.(*susulv1.UpdateResendPolicyResponse).GetResendPolicy()
	}
	updated := update(mask("paused"), &susulv1.ResendPolicy{Paused: true, DisplayName: "not meant", Etag: created.GetEtag()})
	require.True(t, updated.GetPaused())
	require.Equal(t, "news", updated.GetDisplayName())
	require.NotEqual(t, created.GetEtag(), updated.GetEtag())
	require.Equal(t, created.GetUid(), updated.GetUid())

	within := &susulv1.ResendTrigger{Unless: susulv1.Milestone_MILESTONE_DELIVERED, Within: durationpb.New(time.Minute)}
	updated = update(mask("trigger.within"), &susulv1.ResendPolicy{Trigger: within})
	require.Equal(t, time.Minute, updated.GetTrigger().GetWithin().AsDuration())
	require.Equal(t, susulv1.Milestone_MILESTONE_CLICKED, updated.GetTrigger().GetUnless())

	updated = update(mask("name", "uid", "revision", "create_time", "etag"), &susulv1.ResendPolicy{Uid: "forged", Revision: 1})
	require.Equal(t, created.GetUid(), updated.GetUid())
	require.Equal(t, created.GetCreateTime().AsTime(), updated.GetCreateTime().AsTime())

	partly := &susulv1.ResendPolicy{DisplayName: "part", Trigger: &susulv1.ResendTrigger{Within: durationpb.New(time.Hour)}}
	updated = update(nil, partly)
	require.Equal(t, "part", updated.GetDisplayName())
	require.Equal(t, time.Hour, updated.GetTrigger().GetWithin().AsDuration())
	require.Equal(t, susulv1.Milestone_MILESTONE_CLICKED, updated.GetTrigger().GetUnless())
	require.True(t, updated.GetPaused(), "what is not set stays")

	updated = update(mask("*"), withChange(soundPolicy(), func(p *susulv1.ResendPolicy) { p.DisplayName = "whole" }))
	require.Equal(t, "whole", updated.GetDisplayName())
	require.False(t, updated.GetPaused())

	// PATCH without a mask changes what its body holds.
	resp := w.Do(t, http.MethodPatch, "/v1/"+created.GetName(), []byte(`{"paused":true}`), "Authorization", asAdmin)
	require.Equal(t, http.StatusOK, resp.Status, resp.Body)
	var patched struct {
		Paused      bool
		DisplayName string
		Etag        string
	}
	require.NoError(t, json.Unmarshal([]byte(resp.Body), &patched))
	require.True(t, patched.Paused)
	require.Equal(t, "whole", patched.DisplayName)

	named := func(change func(*susulv1.ResendPolicy)) *susulv1.ResendPolicy {
		return withChange(soundPolicy(), func(p *susulv1.ResendPolicy) { p.Name = created.GetName(); change(p) })
	}
	nothing := func(*susulv1.ResendPolicy) {}
	stale := want{code: codes.Aborted, http: http.StatusConflict, reason: "ETAG_MISMATCH"}
	for name, c := range map[string]struct {
		mask   *fieldmaskpb.FieldMask
		change func(*susulv1.ResendPolicy)
		want   want
	}{
		"stale etag":        {mask("paused"), func(p *susulv1.ResendPolicy) { p.Etag = created.GetEtag() }, stale},
		"odd etag":          {mask("paused"), func(p *susulv1.ResendPolicy) { p.Etag = "x" }, invalid("resend_policy.etag")},
		"no such field":     {mask("paws"), nothing, invalid("update_mask")},
		"within a list":     {mask("steps.after"), nothing, invalid("update_mask")},
		"steps removed":     {mask("steps"), func(p *susulv1.ResendPolicy) { p.Steps = nil }, invalid("resend_policy.steps")},
		"trigger removed":   {mask("trigger"), func(p *susulv1.ResendPolicy) { p.Trigger = nil }, invalid("resend_policy.trigger")},
		"within of nothing": {mask("trigger.unless"), func(p *susulv1.ResendPolicy) { p.Trigger = nil }, invalid("resend_policy.trigger")},
		"unknown app":       {mask("app"), func(p *susulv1.ResendPolicy) { p.App = "apps/nobody" }, invalid("resend_policy.app")},
		"malformed app":     {mask("app"), func(p *susulv1.ResendPolicy) { p.App = servertest.App }, invalid("resend_policy.app")},
	} {
		t.Run(name, func(t *testing.T) {
			w.refuses(t, asAdmin, &susulv1.UpdateResendPolicyRequest{ResendPolicy: named(c.change), UpdateMask: c.mask}, c.want)
		})
	}
	for _, m := range []*fieldmaskpb.FieldMask{mask("*", "paused"), mask("")} { // JSON can't write them
		_, outcome := w.grpc(t, asAdmin, &susulv1.UpdateResendPolicyRequest{ResendPolicy: named(nothing), UpdateMask: m})
		require.Equal(t, []string{"update_mask"}, outcome.Fields)
	}
	_, outcome := w.grpc(t, asAdmin, &susulv1.UpdateResendPolicyRequest{ResendPolicy: &susulv1.ResendPolicy{Name: "x"}})
	require.Equal(t, []string{"resend_policy.name"}, outcome.Fields)

	w.refuses(t, asAdmin, &susulv1.DeleteResendPolicyRequest{Name: created.GetName(), Etag: created.GetEtag()}, stale)
	w.refuses(t, asAdmin, &susulv1.DeleteResendPolicyRequest{Name: created.GetName(), Etag: "x"}, invalid("etag"))
	_, outcome = w.rest(t, asAdmin, &susulv1.DeleteResendPolicyRequest{Name: created.GetName(), Etag: patched.Etag})
	require.Zero(t, outcome)
	w.refuses(t, asAdmin, &susulv1.DeleteResendPolicyRequest{Name: created.GetName()}, missing)
}

func (w world) TestInvalidPolicies(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*susulv1.ResendPolicy)
		fields []string
	}{
		"no trigger": {func(p *susulv1.ResendPolicy) { p.Trigger = nil }, []string{"trigger"}},
		"no within":  {func(p *susulv1.ResendPolicy) { p.Trigger.Within = nil }, []string{"trigger.within"}},
		"unless":     {func(p *susulv1.ResendPolicy) { p.Trigger.Unless = 5 }, []string{"trigger.unless"}},
		"unless 9":   {func(p *susulv1.ResendPolicy) { p.Trigger.Unless = 9 }, []string{"trigger.unless"}},
		"both":       {func(p *susulv1.ResendPolicy) { p.Trigger.OnFailure = true }, []string{"trigger"}},
		"no steps":   {func(p *susulv1.ResendPolicy) { p.Steps = nil }, []string{"steps"}},
		"out of order": {
			func(p *susulv1.ResendPolicy) { slices.Reverse(p.GetSteps()) }, []string{"steps[1].after"},
		},
		"too many steps": {
			func(p *susulv1.ResendPolicy) {
				for i := range 10 {
					p.Steps = append(p.Steps, &susulv1.ResendStep{
						After: durationpb.New(time.Duration(4+i) * time.Hour), Content: p.GetSteps()[0].GetContent(),
					})
				}
			},
			[]string{"steps"},
		},
		"no content":  {func(p *susulv1.ResendPolicy) { p.Steps[0].Content = nil }, []string{"steps[0]"}},
		"empty":       {func(p *susulv1.ResendPolicy) { p.Steps[0].Content = &susulv1.ResendContent{} }, []string{"steps[0].content"}},
		"template":    {func(p *susulv1.ResendPolicy) { p.Steps[0].Content.Title = "{{ x" }, []string{"steps[0].content.title"}},
		"CEL":         {func(p *susulv1.ResendPolicy) { p.Match = "app ==" }, []string{"match"}},
		"CEL type":    {func(p *susulv1.ResendPolicy) { p.Match = "1 + 1" }, []string{"match"}},
		"unknown app": {func(p *susulv1.ResendPolicy) { p.App = "apps/nobody" }, []string{"app"}},
		"overlay": {
			func(p *susulv1.ResendPolicy) { p.Steps[1].Content.Overlay = structOf(t, map[string]any{"to": "all"}) },
			[]string{"steps[1].content.overlay"},
		},
		"all at once": {
			func(p *susulv1.ResendPolicy) {
				p.Match, p.DisplayName, p.App, p.Trigger.Unless = "1", text(201), "apps/nobody", 1
				p.Steps[0].Content.Title = "{{"
				p.Steps[1].After = durationpb.New(time.Minute)
				p.Steps[1].Content.Overlay = structOf(t, map[string]any{"request_id": "x"})
			},
			[]string{
				"match", "display_name", "app", "trigger.unless", "steps[0].content.title", "steps[1].after",
				"steps[1].content.overlay",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			fields := make([]string, len(c.fields))
			for i, field := range c.fields {
				fields[i] = "resend_policy." + field
			}
			req := &susulv1.CreateResendPolicyRequest{ResendPolicyId: "invalid", ResendPolicy: withChange(soundPolicy(), c.change)}
			w.refuses(t, asAdmin, req, invalid(fields...))
		})
	}
	w.refuses(t, asAdmin, &susulv1.CreateResendPolicyRequest{ResendPolicyId: "Not An ID", ResendPolicy: soundPolicy()},
		invalid("resend_policy_id"))
	w.refuses(t, asAdmin, &susulv1.CreateResendPolicyRequest{ResendPolicy: soundPolicy()}, invalid("resend_policy_id"))
	w.refuses(t, asAdmin, &susulv1.GetResendPolicyRequest{Name: "resendPolicies/invalid"}, missing)
}

func (w world) TestWatchPolicies(t *testing.T) {
	created := w.createPolicy(t, "watched")
	ctx, cancel := context.WithTimeout(servertest.AsAdmin(t.Context()), patience)
	defer cancel()
	stream, err := w.Policies.WatchResendPolicies(ctx, &susulv1.WatchResendPoliciesRequest{})
	require.NoError(t, err)
	next := func() *susulv1.WatchResendPoliciesResponse {
		t.Helper()
		resp, err := stream.Recv()
		require.NoError(t, err)
		return resp
	}
	var existing []string
	resp := next()
	for ; !resp.GetInSync(); resp = next() {
		existing = append(existing, resp.GetStored().GetName())
	}
	require.Contains(t, existing, created.GetName())

	update := &susulv1.UpdateResendPolicyRequest{
		ResendPolicy: &susulv1.ResendPolicy{Name: created.GetName(), Paused: true}, UpdateMask: mask("paused"),
	}
	_, outcome := w.grpc(t, asAdmin, update)
	require.Zero(t, outcome)
	changed := next()
	require.True(t, changed.GetStored().GetPaused())
	require.Greater(t, changed.GetRevision(), resp.GetRevision())
	_, outcome = w.grpc(t, asAdmin, &susulv1.DeleteResendPolicyRequest{Name: created.GetName()})
	require.Zero(t, outcome)
	require.Equal(t, created.GetName(), next().GetDeleted())
	cancel()
	_, err = stream.Recv()
	require.Error(t, err)
}
