package migration

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage/postgres/postgrestest"
)

// tampering is something that is not as it was copied, and what must be found.
type tampering struct{ what, statement, finding string }

var tamperings = []tampering{
	{"a recipient is missing", `DELETE FROM recipient WHERE ordinal = 1`, "recipient, push "},
	{"a recipient is there twice", `INSERT INTO recipient SELECT push_id, 4000, 'x' FROM recipient LIMIT 1`, "recipient, push "},
	{"a recipient is another", `UPDATE recipient SET registration_id = 'other' WHERE ordinal = 0`, "recipient, push "},
	{"two recipients took each other's place", `UPDATE recipient SET ordinal = 1e9 - ordinal WHERE ordinal IN (0, 1)`, "recipient, push "},
	{"a bit is set", `UPDATE progress SET word = word | 16, was = word | 16 WHERE word & 16 = 0`, "progress, push "},
	{"a change is not settled", `UPDATE progress SET was = 0`, "progress: words that are not settled"},
	{"a click is lost", `DELETE FROM progress WHERE word & 8 <> 0`, "clicks, the target has"},
	{"a mark is missing", `DELETE FROM mark WHERE ordinal = (SELECT min(ordinal) FROM mark)`, "mark, push "},
	{"a step moved on", `UPDATE step SET state = 'PLANNED'`, "step, push "},
	{"a dispatch is due again", `UPDATE dispatch SET ready_time = 1 WHERE state = 'SENT'`, "dispatch, dispatch "},
	{"a dispatch has other recipients", `UPDATE dispatch SET recipients = '\x01'`, "dispatch, dispatch "},
	{"an event is another", `UPDATE segment SET body = set_byte(body, 8, 255 - get_byte(body, 8))`, "segment, sequences "},
	{"an event is missing", `DELETE FROM segment WHERE sequence = (SELECT max(sequence) FROM segment)`, "events, the target has"},
	{"the log is not where it is looked for", `UPDATE log_day SET last = last + 1`, "log_day"},
	{"a kind of event is another", `UPDATE event_kind SET channel = channel || '!'`, "event_kind: of "},
	{"a detail is missing", `DELETE FROM event_detail`, "event_detail, sequences "},
	{"a counter is ahead", `UPDATE counter SET clicked = clicked + 1 WHERE step = 0`, "counter, push "},
	{"a held callback is missing", `DELETE FROM held_callback WHERE id = (SELECT min(id) FROM held_callback)`, "held_callback, ids "},
	{"a push lost its refusal", `UPDATE push SET document = NULL`, "push, push "},
	{"a policy is another", `UPDATE policy_revision SET spec = '\x00'`, "policy_revision: of "},
	{"somebody was passed over otherwise", `UPDATE decision SET reason = 'HOLDOUT'`, "decision, ids "},
	{"a dead letter is missing", `DELETE FROM relay_span WHERE kind = 'DEAD'`, "relay_span: "},
	{"a device is unknown", `DELETE FROM device`, "device: "},
	{"events were looked at", `UPDATE relay_head SET sequence = sequence + 1`, "RelayHead"},
}

// Whatever differs in the target is found and said, and no node works with it then.
func TestWhatDiffersIsFound(t *testing.T) {
	server := postgrestest.Shared(t)
	source := openSource(t, filledFile(t, 1, 60))
	template, err := server.Create(t.Context(), "")
	require.NoError(t, err)
	_, err = runMortal(t, source, server.DSN(template), &mortal{slices: -1, finish: dies})
	require.ErrorIs(t, err, errKilled)
	for _, tampered := range tamperings {
		t.Run(tampered.what, func(t *testing.T) {
			dsn := server.Copy(t, template)
			tamper := func(ctx context.Context) error {
				conn, err := pgx.Connect(ctx, dsn)
				if err != nil {
					return err
				}
				tag, err := conn.Exec(ctx, tampered.statement)
				require.NoError(t, err)
				require.Positive(t, tag.RowsAffected(), "there is nothing to tamper with")
				return conn.Close(ctx)
			}
			_, err = runMortal(t, source, dsn, &mortal{slices: -1, finish: tamper})
			var found *Mismatch
			require.ErrorAs(t, err, &found)
			require.ErrorContains(t, err, tampered.finding)
			requireIncomplete(t, dsn)
		})
	}
}
