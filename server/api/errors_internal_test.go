package api

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"susul.dev/susul/server/delivery"
	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/server/policy"
	"susul.dev/susul/server/relay"
	"susul.dev/susul/server/subscription"
	"susul.dev/susul/storage"
)

func TestEachErrorHasItsCodeAndKeepsItsCause(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		code   codes.Code
		http   int
		reason string
		retry  bool
	}{
		"unknown app":           {delivery.ErrUnknownApp, codes.NotFound, 404, "NOT_FOUND", false},
		"unknown policy":        {delivery.ErrUnknownPolicy, codes.InvalidArgument, 400, "INVALID_REQUEST", false},
		"EngageLab unavailable": {delivery.ErrEngageLabUnavailable, codes.Unavailable, 503, "ENGAGELAB_UNAVAILABLE", true},
		"too large":             {delivery.ErrTooLarge, codes.FailedPrecondition, 400, "TOO_LARGE", false},
		"not found":             {storage.ErrNotFound, codes.NotFound, 404, "NOT_FOUND", false},
		"request_id reused":     {storage.ErrRequestIDReused, codes.AlreadyExists, 409, "REQUEST_ID_REUSED", false},
		"wrong state":           {storage.ErrConflict, codes.FailedPrecondition, 400, "WRONG_STATE", false},
		"store unavailable":     {storage.ErrUnavailable, codes.Unavailable, 503, "STORAGE_UNAVAILABLE", true},
		"fenced":                {storage.ErrFenced, codes.Unavailable, 503, "STANDBY", true},
		"stream ended":          {errStreamEnded, codes.Unavailable, 503, "STANDBY", true},
		"no policy":             {policy.ErrNotFound, codes.NotFound, 404, "NOT_FOUND", false},
		"policy exists":         {policy.ErrExists, codes.AlreadyExists, 409, "ALREADY_EXISTS", false},
		"stale etag":            {policy.ErrConflict, codes.Aborted, 409, "ETAG_MISMATCH", false},
		"too many policies":     {policy.ErrTooMany, codes.ResourceExhausted, 429, "OVERLOADED", false},
		"etcd unavailable":      {policy.ErrUnavailable, codes.Unavailable, 503, "ETCD_UNAVAILABLE", true},
		"no subscription":       {subscription.ErrNotFound, codes.NotFound, 404, "NOT_FOUND", false},
		"subscription exists":   {subscription.ErrExists, codes.AlreadyExists, 409, "ALREADY_EXISTS", false},
		"its stale etag":        {subscription.ErrConflict, codes.Aborted, 409, "ETAG_MISMATCH", false},
		"too many of them":      {subscription.ErrTooMany, codes.ResourceExhausted, 429, "OVERLOADED", false},
		"its etcd unavailable":  {subscription.ErrUnavailable, codes.Unavailable, 503, "ETCD_UNAVAILABLE", true},
		"too many endpoints":    {relay.ErrTooManyEndpoints, codes.FailedPrecondition, 400, "TOO_LARGE", false},
		"too many replays":      {relay.ErrTooManyReplays, codes.FailedPrecondition, 400, "TOO_LARGE", false},
		"cancelled":             {context.Canceled, codes.Canceled, 499, "", false},
		"out of time":           {context.DeadlineExceeded, codes.DeadlineExceeded, 504, "", false},
		"foreseen by nobody":    {errors.New("oh"), codes.Internal, 500, "INTERNAL", false},
		"EngageLab without a status": {
			&engagelab.Error{HTTPStatus: 400, Message: "oh"}, codes.Internal, 500, "INTERNAL", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := fmt.Errorf("secret outside: %w", errors.Join(c.err, errors.New("secret inside")))
			s := status.Convert(toStatus(err))
			require.Equal(t, c.code, s.Code())
			require.NotContains(t, s.Message(), "secret")
			require.NotEmpty(t, s.Message())
			require.Equal(t, c.http, httpStatus(faultOf(err)))
			var reason string
			var retry bool
			for _, detail := range s.Details() {
				switch detail := detail.(type) {
				case *errdetails.ErrorInfo:
					reason = detail.GetReason()
					require.Equal(t, "susul.dev", detail.GetDomain())
				case *errdetails.RetryInfo:
					retry = true
				}
			}
			require.Equal(t, c.reason, reason)
			require.Equal(t, c.retry, retry)
		})
	}
	for _, s := range sentinels {
		require.NotEmpty(t, faultOf(s.err).Message, s.err)
	}
}

