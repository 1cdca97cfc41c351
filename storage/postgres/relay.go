package postgres

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"

	"susul.dev/susul/storage"
)

// RelayHead implements storage.Relays.
func (s *Store) RelayHead(ctx context.Context) (int64, error) {
	return look(ctx, s, func(q querier) (int64, error) { return first(ctx, q, value[int64], `SELECT sequence FROM relay_head`) })
}

const (
	endpointColumns = `app, id, uid, state, cursor, last_span, failures, failing_since, next_attempt, last_error_time,
		last_success, attempts, failed, delivered, create_time, url, last_error`
	selectEndpoints = `SELECT ` + endpointColumns + ` FROM relay_endpoint WHERE (app, id) > ($1, $2) ORDER BY app, id LIMIT $3`

	spanColumns = `app, endpoint, id, kind, push_id, next, last, start_time, end_time, events, failures, failing_since,
		next_attempt, create_time, last_error`
	selectRelaySpans = `SELECT ` + spanColumns + ` FROM relay_span WHERE (app, endpoint, id) > ($1, $2, $3)`
)

func scanEndpoint(row pgx.CollectableRow) (e storage.RelayEndpoint, err error) {
	err = row.Scan(&e.App, &e.ID, &e.UID, &e.State, &e.Cursor, &e.LastSpan, &e.Failures, millisTime{&e.FailingSince},
		millisTime{&e.NextAttempt}, millisTime{&e.LastErrorTime}, millisTime{&e.LastSuccess}, &e.Attempts, &e.Failed, &e.Delivered,
		millisTime{&e.CreateTime}, &e.URL, anyText{&e.LastError})
	return e, err
}

func scanRelaySpan(row pgx.CollectableRow) (s storage.RelaySpan, err error) {
	err = row.Scan(&s.App, &s.RelayEndpointKey.ID, &s.ID, &s.Kind, &s.PushID, &s.Next, &s.Last, millisTime{&s.StartTime},
		millisTime{&s.EndTime}, &s.Events, &s.Failures, millisTime{&s.FailingSince}, millisTime{&s.NextAttempt},
		millisTime{&s.CreateTime}, anyText{&s.LastError})
	return s, err
}

// ListRelayEndpoints implements storage.Relays.
func (s *Store) ListRelayEndpoints(ctx context.Context, after storage.RelayEndpointKey, limit int) ([]storage.RelayEndpoint, error) {
	return look(ctx, s, func(q querier) ([]storage.RelayEndpoint, error) {
		return collect(ctx, q, scanEndpoint, selectEndpoints, after.App, after.ID, page(limit))
	})
}

// ListRelaySpans implements storage.Relays.
func (s *Store) ListRelaySpans(ctx context.Context, query storage.RelaySpanQuery) ([]storage.RelaySpan, error) {
	text, args := relaySpansQuery(query)
	return look(ctx, s, func(q querier) ([]storage.RelaySpan, error) { return collect(ctx, q, scanRelaySpan, text, args...) })
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
	and := func(condition string, values ...any) {
		numbers := make([]any, len(values))
		for i := range values {
			numbers[i] = len(args) + 1 + i
		}
		text, args = text+` AND `+fmt.Sprintf(condition, numbers...), append(args, values...)
	}
	switch {
	case query.App != "" && query.Endpoint != "":
		and(`(app, endpoint) <= ($%d, $%d)`, query.App, query.Endpoint)
	case query.App != "":
		and(`app <= $%d`, query.App)
	case query.Endpoint != "":
		and(`endpoint = $%d`, query.Endpoint)
	}
	if len(query.Kinds) > 0 {
		and(`kind = ANY($%d)`, query.Kinds)
	}
	return fmt.Sprintf(`%s ORDER BY app, endpoint, id LIMIT %d`, text, page(query.Limit)), args
}

func compareSpanKeys(a, b storage.RelaySpanKey) int {
	return cmp.Or(cmp.Compare(a.App, b.App), cmp.Compare(a.RelayEndpointKey.ID, b.RelayEndpointKey.ID), cmp.Compare(a.ID, b.ID))
}

const (
	upsertEndpoint = `INSERT INTO relay_endpoint (` + endpointColumns + `)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) ON CONFLICT (app, id) DO UPDATE SET
		uid = excluded.uid, state = excluded.state, cursor = excluded.cursor, last_span = excluded.last_span,
		failures = excluded.failures, failing_since = excluded.failing_since, next_attempt = excluded.next_attempt,
		last_error_time = excluded.last_error_time, last_success = excluded.last_success, attempts = excluded.attempts,
		failed = excluded.failed, delivered = excluded.delivered, create_time = excluded.create_time, url = excluded.url,
		last_error = excluded.last_error`
	upsertRelaySpan = `INSERT INTO relay_span (` + spanColumns + `)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT (app, endpoint, id) DO UPDATE SET
		kind = excluded.kind, push_id = excluded.push_id, next = excluded.next, last = excluded.last,
		start_time = excluded.start_time, end_time = excluded.end_time, events = excluded.events, failures = excluded.failures,
		failing_since = excluded.failing_since, next_attempt = excluded.next_attempt, create_time = excluded.create_time,
		last_error = excluded.last_error`
)

// SaveRelay implements storage.Relays.
func (s *Store) SaveRelay(ctx context.Context, change storage.RelayChange) error {
	_, err := write(ctx, s, func(t *tx) (none struct{}, err error) { return none, t.saveRelay(change) })
	if violates(err, "relay_span_app_endpoint_fkey") {
		return storage.ErrNotFound
	}
	return err
}

// saveRelay deletes first, so that an endpoint may be replaced by a later one of the same id, without spans.
func (t *tx) saveRelay(change storage.RelayChange) error {
	var p pipeline
	for _, key := range change.GoneEndpoints {
		p.add(`DELETE FROM relay_endpoint WHERE app = $1 AND id = $2`, key.App, key.ID)
	}
	for _, key := range change.DoneSpans {
		p.add(`DELETE FROM relay_span WHERE app = $1 AND endpoint = $2 AND id = $3`, key.App, key.RelayEndpointKey.ID, key.ID)
	}
	for _, e := range change.Endpoints {
		p.add(upsertEndpoint, e.App, e.ID, e.UID, e.State, e.Cursor, e.LastSpan, e.Failures, millis(e.FailingSince),
			millis(e.NextAttempt), millis(e.LastErrorTime), millis(e.LastSuccess), e.Attempts, e.Failed, e.Delivered,
			millis(e.CreateTime), e.URL, []byte(e.LastError))
	}
	for _, s := range change.Spans {
		p.add(upsertRelaySpan, s.App, s.RelayEndpointKey.ID, s.ID, s.Kind, s.PushID, s.Next, s.Last, millis(s.StartTime),
			millis(s.EndTime), s.Events, s.Failures, millis(s.FailingSince), millis(s.NextAttempt), millis(s.CreateTime),
			[]byte(s.LastError))
	}
	if change.Head != 0 {
		p.add(`UPDATE relay_head SET sequence = $1`, change.Head)
	}
	return p.run(t)
}

// forgetDead deletes some dead letters.
func (t *tx) forgetDead(before int64) (int64, error) {
	return t.exec(`DELETE FROM relay_span WHERE (app, endpoint, id) IN (SELECT app, endpoint, id FROM relay_span
		WHERE kind = 'DEAD' AND create_time < $1 ORDER BY create_time LIMIT $2)`, before, forgetRows)
}
