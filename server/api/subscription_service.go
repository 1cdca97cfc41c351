package api

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.einride.tech/aip/fieldmask"
	"go.einride.tech/aip/resourcename"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/subscription"
)

func (s callbackService) CreateSubscription(ctx context.Context, req *susulv1.CreateSubscriptionRequest) (*susulv1.CreateSubscriptionResponse, error) {
	app, core, err := s.coreFor(ctx, req.GetParent())
	if err != nil {
		return nil, err
	}
	subscriptions, err := s.subscriptions()
	if err != nil {
		return nil, err
	}
	draft, err := subscriptionDraft(app, req.GetSubscriptionId(), req.GetSubscription())
	if err != nil {
		return nil, err
	}
	// Read before it is written: what is stored in between is posted too.
	if draft.Start, err = core.LastSequence(ctx); err != nil {
		return nil, err
	}
	created, err := subscriptions.Create(ctx, draft)
	if err != nil {
		return nil, err
	}
	shown := subscriptionToProto(created)
	if len(req.GetSubscription().GetSecrets()) == 0 {
		shown.Secrets = []string{draft.Secrets[0].Key}
	}
	return &susulv1.CreateSubscriptionResponse{Subscription: shown}, nil
}

// subscriptionDraft reads a new subscription, which must be sound, and makes up its secret if it has none. Its error is a *Fault that
// lists all that is wrong.
func subscriptionDraft(app, id string, p *susulv1.Subscription) (subscription.Subscription, error) {
	draft, violations := subscriptionFromProto(p)
	draft.App, draft.ID = app, id
	if len(draft.Secrets) == 0 {
		draft.Secrets = []subscription.Secret{{Key: subscription.NewSecret()}}
	}
	if broken := (*subscription.InvalidError)(nil); errors.As(draft.Validate(), &broken) {
		violations = withOthers(violations, subscriptionViolations(broken))
	}
	if len(violations) > 0 {
		return subscription.Subscription{}, invalidFields(violations)
	}
	return draft, nil
}

// subscriptionFor reads the name of a subscription, in the given field, that the caller may use. Whether it exists is not known yet.
func (s callbackService) subscriptionFor(ctx context.Context, field, name string) (app, id string, store *subscription.Store, err error) {
	if err := resourcename.Sscan(name, subscriptionPattern, &app, &id); err != nil {
		return "", "", nil, invalid(field, "must look like "+subscriptionPattern)
	}
	if err := s.useApp(ctx, app); err != nil {
		return "", "", nil, err
	}
	store, err = s.subscriptions()
	return app, id, store, err
}

func (s callbackService) GetSubscription(ctx context.Context, req *susulv1.GetSubscriptionRequest) (*susulv1.GetSubscriptionResponse, error) {
	app, id, subscriptions, err := s.subscriptionFor(ctx, "name", req.GetName())
	if err != nil {
		return nil, err
	}
	found, ok := subscriptions.Snapshot().Get(app, id)
	if !ok {
		return nil, notFound(req.GetName())
	}
	return &susulv1.GetSubscriptionResponse{Subscription: subscriptionToProto(found.Subscription)}, nil
}

const defaultSubscriptionPage = 100

func (s callbackService) ListSubscriptions(ctx context.Context, req *susulv1.ListSubscriptionsRequest) (*susulv1.ListSubscriptionsResponse, error) {
	app, err := parseApp(req.GetParent())
	if err != nil {
		return nil, err
	}
	if err := s.useApp(ctx, app); err != nil {
		return nil, err
	}
	subscriptions, err := s.subscriptions()
	if err != nil {
		return nil, err
	}
	list := "subscriptions of " + app
	after, err := decodePageToken("page_token", req.GetPageToken(), list)
	if err != nil {
		return nil, err
	}
	limit := pageSize(req.GetPageSize(), defaultSubscriptionPage)
	resp := &susulv1.ListSubscriptionsResponse{}
	for _, found := range subscriptions.Snapshot().List(app) {
		if found.Subscription.ID <= after {
			continue
		}
		if len(resp.Subscriptions) == limit {
			resp.NextPageToken = pageToken{Of: list, After: after}.encode()
			break
		}
		resp.Subscriptions = append(resp.Subscriptions, subscriptionToProto(found.Subscription))
		after = found.Subscription.ID
	}
	return resp, nil
}

