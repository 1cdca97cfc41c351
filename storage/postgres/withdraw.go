package postgres

import (
	"context"

	"susul.dev/susul/storage"
)

// lockPush returns a push that nobody else changes until the transaction ends. What refers to it may be stored meanwhile.
func (t *tx) lockPush(id int64) (storage.Push, error) {
	return first(t.ctx, t, scanPush, selectPush+`p.id = $1 FOR NO KEY UPDATE OF p`, id)
}

// WithdrawPush implements storage.Pushes.
func (s *Store) WithdrawPush(ctx context.Context, app string, id int64) (storage.Push, error) {
	return write(ctx, s, func(t *tx) (storage.Push, error) {
		p, err := t.lockPush(id)
		switch {
		case err == nil && p.App != app:
			return storage.Push{}, storage.ErrNotFound
		case err != nil, p.State == storage.PushWithdrawing:
			return p, err
		case p.State != storage.PushActive:
			return p, storage.ErrConflict
		}
		p.State = storage.PushWithdrawing
		if _, err := t.exec(`UPDATE push SET state = $2 WHERE id = $1`, id, p.State); err != nil {
			return p, err
		}
		return p, t.cancelRest(id, storage.ReasonWithdrawn)
	})
}

// ConfirmWithdrawal implements storage.Pushes.
func (s *Store) ConfirmWithdrawal(ctx context.Context, id int64) error {
	_, err := write(ctx, s, func(t *tx) (none struct{}, err error) {
		p, err := t.lockPush(id)
		if err == nil && p.State != storage.PushWithdrawing {
			err = storage.ErrConflict
		}
		if err == nil {
			_, err = t.exec(`UPDATE push SET state = $2 WHERE id = $1`, id, storage.PushWithdrawn)
		}
		return none, err
	})
	return err
}
