package clients_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/engagelab"
)

var update = flag.Bool("update", false, "write callback_vectors.json anew")

// Why a callback is refused, as callback_vectors.json names it.
const (
	missingHeader   = "MISSING_HEADER"
	malformedHeader = "MALFORMED_HEADER"
	stale           = "STALE"
	wrongSignature  = "WRONG_SIGNATURE"
	malformedBody   = "MALFORMED_BODY"
)

// What most vectors have in common.
const (
	vectorNow      = 1_790_000_000
	vectorUsername = "susul"
	vectorSecret   = "a-secret-of-the-receiver"
	olderSecret    = "the-secret-before-that-one"
	keySecret      = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

	// The spaces and what is not ASCII would not survive being parsed and written again.
	vectorBody = `{"total": 2, "rows": [ {"message_id":"7340001","from":"news","to":"device-1","server":"AppPush","channel":"FCM",` +
		`"custom_args":{"kind":"news"},"itime":1789999990,"status":{"message_status":"delivered","status_data":{},"error_code":0,` +
		`"error_detail":{"message":""},"loss":{"loss_source":""}},"susul":{"event_id":"9007199254740993","step":0,"variant":"",` +
		`"upstream_id":"18100512"}},{"message_id":"7340001","from":"news","to":"d\u00e9vice-2 – ü","server":"AppPush","channel":"",` +
		`"custom_args":"a string","itime":1789999991,"status":{"message_status":"target_invalid","status_data":{},"error_code":3007,` +
		`"error_detail":{"message":"NotRegistered"},"loss":{"loss_source":"FCM"}},"susul":{"event_id":"9007199254740994","step":2,` +
		`"variant":"b","upstream_id":"18100513"}}]}` + "\n"
)

// vectors is what callback_vectors.json holds.
type vectors struct {
	Vectors []*vector `json:"vectors"`
}

// vector is one callback, and what a client makes of it: rows or an error.
type vector struct {
	Name     string            `json:"name"`
	Now      int64             `json:"now"`
	Username string            `json:"username"`
	Secrets  []string          `json:"secrets"`
	Headers  map[string]string `json:"headers"`
	Body     string            `json:"body"`
	Rows     []map[string]any  `json:"rows,omitempty"`
	Error    string            `json:"error,omitempty"`
}

// callback is what is signed, and how.
type callback struct {
	body                   string
	username               string
	callbackSecret         string   // of X-CALLBACK-ID
	webhookSecrets         []string // of webhook-signature
	asText                 bool     // keys are not read from base64
	callbackTime, hookTime int64
}

func ordinary() callback {
	return callback{
		body: vectorBody, username: vectorUsername, callbackSecret: vectorSecret, webhookSecrets: []string{vectorSecret},
		callbackTime: vectorNow - 2, hookTime: vectorNow - 2,
	}
}

func (c callback) headers(t *testing.T) map[string]string {
	t.Helper()
	const id, nonce = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", "481216317530143"
	signed := engagelab.Signature{Timestamp: strconv.FormatInt(c.callbackTime, 10), Nonce: nonce, Username: c.username}
	signed.Signature = engagelab.Sign(c.callbackSecret, signed.Timestamp, signed.Nonce, signed.Username)
	var signatures []string
	for _, secret := range c.webhookSecrets {
		hook, err := standardwebhooks.NewWebhookRaw([]byte(secret))
		if strings.HasPrefix(secret, "whsec_") && !c.asText {
			hook, err = standardwebhooks.NewWebhook(secret)
		}
		require.NoError(t, err)
		signature, err := hook.Sign(id, time.Unix(c.hookTime, 0), []byte(c.body))
		require.NoError(t, err)
		signatures = append(signatures, signature)
	}
	return map[string]string{
		"X-CALLBACK-ID": signed.Header(), "webhook-id": id, "webhook-timestamp": strconv.FormatInt(c.hookTime, 10),
		"webhook-signature": strings.Join(signatures, " "),
	}
}

