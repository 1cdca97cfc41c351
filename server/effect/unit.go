package effect

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// Unit hashes the parts to a number from 0 up to but not 1, evenly and the same for ever: a recipient must stay in its group.
// Give each purpose a part of its own, or those whom one share takes are those whom another one takes, too.
func Unit(parts ...string) float64 {
	buffer := make([]byte, 0, 128) // long enough that most need no allocation
	for _, part := range parts {
		// The length in front keeps ("a", "bc") apart from ("ab", "c").
		buffer = binary.LittleEndian.AppendUint64(buffer, uint64(len(part)))
		buffer = append(buffer, part...)
	}
	const mantissa = 53 // bits that a float64 holds exactly
	return float64(xxhash.Sum64(buffer)>>(64-mantissa)) / (1 << mantissa)
}
