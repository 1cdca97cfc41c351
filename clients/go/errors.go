package susul

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// domain is that of Susul's reasons.
const domain = "susul.dev"

// Reason is why a call failed: what callers branch on. It is an error itself, so that errors.Is(err, susul.ReasonNotFound) tells whether
// a call failed for it. proto/susul/v1/errors.proto says when each is sent. A server that is newer than this module may send others.
type Reason string

// The reasons that Susul has.
const (
	ReasonInvalidRequest       Reason = "INVALID_REQUEST"
	ReasonUnauthenticated      Reason = "UNAUTHENTICATED"
	ReasonPermissionDenied     Reason = "PERMISSION_DENIED"
	ReasonNotFound             Reason = "NOT_FOUND"
	ReasonAlreadyExists        Reason = "ALREADY_EXISTS"
	ReasonRequestIDReused      Reason = "REQUEST_ID_REUSED"
	ReasonEtagMismatch         Reason = "ETAG_MISMATCH"
	ReasonWrongState           Reason = "WRONG_STATE"
	ReasonEngageLabRefused     Reason = "ENGAGELAB_REFUSED"
	ReasonEngageLabUnavailable Reason = "ENGAGELAB_UNAVAILABLE"
	ReasonStandby              Reason = "STANDBY"
	ReasonStorageUnavailable   Reason = "STORAGE_UNAVAILABLE"
	ReasonEtcdUnavailable      Reason = "ETCD_UNAVAILABLE"
	ReasonInternal             Reason = "INTERNAL"
	ReasonOverloaded           Reason = "OVERLOADED"
	ReasonTooLarge             Reason = "TOO_LARGE"
	ReasonSlowConsumer         Reason = "SLOW_CONSUMER"
)

// Error returns the reason's name.
func (r Reason) Error() string { return string(r) }

// Error is why a call failed.
type Error struct {
	// Code is gRPC's status.
	Code codes.Code

	// Message says what happened, for people; it may change.
	Message string

	// Reason is Susul's. Empty: the error is not of Susul's own; nobody answered, for example, or not in time.
	Reason Reason

	// Metadata belongs to the reason, for example "resource".
	Metadata map[string]string

	// Violations are all that is wrong with the request, for ReasonInvalidRequest.
	Violations []Violation

	// RetryAfter is after what time a repetition may succeed; 0 if Susul does not say that one may.
	RetryAfter time.Duration

	cause error
}

// Violation is what is wrong with one field of a request.
type Violation struct {
	// Field is its path, for example push.options.big_push_duration.
	Field string

	// Description says what is wrong with it, for people.
	Description string
}

// Error returns the reason, or gRPC's code where there is none, and the message.
func (e *Error) Error() string {
	if e.Reason != "" {
		return fmt.Sprintf("susul: %s: %s", e.Reason, e.Message)
	}
	return fmt.Sprintf("susul: %s: %s", e.Code, e.Message)
}

// Is tells whether the target is the reason, or what a context that ended says.
func (e *Error) Is(target error) bool {
	switch e.Code {
	case codes.Canceled:
		if target == context.Canceled {
			return true
		}
	case codes.DeadlineExceeded:
		if target == context.DeadlineExceeded {
			return true
		}
	default:
	}
	reason, ok := target.(Reason)
	return ok && reason == e.Reason
}

// Unwrap returns gRPC's own error.
func (e *Error) Unwrap() error { return e.cause }

// GRPCStatus is for status.FromError and status.Code.
func (e *Error) GRPCStatus() *status.Status { return status.Convert(e.cause) }

// translated returns a call's error with what Susul says in its details. The end of a stream stays as it is.
func translated(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	s := status.Convert(err)
	e := &Error{Code: s.Code(), Message: s.Message(), cause: err}
	for _, detail := range s.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			if detail.GetDomain() == domain {
				e.Reason, e.Metadata = Reason(detail.GetReason()), detail.GetMetadata()
			}
		case *errdetails.BadRequest:
			for _, violation := range detail.GetFieldViolations() {
				e.Violations = append(e.Violations, Violation{violation.GetField(), violation.GetDescription()})
			}
		case *errdetails.RetryInfo:
			e.RetryAfter = detail.GetRetryDelay().AsDuration()
		}
	}
	return e
}
