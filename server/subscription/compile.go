package subscription

import "time"

// Compiled is a subscription that is ready to select events. It is immutable; callers must not change what they reach through it.
type Compiled struct {
	Subscription Subscription
	Filter       *Filter // nil selects all
}

// Compile prepares a subscription. Its error is an *InvalidError that lists every fault.
func Compile(s Subscription) (*Compiled, error) { return &Compiled{Subscription: s}, nil }

// Live returns the secrets that are good at a time, the newest first.
func (s Subscription) Live(now time.Time) []string { return nil }

// NewSecret makes up a secret: "whsec_" and the base64 of 32 random bytes.
func NewSecret() string { return "" }
