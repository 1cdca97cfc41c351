package sqlite

import (
	"io/fs"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// TestAnEarlierDatabaseGoesOn migrates a database that was left in the middle of a push: with what was sent, and a follow-up
// that is partly planned.
func TestAnEarlierDatabaseGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "susul.db")
	writeEarlier(t, path)
	s := open(t, path)
	defer func() { require.NoError(t, s.Close()) }()
	ctx, now := t.Context(), time.UnixMilli(9_000_000).UTC()

	dispatches, err := s.ListDispatches(ctx, 1, 0, 10)
	require.NoError(t, err)
	require.Len(t, dispatches, 3)
	require.Equal(t, storage.Dispatch{ID: 5, PushID: 1, State: storage.DispatchSent, Attempt: 2, UpstreamID: "m1",
		ClaimTime: time.UnixMilli(1500).UTC(), SentTime: time.UnixMilli(3000).UTC(),
		DispatchDraft: storage.DispatchDraft{Recipients: []uint32{2, 3}, Content: []byte("content"), Chunk: 1,
			DueTime: time.UnixMilli(1000).UTC(), ExpireTime: time.UnixMilli(9000).UTC()}}, dispatches[1])

	last, err := s.LastMessages(ctx, 1, 1, 1, 10)
	require.NoError(t, err)
	require.Equal(t, []storage.LastMessage{
		{Ordinal: 1, UpstreamID: "m0"}, {Ordinal: 2, UpstreamID: "m1"}, {Ordinal: 3, UpstreamID: "m1"},
	}, last)
	summary, err := s.RecordCallbacks(ctx, benchApp, now, []storage.Callback{
		{UpstreamID: "m1", RegistrationID: benchID(3), Milestone: storage.Clicked, Status: "click", Time: now}})
	require.NoError(t, err)
	require.Equal(t, storage.CallbackSummary{New: 1}, summary)
	report, err := s.Report(ctx, benchApp, 1)
	require.NoError(t, err)
	require.Equal(t, map[storage.Reason]int{storage.ReasonMilestoneReached: 1}, report.Steps[1].PassedOver)

	queue, err := s.Queue(ctx, benchApp, 1)
	require.NoError(t, err)
	require.Equal(t, storage.Queue{Units: 1, DueTime: time.UnixMilli(4000).UTC()}, queue)
	claims, err := s.ClaimDispatches(ctx, storage.ClaimRequest{App: benchApp, Now: now, Lease: time.Minute})
	require.NoError(t, err)
	require.Len(t, claims, 1)
	require.NoError(t, s.StartDispatch(ctx, storage.DispatchStart{ID: 9, Attempt: 1}))
	_, err = s.FinishDispatch(ctx, storage.DispatchResult{ID: 9, Attempt: 1, State: storage.DispatchSent, Time: now, UpstreamID: "m2"})
	require.NoError(t, err)
	require.NoError(t, s.PlanStep(ctx, storage.StepPlan{PushID: 1, Step: 1, From: 2, Through: 4, Done: true, Time: now, MeasureTime: now,
		PassedOver: storage.PassedOver{storage.ReasonHoldout: {2}}}))

	h, err := s.History(ctx, benchApp, 1, benchID(1))
	require.NoError(t, err)
	require.Len(t, h.Dispatches, 2)
	require.Equal(t, "m2", h.Dispatches[1].UpstreamID)
	o, err := s.Outcomes(ctx, 1)
	require.NoError(t, err)
	require.Equal(t, storage.ClickCount{Recipients: 1}, o.FollowedUp)
	require.Equal(t, storage.ClickCount{Recipients: 1}, o.HeldOut)
}

// writeEarlier writes a push to four as the schema before follow-ups had it.
func writeEarlier(t *testing.T, path string) {
	t.Helper()
	db, err := openWith(path, 1, url.Values{})
	require.NoError(t, err)
	files, err := fs.Sub(migrations, "migrations")
	require.NoError(t, err)
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	require.NoError(t, err)
	_, err = provider.UpTo(t.Context(), 3)
	require.NoError(t, err)
	ids := make([]string, 4)
	for i := range ids {
		ids[i] = benchID(i)
	}
	for _, row := range []struct {
		statement string
		args      []any
	}{
		{`INSERT INTO push (id, app, request_id, listed, external, state, time_to_live, create_time, first_sent_time, recipients)
			VALUES (1, ?, '', 1, 0, 'ACTIVE', 0, 500, 2000, 4)`, []any{benchApp}},
		{`INSERT INTO recipient_page (push_id, page, ids) VALUES (1, 0, ?)`, []any{layout.AppendRecipients(nil, ids)}},
		{`INSERT INTO step (push_id, number, state, offset_ms, due_time, next_ordinal, cancel_reason)
			VALUES (1, 1, 'SCHEDULED', 2000, 4000, 2, '')`, nil},
		{`INSERT INTO passed_over (push_id, step, reason, n) VALUES (1, 1, 'MILESTONE_REACHED', 1)`, nil},
		{`INSERT INTO dispatch (id, app, push_id, step, chunk, state, attempt, due_time, expire_time, claim_time, sent_time, upstream_id,
			reason, recipient_count, recipients, content) VALUES (4, ?, 1, 0, 0, 'SENT', 1, 1000, 9000, 1500, 2000, 'm0', '', 2, ?, NULL)`,
			[]any{benchApp, layout.AppendOrdinals(nil, []uint32{0, 1})}},
		{`INSERT INTO dispatch (id, app, push_id, step, chunk, state, attempt, due_time, expire_time, claim_time, sent_time, upstream_id,
			reason, recipient_count, recipients, content)
			VALUES (5, ?, 1, 0, 1, 'SENT', 2, 1000, 9000, 1500, 3000, 'm1', '', 2, ?, CAST('content' AS BLOB))`,
			[]any{benchApp, layout.AppendOrdinals(nil, []uint32{2, 3})}},
		{`INSERT INTO dispatch (id, app, push_id, step, chunk, state, attempt, due_time, ready_time, reason, recipient_count, recipients)
			VALUES (9, ?, 1, 1, 0, 'PENDING', 0, 4000, 4000, '', 1, ?)`, []any{benchApp, layout.AppendOrdinals(nil, []uint32{1})}},
	} {
		_, err := db.ExecContext(t.Context(), row.statement, row.args...)
		require.NoError(t, err, row.statement)
	}
	require.NoError(t, db.Close())
}
