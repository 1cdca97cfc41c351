// Package layout holds the packed forms in which backends keep what there are millions of: registration ids,
// progress words, events, single messages, and lists of ordinals. Everything else in the database is ordinary rows.
//
// Every form begins with a version byte; what another version wrote is refused with ErrFormat, never guessed at. Numbers
// of fixed width are little-endian; a uvarint is encoding/binary's.
//
// A page of recipients (table recipient_page) holds the registration ids of PageSize neighbours in ordinal order. Most
// ids have 19 lower-case hex digits, two of which fit into a byte:
//
//	┌───┬──────────────┬──────────────┬─              ┌───┬────────┬────────┬────────┬─
//	│ 1 │ id: 10 bytes │ id: 10 bytes │ …     or      │ 2 │ length │ length │ texts, one after the other …
//	└───┴──────────────┴──────────────┴─              └───┴─count──┴─uvarint┴────────┴─
//
// A page of progress (progress_page) holds the words of the same recipients, each cut to the bytes that the largest needs:
//
//	┌───┬───────┬─────────────┬─────────────┬─
//	│ 1 │ width │ word: width │ word: width │ …      words that are left out at the end are zero
//	└───┴───────┴─────────────┴─────────────┴─
//
// A segment of the event log (segment) holds neighbouring events of one push. The dispatches that they belong to stand
// once, ahead of them; the texts of an event are in the table event_kind, or, where they are one event's own, in
// event_detail under the event's sequence:
//
//	┌───┬───────┬───────────────────────┬─    ┬─────────┬──────┬──────┬───────┬──────────┬─
//	│ 1 │ count │ id - last id: varint, │ …   │ ordinal │ time │ kind │ later │ dispatch │ …
//	│   │       │ step: 1 byte          │     │ uint32  │uint32│uint32│ uint16│ uint16   │
//	└───┴uvarint┴───── dispatches ──────┴─    ┴─────────┴──────┴──────┴───────┴──────────┴─ 16 bytes each
//
// time is in seconds since the epoch; later is by how many milliseconds the event was received after the segment's
// receive_time; dispatch is an index into the dispatches.
//
// A block of members (member_bucket) leads from a registration id to its ordinal, for BlockSize neighbours at a time. The
// id's hash chooses one of the block's buckets; an entry in it has 16 more bits of the hash, and the ordinal within the
// block. What it finds is a candidate: the page of recipients decides.
//
//	┌───┬─────────────────────┬─────────────────┬─
//	│ 1 │ fingerprint: uint16 │ ordinal: uint16 │ …    sorted
//	└───┴─────────────────────┴─────────────────┴─
//
// A list of ordinals (dispatch.recipients) keeps their order, as runs of neighbours:
//
//	┌───┬──────────────────────────────┬──────────────────┬─
//	│ 1 │ first - end of last: varint  │ length: uvarint  │ …
//	└───┴──────────────────────────────┴──────────────────┴─
//
// A set of ordinals (decision.ordinals) is a bit for each from the first on, or such a list, whichever is shorter:
//
//	┌───┬────────────────┬─────────────────┬─              ┌───┬──────────────────
//	│ 1 │ first: uvarint │ 8 ordinals each │ …     or      │ 2 │ list of ordinals
//	└───┴────────────────┴─────────────────┴─              └───┴──────────────────
//
// The single messages of a batch (batch.singles) are compressed as a whole, with DEFLATE; a text is its length, a uvarint,
// and its bytes:
//
//	┌───┬───────────────┬   ┌──────────────────┬───────────────┬────────────────┬─
//	│ 1 │ size: uvarint │   │ ordinal: uvarint │ content: text │ override: text │ …
//	└───┴───────────────┴   └──────────────────┴───────────────┴────────────────┴─ of that size
//
// What became of them (batch_result.results) is a list to which more is appended:
//
//	┌───┬──────────────────┬───┬───────────────────────────────────────────────────┬─
//	│ 1 │ ordinal: uvarint │ 1 │ upstream id, as a uvarint                         │ …
//	│   │                  │ 2 │ upstream id, as a text                            │
//	│   │                  │ 3 │ HTTP status: varint, code: varint, message: text  │
//	└───┴──────────────────┴───┴───────────────────────────────────────────────────┴─
package layout

import (
	"errors"
	"fmt"
)

// ErrFormat says that bytes do not have the form that they should have: another version wrote them, or they are damaged.
var ErrFormat = errors.New("layout: unexpected format")

func malformed(what, why string) error { return fmt.Errorf("%w: %s: %s", ErrFormat, what, why) }
