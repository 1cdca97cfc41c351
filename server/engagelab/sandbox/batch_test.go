package sandbox

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/engagelab"
)

// followUps builds a batch of personal texts.
func followUps(t *testing.T, targets ...string) []byte {
	t.Helper()
	batch := make([]engagelab.BatchRequest, len(targets))
	for i, target := range targets {
		document, err := engagelab.ParseDocument(fmt.Appendf(nil,
			`{"from":"push","to":"all","body":{"platform":"android","notification":{"alert":"for %s"}},"custom_args":{"n":%d}}`, target, i))
		require.NoError(t, err)
		batch[i] = engagelab.BatchRequest{
			BatchItem: engagelab.BatchItem{Target: target, Document: document},
			Request:   engagelab.Request{CID: "7-1-" + target},
		}
	}
	body, err := engagelab.BuildBatch(batch)
	require.NoError(t, err)
	return body
}

// A batch whose answer got lost is sent again: EngageLab recognises each request in it.
func TestARepeatedBatchSendsNothingTwice(t *testing.T) {
	b := newBench(t, Config{RequestsPerSecond: 3})
	client := engagelab.NewClient(engagelab.ClientOptions{BaseURL: b.url, AppKey: "app", MasterSecret: "secret"})
	t.Cleanup(client.Close)
	push := func(targets ...string) map[string]string {
		t.Helper()
		answer, err := client.BatchPush(t.Context(), engagelab.BatchRegID, followUps(t, targets...), len(targets))
		require.NoError(t, err)
		accepted := map[string]string{}
		for target, result := range answer.Results {
			require.Equal(t, result.Success, result.MsgID != "")
			if result.Success {
				accepted[target] = result.MsgID.String()
			} else {
				require.Equal(t, engagelab.CodeOverQuota, result.Code)
			}
		}
		return accepted
	}
	first := push("a", "b", "c", "d", "e")
	require.Len(t, first, 3, "the quota has room for three")
	require.Equal(t, http.StatusTooManyRequests, b.call("POST", "/v4/batch/push/regid", string(followUps(t, "d"))).status)

	b.clock.Advance(time.Second)
	require.Equal(t, first, push("a", "b", "c"))
	b.clock.Advance(time.Second)
	rest := push("d", "e", "a")
	require.Equal(t, first["a"], rest["a"])
	require.Len(t, rest, 3)
	b.advance(3*time.Hour, time.Minute)
	for _, target := range []string{"a", "b", "c", "d", "e"} {
		seen, known := b.Device(target)
		require.True(t, known)
		require.Len(t, seen.Messages, 1)
		require.Equal(t, "for "+target, seen.Messages[0].Shown["android"].Alert)
		require.Equal(t, "7-1-"+target, seen.Messages[0].CID)
	}
}
