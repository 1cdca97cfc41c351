package sqlite

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"

	"susul.dev/susul/storage/layout"
	"susul.dev/susul/storage/transfer"
)

// exported says how the rows of a table are read here.
type exported struct {
	from    string   // the table, as t
	join    string   // others
	key     []string // what orders the rows, from an index
	columns []string // by the table's columns; expressions
	hidden  string   // condition of rows that belong to what was never published
	total   string   // expression that tells how much work there is; default: the rows
	// unpack makes rows of one that was read, from a place within it on, at most limit, and returns the place where to go on; 0: all is
	// done. Nil: the row is as the file has it.
	unpack func(values []any, within int64, limit int, emit func(transfer.Row)) (next int64, err error)
	// weight is how much work a row is that was read.
	weight func(values []any) int64
}

const (
	hiddenPushes     = `(SELECT id FROM push WHERE ` + hidden + `)`
	hiddenDispatches = `(SELECT id FROM dispatch WHERE push_id IN ` + hiddenPushes + `)`
	withApp          = ` JOIN app a ON a.id = t.app_id`
)

// exports are the tables that are not simply as package transfer has them.
var exports = map[string]exported{
	"policy_revision": {key: []string{"uid", "revision"}},
	"push":            {key: []string{"id"}, hidden: hidden},
	"recipient": {
		from: "recipient_page t", key: []string{"push_id", "page"}, columns: []string{"t.push_id", "t.page", "t.ids"},
		hidden: "t.push_id IN " + hiddenPushes, total: fmt.Sprint("COUNT(*) * ", layout.PageSize), unpack: unpackRecipients, weight: ofAPage,
	},
	"progress": {
		from: "progress_page t", key: []string{"push_id", "page"}, columns: []string{"t.push_id", "t.page", "t.words"},
		hidden: "t.push_id IN " + hiddenPushes, total: fmt.Sprint("COUNT(*) * ", layout.PageSize), unpack: unpackProgress, weight: ofAPage,
	},
	"mark": {
		key: []string{"push_id", "step", "status"}, columns: []string{"t.push_id", "t.step", "t.status", "t.ordinals"},
		hidden: "t.push_id IN " + hiddenPushes, unpack: unpackMarks,
	},
	"step":         {key: []string{"push_id", "number"}, hidden: "t.push_id IN " + hiddenPushes},
	"dispatch":     {key: []string{"id"}, hidden: "t.push_id IN " + hiddenPushes},
	"batch":        {key: []string{"dispatch_id"}, hidden: "t.dispatch_id IN " + hiddenDispatches},
	"batch_result": {key: []string{"dispatch_id"}, hidden: "t.dispatch_id IN " + hiddenDispatches},
	"single": {
		from: "single t", join: withApp, key: []string{"app_id", "upstream_id"}, columns: []string{"a.key", "t.upstream_id", "t.dispatch_id"},
		hidden: "t.dispatch_id IN " + hiddenDispatches,
	},
	"decision":    {key: []string{"id"}, hidden: "t.push_id IN " + hiddenPushes},
	"passed_over": {key: []string{"push_id", "step", "reason"}, hidden: "t.push_id IN " + hiddenPushes},
	"counter": {
		join: ` LEFT JOIN counter z ON t.step = -1 AND z.push_id = t.push_id AND z.step = 0`, key: []string{"push_id", "step"},
		columns: []string{"t.push_id", "t.step", chainAhead("sent"), chainAhead("delivered"), chainAhead("displayed"), chainAhead("clicked"), chainAhead("failed")},
		hidden: `t.push_id IN ` + hiddenPushes + ` OR t.step = -1 AND (` + chainAhead("sent") + `, ` + chainAhead("delivered") + `, ` + chainAhead("displayed") +
			`, ` + chainAhead("clicked") + `, ` + chainAhead("failed") + `) = (0, 0, 0, 0, 0)`,
	},
	"event_kind": {key: []string{"id"}},
	"segment": {
		from: "segment t", join: withApp, key: []string{"sequence"}, unpack: unpackSegment,
		columns: []string{"t.sequence", "a.key", "t.push_id", "t.events", "0", "0", "t.last_time", "t.receive_time", "t.body"},
		// To count the rows is to read them all; how many events there are costs nothing to say, about.
		total:  "COALESCE(MAX(sequence) - MIN(sequence), 0)",
		weight: func(values []any) int64 { n, _ := values[3].(int64); return n },
	},
	"event_detail":  {key: []string{"sequence"}},
	"held_callback": {key: []string{"id"}},
	"measurement":   {key: []string{"push_id", "step"}},
	"measured_group": {
		key: []string{"push_id", "step", "holdout", "variant"},
	},
	"device": {
		from: "device t", join: withApp, key: []string{"app_id", "registration_id"},
		columns: []string{"a.key", "t.registration_id", "t.update_time", "t.time_zone", "t.locale", "t.attributes"},
	},
	"invalid_device": {
		from: "invalid_device t", join: withApp, key: []string{"app_id", "registration_id"},
		columns: []string{"a.key", "t.registration_id", "t.time", "t.revive_time", "t.delete_time", "t.reason", "t.status",
			"t.error_code", "t.error_message"},
	},
	"relay_endpoint": {key: []string{"app", "id"}},
	"relay_span":     {key: []string{"app", "endpoint", "id"}},
}

// chainAhead is by how much a counter of all steps is ahead of step 0's; another step's is what it is.
func chainAhead(column string) string { return "(t." + column + " - COALESCE(z." + column + ", 0))" }

