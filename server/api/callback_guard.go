package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"net/netip"
	"time"

	"github.com/jonboulle/clockwork"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/engagelab"
)

// CallbackProof is what an app's callbacks must prove. All that is set must hold; what is not is not asked for.
type CallbackProof struct {
	Username, Secret string // of the signature
	Authorization    string // the header's value
	Networks         []netip.Prefix
}

// CallbackRules are what all apps' callbacks have in common.
type CallbackRules struct {
	// TrustedProxies are those whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// MaxAge is how old a signature may be, and MaxAhead how far ahead of the clock. Without MaxAge any time is taken.
	MaxAge, MaxAhead time.Duration
	// Nonces is how many signatures are remembered for each app; 0 for none.
	Nonces int
	// Clock is real time: signatures are made in it.
	Clock clockwork.Clock
}

// guard stands before an app's callbacks. EngageLab's signature says who posts, not what: the body is not covered. So a
// signature is taken for a limited time only, and for one body only. What was refused is counted and listed, and leaves
// nothing else behind.
//
//	enter: network ─► Authorization ─► signature ─► its age     then the body is read     bring: the signature's body
type guard struct {
	CallbackProof
	rules         CallbackRules
	authorization [sha256.Size]byte
	seed          maphash.Seed
	nonces        *nonces
	refusals      refusals
}

func newGuard(proof CallbackProof, rules CallbackRules) *guard {
	return &guard{
		CallbackProof: proof, rules: rules, authorization: sha256.Sum256([]byte(proof.Authorization)),
		seed: maphash.MakeSeed(), nonces: newNonces(rules.Nonces, rules.MaxAge+rules.MaxAhead),
	}
}

// newGuards returns the guards of all apps, whose refusals one metric counts.
func newGuards(o Options) map[string]*guard {
	metric := newRefusedMetric()
	o.Registry.MustRegister(metric)
	guards := make(map[string]*guard, len(o.Apps))
	for key, app := range o.Apps {
		g := newGuard(app.Callbacks, o.Callbacks)
		g.refusals.count(metric, key)
		guards[key] = g
	}
	return guards
}

// visit is one request before a guard.
type visit struct {
	*guard
	request *http.Request
	signed  uint64 // a hash of what was signed
	size    int64  // the body's, as far as it is known
}

func (g *guard) visit(r *http.Request) visit {
	return visit{guard: g, request: r, size: max(r.ContentLength, 0)}
}

// enter checks all that can be checked before the body is read.
func (v *visit) enter() error {
	if len(v.Networks) > 0 {
		if from := sourceOf(v.request, v.rules.TrustedProxies); !within(v.Networks, from) {
			return v.refuse(susulv1.RefusalReason_REFUSAL_REASON_NETWORK,
				fmt.Errorf("%w: the app's callbacks do not come from this address", errPermissionDenied))
		}
	}
	if v.Authorization != "" {
		given := sha256.Sum256([]byte(v.request.Header.Get("Authorization")))
		if subtle.ConstantTimeCompare(given[:], v.authorization[:]) != 1 {
			return v.refuse(susulv1.RefusalReason_REFUSAL_REASON_AUTHORIZATION,
				fmt.Errorf("%w: the Authorization header is not the one of the app's callbacks", errUnauthenticated))
		}
	}
	if v.Secret == "" {
		return nil
	}
	return v.checkSignature()
}

func (v *visit) checkSignature() error {
	unsigned := func(reason susulv1.RefusalReason, err error) error {
		return v.refuse(reason, fmt.Errorf("%w: %s: %w", errUnauthenticated, engagelab.SignatureHeader, err))
	}
	header := v.request.Header.Get(engagelab.SignatureHeader)
	if header == "" {
		return unsigned(susulv1.RefusalReason_REFUSAL_REASON_SIGNATURE_MISSING, errors.New("the signature is missing"))
	}
	signature, err := engagelab.ParseSignature(header)
	if err != nil {
		return unsigned(susulv1.RefusalReason_REFUSAL_REASON_SIGNATURE_MALFORMED, err)
	}
	if !signature.Verify(v.Username, v.Secret) {
		return unsigned(susulv1.RefusalReason_REFUSAL_REASON_SIGNATURE_WRONG, errors.New("the signature is wrong"))
	}
	if signature.Own(v.Secret) {
		return unsigned(susulv1.RefusalReason_REFUSAL_REASON_REPLAYED,
			errors.New("the signature is Susul's own, of events that it posted to a receiver"))
	}
	// Timestamp and nonce are one text to the signature: whoever moves the boundary between them signs nothing new.
	var text maphash.Hash
	text.SetSeed(v.seed)
	_, _ = text.WriteString(signature.Timestamp)
	_, _ = text.WriteString(signature.Nonce)
	v.signed = text.Sum64()
	if v.rules.MaxAge == 0 {
		return nil
	}
	made, err := signature.Time()
	if err != nil {
		return unsigned(susulv1.RefusalReason_REFUSAL_REASON_SIGNATURE_MALFORMED, err)
	}
	switch age := v.rules.Clock.Now().Sub(made); {
	case age > v.rules.MaxAge:
		return unsigned(susulv1.RefusalReason_REFUSAL_REASON_STALE, fmt.Errorf("the signature is older than %s", v.rules.MaxAge))
	case age < -v.rules.MaxAhead:
		return unsigned(susulv1.RefusalReason_REFUSAL_REASON_STALE,
			fmt.Errorf("the signature is more than %s ahead of this clock", v.rules.MaxAhead))
	}
	return nil
}

// bring checks that the signature was not used for another body. It is to be called with a body that is complete: one
// that broke off must not take the place of its repetition.
//
// Two keyed hashes of 64 bits are enough to tell signatures and bodies apart: the key never leaves the process, so
// nobody can look for a body that is taken for another, and a guess succeeds once in 2^64.
func (v *visit) bring(body []byte) error {
	v.size = int64(len(body))
	if v.Secret == "" || v.nonces == nil {
		return nil
	}
	if v.nonces.use(v.signed, maphash.Bytes(v.seed, body), v.rules.Clock.Now()) {
		return nil
	}
	return v.refuse(susulv1.RefusalReason_REFUSAL_REASON_REPLAYED,
		fmt.Errorf("%w: %s: the signature was used for another body", errUnauthenticated, engagelab.SignatureHeader))
}

// unread counts a body that could not be read, unless it was Susul that had no room for it.
func (v *visit) unread(err error) error {
	switch fault := faultOf(err); httpStatus(fault) {
	case http.StatusRequestEntityTooLarge:
		return v.refuse(susulv1.RefusalReason_REFUSAL_REASON_TOO_LARGE, err)
	case http.StatusBadRequest:
		return v.refuse(susulv1.RefusalReason_REFUSAL_REASON_INCOMPLETE, err)
	}
	return err
}

// refuse counts and lists the request, and returns the error.
func (v *visit) refuse(reason susulv1.RefusalReason, err error) error {
	v.refusals.add(refusal{
		reason: reason, time: v.rules.Clock.Now(), source: sourceOf(v.request, v.rules.TrustedProxies), size: v.size,
	})
	return err
}
