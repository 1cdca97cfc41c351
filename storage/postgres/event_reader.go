package postgres

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// eventReader reads the log for one query.
type eventReader struct {
	db      *database
	ctx     context.Context
	q       querier
	query   storage.EventQuery
	limit   int
	ordinal *uint32 // of the recipient that the query names, in the push that is read

	events []storage.Event
}

// read takes what the query asks for from segments, until there are enough events.
func (r *eventReader) read(segments []loggedSegment) error {
	details, err := r.details(segments)
	if err != nil {
		return err
	}
	first := len(r.events)
	var ordinals []int64
	var dispatches []layout.Dispatch
	for n := range segments {
		s := &segments[n]
		if r.query.App != "" && s.app != r.query.App {
			continue
		}
		from, to := s.within(&r.query)
		for i := from; i < to && !r.full(); i++ {
			packed := s.Event(i)
			if r.ordinal != nil && packed.Ordinal != *r.ordinal {
				continue
			}
			e, err := r.event(s, i, packed, details)
			if err != nil {
				return err
			}
			if selects(&r.query, e.Time) {
				r.events = append(r.events, e)
				ordinals = append(ordinals, int64(packed.Ordinal))
				dispatches = append(dispatches, s.DispatchOf(packed))
			}
		}
	}
	if err := r.nameDispatches(r.events[first:], dispatches, ordinals); err != nil {
		return err
	}
	return r.nameRecipients(r.events[first:], ordinals)
}

func selects(q *storage.EventQuery, t time.Time) bool {
	return (q.StartTime.IsZero() || !t.Before(q.StartTime)) && (q.EndTime.IsZero() || t.Before(q.EndTime))
}

// event puts together what is known of an event, but for its dispatch and its recipient.
func (r *eventReader) event(s *loggedSegment, i int, packed layout.Event, details map[int64]storage.Callback) (e storage.Event, err error) {
	e.Sequence, e.App, e.PushID, e.Step = s.sequence+int64(i), s.app, s.push, int(s.DispatchOf(packed).Step)
	e.ReceiveTime = time.UnixMilli(s.received + int64(packed.Later)).UTC()
	if packed.Kind == 0 {
		detail, ok := details[e.Sequence]
		if !ok {
			err = errDamaged("event_detail", e.Sequence)
		}
		e.Callback = detail
		return e, err
	}
	k, err := r.db.kinds.read(r.ctx, r.q, packed.Kind)
	c := &e.Callback
	c.Milestone, c.Status, c.Time = k.milestone, k.status, time.Unix(int64(packed.Time), 0).UTC()
	c.ErrorCode, c.ErrorMessage, c.Channel, c.LossSource = k.errorCode, k.errorMessage, k.channel, k.lossSource
	return e, err
}

const selectDetails = `SELECT sequence, milestone, status, time, error_code, error_message, channel, loss_source, raw
	FROM event_detail WHERE `

type storedDetail struct {
	sequence int64
	callback storage.Callback
}

func scanDetail(row pgx.CollectableRow) (d storedDetail, err error) {
	c := &d.callback
	err = row.Scan(&d.sequence, &c.Milestone, &c.Status, millisTime{&c.Time}, &c.ErrorCode, &c.ErrorMessage, &c.Channel,
		&c.LossSource, &c.Raw)
	return d, err
}

// details returns what events of the segments have of their own, by their sequences.
func (r *eventReader) details(segments []loggedSegment) (map[int64]storage.Callback, error) {
	var sequences []int64
	for n := range segments {
		s := &segments[n]
		from, to := s.within(&r.query)
		for i := from; i < to; i++ {
			if e := s.Event(i); e.Kind == 0 && (r.ordinal == nil || e.Ordinal == *r.ordinal) {
				sequences = append(sequences, s.sequence+int64(i))
			}
		}
	}
	if len(sequences) == 0 {
		return nil, nil
	}
	list, err := collect(r.ctx, r.q, scanDetail, selectDetails+`sequence = ANY($1)`, sequences)
	details := make(map[int64]storage.Callback, len(list))
	for _, d := range list {
		details[d.sequence] = d.callback
	}
	return details, err
}

// loggedDispatch is what events tell of their dispatch. What is known of one does not change, but for what is added.
type loggedDispatch struct {
	id                int64
	upstream, variant string
	singles           []loggedSingle // of a batch, by ordinal
}

