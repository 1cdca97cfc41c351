package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/sqlite/layout"
)

// ListEvents implements storage.Callbacks.
func (s *Store) ListEvents(ctx context.Context, query storage.EventQuery) ([]storage.Event, error) {
	return read(ctx, s, func(q querier) ([]storage.Event, error) {
		r := eventReader{store: s, ctx: ctx, q: q, query: query, limit: page(query.Limit)}
		if query.RegistrationID != "" {
			return r.ofDevice()
		}
		err := r.walk(query.PushID, nil)
		return r.events, err
	})
}

// LastSequence implements storage.Callbacks.
func (s *Store) LastSequence(ctx context.Context) (int64, error) {
	return read(ctx, s, func(q querier) (int64, error) {
		return first(ctx, q, value[int64], `SELECT MAX(sequence, COALESCE((SELECT sequence + events - 1 FROM segment
			ORDER BY sequence DESC LIMIT 1), 0)) FROM fold`)
	})
}

// SubscribeEvents implements storage.Callbacks. It knows of the events that this store commits, not of another
// process's.
func (s *Store) SubscribeEvents() (signal <-chan struct{}, cancel func()) {
	return s.signals.subscribe()
}

// eventReader reads the log for one query.
type eventReader struct {
	store *Store
	ctx   context.Context
	q     querier
	query storage.EventQuery
	limit int

	events    []storage.Event
	apps      map[int64]string
	upstreams map[int64]string
	pages     map[recipientPlace]layout.Recipients
}

type recipientPlace struct {
	push int64
	page int
}

// The log is read in these ways: all of it, an app's, a push's, or a push's around one recipient. Segments that end
// before the query begins, in time or in sequence, are passed over by what stands in the indexes.
const (
	readSegments = `SELECT sequence, push_id, app_id, receive_time, body FROM segment WHERE sequence > ?1 AND last_time >= ?2 `
	orderLog     = ` ORDER BY sequence LIMIT ?3`
	ofApp        = `AND app_id = ?4`
	ofPush       = `AND push_id = ?4`
	ofRecipient  = ofPush + ` AND low <= ?5 AND high >= ?5`
)

type loggedSegment struct {
	sequence, push, app, received int64
	layout.Segment
}

func scanLogged(rows *sql.Rows) (s loggedSegment, err error) {
	var body []byte
	if err = rows.Scan(&s.sequence, &s.push, &s.app, &s.received, &body); err != nil {
		return s, err
	}
	s.Segment, err = layout.ReadSegment(body)
	return s, err
}

// walk reads the query's events of all pushes or of one, of everybody or of one recipient, until there are enough.
func (r *eventReader) walk(push int64, ordinal *uint32) error {
	after := r.query.After - layout.MaxEvents
	since, _ := seconds(r.query.StartTime)
	text, args := readSegments, []any{nil, since, segmentsAtOnce / 4}
	switch {
	case ordinal != nil:
		text, args = text+ofRecipient, append(args, push, *ordinal)
	case push != 0:
		text, args = text+ofPush, append(args, push)
	case r.query.App != "":
		id, err := appID(r.ctx, r.q, r.query.App)
		if err != nil || id == 0 {
			return err
		}
		text, args = text+ofApp, append(args, id)
	}
	for {
		args[0] = after
		segments, err := collect(r.ctx, r.q, scanLogged, text+orderLog, args...)
		if err != nil {
			return err
		}
		for _, s := range segments {
			if err := r.read(s, ordinal); err != nil || len(r.events) >= r.limit {
				return err
			}
			after = s.sequence
		}
		if len(segments) < segmentsAtOnce/4 {
			return nil
		}
	}
}

// read takes what the query asks for from a segment.
func (r *eventReader) read(s loggedSegment, ordinal *uint32) error {
	app, err := r.app(s.app)
	if err != nil || r.query.App != "" && app != r.query.App {
		return err
	}
	for i := range s.Len() {
		packed := s.Event(i)
		sequence := s.sequence + int64(i)
		if sequence <= r.query.After || ordinal != nil && packed.Ordinal != *ordinal {
			continue
		}
		e, err := r.event(s, packed, sequence)
		if err != nil {
			return err
		}
		q := &r.query
		if !q.StartTime.IsZero() && e.Time.Before(q.StartTime) || !q.EndTime.IsZero() && !e.Time.Before(q.EndTime) {
			continue
		}
		e.App = app
		if r.events = append(r.events, e); len(r.events) >= r.limit {
			return nil
		}
	}
	return nil
}

