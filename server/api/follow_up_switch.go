package api

import (
	"context"

	"go.einride.tech/aip/resourcename"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/policy"
)

func (s resendPolicyService) GetFollowUpSwitch(_ context.Context, req *susulv1.GetFollowUpSwitchRequest) (*susulv1.GetFollowUpSwitchResponse, error) {
	policies, err := s.policies()
	if err != nil {
		return nil, err
	}
	app, err := s.parseSwitch("name", req.GetName())
	if err != nil {
		return nil, err
	}
	found, ok := policies.Snapshot().Switch(app)
	if !ok {
		found = policy.Switch{App: app} // nobody ever stopped anything
	}
	return &susulv1.GetFollowUpSwitchResponse{FollowUpSwitch: switchToProto(found)}, nil
}

func (s resendPolicyService) UpdateFollowUpSwitch(ctx context.Context, req *susulv1.UpdateFollowUpSwitchRequest) (*susulv1.UpdateFollowUpSwitchResponse, error) {
	policies, err := s.policies()
	if err != nil {
		return nil, err
	}
	change := req.GetFollowUpSwitch()
	app, err := s.parseSwitch("follow_up_switch.name", change.GetName())
	if err != nil {
		return nil, err
	}
	stored, err := policies.SetSwitch(ctx, policy.Switch{App: app, Stopped: change.GetStopped(), Note: change.GetNote()})
	if err != nil {
		return nil, err
	}
	return &susulv1.UpdateFollowUpSwitchResponse{FollowUpSwitch: switchToProto(stored)}, nil
}

// parseSwitch returns the app, which must exist.
func (a *API) parseSwitch(field, name string) (app string, err error) {
	if err := resourcename.Sscan(name, switchPattern, &app); err != nil {
		return "", invalid(field, "must look like "+switchPattern)
	}
	if _, known := a.apps[app]; !known {
		return "", notFound(appName(app))
	}
	return app, nil
}

func switchToProto(w policy.Switch) *susulv1.FollowUpSwitch {
	return &susulv1.FollowUpSwitch{
		Name: resourcename.Sprint(switchPattern, w.App), Stopped: w.Stopped, Note: w.Note, UpdateTime: timeToProto(w.UpdateTime),
	}
}
