package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"susul.dev/susul/server/engagelab"
)

const (
	maxRequests      = 10_000    // remembered
	maxRequestBytes  = 128 << 20 // of their documents together
	defaultRequests  = 100       // on one page
	maxRequestsShown = 1_000     // on one page
)

// Request is one request that arrived under /v4/.
type Request struct {
	Seq    int64     `json:"seq"` // counts up from 1
	At     time.Time `json:"at"`
	Method string    `json:"method"`
	Path   string    `json:"path"` // with its query
	App    string    `json:"app"`  // empty if the credentials were wrong
	Status int       `json:"status"`
	// Document is the body; a JSON string of it if it was no JSON. Empty if there was none.
	Document json.RawMessage `json:"document,omitempty"`
}

// requestLog keeps the latest requests, within its two bounds.
type requestLog struct {
	kept  []Request
	seq   int64
	bytes int
}

// Device is what one device saw.
type Device struct {
	RegistrationID string          `json:"registration_id"`
	Messages       []DeviceMessage `json:"messages"`
}

// DeviceMessage is one message on a device, in the order of their acceptance. A time is zero if it has not happened.
type DeviceMessage struct {
	MsgID string             `json:"msg_id"`
	CID   string             `json:"cid,omitempty"`
	App   string             `json:"app"`
	Shown map[string]Content `json:"shown"` // by platform
	// OverrideMsgID and CollapseID are what the push asked to replace, as its options have it.
	OverrideMsgID string `json:"override_msg_id,omitempty"`
	CollapseID    string `json:"apns_collapse_id,omitempty"`
	// ReplacedBy is the message whose notification took the place of this one's.
	ReplacedBy  string    `json:"replaced_by,omitempty"`
	SentAt      time.Time `json:"sent_at,omitzero"`
	DeliveredAt time.Time `json:"delivered_at,omitzero"`
	DisplayedAt time.Time `json:"displayed_at,omitzero"`
	ClickedAt   time.Time `json:"clicked_at,omitzero"`
	FailedAt    time.Time `json:"failed_at,omitzero"`
}

// Totals counts devices. A clicked one also counts as displayed, delivered and sent, and so on down.
type Totals struct {
	Targets, Sent, Delivered, Displayed, Clicked, Failed int
}

func asDocument(body []byte) json.RawMessage {
	if len(body) == 0 || json.Valid(body) {
		return body
	}
	text, err := json.Marshal(string(body))
	if err != nil {
		return nil
	}
	return text
}

func (s *Sandbox) record(r Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests.add(r)
}

func (l *requestLog) add(r Request) {
	l.seq++
	r.Seq = l.seq
	l.kept = append(l.kept, r)
	l.bytes += len(r.Document)
	for len(l.kept) > maxRequests || l.bytes > maxRequestBytes {
		l.bytes -= len(l.kept[0].Document)
		l.kept[0] = Request{}
		l.kept = l.kept[1:]
	}
}

// Requests returns what arrived, oldest first: the last 10,000 requests, fewer if their documents are large.
func (s *Sandbox) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests.kept)
}

// Device returns what reached a device, and whether anything was ever sent to it.
func (s *Sandbox) Device(registrationID string) (Device, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.devices[registrationID]
	if d == nil {
		return Device{}, false
	}
	seen := Device{RegistrationID: d.id, Messages: []DeviceMessage{}}
	for _, r := range d.receipts {
		if r.has(sent) || r.has(failed) {
			message := r.show()
			if by := d.replacement(r); by != nil {
				message.ReplacedBy = by.message.msgID()
			}
			seen.Messages = append(seen.Messages, message)
		}
	}
	return seen, true
}

// replacement returns the receipt that was delivered next after r and took the place of its notification, or nil.
func (d *device) replacement(r *receipt) (next *receipt) {
	if !r.has(delivered) {
		return nil
	}
	for _, later := range d.receipts {
		if !later.has(delivered) || later.at[delivered] <= r.at[delivered] || !d.samePlace(r, later) {
			continue
		}
		if next == nil || later.at[delivered] < next.at[delivered] {
			next = later
		}
	}
	return next
}

