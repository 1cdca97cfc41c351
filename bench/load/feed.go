package load

import (
	"math/rand/v2"
	"sort"
	"strconv"

	"susul.dev/susul/bench/rig"
)

// statuses are what is told of every recipient, in the order in which they come true.
var statuses = [...]string{"sent", "delivered", "impression", "click"}

// RowsPerChunk is how many rows a chunk is good for.
const RowsPerChunk = rig.ChunkSize * len(statuses)

// feed puts the rows of many chunks into one order. Within a window of active chunks everybody's sent comes first, then
// everybody's delivered, and so on; neighbouring rows are about different chunks, recipients of a chunk come shuffled.
type feed struct {
	windows []window
	rows    int
	order   []int // of the recipients within a chunk
}

type window struct {
	first  int // its first row
	chunks []rig.Chunk
}

// newFeed opens a window after the other, each over up to width chunks of one group.
func newFeed(chunks []rig.Chunk, width int) *feed {
	f := &feed{order: rand.New(rand.NewPCG(1, 2)).Perm(rig.ChunkSize)}
	for len(chunks) > 0 {
		n := 1
		for n < min(width, len(chunks)) && chunks[n].Group == chunks[0].Group {
			n++
		}
		f.windows = append(f.windows, window{first: f.rows, chunks: chunks[:n]})
		f.rows += n * RowsPerChunk
		chunks = chunks[n:]
	}
	return f
}

// at returns the window that a row is in.
func (f *feed) at(row int) int {
	return sort.Search(len(f.windows), func(i int) bool { return f.windows[i].first > row }) - 1
}

// place says what a row is about: which of the window's chunks, which of the statuses, which recipient.
func (f *feed) place(w window, row int) (chunk, status int, recipient uint64) {
	active := len(w.chunks)
	at := row - w.first
	status, at = at/(active*rig.ChunkSize), at%(active*rig.ChunkSize)
	chunk = at % active
	return chunk, status, w.chunks[chunk].First + uint64((f.order[at/active]+chunk)%rig.ChunkSize)
}

// The rest of a row around what differs. It makes some 329 bytes with the members that EngageLab documents.
const (
	beforeMessage = `{"message_id":"`
	beforeTo      = `","from":"","to":"`
	beforeTime    = `","server":"AppPush","channel":"FCM","custom_args":{"campaign":"spring-sale"},"itime":`
	beforeStatus  = `,"status":{"message_status":"`
	afterStatus   = `","status_data":{"channel_message_id":"wamid.123"},"error_code":0,"error_detail":{"message":""},` +
		`"loss":{"loss_source":""}}}`
)

// appendBody appends a callback body with n rows, from row number from on, that all happened at the given second.
func (f *feed) appendBody(buf []byte, from, n int, second int64) []byte {
	buf = append(buf, `{"total":`...)
	buf = strconv.AppendInt(buf, int64(n), 10)
	buf = append(buf, `,"rows":[`...)
	at := f.at(from)
	for row := from; row < from+n; row++ {
		if at+1 < len(f.windows) && row == f.windows[at+1].first {
			at++
		}
		w := f.windows[at]
		which, status, recipient := f.place(w, row)
		if row > from {
			buf = append(buf, ',')
		}
		buf = append(append(buf, beforeMessage...), w.chunks[which].MessageID...)
		buf = rig.AppendRegistrationID(append(buf, beforeTo...), recipient)
		buf = strconv.AppendInt(append(buf, beforeTime...), second, 10)
		buf = append(append(buf, beforeStatus...), statuses[status]...)
		buf = append(buf, afterStatus...)
	}
	return append(buf, "]}"...)
}

// tally counts the first rows by chunk, named by its first recipient, and by status.
func (f *feed) tally(rows int) map[uint64][len(statuses)]int {
	counts := map[uint64][len(statuses)]int{}
	for _, w := range f.windows {
		for row := w.first; row < min(rows, w.first+len(w.chunks)*RowsPerChunk); row++ {
			which, status, _ := f.place(w, row)
			first := w.chunks[which].First
			count := counts[first]
			count[status]++
			counts[first] = count
		}
	}
	return counts
}

// Imaginary returns chunks for a server that does not look at rows.
func Imaginary(n int) []rig.Chunk {
	chunks := make([]rig.Chunk, n)
	for i := range chunks {
		chunks[i] = rig.Chunk{MessageID: strconv.Itoa(rig.FirstMessageID + i), First: uint64(i * rig.ChunkSize)}
	}
	return chunks
}
