package sqlite

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"time"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// SegmentContent is a segment of the log.
type SegmentContent struct {
	Sequence int64  `json:"sequence"` // of its first event
	MsgID    int64  `json:"msg_id,string"`
	App      string `json:"app"`
	Events   int    `json:"events"`
	// Low and High are the first and the last ordinal.
	Low         uint32            `json:"low"`
	High        uint32            `json:"high"`
	FirstTime   time.Time         `json:"first_time,omitzero"`
	LastTime    time.Time         `json:"last_time"`
	ReceiveTime time.Time         `json:"receive_time"` // of the first that came
	Dispatches  []SegmentDispatch `json:"dispatches"`
	Bytes       int               `json:"bytes"`
	// Damage says why the fields above can't all be told; empty if they can.
	Damage string `json:"damage,omitempty"`
}

// SegmentDispatch is a dispatch as a segment names it.
type SegmentDispatch struct {
	ID   int64 `json:"id"`
	Step uint8 `json:"step"`
}

// EventContent is an event of the log.
type EventContent struct {
	Sequence       int64     `json:"sequence"`
	MsgID          int64     `json:"msg_id,string"`
	App            string    `json:"app"`
	Step           int       `json:"step"`
	Variant        string    `json:"variant,omitempty"`
	Dispatch       int64     `json:"dispatch"`
	UpstreamID     string    `json:"upstream_id"`
	Ordinal        uint32    `json:"ordinal"`
	RegistrationID string    `json:"registration_id"`
	Milestone      string    `json:"milestone"`
	Status         string    `json:"status"`
	Time           time.Time `json:"time,omitzero"`
	ReceiveTime    time.Time `json:"receive_time,omitzero"`
	ErrorCode      int       `json:"error_code,omitempty"`
	ErrorMessage   string    `json:"error_message,omitempty"`
	Channel        string    `json:"channel,omitempty"`
	LossSource     string    `json:"loss_source,omitempty"`
	Raw            string    `json:"raw,omitempty"` // of an unknown status, the row as it came
	// Damage says why the fields above can't all be told; empty if they can. For a damaged segment, it stands for all events.
	Damage string `json:"damage,omitempty"`
}

// LogQuery selects from the log. Zero fields select all.
type LogQuery struct {
	PushID         int64
	RegistrationID string // of events only
	After          int64  // events, or segments that begin, with a sequence > After
	Limit          int
}

// inspectedSegment is a segment, or what is wrong with it.
type inspectedSegment = attempt[loggedSegment]

// inspectedPerRead is how many segments are inspected at once.
const inspectedPerRead = 64

const pushSegmentsAfter = segmentColumns + `segment_of_push i CROSS JOIN segment s ON s.sequence = i.sequence
	WHERE i.push_id = ? AND i.sequence > ? AND i.sequence <= ? AND i.low <= ? AND i.high >= ? ORDER BY i.sequence LIMIT ?`

// segmentsOf reads segments that begin after a sequence: all, or those of a push that may have one of the ordinals. Those
// of a push are found by the index, and what that does not have yet at the end of the log.
func segmentsOf(ctx context.Context, q querier, push int64, ordinal *uint32, after int64) ([]inspectedSegment, error) {
	scan := attempted(scanSegment)
	if push == 0 {
		return collect(ctx, q, scan, readSegments+`ORDER BY s.sequence LIMIT ?`, after, inspectedPerRead)
	}
	folded, err := first(ctx, q, value[int64], `SELECT sequence FROM fold`)
	if err != nil {
		return nil, err
	}
	low, high := uint32(math.MaxUint32), uint32(0)
	if ordinal != nil {
		low, high = *ordinal, *ordinal
	}
	list, err := collect(ctx, q, scan, pushSegmentsAfter, push, after, folded, low, high, inspectedPerRead)
	if err != nil || len(list) == inspectedPerRead {
		return list, err
	}
	rest, err := collect(ctx, q, scan, readSegments+`AND s.push_id = ? ORDER BY s.sequence LIMIT ?`, max(after, folded), push,
		inspectedPerRead-len(list))
	return append(list, rest...), err
}

// Segments lists segments in the order of the log.
func (i *Inspector) Segments(ctx context.Context, query LogQuery) iter.Seq2[SegmentContent, error] {
	return paged(query.Limit, func() func() ([]SegmentContent, bool, error) {
		after := query.After
		return func() (page []SegmentContent, more bool, err error) {
			page, err = read(ctx, i.store, func(q querier) ([]SegmentContent, error) {
				segments, err := segmentsOf(ctx, q, query.PushID, nil, after)
				if err != nil {
					return nil, err
				}
				r := eventReader{kinds: i.store.writer.kinds, ctx: ctx, q: q}
				page := make([]SegmentContent, len(segments))
				for at, s := range segments {
					if page[at], err = r.segmentContent(s); err != nil {
						return nil, err
					}
					after = s.row.sequence
				}
				return page, nil
			})
			return page, len(page) == inspectedPerRead, err
		}
	})
}

