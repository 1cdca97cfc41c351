package api_test

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	susulv1 "susul.dev/susul/gen/susul/v1"
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
