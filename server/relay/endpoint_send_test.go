package relay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/webhook"
)

// What says nothing about the events is a reason to leave the whole endpoint alone; what may be about them is not.
func TestWhatAFailureIsAbout(t *testing.T) {
	for _, tc := range []struct {
		name   string
		result webhook.Result
		whole  bool
	}{
		{"no address", webhook.Result{Err: &webhook.Error{Kind: webhook.LookupFailed}}, true},
		{"an address that is not public", webhook.Result{Err: &webhook.Error{Kind: webhook.RefusedAddress}}, true},
		{"no connection", webhook.Result{Err: &webhook.Error{Kind: webhook.Unreachable}}, true},
		{"a bad certificate", webhook.Result{Err: &webhook.Error{Kind: webhook.TLSFailed}}, true},
		{"a lost connection", webhook.Result{Err: &webhook.Error{Kind: webhook.ConnectionFailed}}, false},
		{"no answer in time", webhook.Result{Err: &webhook.Error{Kind: webhook.TimedOut}}, false},
		{"500", webhook.Result{Status: 500, Err: &webhook.Error{Kind: webhook.BadStatus}}, false},
		{"429", webhook.Result{Status: 429, Err: &webhook.Error{Kind: webhook.BadStatus}}, true},
		{"503", webhook.Result{Status: 503, Err: &webhook.Error{Kind: webhook.BadStatus}}, false},
		{"503, later", webhook.Result{Status: 503, RetryAfter: time.Minute, Err: &webhook.Error{Kind: webhook.BadStatus}}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := outcomeOf(tc.result)
			require.False(t, o.delivered)
			require.Equal(t, tc.whole, o.whole())
		})
	}
}
