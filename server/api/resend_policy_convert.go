package api

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/policy"
)

// policyFromProto reads what a caller may set of a policy.
func policyFromProto(p *susulv1.ResendPolicy) (policy.Policy, error) {
	draft := policy.Policy{
		App:         strings.TrimPrefix(p.GetApp(), "apps/"),
		DisplayName: p.GetDisplayName(),
		Description: p.GetDescription(),
		Priority:    p.GetPriority(),
		Match:       p.GetMatch(),
		Paused:      p.GetPaused(),
		Trigger: policy.Trigger{
			Unless: milestoneFromProto(p.GetTrigger().GetUnless()),
			Within: p.GetTrigger().GetWithin().AsDuration(),
		},
	}
	for i, step := range p.GetSteps() {
		content := policy.Content{Title: step.GetContent().GetTitle(), Alert: step.GetContent().GetAlert()}
		if overlay := step.GetContent().GetOverlay(); overlay != nil {
			data, err := protojson.Marshal(overlay)
			if err != nil {
				return policy.Policy{}, invalid(fmt.Sprintf("resend_policy.steps[%d].content.overlay", i), "can't be written as JSON")
			}
			content.Overlay = json.RawMessage(data)
		}
		draft.Steps = append(draft.Steps, policy.Step{After: step.GetAfter().AsDuration(), Content: content})
	}
	return draft, nil
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
			Unless: milestoneToProto(stored.Trigger.Unless),
			Within: durationpb.New(stored.Trigger.Within),
		},
		CreateTime: timestamppb.New(stored.CreateTime),
		UpdateTime: timestamppb.New(stored.UpdateTime),
	}
	if stored.App != "" {
		p.App = appName(stored.App)
	}
	for _, step := range stored.Steps {
		p.Steps = append(p.Steps, &susulv1.ResendStep{
			After: durationpb.New(step.After), Content: contentToProto(step.Content),
		})
	}
	return p
}

func contentToProto(content policy.Content) *susulv1.ResendContent {
	p := &susulv1.ResendContent{Title: content.Title, Alert: content.Alert}
	overlay := &structpb.Struct{}
	// What is stored was a Struct when it came.
	if len(content.Overlay) > 0 && protojson.Unmarshal(content.Overlay, overlay) == nil {
		p.Overlay = overlay
	}
	return p
}
