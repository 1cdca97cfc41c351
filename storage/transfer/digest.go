package transfer

import (
	"crypto/md5" //nolint:gosec // it finds faults, not forgers; every database has it
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
)

// A row's text is the texts of its values with Separator between them: numbers in decimal, true or false, texts as they are, bytes as
// their MD5 in hex, several texts with a Comma between them, and Null. A row's digest is the first 15 hex digits of the MD5 of its text,
// as a number. Rows are compared by their number and the sum of their digests. A database computes the same in its own language.
const (
	Separator = "\x1f"
	Comma     = "\x1e"
	Null      = "~"
)

// Sum is of some rows.
type Sum struct {
	Group int64
	Rows  int64
	// Digests is the sum of the digests, modulo 2⁶⁴.
	Digests uint64
}

// Add adds a row.
func (s *Sum) Add(row Row, buffer []byte) (reused []byte) {
	buffer = appendText(buffer[:0], row)
	sum := md5.Sum(buffer) //nolint:gosec // see above
	s.Rows++
	s.Digests += binary.BigEndian.Uint64(sum[:8]) >> 4
	return buffer
}

func appendText(dst []byte, row Row) []byte {
	for i, value := range row {
		if i > 0 {
			dst = append(dst, Separator...)
		}
		dst = appendValue(dst, value)
	}
	return dst
}

func appendValue(dst []byte, value any) []byte {
	switch v := value.(type) {
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case string:
		return append(dst, v...)
	case []byte:
		sum := md5.Sum(v) //nolint:gosec // see above
		return hex.AppendEncode(dst, sum[:])
	case bool:
		return strconv.AppendBool(dst, v)
	case []string:
		return append(dst, strings.Join(v, Comma)...)
	}
	return append(dst, Null...)
}
