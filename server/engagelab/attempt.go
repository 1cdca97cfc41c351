package engagelab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"
)

const (
	maxAttempts   = 3
	firstPause    = 100 * time.Millisecond // before the second attempt, doubled before the third
	maxPause      = time.Second
	maxRetryAfter = 2 * time.Second // whoever asks for more is better served by a later call
	maxAnswer     = 1 << 20         // bytes
)

// call is one request, however often it is attempted.
type call struct {
	method, path string
	query        url.Values
	body         []byte
	units        int  // of quota; 0 means 1
	sendOnce     bool // no repeat once EngageLab may have acted on it
}

// ambiguous marks a failure after which the request may have taken effect all the same.
type ambiguous struct{ error }

func (a *ambiguous) Unwrap() error { return a.error }

// Ambiguous reports whether the request that failed with err may nevertheless have reached EngageLab and taken effect:
// a network failure or a time-out after it was written, a 5xx, an answer that cannot be read. A 503 says that it was not
// taken.
func Ambiguous(err error) bool {
	var marked *ambiguous
	var refused *Error
	return errors.As(err, &marked) || errors.As(err, &refused) &&
		refused.HTTPStatus >= http.StatusInternalServerError && refused.HTTPStatus != http.StatusServiceUnavailable
}

// again marks a failure for the retry policy: another attempt is worth it, after the given time if EngageLab asked for
// one.
type again struct {
	error
	after time.Duration
}

// do makes the call, and repeats it while that is safe and the context's deadline allows it.
func (c *Client) do(ctx context.Context, what call) ([]byte, error) {
	var last error
	unsure := false
	body, err := c.retry.WithContext(ctx).Get(func() ([]byte, error) {
		body, err := c.attempt(ctx, what)
		if errors.Is(err, ErrOverQuota) && last != nil {
			return nil, last // it says more about what happened
		}
		last, unsure = err, unsure || Ambiguous(err)
		if after, worth := what.repeat(ctx, err); worth {
			return nil, &again{error: err, after: after}
		}
		return body, err
	})
	var marked *again
	switch {
	case err == nil:
		return body, nil
	case errors.As(err, &marked):
		err = marked.error
	case last != nil && !errors.Is(err, last):
		err = fmt.Errorf("%w (last failure: %w)", err, last) // the context ended between two attempts
	}
	return nil, settle(err, unsure)
}

// settle keeps the doubt that an earlier attempt left, unless EngageLab's last word is a plain refusal.
func settle(err error, unsure bool) error {
	var refused *Error
	if plain := errors.As(err, &refused) && !refused.Temporary(); !unsure || plain || Ambiguous(err) {
		return err
	}
	return &ambiguous{err}
}

// repeat says whether another attempt is worth it and how long EngageLab wants us to wait before it.
func (what call) repeat(ctx context.Context, err error) (after time.Duration, worth bool) {
	if err == nil || ctx.Err() != nil || errors.Is(err, ErrOverQuota) || what.sendOnce && Ambiguous(err) {
		return 0, false
	}
	var refused *Error
	if errors.As(err, &refused) {
		if !refused.Temporary() || refused.RetryAfter > maxRetryAfter {
			return 0, false
		}
		after = refused.RetryAfter
	}
	if left, limited := timeLeft(ctx); limited && left < max(after, firstPause) {
		return 0, false
	}
	return after, true
}

// timeLeft returns the time until the context's deadline, if it has one. Deadlines are real time, whatever clock is
// injected.
func timeLeft(ctx context.Context) (left time.Duration, limited bool) {
	deadline, limited := ctx.Deadline()
	return time.Until(deadline), limited //nolint:forbidigo // a context's deadline is real time
}

// attempt takes quota and makes one request. Each attempt has a time-out of its own.
func (c *Client) attempt(ctx context.Context, what call) ([]byte, error) {
	if err := c.quota.take(ctx, max(what.units, 1)); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.attemptTimeout)
	defer cancel()
	var written atomic.Bool
	request, err := c.request(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaders: func() { written.Store(true) },
	}), what)
	if err != nil {
		return nil, err
	}
	body, err := c.exchange(request)
	var refused *Error
	if err != nil && !errors.As(err, &refused) && written.Load() {
		return nil, &ambiguous{err}
	}
	return body, err
}

func (c *Client) request(ctx context.Context, what call) (*http.Request, error) {
	address := c.base + what.path
	if len(what.query) > 0 {
		address += "?" + what.query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, what.method, address, bytes.NewReader(what.body))
	if err != nil {
		return nil, fmt.Errorf("engagelab: %w", err)
	}
	if what.body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	request.SetBasicAuth(c.appKey, c.secret)
	return request, nil
}

// exchange makes the request and reads the answer's body, of which a success must fit into maxAnswer bytes.
func (c *Client) exchange(request *http.Request) ([]byte, error) {
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("engagelab: %w", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	switch {
	case answer.StatusCode < 200 || answer.StatusCode > 299:
		return nil, refusal(answer, body) // what could be read of it will do
	case err != nil:
		return nil, fmt.Errorf("engagelab: reading the answer: %w", err)
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("engagelab: the answer is longer than %d bytes", maxAnswer)
	}
	return body, nil
}
