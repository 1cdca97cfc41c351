package engagelab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/jonboulle/clockwork"
)

// DefaultBaseURL is EngageLab's data centre in Singapore.
const DefaultBaseURL = "https://pushapi-sgp.engagelab.com"

// CIDValidity is how long EngageLab recognises a cid, by its documentation on avoiding duplicate pushes. A request that is repeated
// later is sent again.
const CIDValidity = time.Hour

// GroupUserPrefix stands before a group's key in the user name of its credentials.
const GroupUserPrefix = "group-"

// DefaultRequestsPerSecond is what EngageLab grants an app key unless agreed otherwise.
const DefaultRequestsPerSecond = 500

// ClientOptions says whom a Client speaks to and as whom.
type ClientOptions struct {
	BaseURL      string // of the app's data centre; DefaultBaseURL if empty
	AppKey       string
	MasterSecret string
	Clock        clockwork.Clock // the quota's time; the real clock if nil
	HTTP         *http.Client    // nil: a client of its own. Redirects are not followed either way.
	// RequestsPerSecond is the app's quota; 0 means DefaultRequestsPerSecond.
	RequestsPerSecond float64
	// AttemptTimeout bounds one attempt, in real time; 0 means 5 s.
	AttemptTimeout time.Duration
	Logger         *slog.Logger // discards if nil; secrets and documents are never logged
}

// Client calls EngageLab's REST API for one app, within the app's quota. It is safe for concurrent use.
//
// Refusals are *Error, as EngageLab wrote them. A call that would have to wait for quota beyond its context's deadline
// fails at once with ErrOverQuota. Calls under a Yielding context go after all others. Ambiguous tells whether a failed request
// may nevertheless have taken effect.
type Client struct {
	base           string
	appKey, secret string
	http           *http.Client
	quota          *quota
	attemptTimeout time.Duration
	retry          failsafe.Executor[[]byte]
}

