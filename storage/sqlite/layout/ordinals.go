package layout

import (
	"encoding/binary"
	"math"
)

const ordinalsVersion = 1

// AppendOrdinals appends a list of ordinals.
func AppendOrdinals(dst []byte, ordinals []uint32) []byte {
	dst = append(dst, ordinalsVersion)
	end := int64(0) // of the last run
	for len(ordinals) > 0 {
		first, n := int64(ordinals[0]), 1
		for n < len(ordinals) && int64(ordinals[n]) == first+int64(n) {
			n++
		}
		dst = binary.AppendVarint(dst, first-end)
		dst = binary.AppendUvarint(dst, uint64(n))
		end, ordinals = first+int64(n), ordinals[n:]
	}
	return dst
}

// ReadOrdinals reads what AppendOrdinals wrote, at most limit of them.
func ReadOrdinals(list []byte, limit int) ([]uint32, error) {
	const what = "list of ordinals"
	if len(list) == 0 || list[0] != ordinalsVersion {
		return nil, malformed(what, "version")
	}
	ordinals := []uint32{}
	end := int64(0)
	for rest := list[1:]; len(rest) > 0; {
		gap, n := binary.Varint(rest)
		if n <= 0 {
			return nil, malformed(what, "start of a run")
		}
		rest = rest[n:]
		length, n := binary.Uvarint(rest)
		if n <= 0 || length > uint64(limit-len(ordinals)) {
			return nil, malformed(what, "length of a run")
		}
		rest = rest[n:]
		first := end + gap
		end = first + int64(length)
		if first < 0 || end > math.MaxUint32+1 {
			return nil, malformed(what, "range")
		}
		for o := first; o < end; o++ {
			ordinals = append(ordinals, uint32(o))
		}
	}
	return ordinals, nil
}
