package layout

import (
	"encoding/binary"
	"math"
	"slices"
)

const (
	setBits = 1
	setRuns = 2
)

// AppendSet appends a set of ordinals in ascending order, as a bit each between the first and the last or as runs,
// whichever is shorter: 10,000 neighbours never take more than 1,256 bytes.
func AppendSet(dst []byte, ordinals []uint32) []byte {
	runs := AppendOrdinals(nil, ordinals)
	if len(ordinals) == 0 {
		return append(append(dst, setRuns), runs...)
	}
	low, high := ordinals[0], ordinals[len(ordinals)-1]
	if size := int(high-low)/8 + 1; size < len(runs) {
		bits := make([]byte, size)
		for _, o := range ordinals {
			bits[(o-low)/8] |= 1 << ((o - low) % 8)
		}
		return append(binary.AppendUvarint(append(dst, setBits), uint64(low)), bits...)
	}
	return append(append(dst, setRuns), runs...)
}

// ReadSet reads what AppendSet wrote, at most limit of them.
func ReadSet(set []byte, limit int) ([]uint32, error) {
	const what = "set of ordinals"
	switch {
	case len(set) > 0 && set[0] == setRuns:
		ordinals, err := ReadOrdinals(set[1:], limit)
		if err == nil && !slices.IsSorted(ordinals) {
			return nil, malformed(what, "order")
		}
		return ordinals, err
	case len(set) == 0 || set[0] != setBits:
		return nil, malformed(what, "version")
	}
	low, n := binary.Uvarint(set[1:])
	if n <= 0 {
		return nil, malformed(what, "first ordinal")
	}
	bits := set[1+n:]
	if low > math.MaxUint32 || uint64(len(bits)) > (math.MaxUint32-low)/8+1 {
		return nil, malformed(what, "range")
	}
	var ordinals []uint32
	for i, b := range bits {
		for bit := range 8 {
			if b&(1<<bit) == 0 {
				continue
			}
			o := low + uint64(8*i+bit)
			if o > math.MaxUint32 || len(ordinals) == limit {
				return nil, malformed(what, "length")
			}
			ordinals = append(ordinals, uint32(o))
		}
	}
	return ordinals, nil
}
