package sqlite

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
)

func TestInspectorShowsBatches(t *testing.T) {
	in := newInspected(t)
	require.NoError(t, queue(t, in.store, func(t *tx) error {
		_, err := t.exec(`INSERT INTO step (push_id, number, state, offset_ms, due_time, next_ordinal, cancel_reason)
			VALUES (1, 2, 'SCHEDULED', 0, 0, 0, '')`)
		return err
	})())
	require.NoError(t, in.store.HoldStep(t.Context(), 1, 2, inspectedTime, inspectedTime.Add(time.Hour)))
	i := inspector(t, in.path)
	p, err := i.Push(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, inspectedTime, p.Steps[2].HoldTime)

	require.NoError(t, in.store.PlanStep(t.Context(), storage.StepPlan{PushID: 1, Step: 2, Through: 3, Done: true, MeasureTime: inspectedTime,
		Dispatches: []storage.DispatchDraft{{DueTime: inspectedTime, Recipients: []uint32{0, 1, 2}, Variant: "b", Singles: make([]storage.Single, 3)}}}))
	claims, err := in.store.ClaimDispatches(t.Context(), storage.ClaimRequest{App: benchApp, Now: time.Now(), Lease: time.Hour})
	require.NoError(t, err)
	require.Len(t, claims, 1)
	d := claims[0].Dispatch
	_, err = in.store.FinishDispatch(t.Context(), storage.DispatchResult{ID: d.ID, Attempt: d.Attempt, State: storage.DispatchPending,
		Time: inspectedTime, Singles: []storage.SingleResult{{Ordinal: 0, UpstreamID: "m"}, {Ordinal: 2, Refusal: &storage.Refusal{Code: 1}}}})
	require.NoError(t, err)

	p, err = i.Push(t.Context(), 1)
	require.NoError(t, err)
	require.Zero(t, p.Steps[2].HoldTime)
	require.Equal(t, inspectedTime, p.Steps[2].MeasureTime)
	dispatches := all(t, i.Dispatches(t.Context(), 1, 0))
	last := dispatches[len(dispatches)-1]
	require.Equal(t, DispatchContent{ID: d.ID, Step: 2, State: storage.DispatchPending, Attempt: 1, DueTime: inspectedTime, Variant: "b",
		Singles: 3, Taken: 1, SinglesRefused: 1, Recipients: [][2]uint32{{0, 2}}}, last)
	events := all(t, i.Events(t.Context(), LogQuery{RegistrationID: benchID(2)}))
	require.Equal(t, "FAILED", events[len(events)-1].Milestone)

	for table, column := range map[string]string{"batch": "singles", "batch_result": "results"} {
		_, err = in.store.checkpoints.db.ExecContext(t.Context(), `UPDATE `+table+` SET `+column+` = x'00'`)
		require.NoError(t, err)
		dispatches = all(t, i.Dispatches(t.Context(), 1, 0))
		require.NotEmpty(t, dispatches[len(dispatches)-1].Damage, table)
	}
}
