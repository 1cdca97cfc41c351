package sqlite

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// wholeChain is the step of the counters of all steps together.
const wholeChain = -1

// stage is where an audience's events wait to be written to the log.
type stage struct {
	touched bool
	events  []stagedEvent
	gains   [storage.MaxSteps + 1]storage.Counts // by step; the last is the whole chain's
	steps   uint16                               // the bits of the steps that gained
}

// stagedEvent is an event on its way into a segment.
type stagedEvent struct {
	ordinal  uint32
	time     uint32
	kind     uint32
	dispatch layout.Dispatch
	received int64
	detail   *storage.Callback // for kind 0
}

// keptStage is how much of a stage's memory is kept for the next transaction.
const keptStage = 1 << 12

func (s *stage) clear() {
	if cap(s.events) > keptStage {
		s.events = nil
	}
	*s = stage{events: s.events[:0]}
}

// gain counts the milestones that came with a change, for the step and for the whole chain.
func (s *stage) gain(step int, before, after storage.Progress) {
	s.count(step, after.At(step)&^before.At(step))
	s.count(storage.MaxSteps, after.InAnyStep()&^before.InAnyStep())
}

func (s *stage) count(place int, gained storage.Milestones) {
	if gained == 0 {
		return
	}
	s.steps |= 1 << place
	for m := storage.Sent; m <= storage.Failed; m++ {
		if gained.Has(m) {
			s.gains[place].Add(m, 1)
		}
	}
}

// touch notes that an audience has something on stage.
func (t *tx) touch(a *audience) {
	if !a.stage.touched {
		a.stage.touched = true
		t.touched = append(t.touched, a)
	}
}

// flush writes what is on stage, and what is to be held.
func (t *tx) flush() error {
	if err := t.writeHeld(); err != nil {
		return err
	}
	var segments []segmentRow
	var details []detailRow
	// An app's pushes follow each other, so that the log has few spans however many batches of different apps were merged.
	slices.SortFunc(t.touched, func(a, b *audience) int {
		return cmp.Or(cmp.Compare(a.app, b.app), cmp.Compare(a.push, b.push))
	})
	for _, a := range t.touched {
		if err := t.grow(a); err != nil {
			return err
		}
		app, err := t.appID(a.app)
		if err != nil {
			return err
		}
		segments, details = t.cut(a, app, segments, details)
	}
	if err := t.writeSegments(segments, details); err != nil {
		return err
	}
	if err := t.addCounters(); err != nil {
		return err
	}
	t.events = t.events || len(segments) > 0
	for _, a := range t.touched {
		a.stage.clear()
	}
	t.touched = t.touched[:0]
	return t.settleDevices()
}

// segmentRow is a segment to be written.
type segmentRow struct {
	segmentRef
	received int64
	body     []byte
}

// detailRow is what an event has of its own.
type detailRow struct {
	sequence int64
	*storage.Callback
}

// cut makes segments of the events that an audience has on stage.
func (t *tx) cut(a *audience, app int64, segments []segmentRow, details []detailRow) ([]segmentRow, []detailRow) {
	events := a.stage.events
	for len(events) > 0 {
		n := receivedTogether(events)
		segments, details = t.cutSorted(segmentRow{segmentRef: segmentRef{app: app, push: a.push}}, events[:n], segments, details)
		events = events[n:]
	}
	return segments, details
}

// receivedTogether returns how many of the first events were received so close to each other that a segment can hold them.
func receivedTogether(events []stagedEvent) int {
	earliest, latest := events[0].received, events[0].received
	for i, e := range events {
		earliest, latest = min(earliest, e.received), max(latest, e.received)
		if latest-earliest > layout.MaxLater {
			return i
		}
	}
	return len(events)
}

