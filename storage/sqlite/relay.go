package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"math"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"susul.dev/susul/storage"
)

// RelayHead implements storage.Relays.
func (s *Store) RelayHead(ctx context.Context) (int64, error) {
	return read(ctx, s, func(q querier) (int64, error) {
		return first(ctx, q, value[int64], `SELECT sequence FROM relay_head`)
	})
}

const (
	endpointColumns = `app, id, uid, state, cursor, last_span, failures, failing_since, next_attempt, last_error_time,
		last_success, attempts, failed, delivered, create_time, url, last_error`
	selectEndpoints = `SELECT ` + endpointColumns + ` FROM relay_endpoint WHERE (app, id) > (?, ?) ORDER BY app, id LIMIT ?`

	spanColumns = `app, endpoint, id, kind, push_id, next, last, start_time, end_time, events, failures, failing_since,
		next_attempt, create_time, last_error`
	selectRelaySpans = `SELECT ` + spanColumns + ` FROM relay_span WHERE (app, endpoint, id) > (?, ?, ?)`
)

func scanEndpoint(rows *sql.Rows) (e storage.RelayEndpoint, err error) {
	err = rows.Scan(&e.App, &e.ID, &e.UID, &e.State, &e.Cursor, &e.LastSpan, &e.Failures, millisTime{&e.FailingSince},
		millisTime{&e.NextAttempt}, millisTime{&e.LastErrorTime}, millisTime{&e.LastSuccess}, &e.Attempts, &e.Failed, &e.Delivered,
		millisTime{&e.CreateTime}, &e.URL, &e.LastError)
	return e, err
}

func scanRelaySpan(rows *sql.Rows) (s storage.RelaySpan, err error) {
	err = rows.Scan(&s.App, &s.RelayEndpointKey.ID, &s.ID, &s.Kind, &s.PushID, &s.Next, &s.Last, millisTime{&s.StartTime},
		millisTime{&s.EndTime}, &s.Events, &s.Failures, millisTime{&s.FailingSince}, millisTime{&s.NextAttempt},
		millisTime{&s.CreateTime}, &s.LastError)
	return s, err
}

// ListRelayEndpoints implements storage.Relays.
func (s *Store) ListRelayEndpoints(ctx context.Context, after storage.RelayEndpointKey, limit int) ([]storage.RelayEndpoint, error) {
	return read(ctx, s, func(q querier) ([]storage.RelayEndpoint, error) {
		return collect(ctx, q, scanEndpoint, selectEndpoints, after.App, after.ID, page(limit))
	})
}

// ListRelaySpans implements storage.Relays.
func (s *Store) ListRelaySpans(ctx context.Context, query storage.RelaySpanQuery) ([]storage.RelaySpan, error) {
	text, args := relaySpansQuery(query)
	return read(ctx, s, func(q querier) ([]storage.RelaySpan, error) {
		return collect(ctx, q, scanRelaySpan, text, args...)
	})
}

// relaySpansQuery makes one range of the primary key of what is selected, as far as that is possible.
func relaySpansQuery(query storage.RelaySpanQuery) (text string, args []any) {
	after := query.After
	if query.App != "" {
		begin := storage.RelaySpanKey{ID: math.MinInt64, RelayEndpointKey: storage.RelayEndpointKey{App: query.App, ID: query.Endpoint}}
		if compareSpanKeys(after, begin) < 0 {
			after = begin
		}
	}
	text, args = selectRelaySpans, []any{after.App, after.RelayEndpointKey.ID, after.ID}
	switch {
	case query.App != "" && query.Endpoint != "":
		text, args = text+` AND (app, endpoint) <= (?, ?)`, append(args, query.App, query.Endpoint)
	case query.App != "":
		text, args = text+` AND app <= ?`, append(args, query.App)
	case query.Endpoint != "":
		text, args = text+` AND endpoint = ?`, append(args, query.Endpoint)
	}
	if len(query.Kinds) > 0 {
		text, args = text+` AND kind IN `+listed, append(args, list[storage.RelaySpanKind](query.Kinds))
	}
	return text + ` ORDER BY app, endpoint, id LIMIT ?`, append(args, page(query.Limit))
}

