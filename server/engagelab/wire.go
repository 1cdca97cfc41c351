package engagelab

import (
	"encoding/json"

	"github.com/go-faster/jx"
)

// PushResponse answers a push, a validation and a withdrawal.
type PushResponse struct {
	RequestID string `json:"request_id"`
	// MsgID is a positive int64, written as a decimal string.
	MsgID string `json:"msg_id"`
}

// UnmarshalJSON also accepts numbers in place of the strings.
func (r *PushResponse) UnmarshalJSON(data []byte) error {
	return readDocument(data, func(d *jx.Decoder) error {
		return readObject(d, func(d *jx.Decoder, key []byte) (err error) {
			switch string(key) {
			case "request_id":
				r.RequestID, err = readText(d, nil)
			case "msg_id":
				r.MsgID, err = readText(d, nil)
			default:
				err = d.Skip()
			}
			return err
		})
	})
}

// BatchResponse answers a batch-single push: one result for each target. Some may have failed while others went out.
type BatchResponse struct {
	Results map[string]BatchResult `json:"results"`
}

// BatchResult is what became of one target of a batch.
type BatchResult struct {
	Target  string `json:"target"`
	Success bool   `json:"success"`
	// MsgID is a number on the wire, here as its digits; empty unless Success.
	MsgID json.Number `json:"msg_id,omitempty"`
	// Code and Message say why the target was refused.
	Code    int    `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
}

// Temporary reports whether the target may be taken when it is sent again. A target has no HTTP status to tell that by.
func (r BatchResult) Temporary() bool {
	return r.Code == CodeOverQuota || r.Code == CodeInternal || r.Code == CodeTimeout
}

// UnmarshalJSON also accepts strings in place of the numbers, and code and message inside of an error object.
func (r *BatchResult) UnmarshalJSON(data []byte) error {
	return readDocument(data, r.read)
}

func (r *BatchResult) read(d *jx.Decoder) error {
	return readObject(d, func(d *jx.Decoder, key []byte) (err error) {
		var text string
		switch string(key) {
		case "target":
			r.Target, err = readText(d, nil)
		case "success":
			text, err = readText(d, nil)
			r.Success = text == "true"
		case "msg_id":
			text, err = readText(d, nil)
			r.MsgID = json.Number(text)
		case "code":
			var code int64
			code, err = readInt(d)
			r.Code = int(code)
		case "message":
			r.Message, err = readText(d, nil)
		case "error":
			err = r.read(d)
		default:
			err = d.Skip()
		}
		return err
	})
}

// StatusDetail holds the statistics of one message.
type StatusDetail struct {
	Totals
	Sub SubDetail `json:"sub"`
}

// Totals counts devices, as of the moment of the answer.
type Totals struct {
	Targets     int64 `json:"targets"`
	Sent        int64 `json:"sent"`
	Delivered   int64 `json:"delivered"`
	Impressions int64 `json:"impressions"`
	Clicks      int64 `json:"clicks"`
}

// SubDetail splits a message's statistics by its two kinds of content.
type SubDetail struct {
	Notification KindDetail `json:"notification"`
	Message      KindDetail `json:"message"`
}

// KindDetail splits one kind's statistics by channel. EngageLab writes target and click in the singular here.
type KindDetail struct {
	Target      int64 `json:"target"`
	Sent        int64 `json:"sent"`
	Delivered   int64 `json:"delivered"`
	Impressions int64 `json:"impressions"`
	Click       int64 `json:"click"`
	// SubAndroid and SubIOS are keyed by channel: engageLab_android, huawei, xiaomi, honor, meizu, oppo, vivo, fcm;
	// engageLab_ios, apns.
	SubAndroid map[string]Totals `json:"sub_android,omitempty"`
	SubIOS     map[string]Totals `json:"sub_ios,omitempty"`
}

// StatusMessage says how far one message came on one device.
type StatusMessage struct {
	Status       string `json:"status"`
	ErrorMessage string `json:"error_message"`
}

// UnmarshalJSON also accepts numbers in place of the strings.
func (s *StatusMessage) UnmarshalJSON(data []byte) error {
	return readDocument(data, func(d *jx.Decoder) error {
		return readObject(d, func(d *jx.Decoder, key []byte) (err error) {
			switch string(key) {
			case "status":
				s.Status, err = readText(d, nil)
			case "error_message":
				s.ErrorMessage, err = readText(d, nil)
			default:
				err = d.Skip()
			}
			return err
		})
	})
}