// loggedSingle is what became of a single message. Most upstream ids are decimal numbers, and are kept as that.
type loggedSingle struct {
	ordinal uint32
	number  uint64
	text    string // of another id
	refused bool
}

const selectLoggedDispatches = `SELECT d.id, COALESCE(d.upstream_id, ''), d.variant,
	(SELECT results FROM batch_result b WHERE b.dispatch_id = d.id) FROM dispatch d WHERE d.id = ANY($1)`

func scanLoggedDispatch(row pgx.CollectableRow) (*loggedDispatch, error) {
	d, results := &loggedDispatch{}, []byte(nil)
	if err := row.Scan(&d.id, &d.upstream, &d.variant, &results); err != nil || results == nil {
		return d, err
	}
	list, err := layout.ReadResults(results)
	d.singles = make([]loggedSingle, len(list))
	for i, result := range list {
		single := loggedSingle{ordinal: result.Ordinal, refused: result.Refused}
		number, err := strconv.ParseUint(result.UpstreamID, 10, 64)
		if err == nil && strconv.FormatUint(number, 10) == result.UpstreamID {
			single.number = number
		} else {
			single.text = result.UpstreamID
		}
		d.singles[i] = single
	}
	slices.SortFunc(d.singles, func(a, b loggedSingle) int { return cmp.Compare(a.ordinal, b.ordinal) })
	return d, err
}

// upstreamOf returns the upstream id of the dispatch, or, of a batch, that of the recipient's single message; ok is false if it may become
// known yet.
func (d *loggedDispatch) upstreamOf(ordinal uint32) (id string, ok bool) {
	if d.upstream != "" {
		return d.upstream, true
	}
	at, ok := slices.BinarySearchFunc(d.singles, ordinal, func(s loggedSingle, o uint32) int { return cmp.Compare(s.ordinal, o) })
	switch {
	case !ok:
		return "", false
	case d.singles[at].refused || d.singles[at].text != "":
		return d.singles[at].text, true
	}
	return strconv.FormatUint(d.singles[at].number, 10), true
}

// nameDispatches fills in what events tell of their dispatches.
func (r *eventReader) nameDispatches(events []storage.Event, dispatches []layout.Dispatch, ordinals []int64) error {
	known := map[int64]*loggedDispatch{}
	var missing []int64
	for i, of := range dispatches {
		d, seen := known[of.ID]
		if !seen {
			d, _ = r.db.dispatches.get(of.ID)
			known[of.ID] = d
		}
		if d != nil {
			if _, ok := d.upstreamOf(uint32(ordinals[i])); ok {
				continue
			}
			known[of.ID] = nil
		}
		if !slices.Contains(missing, of.ID) {
			missing = append(missing, of.ID)
		}
	}
	if len(missing) > 0 {
		found, err := collect(r.ctx, r.q, scanLoggedDispatch, selectLoggedDispatches, missing)
		if err != nil {
			return err
		}
		for _, d := range found {
			known[d.id] = d
			if d.upstream != "" || d.singles != nil {
				r.db.dispatches.put(d.id, d)
			}
		}
	}
	for i, of := range dispatches {
		d := known[of.ID]
		if d == nil {
			return errDamaged("dispatch", of.ID)
		}
		events[i].Variant = d.variant
		events[i].UpstreamID, _ = d.upstreamOf(uint32(ordinals[i]))
	}
	return nil
}

// Each recipient is looked up, in the order in which they are asked for. One that is gone is told without a name.
const selectNames = `SELECT COALESCE((SELECT registration_id FROM recipient r WHERE r.push_id = k.push_id AND r.ordinal = k.ordinal), '')
	FROM unnest($1::bigint[], $2::bigint[]) AS k (push_id, ordinal)`

// nameRecipients fills in the events' registration ids.
func (r *eventReader) nameRecipients(events []storage.Event, ordinals []int64) error {
	if r.ordinal != nil || len(events) == 0 {
		for i := range events {
			events[i].RegistrationID = r.query.RegistrationID
		}
		return nil
	}
	pushes := make([]int64, len(events))
	for i := range events {
		pushes[i] = events[i].PushID
	}
	rows, err := r.q.Query(r.ctx, selectNames, pushes, ordinals)
	if err != nil {
		return err
	}
	at := 0
	var name string
	_, err = pgx.ForEachRow(rows, []any{&name}, func() error {
		events[at].RegistrationID = name
		at++
		return nil
	})
	return err
}