// samePlace reports whether two notifications show in one place: because of a common apns_collapse_id, or because one
// overrides the other or both override the same one.
func (d *device) samePlace(a, b *receipt) bool {
	if a.message.app != b.message.app {
		return false
	}
	if id := a.message.collapseID; id != "" && id == b.message.collapseID {
		return true
	}
	return d.place(a.message) == d.place(b.message)
}

// place is the message in whose place a message's notification shows, its own unless it overrides one.
func (d *device) place(m *message) int64 {
	for range d.receipts { // a message overrides only what was there before it
		i := slices.IndexFunc(d.receipts, func(r *receipt) bool { return r.message.id == m.overrides })
		switch {
		case i >= 0:
			m = d.receipts[i].message
		case m.overrides != 0:
			return m.overrides // of a message that this device did not get
		}
	}
	return m.id
}

func (m *message) msgID() string { return strconv.FormatInt(m.id, 10) }

func (r *receipt) show() DeviceMessage {
	at := func(m milestone) time.Time {
		if !r.has(m) {
			return time.Time{}
		}
		return time.Unix(0, r.at[m]).UTC()
	}
	overridden := ""
	if r.message.overrides != 0 {
		overridden = strconv.FormatInt(r.message.overrides, 10)
	}
	return DeviceMessage{
		MsgID: r.message.msgID(), CID: r.message.cid, App: r.message.app.key, Shown: r.message.content,
		OverrideMsgID: overridden, CollapseID: r.message.collapseID,
		SentAt: at(sent), DeliveredAt: at(delivered), DisplayedAt: at(displayed), ClickedAt: at(clicked), FailedAt: at(failed),
	}
}

// Totals counts what became of all messages, by their cid. Those without one are together under "".
func (s *Sandbox) Totals() map[string]Totals {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]Totals{}
	for _, m := range s.messages {
		t := all[m.cid]
		t.Targets += len(m.receipts)
		t.Sent += m.reached[sent]
		t.Delivered += m.reached[delivered]
		t.Displayed += m.reached[displayed]
		t.Clicked += m.reached[clicked]
		t.Failed += m.reached[failed]
		all[m.cid] = t
	}
	return all
}

// Pending counts what is not over yet: milestones to come, and callback rows that are neither acknowledged nor dropped.
func (s *Sandbox) Pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.planned + int(s.unacked.Load())
}

// Dropped counts the callback rows that were given up.
func (s *Sandbox) Dropped() int { return int(s.dropped.Load()) }

// showRequests pages through Requests: ?after=SEQ&limit=N, at most 1,000 at a time. "next" is the after of the next page.
func (s *Sandbox) showRequests(w http.ResponseWriter, r *http.Request) {
	after, limit := int64(0), defaultRequests
	for name, parse := range map[string]func(string) error{
		"after": func(v string) (err error) { after, err = strconv.ParseInt(v, 10, 64); return err },
		"limit": func(v string) (err error) { limit, err = strconv.Atoi(v); return err },
	} {
		if v := r.URL.Query().Get(name); v != "" && parse(v) != nil {
			engagelab.WriteError(w, http.StatusBadRequest, engagelab.CodeInvalidParameter, name+" must be a number")
			return
		}
	}
	limit = min(max(limit, 1), maxRequestsShown)
	requests := slices.DeleteFunc(s.Requests(), func(r Request) bool { return r.Seq <= after })
	requests = requests[:min(len(requests), limit)]
	next := after
	if n := len(requests); n > 0 {
		next = requests[n-1].Seq
	}
	writeJSON(w, map[string]any{"requests": requests, "next": next})
}

func (s *Sandbox) showDevice(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("registration_id")
	d, known := s.Device(id)
	if !known {
		engagelab.WriteError(w, http.StatusNotFound, engagelab.CodeNoTarget, fmt.Sprintf("nothing was sent to device %q", id))
		return
	}
	writeJSON(w, d)
}