func TestFaultsThatCarryMore(t *testing.T) {
	standby := faultOf(fmt.Errorf("x: %w", &StandbyError{Leader: "10.0.0.1:7070"}))
	require.Equal(t, map[string]string{"leader": "10.0.0.1:7070"}, standby.Metadata)
	require.True(t, standby.Retry)

	refused := faultOf(&delivery.RefusedError{Refusal: storage.Refusal{HTTPStatus: http.StatusForbidden, Code: 7, Message: "no"}})
	require.Equal(t, codes.FailedPrecondition, refused.Code)
	require.Equal(t, map[string]string{"engagelab_http_status": "403", "engagelab_code": "7"}, refused.Metadata)

	kept := faultOf(status.Error(codes.ResourceExhausted, "too large"))
	require.Equal(t, codes.ResourceExhausted, kept.Code)
	require.Equal(t, "too large", kept.Message)

	document := faultOf(&engagelab.InvalidDocument{Faults: []engagelab.Fault{{Field: "to", Description: "is odd"}}})
	require.Equal(t, "to", document.Violations[0].GetField())
	rules := faultOf(&policy.InvalidError{Violations: []policy.Violation{{Field: "id"}, {Field: "steps"}}})
	require.Equal(t, "resend_policy_id", rules.Violations[0].GetField())
	require.Equal(t, "resend_policy.steps", rules.Violations[1].GetField())
	filters := faultOf(&subscription.InvalidError{Violations: []subscription.Violation{{Field: "filter"}}})
	require.Equal(t, "subscription.filter", filters.Violations[0].GetField())
	require.Equal(t, "give one of them", invalid("", "give one of them").Message, "no field is at fault alone")
}

// A status travels in HTTP/2 headers, of which many clients take 8 KiB at most.
func TestStatusFitsIntoHeaders(t *testing.T) {
	violations := make([]*errdetails.BadRequest_FieldViolation, 1000)
	for i := range violations {
		violations[i] = &errdetails.BadRequest_FieldViolation{
			Field: fmt.Sprintf("push.audience.registration_ids.ids[%d]", i), Description: strings.Repeat("é", 100),
		}
	}
	for name, err := range map[string]error{
		"violations":         invalidFields(violations),
		"one long violation": invalid("field", strings.Repeat("é", 100_000)),
		"EngageLab":          &delivery.RefusedError{Refusal: storage.Refusal{HTTPStatus: 400, Message: strings.Repeat("é", 100_000)}},
		"resource":           notFound(strings.Repeat("%", 60_000)),
	} {
		t.Run(name, func(t *testing.T) {
			require.Less(t, headerBytes(t, toStatus(err)), 8<<10)
		})
	}
}

// What does not fit is counted.
func TestFaultsBeyondTheBoundAreCounted(t *testing.T) {
	violations := make([]*errdetails.BadRequest_FieldViolation, 100)
	for i := range violations {
		violations[i] = &errdetails.BadRequest_FieldViolation{Field: fmt.Sprintf("f%02d", i), Description: strings.Repeat("d", 100)}
	}
	fault := invalidFields(violations)
	require.Len(t, fault.Message, maxMessage)
	require.True(t, strings.HasSuffix(fault.Message, fmt.Sprintf("; and %d more", 100-len(fault.Violations))), fault.Message)
	require.NotContains(t, invalidFields(violations[:1]).Message, "more")
}

// headerBytes is what grpc-message, percent-encoded, and grpc-status-details-bin, in base64, take.
func headerBytes(t *testing.T, err error) int {
	t.Helper()
	s := status.Convert(err)
	details, marshalErr := proto.Marshal(s.Proto())
	require.NoError(t, marshalErr)
	return len(url.PathEscape(s.Message())) + base64.StdEncoding.EncodedLen(len(details))
}
