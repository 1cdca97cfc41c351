// Package callback verifies and reads what Susul posts: the events of a push to its callback_urls, and those of an app to subscriptions.
package callback

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Why a callback is refused.
var (
	ErrMissingHeader   = errors.New("a header is missing")
	ErrMalformedHeader = errors.New("a header can't be read")
	ErrStale           = errors.New("the callback is more than 5 minutes from now")
	ErrWrongSignature  = errors.New("the callback is not signed by any of the secrets")
	ErrMalformedBody   = errors.New("the body can't be read")
)

// Row is one event.
type Row struct {
	// EventID is Susul's id of the event. The same event may be posted more than once: deduplicate by this.
	EventID string

	// MsgID is the push's msg_id.
	MsgID string

	// RegistrationID is the device.
	RegistrationID string

	// Status is what happened, in EngageLab's words: sent, delivered, impression, click, or the name of a failure.
	Status string

	// Step is the step that it belongs to; 0 is the first sending.
	Step int

	// Variant is the variant of the step; empty for a step without.
	Variant string

	// Time is when it happened, to the second.
	Time time.Time

	// From is the push's own.
	From string

	// Channel is the vendor's that carried it, for example FCM.
	Channel string

	// CustomArgs are the push's own, an object or a string.
	CustomArgs json.RawMessage

	// ErrorCode is EngageLab's code of a failure; 0 for none.
	ErrorCode int

	// ErrorMessage is EngageLab's text of a failure.
	ErrorMessage string

	// LossSource is where it was lost, if it was.
	LossSource string

	// UpstreamID is EngageLab's id of the message.
	UpstreamID string

	// Test: it is made up, by TestRelayEndpoint.
	Test bool

	// Raw is the row as it came.
	Raw json.RawMessage
}

// Verifier knows who signs callbacks.
type Verifier struct {
	// Username is the one that X-CALLBACK-ID has.
	Username string

	// Secrets are those that are good: one, or two while they are being changed.
	Secrets []string

	// Now tells the time; nil for that of this machine.
	Now func() time.Time
}

// Verify returns what a request reports, given its header and its body, byte by byte as it came, after making sure that it is Susul's and
// not older than 5 minutes. Its errors are the package's: answer with 401, or with 400 to ErrMalformedBody.
func Verify(header http.Header, body []byte, username string, secrets ...string) ([]Row, error) {
	return Verifier{Username: username, Secrets: secrets}.Verify(header, body)
}

// Verify is as the function of that name.
func (v Verifier) Verify(header http.Header, body []byte) ([]Row, error) {
	if err := v.verify(header, body); err != nil {
		return nil, err
	}
	return rows(body)
}

// rows reads a document: EngageLab's, or Standard Webhooks' with that as its data.
func rows(body []byte) ([]Row, error) {
	var document struct {
		Rows []json.RawMessage `json:"rows"`
		Data struct {
			Rows []json.RawMessage `json:"rows"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &document); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformedBody, err)
	}
	found := document.Rows
	if found == nil {
		found = document.Data.Rows
	}
	if found == nil {
		return nil, fmt.Errorf("%w: it has no rows", ErrMalformedBody)
	}
	all := make([]Row, len(found))
	for i, raw := range found {
		if err := all[i].read(raw); err != nil {
			return nil, fmt.Errorf("%w: row %d: %w", ErrMalformedBody, i, err)
		}
	}
	return all, nil
}

func (r *Row) read(raw json.RawMessage) error {
	var row struct {
		MessageID  string          `json:"message_id"`
		From       string          `json:"from"`
		To         string          `json:"to"`
		Channel    string          `json:"channel"`
		CustomArgs json.RawMessage `json:"custom_args"`
		ITime      int64           `json:"itime"`
		Status     struct {
			MessageStatus string `json:"message_status"`
			ErrorCode     int    `json:"error_code"`
			ErrorDetail   struct {
				Message string `json:"message"`
			} `json:"error_detail"`
			Loss struct {
				LossSource string `json:"loss_source"`
			} `json:"loss"`
		} `json:"status"`
		Susul struct {
			EventID    string `json:"event_id"`
			Step       int    `json:"step"`
			Variant    string `json:"variant"`
			UpstreamID string `json:"upstream_id"`
			Test       bool   `json:"test"`
		} `json:"susul"`
	}
	if err := json.Unmarshal(raw, &row); err != nil {
		return err //nolint:wrapcheck // rows does
	}
	if !bytes.HasPrefix(raw, []byte("{")) {
		return errors.New("it is no object")
	}
	*r = Row{
		EventID: row.Susul.EventID, MsgID: row.MessageID, RegistrationID: row.To, Status: row.Status.MessageStatus,
		Step: row.Susul.Step, Variant: row.Susul.Variant, Time: time.Unix(row.ITime, 0).UTC(), From: row.From, Channel: row.Channel,
		CustomArgs: row.CustomArgs, ErrorCode: row.Status.ErrorCode, ErrorMessage: row.Status.ErrorDetail.Message,
		LossSource: row.Status.Loss.LossSource, UpstreamID: row.Susul.UpstreamID, Test: row.Susul.Test, Raw: raw,
	}
	return nil
}