// The vectors that every client's verification of callbacks is tested with are what Susul's own signatures make.
func TestCallbackVectorsAreWhatSusulSigns(t *testing.T) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	require.NoError(t, encoder.Encode(vectors{append(taken(t), refused(t)...)}))
	if *update {
		require.NoError(t, os.WriteFile("callback_vectors.json", text.Bytes(), 0o644))
	}
	stored, err := os.ReadFile("callback_vectors.json")
	require.NoError(t, err)
	require.Equal(t, text.String(), string(stored), "go test ./clients -run Vectors -update writes it anew")
}

// makeVector returns the vector of a callback, for a receiver that knows vectorSecret.
func makeVector(t *testing.T, name string, c callback) *vector {
	t.Helper()
	return &vector{
		Name: name, Now: vectorNow, Username: vectorUsername, Secrets: []string{vectorSecret}, Headers: c.headers(t), Body: c.body,
	}
}

// bothRows is what is to be read of vectorBody.
func bothRows() []map[string]any {
	return []map[string]any{
		{
			"message_id": "7340001", "from": "news", "to": "device-1", "channel": "FCM", "itime": 1789999990,
			"custom_args": map[string]any{"kind": "news"},
			"status":      map[string]any{"message_status": "delivered", "error_code": 0},
			"susul":       map[string]any{"event_id": "9007199254740993", "step": 0, "variant": "", "upstream_id": "18100512"},
		},
		{
			"to": "dévice-2 – ü", "custom_args": "a string",
			"status": map[string]any{
				"message_status": "target_invalid", "error_code": 3007,
				"error_detail": map[string]any{"message": "NotRegistered"}, "loss": map[string]any{"loss_source": "FCM"},
			},
			"susul": map[string]any{"event_id": "9007199254740994", "step": 2, "variant": "b"},
		},
	}
}

func taken(t *testing.T) (all []*vector) {
	t.Helper()
	add := func(name string, change func(*callback), known ...string) *vector {
		c := ordinary()
		if change != nil {
			change(&c)
		}
		v := makeVector(t, name, c)
		v.Rows = bothRows()
		if len(known) > 0 {
			v.Secrets = known
		}
		all = append(all, v)
		return v
	}
	add("valid", nil)
	add("in the form of Standard Webhooks", func(c *callback) {
		c.body = `{"type":"push.events","timestamp":"2026-09-21T15:33:18.5Z","data":` + strings.TrimSpace(vectorBody) + `}`
	})
	add("by the second of the secrets that are known", nil, olderSecret, vectorSecret)
	changing := func(c *callback) {
		c.callbackSecret, c.webhookSecrets = olderSecret, []string{vectorSecret, olderSecret}
	}
	add("by two secrets, both known", changing, vectorSecret, olderSecret)
	add("by two secrets, the newer known", changing)
	add("by two secrets, the older known", changing, olderSecret)
	add("by a key in base64", func(c *callback) { c.callbackSecret, c.webhookSecrets = keySecret, []string{keySecret} }, keySecret)
	add("as old as may be", func(c *callback) { c.callbackTime, c.hookTime = vectorNow-300, vectorNow-300 })
	add("as far ahead as may be", func(c *callback) { c.callbackTime, c.hookTime = vectorNow+300, vectorNow+300 })

	cased := add("names of headers in other letters", nil)
	spelled := map[string]string{}
	for name, value := range cased.Headers {
		spelled[map[string]string{
			"X-CALLBACK-ID": "x-callback-id", "webhook-id": "Webhook-Id", "webhook-timestamp": "Webhook-Timestamp",
			"webhook-signature": "WEBHOOK-SIGNATURE",
		}[name]] = value
	}
	cased.Headers = spelled

	reordered := add("parts of X-CALLBACK-ID in another order, with one that is new", nil)
	parts := strings.Split(reordered.Headers["X-CALLBACK-ID"], ";")
	reordered.Headers["X-CALLBACK-ID"] = parts[3] + "; " + parts[1] + ";version=2;" + parts[0] + ";" + parts[2]

	future := add("with a signature of a later version", nil)
	future.Headers["webhook-signature"] = "v2,bm90IG91cnM= " + future.Headers["webhook-signature"]

	unknown := add("with members and a status that are new", func(c *callback) {
		c.body = `{"version":2,"total":1,"rows":[{"message_id":"7340002","to":"device-1","priority":1,` +
			`"status":{"message_status":"pondered","mood":"good"},"susul":{"event_id":"17","step":11,"test":true}}]}`
	})
	unknown.Rows = []map[string]any{{
		"message_id": "7340002", "status": map[string]any{"message_status": "pondered"},
		"susul": map[string]any{"event_id": "17", "step": 11, "test": true},
	}}
	return all
}

