// Package signatures shows how a service checks that what it was sent is Susul's. It is there to be copied: docs/relay.md has it, and
// the same in Python, signatures.py.
package signatures

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// tolerance is how old a signature may be, and how far ahead of this machine's clock.
const tolerance = 5 * time.Minute

// Verify returns an error unless a request was signed with the secret within the last five minutes. The signature covers the
// webhook-id, the time and the body.
func Verify(header http.Header, body []byte, secret string) error {
	webhook, err := standardwebhooks.NewWebhookRaw([]byte(secret))
	if strings.HasPrefix(secret, "whsec_") { // a key in base64
		webhook, err = standardwebhooks.NewWebhook(secret)
	}
	if err != nil {
		return err
	}
	return webhook.Verify(body, header)
}

// VerifyCallbackID returns an error unless X-CALLBACK-ID was made by the user with the secret within the last five minutes: what
// receivers of EngageLab's own callbacks check already. It does not cover the body.
func VerifyCallbackID(header http.Header, username, secret string, now time.Time) error {
	fields := map[string]string{}
	for _, part := range strings.Split(header.Get("X-CALLBACK-ID"), ";") {
		key, value, _ := strings.Cut(part, "=")
		fields[key] = value
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(fields["timestamp"] + fields["nonce"] + fields["username"]))
	want := hex.EncodeToString(mac.Sum(nil))
	if fields["username"] != username || !hmac.Equal([]byte(fields["signature"]), []byte(want)) {
		return errors.New("X-CALLBACK-ID: wrong signature")
	}
	seconds, err := strconv.ParseInt(fields["timestamp"], 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > tolerance {
		return errors.New("X-CALLBACK-ID: not made lately")
	}
	return nil
}