func (s callbackService) UpdateSubscription(ctx context.Context, req *susulv1.UpdateSubscriptionRequest) (*susulv1.UpdateSubscriptionResponse, error) {
	change := req.GetSubscription()
	app, id, subscriptions, err := s.subscriptionFor(ctx, "subscription.name", change.GetName())
	if err != nil {
		return nil, err
	}
	revision, err := parseEtag("subscription.etag", change.GetEtag())
	if err != nil {
		return nil, err
	}
	mask := req.GetUpdateMask()
	whole := fieldmask.IsFullReplacement(mask)
	withSecrets := len(change.GetSecrets()) > 0
	if !whole {
		if mask, err = namedPaths(mask, change.ProtoReflect()); err != nil {
			return nil, err
		}
		withSecrets = slices.Contains(mask.GetPaths(), "secrets")
	}
	updated, err := subscriptions.Update(ctx, revision, app, id, func(current subscription.Subscription) (subscription.Subscription, error) {
		merged := change
		if !whole {
			merged = subscriptionToProto(current)
			fieldmask.Update(mask, merged, change)
		}
		return changedSubscription(current, merged, withSecrets)
	})
	if err != nil {
		return nil, err
	}
	return &susulv1.UpdateSubscriptionResponse{Subscription: subscriptionToProto(updated)}, nil
}

// changedSubscription returns what becomes of a subscription, which must be sound. Its secrets stay unless they are given. Its error is
// a *Fault that lists all that is wrong.
func changedSubscription(current subscription.Subscription, p *susulv1.Subscription, withSecrets bool) (subscription.Subscription, error) {
	draft, violations := subscriptionFromProto(p)
	draft.App, draft.ID = current.App, current.ID
	if !withSecrets {
		draft.Secrets = current.Secrets
	}
	if broken := (*subscription.InvalidError)(nil); errors.As(draft.Validate(), &broken) {
		violations = withOthers(violations, subscriptionViolations(broken))
	}
	if len(violations) > 0 {
		return subscription.Subscription{}, invalidFields(violations)
	}
	return draft, nil
}

// keepPrevious is how long a secret that was replaced stays good unless the caller says otherwise.
const keepPrevious = 24 * time.Hour

func (s callbackService) RotateSubscriptionSecret(
	ctx context.Context, req *susulv1.RotateSubscriptionSecretRequest,
) (*susulv1.RotateSubscriptionSecretResponse, error) {
	app, id, subscriptions, err := s.subscriptionFor(ctx, "name", req.GetName())
	if err != nil {
		return nil, err
	}
	keep := keepPrevious
	if req.GetKeepPrevious() != nil {
		keep = req.GetKeepPrevious().AsDuration()
	}
	rotated, err := subscriptions.Rotate(ctx, app, id, keep)
	if err != nil {
		return nil, err
	}
	resp := &susulv1.RotateSubscriptionSecretResponse{
		Secret: rotated.Secrets[0].Key, Subscription: subscriptionToProto(rotated),
	}
	if len(rotated.Secrets) > 1 {
		resp.PreviousExpireTime = timeToProto(rotated.Secrets[1].ExpireTime)
	}
	return resp, nil
}

func (s callbackService) DeleteSubscription(ctx context.Context, req *susulv1.DeleteSubscriptionRequest) (*susulv1.DeleteSubscriptionResponse, error) {
	app, id, subscriptions, err := s.subscriptionFor(ctx, "name", req.GetName())
	if err != nil {
		return nil, err
	}
	revision, err := parseEtag("etag", req.GetEtag())
	if err != nil {
		return nil, err
	}
	if err := subscriptions.Delete(ctx, app, id, revision); err != nil {
		return nil, err
	}
	return &susulv1.DeleteSubscriptionResponse{}, nil
}
