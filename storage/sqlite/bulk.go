package sqlite

import "strings"

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

// exec runs the statement for n rows, cut into pieces, and returns how many it changed. row appends the arguments of the
// row i.
func (b bulk) exec(t *tx, n int, row func(args []any, i int) []any) (changed int64, err error) {
	var args []any
	for i := 0; i < n; {
		size := pieceOf(n - i)
		args = args[:0]
		for end := i + size; i < end; i++ {
			args = row(args, i)
		}
		piece, err := t.exec(t.bulkText(bulkSize{b, size}), args...)
		if err != nil {
			return changed, err
		}
		changed += piece
	}
	return changed, nil
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
