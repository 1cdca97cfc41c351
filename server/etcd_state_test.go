package server

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/replica"
	"susul.dev/susul/server/schedule"
)

// Etcd is connected since the last of what depends on it was, and cut off since the first was.
func TestEtcdIsConnectedIfEverythingIs(t *testing.T) {
	start := time.Date(2026, 11, 26, 3, 0, 0, 0, time.UTC)
	at := func(minute int) time.Time { return start.Add(time.Duration(minute) * time.Minute) }
	now := at(60)
	holds := func(minute int) schedule.Status {
		return schedule.Status{State: schedule.Leader, Leased: at(minute), Since: at(50), Trusted: at(61)}
	}
	doubts := func(minute int) schedule.Status { return schedule.Status{State: schedule.InDoubt, Since: at(minute)} }
	apart := schedule.Status{State: schedule.InDoubt, Since: at(1), Apart: true}
	follows := func(minute int) replica.Status {
		return replica.Status{Connected: true, Since: at(minute), Confirmed: at(59)}
	}
	cut := func(minute int) replica.Status { return replica.Status{Since: at(minute), Confirmed: at(minute)} }
	for name, c := range map[string]struct {
		standing                schedule.Status
		policies, subscriptions replica.Status
		connected               bool
		since                   int
	}{
		"everything":                {holds(1), follows(3), follows(2), true, 3},
		"the lease came last":       {holds(9), follows(3), follows(2), true, 9},
		"no lease":                  {doubts(4), follows(5), follows(6), false, 4},
		"no election yet":           {apart, follows(3), follows(2), true, 3},
		"neither one nor policies":  {apart, cut(7), follows(2), false, 7},
		"no policies":               {holds(1), cut(7), follows(8), false, 7},
		"no subscriptions":          {holds(1), follows(8), cut(7), false, 7},
		"nothing, the lease first":  {doubts(4), cut(5), cut(6), false, 4},
		"nothing, the lease last":   {doubts(9), cut(5), cut(6), false, 5},
		"nothing, policies last":    {doubts(5), cut(9), cut(4), false, 4},
		"no lease, one came before": {doubts(9), follows(2), cut(12), false, 9},
	} {
		t.Run(name, func(t *testing.T) {
			state := followed(c.standing, c.policies, c.subscriptions, now)
			require.Equal(t, c.connected, state.Connected)
			require.Equal(t, at(c.since), state.Since)
			require.InDelta(t, now.Sub(c.policies.Confirmed).Seconds(), state.PolicyAge, 0)
			require.InDelta(t, now.Sub(c.subscriptions.Confirmed).Seconds(), state.SubscriptionAge, 0)
		})
	}
	never := followed(doubts(0), replica.Status{Since: at(0)}, replica.Status{Since: at(0)}, now)
	require.Zero(t, never.PolicyAge, "nothing was confirmed that could be old")
}
