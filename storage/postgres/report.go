package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"susul.dev/susul/storage"
)

// Report implements storage.Pushes.
func (s *Store) Report(ctx context.Context, app string, id int64) (storage.Report, error) {
	return read(ctx, s, func(q querier) (report storage.Report, err error) {
		if report.Push, err = pushOfApp(ctx, q, app, id); err != nil {
			return report, err
		}
		report.Total.Targets = report.Push.Recipients
		steps, err := collect(ctx, q, scanStep, selectStep+`WHERE push_id = $1 ORDER BY number`, id)
		if err != nil {
			return report, err
		}
		// The first sending has no timer, hence no row.
		steps = append([]storage.Step{{PushID: id, State: storage.StepPlanned}}, steps...)
		byNumber := map[int]*storage.StepReport{}
		report.Steps = make([]storage.StepReport, len(steps))
		for i, st := range steps {
			report.Steps[i] = storage.StepReport{Step: st, PassedOver: map[storage.Reason]int{}, Unsent: map[storage.Reason]int{},
				Dispatches: map[storage.DispatchState]int{}}
			byNumber[st.Number] = &report.Steps[i]
		}
		for _, fill := range []func(context.Context, querier, *storage.Report, map[int]*storage.StepReport) error{
			fillDispatches, fillCounters, fillPassedOver,
		} {
			if err := fill(ctx, q, &report, byNumber); err != nil {
				return report, err
			}
		}
		return report, nil
	})
}

// fillDispatches counts dispatches, and the recipients of those that may still reach somebody, or did. Of a batch that
// ended otherwise, those who have a result are such.
func fillDispatches(ctx context.Context, q querier, report *storage.Report, steps map[int]*storage.StepReport) error {
	_, err := collect(ctx, q, func(row pgx.CollectableRow) (struct{}, error) {
		var step, n, recipients, settled int
		var plain bool
		var state storage.DispatchState
		var reason storage.Reason
		err := row.Scan(&step, &state, &reason, &plain, &n, &recipients, &settled)
		if st := steps[step]; st != nil && err == nil {
			st.Dispatches[state] += n
			switch state {
			case storage.DispatchCancelled, storage.DispatchExpired:
				if unsent := recipients - settled; unsent > 0 {
					st.Unsent[reason] += unsent
				}
				recipients = settled
			case storage.DispatchSkipped:
				recipients = settled
			}
			st.Targets += recipients
			if plain {
				st.PlainContent += recipients
			}
		}
		return struct{}{}, err
	}, `SELECT step, state, reason, plain_content, count(*), sum(COALESCE(recipient_count, $1))::bigint, sum(settled) FROM dispatch
		WHERE push_id = $2 GROUP BY step, state, reason, plain_content`, report.Push.Recipients, report.Push.ID)
	return err
}

func fillCounters(ctx context.Context, q querier, report *storage.Report, steps map[int]*storage.StepReport) error {
	_, err := collect(ctx, q, func(row pgx.CollectableRow) (struct{}, error) {
		var step int
		var c storage.Counts
		err := row.Scan(&step, &c.Sent, &c.Delivered, &c.Displayed, &c.Clicked, &c.Failed)
		if step == wholeChain || step == 0 { // the former is what the chain is ahead of the latter
			t := &report.Total
			t.Sent, t.Delivered, t.Displayed = t.Sent+c.Sent, t.Delivered+c.Delivered, t.Displayed+c.Displayed
			t.Clicked, t.Failed = t.Clicked+c.Clicked, t.Failed+c.Failed
		}
		if st := steps[step]; st != nil {
			c.Targets = st.Targets
			st.Counts = c
		}
		return struct{}{}, err
	}, `SELECT step, sent, delivered, displayed, clicked, failed FROM counter WHERE push_id = $1`, report.Push.ID)
	return err
}

func fillPassedOver(ctx context.Context, q querier, report *storage.Report, steps map[int]*storage.StepReport) error {
	_, err := collect(ctx, q, func(row pgx.CollectableRow) (struct{}, error) {
		var step, n int
		var reason storage.Reason
		err := row.Scan(&step, &reason, &n)
		if st := steps[step]; st != nil {
			st.PassedOver[reason] = n
		}
		return struct{}{}, err
	}, `SELECT step, reason, n FROM passed_over WHERE push_id = $1`, report.Push.ID)
	return err
}
