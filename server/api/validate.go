package api

import (
	"context"
	"errors"
	"slices"
	"strings"

	"buf.build/go/protovalidate"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	susulv1 "susul.dev/susul/gen/susul/v1"
)

// largeRequest is the size, in bytes, from which the rules stop at the first fault: finding all would take a kilobyte of
// memory for each, and a list of a million ids can hold a million.
const largeRequest = 64 << 10

// validator checks requests against the rules in the protos, and policies and subscriptions against what no rule can say: that
// their templates and expressions are sound. All that is wrong is told at once.
type validator struct {
	rules protovalidate.Validator
	api   *API
}

func (v validator) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if err := v.check(req); err != nil {
		return nil, err
	}
	return handle(ctx, req)
}

func (v validator) stream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	return handle(srv, validatingStream{stream, v})
}

type validatingStream struct {
	grpc.ServerStream
	validator
}

func (s validatingStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	return s.check(m)
}

func (v validator) check(req any) error {
	message, ok := req.(proto.Message)
	if !ok {
		return nil
	}
	violations, err := v.brokenRules(message)
	if err != nil {
		return err
	}
	if len(violations) == 0 {
		return nil // what no rule can say, the handlers find out
	}
	return invalidFields(withOthers(violations, v.api.otherFaults(req)))
}

// otherFaults returns what the request's handler would find wrong.
func (a *API) otherFaults(req any) []*errdetails.BadRequest_FieldViolation {
	switch req := req.(type) {
	case *susulv1.CreateResendPolicyRequest:
		if req.ResendPolicy == nil {
			return nil
		}
		var fault *Fault
		if _, err := a.policyDraft(req.GetResendPolicyId(), req.GetResendPolicy()); errors.As(err, &fault) {
			return fault.Violations
		}
	case *susulv1.CreateSubscriptionRequest:
		if req.Subscription == nil {
			return nil
		}
		var fault *Fault
		// Of its name the rules tell all.
		if _, err := subscriptionDraft("app", "id", req.GetSubscription()); errors.As(err, &fault) {
			return fault.Violations
		}
	case *susulv1.ReplayEventsRequest:
		_, violations := selectionOf(req)
		return violations
	case devicesRequest:
		_, violations := devicesFromProto(req)
		return violations
	}
	return nil
}

func (v validator) brokenRules(message proto.Message) ([]*errdetails.BadRequest_FieldViolation, error) {
	var options []protovalidate.ValidationOption
	if proto.Size(message) > largeRequest {
		options = append(options, protovalidate.WithFailFast())
	}
	err := v.rules.Validate(message, options...)
	if err == nil {
		return nil, nil
	}
	var broken *protovalidate.ValidationError
	if !errors.As(err, &broken) {
		return nil, err // a rule itself is at fault
	}
	violations := make([]*errdetails.BadRequest_FieldViolation, len(broken.Violations))
	for i, violation := range broken.Violations {
		violations[i] = &errdetails.BadRequest_FieldViolation{
			Field:       protovalidate.FieldPathString(violation.Proto.GetField()),
			Description: violation.Proto.GetMessage(),
		}
	}
	return violations, nil
}

// withOthers adds other faults, but for fields that broke a rule already, and for what is in them.
func withOthers(violations, others []*errdetails.BadRequest_FieldViolation) []*errdetails.BadRequest_FieldViolation {
	rules := violations
	for _, found := range others {
		told := slices.ContainsFunc(rules, func(v *errdetails.BadRequest_FieldViolation) bool {
			inside, within := strings.CutPrefix(found.GetField(), v.GetField())
			return within && (inside == "" || inside[0] == '.' || inside[0] == '[')
		})
		if !told {
			violations = append(violations, found)
		}
	}
	return violations
}
