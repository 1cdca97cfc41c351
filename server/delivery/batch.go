package delivery

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"golang.org/x/sync/errgroup"

	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/storage"
)

// PushOutcome is what became of one of several requests.
type PushOutcome struct {
	Push storage.Push
	Err  error // as CreatePush returns it
}

// CreatePushes creates pushes independently of each other and all at once, so that together they wait no longer than one
// alone would. Each costs the quota that its place in one of EngageLab's batches would.
func (s *Service) CreatePushes(ctx context.Context, requests []PushRequest) []PushOutcome {
	outcomes := make([]PushOutcome, len(requests))
	var group errgroup.Group
	for i, request := range requests {
		group.Go(func() error {
			outcomes[i].Push, outcomes[i].Err = s.CreatePush(ctx, request)
			return nil
		})
	}
	_ = group.Wait() // the outcomes hold the errors
	return outcomes
}

// GroupPush sends a push to every app of a group and records it for those apps that Susul serves, whose msg_ids in the
// answer become Susul's own. It is EngageLab that knows the group's apps, so the push can't wait: while EngageLab is
// down, the caller gets ErrEngageLabUnavailable. No callback_url goes along, for it would bring every app's callbacks to each of them;
// EngageLab reports where the apps' consoles say. The request's App is ignored.
func (s *Service) GroupPush(ctx context.Context, group string, req PushRequest) (map[string]json.RawMessage, error) {
	sender, ok := s.Groups[group]
	if !ok {
		return nil, fmt.Errorf("%w: group %q", ErrUnknownApp, group)
	}
	if err := req.Document.Validate(); err != nil {
		return nil, err
	}
	if req.PolicyID != "" && !s.namedForAny(req.PolicyID) {
		return nil, fmt.Errorf("%w %q", ErrUnknownPolicy, req.PolicyID)
	}
	ids, _ := req.Document.RegistrationIDs()
	body, err := req.Document.For(engagelab.Request{RegistrationIDs: ids})
	if err != nil {
		return nil, err
	}
	answer, err := sender.GroupPush(ctx, body)
	if err != nil {
		return nil, fromEngageLab(err)
	}
	// EngageLab has sent it: what is recorded must not depend on whether the caller still waits.
	ctx = context.WithoutCancel(ctx)
	for app, raw := range answer {
		share := engagelab.ParseGroupAnswer(raw)
		if _, served := s.Apps[app]; !served || share.MsgID == "" {
			continue
		}
		push, err := s.adoptShare(ctx, app, req, share.MsgID)
		if err != nil { // its callbacks will make it known
			s.Logger.Error("a group push is not recorded", "app", app, "upstream_id", share.MsgID, "error", err)
			continue
		}
		if answer[app], err = share.WithMsgID(strconv.FormatInt(push.ID, 10)); err != nil {
			return nil, err
		}
	}
	return answer, nil
}

// adoptShare records an app's share of a group push. A policy that is named counts for those apps that have it.
func (s *Service) adoptShare(ctx context.Context, app string, req PushRequest, upstreamID string) (storage.Push, error) {
	req.App = app
	if _, named := s.Policies.Snapshot().Named(app, req.PolicyID); !named {
		req.PolicyID = ""
	}
	return s.AdoptPush(ctx, req, upstreamID)
}

func (s *Service) namedForAny(policyID string) bool {
	for app := range s.Apps {
		if _, named := s.Policies.Snapshot().Named(app, policyID); named {
			return true
		}
	}
	return false
}
