package postgres

import "fmt"

// columns are rows that go to PostgreSQL as an array per column.
type columns struct {
	n    int
	args []any // *[]string, *[]int64 or *[][]byte
}

// add adds a row of strings, int64s and byte slices; each has the types of the first.
func (c *columns) add(row ...any) {
	if c.n == 0 {
		c.args = make([]any, len(row))
	}
	c.n++
	for i, v := range row {
		switch v := v.(type) {
		case string:
			c.args[i] = appended(c.args[i], v)
		case int64:
			c.args[i] = appended(c.args[i], v)
		case []byte:
			c.args[i] = appended(c.args[i], v)
		default:
			panic(fmt.Sprintf("columns of %T", v)) // a fault of the caller's
		}
	}
}

func appended[T any](list any, v T) any {
	if list == nil {
		return []T{v}
	}
	return append(list.([]T), v)
}

// exec runs a statement of which the columns are the arguments, unless there are no rows.
func (c *columns) exec(t *tx, statement string) error {
	if c.n == 0 {
		return nil
	}
	_, err := t.exec(statement, c.args...)
	return err
}
