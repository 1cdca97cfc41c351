// Package transfer is the neutral form in which one backend hands all that it holds to another: tables of plain rows. Backends lay
// things out differently; here a recipient is a row, whatever page it comes from, and an app is its key.
//
//	source backend ── Slice: some rows, and where the next begin ──► target backend: one transaction with that place
//	       │                                                                  │
//	       └──────────── rows read again, digested ◄── compared ──► digested by the database itself
package transfer

import (
	"errors"
	"fmt"
	"strings"
)

// Kind is what the values of a column are.
type Kind string

// The kinds, and what stands for a value of them in a Row. NULL is nil in all.
const (
	Int   Kind = "int"   // int64
	Text  Kind = "text"  // string
	Bytes Kind = "bytes" // []byte
	Bool  Kind = "bool"  // bool
	Texts Kind = "texts" // []string
)

// Column is a column of a table.
type Column struct {
	Name string
	Kind Kind
}

// Row has a value for each column of its table.
type Row []any

// Table is one kind of what a store holds.
type Table struct {
	Name    string
	Columns []Column
	// Group is the column, one of integers that never decrease from row to row, by which rows are compared in groups: GroupSize
	// neighbouring values are one. Empty: all rows are one group.
	Group     string
	GroupSize int64
	Of        string // what a group is, for a person
}

// GroupOf returns the group of a row.
func (t *Table) GroupOf(row Row) int64 {
	for i, c := range t.Columns {
		if c.Name == t.Group {
			value, _ := row[i].(int64)
			return value / t.GroupSize
		}
	}
	return 0
}

// Place describes a group.
func (t *Table) Place(group int64) string {
	switch {
	case t.Group == "":
		return t.Name
	case t.GroupSize > 1:
		return fmt.Sprintf("%s, %s %d to %d", t.Name, t.Of, group*t.GroupSize, (group+1)*t.GroupSize-1)
	}
	return fmt.Sprintf("%s, %s %d", t.Name, t.Of, group)
}

// Slice is a part of a table.
type Slice struct {
	Rows []Row
	// Next is where the next slice begins, in the source's own words; empty after the last.
	Next string
	// Work is how much of the table's Work this was.
	Work int64
}

// Source is what tells a source from others, and from itself at another time; and what is not in tables.
type Source struct {
	ID       string // differs once a server has worked with the source again
	Term     int64  // of the latest leader
	Sequence int64  // of the latest event
	Looked   int64  // up to where the log was looked at for receivers of events
}

// Errors of a target.
var (
	// ErrInUse says that a node, or another migration, is at work with the database.
	ErrInUse = errors.New("a node, or another migration, is at work with the database: stop all of them first")

	// ErrNotEmpty says that a target holds something that the migration did not bring.
	ErrNotEmpty = errors.New("the database is not empty: use one that is")

	// ErrOtherSource says that a target has the remains of another migration.
	ErrOtherSource = errors.New("the database has what an earlier run brought from another source, or from this one before a server worked with it" +
		" again: begin anew with an empty database")
)

// State is how far a migration has come.
type State struct {
	// Complete says that everything was brought, and verified.
	Complete bool
	// Tables is how far each table has come; those that are not there were not begun.
	Tables map[string]TableState
}

// TableState is how far a table has come.
type TableState struct {
	Next string // where to go on; empty once it is done
	Rows int64  // brought
	Done bool
}

