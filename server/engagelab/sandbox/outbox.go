package sandbox

import (
	"bytes"
	"container/heap"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"susul.dev/susul/server/engagelab"
)

const (
	maxRows         = 100             // in one callback
	linger          = time.Second     // of the clock, for a batch to fill up
	maxInFlight     = 4               // posts to one address
	maxWaitingRows  = 1_000_000       // for one address; more are dropped
	callbackTimeout = 3 * time.Second // real time, as the network is
	maxEcho         = 4 << 10         // bytes of an answer that are looked at
)

// appKeyPlaceholder stands for the app key in the configured callback address.
const appKeyPlaceholder = "{app_key}"

// retryAfter is how long the clock runs before each repeat of a callback that failed.
func retryAfter() []time.Duration {
	return []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, time.Hour}
}

// row is one callback row, written out only when it is posted.
type row struct {
	receipt   *receipt
	milestone milestone
}

// batch is what one callback carries, through all its tries.
type batch struct {
	rows  []row
	tries int
	at    int64 // of the next try, in ns since the epoch
}

func (b *batch) due() int64 { return b.at }

// outbox holds what is to be reported to one address. Its own goroutine posts it, so a dead address holds up no other.
type outbox struct {
	s    *Sandbox
	url  string
	wake chan struct{}

	mu       sync.Mutex
	fresh    []row     // not tried yet
	flushAt  time.Time // when fresh goes out though it is no full batch
	retries  agenda[*batch]
	waiting  int // rows in fresh, in retries and in flight
	inFlight int
	verified bool // the address has passed its check
}

func newCallbackClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: maxInFlight, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// outboxesFor returns the outboxes of an app's push: one for each different address, the app's configured one among them.
// The caller holds the lock.
func (s *Sandbox) outboxesFor(a *app, addresses []string) ([]*outbox, error) {
	addresses = slices.Clone(addresses)
	if s.cfg.Callback.URL != "" {
		addresses = append(addresses, strings.ReplaceAll(s.cfg.Callback.URL, appKeyPlaceholder, url.PathEscape(a.key)))
	}
	slices.Sort(addresses)
	addresses = slices.Compact(addresses)
	unknown := 0
	for _, address := range addresses {
		if s.outboxes[address] == nil {
			unknown++
		}
	}
	if len(s.outboxes)+unknown > maxAddresses {
		return nil, refuse(http.StatusBadRequest, engagelab.CodeInvalidParameter,
			fmt.Sprintf("there would be more than %d callback addresses", maxAddresses))
	}
	chosen := make([]*outbox, len(addresses))
	for i, address := range addresses {
		o := s.outboxes[address]
		if o == nil {
			o = &outbox{s: s, url: address, wake: make(chan struct{}, 1)}
			s.outboxes[address] = o
			s.unstarted = append(s.unstarted, o)
		}
		chosen[i] = o
	}
	return chosen, nil
}

// add queues a row.
func (o *outbox) add(r row) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.waiting >= maxWaitingRows {
		o.s.dropped.Add(1)
		return
	}
	o.s.unacked.Add(1)
	o.waiting++
	if len(o.fresh) == 0 {
		o.flushAt = o.s.cfg.Clock.Now().Add(linger)
	}
	o.fresh = append(o.fresh, r)
	if n := len(o.fresh); n == 1 || n%maxRows == 0 {
		poke(o.wake)
	}
}

// run posts until ctx ends.
func (o *outbox) run(ctx context.Context) {
	var posts sync.WaitGroup
	defer posts.Wait()
	for ctx.Err() == nil {
		b, next, more := o.take()
		if b == nil {
			waitUntil(ctx, o.s.cfg.Clock, next, more, o.wake)
			continue
		}
		posts.Go(func() {
			o.settle(ctx, b, o.deliver(ctx, b))
			poke(o.wake)
		})
	}
}

// take returns a batch to post now, or else when there will be one, as far as that is known.
func (o *outbox) take() (b *batch, next time.Time, more bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	limit := maxInFlight
	if !o.verified {
		limit = 1 // one check at a time will do
	}
	if o.inFlight >= limit {
		return nil, time.Time{}, false
	}
	now := o.s.cfg.Clock.Now()
	switch {
	case len(o.retries) > 0 && o.retries[0].at <= now.UnixNano():
		b = heap.Pop(&o.retries).(*batch)
	case len(o.fresh) >= maxRows || len(o.fresh) > 0 && !now.Before(o.flushAt):
		n := min(len(o.fresh), maxRows)
		b = &batch{rows: o.fresh[:n:n]}
		o.fresh = o.fresh[n:]
		o.flushAt = now.Add(linger)
	default:
		return nil, o.nextDue(), len(o.retries)+len(o.fresh) > 0
	}
	o.inFlight++
	return b, time.Time{}, false
}

