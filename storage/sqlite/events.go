package sqlite

import (
	"context"
	"database/sql"

	"susul.dev/susul/storage"
)

const eventColumns = `SELECT e.sequence, e.app, e.push_id, e.step, e.receive_time, COALESCE(d.upstream_id, ''),
	r.registration_id, e.milestone, e.status, e.time, e.error_code, e.error_message, e.channel, e.loss_source, e.raw `

func scanEvent(rows *sql.Rows) (e storage.Event, err error) {
	err = rows.Scan(&e.Sequence, &e.App, &e.PushID, &e.Step, millisTime{&e.ReceiveTime}, &e.UpstreamID, &e.RegistrationID,
		&e.Milestone, &e.Status, millisTime{&e.Time}, &e.ErrorCode, &e.ErrorMessage, &e.Channel, &e.LossSource, &e.Raw)
	return e, err
}

// ListEvents implements storage.Callbacks.
func (s *Store) ListEvents(ctx context.Context, query storage.EventQuery) ([]storage.Event, error) {
	text, args := eventsQuery(query)
	return read(ctx, s, func(q querier) ([]storage.Event, error) {
		return collect(ctx, q, scanEvent, text, args...)
	})
}

// eventsQuery builds the statement so that the most selective filter leads and decides which index is used: a
// registration id is looked up in each push that it may be in, a push or an app is a range of its index.
func eventsQuery(query storage.EventQuery) (text string, args []any) {
	from := `FROM event e CROSS JOIN recipient r ON r.push_id = e.push_id AND r.ordinal = e.ordinal
		CROSS JOIN dispatch d ON d.id = e.dispatch_id WHERE e.sequence > ?`
	app, push, order := ` AND e.app = ?`, ` AND e.push_id = ?`, ` ORDER BY e.sequence LIMIT ?`
	switch {
	case query.RegistrationID != "":
		from = `FROM push p CROSS JOIN member r ON r.push_id = p.id
			CROSS JOIN event e ON e.push_id = p.id AND e.ordinal = r.ordinal
			CROSS JOIN dispatch d ON d.id = e.dispatch_id WHERE e.sequence + 0 > ? AND r.registration_id = ?`
		// The sums keep SQLite from walking the push's events in order; a device has few to sort.
		app, push, order = ` AND p.app = ?`, ` AND p.id = ?`, ` ORDER BY e.sequence + 0 LIMIT ?`
	case query.PushID != 0:
		app = ` AND +e.app = ?` // the plus keeps the app's index out
	}
	args = []any{query.After}
	where := ""
	filter := func(condition string, set bool, arg any) {
		if set {
			where += condition
			args = append(args, arg)
		}
	}
	filter("", query.RegistrationID != "", query.RegistrationID)
	filter(app, query.App != "", query.App)
	filter(push, query.PushID != 0, query.PushID)
	filter(` AND e.time >= ?`, !query.StartTime.IsZero(), query.StartTime.UnixMilli())
	filter(` AND e.time < ?`, !query.EndTime.IsZero(), query.EndTime.UnixMilli())
	return eventColumns + from + where + order, append(args, page(query.Limit))
}

// LastSequence implements storage.Callbacks.
func (s *Store) LastSequence(ctx context.Context) (int64, error) {
	return read(ctx, s, func(q querier) (int64, error) {
		return first(ctx, q, value[int64], `SELECT COALESCE(MAX(sequence), 0) FROM event`)
	})
}

// SubscribeEvents implements storage.Callbacks. It knows of the events that this store commits, not of another
// process's.
func (s *Store) SubscribeEvents() (signal <-chan struct{}, cancel func()) {
	return s.signals.subscribe()
}
