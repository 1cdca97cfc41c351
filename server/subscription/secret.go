package subscription

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"time"
)

// SecretPrefix marks a secret whose rest is the base64 of a key, as Standard Webhooks has it.
const SecretPrefix = "whsec_"

// newKey is the size of keys that are made up, in bytes.
const newKey = 32

// Secret signs what is posted. It must not be logged; what formats it gets "[redacted]".
type Secret struct {
	Key string `json:"key"`
	// ExpireTime is when it ends; zero for never.
	ExpireTime time.Time `json:"expire_time,omitzero"`
}

// Format writes "[redacted]" for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }

// NewSecret makes up a secret: "whsec_" and the base64 of 32 random bytes.
func NewSecret() string {
	key := make([]byte, newKey)
	_, _ = rand.Read(key) // it never fails
	return SecretPrefix + base64.StdEncoding.EncodeToString(key)
}

// Live returns the secrets that are good at a time, the newest first.
func (s Subscription) Live(now time.Time) []string {
	keys := make([]string, 0, len(s.Secrets))
	for _, secret := range s.Secrets {
		if secret.ExpireTime.IsZero() || now.Before(secret.ExpireTime) {
			keys = append(keys, secret.Key)
		}
	}
	return keys
}

// rotated returns the secrets after a new one was made up: it, and the newest of those before until it expires.
func rotated(secrets []Secret, now time.Time, keepPrevious time.Duration) []Secret {
	next := []Secret{{Key: NewSecret()}}
	if keepPrevious > 0 && len(secrets) > 0 {
		next = append(next, Secret{Key: secrets[0].Key, ExpireTime: now.Add(keepPrevious)})
	}
	return next
}
