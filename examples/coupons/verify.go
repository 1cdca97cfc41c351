package main

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"susul.dev/susul/server/engagelab"
)

// username is the name in X-CALLBACK-ID, unless the subscription has another one.
const username = "susul"

// verify demands both signatures, each by one of the secrets. webhook-signature covers the body and may be 5 minutes old;
// X-CALLBACK-ID, which is EngageLab's own, does neither, and would not do alone. While a secret is rotated two are live: Susul signs
// with both where there is room, and with the old one in X-CALLBACK-ID.
func verify(secrets []string, header http.Header, body []byte) error {
	signature, err := engagelab.ParseSignature(header.Get(engagelab.SignatureHeader))
	if err != nil || !slices.ContainsFunc(secrets, func(secret string) bool { return signature.Verify(username, secret) }) {
		return errors.New("X-CALLBACK-ID is not by a secret that is known here")
	}
	if !slices.ContainsFunc(secrets, func(secret string) bool { return signed(secret, header, body) }) {
		return errors.New("webhook-signature is not by a secret that is known here, or too old")
	}
	return nil
}

// signed reports whether one of the signatures in webhook-signature is by a secret.
func signed(secret string, header http.Header, body []byte) bool {
	newWebhook := standardwebhooks.NewWebhook // of a secret in base64
	if !strings.HasPrefix(secret, "whsec_") {
		newWebhook = func(secret string) (*standardwebhooks.Webhook, error) {
			return standardwebhooks.NewWebhookRaw([]byte(secret))
		}
	}
	hook, err := newWebhook(secret)
	return err == nil && hook.Verify(body, header) == nil
}