// Tables are all of them, in an order in which no row comes before one that it refers to.
var Tables = []Table{
	table("policy_revision", "", 0, "", "uid text, revision int, name text, spec bytes"),
	table("push", "id", 1, "push", `id int, app text, request_id text, fingerprint bytes, listed bool, external bool, state text,
		time_to_live int, create_time int, first_sent_time int, recipients int, forgotten int, policy_uid text, policy_revision int,
		refusal text, callback_urls texts, document bytes`),
	table("recipient", "push_id", 1, "push", "push_id int, ordinal int, registration_id text"),
	table("progress", "push_id", 1, "push", "push_id int, ordinal int, word int"),
	table("mark", "push_id", 1, "push", "push_id int, step int, status text, ordinal int"),
	table("step", "push_id", 1, "push", `push_id int, number int, state text, offset_ms int, due_time int, next_ordinal int,
		cancel_reason text, hold_time int, measure_time int`),
	table("dispatch", "id", 1, "dispatch", `id int, app text, push_id int, step int, chunk int, state text, attempt int, plan_time int,
		due_time int, expire_time int, claim_time int, ready_time int, sent_time int, upstream_id text, reason text, refusal text,
		units int, settled int, recipient_count int, low int, high int, variant text, plain_content bool, override text,
		recipients bytes, content bytes`),
	table("batch", "dispatch_id", 1, "dispatch", "dispatch_id int, singles bytes"),
	table("batch_result", "dispatch_id", 1, "dispatch", "dispatch_id int, results bytes"),
	table("single", "", 0, "", "app text, upstream_id text, dispatch_id int"),
	table("decision", "id", 1000, "ids", `id int, push_id int, step int, dispatch_id int, low int, high int, time int, reason text,
		ordinals bytes`),
	table("passed_over", "push_id", 1, "push", "push_id int, step int, reason text, n int"),
	// Step -1 tells by how much all steps together, each recipient counted once, are ahead of step 0, unless it is by nothing.
	table("counter", "push_id", 1, "push", "push_id int, step int, sent int, delivered int, displayed int, clicked int, failed int"),
	table("event_kind", "", 0, "", `id int, milestone int, status text, error_code int, error_message text, channel text,
		loss_source text`),
	table("segment", "sequence", 10_000, "sequences", `sequence int, app text, push_id int, events int, low int, high int, last_time int,
		receive_time int, body bytes`),
	table("event_detail", "sequence", 10_000, "sequences", `sequence int, milestone int, status text, time int, error_code int,
		error_message text, channel text, loss_source text, raw bytes`),
	table("held_callback", "id", 1000, "ids", `id int, app text, upstream_id text, registration_id text, status text, digest text,
		reason text, milestone int, time int, receive_time int, error_code int, error_message text, channel text, loss_source text,
		invalidates text, raw bytes`),
	table("measurement", "push_id", 1, "push", "push_id int, step int, policy_uid text, key text, time int"),
	table("measured_group", "push_id", 1, "push", `push_id int, step int, holdout text, variant text, recipients int, clicked int`),
	table("device", "", 0, "", `app text, registration_id text, update_time int, time_zone text, locale text, attributes bytes`),
	table("invalid_device", "", 0, "", `app text, registration_id text, time int, revive_time int, delete_time int, reason text,
		status text, error_code int, error_message text`),
	table("relay_endpoint", "", 0, "", `app text, id text, uid text, state text, cursor int, last_span int, failures int,
		failing_since int, next_attempt int, last_error_time int, last_success int, attempts int, failed int, delivered int,
		create_time int, url text, last_error bytes`),
	table("relay_span", "", 0, "", `app text, endpoint text, id int, kind text, push_id int, next int, last int, start_time int,
		end_time int, events int, failures int, failing_since int, next_attempt int, create_time int, last_error bytes`),
}

// table makes a table of a list of columns, each a name and a kind.
func table(name, group string, size int64, of, columns string) Table {
	t := Table{Name: name, Group: group, GroupSize: size, Of: of}
	for column := range strings.SplitSeq(columns, ",") {
		words := strings.Fields(column)
		t.Columns = append(t.Columns, Column{words[0], Kind(words[1])})
	}
	return t
}

// Quantity is something that is counted per push in two ways.
type Quantity string

// The quantities.
const (
	Recipients Quantity = "recipients"
	Events     Quantity = "events"
	Clicks     Quantity = "clicks" // recipients who clicked, in whatever step
)
