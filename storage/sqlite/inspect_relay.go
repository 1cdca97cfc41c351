package sqlite

import (
	"context"
	"database/sql"
	"iter"
	"time"

	"susul.dev/susul/storage"
)

// RelayOverview is how far events have come on their way to the business.
type RelayOverview struct {
	Head      int64           `json:"head"` // the sequence up to which the log was looked at for receivers
	Endpoints []EndpointCount `json:"endpoints"`
	Spans     []SpanCount     `json:"spans"`
}

// EndpointCount is how many endpoints are in a state.
type EndpointCount struct {
	State storage.RelayState `json:"state"`
	N     int64              `json:"n"`
}

// SpanCount is how many spans are of a kind.
type SpanCount struct {
	Kind storage.RelaySpanKind `json:"kind"`
	N    int64                 `json:"n"`
}

func relayOverview(ctx context.Context, q querier) (o RelayOverview, err error) {
	if o.Head, err = first(ctx, q, value[int64], selectRelayHead); err != nil {
		return o, err
	}
	if o.Endpoints, err = collect(ctx, q, func(rows *sql.Rows) (c EndpointCount, err error) {
		err = rows.Scan(&c.State, &c.N)
		return c, err
	}, `SELECT state, COUNT(*) FROM relay_endpoint GROUP BY state ORDER BY state`); err != nil {
		return o, err
	}
	o.Spans, err = collect(ctx, q, func(rows *sql.Rows) (c SpanCount, err error) {
		err = rows.Scan(&c.Kind, &c.N)
		return c, err
	}, `SELECT kind, COUNT(*) FROM relay_span GROUP BY kind ORDER BY kind`)
	return o, err
}

// EndpointContent is a receiver of events. Its fields are a storage.RelayEndpoint's.
type EndpointContent struct {
	App           string             `json:"app"`
	Endpoint      string             `json:"endpoint"`
	URL           string             `json:"url,omitempty"`
	UID           string             `json:"uid,omitempty"`
	State         storage.RelayState `json:"state"`
	Cursor        int64              `json:"cursor"`
	LastSpan      int64              `json:"last_span"`
	Failures      int                `json:"failures"`
	FailingSince  time.Time          `json:"failing_since,omitzero"`
	NextAttempt   time.Time          `json:"next_attempt,omitzero"`
	LastError     string             `json:"last_error,omitempty"`
	LastErrorTime time.Time          `json:"last_error_time,omitzero"`
	LastSuccess   time.Time          `json:"last_success,omitzero"`
	Attempts      int64              `json:"attempts"`
	Failed        int64              `json:"failed"`
	Delivered     int64              `json:"delivered"`
	CreateTime    time.Time          `json:"create_time,omitzero"`
}

// SpanContent is a part of the log that an endpoint gets beside what follows its cursor. Its fields are a storage.RelaySpan's.
type SpanContent struct {
	App          string                `json:"app"`
	Endpoint     string                `json:"endpoint"`
	Span         int64                 `json:"span"`
	Kind         storage.RelaySpanKind `json:"kind"`
	MsgID        int64                 `json:"msg_id,string"` // 0: of any push
	Next         int64                 `json:"next"`
	Last         int64                 `json:"last"` // 0: no end
	StartTime    time.Time             `json:"start_time,omitzero"`
	EndTime      time.Time             `json:"end_time,omitzero"`
	Events       int64                 `json:"events"`
	Failures     int                   `json:"failures"`
	FailingSince time.Time             `json:"failing_since,omitzero"`
	NextAttempt  time.Time             `json:"next_attempt,omitzero"`
	LastError    string                `json:"last_error,omitempty"`
	CreateTime   time.Time             `json:"create_time,omitzero"`
}

// Endpoints lists the endpoints of all apps, at most limit of them; 0 is no limit.
func (i *Inspector) Endpoints(ctx context.Context, limit int) iter.Seq2[EndpointContent, error] {
	return paged(limit, func() func() ([]EndpointContent, bool, error) {
		var after storage.RelayEndpointKey
		return func() (page []EndpointContent, more bool, err error) {
			endpoints, err := i.store.ListRelayEndpoints(ctx, after, inspectedPerRead)
			for _, e := range endpoints {
				after = e.RelayEndpointKey
				page = append(page, EndpointContent{App: e.App, Endpoint: e.ID, URL: e.URL, UID: e.UID, State: e.State, Cursor: e.Cursor,
					LastSpan: e.LastSpan, Failures: e.Failures, FailingSince: e.FailingSince, NextAttempt: e.NextAttempt,
					LastError: e.LastError, LastErrorTime: e.LastErrorTime, LastSuccess: e.LastSuccess, Attempts: e.Attempts,
					Failed: e.Failed, Delivered: e.Delivered, CreateTime: e.CreateTime})
			}
			return page, len(endpoints) == inspectedPerRead, err
		}
	})
}

// Spans likewise lists the spans of all endpoints.
func (i *Inspector) Spans(ctx context.Context, limit int) iter.Seq2[SpanContent, error] {
	return paged(limit, func() func() ([]SpanContent, bool, error) {
		var after storage.RelaySpanKey
		return func() (page []SpanContent, more bool, err error) {
			spans, err := i.store.ListRelaySpans(ctx, storage.RelaySpanQuery{After: after, Limit: inspectedPerRead})
			for _, s := range spans {
				after = storage.RelaySpanKey{RelayEndpointKey: s.RelayEndpointKey, ID: s.ID}
				page = append(page, SpanContent{App: s.App, Endpoint: s.RelayEndpointKey.ID, Span: s.ID, Kind: s.Kind, MsgID: s.PushID,
					Next: s.Next, Last: s.Last, StartTime: s.StartTime, EndTime: s.EndTime, Events: s.Events, Failures: s.Failures,
					FailingSince: s.FailingSince, NextAttempt: s.NextAttempt, LastError: s.LastError, CreateTime: s.CreateTime})
			}
			return page, len(spans) == inspectedPerRead, err
		}
	})
}
