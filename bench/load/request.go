package load

import (
	"strconv"
	"time"

	"susul.dev/susul/bench/rig"
	"susul.dev/susul/server/engagelab"
)

// headRoom is what the head of a request takes at most.
const headRoom = 512

// request returns a whole request, in memory that the next one reuses: the body first, its head before it.
func (s *sender) request(b batch, now time.Time) []byte {
	if s.buf == nil {
		s.buf = make([]byte, headRoom, headRoom+360*max(s.MaxBatch, s.Devices))
	}
	path := rig.CallbackPath
	if s.Devices > 0 {
		path = "/v4/push"
		s.buf = s.appendPush(s.buf[:headRoom], b.from)
	} else {
		s.buf = s.feed.appendBody(s.buf[:headRoom], b.from, b.n, now.Unix())
	}
	var room [headRoom]byte
	head := append(room[:0], "POST "...)
	head = append(append(head, path...), " HTTP/1.1\r\nHost: "...)
	head = append(append(head, s.conn.address...), "\r\nContent-Type: application/json\r\n"...)
	head = append(s.appendProof(head, now), "\r\n"...)
	head = strconv.AppendInt(append(head, "Content-Length: "...), int64(len(s.buf)-headRoom), 10)
	head = append(head, "\r\n\r\n"...)
	start := headRoom - len(head)
	copy(s.buf[start:], head)
	return s.buf[start:]
}

// appendProof appends the header that says who is calling: the app, or EngageLab with a signature of this moment.
func (s *sender) appendProof(head []byte, now time.Time) []byte {
	if s.Devices > 0 {
		return append(append(head, "Authorization: "...), rig.Authorization...)
	}
	signed := engagelab.Signature{
		Timestamp: strconv.FormatInt(now.Unix(), 10), Nonce: strconv.FormatUint(s.random.Uint64(), 10), Username: rig.CallbackUser,
	}
	signed.Signature = engagelab.Sign(rig.CallbackSecret, signed.Timestamp, signed.Nonce, signed.Username)
	return append(append(append(head, engagelab.SignatureHeader...), ": "...), signed.Header()...)
}

// appendPush appends the push with a number, to devices that no other has.
func (s *sender) appendPush(buf []byte, number int) []byte {
	requestID := s.Name + "-" + strconv.Itoa(number)
	return rig.AppendPush(buf, requestID, s.FirstDevice+uint64(number*s.Devices), s.Devices)
}
