package callback

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	callbackIDHeader = "X-CALLBACK-ID"
	idHeader         = "webhook-id"
	timestampHeader  = "webhook-timestamp"
	signatureHeader  = "webhook-signature"

	tolerance = 5 * time.Minute // before and after now
	keyPrefix = "whsec_"        // of a secret that is a key in base64
	version   = "v1,"
)

// verify tells why a request is not Susul's.
func (v Verifier) verify(header http.Header, body []byte) error {
	if len(v.Secrets) == 0 || slices.Contains(v.Secrets, "") {
		return errors.New("callbacks can't be verified: give at least one secret, and none that is empty")
	}
	for _, name := range []string{callbackIDHeader, idHeader, timestampHeader, signatureHeader} {
		if header.Get(name) == "" {
			return fmt.Errorf("%w: %s", ErrMissingHeader, name)
		}
	}
	of, err := parseCallbackID(header.Get(callbackIDHeader))
	if err != nil {
		return err
	}
	for _, timestamp := range []string{of.timestamp, header.Get(timestampHeader)} {
		if err := v.isFresh(timestamp); err != nil {
			return err
		}
	}
	signatures := strings.Fields(header.Get(signatureHeader))
	content := append([]byte(header.Get(idHeader)+"."+header.Get(timestampHeader)+"."), body...)
	if !v.signed(signatures, content) {
		return fmt.Errorf("%w: %s", ErrWrongSignature, signatureHeader)
	}
	if !hmac.Equal([]byte(of.username), []byte(v.Username)) {
		return fmt.Errorf("%w: %s has another user name", ErrWrongSignature, callbackIDHeader)
	}
	// While a secret is being changed there are several signatures of the body, and X-CALLBACK-ID, which has room for one and covers no
	// body, is by the newer secret: it need not be known here yet.
	if len(signatures) == 1 && !v.signedCallbackID(of) {
		return fmt.Errorf("%w: %s", ErrWrongSignature, callbackIDHeader)
	}
	return nil
}

func (v Verifier) isFresh(timestamp string) error {
	seconds, err := strconv.ParseUint(timestamp, 10, 48)
	if err != nil {
		return fmt.Errorf("%w: a timestamp is no number of seconds", ErrMalformedHeader)
	}
	now := time.Now
	if v.Now != nil {
		now = v.Now
	}
	if age := now().Sub(time.Unix(int64(seconds), 0)).Truncate(time.Second); age.Abs() > tolerance {
		return ErrStale
	}
	return nil
}

// signed tells whether one of the signatures of Standard Webhooks is by one of the secrets. It takes as long whichever it is.
func (v Verifier) signed(signatures []string, content []byte) bool {
	good := false
	for _, secret := range v.Secrets {
		expected := version + base64.StdEncoding.EncodeToString(mac(key(secret), content))
		for _, signature := range signatures {
			good = hmac.Equal([]byte(signature), []byte(expected)) || good
		}
	}
	return good
}

func (v Verifier) signedCallbackID(of callbackID) bool {
	signature, err := hex.DecodeString(of.signature)
	if err != nil {
		return false
	}
	good := false
	for _, secret := range v.Secrets {
		good = hmac.Equal(signature, mac([]byte(secret), []byte(of.timestamp+of.nonce+of.username))) || good
	}
	return good
}

func mac(key, content []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write(content) // it never fails
	return m.Sum(nil)
}

// key returns what a secret stands for in Standard Webhooks: its base64's bytes, or else its own.
func key(secret string) []byte {
	if text, ok := strings.CutPrefix(secret, keyPrefix); ok {
		if key, err := base64.StdEncoding.DecodeString(text); err == nil {
			return key
		}
	}
	return []byte(secret)
}

// callbackID is what X-CALLBACK-ID has.
type callbackID struct {
	timestamp, nonce, username, signature string
}

// parseCallbackID reads its parts, in whatever order; others are ignored.
func parseCallbackID(header string) (callbackID, error) {
	parts := map[string]string{}
	for part := range strings.SplitSeq(header, ";") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if _, twice := parts[name]; !ok || twice {
			return callbackID{}, fmt.Errorf("%w: %s has a part that is none, or is there twice", ErrMalformedHeader, callbackIDHeader)
		}
		parts[name] = value
	}
	of := callbackID{parts["timestamp"], parts["nonce"], parts["username"], parts["signature"]}
	if of.timestamp == "" || of.nonce == "" || of.username == "" || of.signature == "" {
		return callbackID{}, fmt.Errorf("%w: %s lacks a part", ErrMalformedHeader, callbackIDHeader)
	}
	return of, nil
}
