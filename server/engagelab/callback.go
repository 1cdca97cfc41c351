package engagelab

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-faster/jx"
)

// ErrMalformedCallbacks is returned for a callback body that is not a JSON object.
var ErrMalformedCallbacks = errors.New("malformed callback body")

// CallbackBatch is the body of one callback request.
type CallbackBatch struct {
	// Total is the number of rows as EngageLab counts them; Rows may hold fewer.
	Total int           `json:"total"`
	Rows  []CallbackRow `json:"rows"`
	// EchoStr is set when the request is the check of a new address; the answer's body must be this string.
	EchoStr string `json:"echostr,omitempty"`
}

// CallbackRow is one change of a message's status on one device.
type CallbackRow struct {
	MessageID string `json:"message_id"`
	From      string `json:"from"`
	// To is the registration_id.
	To      string `json:"to"`
	Server  string `json:"server"`
	Channel string `json:"channel"`
	// CustomArgs is as the push had it: an object or a string. Nil when there is none.
	CustomArgs json.RawMessage `json:"custom_args,omitempty"`
	// ITime is the moment at which the status changed, in seconds since the epoch.
	ITime  int64          `json:"itime"`
	Status CallbackStatus `json:"status"`
	// Raw is the row as it came, with the members that are unknown here.
	Raw json.RawMessage `json:"-"`
}

// CallbackStatus says what the status is, and, for a failure, why.
type CallbackStatus struct {
	// MessageStatus is EngageLab's name for the status, for example "delivered". New names can appear at any time.
	MessageStatus string          `json:"message_status"`
	StatusData    json.RawMessage `json:"status_data,omitempty"`
	ErrorCode     int             `json:"error_code"`
	ErrorDetail   ErrorDetail     `json:"error_detail"`
	Loss          Loss            `json:"loss,omitzero"`
}

// ErrorDetail is the text that goes with an error code.
type ErrorDetail struct {
	Message string `json:"message"`
}

// Loss names the channel in which a message was lost.
type Loss struct {
	LossSource string `json:"loss_source"`
}

// ParseCallbacks reads a callback body. Members that are unknown, missing, null or of an unexpected type read as if
// they were absent, because refusing one would lose the other rows of the request; a row that is not an object is left
// out. A body that is not one JSON object gives ErrMalformedCallbacks. The raw messages in the rows share the body's
// memory, which must not change while they are in use.
func ParseCallbacks(body []byte) (CallbackBatch, error) {
	var batch CallbackBatch
	err := readDocument(body, func(d *jx.Decoder) error {
		if d.Next() != jx.Object {
			return errors.New("not a JSON object")
		}
		return batch.read(d)
	})
	if err != nil {
		return CallbackBatch{}, fmt.Errorf("%w: %w", ErrMalformedCallbacks, err)
	}
	return batch, nil
}

func (b *CallbackBatch) read(d *jx.Decoder) error {
	known := names{}
	return readObject(d, func(d *jx.Decoder, key []byte) (err error) {
		switch string(key) {
		case "total":
			var n int64
			n, err = readInt(d)
			b.Total = int(n)
		case "rows":
			err = b.readRows(d, known)
		case "echostr":
			b.EchoStr, err = readText(d, nil)
		default:
			err = d.Skip()
		}
		return err
	})
}

func (b *CallbackBatch) readRows(d *jx.Decoder, known names) error {
	if d.Next() != jx.Array {
		return d.Skip()
	}
	inner := jx.GetDecoder()
	defer jx.PutDecoder(inner)
	return d.Arr(func(d *jx.Decoder) error {
		if d.Next() != jx.Object {
			return d.Skip()
		}
		raw, err := d.Raw()
		if err != nil {
			return err
		}
		row := CallbackRow{Raw: json.RawMessage(raw)}
		inner.ResetBytes(raw)
		err = row.read(inner, known)
		b.Rows = append(b.Rows, row)
		return err
	})
}

func (r *CallbackRow) read(d *jx.Decoder, known names) error {
	return readObject(d, func(d *jx.Decoder, key []byte) (err error) {
		switch string(key) {
		case "message_id":
			r.MessageID, err = readText(d, known)
		case "from":
			r.From, err = readText(d, known)
		case "to":
			r.To, err = readText(d, nil)
		case "server":
			r.Server, err = readText(d, known)
		case "channel":
			r.Channel, err = readText(d, known)
		case "custom_args":
			r.CustomArgs, err = readRaw(d)
		case "itime":
			r.ITime, err = readInt(d)
		case "status":
			err = r.Status.read(d, known)
		default:
			err = d.Skip()
		}
		return err
	})
}

func (s *CallbackStatus) read(d *jx.Decoder, known names) error {
	return readObject(d, func(d *jx.Decoder, key []byte) (err error) {
		switch string(key) {
		case "message_status":
			s.MessageStatus, err = readText(d, known)
		case "status_data":
			s.StatusData, err = readRaw(d)
		case "error_code":
			var n int64
			n, err = readInt(d)
			s.ErrorCode = int(n)
		case "error_detail":
			err = readMember(d, "message", &s.ErrorDetail.Message, known)
		case "loss":
			err = readMember(d, "loss_source", &s.Loss.LossSource, known)
		default:
			err = d.Skip()
		}
		return err
	})
}

// readMember reads one text out of an object and passes over its other members.
func readMember(d *jx.Decoder, name string, into *string, known names) error {
	return readObject(d, func(d *jx.Decoder, key []byte) (err error) {
		if string(key) != name {
			return d.Skip()
		}
		*into, err = readText(d, known)
		return err
	})
}
