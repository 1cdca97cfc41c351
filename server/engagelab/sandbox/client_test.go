package sandbox

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/engagelab"
)

func TestSpeaksWithTheClient(t *testing.T) {
	b := newBench(t, Config{RequestsPerSecond: 50})
	client := engagelab.NewClient(engagelab.ClientOptions{BaseURL: b.url, AppKey: "app", MasterSecret: "secret", Clock: b.clock})
	t.Cleanup(client.Close)
	ctx := t.Context()
	push := []byte(document([]string{"a", "b"}, `"cid":"c"`, ""))

	_, err := client.Validate(ctx, push)
	require.NoError(t, err)
	pushed, err := client.Push(ctx, push)
	require.NoError(t, err)
	again, err := client.Push(ctx, push)
	require.NoError(t, err)
	require.Equal(t, pushed.MsgID, again.MsgID)

	batch, err := client.BatchPush(ctx, engagelab.BatchRegID,
		[]byte(`{"requests":[{"target":"a","platform":"all","notification":{"alert":"x"}}]}`), 1)
	require.NoError(t, err)
	_, err = client.Withdraw(ctx, batch.Results["a"].MsgID.String())
	require.NoError(t, err)

	b.advance(3*time.Hour, time.Minute)
	details, err := client.StatusDetail(ctx, []string{pushed.MsgID})
	require.NoError(t, err)
	require.EqualValues(t, 2, details[pushed.MsgID].Clicks)
	statuses, err := client.StatusMessage(ctx, pushed.MsgID, []string{"a"})
	require.NoError(t, err)
	require.Equal(t, "click", statuses["a"].Status)

	_, err = client.Push(ctx, []byte(`{}`))
	var refused *engagelab.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, http.StatusBadRequest, refused.HTTPStatus)
	require.Equal(t, engagelab.CodeMissingParameter, refused.Code)
	require.False(t, engagelab.Ambiguous(err))
}
