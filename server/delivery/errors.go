package delivery

import (
	"errors"
	"fmt"

	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/storage"
)

// Errors that callers branch on, besides those of storage and engagelab.
var (
	// ErrUnknownApp says that the configuration has no such app.
	ErrUnknownApp = errors.New("unknown app")

	// ErrUnknownPolicy says that the push names a resend policy that does not exist, or is another app's.
	ErrUnknownPolicy = errors.New("unknown resend policy")

	// ErrEngageLabUnavailable says that EngageLab can't be reached, or is over its limits; trying again may help.
	ErrEngageLabUnavailable = errors.New("EngageLab is unavailable")
)

// RefusedError says that EngageLab refused a request for good.
type RefusedError struct {
	storage.Refusal
}

// Error returns EngageLab's own text.
func (e *RefusedError) Error() string { return e.Message }

// fromEngageLab turns a client's error into a *RefusedError, or into one that wraps ErrEngageLabUnavailable.
func fromEngageLab(err error) error {
	if refusal := permanent(err); refusal != nil {
		return &RefusedError{*refusal}
	}
	return fmt.Errorf("%w: %w", ErrEngageLabUnavailable, err)
}

// permanent returns EngageLab's final refusal, nil if the error is not one.
func permanent(err error) *storage.Refusal {
	var refusal *engagelab.Error
	if !errors.As(err, &refusal) || refusal.Temporary() {
		return nil
	}
	return &storage.Refusal{HTTPStatus: refusal.HTTPStatus, Code: refusal.Code, Message: refusal.Message}
}
