package storage

import (
	"context"
	"time"
)

// Relays is the part that remembers how far events have come on their way to the business. Its writes carry the term that Lead
// set.
type Relays interface {
	// RelayHead returns the head that was saved last, 0 for none.
	RelayHead(ctx context.Context) (int64, error)

	// ListRelayEndpoints returns a page of the endpoints of all apps after the given one, in ascending order of app and id. The
	// zero key begins.
	ListRelayEndpoints(ctx context.Context, after RelayEndpointKey, limit int) ([]RelayEndpoint, error)

	// ListRelaySpans returns a page of spans in ascending order of app, endpoint and id. Kinds that are not asked for are read and
	// passed over.
	ListRelaySpans(ctx context.Context, q RelaySpanQuery) ([]RelaySpan, error)

	// SaveRelay stores a change, all or nothing: first it deletes, then it stores endpoints, then spans. A span of an endpoint that
	// is not there then gets ErrNotFound. Callbacks wait meanwhile, some milliseconds for a thousand rows.
	SaveRelay(ctx context.Context, change RelayChange) error
}

// RelayState says whether an endpoint gets events.
type RelayState string

// The states of an endpoint. In all but the first, its events wait in the log.
const (
	RelayActive RelayState = "ACTIVE"
	RelayPaused RelayState = "PAUSED" // somebody paused it
	RelayGone   RelayState = "GONE"   // it answered 410: it wants nothing any more
)

// RelayEndpointKey names an endpoint.
type RelayEndpointKey struct {
	App string
	ID  string // unique in the app
}

// RelayEndpoint is a receiver of an app's events, and how far it has come.
type RelayEndpoint struct {
	RelayEndpointKey
	// URL is that of a push's callback_url, without the query; empty for a subscription's endpoint.
	URL string
	// UID is the subscription's; empty for a callback_url's.
	UID   string
	State RelayState
	// Cursor: of the events with Sequence ≤ Cursor, those that are for the endpoint were delivered, or are in one of its spans.
	Cursor int64
	// LastSpan is the highest id that a span of the endpoint has had.
	LastSpan int64
	// Failures counts the attempts that failed since the last one that did not.
	Failures      int
	FailingSince  time.Time // when the first of these began; zero without any
	NextAttempt   time.Time // zero: at once
	LastError     string
	LastErrorTime time.Time
	LastSuccess   time.Time
	Attempts      int64 // requests, over all time
	Failed        int64 // of these, those that failed
	Delivered     int64 // events, repeated ones included
	CreateTime    time.Time
}

// RelaySpanKind says what a span is for.
type RelaySpanKind string

// The kinds of a span.
const (
	// SpanRetry is of events of one push that are tried again beside the cursor, with those that followed meanwhile, for they keep
	// their order.
	SpanRetry  RelaySpanKind = "RETRY"
	SpanReplay RelaySpanKind = "REPLAY" // events that somebody asked for again
	SpanDead   RelaySpanKind = "DEAD"   // dead letters: events that were given up
)

// RelaySpan is a part of the log that one endpoint gets, or did not get, beside what follows its cursor.
type RelaySpan struct {
	RelayEndpointKey
	ID   int64 // unique in the endpoint, growing
	Kind RelaySpanKind
	// PushID is the only push whose events are in it; 0 for any.
	PushID int64
	// Next is the first sequence that is in it; of a retry or replay, that is yet to be delivered.
	Next int64
	// Last is the last sequence that is in it; 0 for a retry, whose end is wherever the cursor is.
	Last int64
	// StartTime and EndTime bound a replay by events' times, as an EventQuery does; zero does not.
	StartTime, EndTime time.Time
	// Events counts what is in it if it is dead; of a replay, what was delivered.
	Events       int64
	Failures     int       // as an endpoint's
	FailingSince time.Time // of dead letters, when they were first tried in vain
	NextAttempt  time.Time
	LastError    string
	CreateTime   time.Time
}

// RelaySpanKey names a span.
type RelaySpanKey struct {
	RelayEndpointKey
	ID int64
}

// RelaySpanQuery selects spans. Zero fields select all.
type RelaySpanQuery struct {
	App      string
	Endpoint string
	Kinds    []RelaySpanKind
	After    RelaySpanKey // spans after it
	Limit    int
}

// RelayChange is what SaveRelay stores.
type RelayChange struct {
	// Head is the sequence up to which every event was looked at for the first time, so that the endpoints of all callback URLs
	// that were named until there exist; 0 leaves it as it is.
	Head int64
	// Endpoints and Spans replace those of their keys, or are new; of those with the same key the last counts. An endpoint that is
	// replaced keeps its spans.
	Endpoints []RelayEndpoint
	Spans     []RelaySpan
	// DoneSpans and GoneEndpoints are deleted, the latter with all their spans. Absent ones are left alone. As deleting comes first,
	// an endpoint that is among the Endpoints too is begun anew, without its spans.
	DoneSpans     []RelaySpanKey
	GoneEndpoints []RelayEndpointKey
}
