package sqlite

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"susul.dev/susul/storage"
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

// ordinalsJSON stores ordinals as a JSON array, and beside it their number; nil is NULL in both.
func ordinalsJSON(ordinals []uint32) (list, count any) {
	if ordinals == nil {
		return nil, nil
	}
	text := make([]byte, 0, 2+8*len(ordinals))
	text = append(text, '[')
	for i, o := range ordinals {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendUint(text, uint64(o), 10)
	}
	return string(append(text, ']')), len(ordinals)
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

// earliest scans the result of MIN over a time; ok is false for NULL.
func earliest(rows *sql.Rows) (t time.Time, err error) {
	err = rows.Scan(millisTime{&t})
	return t, err
}
