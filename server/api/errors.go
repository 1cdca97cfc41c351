package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/delivery"
	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/server/forward"
	"susul.dev/susul/server/policy"
	"susul.dev/susul/server/relay"
	"susul.dev/susul/server/subscription"
	"susul.dev/susul/storage"
)

// errorDomain is the domain of the reasons in google.rpc.ErrorInfo.
const errorDomain = "susul.dev"

// A status travels in headers, of which many gRPC clients take 8 KiB at most. These bounds, in bytes, keep it below.
const (
	maxMessage     = 1 << 10
	maxResource    = 256
	maxDescription = 512
	maxViolations  = 2 << 10 // all of one fault's together
)

// retryAfter is what callers are told to wait when a retry may help.
const retryAfter = time.Second

var (
	errUnauthenticated  = errors.New("unauthenticated")
	errPermissionDenied = errors.New("permission denied")
	errStreamEnded      = errors.New("stream ended by this node")
)

// StandbyError says that another node does the work.
type StandbyError struct {
	Leader string // its address; empty if nobody is known to lead
}

// Error names the leader.
func (e *StandbyError) Error() string {
	if e.Leader == "" {
		return "this node stands by and no leader is known yet: try again"
	}
	return "this node stands by: call the leader at " + e.Leader
}

// GRPCStatus is what gRPC callers get.
func (e *StandbyError) GRPCStatus() *status.Status { return status.Convert(toStatus(standbyFault(e))) }

// Fault is an error as callers see it: all of it is public. Other errors are turned into one by faultOf.
type Fault struct {
	Code       codes.Code
	Reason     susulv1.ErrorReason
	Message    string
	Metadata   map[string]string
	Violations []*errdetails.BadRequest_FieldViolation
	Retry      bool
	// HTTPStatus is for the faults whose code stands for another status; 0 for the code's own.
	HTTPStatus int
	// Upstream is EngageLab's own refusal, for the REST face that speaks EngageLab's language.
	Upstream *storage.Refusal
}

// Error returns the public text.
func (f *Fault) Error() string { return f.Message }

// invalid returns the fault of one field.
func invalid(field, description string) *Fault {
	return invalidFields([]*errdetails.BadRequest_FieldViolation{{Field: field, Description: description}})
}

// invalidFields returns a fault that lists all that is wrong with a request, up to a bound, beyond which it says how much more there is.
func invalidFields(violations []*errdetails.BadRequest_FieldViolation) *Fault {
	var texts []string
	more := ""
	size := 0
	for i, violation := range violations {
		violation.Description = clip(violation.GetDescription(), maxDescription)
		if size += proto.Size(violation); size > maxViolations {
			more = fmt.Sprintf("; and %d more", len(violations)-i)
			violations = violations[:i]
			break
		}
		text := violation.GetDescription()
		if violation.GetField() != "" { // else the request as a whole is wrong
			text = violation.GetField() + ": " + text
		}
		texts = append(texts, text)
	}
	return &Fault{
		Code: codes.InvalidArgument, Reason: susulv1.ErrorReason_ERROR_REASON_INVALID_REQUEST,
		Message: clip(strings.Join(texts, "; "), maxMessage-len(more)) + more, Violations: violations,
	}
}

// clip cuts a text to n bytes, between characters.
func clip(text string, n int) string {
	return strings.ToValidUTF8(text[:min(len(text), n)], "")
}

func notFound(resource string) *Fault {
	resource = clip(resource, maxResource)
	return &Fault{
		Code: codes.NotFound, Reason: susulv1.ErrorReason_ERROR_REASON_NOT_FOUND,
		Message: resource + " does not exist", Metadata: map[string]string{"resource": resource},
	}
}

