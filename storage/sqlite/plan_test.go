package sqlite

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
)

// TestQueriesUseTheirIndexes keeps the plans of the queries that meet large tables from turning into scans and sorts.
func TestQueriesUseTheirIndexes(t *testing.T) {
	s := fresh(t, Options{})
	events := func(q storage.EventQuery) string {
		text, _ := eventsQuery(q)
		return text
	}
	rows := func(b bulk) string { return (&tx{writer: s.writer}).bulkText(bulkSize{b, 4}) }
	now := time.Now()
	for _, tc := range []struct {
		name, query string
		uses        []string
	}{
		{"claim", `SELECT id FROM dispatch WHERE app = ? AND (step > 0) = ? AND due_time <= ? AND ready_time <= ?
			ORDER BY due_time, id LIMIT ?`, []string{"dispatch_claim (app=? AND <expr>=? AND due_time<?)"}},
		{"next dispatch", `SELECT MIN(ready_time) FROM dispatch WHERE app = ? AND ready_time IS NOT NULL`, []string{"dispatch_ready (app=?"}},
		{"due steps", selectStep + dueSteps, []string{"step_due (due_time<?)", "dispatch_sending (push_id=?)"}},
		{"next step", nextStepTime, []string{"step_due", "dispatch_sending (push_id=?)"}},
		{"pushes", selectPushes + pageOfPushes, []string{"push_app (app=? AND rowid<?)"}},
		{"request id", earlierByRequest, []string{"push_request (app=? AND request_id=?)"}},
		{"drafts", discardDrafts, []string{"push_hidden (state=?)"}},
		{"discarded drafts", selectDiscarded, []string{"push_hidden (state=?)"}},
		{"all events", events(storage.EventQuery{After: 1}), []string{"e USING INTEGER PRIMARY KEY (rowid>?)"}},
		{"an app's events", events(storage.EventQuery{App: "a"}), []string{"event_app (app=? AND rowid>?)"}},
		{"a push's events", events(storage.EventQuery{App: "a", PushID: 1, StartTime: now, EndTime: now}),
			[]string{"event_push (push_id=? AND rowid>?)"}},
		{"a device's events in a push", events(storage.EventQuery{App: "a", PushID: 1, RegistrationID: "r"}),
			[]string{"PRIMARY KEY (push_id=? AND registration_id=?)", "(push_id=? AND ordinal=?)"}},
		{"a device's events", events(storage.EventQuery{App: "a", RegistrationID: "r"}),
			[]string{"push_app (app=?)", "PRIMARY KEY (push_id=? AND registration_id=?)", "(push_id=? AND ordinal=?)"}},
		{"held callbacks", selectHeld + pageOfHeld, []string{"held_callback_reason (app=? AND reason=? AND rowid>?)"}},
		{"all held callbacks", selectAllHeld + pageOfHeld, []string{"MERGE (UNION ALL)", "held_callback_reason (app=? AND reason=? AND rowid>?)"}},
		{"upstream ids", rows(selectTargets), []string{"dispatch_upstream (app=? AND upstream_id=?)"}},
		{"recipients of callbacks", rows(selectMembers), []string{"PRIMARY KEY (push_id=? AND registration_id=?)"}},
		{"a push by its upstream id", selectPush + byUpstream, []string{"dispatch_upstream (app=? AND upstream_id=?)", "INTEGER PRIMARY KEY"}},
		{"progress", rows(updateProgress), []string{"recipient USING PRIMARY KEY (push_id=? AND ordinal=?)"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			args := make([]any, strings.Count(tc.query, "?"))
			plan, err := collect(t.Context(), s.readers, func(rows *sql.Rows) (string, error) {
				var a, b, c int
				var detail string
				err := rows.Scan(&a, &b, &c, &detail)
				return detail, err
			}, `EXPLAIN QUERY PLAN `+tc.query, args...)
			require.NoError(t, err)
			all := strings.Join(plan, "\n")
			if !strings.Contains(tc.name, "device") { // a device's events are few, and sorted
				require.NotContains(t, all, "TEMP B-TREE")
			}
			for _, use := range tc.uses {
				require.Contains(t, all, use)
			}
		})
	}
}
