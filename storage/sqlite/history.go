package sqlite

import (
	"context"
	"database/sql"
	"slices"

	"susul.dev/susul/storage"
)

// History implements storage.Pushes.
func (s *Store) History(ctx context.Context, app string, id int64, registrationID string) (storage.History, error) {
	h, err := read(ctx, s, func(q querier) (h storage.History, err error) {
		if h.Push, err = pushOfApp(ctx, q, app, id); err != nil {
			return h, err
		}
		ordinal, ok, err := memberOf(ctx, q, id, h.Push.Recipients, registrationID)
		if err == nil && !ok {
			err = storage.ErrNotFound
		}
		if err != nil {
			return h, err
		}
		h.Recipient = storage.Recipient{Ordinal: ordinal, RegistrationID: registrationID}
		if h.Steps, err = collect(ctx, q, scanStep, selectStep+`WHERE push_id = ? ORDER BY number`, id); err != nil {
			return h, err
		}
		if h.Dispatches, err = dispatchesOf(ctx, q, id, ordinal); err != nil {
			return h, err
		}
		h.PassedOver, err = passedOverOf(ctx, q, id, ordinal)
		return h, err
	})
	if err != nil {
		return storage.History{}, err
	}
	recipients := []storage.Recipient{h.Recipient}
	err = s.fillProgress(ctx, id, recipients)
	h.Recipient = recipients[0]
	return h, err
}

const selectDispatchesOf = `SELECT ` + dispatchColumns + ` FROM dispatch WHERE push_id = ? AND low <= ? AND high >= ? ORDER BY step, id`

// dispatchesOf returns the dispatches that a recipient is in, as they are for that one.
func dispatchesOf(ctx context.Context, q querier, push int64, ordinal uint32) ([]storage.Dispatch, error) {
	var mine []storage.Dispatch
	if _, err := collect(ctx, q, func(rows *sql.Rows) (struct{}, error) {
		d, err := scanDispatch(rows)
		if err == nil && (d.Recipients == nil || slices.Contains(d.Recipients, ordinal)) {
			d.Recipients = nil
			mine = append(mine, d)
		}
		return struct{}{}, err
	}, selectDispatchesOf, push, ordinal, ordinal); err != nil {
		return nil, err
	}
	for i := range mine {
		if err := fillSingle(ctx, q, &mine[i], ordinal); err != nil {
			return nil, err
		}
	}
	return mine, nil
}

// fillSingle fills in what a recipient of a batch was to get, and what became of that. Other dispatches stay as they are.
func fillSingle(ctx context.Context, q querier, d *storage.Dispatch, ordinal uint32) error {
	singles, err := singlesOf(ctx, q, d.ID)
	if err != nil || singles == nil {
		return err
	}
	results, err := resultsOf(ctx, q, d.ID)
	if err != nil {
		return err
	}
	d.Content, d.Override = singles[ordinal].Content, singles[ordinal].Override
	if r, ok := results[ordinal]; ok {
		d.UpstreamID = r.UpstreamID
		if r.Refused {
			d.Refusal = &storage.Refusal{HTTPStatus: r.HTTPStatus, Code: r.Code, Message: r.Message}
		}
	}
	return nil
}

const selectDecisionsOf = `SELECT step, reason, time, ordinals FROM decision WHERE push_id = ? AND low <= ? AND high >= ?
	ORDER BY step, id`

func passedOverOf(ctx context.Context, q querier, push int64, ordinal uint32) ([]storage.PassedOverOnce, error) {
	var mine []storage.PassedOverOnce
	_, err := collect(ctx, q, func(rows *sql.Rows) (struct{}, error) {
		var once storage.PassedOverOnce
		var ordinals ordinalSlice
		err := rows.Scan(&once.Step, &once.Reason, millisTime{&once.Time}, &ordinals)
		if _, among := slices.BinarySearch(ordinals, ordinal); among && err == nil {
			mine = append(mine, once)
		}
		return struct{}{}, err
	}, selectDecisionsOf, push, ordinal, ordinal)
	return mine, err
}
