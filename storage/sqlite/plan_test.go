package sqlite

import (
	"database/sql"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
)

// TestQueriesUseTheirIndexes keeps the plans of the queries that meet large tables from turning into scans and sorts.
func TestQueriesUseTheirIndexes(t *testing.T) {
	const sorted = "TEMP B-TREE"
	s := fresh(t, Options{})
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
		{"a push that is being forgotten", beingForgotten, []string{"push_forgotten (forgotten=?)"}},
		{"a push to be forgotten", toBeForgotten, []string{"push_forgotten (forgotten=?)", "s USING PRIMARY KEY (push_id=?)"}},
		{"drafts", discardDrafts, []string{"push_hidden (state=?)"}},
		{"discarded drafts", selectDiscarded, []string{"push_hidden (state=?)"}},
		{"the log", logSegments, []string{"s USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"}},
		{"runs of events", eventRuns, []string{"s USING INTEGER PRIMARY KEY (rowid>?)", "p USING INTEGER PRIMARY KEY (rowid=?)"}},
		{"spans", selectSpans, []string{"span_of_app USING PRIMARY KEY (app_id=? AND first<?)"}},
		{"a push's segments", pushSegments, []string{"i USING PRIMARY KEY (push_id=? AND sequence>? AND sequence<?)", "s USING INTEGER PRIMARY KEY"}},
		{"an upstream id", selectTarget, []string{"dispatch_upstream (app=? AND upstream_id=?)", "s USING PRIMARY KEY (app_id=? AND upstream_id=?)"}},
		{"upstream ids", selectTargets, []string{"dispatch_upstream (app=? AND upstream_id=?)", "s USING PRIMARY KEY (app_id=? AND upstream_id=?)"}},
		{"a page of dispatches", selectDispatches, []string{"dispatch_push (push_id=? AND rowid>?)"}},
		{"what is claimed before", claimedAhead, []string{"dispatch_claim (app=? AND <expr>=? AND due_time<?)"}},
		{"what is blocked before", blockedAhead, []string{"dispatch_blocked (app=? AND due_time<?)", "push_hidden (state=?)"}},
		{"steps to measure", selectStep + stepsToMeasure, []string{"step_measure (measure_time<?)"}},
		{"next measurement", nextMeasureTime, []string{"COVERING INDEX step_measure"}},
		{"members", selectBuckets, []string{"member_bucket USING INDEX sqlite_autoindex_member_bucket_1 (push_id=? AND bucket=?)"}},
		{"recipients", selectPages, []string{"recipient_page USING INDEX sqlite_autoindex_recipient_page_1 (push_id=? AND page>?)"}},
		{"held callbacks", selectHeld + pageOfHeld, []string{"held_callback_reason (app=? AND reason=? AND rowid>?)"}},
		{"all held callbacks", selectAllHeld + pageOfHeld, []string{"MERGE (UNION ALL)", "held_callback_reason (app=? AND reason=? AND rowid>?)"}},
		{"invalid devices", pageOfInvalid, []string{"i USING PRIMARY KEY (app_id=? AND registration_id>?)", "d USING INDEX sqlite_autoindex_device_1 (app_id=? AND registration_id=?)"}},
		{"whether devices are invalid", selectInvalidIDs, []string{"PRIMARY KEY (app_id=? AND registration_id=?)"}},
		{"devices", selectDevices, []string{"sqlite_autoindex_device_1 (app_id=? AND registration_id=?)"}},
		{"the pushes with messages", selectMessagePushes, []string{"dispatch_message (app=? AND <expr>>?)", "p USING INTEGER PRIMARY KEY (rowid=?)"}},
		{"messages", selectMessages, []string{"dispatch_message (app=? AND <expr>>?)"}},
		{"the pushes of a time", selectPushesSince, []string{"segment USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"}},
		{"a push by its upstream id", selectPush + byUpstream, []string{"dispatch_upstream (app=? AND upstream_id=?)", "INTEGER PRIMARY KEY"}},
		{"endpoints", selectEndpoints, []string{"relay_endpoint USING PRIMARY KEY ((app,id)>(?,?))"}},
		{"an app's relay spans", relaySpans(storage.RelaySpanQuery{App: "a", Kinds: []storage.RelaySpanKind{storage.SpanDead}}),
			[]string{"relay_span USING PRIMARY KEY ((app,endpoint,id)>(?,?,?) AND app<?)"}},
		{"an endpoint's relay spans", relaySpans(storage.RelaySpanQuery{App: "a", Endpoint: "e"}),
			[]string{"relay_span USING PRIMARY KEY ((app,endpoint,id)>(?,?,?) AND (app,endpoint)<(?,?))"}},
		{"the spans of an endpoint that goes", `DELETE FROM relay_span WHERE app = ? AND endpoint = ?`,
			[]string{"PRIMARY KEY (app=? AND endpoint=?)"}},
		{"old dead letters", deleteDead, []string{"relay_span_dead (create_time<?)", "PRIMARY KEY (app=? AND endpoint=? AND id=?)"}},
		// The few rows that these find are sorted.
		{"messages", selectTaken, []string{"dispatch_span (push_id=? AND low<?)", sorted}},
		{"a recipient's dispatches", selectDispatchesOf, []string{"dispatch_span (push_id=? AND low<?)", sorted}},
		{"why a recipient was passed over", selectDecisionsOf, []string{"decision_push (push_id=? AND low<?)", sorted}},
		{"measured groups", measuredGroups, []string{"g USING PRIMARY KEY (push_id=? AND step=?)", "measurement_key (policy_uid=? AND key=? AND time>?)", sorted}},
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
			if !slices.Contains(tc.uses, sorted) {
				require.NotContains(t, all, sorted)
			}
			for _, use := range tc.uses {
				require.Contains(t, all, use)
			}
		})
	}
}

func relaySpans(q storage.RelaySpanQuery) string {
	text, _ := relaySpansQuery(q)
	return text
}