// sentinels are the errors that say all they have to say by being what they are. The text that wraps one may be
// internal, so callers get the text given here; an empty one stands for the error's own.
var sentinels = []struct {
	err    error
	code   codes.Code
	reason susulv1.ErrorReason
	retry  bool
	text   string
}{
	{errUnauthenticated, codes.Unauthenticated, susulv1.ErrorReason_ERROR_REASON_UNAUTHENTICATED, false, ""},
	{errPermissionDenied, codes.PermissionDenied, susulv1.ErrorReason_ERROR_REASON_PERMISSION_DENIED, false, ""},
	{delivery.ErrUnknownApp, codes.NotFound, susulv1.ErrorReason_ERROR_REASON_NOT_FOUND, false, "no such app"},
	{delivery.ErrTooLarge, codes.FailedPrecondition, susulv1.ErrorReason_ERROR_REASON_TOO_LARGE, false,
		"there are too many pushes or recipients to answer this: narrow it, by time or by max_pushes"},
	{delivery.ErrEngageLabUnavailable, codes.Unavailable, susulv1.ErrorReason_ERROR_REASON_ENGAGELAB_UNAVAILABLE, true,
		"EngageLab can't be reached or takes no more requests now: try again"},
	{relay.ErrTooManyEndpoints, codes.FailedPrecondition, susulv1.ErrorReason_ERROR_REASON_TOO_LARGE, false,
		"the app's pushes have named as many callback URLs as may be in use at once: use those again, or a subscription"},
	{relay.ErrTooManyReplays, codes.FailedPrecondition, susulv1.ErrorReason_ERROR_REASON_TOO_LARGE, false,
		"the endpoint has as many replays as it may have at once: wait until some are done, or cancel them"},
	{storage.ErrNotFound, codes.NotFound, susulv1.ErrorReason_ERROR_REASON_NOT_FOUND, false, "no such resource"},
	{storage.ErrRequestIDReused, codes.AlreadyExists, susulv1.ErrorReason_ERROR_REASON_REQUEST_ID_REUSED, false,
		"request_id was used for a push with other content: give each push its own"},
	{storage.ErrConflict, codes.FailedPrecondition, susulv1.ErrorReason_ERROR_REASON_WRONG_STATE, false,
		"the push's state does not allow this: read it again"},
	{storage.ErrUnavailable, codes.Unavailable, susulv1.ErrorReason_ERROR_REASON_STORAGE_UNAVAILABLE, true,
		"the store can't take this now: try again"},
	{storage.ErrHeldFull, codes.Unavailable, susulv1.ErrorReason_ERROR_REASON_OVERLOADED, true,
		"as many callbacks of unknown messages are held as may be, the others were stored: send the batch again later"},
	{storage.ErrFenced, codes.Unavailable, susulv1.ErrorReason_ERROR_REASON_STANDBY, true,
		"another node has taken over: try again"},
	{forward.ErrBroken, codes.Unavailable, susulv1.ErrorReason_ERROR_REASON_STANDBY, true,
		"the node that leads went away during the call, which it may have carried out: find out, or repeat it with its request_id"},
	{forward.ErrFull, codes.Unavailable, susulv1.ErrorReason_ERROR_REASON_OVERLOADED, true,
		"too many calls wait for a node that leads: try again"},
	{errStreamEnded, codes.Unavailable, susulv1.ErrorReason_ERROR_REASON_STANDBY, true,
		"this node stops working: resume the stream at another"},
	{relay.ErrEnded, codes.Unavailable, susulv1.ErrorReason_ERROR_REASON_STANDBY, true,
		"this node stops working: resume the stream at another"},
	{policy.ErrNotFound, codes.NotFound, susulv1.ErrorReason_ERROR_REASON_NOT_FOUND, false, "no such resend policy"},
	{policy.ErrExists, codes.AlreadyExists, susulv1.ErrorReason_ERROR_REASON_ALREADY_EXISTS, false,
		"a resend policy of this name exists"},
	{policy.ErrConflict, codes.Aborted, susulv1.ErrorReason_ERROR_REASON_ETAG_MISMATCH, false,
		"the resend policy has changed: read it again, then repeat the change"},
	{policy.ErrTooMany, codes.ResourceExhausted, susulv1.ErrorReason_ERROR_REASON_OVERLOADED, false,
		"there are as many resend policies as there may be: delete some"},
	{policy.ErrUnavailable, codes.Unavailable, susulv1.ErrorReason_ERROR_REASON_ETCD_UNAVAILABLE, true,
		"etcd can't be reached, so that resend policies can't be changed now: try again"},
	{subscription.ErrNotFound, codes.NotFound, susulv1.ErrorReason_ERROR_REASON_NOT_FOUND, false, "no such subscription"},
	{subscription.ErrExists, codes.AlreadyExists, susulv1.ErrorReason_ERROR_REASON_ALREADY_EXISTS, false,
		"a subscription of this name exists"},
	{subscription.ErrConflict, codes.Aborted, susulv1.ErrorReason_ERROR_REASON_ETAG_MISMATCH, false,
		"the subscription has changed: read it again, then repeat the change"},
	{subscription.ErrTooMany, codes.ResourceExhausted, susulv1.ErrorReason_ERROR_REASON_OVERLOADED, false,
		"the app has as many subscriptions as it may have: delete some"},
	{subscription.ErrUnavailable, codes.Unavailable, susulv1.ErrorReason_ERROR_REASON_ETCD_UNAVAILABLE, true,
		"etcd can't be reached, so that subscriptions can't be changed now: try again"},
	{context.Canceled, codes.Canceled, susulv1.ErrorReason_ERROR_REASON_UNSPECIFIED, false, "the call was cancelled"},
	{context.DeadlineExceeded, codes.DeadlineExceeded, susulv1.ErrorReason_ERROR_REASON_UNSPECIFIED, false,
		"the call took longer than its deadline"},
}

