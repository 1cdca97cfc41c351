package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/clock"
)

// outageSpeed makes the ten minutes of an outage last five seconds.
const outageSpeed = 120

// EngageLab is down for ten minutes during a burst, and nobody listens at its address.
func TestABurstOutlastsAnEngageLabThatIsGone(t *testing.T) {
	address := freeAddress(t)
	n := serve(t, "--config", writeSettings(t, baseSettings(t.TempDir(), "http://"+address)), "--clock.speed", fmt.Sprint(outageSpeed))
	checkOutage(t, n, func() *engageLab {
		return startSandbox(t, append(obedient(), "--listen", address)...)
	})
}

// Here its front answers, but with nothing of use: whether a request was taken can't always be told.
func TestABurstOutlastsAnEngageLabThatFails(t *testing.T) {
	lab := startSandbox(t, obedient()...)
	var healthy atomic.Bool
	var turn atomic.Int64
	front := lab.behind(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if healthy.Load() {
				next.ServeHTTP(w, r)
				return
			}
			switch turn.Add(1) % 3 {
			case 0:
				w.WriteHeader(http.StatusServiceUnavailable)
			case 1:
				w.WriteHeader(http.StatusBadGateway)
			default:
				panic(http.ErrAbortHandler) // the connection breaks
			}
		})
	})
	n := serve(t, "--config", writeSettings(t, baseSettings(t.TempDir(), front)), "--clock.speed", fmt.Sprint(outageSpeed))
	checkOutage(t, n, func() *engageLab {
		healthy.Store(true)
		return lab
	})
}

// checkOutage sends a burst, lets ten minutes pass, and has EngageLab back. What is good for a day must have been sent
// once then; what was good for a minute has expired, and says so.
func checkOutage(t *testing.T, n *node, heal func() *engageLab) {
	t.Helper()
	n.awaitReady(t)
	over := clock.Scaled(outageSpeed).After(10 * time.Minute)
	const pushes = 60
	ids := make([]string, pushes)
	var burst errgroup.Group
	for i := range pushes {
		burst.Go(func() error {
			timeToLive := []int{60, 86_400}[i%2]
			got, err := n.try(http.MethodPost, "/v4/push", fmt.Appendf(nil, `{"to":{"registration_id":["outage%d","outage%d-b"]},
				"body":{"platform":"all","notification":{"alert":"burst"},"options":{"time_to_live":%d}}}`, i, i, timeToLive), nil)
			if err != nil || got.status != http.StatusOK {
				return fmt.Errorf("push %d: %w, %+v", i, err, got)
			}
			var answer struct {
				MsgID string `json:"msg_id"`
			}
			err = json.Unmarshal([]byte(got.body), &answer)
			ids[i] = answer.MsgID
			return err
		})
	}
	require.NoError(t, burst.Wait())
	<-over
	lab := heal()

	sent := map[string]int{}
	for i, id := range ids {
		if i%2 == 1 {
			require.EqualValues(t, 1, n.awaitSent(t, id).GetSteps()[0].GetDispatches()["SENT"])
			continue
		}
		requireExpired(t, n, id, fmt.Sprintf("outage%d", i))
	}
	for _, cid := range lab.cids(t) {
		sent[cid]++
	}
	require.Len(t, sent, pushes/2)
	for i, id := range ids {
		require.Equal(t, i%2, sent[id+"-0-0"], "%s is sent once or not at all", id)
	}
}

// requireExpired checks all the ways in which a push says that it has expired.
func requireExpired(t *testing.T, n *node, id, registrationID string) {
	t.Helper()
	eventually(t, "the push expires", func() bool {
		return n.report(t, id).GetState() == susulv1.PushState_PUSH_STATE_EXPIRED
	})
	require.Equal(t, map[string]int64{"EXPIRED": 1}, n.report(t, id).GetSteps()[0].GetDispatches())
	require.Equal(t, susulv1.PushState_PUSH_STATE_EXPIRED, n.push(t, id).GetState())
	got, err := n.try(http.MethodGet, "/v1/apps/"+testApp+"/pushes/"+id+"/report", nil, nil)
	require.NoError(t, err)
	require.Contains(t, strings.ReplaceAll(got.body, " ", ""), `"state":"PUSH_STATE_EXPIRED"`)
	got, err = n.try(http.MethodGet, "/v4/status/message?message_id="+id+"&registration_ids="+registrationID, nil, nil)
	require.NoError(t, err)
	require.Contains(t, got.body, `"`+registrationID+`":{"status":"failed","error_message":"expired`)
	got, err = n.try(http.MethodGet, "/v4/status/batch/message?message_ids="+id, nil, nil)
	require.NoError(t, err)
	require.Contains(t, got.body, `"status":"failed","error_message":"expired`)
}
