package sqlite

import (
	"context"

	"susul.dev/susul/storage"
)

// StartDispatch implements storage.Dispatches.
func (s *Store) StartDispatch(ctx context.Context, start storage.DispatchStart) error {
	_, err := write(ctx, s, func(t *tx) (struct{}, error) { return struct{}{}, t.start(start) })
	return err
}

func (t *tx) start(start storage.DispatchStart) error {
	d, err := t.dispatch(start.ID)
	if err != nil {
		return err
	}
	if d.State != storage.DispatchClaimed || d.Attempt != start.Attempt {
		return storage.ErrConflict
	}
	p, err := pushByID(t.ctx, t, d.PushID)
	if err != nil {
		return err
	}
	if _, cancelled, err := t.cancelledMeanwhile(p, d); err != nil {
		return err
	} else if cancelled {
		return storage.ErrConflict
	}
	if start.Recipients == nil {
		_, err = t.exec(`UPDATE dispatch SET state = 'SENDING' WHERE id = ?`, d.ID)
	} else {
		list, count := packOrdinals(start.Recipients)
		_, err = t.exec(`UPDATE dispatch SET state = 'SENDING', recipients = ?, recipient_count = ? WHERE id = ?`, list, count, d.ID)
	}
	if err != nil {
		return err
	}
	return t.addPassedOver(d.PushID, d.Step, start.PassedOver)
}