// faultOf gives an error its code, reason and public text. What nobody foresaw is an internal fault without details; the
// log has its cause.
func faultOf(err error) *Fault {
	var (
		fault    *Fault
		standby  *StandbyError
		refused  *delivery.RefusedError
		document *engagelab.InvalidDocument
		badRules *policy.InvalidError
		badSub   *subscription.InvalidError
	)
	switch {
	case errors.As(err, &fault):
		return fault
	case errors.As(err, &standby):
		return standbyFault(standby)
	case errors.As(err, &refused):
		return refusedFault(refused.Refusal)
	case errors.As(err, &document):
		return invalidFields(documentViolations(document))
	case errors.As(err, &badRules):
		return invalidFields(policyViolations(badRules))
	case errors.As(err, &badSub):
		return invalidFields(subscriptionViolations(badSub))
	case errors.Is(err, delivery.ErrUnknownPolicy):
		return invalid("push.resend_policy", "there is no such resend policy for this app")
	}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			text := s.text
			if text == "" {
				text = err.Error()
			}
			return &Fault{Code: s.code, Reason: s.reason, Message: text, Retry: s.retry}
		}
	}
	return fromStatus(err)
}

// fromStatus keeps the errors of grpc-go's own, such as a message over the limit.
func fromStatus(err error) *Fault {
	if s, ok := status.FromError(err); ok && s.Code() != codes.Unknown {
		return &Fault{Code: s.Code(), Message: s.Message()}
	}
	return &Fault{
		Code: codes.Internal, Reason: susulv1.ErrorReason_ERROR_REASON_INTERNAL,
		Message: "Susul failed; its log has the cause",
	}
}

func standbyFault(e *StandbyError) *Fault {
	return &Fault{
		Code: codes.Unavailable, Reason: susulv1.ErrorReason_ERROR_REASON_STANDBY,
		Message: e.Error(), Metadata: map[string]string{"leader": e.Leader}, Retry: true,
	}
}

func refusedFault(refusal storage.Refusal) *Fault {
	code := codes.InvalidArgument
	if refusal.HTTPStatus == http.StatusUnauthorized || refusal.HTTPStatus == http.StatusForbidden {
		code = codes.FailedPrecondition // the app's credentials in Susul's configuration are at fault, not the caller's
	}
	return &Fault{
		Code: code, Reason: susulv1.ErrorReason_ERROR_REASON_ENGAGELAB_REFUSED, Message: clip(refusal.Message, maxMessage),
		Metadata: map[string]string{
			"engagelab_http_status": strconv.Itoa(refusal.HTTPStatus),
			"engagelab_code":        strconv.Itoa(refusal.Code),
		},
		Upstream: &refusal,
	}
}

func documentViolations(e *engagelab.InvalidDocument) []*errdetails.BadRequest_FieldViolation {
	violations := make([]*errdetails.BadRequest_FieldViolation, len(e.Faults))
	for i, fault := range e.Faults {
		violations[i] = &errdetails.BadRequest_FieldViolation{Field: fault.Field, Description: fault.Description}
	}
	return violations
}

func policyViolations(e *policy.InvalidError) []*errdetails.BadRequest_FieldViolation {
	violations := make([]*errdetails.BadRequest_FieldViolation, len(e.Violations))
	for i, v := range e.Violations {
		field := "resend_policy." + v.Field
		if v.Field == "id" {
			field = "resend_policy_id"
		}
		violations[i] = &errdetails.BadRequest_FieldViolation{Field: field, Description: v.Description}
	}
	return violations
}

// toStatus is what gRPC callers get.
func toStatus(err error) error {
	fault := faultOf(err)
	s := status.New(fault.Code, fault.Message)
	var details []protoadapt.MessageV1
	if fault.Reason != susulv1.ErrorReason_ERROR_REASON_UNSPECIFIED {
		details = append(details, protoadapt.MessageV1Of(&errdetails.ErrorInfo{
			Reason: strings.TrimPrefix(fault.Reason.String(), "ERROR_REASON_"), Domain: errorDomain, Metadata: fault.Metadata,
		}))
	}
	if len(fault.Violations) > 0 {
		details = append(details, protoadapt.MessageV1Of(&errdetails.BadRequest{FieldViolations: fault.Violations}))
	}
	if fault.Retry {
		details = append(details, protoadapt.MessageV1Of(&errdetails.RetryInfo{RetryDelay: durationpb.New(retryAfter)}))
	}
	if detailed, err := s.WithDetails(details...); err == nil {
		s = detailed
	}
	return s.Err()
}

// httpStatus is the HTTP status of a fault, as the gateway maps codes.
func httpStatus(fault *Fault) int {
	if fault.HTTPStatus != 0 {
		return fault.HTTPStatus
	}
	return runtime.HTTPStatusFromCode(fault.Code)
}

// unreadable gives a reason to the status of a request that the gateway could not read.
func unreadable(s *status.Status) error {
	return toStatus(&Fault{
		Code: s.Code(), Reason: susulv1.ErrorReason_ERROR_REASON_INVALID_REQUEST,
		Message: "the request can't be read: " + clip(s.Message(), maxMessage),
	})
}

// logFault logs the cause of an error that is Susul's own; what callers did wrong is theirs to read.
func logFault(log *slog.Logger, call string, fault *Fault, cause error) {
	if fault.Code == codes.Internal {
		log.Error("call failed", "call", call, "error", cause)
	}
}
