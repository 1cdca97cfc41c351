package api

import (
	"strconv"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/types/known/timestamppb"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/subscription"
)

// formats are what may be posted.
var formats = map[susulv1.SubscriptionFormat]subscription.Format{
	susulv1.SubscriptionFormat_SUBSCRIPTION_FORMAT_UNSPECIFIED:       subscription.EngageLab,
	susulv1.SubscriptionFormat_SUBSCRIPTION_FORMAT_ENGAGELAB:         subscription.EngageLab,
	susulv1.SubscriptionFormat_SUBSCRIPTION_FORMAT_STANDARD_WEBHOOKS: subscription.StandardWebhooks,
}

// subscriptionFromProto reads what a caller may set of a subscription, and tells what can't be read. Whether the subscription makes
// sense is for itself to say.
func subscriptionFromProto(p *susulv1.Subscription) (subscription.Subscription, []*errdetails.BadRequest_FieldViolation) {
	var violations []*errdetails.BadRequest_FieldViolation
	format, named := formats[p.GetFormat()]
	if !named {
		violations = append(violations, &errdetails.BadRequest_FieldViolation{
			Field: "subscription.format", Description: "has no value " + strconv.Itoa(int(p.GetFormat())),
		})
	}
	draft := subscription.Subscription{
		DisplayName:       p.GetDisplayName(),
		Description:       p.GetDescription(),
		URL:               p.GetUrl(),
		Filter:            p.GetFilter(),
		Format:            format,
		Username:          p.GetUsername(),
		Paused:            p.GetPaused(),
		MaxConcurrency:    int(p.GetMaxConcurrency()),
		RequestsPerSecond: p.GetRequestsPerSecond(),
	}
	for _, secret := range p.GetSecrets() {
		draft.Secrets = append(draft.Secrets, subscription.Secret{Key: secret})
	}
	return draft, violations
}

// subscriptionToProto shows a subscription, with what it leaves open filled in and without its secrets.
func subscriptionToProto(s subscription.Subscription) *susulv1.Subscription {
	p := &susulv1.Subscription{
		Name:              subscriptionName(s.App, s.ID),
		Uid:               s.UID,
		Etag:              strconv.FormatInt(s.Revision, 10),
		DisplayName:       s.DisplayName,
		Description:       s.Description,
		Url:               s.URL,
		Filter:            s.Filter,
		Format:            susulv1.SubscriptionFormat_SUBSCRIPTION_FORMAT_ENGAGELAB,
		Username:          s.Username,
		Paused:            s.Paused,
		MaxConcurrency:    int32(s.MaxConcurrency),
		RequestsPerSecond: s.RequestsPerSecond,
		RelayEndpoint:     endpointName(s.App, subscriptionEndpoint(s.ID)),
		CreateTime:        timestamppb.New(s.CreateTime),
		UpdateTime:        timestamppb.New(s.UpdateTime),
	}
	if s.Format == subscription.StandardWebhooks {
		p.Format = susulv1.SubscriptionFormat_SUBSCRIPTION_FORMAT_STANDARD_WEBHOOKS
	}
	if p.GetUsername() == "" {
		p.Username = subscription.DefaultUsername
	}
	if p.GetMaxConcurrency() == 0 {
		p.MaxConcurrency = subscription.DefaultConcurrency
	}
	return p
}

func subscriptionViolations(e *subscription.InvalidError) []*errdetails.BadRequest_FieldViolation {
	violations := make([]*errdetails.BadRequest_FieldViolation, len(e.Violations))
	for i, v := range e.Violations {
		violations[i] = &errdetails.BadRequest_FieldViolation{Field: "subscription." + v.Field, Description: v.Description}
	}
	return violations
}
