package layout

import (
	"encoding/binary"
	"math"
)

const (
	segmentVersion = 1
	eventSize      = 16

	// MaxSegment is how large a segment may be in bytes, so that its row fits into a page of 4 KiB.
	MaxSegment = 3960

	// MaxEvents is the most events that a segment holds; their sequences are those that follow the segment's.
	MaxEvents = MaxSegment / eventSize

	// MaxLater is the most milliseconds that an event may have been received after its segment's first.
	MaxLater = math.MaxUint16

	// maxDispatch is the most bytes that a dispatch takes.
	maxDispatch = binary.MaxVarintLen64 + 1
)

// Event is one event of a segment.
type Event struct {
	Ordinal uint32
	// Time is in seconds since the epoch.
	Time uint32
	// Kind is the row of event_kind that has the event's texts; 0 says that event_detail has them.
	Kind uint32
	// Later is by how many milliseconds the event was received after its segment's receive time.
	Later uint16
	// Dispatch is an index into the segment's dispatches.
	Dispatch uint16
}

// Dispatch is a dispatch that events of a segment belong to.
type Dispatch struct {
	ID   int64
	Step uint8
}

// SegmentWriter collects the events of one segment.
type SegmentWriter struct {
	events     []byte
	dispatches []Dispatch
	header     int // bytes that the dispatches take at most
}

// Reset empties the writer.
func (w *SegmentWriter) Reset() { w.events, w.dispatches, w.header = w.events[:0], w.dispatches[:0], 0 }

// Len returns how many events were added.
func (w *SegmentWriter) Len() int { return len(w.events) / eventSize }

// Add adds an event of a dispatch, unless there is no room for it. e.Dispatch is filled in.
func (w *SegmentWriter) Add(e Event, d Dispatch) bool {
	// Neighbours mostly belong to one dispatch, and a push has few at a time: the latest are looked at first.
	at := len(w.dispatches) - 1
	for at >= 0 && w.dispatches[at] != d {
		at--
	}
	header := w.header
	if at < 0 {
		header += maxDispatch
	}
	if 1+binary.MaxVarintLen16+header+len(w.events)+eventSize > MaxSegment {
		return false
	}
	if at < 0 {
		at = len(w.dispatches)
		w.dispatches, w.header = append(w.dispatches, d), header
	}
	w.events = binary.LittleEndian.AppendUint32(w.events, e.Ordinal)
	w.events = binary.LittleEndian.AppendUint32(w.events, e.Time)
	w.events = binary.LittleEndian.AppendUint32(w.events, e.Kind)
	w.events = binary.LittleEndian.AppendUint16(w.events, e.Later)
	w.events = binary.LittleEndian.AppendUint16(w.events, uint16(at))
	return true
}

// Append appends the segment.
func (w *SegmentWriter) Append(dst []byte) []byte {
	dst = binary.AppendUvarint(append(dst, segmentVersion), uint64(len(w.dispatches)))
	last := int64(0)
	for _, d := range w.dispatches {
		dst = append(binary.AppendVarint(dst, d.ID-last), d.Step)
		last = d.ID
	}
	return append(dst, w.events...)
}

// Segment is a segment as it is read. It shares the memory that it was read from.
type Segment struct {
	dispatches []Dispatch
	events     []byte
}

// ReadSegment reads what a SegmentWriter wrote.
func ReadSegment(body []byte) (Segment, error) {
	const what = "segment"
	if len(body) == 0 || body[0] != segmentVersion {
		return Segment{}, malformed(what, "version")
	}
	rest := body[1:]
	count, n := binary.Uvarint(rest)
	if n <= 0 || count > uint64(len(rest)) {
		return Segment{}, malformed(what, "count")
	}
	s := Segment{dispatches: make([]Dispatch, count)}
	rest = rest[n:]
	last := int64(0)
	for i := range s.dispatches {
		gap, n := binary.Varint(rest)
		if n <= 0 || n >= len(rest) {
			return Segment{}, malformed(what, "dispatches")
		}
		last += gap
		s.dispatches[i] = Dispatch{ID: last, Step: rest[n]}
		rest = rest[n+1:]
	}
	s.events = rest
	if len(rest) == 0 || len(rest)%eventSize != 0 {
		return Segment{}, malformed(what, "length")
	}
	for i := range s.Len() {
		if int(s.Event(i).Dispatch) >= len(s.dispatches) {
			return Segment{}, malformed(what, "dispatch of an event")
		}
	}
	return s, nil
}

// Len returns how many events there are.
func (s Segment) Len() int { return len(s.events) / eventSize }

// Event returns the event at a place.
func (s Segment) Event(i int) Event {
	b := s.events[i*eventSize : (i+1)*eventSize]
	return Event{
		Ordinal:  binary.LittleEndian.Uint32(b),
		Time:     binary.LittleEndian.Uint32(b[4:]),
		Kind:     binary.LittleEndian.Uint32(b[8:]),
		Later:    binary.LittleEndian.Uint16(b[12:]),
		Dispatch: binary.LittleEndian.Uint16(b[14:]),
	}
}

// DispatchOf returns the dispatch that an event belongs to.
func (s Segment) DispatchOf(e Event) Dispatch { return s.dispatches[e.Dispatch] }

// Dispatches returns the dispatches of all events. They are not to be changed.
func (s Segment) Dispatches() []Dispatch { return s.dispatches }
