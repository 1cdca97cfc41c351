package postgres

import (
	"cmp"
	"slices"

	"github.com/jackc/pgx/v5"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// wholeChain is the step of the counters that tell by how much all steps together are ahead of step 0. For a push without follow-ups, they
// are nothing.
const wholeChain = -1

// stage is what a push gains in a transaction.
type stage struct {
	push   int64
	app    string
	events []stagedEvent                        // in the order of their recipients
	gains  [storage.MaxSteps + 1]storage.Counts // by step; the last is the whole chain's
	life   uint32                               // the latest time, in seconds, of a report of life
}

// stagedEvent is an event on its way into a segment.
type stagedEvent struct {
	*entry
	received int64
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
	for m := storage.Sent; m <= storage.Failed; m++ {
		if gained.Has(m) {
			s.gains[place].Add(m, 1)
		}
	}
}

// stage finds out which rows are new, and stages their events.
func (r *recording) stage() {
	taken := map[markRow]bool{} // few statuses have no bit of their own
	for i := range r.groups {
		g := &r.groups[i]
		n := len(r.stages) - 1
		if n < 0 || r.stages[n].push != g.push {
			n++
			r.stages = append(r.stages, stage{push: g.push, app: r.entries[g.from].batch.app})
		}
		s := &r.stages[n]
		word := g.was
		for at := g.from; at < g.to; at++ {
			e := &r.entries[at]
			fresh := false
			if hasMark(e.row.Milestone) {
				m := e.mark()
				if _, fresh = slices.BinarySearchFunc(r.marks, m, compareMarks); !fresh || taken[m] {
					e.batch.summary.Repeated++
					continue
				}
				taken[m] = true
			}
			step := int(e.target.dispatch.Step)
			after := word.With(step, e.row.Milestone)
			if after == word && !fresh {
				e.batch.summary.Repeated++
				continue
			}
			s.gain(step, word, after)
			word = after
			e.batch.summary.New++
			s.events = append(s.events, stagedEvent{e, e.batch.received})
			r.note(s, e)
		}
	}
	r.stages = slices.DeleteFunc(r.stages, func(s stage) bool { return len(s.events) == 0 })
}

// segmentRow is a segment to be written. Its sequence counts from the log's end.
type segmentRow struct {
	sequence  int64
	day       int32
	app       string
	push      int64
	events    int
	low, high uint32
	lastTime  uint32
	received  int64
	body      []byte
}

// detailRow is what an event has of its own.
type detailRow struct {
	sequence int64
	*entry
}

// cutter makes segments of staged events.
type cutter struct {
	writer   layout.SegmentWriter
	sequence int64
	segments []segmentRow
	details  []detailRow
	bodies   []byte
}

// cut makes segments of the events of a push: all that were received at about the same time, in the order of their recipients.
func (c *cutter) cut(s *stage) {
	events := s.events
	if len(events) == 0 {
		return
	}
	if !together(events) {
		// Those of one recipient stay as they came. So do those that were received together.
		slices.SortStableFunc(events, func(a, b stagedEvent) int { return cmp.Compare(a.received, b.received) })
	}
	for len(events) > 0 {
		n := receivedTogether(events)
		part := events[:n]
		slices.SortStableFunc(part, func(a, b stagedEvent) int { return cmp.Compare(a.ordinal, b.ordinal) })
		c.cutSorted(s, part)
		events = events[n:]
	}
}

// fits reports whether events between two times of receipt can be in one segment.
func fits(earliest, latest int64) bool {
	return latest-earliest <= layout.MaxLater && dayOf(earliest) == dayOf(latest)
}

func together(events []stagedEvent) bool {
	earliest, latest := events[0].received, events[0].received
	for _, e := range events {
		earliest, latest = min(earliest, e.received), max(latest, e.received)
	}
	return fits(earliest, latest)
}

// receivedTogether returns how many of the first events can be in one segment, by when they were received.
func receivedTogether(events []stagedEvent) int {
	earliest, latest := events[0].received, events[0].received
	for i, e := range events {
		earliest, latest = min(earliest, e.received), max(latest, e.received)
		if !fits(earliest, latest) {
			return i
		}
	}
	return len(events)
}

func (c *cutter) cutSorted(s *stage, events []stagedEvent) {
	head := segmentRow{app: s.app, push: s.push, received: events[0].received}
	for _, e := range events {
		head.received = min(head.received, e.received)
	}
	head.day = dayOf(head.received)
	var row segmentRow
	end := func() {
		row.events = c.writer.Len()
		c.sequence += int64(row.events)
		from := len(c.bodies)
		c.bodies = c.writer.Append(c.bodies)
		row.body = c.bodies[from:len(c.bodies):len(c.bodies)]
		c.segments = append(c.segments, row)
		c.writer.Reset()
	}
	c.writer.Reset()
	for _, e := range events {
		packed := layout.Event{Ordinal: e.ordinal, Time: e.time, Kind: e.kind, Later: uint16(e.received - head.received)}
		if !c.writer.Add(packed, e.target.dispatch) {
			end()
			c.writer.Add(packed, e.target.dispatch)
		}
		if c.writer.Len() == 1 {
			row = head
			row.sequence, row.low = c.sequence+1, e.ordinal
		}
		row.high, row.lastTime = e.ordinal, max(row.lastTime, e.time)
		if e.kind == 0 {
			c.details = append(c.details, detailRow{c.sequence + int64(c.writer.Len()), e.entry})
		}
	}
	end()
}

const (
	// Until the commit, nobody else appends. Nothing that others hold for long is waited for from here on.
	lockLogHead = `UPDATE log_head SET sequence = sequence + $1 RETURNING sequence - $1, deaths, forgets`

	// Sequences count from where the log ended before. Nobody else changes log_head now.
	insertSegments = `INSERT INTO segment (sequence, day, app, push_id, events, low, high, last_time, receive_time, body)
		SELECT h.sequence + k.sequence, k.day, k.app, k.push_id, k.events, k.low, k.high, k.last_time, k.receive_time, k.body
		FROM (SELECT sequence - $1 AS sequence FROM log_head) h CROSS JOIN unnest($2::bigint[], $3::integer[], $4::text[], $5::bigint[],
			$6::integer[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bytea[])
			AS k (sequence, day, app, push_id, events, low, high, last_time, receive_time, body)`

	insertDetails = `INSERT INTO event_detail (sequence, milestone, status, time, error_code, error_message, channel, loss_source, raw)
		SELECT h.sequence + k.sequence, k.milestone, k.status, k.time, k.error_code, k.error_message, k.channel, k.loss_source, k.raw
		FROM (SELECT sequence - $1 AS sequence FROM log_head) h CROSS JOIN unnest($2::bigint[], $3::smallint[], $4::text[], $5::bigint[],
			$6::bigint[], $7::text[], $8::text[], $9::text[], $10::bytea[])
			AS k (sequence, milestone, status, time, error_code, error_message, channel, loss_source, raw)`

	upsertDays = `INSERT INTO log_day (day, first, last) SELECT k.day, h.sequence + k.first, h.sequence + k.last
		FROM (SELECT sequence - $1 AS sequence FROM log_head) h CROSS JOIN unnest($2::integer[], $3::bigint[], $4::bigint[]) AS k (day, first, last)
		ON CONFLICT (day) DO UPDATE SET first = LEAST(log_day.first, EXCLUDED.first), last = GREATEST(log_day.last, EXCLUDED.last)`

	upsertCounters = `INSERT INTO counter (push_id, step, sent, delivered, displayed, clicked, failed)
		SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
		ON CONFLICT (push_id, step) DO UPDATE SET sent = counter.sent + EXCLUDED.sent, delivered = counter.delivered + EXCLUDED.delivered,
		displayed = counter.displayed + EXCLUDED.displayed, clicked = counter.clicked + EXCLUDED.clicked,
		failed = counter.failed + EXCLUDED.failed`
)

// append appends what is new to the log, and stores what follows from it. The end of the log is locked as late as possible.
func (r *recording) append() error {
	r.stage()
	if len(r.stages) == 0 {
		return nil
	}
	c := cutter{}
	for i := range r.stages {
		c.cut(&r.stages[i])
	}
	days := logDays(c.segments)
	if missing := r.db.partitions.missing(days.days); len(missing) > 0 {
		return errNoPartition(missing)
	}
	if err := r.prepareDevices(); err != nil {
		return err
	}
	var queries pgx.Batch
	r.queueCounters(&queries)
	r.queueLives(&queries)
	var head logHead
	queries.Queue(lockLogHead, c.sequence).QueryRow(func(row pgx.Row) error { return row.Scan(&head.sequence, &head.deaths, &head.forgets) })
	queueSegments(&queries, c.sequence, c.segments)
	queueDetails(&queries, c.sequence, c.details)
	days.queue(&queries, c.sequence)
	if err := r.t.SendBatch(r.t.ctx, &queries).Close(); err != nil {
		return err
	}
	if err := r.checkPushes(head); err != nil {
		return err
	}
	r.t.news.events = true
	return r.settleDevices(head)
}

// checkPushes returns errAgain if a push began to be forgotten after it was looked at.
func (r *recording) checkPushes(head logHead) error {
	if head.forgets == r.began.forgets {
		return nil
	}
	ids := make([]int64, len(r.stages))
	for i := range r.stages {
		ids[i] = r.stages[i].push
	}
	forgotten, err := first(r.t.ctx, r.t, value[bool], `SELECT EXISTS (SELECT FROM push WHERE id = ANY($1) AND forgotten > 0)`, ids)
	if err == nil && forgotten {
		err = errAgain
	}
	return err
}

func queueSegments(queries *pgx.Batch, events int64, segments []segmentRow) {
	n := len(segments)
	sequences, days, apps, pushes := make([]int64, n), make([]int32, n), make([]string, n), make([]int64, n)
	sizes, lows, highs := make([]int32, n), make([]int64, n), make([]int64, n)
	lastTimes, received, bodies := make([]int64, n), make([]int64, n), make([][]byte, n)
	for i, s := range segments {
		sequences[i], days[i], apps[i], pushes[i] = s.sequence, s.day, s.app, s.push
		sizes[i], lows[i], highs[i] = int32(s.events), int64(s.low), int64(s.high)
		lastTimes[i], received[i], bodies[i] = int64(s.lastTime), s.received, s.body
	}
	queries.Queue(insertSegments, events, sequences, days, apps, pushes, sizes, lows, highs, lastTimes, received, bodies)
}

func queueDetails(queries *pgx.Batch, events int64, details []detailRow) {
	var list columns
	for _, d := range details {
		var raw []byte
		if d.row.Milestone == storage.MilestoneUnknown {
			raw = d.raw()
		}
		list.add(d.sequence, int64(d.row.Milestone), storable(d.row.Status), d.row.Time.UnixMilli(), int64(d.row.ErrorCode),
			storable(d.row.ErrorMessage), storable(d.row.Channel), storable(d.row.LossSource), raw)
	}
	if list.n > 0 {
		queries.Queue(insertDetails, append([]any{events}, list.args...)...)
	}
}

// daysOfLog are the sequences that days gain.
type daysOfLog struct {
	days        []int32
	first, last []int64
}

func logDays(segments []segmentRow) (d daysOfLog) {
	for i := range segments {
		s := &segments[i]
		at := slices.Index(d.days, s.day)
		if at < 0 {
			at = len(d.days)
			d.days, d.first, d.last = append(d.days, s.day), append(d.first, s.sequence), append(d.last, 0)
		}
		d.last[at] = s.sequence + int64(s.events) - 1
	}
	return d
}

func (d daysOfLog) queue(queries *pgx.Batch, events int64) {
	queries.Queue(upsertDays, events, d.days, d.first, d.last)
}

// queueCounters adds what the pushes gained.
func (r *recording) queueCounters(queries *pgx.Batch) {
	var list columns
	add := func(push int64, step int, g storage.Counts) {
		if g != (storage.Counts{}) {
			list.add(push, int64(step), int64(g.Sent), int64(g.Delivered), int64(g.Displayed), int64(g.Clicked), int64(g.Failed))
		}
	}
	for i := range r.stages {
		s := &r.stages[i]
		ahead, first := s.gains[storage.MaxSteps], &s.gains[0]
		ahead.Sent -= first.Sent
		ahead.Delivered -= first.Delivered
		ahead.Displayed -= first.Displayed
		ahead.Clicked -= first.Clicked
		ahead.Failed -= first.Failed
		add(s.push, wholeChain, ahead)
		for step, g := range s.gains[:storage.MaxSteps] {
			add(s.push, step, g)
		}
	}
	if list.n > 0 {
		queries.Queue(upsertCounters, list.args...)
	}
}
