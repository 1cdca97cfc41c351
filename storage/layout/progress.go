package layout

import "encoding/binary"

const (
	progressVersion = 1
	wordSize        = 8
)

// AppendProgress appends a page of progress words.
func AppendProgress(dst []byte, words []uint64) []byte {
	last, all := 0, uint64(0)
	for i, word := range words {
		if word != 0 {
			last = i + 1
		}
		all |= word
	}
	width := 0
	for ; all != 0; all >>= 8 {
		width++
	}
	dst = append(dst, progressVersion, byte(width))
	for _, word := range words[:last] {
		for range width {
			dst = append(dst, byte(word))
			word >>= 8
		}
	}
	return dst
}

// ReadProgress reads a page of progress words into words, of which those that the page leaves out become zero.
func ReadProgress(page []byte, words []uint64) error {
	const what = "page of progress"
	if len(page) < 2 || page[0] != progressVersion {
		return malformed(what, "version or length")
	}
	width, packed := int(page[1]), page[2:]
	if width == 0 && len(packed) == 0 {
		clear(words)
		return nil
	}
	if width == 0 || width > wordSize || len(packed)%width != 0 || len(packed)/width > len(words) {
		return malformed(what, "width or length")
	}
	n := len(packed) / width
	for i := range n {
		var word [wordSize]byte
		copy(word[:], packed[i*width:(i+1)*width])
		words[i] = binary.LittleEndian.Uint64(word[:])
	}
	clear(words[n:])
	return nil
}
