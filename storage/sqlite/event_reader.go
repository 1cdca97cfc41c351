package sqlite

import (
	"context"
	"database/sql"
	"time"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// eventReader reads the log for one query.
type eventReader struct {
	kinds   *kinds
	lookups *lookups // nil in the writer's transaction, which sees what may be rolled back
	ctx     context.Context
	q       querier
	query   storage.EventQuery
	limit   int
	through int64        // up to which the log's indexes are complete
	end     []segmentRef // what comes after

	events     []storage.Event
	apps       map[int64]string
	kindRows   []*kind                              // by id; nil: not asked for yet
	dispatches map[int64]*loggedDispatch            // as they are in this snapshot
	pages      map[recipientPlace]layout.Recipients // likewise
	details    map[int64]storage.Callback           // by sequence
	ahead      readAhead
}

// read takes what the query asks for from segments, until there are enough events.
func (r *eventReader) read(segments []loggedSegment, ordinal *uint32) error {
	if ordinal != nil {
		return r.readOne(segments, *ordinal)
	}
	if err := r.lookAhead(segments); err != nil {
		return err
	}
	first := len(r.events)
	for i := range segments {
		if err := r.readSegment(&segments[i], r.ahead.segments[i]); err != nil {
			return err
		}
	}
	p := &r.ahead
	p.ids, p.ends = layout.AppendIDs(p.ids, p.ends, p.pages, p.places)
	ids, begin := string(p.ids), 0
	for i, end := range p.ends {
		r.events[first+i].RegistrationID = ids[begin:end]
		begin = end
	}
	return nil
}

// readSegment reads one of the segments that were looked at before.
func (r *eventReader) readSegment(s *loggedSegment, known aheadOf) error {
	app, err := r.app(s.app)
	if err != nil || r.query.App != "" && app != r.query.App {
		return err
	}
	p := &r.ahead
	last := -1
	place := layout.Place{Page: known.pages - 1}
	from, to := s.within(&r.query)
	for i := from; i < to && !r.full(); i++ {
		packed := s.Event(i)
		d := p.dispatches[known.dispatches+int(packed.Dispatch)]
		if d == nil || !d.tells(packed.Ordinal) {
			if d, err = r.dispatch(s.DispatchOf(packed).ID); err != nil {
				return err
			}
		}
		if page := int(packed.Ordinal / layout.PageSize); page != last {
			last = page
			place.Page++
		}
		place.At = int(packed.Ordinal % layout.PageSize)
		if place.At >= p.pages[place.Page].Len() { // it is not known, or has gained recipients
			if p.pages[place.Page], err = r.page(s.push, packed.Ordinal); err != nil {
				return err
			}
		}
		taken, err := r.take(app, s, i, d)
		if err != nil {
			return err
		}
		if taken {
			p.places = append(p.places, place)
		}
	}
	return nil
}

// readOne reads the events of one recipient, that the query names.
func (r *eventReader) readOne(segments []loggedSegment, ordinal uint32) error {
	for n := range segments {
		s := &segments[n]
		app, err := r.app(s.app)
		if err != nil {
			return err
		}
		if r.query.App != "" && app != r.query.App {
			continue
		}
		from, to := s.within(&r.query)
		for i := from; i < to && !r.full(); i++ {
			packed := s.Event(i)
			if packed.Ordinal != ordinal {
				continue
			}
			d, err := r.dispatch(s.DispatchOf(packed).ID)
			if err != nil {
				return err
			}
			taken, err := r.take(app, s, i, d)
			if err != nil {
				return err
			}
			if taken {
				r.events[len(r.events)-1].RegistrationID = r.query.RegistrationID
			}
		}
	}
	return nil
}

// take appends an event, but for its recipient, if the query asks for one of its time.
func (r *eventReader) take(app string, s *loggedSegment, i int, d *loggedDispatch) (bool, error) {
	n := len(r.events)
	r.events = append(r.events, storage.Event{App: app})
	e := &r.events[n]
	if err := r.fill(e, s, i, d); err != nil {
		return false, err
	}
	if !selects(&r.query, e.Time) {
		r.events = r.events[:n]
		return false, nil
	}
	return true, nil
}

func selects(q *storage.EventQuery, t time.Time) bool {
	return (q.StartTime.IsZero() || !t.Before(q.StartTime)) && (q.EndTime.IsZero() || t.Before(q.EndTime))
}

// fill puts together what is known of an event, but for its app and its recipient.
func (r *eventReader) fill(e *storage.Event, s *loggedSegment, i int, d *loggedDispatch) error {
	packed := s.Event(i)
	e.Sequence, e.PushID, e.Step = s.sequence+int64(i), s.push, int(s.DispatchOf(packed).Step)
	e.ReceiveTime = time.UnixMilli(s.received + int64(packed.Later)).UTC()
	if err := r.fillCallback(&e.Callback, packed, e.Sequence); err != nil {
		return err
	}
	e.Variant, e.UpstreamID = d.variant, d.upstreamOf(packed.Ordinal)
	return nil
}

// event puts together all that is known of an event, but for its app.
func (r *eventReader) event(s *loggedSegment, i int) (e storage.Event, err error) {
	packed := s.Event(i)
	d, err := r.dispatch(s.DispatchOf(packed).ID)
	if err != nil {
		d = &loggedDispatch{} // the rest is told all the same
	}
	if fault := r.fill(&e, s, i, d); fault != nil {
		return e, fault
	}
	if err == nil {
		e.RegistrationID, err = r.registrationID(s.push, packed.Ordinal)
	}
	return e, err
}

// fillCallback puts together what was reported, without whom it is about.
func (r *eventReader) fillCallback(c *storage.Callback, packed layout.Event, sequence int64) error {
	if packed.Kind == 0 {
		if detail, ok := r.details[sequence]; ok {
			*c = detail
			return nil
		}
		detail, err := first(r.ctx, r.q, scanDetail, selectDetails+`sequence = ?`, sequence)
		*c = detail.callback
		return err
	}
	k, err := r.kind(packed.Kind)
	if err != nil {
		return err
	}
	c.Milestone, c.Status, c.Time = k.milestone, k.status, time.Unix(int64(packed.Time), 0).UTC()
	c.ErrorCode, c.ErrorMessage, c.Channel, c.LossSource = k.errorCode, k.errorMessage, k.channel, k.lossSource
	return nil
}

const selectDetails = `SELECT sequence, milestone, status, time, error_code, error_message, channel, loss_source, raw
	FROM event_detail WHERE `

type storedDetail struct {
	sequence int64
	callback storage.Callback
}

func scanDetail(rows *sql.Rows) (d storedDetail, err error) {
	c := &d.callback
	err = rows.Scan(&d.sequence, &c.Milestone, &c.Status, millisTime{&c.Time}, &c.ErrorCode, &c.ErrorMessage, &c.Channel,
		&c.LossSource, &c.Raw)
	return d, err
}

const selectApp = `SELECT key FROM app WHERE id = ?`

func (r *eventReader) app(id int64) (string, error) {
	return remembered(&r.apps, id, func() (string, error) {
		return first(r.ctx, r.q, value[string], selectApp, id)
	})
}

func (r *eventReader) kind(id uint32) (*kind, error) {
	if int(id) < len(r.kindRows) && r.kindRows[id] != nil {
		return r.kindRows[id], nil
	}
	k, err := r.kinds.read(r.ctx, r.q, id)
	if err != nil || id > maxKinds {
		return &k, err
	}
	if missing := int(id) + 1 - len(r.kindRows); missing > 0 {
		r.kindRows = append(r.kindRows, make([]*kind, missing)...)
	}
	r.kindRows[id] = &k
	return &k, nil
}

// dispatch returns what is known of a dispatch in this snapshot.
func (r *eventReader) dispatch(id int64) (*loggedDispatch, error) {
	if d := r.dispatches[id]; d != nil {
		return d, nil
	}
	d, err := first(r.ctx, r.q, scanLoggedDispatch, selectLoggedDispatches, list[int64]{id})
	if err != nil {
		return nil, err
	}
	r.learnDispatch(d)
	return d, nil
}

// page returns the page that has a recipient's id. A push's recipients are not forgotten before its events.
func (r *eventReader) page(push int64, ordinal uint32) (layout.Recipients, error) {
	place, at := recipientPlace{push, int(ordinal / layout.PageSize)}, int(ordinal%layout.PageSize)
	if ids := r.pages[place]; at < ids.Len() {
		return ids, nil
	}
	ids, err := recipientPage(r.ctx, r.q, push, place.page)
	if err == nil && at >= ids.Len() {
		err = errDamaged("recipient_page", int64(ordinal))
	}
	if err == nil {
		r.learnPage(place, ids)
	}
	return ids, err
}

func (r *eventReader) registrationID(push int64, ordinal uint32) (string, error) {
	ids, err := r.page(push, ordinal)
	if err != nil {
		return "", err
	}
	return ids.ID(int(ordinal % layout.PageSize)), nil
}

// What a query remembers of each kind, at most.
const maxRemembered = 2 * eventsPerRead

// remembered returns a value from a map, which read fills.
func remembered[K comparable, V any](values *map[K]V, key K, read func() (V, error)) (V, error) {
	if v, ok := (*values)[key]; ok {
		return v, nil
	}
	v, err := read()
	if err != nil {
		return v, err
	}
	if *values == nil || len(*values) >= maxRemembered {
		*values = map[K]V{}
	}
	(*values)[key] = v
	return v, nil
}
