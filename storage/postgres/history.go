package postgres

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"susul.dev/susul/storage"
)

const (
	selectDispatchesOf = `SELECT ` + dispatchColumns + ` FROM dispatch WHERE push_id = $1 AND low <= $2 AND high >= $2 ORDER BY step, id`
	selectDecisionsOf  = `SELECT step, reason, time, ordinals FROM decision WHERE push_id = $1 AND low <= $2 AND high >= $2 ORDER BY step, id`
)

// History implements storage.Pushes.
func (s *Store) History(ctx context.Context, app string, id int64, registrationID string) (storage.History, error) {
	if !isText(registrationID) {
		return storage.History{}, storage.ErrNotFound
	}
	h, err := read(ctx, s, func(q querier) (h storage.History, err error) {
		if h.Push, err = pushOfApp(ctx, q, app, id); err != nil {
			return h, err
		}
		h.Recipient, err = first(ctx, q, scanRecipient, recipientColumns+`WHERE r.push_id = $1 AND r.registration_id = $2`, id, registrationID)
		if err != nil {
			return h, err
		}
		if h.Steps, err = collect(ctx, q, scanStep, selectStep+`WHERE push_id = $1 ORDER BY number`, id); err != nil {
			return h, err
		}
		if h.Dispatches, err = dispatchesOf(ctx, q, id, h.Recipient.Ordinal); err != nil {
			return h, err
		}
		h.PassedOver, err = passedOverOf(ctx, q, id, h.Recipient.Ordinal)
		return h, err
	})
	if err != nil {
		return storage.History{}, err
	}
	return h, nil
}

// dispatchesOf returns the dispatches that a recipient is in, as they are for that one.
func dispatchesOf(ctx context.Context, q querier, push int64, ordinal uint32) ([]storage.Dispatch, error) {
	mine, err := collect(ctx, q, scanDispatch, selectDispatchesOf, push, ordinal)
	if err != nil {
		return nil, err
	}
	mine = slices.DeleteFunc(mine, func(d storage.Dispatch) bool { return d.Recipients != nil && !slices.Contains(d.Recipients, ordinal) })
	batches, err := batchesOf(ctx, q, mine)
	for i := range mine {
		mine[i].Recipients = nil
		if b, ok := batches[mine[i].ID]; ok {
			b.fill(&mine[i], ordinal)
		}
	}
	return mine, err
}

func passedOverOf(ctx context.Context, q querier, push int64, ordinal uint32) ([]storage.PassedOverOnce, error) {
	rows, err := q.Query(ctx, selectDecisionsOf, push, ordinal)
	if err != nil {
		return nil, err
	}
	var mine []storage.PassedOverOnce
	var once storage.PassedOverOnce
	var ordinals []uint32
	_, err = pgx.ForEachRow(rows, []any{&once.Step, &once.Reason, millisTime{&once.Time}, ordinalSet{&ordinals}}, func() error {
		if _, among := slices.BinarySearch(ordinals, ordinal); among {
			mine = append(mine, once)
		}
		return nil
	})
	return mine, err
}