func compareSpanKeys(a, b storage.RelaySpanKey) int {
	return cmp.Or(cmp.Compare(a.App, b.App), cmp.Compare(a.RelayEndpointKey.ID, b.RelayEndpointKey.ID), cmp.Compare(a.ID, b.ID))
}

var (
	upsertEndpoints = bulk{`INSERT INTO relay_endpoint (` + endpointColumns + `)`, 17, `ON CONFLICT (app, id) DO UPDATE SET
		uid = excluded.uid, state = excluded.state, cursor = excluded.cursor, last_span = excluded.last_span,
		failures = excluded.failures, failing_since = excluded.failing_since, next_attempt = excluded.next_attempt,
		last_error_time = excluded.last_error_time, last_success = excluded.last_success, attempts = excluded.attempts,
		failed = excluded.failed, delivered = excluded.delivered, create_time = excluded.create_time, url = excluded.url,
		last_error = excluded.last_error`}
	upsertRelaySpans = bulk{`INSERT INTO relay_span (` + spanColumns + `)`, 15, `ON CONFLICT (app, endpoint, id) DO UPDATE SET
		kind = excluded.kind, push_id = excluded.push_id, next = excluded.next, last = excluded.last,
		start_time = excluded.start_time, end_time = excluded.end_time, events = excluded.events, failures = excluded.failures,
		failing_since = excluded.failing_since, next_attempt = excluded.next_attempt, create_time = excluded.create_time,
		last_error = excluded.last_error`}
)

// SaveRelay implements storage.Relays.
func (s *Store) SaveRelay(ctx context.Context, change storage.RelayChange) error {
	_, err := write(ctx, s, func(t *tx) (none struct{}, err error) { return none, t.saveRelay(change) })
	return err
}

// saveRelay deletes first, so that an endpoint may be replaced by a later one of the same id, without spans.
func (t *tx) saveRelay(change storage.RelayChange) error {
	for _, key := range change.GoneEndpoints {
		if _, err := t.exec(`DELETE FROM relay_endpoint WHERE app = ? AND id = ?`, key.App, key.ID); err != nil {
			return err
		}
	}
	for _, key := range change.DoneSpans {
		if _, err := t.exec(`DELETE FROM relay_span WHERE app = ? AND endpoint = ? AND id = ?`, key.App, key.RelayEndpointKey.ID,
			key.ID); err != nil {
			return err
		}
	}
	if err := t.putEndpoints(change.Endpoints); err != nil {
		return err
	}
	if err := t.putRelaySpans(change.Spans); err != nil || change.Head == 0 {
		return err
	}
	_, err := t.exec(`UPDATE relay_head SET sequence = ?`, change.Head)
	return err
}

func (t *tx) putEndpoints(endpoints []storage.RelayEndpoint) error {
	_, err := upsertEndpoints.exec(t, len(endpoints), func(args []any, i int) []any {
		e := &endpoints[i]
		return append(args, e.App, e.ID, e.UID, e.State, e.Cursor, e.LastSpan, e.Failures, millis(e.FailingSince),
			millis(e.NextAttempt), millis(e.LastErrorTime), millis(e.LastSuccess), e.Attempts, e.Failed, e.Delivered,
			millis(e.CreateTime), e.URL, e.LastError)
	})
	return err
}

func (t *tx) putRelaySpans(spans []storage.RelaySpan) error {
	_, err := upsertRelaySpans.exec(t, len(spans), func(args []any, i int) []any {
		s := &spans[i]
		return append(args, s.App, s.RelayEndpointKey.ID, s.ID, s.Kind, s.PushID, s.Next, s.Last, millis(s.StartTime),
			millis(s.EndTime), s.Events, s.Failures, millis(s.FailingSince), millis(s.NextAttempt), millis(s.CreateTime), s.LastError)
	})
	var fault *sqlite.Error
	if errors.As(err, &fault) && fault.Code() == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY {
		return storage.ErrNotFound // of an endpoint
	}
	return err
}

const deleteDead = `DELETE FROM relay_span WHERE (app, endpoint, id) IN (SELECT app, endpoint, id FROM relay_span
	WHERE kind = 'DEAD' AND create_time < ? ORDER BY create_time LIMIT ?)`

// forgetDead deletes some dead letters.
func (t *tx) forgetDead(before int64) (int64, error) { return t.exec(deleteDead, before, forgetRows) }
