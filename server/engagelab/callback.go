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

	body []byte
	raw  [][]byte // nil until somebody asks
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
// out. A body that is not one JSON object, or whose rows are no list, gives ErrMalformedCallbacks. Of a row it reads what tells what became of whom;
// Raw has the rest. The body must not change while the batch is in use.
func ParseCallbacks(body []byte) (*CallbackBatch, error) {
	batch := &CallbackBatch{}
	return batch, batch.Parse(body)
}

// Parse reads a body like ParseCallbacks, into the memory that the batch has.
func (b *CallbackBatch) Parse(body []byte) error {
	*b = CallbackBatch{Rows: b.Rows[:0], body: body}
	err := readDocument(body, func(d *jx.Decoder) error {
		if d.Next() != jx.Object {
			return errors.New("not a JSON object")
		}
		return b.read(d)
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformedCallbacks, err)
	}
	return nil
}

// Raw returns a row as it came, with the members that are unknown here, in the body's memory.
func (b *CallbackBatch) Raw(row int) []byte {
	if b.raw == nil {
		b.raw = make([][]byte, 0, len(b.Rows))
		_ = readDocument(b.body, func(d *jx.Decoder) error { // it was read before without an error
			return readObject(d, func(d *jx.Decoder, key []byte) error {
				if string(key) != "rows" {
					return d.Skip()
				}
				return eachRow(d, func(d *jx.Decoder) error {
					raw, err := d.Raw()
					b.raw = append(b.raw, raw)
					return err
				})
			})
		})
	}
	return b.raw[row]
}

func (b *CallbackBatch) read(d *jx.Decoder) error {
	var m memo
	return readObject(d, func(d *jx.Decoder, key []byte) (err error) {
		switch string(key) {
		case "total":
			var n int64
			n, err = readInt(d)
			b.Total = int(n)
		case "rows":
			err = eachRow(d, func(d *jx.Decoder) error {
				b.Rows = append(b.Rows, CallbackRow{})
				return b.Rows[len(b.Rows)-1].read(d, &m)
			})
		case "echostr":
			b.EchoStr, err = readText(d, nil)
		default:
			err = d.Skip()
		}
		return err
	})
}

// eachRow reads the rows that are objects. Rows that are no list would be lost with an answer that says that they are
// stored.
func eachRow(d *jx.Decoder, read func(*jx.Decoder) error) error {
	switch d.Next() {
	case jx.Array:
	case jx.Null:
		return d.Null()
	default:
		return errors.New("rows is not a list")
	}
	return d.Arr(func(d *jx.Decoder) error {
		if d.Next() != jx.Object {
			return d.Skip()
		}
		return read(d)
	})
}

// memo remembers the texts that rows repeat, by member, so that each is allocated once.
type memo struct {
	messageID, channel, status, errorMessage, lossSource seen
}

func (r *CallbackRow) read(d *jx.Decoder, m *memo) error {
	return d.ObjBytes(func(d *jx.Decoder, key []byte) (err error) {
		switch string(key) {
		case "message_id":
			r.MessageID, err = readText(d, &m.messageID)
		case "to":
			r.To, err = readText(d, nil)
		case "channel":
			r.Channel, err = readText(d, &m.channel)
		case "itime":
			r.ITime, err = readInt(d)
		case "status":
			err = r.Status.read(d, m)
		default:
			err = d.Skip()
		}
		return err
	})
}

func (s *CallbackStatus) read(d *jx.Decoder, m *memo) error {
	return readObject(d, func(d *jx.Decoder, key []byte) (err error) {
		switch string(key) {
		case "message_status":
			s.MessageStatus, err = readText(d, &m.status)
		case "error_code":
			var n int64
			n, err = readInt(d)
			s.ErrorCode = int(n)
		case "error_detail":
			err = readMember(d, "message", &s.ErrorDetail.Message, &m.errorMessage)
		case "loss":
			err = readMember(d, "loss_source", &s.Loss.LossSource, &m.lossSource)
		default:
			err = d.Skip()
		}
		return err
	})
}

// readMember reads one text out of an object and passes over its other members.
func readMember(d *jx.Decoder, name string, into *string, known *seen) error {
	return readObject(d, func(d *jx.Decoder, key []byte) (err error) {
		if string(key) != name {
			return d.Skip()
		}
		*into, err = readText(d, known)
		return err
	})
}
