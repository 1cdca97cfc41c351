package postgres

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// millis is how a time is stored; the zero time is NULL.
func millis(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	ms := t.UnixMilli()
	return &ms
}

// millisTime scans what millis stored.
type millisTime struct{ to *time.Time }

// ScanInt64 implements pgtype.Int64Scanner.
func (m millisTime) ScanInt64(v pgtype.Int8) error {
	*m.to = time.Time{}
	if v.Valid {
		*m.to = time.UnixMilli(v.Int64).UTC()
	}
	return nil
}

// millisSpan scans a duration stored in milliseconds.
type millisSpan struct{ to *time.Duration }

// ScanInt64 implements pgtype.Int64Scanner.
func (m millisSpan) ScanInt64(v pgtype.Int8) error {
	*m.to = time.Duration(v.Int64) * time.Millisecond
	return nil
}

// packOrdinals stores ordinals in their packed form, and beside it their number; nil is NULL in both.
func packOrdinals(ordinals []uint32) (list []byte, count *int) {
	if ordinals == nil {
		return nil, nil
	}
	n := len(ordinals)
	return layout.AppendOrdinals(nil, ordinals), &n
}

// bounds returns the first and the last ordinal that may be among those of a list; nil stands for all.
func bounds(ordinals []uint32) (low, high uint32) {
	switch {
	case ordinals == nil:
		return 0, math.MaxUint32
	case len(ordinals) == 0:
		return 0, 0
	}
	return slices.Min(ordinals), slices.Max(ordinals)
}

// maxOrdinals bounds a list of ordinals that is read: no dispatch has more recipients than a push may have.
const maxOrdinals = 1 << 24

// ordinalList scans what packOrdinals stored.
type ordinalList struct{ to *[]uint32 }

// ScanBytes implements pgtype.BytesScanner.
func (l ordinalList) ScanBytes(list []byte) (err error) {
	*l.to = nil
	if list != nil {
		*l.to, err = layout.ReadOrdinals(list, maxOrdinals)
	}
	return err
}

// ordinalSet scans what layout.AppendSet stored.
type ordinalSet struct{ to *[]uint32 }

// ScanBytes implements pgtype.BytesScanner.
func (s ordinalSet) ScanBytes(set []byte) (err error) {
	*s.to, err = layout.ReadSet(set, maxOrdinals)
	return err
}

// blob is how bytes are stored; none are NULL and read back as nil.
func blob(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// anyText scans a text that is stored as bytes, for it may hold any.
type anyText struct{ to *string }

// ScanBytes implements pgtype.BytesScanner.
func (a anyText) ScanBytes(b []byte) error {
	*a.to = string(b)
	return nil
}

// isText reports whether PostgreSQL can store a text: it must be UTF-8, and have no zero byte.
func isText(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// storable returns a text as PostgreSQL can store it: what is no UTF-8, and the zero byte, are replaced.
func storable(s string) string {
	if isText(s) {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}

// maxKeyText is how long a text may be, in bytes, that is a part of an index's key.
const maxKeyText = 512

// keyText returns a text as an index can have it. Of what is too long, the end is replaced by a digest.
func keyText(s string) string {
	if s = storable(s); len(s) <= maxKeyText {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return strings.ToValidUTF8(s[:maxKeyText-2*len(sum)], "") + hex.EncodeToString(sum[:])
}

// texts returns those of the texts that may be stored anywhere; what else somebody looks for is not there.
func texts(all []string) []string {
	if !slices.ContainsFunc(all, func(s string) bool { return !isText(s) }) {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return !isText(s) })
}

// page holds a limit between 1 and storage.MaxPage.
func page(limit int) int {
	if limit <= 0 || limit > storage.MaxPage {
		return storage.MaxPage
	}
	return limit
}

// value scans a row of one column.
func value[T any](row pgx.CollectableRow) (v T, err error) {
	err = row.Scan(&v)
	return v, err
}

// earliest scans a time, such as the result of min; NULL is the zero time.
func earliest(row pgx.CollectableRow) (t time.Time, err error) {
	err = row.Scan(millisTime{&t})
	return t, err
}

// errDamaged says that a row which must be there is not.
func errDamaged(table string, key int64) error {
	return fmt.Errorf("the database is damaged: table %s has no row for %d", table, key)
}
