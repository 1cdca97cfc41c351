package layout

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"
	"math"
	"strconv"
	"sync"
)

const (
	singlesVersion = 1
	resultsVersion = 1

	// How a result begins, behind its ordinal.
	resultNumber  = 1 // an upstream id that is a decimal number
	resultText    = 2 // any other
	resultRefusal = 3
)

// Single is what one recipient of a batch is to get.
type Single struct {
	Ordinal  uint32
	Content  []byte
	Override string
}

// Result is what became of one single message: it has an upstream id, or was refused.
type Result struct {
	Ordinal    uint32
	UpstreamID string

	Refused    bool
	HTTPStatus int
	Code       int
	Message    string
}

// deflaters are kept, for each takes a megabyte.
var deflaters = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is one that there is
	}
	return w
}}

// AppendSingles appends the single messages of a batch. They come of one template, so that they are compressed.
func AppendSingles(dst []byte, singles []Single) []byte {
	var list []byte
	for _, s := range singles {
		list = binary.AppendUvarint(list, uint64(s.Ordinal))
		list = appendBytes(list, s.Content)
		list = appendBytes(list, s.Override)
	}
	packed := bytes.NewBuffer(binary.AppendUvarint(append(dst, singlesVersion), uint64(len(list))))
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	w.Reset(packed)
	_, _ = w.Write(list) // a buffer takes everything
	_ = w.Close()
	return packed.Bytes()
}

// ReadSingles reads what AppendSingles wrote, at most limit bytes of it. The contents share memory; empty ones are nil.
func ReadSingles(packed []byte, limit int) ([]Single, error) {
	r := listReader{what: "list of single messages"}
	r.version(packed, singlesVersion)
	if size := r.uvarint(); size > uint64(limit) {
		r.fail("size")
	} else if r.err == nil {
		list := make([]byte, size)
		inflater := flate.NewReader(bytes.NewReader(r.rest))
		if _, err := io.ReadFull(inflater, list); err != nil {
			r.fail("compression")
		} else {
			r.rest = list
		}
	}
	var singles []Single
	for r.more() {
		s := Single{Ordinal: r.ordinal(), Content: r.bytes(), Override: string(r.bytes())}
		if len(s.Content) == 0 {
			s.Content = nil
		}
		singles = append(singles, s)
	}
	return singles, r.err
}

// AppendResults appends results behind others; dst is empty, or what it returned before.
func AppendResults(dst []byte, results []Result) []byte {
	if len(dst) == 0 {
		dst = append(dst, resultsVersion)
	}
	for _, s := range results {
		dst = binary.AppendUvarint(dst, uint64(s.Ordinal))
		number, err := strconv.ParseUint(s.UpstreamID, 10, 64)
		switch {
		case s.Refused:
			dst = binary.AppendVarint(append(dst, resultRefusal), int64(s.HTTPStatus))
			dst = appendBytes(binary.AppendVarint(dst, int64(s.Code)), s.Message)
		case err == nil && strconv.FormatUint(number, 10) == s.UpstreamID:
			dst = binary.AppendUvarint(append(dst, resultNumber), number)
		default:
			dst = appendBytes(append(dst, resultText), s.UpstreamID)
		}
	}
	return dst
}

// ReadResults reads what AppendResults wrote.
func ReadResults(list []byte) ([]Result, error) {
	r := listReader{what: "list of results"}
	r.version(list, resultsVersion)
	var results []Result
	for r.more() {
		s := Result{Ordinal: r.ordinal()}
		switch r.byte() {
		case resultNumber:
			s.UpstreamID = strconv.FormatUint(r.uvarint(), 10)
		case resultText:
			s.UpstreamID = string(r.bytes())
		case resultRefusal:
			s.Refused = true
			s.HTTPStatus, s.Code, s.Message = int(r.varint()), int(r.varint()), string(r.bytes())
		default:
			r.fail("kind of a result")
		}
		results = append(results, s)
	}
	return results, r.err
}

func appendBytes[T ~string | ~[]byte](dst []byte, b T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// listReader reads one value after the other. After the first fault there is nothing more to read.
type listReader struct {
	what string
	rest []byte
	err  error
}

func (r *listReader) fail(part string) {
	if r.err == nil {
		r.err = malformed(r.what, part)
	}
	r.rest = nil
}

func (r *listReader) version(list []byte, version byte) {
	if len(list) == 0 || list[0] != version {
		r.fail("version")
		return
	}
	r.rest = list[1:]
}

func (r *listReader) more() bool { return len(r.rest) > 0 }

func (r *listReader) byte() byte {
	if len(r.rest) == 0 {
		r.fail("end")
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *listReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.fail("number")
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *listReader) varint() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.fail("number")
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *listReader) ordinal() uint32 {
	v := r.uvarint()
	if v > math.MaxUint32 {
		r.fail("ordinal")
		return 0
	}
	return uint32(v)
}

func (r *listReader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.fail("length")
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}
