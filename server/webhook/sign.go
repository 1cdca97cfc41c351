package webhook

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/server/subscription"
)

// sign adds the headers that say which request it is, and that it is Susul's: X-CALLBACK-ID as EngageLab signs its callbacks, by
// the oldest secret, and those of Standard Webhooks, with a signature by each. So a receiver that knows only the secret from before a
// rotation goes on working until that ends. Without secrets nothing is signed. Names are spelled as they are documented, because some
// receivers look them up letter by letter.
func sign(header http.Header, r *Request) {
	header[standardwebhooks.HeaderWebhookID] = []string{r.ID}
	header[standardwebhooks.HeaderWebhookTimestamp] = []string{strconv.FormatInt(r.Time.Unix(), 10)}
	if len(r.Secrets) == 0 {
		return
	}
	username := r.Username
	if username == "" {
		username = subscription.DefaultUsername
	}
	header[engagelab.SignatureHeader] = []string{callbackID(r.Secrets[len(r.Secrets)-1], username, r.Time)}
	header[standardwebhooks.HeaderWebhookSignature] = []string{signatures(r)}
}

// callbackID is the value of X-CALLBACK-ID.
func callbackID(secret, username string, at time.Time) string {
	s := engagelab.Signature{Timestamp: strconv.FormatInt(at.Unix(), 10), Nonce: engagelab.NewNonce(secret), Username: username}
	s.Signature = engagelab.Sign(secret, s.Timestamp, s.Nonce, s.Username)
	return s.Header()
}

// signatures is the value of webhook-signature.
func signatures(r *Request) string {
	all := make([]string, len(r.Secrets))
	for i, secret := range r.Secrets {
		all[i], _ = signer(secret).Sign(r.ID, r.Time, r.Body) // it never fails
	}
	return strings.Join(all, " ")
}

// signer signs with a secret. One that begins with whsec_ is a key in base64; of any other its bytes are the key, and of one that
// is no base64 after all, too.
func signer(secret string) *standardwebhooks.Webhook {
	if strings.HasPrefix(secret, subscription.SecretPrefix) {
		if hook, err := standardwebhooks.NewWebhook(secret); err == nil {
			return hook
		}
	}
	hook, _ := standardwebhooks.NewWebhookRaw([]byte(secret)) // it never fails
	return hook
}
