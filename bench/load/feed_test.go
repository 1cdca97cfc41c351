package load

import (
	"encoding/json"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/bench/rig"
	"susul.dev/susul/server/engagelab"
)

// A benchmark of repeated rows would measure something else.
func TestFeedHasEveryRowOnce(t *testing.T) {
	var chunks []rig.Chunk
	for i := range 7 {
		chunks = append(chunks, rig.Chunk{MessageID: strconv.Itoa(rig.FirstMessageID + i), First: uint64(i * rig.ChunkSize), Group: i / 5})
	}
	f := newFeed(chunks, 3)
	require.Len(t, f.windows, 3, "3 and 2 of the first group, 2 of the second")
	require.Equal(t, 7*RowsPerChunk, f.rows)

	type row struct{ messageID, to, status string }
	seen := map[row]bool{}
	size := 0
	for from := 0; from < f.rows; from += 777 {
		n := min(777, f.rows-from)
		body := f.appendBody(nil, from, n, 1640707579)
		size += len(body)
		var batch engagelab.CallbackBatch
		require.NoError(t, json.Unmarshal(body, &batch))
		require.Len(t, batch.Rows, n)
		for _, r := range batch.Rows {
			require.Len(t, r.To, 19)
			seen[row{r.MessageID, r.To, r.Status.MessageStatus}] = true
		}
	}
	require.Len(t, seen, f.rows)
	require.InDelta(t, 329, size/f.rows, 5)
	require.Equal(t, map[uint64][len(statuses)]int{0: {1000, 500}, 1000: {1000, 500}, 2000: {1000, 500}}, f.tally(4500))
}
