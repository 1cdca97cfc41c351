package sqlite

import (
	"cmp"
	"context"
	"slices"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// FindRecipients implements storage.Pushes.
func (s *Store) FindRecipients(ctx context.Context, id int64, registrationIDs []string) ([]storage.Recipient, error) {
	found, err := readOf(ctx, s, id, func(q querier) ([]storage.Recipient, error) {
		size, err := first(ctx, q, value[int], `SELECT recipients FROM push WHERE id = ?`, id)
		if err != nil {
			return nil, err
		}
		a := s.live.known(id)
		var found []storage.Recipient
		for _, registrationID := range registrationIDs {
			var ordinal uint32
			var ok, loaded bool
			if a != nil {
				ordinal, ok, loaded = a.find(registrationID)
			}
			if !loaded {
				if ordinal, ok, err = memberOf(ctx, q, id, size, registrationID); err != nil {
					return nil, err
				}
			}
			if ok {
				found = append(found, storage.Recipient{Ordinal: ordinal, RegistrationID: registrationID})
			}
		}
		return found, nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b storage.Recipient) int { return cmp.Compare(a.Ordinal, b.Ordinal) })
	found = slices.Compact(found) // an id asked for twice is found once
	return found, s.fillProgress(ctx, id, found)
}

// ScanRecipients implements storage.Planning.
func (s *Store) ScanRecipients(ctx context.Context, id int64, from uint32, limit int) ([]storage.Recipient, error) {
	limit = page(limit)
	list, err := readOf(ctx, s, id, func(q querier) ([]storage.Recipient, error) {
		list := make([]storage.Recipient, 0, limit)
		err := eachPage(ctx, q, id, int(from/layout.PageSize), func(page int, ids layout.Recipients) (bool, error) {
			for i := range ids.Len() {
				if ordinal := uint32(page*layout.PageSize + i); ordinal >= from && len(list) < limit {
					list = append(list, storage.Recipient{Ordinal: ordinal, RegistrationID: ids.ID(i)})
				}
			}
			return len(list) < limit, nil
		})
		return list, err
	})
	if err != nil {
		return nil, err
	}
	return list, s.fillProgress(ctx, id, list)
}

// fillProgress fills in the progress of recipients: as it is in memory, else as it is on disk. Memory is looked at before
// the snapshot of the disk begins, so that what is folded and dropped from memory in between is not missed.
func (s *Store) fillProgress(ctx context.Context, push int64, recipients []storage.Recipient) error {
	a := s.live.known(push)
	hot := map[int]*progressPage{}
	cold := map[int]*[layout.PageSize]uint64{}
	for _, r := range recipients {
		n := int(r.Ordinal / layout.PageSize)
		if _, seen := hot[n]; seen || cold[n] != nil {
			continue
		}
		if a != nil {
			hot[n] = a.hotPage(n)
		}
		if hot[n] == nil {
			delete(hot, n)
			cold[n] = &[layout.PageSize]uint64{}
		}
	}
	if err := s.readCold(ctx, push, cold); err != nil {
		return err
	}
	for i := range recipients {
		r := &recipients[i]
		n := int(r.Ordinal / layout.PageSize)
		if page := hot[n]; page != nil {
			r.Progress = page.progressOf(r.Ordinal)
		} else {
			r.Progress = storage.Progress(cold[n][r.Ordinal%layout.PageSize])
		}
	}
	return nil
}

func (s *Store) readCold(ctx context.Context, push int64, cold map[int]*[layout.PageSize]uint64) error {
	if len(cold) == 0 {
		return nil
	}
	_, err := read(ctx, s, func(q querier) (struct{}, error) {
		for n, words := range cold {
			var err error
			if *words, err = readProgress(ctx, q, push, n); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	return err
}

// recipientsOf returns the recipients of a push by their ordinals, in that order, without their progress.
func recipientsOf(ctx context.Context, q querier, push int64, ordinals []uint32) ([]storage.Recipient, error) {
	list := make([]storage.Recipient, len(ordinals))
	pages := map[int]layout.Recipients{}
	for i, ordinal := range ordinals {
		n := int(ordinal / layout.PageSize)
		ids, err := remembered(&pages, n, func() (layout.Recipients, error) { return recipientPage(ctx, q, push, n) })
		if err != nil {
			return nil, err
		}
		at := int(ordinal % layout.PageSize)
		if at >= ids.Len() {
			return nil, errDamaged("recipient_page", int64(ordinal))
		}
		list[i] = storage.Recipient{Ordinal: ordinal, RegistrationID: ids.ID(at)}
	}
	return list, nil
}
