package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"susul.dev/susul/storage/transfer"
)

// cursor is where a slice begins: after the row of a key, or within it.
type cursor struct {
	Key    []keyPart `json:"key"`
	Within int64     `json:"within,omitempty"` // from where on in the row of the key; 0: after it
}

// keyPart is a part of a key: a number, or a text of any bytes.
type keyPart struct {
	Number int64  `json:"n,omitempty"`
	Text   []byte `json:"t,omitempty"`
	IsText bool   `json:"text,omitempty"`
}

func (p keyPart) arg() any {
	if p.IsText {
		return string(p.Text)
	}
	return p.Number
}

func cursorOf(key []any, within int64) (string, error) {
	c := cursor{Within: within}
	for _, part := range key {
		switch v := part.(type) {
		case int64:
			c.Key = append(c.Key, keyPart{Number: v})
		case string:
			c.Key = append(c.Key, keyPart{Text: []byte(v), IsText: true})
		default:
			return "", fmt.Errorf("a key is stored as %T", part)
		}
	}
	text, err := json.Marshal(c)
	return string(text), err
}

// exporting is a slice that is being read.
type exporting struct {
	transfer.Slice
	table *transfer.Table
	from  exported
	limit int // rows
	bytes int // that are left
	err   error
}

// Slice reads rows of a table from a place on: about so many, and about so many bytes. The first place is empty.
func (e *Export) Slice(ctx context.Context, table *transfer.Table, place string, rows, bytes int) (transfer.Slice, error) {
	var at cursor
	if place != "" {
		if err := json.Unmarshal([]byte(place), &at); err != nil {
			return transfer.Slice{}, fmt.Errorf("%s: a place that is none: %w", table.Name, err)
		}
	}
	x := &exporting{table: table, from: exportOf(table), limit: rows, bytes: bytes}
	var args []any
	for _, part := range at.Key {
		args = append(args, part.arg())
	}
	found, err := e.store.readers.QueryContext(ctx, x.from.query(place != "", at.Within > 0), args...)
	if err != nil {
		return transfer.Slice{}, unavailable(err)
	}
	defer found.Close()
	if err := x.read(found, at.Within); err != nil {
		return transfer.Slice{}, fmt.Errorf("%s: %w", table.Name, err)
	}
	return x.Slice, unavailable(found.Err())
}

// read takes rows until there are enough, and notes where to go on.
func (x *exporting) read(found *sql.Rows, within int64) error {
	read := make([]any, len(x.from.key)+len(x.from.columns))
	to := make([]any, len(read))
	for i := range read {
		to[i] = &read[i]
	}
	for found.Next() {
		clear(read)
		if err := found.Scan(to...); err != nil {
			return err
		}
		values := read[len(x.from.key):]
		next, err := x.take(values, within)
		if err != nil {
			return err
		}
		within = 0
		if next == 0 {
			x.Work += x.from.weight(values)
		}
		if next > 0 || len(x.Rows) >= x.limit || x.bytes <= 0 {
			// Should nothing follow, the next slice is empty, and the last.
			x.Next, err = cursorOf(read[:len(x.from.key)], next)
			return err
		}
	}
	return nil
}

// take makes rows of one that was read.
func (x *exporting) take(values []any, within int64) (next int64, err error) {
	if x.from.unpack == nil {
		x.emit(values)
		return 0, x.err
	}
	next, err = x.from.unpack(values, within, max(x.limit-len(x.Rows), 1), x.emit)
	if err == nil {
		err = x.err
	}
	return next, err
}

func (x *exporting) emit(values transfer.Row) {
	row := make(transfer.Row, len(values))
	for i, value := range values {
		converted, err := exportedValue(x.table.Columns[i], value)
		if err != nil && x.err == nil {
			x.err = fmt.Errorf("row of %v: %w", values[0], err)
		}
		row[i] = converted
		switch v := converted.(type) {
		case string:
			x.bytes -= len(v)
		case []byte:
			x.bytes -= len(v)
		}
	}
	x.bytes -= 16 * len(values)
	x.Rows = append(x.Rows, row)
}