// NewClient returns a Client; it does no I/O yet.
func NewClient(o ClientOptions) *Client {
	if o.BaseURL == "" {
		o.BaseURL = DefaultBaseURL
	}
	if o.Clock == nil {
		o.Clock = clockwork.NewRealClock()
	}
	if o.RequestsPerSecond <= 0 {
		o.RequestsPerSecond = DefaultRequestsPerSecond
	}
	if o.AttemptTimeout <= 0 {
		o.AttemptTimeout = 5 * time.Second
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{Transport: newTransport(o.AttemptTimeout)}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	own := *o.HTTP
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{
		base:           strings.TrimRight(o.BaseURL, "/"),
		appKey:         o.AppKey,
		secret:         o.MasterSecret,
		http:           &own,
		quota:          newQuota(o.Clock, o.RequestsPerSecond),
		attemptTimeout: o.AttemptTimeout,
		retry:          failsafe.With[[]byte](newRetryPolicy(o.Logger.With("app_key", o.AppKey))),
	}
}

// SetRequestsPerSecond changes the app's quota, which must be above 0. Calls that wait for their units go on by the new one.
func (c *Client) SetRequestsPerSecond(quota float64) { c.quota.setRate(quota) }

func newTransport(answerTimeout time.Duration) *http.Transport {
	dialer := &net.Dialer{Timeout: 3 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		ForceAttemptHTTP2:     true,
		TLSHandshakeTimeout:   3 * time.Second,
		ResponseHeaderTimeout: answerTimeout,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConns:          64,
		MaxIdleConnsPerHost:   64,
		MaxConnsPerHost:       256,
	}
}

// newRetryPolicy retries what an attempt marked as worth it. The waits between attempts are real time, as the network is.
func newRetryPolicy(logger *slog.Logger) retrypolicy.RetryPolicy[[]byte] {
	const jitter = 0.25
	return retrypolicy.NewBuilder[[]byte]().
		HandleIf(func(_ []byte, err error) bool { return errors.As(err, new(*again)) }).
		WithMaxAttempts(maxAttempts).
		WithBackoff(firstPause, maxPause).
		WithJitterFactor(jitter).
		WithDelayFunc(func(e failsafe.ExecutionAttempt[[]byte]) time.Duration {
			var worth *again
			if !errors.As(e.LastError(), &worth) || worth.after == 0 {
				return -1 // the backoff decides
			}
			// Jitter may take a quarter off; what EngageLab asked for must remain.
			return time.Duration(float64(worth.after) / (1 - jitter))
		}).
		OnRetryScheduled(func(e failsafe.ExecutionScheduledEvent[[]byte]) {
			logger.Debug("engagelab call is repeated", "attempt", e.Attempts(), "after", e.Delay, "error", e.LastError())
		}).
		ReturnLastFailure().
		Build()
}

// Close closes idle connections. Calls still under way end as they would have.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Push sends a push document. It is safe to repeat because every document carries an options.cid, by which EngageLab
// recognises a push that it already has.
func (c *Client) Push(ctx context.Context, document []byte) (PushResponse, error) {
	pushed, err := decode[PushResponse](c.do(ctx, call{method: http.MethodPost, path: "/v4/push", body: document}))
	if err == nil && pushed.MsgID == "" {
		err = &ambiguous{errors.New("engagelab: the answer to a push has no msg_id")}
	}
	return pushed, err
}

// Validate has EngageLab check a push document; nothing is sent.
func (c *Client) Validate(ctx context.Context, document []byte) (PushResponse, error) {
	return decode[PushResponse](c.do(ctx, call{method: http.MethodPost, path: "/v4/push/validate", body: document}))
}

// Withdraw takes back a message that is younger than 24 hours. EngageLab allows it once for each message, so a repeat
// after an ambiguous failure can be refused although the message is withdrawn.
func (c *Client) Withdraw(ctx context.Context, msgID string) (PushResponse, error) {
	path := "/v4/push/withdraw/" + url.PathEscape(msgID)
	return decode[PushResponse](c.do(ctx, call{method: http.MethodDelete, path: path}))
}

// BatchKind says what a batch's targets are.
type BatchKind string

// The two kinds of batch-single push.
const (
	BatchRegID BatchKind = "regid"
	BatchAlias BatchKind = "alias"
)

// BatchPush sends a batch-single document with the given number of targets, each of which costs a unit of quota. It is safe
// to repeat because every request in it carries an options.cid, by which EngageLab recognises it target by target; BuildBatch
// sees to that. A success may be a partial one: each target has its own result.
func (c *Client) BatchPush(ctx context.Context, kind BatchKind, document []byte, targets int) (BatchResponse, error) {
	if kind != BatchRegID && kind != BatchAlias {
		return BatchResponse{}, fmt.Errorf("engagelab: unknown kind of batch %q", kind)
	}
	return decode[BatchResponse](c.do(ctx, call{
		method: http.MethodPost, path: "/v4/batch/push/" + string(kind), body: document, units: targets,
	}))
}

// GroupPush sends a push document to every app of a group; the client's credentials are the group's. The answer has a
// member for each app, with its msg_id or its error, and group_msgid. After an ambiguous failure it is not repeated.
func (c *Client) GroupPush(ctx context.Context, document []byte) (map[string]json.RawMessage, error) {
	return decode[map[string]json.RawMessage](c.do(ctx, call{
		method: http.MethodPost, path: "/v4/grouppush", body: document, sendOnce: true,
	}))
}

// MaxStatusIDs is how many messages a call for statistics takes, and how many devices StatusMessage may be asked about: for
// these EngageLab documents no limit, but a query must not grow without one.
const MaxStatusIDs = 100

// StatusDetail returns the statistics of up to 100 messages, keyed by message id. Unknown ids are missing.
func (c *Client) StatusDetail(ctx context.Context, messageIDs []string) (map[string]StatusDetail, error) {
	query := url.Values{"message_ids": {strings.Join(messageIDs, ",")}}
	return decode[map[string]StatusDetail](c.do(ctx, call{
		method: http.MethodGet, path: "/v4/status/detail", query: query,
	}))
}

// StatusBatch returns the states of up to 100 messages, as EngageLab wrote them. Unknown ids are missing.
func (c *Client) StatusBatch(ctx context.Context, messageIDs []string) ([]json.RawMessage, error) {
	query := url.Values{"message_ids": {strings.Join(messageIDs, ",")}}
	return decode[[]json.RawMessage](c.do(ctx, call{
		method: http.MethodGet, path: "/v4/status/batch/message", query: query,
	}))
}

// StatusMessage returns how far one message came on up to 100 devices, keyed by registration_id.
func (c *Client) StatusMessage(ctx context.Context, messageID string, registrationIDs []string) (map[string]StatusMessage, error) {
	query := url.Values{"message_id": {messageID}, "registration_ids": {strings.Join(registrationIDs, ",")}}
	return decode[map[string]StatusMessage](c.do(ctx, call{
		method: http.MethodGet, path: "/v4/status/message", query: query,
	}))
}

// DeleteDevice has EngageLab forget a device with all that belongs to it; the device comes back when its app is opened
// again. One that EngageLab does not know is forgotten already.
func (c *Client) DeleteDevice(ctx context.Context, registrationID string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: "/v4/devices/" + url.PathEscape(registrationID)})
	var refused *Error
	if errors.As(err, &refused) && refused.HTTPStatus == http.StatusNotFound {
		return nil
	}
	return err
}

// decode reads a successful answer. One that cannot be read is ambiguous: EngageLab did accept the request.
func decode[T any](body []byte, err error) (T, error) {
	var answer T
	if err != nil {
		return answer, err
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return answer, &ambiguous{fmt.Errorf("engagelab: unreadable answer: %w", err)}
	}
	return answer, nil
}
