package engagelab

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
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

// NewNonce makes up the nonce of a signature that Susul makes itself, with the secret by which it also knows EngageLab: nine random
// digits, the first of which is no 0, for to some receivers it is a number, and six that follow from these and the secret. Whoever got
// such a signature could bring it back with a body of his own, as if it were EngageLab's. By the six digits it is known.
func NewNonce(secret string) string {
	const least = 100_000_000
	var random [8]byte
	_, _ = rand.Read(random[:]) // it never fails
	first := strconv.FormatUint(least+binary.NativeEndian.Uint64(random[:])%(9*least), 10)
	return first + ownDigits(secret, first)
}

// ownNonce is the length of NewNonce's.
const ownNonce = 15

// Own reports whether the signature, which must be verified, is one that Susul made itself, with a NewNonce. Of a million other nonces
// as long one seems to be, too.
func (s Signature) Own(secret string) bool {
	signed := s.Timestamp + s.Nonce // wherever it is said that one ends
	if len(signed) < ownNonce {
		return false
	}
	nonce := signed[len(signed)-ownNonce:]
	return nonce[9:] == ownDigits(secret, nonce[:9])
}

func ownDigits(secret, first string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("own nonce " + first))
	return fmt.Sprintf("%06d", binary.BigEndian.Uint64(mac.Sum(nil))%1_000_000)
}

// Header writes the signature as the value of SignatureHeader. No field may hold a semicolon.
func (s Signature) Header() string {
	return "timestamp=" + s.Timestamp + ";nonce=" + s.Nonce + ";username=" + s.Username + ";signature=" + s.Signature
}