// event puts together what is known of an event.
func (r *eventReader) event(s loggedSegment, packed layout.Event, sequence int64) (e storage.Event, err error) {
	dispatch := s.DispatchOf(packed)
	e = storage.Event{Sequence: sequence, PushID: s.push, Step: int(dispatch.Step),
		ReceiveTime: time.UnixMilli(s.received + int64(packed.Later)).UTC()}
	if packed.Kind != 0 {
		k, err := r.store.kindRow(r.ctx, r.q, packed.Kind)
		if err != nil {
			return e, err
		}
		e.Callback = storage.Callback{Milestone: k.milestone, Status: k.status, Time: time.Unix(int64(packed.Time), 0).UTC(),
			ErrorCode: k.errorCode, ErrorMessage: k.errorMessage, Channel: k.channel, LossSource: k.lossSource}
	} else {
		detail, err := first(r.ctx, r.q, scanDetail, selectDetails+`sequence = ?`, sequence)
		if err != nil {
			return e, err
		}
		e.Callback = detail.callback
	}
	if e.UpstreamID, err = r.upstream(dispatch.ID); err != nil {
		return e, err
	}
	e.RegistrationID, err = r.registrationID(s.push, packed.Ordinal)
	return e, err
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

func (r *eventReader) app(id int64) (string, error) {
	return remembered(&r.apps, id, func() (string, error) {
		return first(r.ctx, r.q, value[string], `SELECT key FROM app WHERE id = ?`, id)
	})
}

func (r *eventReader) upstream(dispatch int64) (string, error) {
	return remembered(&r.upstreams, dispatch, func() (string, error) {
		return first(r.ctx, r.q, value[string], `SELECT COALESCE(upstream_id, '') FROM dispatch WHERE id = ?`, dispatch)
	})
}

// registrationID returns a recipient's id; it is empty when the recipients of the push were forgotten before its events.
func (r *eventReader) registrationID(push int64, ordinal uint32) (string, error) {
	place := recipientPlace{push, int(ordinal / layout.PageSize)}
	ids, err := remembered(&r.pages, place, func() (layout.Recipients, error) {
		return recipientPage(r.ctx, r.q, push, place.page)
	})
	if err != nil {
		return "", err
	}
	if at := int(ordinal % layout.PageSize); at < ids.Len() {
		return ids.ID(at), nil
	}
	return "", errDamaged("recipient_page", int64(ordinal))
}

// maxRemembered bounds what a query remembers of each kind.
const maxRemembered = 4096

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

// ofDevice reads the events of a registration id in each push that it is in, and sorts them: a device has few.
func (r *eventReader) ofDevice() ([]storage.Event, error) {
	pushes, err := r.pushes()
	if err != nil {
		return nil, err
	}
	for _, push := range pushes {
		ordinal, ok, err := memberOf(r.ctx, r.q, push.id, push.size, r.query.RegistrationID)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		one := *r
		one.events = nil
		if err := one.walk(push.id, &ordinal); err != nil {
			return nil, err
		}
		r.events = append(r.events, one.events...)
	}
	slices.SortFunc(r.events, func(a, b storage.Event) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return r.events[:min(len(r.events), r.limit)], nil
}

type pushSize struct {
	id   int64
	size int
}

// pushes returns the pushes that a query for a device is about.
func (r *eventReader) pushes() ([]pushSize, error) {
	where, args := visible, []any{}
	if r.query.App != "" {
		where, args = where+` AND p.app = ?`, append(args, r.query.App)
	}
	if r.query.PushID != 0 {
		where, args = where+` AND p.id = ?`, append(args, r.query.PushID)
	}
	return collect(r.ctx, r.q, func(rows *sql.Rows) (p pushSize, err error) {
		err = rows.Scan(&p.id, &p.size)
		return p, err
	}, `SELECT p.id, p.recipients FROM push p WHERE `+where, args...)
}