func refused(t *testing.T) (all []*vector) {
	t.Helper()
	add := func(name, why string, change func(*callback), known ...string) *vector {
		c := ordinary()
		if change != nil {
			change(&c)
		}
		v := makeVector(t, name, c)
		v.Error = why
		if len(known) > 0 {
			v.Secrets = known
		}
		all = append(all, v)
		return v
	}
	for _, name := range []string{"X-CALLBACK-ID", "webhook-id", "webhook-timestamp", "webhook-signature"} {
		delete(add("without "+name, missingHeader, nil).Headers, name)
	}
	tampered := add("another body", wrongSignature, nil)
	tampered.Body = strings.Replace(tampered.Body, "delivered", "click", 1)
	add("another message's id", wrongSignature, nil).Headers["webhook-id"] = "msg_another"
	add("secrets that are not known", wrongSignature, nil, "quite-another-secret")
	add("another user name", wrongSignature, func(c *callback) { c.username = "somebody" })
	add("X-CALLBACK-ID by a secret that is not known", wrongSignature, func(c *callback) { c.callbackSecret = olderSecret })
	add("webhook-signature by a secret that is not known", wrongSignature,
		func(c *callback) { c.webhookSecrets = []string{olderSecret} })
	add("by two secrets, none of them known", wrongSignature,
		func(c *callback) { c.webhookSecrets = []string{vectorSecret, olderSecret} }, "quite-another-secret")
	add("by the text of a key in base64", wrongSignature, func(c *callback) {
		c.callbackSecret, c.webhookSecrets, c.asText = keySecret, []string{keySecret}, true
	}, keySecret)
	version := add("by a version that is not known", wrongSignature, nil)
	version.Headers["webhook-signature"] = strings.Replace(version.Headers["webhook-signature"], "v1,", "v2,", 1)
	add("an empty signature", wrongSignature, nil).Headers["webhook-signature"] = "v1,"

	add("too old", stale, func(c *callback) { c.callbackTime, c.hookTime = vectorNow-301, vectorNow-301 })
	add("too far ahead", stale, func(c *callback) { c.callbackTime, c.hookTime = vectorNow+301, vectorNow+301 })
	add("X-CALLBACK-ID too old", stale, func(c *callback) { c.callbackTime = vectorNow - 301 })
	add("webhook-timestamp too old", stale, func(c *callback) { c.hookTime = vectorNow - 301 })

	add("X-CALLBACK-ID that is none", malformedHeader, nil).Headers["X-CALLBACK-ID"] = "susul"
	twice := add("X-CALLBACK-ID with a user name twice", malformedHeader, nil)
	twice.Headers["X-CALLBACK-ID"] += ";username=susul"
	partial := add("X-CALLBACK-ID without a signature", malformedHeader, nil)
	partial.Headers["X-CALLBACK-ID"], _, _ = strings.Cut(partial.Headers["X-CALLBACK-ID"], ";signature=")
	add("webhook-timestamp that is no number", malformedHeader, nil).Headers["webhook-timestamp"] = "1790000000s"

	add("a body that is no JSON", malformedBody, func(c *callback) { c.body = "rows" })
	add("a body that is no object", malformedBody, func(c *callback) { c.body = "[]" })
	add("a body without rows", malformedBody, func(c *callback) { c.body = `{"type":"push.events","data":{"total":1}}` })
	add("a row that is no object", malformedBody, func(c *callback) { c.body = `{"total":1,"rows":["row"]}` })
	return all
}