func (r *eventReader) segmentContent(s inspectedSegment) (c SegmentContent, err error) {
	c = SegmentContent{Sequence: s.row.sequence, MsgID: s.row.push, Events: s.row.events, LastTime: unixSeconds(s.row.lastTime),
		ReceiveTime: time.UnixMilli(s.row.received).UTC(), Bytes: s.row.bytes, Damage: s.damage}
	var appErr error
	if c.App, appErr = r.app(s.row.app); c.Damage == "" {
		c.Damage, err = damageOf(appErr)
	}
	if s.damage != "" || err != nil {
		return c, err
	}
	for _, d := range s.row.Dispatches() {
		c.Dispatches = append(c.Dispatches, SegmentDispatch{d.ID, d.Step})
	}
	n := s.row.Len()
	if n != c.Events {
		c.Damage = fmt.Sprintf("its body has %d events", n)
	}
	if n == 0 {
		return c, nil
	}
	earliest := s.row.Event(0).Time
	for at := range n {
		earliest = min(earliest, s.row.Event(at).Time)
	}
	c.Low, c.High, c.FirstTime = s.row.Event(0).Ordinal, s.row.Event(n-1).Ordinal, unixSeconds(earliest)
	return c, nil
}

// Events lists events in the order of the log; those of a registration id push by push.
func (i *Inspector) Events(ctx context.Context, query LogQuery) iter.Seq2[EventContent, error] {
	if query.RegistrationID == "" {
		return paged(query.Limit, i.eventPages(ctx, query, nil))
	}
	return func(yield func(EventContent, error) bool) {
		pushes, err := read(ctx, i.store, func(q querier) ([]pushSize, error) {
			r := eventReader{kinds: i.store.writer.kinds, ctx: ctx, q: q, query: storage.EventQuery{PushID: query.PushID}}
			return r.pushes()
		})
		if err != nil {
			yield(EventContent{}, err)
			return
		}
		left := query.Limit
		for _, push := range pushes {
			for e, err := range i.eventsOfDevice(ctx, push, query) {
				if !yield(e, err) || err != nil {
					return
				}
				if left--; left == 0 {
					return
				}
			}
		}
	}
}

// eventsOfDevice lists the events of a registration id in one push.
func (i *Inspector) eventsOfDevice(ctx context.Context, push pushSize, query LogQuery) iter.Seq2[EventContent, error] {
	return func(yield func(EventContent, error) bool) {
		ordinal, err := read(ctx, i.store, func(q querier) (uint32, error) {
			ordinal, ok, err := memberOf(ctx, q, push.id, push.size, query.RegistrationID)
			if err == nil && !ok {
				err = storage.ErrNotFound
			}
			return ordinal, err
		})
		if errors.Is(err, storage.ErrNotFound) {
			return
		}
		damage, err := damageOf(err)
		if damage != "" || err != nil {
			yield(EventContent{MsgID: push.id, RegistrationID: query.RegistrationID, Damage: damage}, err)
			return
		}
		query.PushID = push.id
		paged(0, i.eventPages(ctx, query, &ordinal))(yield)
	}
}

// eventPages returns how to read pages of events.
func (i *Inspector) eventPages(ctx context.Context, query LogQuery, ordinal *uint32) func() func() ([]EventContent, bool, error) {
	return func() func() ([]EventContent, bool, error) {
		after := query.After - layout.MaxEvents // a segment may have begun before
		return func() (page []EventContent, more bool, err error) {
			page, err = read(ctx, i.store, func(q querier) (page []EventContent, err error) {
				segments, err := segmentsOf(ctx, q, query.PushID, ordinal, after)
				if err != nil {
					return nil, err
				}
				more = len(segments) == inspectedPerRead
				r := eventReader{kinds: i.store.writer.kinds, ctx: ctx, q: q}
				for _, s := range segments {
					if page, err = r.appendEvents(page, s, query.After, ordinal); err != nil {
						return nil, err
					}
					after = s.row.sequence
				}
				return page, nil
			})
			return page, more, err
		}
	}
}

// appendEvents appends a segment's events after a sequence, those of one recipient if one is given.
func (r *eventReader) appendEvents(page []EventContent, s inspectedSegment, after int64, ordinal *uint32) ([]EventContent, error) {
	app, err := r.app(s.row.app)
	appDamage, err := damageOf(err)
	if err != nil {
		return nil, err
	}
	if s.damage != "" {
		if s.row.sequence+int64(s.row.events)-1 <= after {
			return page, nil
		}
		return append(page, EventContent{Sequence: s.row.sequence, MsgID: s.row.push, App: app,
			ReceiveTime: time.UnixMilli(s.row.received).UTC(), Damage: fmt.Sprintf("%d events: %s", s.row.events, s.damage)}), nil
	}
	for at := range s.row.Len() {
		packed, sequence := s.row.Event(at), s.row.sequence+int64(at)
		if sequence <= after || ordinal != nil && packed.Ordinal != *ordinal {
			continue
		}
		e, err := r.event(&s.row, at)
		damage, err := damageOf(err)
		if err != nil {
			return nil, err
		}
		if damage == "" {
			damage = appDamage
		}
		page = append(page, EventContent{Sequence: sequence, MsgID: e.PushID, App: app, Step: e.Step, Variant: e.Variant,
			Dispatch: s.row.DispatchOf(packed).ID, UpstreamID: e.UpstreamID, Ordinal: packed.Ordinal, RegistrationID: e.RegistrationID,
			Milestone: e.Milestone.String(), Status: e.Status, Time: e.Time, ReceiveTime: e.ReceiveTime, ErrorCode: e.ErrorCode,
			ErrorMessage: e.ErrorMessage, Channel: e.Channel, LossSource: e.LossSource, Raw: string(e.Raw), Damage: damage})
	}
	return page, nil
}

// paged yields the rows of pages until there are no more, or the limit is reached; 0 is none. begin begins anew.
func paged[T any](limit int, begin func() (next func() (page []T, more bool, err error))) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		next, left := begin(), limit
		for more := true; more; {
			page, again, err := next()
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, row := range page {
				if !yield(row, nil) {
					return
				}
				if left--; left == 0 {
					return
				}
			}
			more = again
		}
	}
}
