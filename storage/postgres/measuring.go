package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"susul.dev/susul/storage"
)

const (
	stepsToMeasure  = `WHERE state = 'PLANNED' AND measure_time <= $1 ORDER BY measure_time, push_id, number LIMIT $2`
	nextMeasureTime = `SELECT min(measure_time) FROM step WHERE state = 'PLANNED' AND measure_time IS NOT NULL`

	measured       = `FROM measurement m WHERE m.policy_uid = $1 AND m.key = $2 AND m.time >= $3`
	measuredPushes = `SELECT count(DISTINCT m.push_id) ` + measured
	measuredGroups = `SELECT g.holdout, g.variant, sum(g.recipients)::bigint, sum(g.clicked)::bigint FROM measured_group g
		WHERE (g.push_id, g.step) IN (SELECT m.push_id, m.step ` + measured + `) GROUP BY g.holdout, g.variant`
)

// StepsToMeasure implements storage.Measuring.
func (s *Store) StepsToMeasure(ctx context.Context, now time.Time, limit int) ([]storage.Step, error) {
	return look(ctx, s, func(q querier) ([]storage.Step, error) {
		return collect(ctx, q, scanStep, selectStep+stepsToMeasure, now.UnixMilli(), page(limit))
	})
}

// NextMeasureTime implements storage.Measuring.
func (s *Store) NextMeasureTime(ctx context.Context) (time.Time, bool, error) {
	t, err := look(ctx, s, func(q querier) (time.Time, error) { return first(ctx, q, earliest, nextMeasureTime) })
	return t, !t.IsZero(), err
}

// RecordMeasurement implements storage.Measuring.
func (s *Store) RecordMeasurement(ctx context.Context, m storage.Measurement) error {
	_, err := write(ctx, s, func(t *tx) (none struct{}, err error) { return none, t.measure(m) })
	return err
}

func (t *tx) measure(m storage.Measurement) error {
	st, err := t.lockStep(m.PushID, m.Step)
	if err != nil {
		return err
	}
	if st.MeasureTime.IsZero() || st.State != storage.StepPlanned {
		return storage.ErrConflict
	}
	var queries pgx.Batch
	queries.Queue(`UPDATE step SET measure_time = NULL WHERE push_id = $1 AND number = $2`, m.PushID, m.Step)
	queries.Queue(`INSERT INTO measurement (push_id, step, policy_uid, key, time) VALUES ($1, $2, $3, $4, $5)`,
		m.PushID, m.Step, m.PolicyUID, m.Key, m.Time.UnixMilli())
	for group, c := range m.Groups {
		queries.Queue(`INSERT INTO measured_group (push_id, step, holdout, variant, recipients, clicked) VALUES ($1, $2, $3, $4, $5, $6)`,
			m.PushID, m.Step, group.Holdout, group.Variant, c.Recipients, c.Clicked)
	}
	return t.SendBatch(t.ctx, &queries).Close()
}

// SumMeasurements implements storage.Measuring.
func (s *Store) SumMeasurements(ctx context.Context, policyUID, key string, since time.Time) (storage.MeasuredTotal, error) {
	return read(ctx, s, func(q querier) (total storage.MeasuredTotal, err error) {
		if total.Pushes, err = first(ctx, q, value[int], measuredPushes, policyUID, key, since.UnixMilli()); err != nil {
			return total, err
		}
		rows, err := q.Query(ctx, measuredGroups, policyUID, key, since.UnixMilli())
		if err != nil {
			return total, err
		}
		total.Groups = map[storage.Group]storage.ClickCount{}
		var group storage.Group
		var c storage.ClickCount
		_, err = pgx.ForEachRow(rows, []any{&group.Holdout, &group.Variant, &c.Recipients, &c.Clicked}, func() error {
			total.Groups[group] = c
			return nil
		})
		return total, err
	})
}
