package engagelab

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// SignatureHeader is the header that carries a callback's signature.
const SignatureHeader = "X-CALLBACK-ID"

// maxSignatureHeader bounds the header's length in bytes.
const maxSignatureHeader = 1024

// ErrMalformedSignature is returned for a header that does not hold a signature.
var ErrMalformedSignature = errors.New("malformed callback signature")

// Signature is what EngageLab signs a callback with. It covers neither the body nor the address, nor where its timestamp
// ends and its nonce begins: what was signed is Timestamp and Nonce together. How old it may be is not checked here.
type Signature struct {
	// Timestamp is in seconds or milliseconds since the epoch, as it was written; Time reads it.
	Timestamp string
	Nonce     string
	Username  string
	// Signature is the lower-case hex of an HMAC-SHA256.
	Signature string
}

// Sign computes the signature's value: HMAC-SHA256 over timestamp, nonce and username, in lower-case hex.
func Sign(secret, timestamp, nonce, username string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + nonce + username))
	return hex.EncodeToString(mac.Sum(nil))
}

// ParseSignature reads "timestamp=…;nonce=…;username=…;signature=…" in any order. Unknown keys are ignored; a key that
// is missing, empty or there twice gives ErrMalformedSignature.
func ParseSignature(header string) (Signature, error) {
	if len(header) > maxSignatureHeader {
		return Signature{}, fmt.Errorf("%w: longer than %d bytes", ErrMalformedSignature, maxSignatureHeader)
	}
	var s Signature
	for part := range strings.SplitSeq(header, ";") {
		key, value, _ := strings.Cut(part, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		field := s.field(key)
		if field == nil {
			continue
		}
		if *field != "" || value == "" {
			return Signature{}, fmt.Errorf("%w: %s is empty or there twice", ErrMalformedSignature, key)
		}
		*field = value
	}
	for _, key := range []string{"timestamp", "nonce", "username", "signature"} {
		if *s.field(key) == "" {
			return Signature{}, fmt.Errorf("%w: %s is missing", ErrMalformedSignature, key)
		}
	}
	return s, nil
}

// field returns the field of a key, nil if there is none.
func (s *Signature) field(key string) *string {
	switch key {
	case "timestamp":
		return &s.Timestamp
	case "nonce":
		return &s.Nonce
	case "username":
		return &s.Username
	case "signature":
		return &s.Signature
	}
	return nil
}

// Time returns when the callback was signed, or ErrMalformedSignature if Timestamp is no time.
func (s Signature) Time() (time.Time, error) {
	n, err := strconv.ParseUint(s.Timestamp, 10, 63)
	if err != nil || n == 0 {
		return time.Time{}, fmt.Errorf("%w: timestamp is no time since the epoch", ErrMalformedSignature)
	}
	return FromEpoch(int64(n)), nil
}

// Verify reports whether the signature was made by username with secret. It takes the same time either way.
func (s Signature) Verify(username, secret string) bool {
	want := Sign(secret, s.Timestamp, s.Nonce, username)
	sameUser := subtle.ConstantTimeCompare([]byte(s.Username), []byte(username))
	sameSum := subtle.ConstantTimeCompare([]byte(strings.ToLower(s.Signature)), []byte(want))
	return sameUser&sameSum == 1
}

// Header writes the signature as the value of SignatureHeader. No field may hold a semicolon.
func (s Signature) Header() string {
	return "timestamp=" + s.Timestamp + ";nonce=" + s.Nonce + ";username=" + s.Username + ";signature=" + s.Signature
}
