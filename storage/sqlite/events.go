package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"math"
	"slices"
	"time"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/sqlite/layout"
)

// ListEvents implements storage.Callbacks.
func (s *Store) ListEvents(ctx context.Context, query storage.EventQuery) ([]storage.Event, error) {
	r := eventReader{kinds: s.writer.kinds, ctx: ctx, query: query, limit: page(query.Limit)}
	r.through, r.end = s.live.tail.get()
	return read(ctx, s, func(q querier) ([]storage.Event, error) {
		r.q = q
		switch {
		case query.RegistrationID != "":
			return r.ofDevice()
		case query.PushID != 0:
			err := r.walkPush(query.PushID, nil)
			if err == nil {
				err = r.walkRest(query.PushID, nil)
			}
			return r.events, err
		case query.App != "":
			err := r.walkApp()
			if err == nil {
				err = r.walkRest(0, nil)
			}
			return r.events, err
		default:
			err := r.walkLog(math.MaxInt64)
			return r.events, err
		}
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
	kinds   *kinds
	ctx     context.Context
	q       querier
	query   storage.EventQuery
	limit   int
	through int64        // up to which the log's indexes are complete
	end     []segmentRef // what comes after
	push    int64        // 0, or segments of others are passed over

	events    []storage.Event
	apps      map[int64]string
	upstreams map[int64]string
	singles   map[int64]results // of batches
	pages     map[recipientPlace]layout.Recipients
}

type recipientPlace struct {
	push int64
	page int
}

const (
	segmentColumns = `SELECT s.sequence, s.push_id, s.app_id, s.last_time, s.receive_time, s.events, s.body FROM `
	readSegments   = segmentColumns + `segment s WHERE s.sequence > ? `

	// Segments that end before the query begins, in time, are passed over.
	logSegments  = readSegments + `AND s.sequence <= ? AND s.last_time >= ? ORDER BY s.sequence LIMIT ?`
	oneSegment   = segmentColumns + `segment s WHERE s.sequence = ?`
	pushSegments = segmentColumns + `segment_of_push i CROSS JOIN segment s ON s.sequence = i.sequence
		WHERE i.push_id = ? AND i.sequence > ? AND i.sequence <= ? AND i.low <= ? AND i.high >= ? AND s.last_time >= ?
		ORDER BY i.sequence LIMIT ?`
	segmentsPerRead = segmentsAtOnce / 4
)

type loggedSegment struct {
	sequence, push, app, received int64
	lastTime                      uint32
	events, bytes                 int // as the row says, and of its body
	layout.Segment
}

func scanSegment(rows *sql.Rows) (s loggedSegment, err error) {
	var body []byte
	if err = rows.Scan(&s.sequence, &s.push, &s.app, &s.lastTime, &s.received, &s.events, &body); err != nil {
		return s, err
	}
	s.bytes = len(body)
	s.Segment, err = layout.ReadSegment(body)
	return s, err
}

func (s loggedSegment) ref() segmentRef {
	n := s.Len()
	return segmentRef{sequence: s.sequence, last: s.sequence + int64(n) - 1, app: s.app, push: s.push,
		low: s.Event(0).Ordinal, high: s.Event(n - 1).Ordinal, lastTime: s.lastTime}
}

// after returns the sequence after which segments begin that may have events of the query: one may have begun before.
func (r *eventReader) after() int64 { return r.query.After - layout.MaxEvents }

func (r *eventReader) since() uint32 {
	since, _ := seconds(r.query.StartTime)
	return since
}

func (r *eventReader) full() bool { return len(r.events) >= r.limit }

// walkLog reads all segments that begin up to a sequence, until there are enough events.
func (r *eventReader) walkLog(last int64) error {
	return r.walk(r.after(), func(after int64) ([]loggedSegment, error) {
		return collect(r.ctx, r.q, scanSegment, logSegments, after, last, r.since(), segmentsPerRead)
	}, nil)
}

// walk reads segments until there are enough events.
func (r *eventReader) walk(after int64, next func(after int64) ([]loggedSegment, error), ordinal *uint32) error {
	for {
		segments, err := next(after)
		if err != nil {
			return err
		}
		for _, s := range segments {
			if err := r.read(s, ordinal); err != nil || r.full() {
				return err
			}
			after = s.sequence
		}
		if len(segments) < segmentsPerRead {
			return nil
		}
	}
}

// walkApp reads the spans of an app.
func (r *eventReader) walkApp() error {
	app, err := appID(r.ctx, r.q, r.query.App)
	if err != nil || app == 0 {
		return err
	}
	all, err := spans(r.ctx, r.q, app, r.query.After, r.through, r.since(), r.end)
	if err != nil {
		return err
	}
	for _, s := range all {
		err := r.walk(max(r.after(), s.first-1), func(after int64) ([]loggedSegment, error) {
			return collect(r.ctx, r.q, scanSegment, logSegments, after, s.last, r.since(), segmentsPerRead)
		}, nil)
		if err != nil || r.full() {
			return err
		}
	}
	return nil
}

// walkPush reads the segments of a push, those that may have a recipient if one is given: by the index, then at the end of
// the log, which that does not have yet.
func (r *eventReader) walkPush(push int64, ordinal *uint32) error {
	low, high := uint32(math.MaxUint32), uint32(0)
	if ordinal != nil {
		low, high = *ordinal, *ordinal
	}
	err := r.walk(r.after(), func(after int64) ([]loggedSegment, error) {
		return collect(r.ctx, r.q, scanSegment, pushSegments, push, after, r.through, low, high, r.since(), segmentsPerRead)
	}, ordinal)
	for _, ref := range r.end {
		if err != nil || r.full() {
			return err
		}
		if ref.push != push || ref.last <= r.query.After || ref.low > low || ref.high < high || ref.lastTime < r.since() {
			continue
		}
		var s loggedSegment
		s, err = first(r.ctx, r.q, scanSegment, oneSegment, ref.sequence)
		switch {
		case errors.Is(err, storage.ErrNotFound):
			err = nil // it was forgotten since
		case err == nil:
			err = r.read(s, ordinal)
		}
	}
	return err
}

// walkRest reads the segments, of a push if one is given, that the snapshot has and the end of the log, as it was known before, has not:
// a transaction is committed a moment before the end is. Without them, a query for an app or push could miss what another query saw.
func (r *eventReader) walkRest(push int64, ordinal *uint32) error {
	if r.full() {
		return nil
	}
	r.push = push
	known := r.through
	if n := len(r.end); n > 0 {
		known = max(known, r.end[n-1].last)
	}
	return r.walk(max(r.after(), known), func(after int64) ([]loggedSegment, error) {
		return collect(r.ctx, r.q, scanSegment, logSegments, after, int64(math.MaxInt64), r.since(), segmentsPerRead)
	}, ordinal)
}

// read takes what the query asks for from a segment.
func (r *eventReader) read(s loggedSegment, ordinal *uint32) error {
	if r.push != 0 && s.push != r.push {
		return nil
	}
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
	if e.Callback, err = r.callback(packed, sequence); err != nil {
		return e, err
	}
	if e.UpstreamID, err = r.upstream(dispatch.ID, packed.Ordinal); err != nil {
		return e, err
	}
	e.RegistrationID, err = r.registrationID(s.push, packed.Ordinal)
	return e, err
}

// callback puts together what was reported, without whom it is about.
func (r *eventReader) callback(packed layout.Event, sequence int64) (storage.Callback, error) {
	if packed.Kind == 0 {
		detail, err := first(r.ctx, r.q, scanDetail, selectDetails+`sequence = ?`, sequence)
		return detail.callback, err
	}
	k, err := r.kinds.read(r.ctx, r.q, packed.Kind)
	if err != nil {
		return storage.Callback{}, err
	}
	return storage.Callback{Milestone: k.milestone, Status: k.status, Time: time.Unix(int64(packed.Time), 0).UTC(),
		ErrorCode: k.errorCode, ErrorMessage: k.errorMessage, Channel: k.channel, LossSource: k.lossSource}, nil
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

// upstream returns the upstream id of a dispatch, or, of a batch, that of the recipient's single message.
func (r *eventReader) upstream(dispatch int64, ordinal uint32) (string, error) {
	id, err := remembered(&r.upstreams, dispatch, func() (string, error) {
		return first(r.ctx, r.q, value[string], `SELECT COALESCE(upstream_id, '') FROM dispatch WHERE id = ?`, dispatch)
	})
	if err != nil || id != "" {
		return id, err
	}
	singles, err := rememberedUpTo(maxBatches, &r.singles, dispatch, func() (results, error) {
		return resultsOf(r.ctx, r.q, dispatch)
	})
	return singles[ordinal].UpstreamID, err
}

// registrationID returns a recipient's id. A push's recipients are not forgotten before its events.
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

// What a query remembers of each kind, at most. Batches are large.
const (
	maxRemembered = 4096
	maxBatches    = 64
)

// remembered returns a value from a map, which read fills.
func remembered[K comparable, V any](values *map[K]V, key K, read func() (V, error)) (V, error) {
	return rememberedUpTo(maxRemembered, values, key, read)
}

func rememberedUpTo[K comparable, V any](limit int, values *map[K]V, key K, read func() (V, error)) (V, error) {
	if v, ok := (*values)[key]; ok {
		return v, nil
	}
	v, err := read()
	if err != nil {
		return v, err
	}
	if *values == nil || len(*values) >= limit {
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
		if err := one.walkPush(push.id, &ordinal); err != nil {
			return nil, err
		}
		if err := one.walkRest(push.id, &ordinal); err != nil {
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
