package sqlite

import (
	"context"
	"database/sql"
	"time"

	"susul.dev/susul/storage"
)

const (
	stepsToMeasure  = `WHERE state = 'PLANNED' AND measure_time <= ? ORDER BY measure_time, push_id, number LIMIT ?`
	nextMeasureTime = `SELECT MIN(measure_time) FROM step WHERE state = 'PLANNED' AND measure_time IS NOT NULL`

	measured       = `FROM measurement m WHERE m.policy_uid = ? AND m.key = ? AND m.time >= ?`
	measuredPushes = `SELECT COUNT(DISTINCT m.push_id) ` + measured
	measuredGroups = `SELECT g.holdout, g.variant, SUM(g.recipients), SUM(g.clicked) FROM measured_group g
		WHERE (g.push_id, g.step) IN (SELECT m.push_id, m.step ` + measured + `) GROUP BY g.holdout, g.variant`
)

// StepsToMeasure implements storage.Measuring.
func (s *Store) StepsToMeasure(ctx context.Context, now time.Time, limit int) ([]storage.Step, error) {
	return read(ctx, s, func(q querier) ([]storage.Step, error) {
		return collect(ctx, q, scanStep, selectStep+stepsToMeasure, now.UnixMilli(), page(limit))
	})
}

// NextMeasureTime implements storage.Measuring.
func (s *Store) NextMeasureTime(ctx context.Context) (time.Time, bool, error) {
	t, err := read(ctx, s, func(q querier) (time.Time, error) { return first(ctx, q, earliest, nextMeasureTime) })
	return t, !t.IsZero(), err
}

var insertGroups = bulk{`INSERT INTO measured_group (push_id, step, holdout, variant, recipients, clicked)`, 6, ``}

// RecordMeasurement implements storage.Measuring.
func (s *Store) RecordMeasurement(ctx context.Context, m storage.Measurement) error {
	_, err := write(ctx, s, func(t *tx) (struct{}, error) { return struct{}{}, t.measure(m) })
	return err
}

func (t *tx) measure(m storage.Measurement) error {
	st, err := t.step(m.PushID, m.Step)
	if err != nil {
		return err
	}
	if st.MeasureTime.IsZero() || st.State != storage.StepPlanned {
		return storage.ErrConflict
	}
	if _, err := t.exec(`UPDATE step SET measure_time = NULL WHERE push_id = ? AND number = ?`, m.PushID, m.Step); err != nil {
		return err
	}
	if _, err := t.exec(`INSERT INTO measurement (push_id, step, policy_uid, key, time) VALUES (?, ?, ?, ?, ?)`,
		m.PushID, m.Step, m.PolicyUID, m.Key, m.Time.UnixMilli()); err != nil {
		return err
	}
	var groups []storage.Group
	for group := range m.Groups {
		groups = append(groups, group)
	}
	_, err = insertGroups.exec(t, len(groups), func(args []any, i int) []any {
		c := m.Groups[groups[i]]
		return append(args, m.PushID, m.Step, groups[i].Holdout, groups[i].Variant, c.Recipients, c.Clicked)
	})
	return err
}

// SumMeasurements implements storage.Measuring.
func (s *Store) SumMeasurements(ctx context.Context, policyUID, key string, since time.Time) (storage.MeasuredTotal, error) {
	return read(ctx, s, func(q querier) (total storage.MeasuredTotal, err error) {
		args := []any{policyUID, key, since.UnixMilli()}
		if total.Pushes, err = first(ctx, q, value[int], measuredPushes, args...); err != nil {
			return total, err
		}
		total.Groups = map[storage.Group]storage.ClickCount{}
		_, err = collect(ctx, q, func(rows *sql.Rows) (struct{}, error) {
			var group storage.Group
			var c storage.ClickCount
			err := rows.Scan(&group.Holdout, &group.Variant, &c.Recipients, &c.Clicked)
			total.Groups[group] = c
			return struct{}{}, err
		}, measuredGroups, args...)
		return total, err
	})
}