// exportOf returns how a table is read, with what goes without saying.
func exportOf(table *transfer.Table) exported {
	e := exports[table.Name]
	if e.from == "" {
		e.from = table.Name + " t"
	}
	if e.columns == nil {
		for _, c := range table.Columns {
			e.columns = append(e.columns, "t."+c.Name)
		}
	}
	if e.hidden == "" {
		e.hidden = "FALSE"
	}
	if e.total == "" {
		e.total = "COUNT(*)"
	}
	if e.weight == nil {
		e.weight = func([]any) int64 { return 1 }
	}
	return e
}

func (e *exported) work() string {
	return `SELECT ` + e.total + ` FROM ` + e.from
}

// query reads the rows after a key, or from it on; all, without a key.
func (e *exported) query(after, inclusive bool) string {
	var keys, marks []string
	for _, k := range e.key {
		keys, marks = append(keys, "t."+k), append(marks, "?")
	}
	key := strings.Join(keys, ", ")
	where := "NOT (" + e.hidden + ")"
	if after {
		comparison := ") > ("
		if inclusive {
			comparison = ") >= ("
		}
		where += " AND (" + key + comparison + strings.Join(marks, ", ") + ")"
	}
	return `SELECT ` + key + `, ` + strings.Join(e.columns, ", ") + ` FROM ` + e.from + e.join + ` WHERE ` + where + ` ORDER BY ` + key
}

func ofAPage([]any) int64 { return layout.PageSize }

func pageAndPush(values []any) (push, first int64, packed []byte, err error) {
	push, ok := values[0].(int64)
	page, isPage := values[1].(int64)
	packed, isBlob := values[2].([]byte)
	if !ok || !isPage || !isBlob {
		err = fmt.Errorf("a page of push %v is stored as %T, %T", values[0], values[1], values[2])
	}
	return push, page * layout.PageSize, packed, err
}

func unpackRecipients(values []any, _ int64, _ int, emit func(transfer.Row)) (int64, error) {
	push, first, packed, err := pageAndPush(values)
	if err != nil {
		return 0, err
	}
	page, err := layout.ReadRecipients(packed)
	if err != nil {
		return 0, fmt.Errorf("push %d from ordinal %d on: %w", push, first, err)
	}
	for i := range page.Len() {
		emit(transfer.Row{push, first + int64(i), page.ID(i)})
	}
	return 0, nil
}

func unpackProgress(values []any, _ int64, _ int, emit func(transfer.Row)) (int64, error) {
	push, first, packed, err := pageAndPush(values)
	if err != nil {
		return 0, err
	}
	var words [layout.PageSize]uint64
	if err := layout.ReadProgress(packed, words[:]); err != nil {
		return 0, fmt.Errorf("push %d from ordinal %d on: %w", push, first, err)
	}
	for i, word := range words {
		if word != 0 {
			emit(transfer.Row{push, first + int64(i), int64(word)})
		}
	}
	return 0, nil
}

// unpackMarks makes a row of each ordinal, for there may be as many as recipients.
func unpackMarks(values []any, within int64, limit int, emit func(transfer.Row)) (int64, error) {
	packed, ok := values[3].([]byte)
	if !ok {
		return 0, fmt.Errorf("marks of push %v are stored as %T", values[0], values[3])
	}
	bitmap := roaring.New()
	if err := bitmap.UnmarshalBinary(packed); err != nil {
		return 0, fmt.Errorf("marks of push %v, step %v: %w", values[0], values[1], err)
	}
	i := bitmap.Iterator()
	i.AdvanceIfNeeded(uint32(within))
	for n := 0; i.HasNext(); n++ {
		ordinal := i.Next()
		if n == limit {
			return int64(ordinal), nil
		}
		emit(transfer.Row{values[0], values[1], values[2], int64(ordinal)})
	}
	return 0, nil
}

// unpackSegment adds the first and last ordinal, which the file has in an index only.
func unpackSegment(values []any, _ int64, _ int, emit func(transfer.Row)) (int64, error) {
	body, ok := values[8].([]byte)
	if !ok {
		return 0, fmt.Errorf("segment %v is stored as %T", values[0], values[8])
	}
	segment, err := layout.ReadSegment(body)
	if err == nil && int64(segment.Len()) != values[3] {
		err = fmt.Errorf("%w: %d events instead of %v", layout.ErrFormat, segment.Len(), values[3])
	}
	if err != nil {
		return 0, fmt.Errorf("segment %v: %w", values[0], err)
	}
	row := append(transfer.Row{}, values...)
	row[4], row[5] = int64(segment.Event(0).Ordinal), int64(segment.Event(segment.Len()-1).Ordinal)
	emit(row)
	return 0, nil
}

// exportedValue turns what the driver read into what a column of a kind has.
func exportedValue(c transfer.Column, value any) (any, error) {
	switch v := value.(type) {
	case nil:
		return nil, nil
	case int64:
		switch c.Kind {
		case transfer.Int:
			return v, nil
		case transfer.Bool:
			return v != 0, nil
		}
	case string:
		switch c.Kind {
		case transfer.Text:
			return v, nil
		case transfer.Bytes:
			return []byte(v), nil
		case transfer.Texts:
			texts := []string{}
			err := json.Unmarshal([]byte(v), &texts)
			return texts, err
		}
	case []byte:
		if c.Kind == transfer.Bytes {
			return v, nil
		}
	}
	return nil, fmt.Errorf("%s is stored as %T", c.Name, value)
}
