package layout

import (
	"bytes"
	"encoding/binary"
)

// PageSize is how many recipients a page holds, the last one of a push perhaps fewer.
const PageSize = 400

const (
	packedDigits = 19
	packedSize   = 10

	formatPacked = 1
	formatTexts  = 2
)

// PackedID is a registration id of 19 lower-case hex digits.
type PackedID [packedSize]byte

// nibbles maps a lower-case hex digit to its value, all else to 0xff.
var nibbles = func() (table [256]byte) {
	for i := range table {
		table[i] = 0xff
	}
	for value, digit := range []byte(hexDigits) {
		table[digit] = byte(value)
	}
	return table
}()

const hexDigits = "0123456789abcdef"

// Pack packs an id; ok is false for one of another shape.
func Pack(id string) (p PackedID, ok bool) {
	if len(id) != packedDigits {
		return PackedID{}, false
	}
	bad := byte(0)
	for i := range packedSize - 1 {
		high, low := nibbles[id[2*i]], nibbles[id[2*i+1]]
		bad |= high | low
		p[i] = high<<4 | low&0xf
	}
	last := nibbles[id[packedDigits-1]]
	p[packedSize-1] = last << 4
	return p, (bad|last)&0xf0 == 0
}

// String returns the id.
func (p PackedID) String() string {
	text := p.digits()
	return string(text[:packedDigits])
}

func (p PackedID) digits() (text [2 * packedSize]byte) {
	for i, b := range p {
		text[2*i], text[2*i+1] = hexDigits[b>>4], hexDigits[b&0xf]
	}
	return text
}

// AppendRecipients appends a page of recipients' ids.
func AppendRecipients(dst []byte, ids []string) []byte {
	start := len(dst)
	dst = append(dst, formatPacked)
	for _, id := range ids {
		p, ok := Pack(id)
		if !ok {
			return appendTexts(dst[:start], ids)
		}
		dst = append(dst, p[:]...)
	}
	return dst
}

func appendTexts(dst []byte, ids []string) []byte {
	dst = binary.AppendUvarint(append(dst, formatTexts), uint64(len(ids)))
	for _, id := range ids {
		dst = binary.AppendUvarint(dst, uint64(len(id)))
	}
	for _, id := range ids {
		dst = append(dst, id...)
	}
	return dst
}

// Recipients is a page of recipients' ids. It shares the memory that it was read from.
type Recipients struct {
	packed []byte
	texts  [][]byte // nil for a packed page
}

// ReadRecipients reads what AppendRecipients wrote.
func ReadRecipients(page []byte) (Recipients, error) {
	const what = "page of recipients"
	if len(page) == 0 {
		return Recipients{}, malformed(what, "empty")
	}
	version, rest := page[0], page[1:]
	switch {
	case version == formatPacked && len(rest)%packedSize == 0:
		return Recipients{packed: rest}, nil
	case version != formatTexts:
		return Recipients{}, malformed(what, "version or length")
	}
	count, n := binary.Uvarint(rest)
	if n <= 0 || count > uint64(len(rest)) {
		return Recipients{}, malformed(what, "count")
	}
	lengths, texts := rest[n:], make([][]byte, count)
	rest = lengths
	for range texts {
		if _, n = binary.Uvarint(rest); n <= 0 {
			return Recipients{}, malformed(what, "lengths")
		}
		rest = rest[n:]
	}
	for i := range texts {
		size, n := binary.Uvarint(lengths)
		if size > uint64(len(rest)) {
			return Recipients{}, malformed(what, "texts")
		}
		texts[i], rest, lengths = rest[:size], rest[size:], lengths[n:]
	}
	if len(rest) > 0 {
		return Recipients{}, malformed(what, "texts")
	}
	return Recipients{texts: texts}, nil
}

// Len returns how many ids there are.
func (r Recipients) Len() int { return max(len(r.packed)/packedSize, len(r.texts)) }

// ID returns the id at a place.
func (r Recipients) ID(i int) string {
	if p, ok := r.Packed(i); ok {
		return p.String()
	}
	return string(r.texts[i])
}

// Place is where an id is on one of several pages.
type Place struct{ Page, At int }

// AppendIDs appends the ids at some places, one after the other, and where each of them ends.
func AppendIDs(dst []byte, ends []int, pages []Recipients, places []Place) ([]byte, []int) {
	// Large audiences are not in the processor's caches. So the ids are fetched in a loop that does nothing else: it waits for
	// several of them at once.
	packed := make([]PackedID, len(places))
	for i, place := range places {
		packed[i], _ = pages[place.Page].Packed(place.At)
	}
	for i, place := range places {
		if page := &pages[place.Page]; page.texts == nil {
			text := packed[i].digits()
			dst = append(dst, text[:packedDigits]...)
		} else {
			dst = append(dst, page.texts[place.At]...)
		}
		ends = append(ends, len(dst))
	}
	return dst, ends
}

// Bytes is what the page takes in memory, about.
func (r Recipients) Bytes() int {
	n := 128 + len(r.packed)
	for _, text := range r.texts {
		n += 24 + len(text)
	}
	return n
}

// Packed returns the id at a place if it is packed.
func (r Recipients) Packed(i int) (p PackedID, ok bool) {
	if r.texts != nil || len(r.packed) == 0 {
		return PackedID{}, false
	}
	return PackedID(r.packed[i*packedSize : (i+1)*packedSize]), true
}

// Find returns the place of an id, or -1.
func (r Recipients) Find(id string) int {
	for i, text := range r.texts {
		if string(text) == id {
			return i
		}
	}
	p, ok := Pack(id)
	if !ok {
		return -1
	}
	for from := 0; from < len(r.packed); {
		at := bytes.Index(r.packed[from:], p[:])
		if at < 0 {
			break
		}
		if (from+at)%packedSize == 0 {
			return (from + at) / packedSize
		}
		from += at + 1
	}
	return -1
}
