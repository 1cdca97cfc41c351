package postgres

import (
	"context"
	"errors"

	"susul.dev/susul/storage"
)

// Lead implements storage.Planning. It waits for what the earlier leader is writing just now; what that one writes later is fenced.
func (s *Store) Lead(ctx context.Context, term int64) error {
	_, err := writeUnfenced(ctx, s, func(t *tx) (none struct{}, err error) {
		stored, err := t.latestTerm(`pg_advisory_xact_lock`)
		switch {
		case err != nil:
			return none, err
		case stored > term:
			return none, storage.ErrFenced
		case stored == term:
			return none, nil
		}
		return none, t.takeOver(term)
	})
	if err == nil {
		s.term.Store(term)
	}
	return err
}

// takeOver stores a new term and ends the leases of what earlier leaders claimed. Who claimed without ever leading is still at it.
func (t *tx) takeOver(term int64) error {
	if _, err := t.exec(`UPDATE leadership SET term = $1`, term); err != nil {
		return err
	}
	released, err := t.exec(`UPDATE dispatch SET ready_time = due_time WHERE id IN (SELECT id FROM dispatch
		WHERE claim_term <> 0 AND claim_term < $1 AND state IN ('CLAIMED', 'SENDING') AND ready_time IS NOT NULL
		ORDER BY id FOR NO KEY UPDATE)`, term)
	t.news.work = released > 0
	return err
}

// Term returns the term of the latest leader, in whatever process; 0 if nobody ever led. A leader's next term must not be lower.
func (s *Store) Term(ctx context.Context) (int64, error) {
	return look(ctx, s, func(q querier) (int64, error) {
		term, err := first(ctx, q, value[int64], `SELECT term FROM leadership`)
		if errors.Is(err, storage.ErrNotFound) {
			err = errDamaged("leadership", 1)
		}
		return term, err
	})
}