func (o *outbox) nextDue() time.Time {
	if len(o.retries) == 0 {
		return o.flushAt
	}
	if retry := time.Unix(0, o.retries[0].at); len(o.fresh) == 0 || retry.Before(o.flushAt) {
		return retry
	}
	return o.flushAt
}

// settle counts a batch as acknowledged, puts it back for its next try, or gives it up.
func (o *outbox) settle(ctx context.Context, b *batch, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.inFlight--
	if err != nil && ctx.Err() != nil {
		return // the sandbox stops; the rows stay unacknowledged
	}
	waits := retryAfter()
	if err != nil && b.tries < len(waits) {
		b.at = o.s.cfg.Clock.Now().Add(waits[b.tries]).UnixNano()
		b.tries++
		heap.Push(&o.retries, b)
		o.s.cfg.Logger.Warn("callback failed and will be repeated", o.describe(b, err)...)
		return
	}
	o.waiting -= len(b.rows)
	o.s.unacked.Add(-int64(len(b.rows)))
	if err != nil {
		o.s.dropped.Add(int64(len(b.rows)))
		o.s.cfg.Logger.Warn("callback failed and is dropped", o.describe(b, err)...)
	}
}

// describe is for the log. It leaves out the address's path and query, which may hold a secret.
func (o *outbox) describe(b *batch, err error) []any {
	host := ""
	if u, bad := url.Parse(o.url); bad == nil {
		host = u.Host
	}
	return []any{
		slog.String("host", host), slog.Int("rows", len(b.rows)), slog.Int("tries", b.tries), slog.Any("error", err),
	}
}

// deliver makes one try at a batch. An address must pass its check before it gets anything.
func (o *outbox) deliver(ctx context.Context, b *batch) error {
	if err := o.check(ctx); err != nil {
		return fmt.Errorf("address check: %w", err)
	}
	body := engagelab.CallbackBatch{Total: len(b.rows), Rows: make([]engagelab.CallbackRow, len(b.rows))}
	for i, r := range b.rows {
		body.Rows[i] = r.write()
	}
	_, err := o.post(ctx, body)
	return err
}

func (o *outbox) check(ctx context.Context) error {
	o.mu.Lock()
	verified := o.verified
	o.mu.Unlock()
	if verified {
		return nil
	}
	echo := strconv.Itoa(10_000_000 + rand.IntN(90_000_000))
	answer, err := o.post(ctx, map[string]string{"echostr": echo})
	if err == nil && string(answer) != echo {
		err = fmt.Errorf("the answer is not %s", echo)
	}
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.verified = true
	return nil
}

// post sends one signed request. Any answer but 200 and 204 is a failure.
func (o *outbox) post(ctx context.Context, content any) (answer []byte, err error) {
	body, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callbackTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, o.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	o.s.sign(request)
	response, err := o.s.client.Do(request)
	if err != nil {
		if where := (*url.Error)(nil); errors.As(err, &where) {
			err = where.Err // without the address
		}
		return nil, err
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(response.Body, maxEcho))
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusNoContent {
		return nil, fmt.Errorf("HTTP %d", response.StatusCode)
	}
	return answer, err
}

// sign adds the callback signature, if there are credentials for it. Its timestamp is in real time, as the network is:
// the receiver's clock need not run as fast as the devices live.
func (s *Sandbox) sign(request *http.Request) {
	by := s.cfg.Callback
	if by.Username == "" {
		return
	}
	signature := engagelab.Signature{
		Timestamp: strconv.FormatInt(clockwork.NewRealClock().Now().Unix(), 10),
		Nonce:     strconv.FormatUint(rand.Uint64(), 10),
		Username:  by.Username,
	}
	signature.Signature = engagelab.Sign(by.Secret, signature.Timestamp, signature.Nonce, by.Username)
	request.Header.Set(engagelab.SignatureHeader, signature.Header())
}

// write turns a row into what EngageLab reports.
func (r row) write() engagelab.CallbackRow {
	m := r.receipt.message
	written := engagelab.CallbackRow{
		MessageID:  m.msgID(),
		To:         r.receipt.device.id,
		Server:     "AppPush",
		Channel:    m.channel(),
		CustomArgs: m.customArgs,
		ITime:      r.receipt.at[r.milestone] / int64(time.Second),
		Status:     engagelab.CallbackStatus{MessageStatus: r.milestone.status()},
	}
	if r.milestone == failed {
		written.Status.ErrorCode = codeDeadToken
		written.Status.ErrorDetail.Message = textDeadToken
		written.Status.Loss.LossSource = m.channel()
	}
	return written
}
