package engagelab

import (
	"errors"
	"io"
	"strconv"

	"github.com/go-faster/jx"
)

// errTrailing is returned for a document that goes on after its end.
var errTrailing = errors.New("unexpected data after the JSON document")

// readDocument reads one JSON document and nothing after it.
func readDocument(data []byte, read func(*jx.Decoder) error) error {
	d := jx.GetDecoder()
	defer jx.PutDecoder(d)
	d.ResetBytes(data)
	if err := read(d); err != nil {
		return err
	}
	// A value that follows may break off, and so look like the end: it must not even begin.
	if d.Next() != jx.Invalid {
		return errTrailing
	}
	if err := d.Skip(); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return errTrailing
	}
	return nil
}

// readObject reads the members of an object. Anything else in its place is passed over, as if the member were missing.
func readObject(d *jx.Decoder, member func(d *jx.Decoder, key []byte) error) error {
	if d.Next() != jx.Object {
		return d.Skip()
	}
	return d.ObjBytes(member)
}

// seen remembers the texts that one member had, so that each is allocated once.
type seen struct {
	last  string
	texts map[string]string
}

// maxSeen bounds what one document can make us remember of a member.
const maxSeen = 256

func (s *seen) of(b []byte) string {
	switch {
	case len(b) == 0:
		return ""
	case s == nil:
		return string(b)
	case string(b) == s.last:
		return s.last
	}
	text, known := s.texts[string(b)]
	if !known {
		text = string(b)
		if s.texts == nil {
			s.texts = make(map[string]string)
		}
		if len(s.texts) < maxSeen {
			s.texts[text] = text
		}
	}
	s.last = text
	return text
}

// readText reads a string, the digits of a number, or "true" and "false". Anything else is "".
func readText(d *jx.Decoder, known *seen) (string, error) {
	switch d.Next() {
	case jx.String:
		b, err := d.StrBytes()
		return known.of(b), err
	case jx.Number:
		n, err := d.Num()
		return known.of(n), err
	case jx.Bool:
		yes, err := d.Bool()
		return strconv.FormatBool(yes), err
	default:
		return "", d.Skip()
	}
}

// readInt reads a number, or a string that holds one. Anything else is 0.
func readInt(d *jx.Decoder) (int64, error) {
	switch d.Next() {
	case jx.String:
		b, err := d.StrBytes()
		return parseInt(string(b)), err
	case jx.Number:
		n, err := d.Num()
		return parseInt(string(n)), err
	default:
		return 0, d.Skip()
	}
}

// parseInt also accepts 1640707579.0 and 1.640707579e9, which some encoders write for an integer.
func parseInt(s string) int64 {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n
	}
	const exact = 1 << 53 // beyond this a float no longer holds every integer, nor converts safely
	if f, err := strconv.ParseFloat(s, 64); err == nil && f > -exact && f < exact {
		return int64(f)
	}
	return 0
}
