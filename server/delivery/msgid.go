package delivery

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// msgIDRandomBits tell pushes of one millisecond apart. The milliseconds before them keep ids time-ordered, and positive
// 64-bit numbers, as EngageLab's clients expect, until the year 2248.
const msgIDRandomBits = 20

// newMsgID returns a time-ordered id. Two nodes may draw the same one; the store then refuses the second.
func newMsgID(now time.Time) int64 {
	return now.UnixMilli()<<msgIDRandomBits | rand.Int64N(1<<msgIDRandomBits)
}

// firstMsgID returns an id below those of all pushes of a time and later, and above those of earlier ones.
func firstMsgID(t time.Time) int64 { return t.UnixMilli() << msgIDRandomBits }

// cid returns the id by which EngageLab recognises a repeated dispatch.
func cid(push int64, step, chunk int) string {
	return fmt.Sprintf("%d-%d-%d", push, step, chunk)
}

// singleCID returns the id by which EngageLab recognises a repeated message of a batch.
func singleCID(push int64, step, chunk int, ordinal uint32) string {
	return fmt.Sprintf("%d-%d-%d-%d", push, step, chunk, ordinal)
}
