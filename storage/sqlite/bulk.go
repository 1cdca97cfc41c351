package sqlite

import (
	"strings"
)

// bulk is a statement over a list of rows: head, the rows as VALUES, tail.
type bulk struct {
	head    string
	columns int
	tail    string
}

// bulkSize is a bulk statement for a number of rows.
type bulkSize struct {
	bulk
	rows int
}

// A list of any length is cut into pieces of these sizes, so that a statement is prepared once per size. The largest
// stays far below SQLite's limit of 32,766 parameters.
var bulkSizes = [...]int{256, 32, 4, 1}

// each cuts n rows into pieces and calls do with the statement and the arguments of each piece. row appends the
// arguments of the row i.
func (b bulk) each(t *tx, n int, row func(args []any, i int) []any, do func(query string, args []any) error) error {
	var args []any
	for i := 0; i < n; {
		size := pieceOf(n - i)
		args = args[:0]
		for end := i + size; i < end; i++ {
			args = row(args, i)
		}
		if err := do(t.bulkText(bulkSize{b, size}), args); err != nil {
			return err
		}
	}
	return nil
}

// exec runs the statement for n rows and returns how many it changed.
func (b bulk) exec(t *tx, n int, row func(args []any, i int) []any) (changed int64, err error) {
	err = b.each(t, n, row, func(query string, args []any) error {
		piece, err := t.exec(query, args...)
		changed += piece
		return err
	})
	return changed, err
}

func pieceOf(n int) int {
	for _, size := range bulkSizes {
		if size <= n {
			return size
		}
	}
	return 1
}

func (t *tx) bulkText(b bulkSize) string {
	if text, ok := t.writer.texts[b]; ok {
		return text
	}
	row := "(?" + strings.Repeat(", ?", b.columns-1) + ")"
	text := b.head + " VALUES " + row + strings.Repeat(", "+row, b.rows-1) + " " + b.tail
	t.writer.texts[b] = text
	return text
}