// cutSorted puts the events in the order of their recipients, those of one recipient as they came, and makes segments of
// them: neighbours share pages, and who looks for a recipient passes over the other segments.
func (t *tx) cutSorted(head segmentRow, events []stagedEvent, segments []segmentRow, details []detailRow) ([]segmentRow, []detailRow) {
	keys := t.writer.keys[:0]
	head.received = events[0].received
	for i, e := range events {
		keys = append(keys, uint64(e.ordinal)<<32|uint64(i))
		head.received = min(head.received, e.received)
	}
	slices.Sort(keys)
	t.writer.keys = keys
	w := &t.writer.segment
	var row segmentRow
	end := func() {
		t.sequence += int64(w.Len())
		row.last, row.body = t.sequence, w.Append(nil)
		segments = append(segments, row)
		w.Reset()
	}
	w.Reset()
	for _, key := range keys {
		e := &events[uint32(key)]
		packed := layout.Event{Ordinal: e.ordinal, Time: e.time, Kind: e.kind, Later: uint16(e.received - head.received)}
		if !w.Add(packed, e.dispatch) {
			end()
			w.Add(packed, e.dispatch)
		}
		if w.Len() == 1 {
			row = head
			row.sequence, row.low = t.sequence+1, e.ordinal
		}
		row.high, row.lastTime = e.ordinal, max(row.lastTime, e.time)
		if e.kind == 0 {
			details = append(details, detailRow{t.sequence + int64(w.Len()), e.detail})
		}
	}
	end()
	return segments, details
}

var (
	insertSegments = bulk{`INSERT INTO segment (sequence, app_id, push_id, events, last_time, receive_time, body)`, 7, ``}
	insertDetails  = bulk{`INSERT INTO event_detail (sequence, milestone, status, time, error_code, error_message, channel,
		loss_source, raw)`, 9, ``}
	upsertCounters = bulk{`INSERT INTO counter (push_id, step, sent, delivered, displayed, clicked, failed)`, 7,
		`ON CONFLICT (push_id, step) DO UPDATE SET sent = sent + excluded.sent, delivered = delivered + excluded.delivered,
		displayed = displayed + excluded.displayed, clicked = clicked + excluded.clicked, failed = failed + excluded.failed`}
)

func (t *tx) writeSegments(segments []segmentRow, details []detailRow) error {
	if _, err := insertSegments.exec(t, len(segments), func(args []any, i int) []any {
		s := &segments[i]
		t.journal.refs = append(t.journal.refs, s.segmentRef)
		return append(args, s.sequence, s.app, s.push, s.last-s.sequence+1, s.lastTime, s.received, s.body)
	}); err != nil {
		return err
	}
	_, err := insertDetails.exec(t, len(details), func(args []any, i int) []any {
		d := &details[i]
		var raw any
		if d.Milestone == storage.MilestoneUnknown {
			raw = blob(cutRaw(d.Raw))
		}
		return append(args, d.sequence, d.Milestone, d.Status, d.Time.UnixMilli(), d.ErrorCode, d.ErrorMessage, d.Channel,
			d.LossSource, raw)
	})
	return err
}

// addCounters adds what the touched audiences gained.
func (t *tx) addCounters() error {
	type counter struct {
		push int64
		step int
		gain *storage.Counts
	}
	var counters []counter
	for _, a := range t.touched {
		for place := range a.stage.gains {
			if a.stage.steps&(1<<place) == 0 {
				continue
			}
			step := place
			if place == storage.MaxSteps {
				step = wholeChain
			}
			counters = append(counters, counter{a.push, step, &a.stage.gains[place]})
		}
	}
	_, err := upsertCounters.exec(t, len(counters), func(args []any, i int) []any {
		c := &counters[i]
		return append(args, c.push, c.step, c.gain.Sent, c.gain.Delivered, c.gain.Displayed, c.gain.Clicked, c.gain.Failed)
	})
	return err
}

// appID returns the log's number for an app.
func (t *tx) appID(app string) (int64, error) {
	if id, ok := t.writer.apps[app]; ok {
		return id, nil
	}
	if _, err := t.exec(`INSERT INTO app (key) VALUES (?) ON CONFLICT DO NOTHING`, app); err != nil {
		return 0, err
	}
	id, err := appID(t.ctx, t, app)
	if err == nil {
		t.journal.apps = append(t.journal.apps, app)
		t.writer.apps[app] = id
	}
	return id, err
}

// appID returns the log's number for an app; 0 for one that has no events.
func appID(ctx context.Context, q querier, app string) (int64, error) {
	id, err := first(ctx, q, value[int64], `SELECT id FROM app WHERE key = ?`, app)
	if errors.Is(err, storage.ErrNotFound) {
		return 0, nil
	}
	return id, err
}
