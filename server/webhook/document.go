package webhook

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-faster/jx"

	"susul.dev/susul/server/subscription"
	"susul.dev/susul/storage"
)

// eventsType is the type of a document that Standard Webhooks' form has.
const eventsType = "push.events"

// AppendRow appends an event as EngageLab writes a row of a callback, under Susul's msg_id and with an object susul beside what
// EngageLab has. custom_args are as the push had them, byte by byte. It allocates nothing if dst has room, but for the few events
// that keep the row that EngageLab sent, whose status_data is passed on.
func AppendRow(dst []byte, e *storage.Event, p *subscription.Push) []byte {
	w := jx.GetWriter() // without a stream it never fails
	defer jx.PutWriter(w)
	pooled := w.Buf
	w.Buf = dst
	w.RawStr(`{"message_id":"`)
	w.Int64(e.PushID)
	w.RawStr(`","from":`)
	text(w, p.From)
	w.RawStr(`,"to":`)
	text(w, e.RegistrationID)
	w.RawStr(`,"server":"AppPush","channel":`)
	text(w, e.Channel)
	w.RawStr(`,"custom_args":`)
	value(w, p.CustomArgsAs)
	w.RawStr(`,"itime":`)
	w.Int64(e.Time.Unix())
	w.RawStr(`,"status":{"message_status":`)
	text(w, statusName(e))
	w.RawStr(`,"status_data":`)
	value(w, statusData(e.Raw))
	w.RawStr(`,"error_code":`)
	w.Int(e.ErrorCode)
	w.RawStr(`,"error_detail":{"message":`)
	text(w, e.ErrorMessage)
	w.RawStr(`},"loss":{"loss_source":`)
	text(w, e.LossSource)
	w.RawStr(`}},"susul":{"event_id":"`)
	w.Int64(e.Sequence)
	w.RawStr(`","step":`)
	w.Int(e.Step)
	w.RawStr(`,"variant":`)
	text(w, e.Variant)
	w.RawStr(`,"upstream_id":`)
	text(w, e.UpstreamID)
	w.RawStr(`}}`)
	dst, w.Buf = w.Buf, pooled
	return dst
}

// statusName is EngageLab's word for what happened. Failures and what Susul does not know keep the names that they came with.
func statusName(e *storage.Event) string {
	switch e.Milestone {
	case storage.Sent:
		return "sent"
	case storage.Delivered:
		return "delivered"
	case storage.Displayed:
		return "impression"
	case storage.Clicked:
		return "click"
	default:
		return e.Status
	}
}

// statusData returns the status_data of a row as it came; nil if it has none, or is cut off.
func statusData(raw []byte) json.RawMessage {
	if len(raw) == 0 {
		return nil
	}
	var row struct {
		Status struct {
			StatusData json.RawMessage `json:"status_data"`
		} `json:"status"`
	}
	if err := json.Unmarshal(raw, &row); err != nil || !bytes.HasPrefix(row.Status.StatusData, []byte("{")) {
		return nil
	}
	return row.Status.StatusData
}

// text writes a string. What is not UTF-8 in it becomes U+FFFD, for no receiver reads it in JSON.
func text(w *jx.Writer, s string) {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\ufffd")
	}
	w.Str(s)
}

// value writes JSON as it is, and {} for none. It can have bytes that are not UTF-8 in its strings only.
func value(w *jx.Writer, raw json.RawMessage) {
	switch {
	case len(raw) == 0:
		w.RawStr(`{}`)
	case utf8.Valid(raw):
		w.Raw(raw)
	default:
		w.Raw(bytes.ToValidUTF8(raw, []byte("\ufffd")))
	}
}

// Document returns rows of AppendRow as what is posted: EngageLab's callback body, or that as the data of a Standard Webhooks
// payload made at a time.
func Document(format subscription.Format, rows [][]byte, now time.Time) []byte {
	const overhead = 128 // of all that is not a row
	size := overhead + len(rows)
	for _, row := range rows {
		size += len(row)
	}
	dst := make([]byte, 0, size)
	if format == subscription.StandardWebhooks {
		dst = append(dst, `{"type":"`+eventsType+`","timestamp":"`...)
		dst = now.UTC().AppendFormat(dst, time.RFC3339Nano)
		dst = append(dst, `","data":`...)
	}
	dst = append(dst, `{"total":`...)
	dst = strconv.AppendInt(dst, int64(len(rows)), 10)
	dst = append(dst, `,"rows":[`...)
	for i, row := range rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, row...)
	}
	dst = append(dst, `]}`...)
	if format == subscription.StandardWebhooks {
		dst = append(dst, '}')
	}
	return dst
}
