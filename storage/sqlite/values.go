package sqlite

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// millis is how a time is stored; the zero time is NULL.
func millis(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

// millisTime scans what millis stored.
type millisTime struct{ to *time.Time }

// Scan implements sql.Scanner.
func (m millisTime) Scan(v any) error {
	switch ms := v.(type) {
	case nil:
		*m.to = time.Time{}
	case int64:
		*m.to = time.UnixMilli(ms).UTC()
	default:
		return fmt.Errorf("a time is stored as %T", v)
	}
	return nil
}

// millisSpan scans a duration stored in milliseconds.
type millisSpan struct{ to *time.Duration }

// Scan implements sql.Scanner.
func (m millisSpan) Scan(v any) error {
	ms, ok := v.(int64)
	if !ok {
		return fmt.Errorf("a duration is stored as %T", v)
	}
	*m.to = time.Duration(ms) * time.Millisecond
	return nil
}

// asJSON stores a value as JSON text; nil pointers and slices are NULL.
func asJSON[T any](v T, isNil bool) (any, error) {
	if isNil {
		return nil, nil
	}
	text, err := json.Marshal(v)
	return string(text), err
}

// fromJSON scans what asJSON stored.
type fromJSON[T any] struct{ to *T }

// Scan implements sql.Scanner.
func (j fromJSON[T]) Scan(v any) error {
	switch text := v.(type) {
	case nil:
		var zero T
		*j.to = zero
		return nil
	case string:
		return json.Unmarshal([]byte(text), j.to)
	}
	return fmt.Errorf("JSON is stored as %T", v)
}

// list is an argument of which a query has a row for each item; see listed.
type list[T any] []T

// Value implements driver.Valuer.
func (l list[T]) Value() (driver.Value, error) {
	if len(l) == 0 {
		return "[]", nil
	}
	text, err := json.Marshal([]T(l))
	return string(text), err
}

// listed is the items of an argument that is a list.
const listed = `(SELECT value FROM json_each(?))`

// packOrdinals stores ordinals in their packed form, and beside it their number; nil is NULL in both.
func packOrdinals(ordinals []uint32) (list, count any) {
	if ordinals == nil {
		return nil, nil
	}
	return layout.AppendOrdinals(nil, ordinals), len(ordinals)
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

// Scan implements sql.Scanner.
func (l ordinalList) Scan(v any) (err error) {
	switch list := v.(type) {
	case nil:
		*l.to = nil
	case []byte:
		*l.to, err = layout.ReadOrdinals(list, maxOrdinals)
	default:
		err = fmt.Errorf("ordinals are stored as %T", v)
	}
	return err
}

// ordinalSlice scans what layout.AppendSet stored.
type ordinalSlice []uint32

// Scan implements sql.Scanner.
func (l *ordinalSlice) Scan(v any) error {
	set, ok := v.([]byte)
	if !ok {
		return fmt.Errorf("a set of ordinals is stored as %T", v)
	}
	ordinals, err := layout.ReadSet(set, maxOrdinals)
	*l = ordinals
	return err
}

// blob is how bytes are stored; none are NULL and read back as nil.
func blob(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// page holds a limit between 1 and storage.MaxPage.
func page(limit int) int {
	if limit <= 0 || limit > storage.MaxPage {
		return storage.MaxPage
	}
	return limit
}

// earliest scans a time, such as the result of MIN; NULL is the zero time.
func earliest(rows *sql.Rows) (t time.Time, err error) {
	err = rows.Scan(millisTime{&t})
	return t, err
}
