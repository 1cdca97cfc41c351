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
	ordinals := []uint32{}
	err := EachRun(list, limit, func(first uint32, n int) {
		for i := range n {
			ordinals = append(ordinals, first+uint32(i))
		}
	})
	if err != nil {
		return nil, err
	}
	return ordinals, nil
}

// EachRun calls do for every run of neighbours in what AppendOrdinals wrote, at most limit ordinals together.
func EachRun(list []byte, limit int, do func(first uint32, n int)) error {
	const what = "list of ordinals"
	if len(list) == 0 || list[0] != ordinalsVersion {
		return malformed(what, "version")
	}
	end := int64(0)
	for rest := list[1:]; len(rest) > 0; {
		gap, n := binary.Varint(rest)
		if n <= 0 {
			return malformed(what, "start of a run")
		}
		rest = rest[n:]
		length, n := binary.Uvarint(rest)
		if n <= 0 || length > uint64(limit) {
			return malformed(what, "length of a run")
		}
		rest = rest[n:]
		first := end + gap
		end = first + int64(length)
		if first < 0 || end > math.MaxUint32+1 {
			return malformed(what, "range")
		}
		limit -= int(length)
		do(uint32(first), int(length))
	}
	return nil
}
