package relay

import "sort"

// odometer knows about how many events of an app come behind a sequence.
type odometer struct {
	start int64 // the sequence behind which events are counted
	total int64
	marks []mark // ascending
}

// mark says how many events there are up to a sequence.
type mark struct{ sequence, total int64 }

// maxMarks bounds the marks; beyond that every second is dropped.
const maxMarks = 1 << 13

// add counts events up to a sequence.
func (o *odometer) add(through int64, events int) {
	o.total += int64(events)
	if len(o.marks) >= maxMarks {
		half := o.marks[:0]
		for i := 1; i < len(o.marks); i += 2 {
			half = append(half, o.marks[i])
		}
		o.marks = half
	}
	o.marks = append(o.marks, mark{through, o.total})
}

// behind returns how many events there are behind a sequence. Those of before the start are taken to be as many as sequences.
func (o *odometer) behind(sequence int64) int64 {
	if sequence < o.start {
		return o.total + o.start - sequence
	}
	i := sort.Search(len(o.marks), func(i int) bool { return o.marks[i].sequence > sequence })
	if i == 0 {
		return o.total
	}
	return o.total - o.marks[i-1].total
}
