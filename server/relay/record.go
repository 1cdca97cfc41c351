package relay

import (
	"net/url"
	"strings"
	"time"

	"susul.dev/susul/server/webhook"
)

// result is what a request met, in a word for metrics and logs.
func (o outcome) result() string {
	switch {
	case o.delivered:
		return "delivered"
	case o.aborted:
		return "aborted"
	case o.gone():
		return "gone"
	case o.whole():
		return "refused"
	default:
		return "failed"
	}
}

// record writes one record of an attempt. URLs are told without what may be a secret.
func (e *endpoint) record(q *request, request webhook.Request, result webhook.Result, o outcome, next time.Time) {
	attrs := []any{
		"kind", q.kind.String(), "webhook_id", request.ID, "events", q.posted, "first_event", q.items[0].sequence,
		"last_event", q.items[len(q.items)-1].sequence, "attempt", q.attempt, "http_status", result.Status, "duration", result.Duration,
		"outcome", o.result(),
	}
	if id, ok := strings.CutPrefix(e.id, subPrefix); ok {
		attrs = append(attrs, "subscription", id)
	}
	if target, err := url.Parse(request.URL); err == nil {
		attrs = append(attrs, "host", target.Host, "path", target.EscapedPath())
	}
	if o.text != "" {
		attrs = append(attrs, "error", o.text)
	}
	if !next.IsZero() {
		attrs = append(attrs, "next_attempt", next)
	}
	e.log.Info("events posted", attrs...)
}
