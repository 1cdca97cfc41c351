package relay

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/http"
	"time"

	"susul.dev/susul/server/subscription"
	"susul.dev/susul/server/webhook"
	"susul.dev/susul/storage"
)

// destination is where an endpoint's requests go to, and how they are signed.
type destination struct {
	url      string // empty for an endpoint of callback URLs: each request has its own
	format   subscription.Format
	username string
	secrets  []string
}

func (e *endpoint) destination() destination {
	e.mu.Lock()
	sub := e.sub
	e.mu.Unlock()
	if sub == nil {
		app := e.relay.Apps[e.app]
		return destination{username: app.Username, secrets: app.Secrets}
	}
	s := &sub.Subscription
	return destination{url: s.URL, format: s.Format, username: s.Username, secrets: s.Live(e.relay.Clock.Now())}
}

// send posts a request and tells the ledger what came of it.
func (e *endpoint) send(q *request) {
	rows, err := e.rows(q)
	switch {
	case err != nil:
		e.change(func(l *ledger, now time.Time) { l.done(q, outcome{aborted: true}, now) })
		e.failed(err)
		return
	case len(rows) == 0:
		e.change(func(l *ledger, _ time.Time) { l.skip(q) })
		return
	}
	q.posted = len(rows)
	to := e.destination()
	request := e.relay.request(e.key(), to, q.items[0].url(), q.items, rows)
	result := e.relay.Poster.Post(e.relay.tasks.posting, request)
	o := outcomeOf(result)
	if o.aborted && e.relay.tasks.posting.Err() == nil {
		o.aborted = false
	}
	var next time.Time
	e.change(func(l *ledger, now time.Time) {
		l.done(q, o, now)
		next = l.nextAttempt(q)
		e.troubled = false
	})
	e.relay.metrics.attempted(e.app, o, q.posted, result.Duration)
	e.record(q, request, result, o, next)
}

// rows returns a request's rows. What is not stored any more has none, nor has what the filter does not select any more.
func (e *endpoint) rows(q *request) ([][]byte, error) {
	rows := make([][]byte, 0, len(q.items))
	selector, forgotten := e.selector(), 0
	var p *page
	at := 0
	for i := range q.items {
		it := &q.items[i]
		if row := q.rows[it.sequence]; row != nil {
			rows = append(rows, row)
			continue
		}
		if p == nil || it.sequence < p.first || it.sequence > p.through {
			var err error
			if p, err = e.relay.feed.page(e.relay.tasks.reading, e.app, it.sequence-1); err != nil {
				return nil, err
			}
		}
		var found bool
		at, found = p.find(at+1, it.sequence)
		switch {
		case !found:
			forgotten++
		case selector.still(it, &p.entries[at]):
			rows = append(rows, p.row(at))
		}
	}
	if forgotten > 0 {
		e.log.Warn("events were forgotten before they were delivered: storage.retention is too short for them", "events", forgotten,
			"after", q.items[0].sequence-1)
	}
	return rows, nil
}

// find returns the index of an entry, which is likely to be at hint; a nil page has none.
func (p *page) find(hint int, sequence int64) (i int, found bool) {
	switch {
	case p == nil:
		return 0, false
	case hint < len(p.entries) && p.entries[hint].Sequence == sequence:
		return hint, true
	}
	i = p.after(sequence - 1)
	return i, i < len(p.entries) && p.entries[i].Sequence == sequence
}

// request puts together what is posted.
func (r *Relay) request(key storage.RelayEndpointKey, to destination, url string, items []item, rows [][]byte) webhook.Request {
	now := r.RealClock.Now()
	request := webhook.Request{URL: to.url, Time: now, Username: to.username, Secrets: to.secrets}
	if request.URL == "" {
		request.URL = url
	}
	request.ID = webhookID(key, url, items)
	request.Body = webhook.Document(to.format, rows, r.Clock.Now())
	return request
}

// webhookID is the same for the same events of the same endpoint, so that a repeated request is known by it.
func webhookID(key storage.RelayEndpointKey, url string, items []item) string {
	hash := sha256.New()
	number := make([]byte, 8)
	write := func(n uint64) {
		binary.BigEndian.PutUint64(number, n)
		hash.Write(number)
	}
	for _, part := range []string{key.App, key.ID, url} {
		write(uint64(len(part)))
		hash.Write([]byte(part))
	}
	for i := range items {
		write(uint64(items[i].sequence))
	}
	return "msg_" + base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:18])
}

// outcomeOf says what a result means.
func outcomeOf(result webhook.Result) outcome {
	o := outcome{delivered: result.Err == nil, status: result.Status}
	if o.delivered {
		return o
	}
	o.text = result.Err.Error()
	if result.Status == http.StatusTooManyRequests || result.Status == http.StatusServiceUnavailable {
		o.retryAfter = result.RetryAfter
	}
	var fault *webhook.Error
	if errors.As(result.Err, &fault) {
		switch fault.Kind {
		case webhook.LookupFailed, webhook.RefusedAddress, webhook.Unreachable, webhook.TLSFailed:
			o.unreached = true
		case webhook.Stopped:
			o.aborted = true
		}
	}
	return o
}
