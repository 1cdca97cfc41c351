package sqlite

import (
	"context"
	"maps"
	"slices"

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
	if _, err := t.exec(`UPDATE dispatch SET state = 'SENDING' WHERE id = ?`, d.ID); err != nil {
		return err
	}
	if start.Recipients != nil {
		if err := t.narrow(&d, start.Recipients); err != nil {
			return err
		}
	}
	return t.passOverClaimed(d, start.PassedOver)
}

// narrow leaves a dispatch some of its recipients; of a batch, it keeps those who have a result too.
func (t *tx) narrow(d *storage.Dispatch, left []uint32) error {
	results, err := resultsOf(t.ctx, t, d.ID)
	if err != nil {
		return err
	}
	if len(results) > 0 {
		among := setOf(left)
		left = kept(d.Recipients, func(ordinal uint32) bool { return among[ordinal] || results.have(ordinal) })
	}
	d.Recipients = left
	list, count := packOrdinals(left)
	// What is not a batch costs one unit anyway.
	_, err = t.exec(`UPDATE dispatch SET recipients = ?, recipient_count = ?, units = MIN(units, ?) WHERE id = ?`,
		list, count, max(len(left)-len(results), 1), d.ID)
	return err
}

// leaveOut stores who was passed over while a dispatch was claimed. One that is tried again goes to the others.
func (t *tx) leaveOut(d *storage.Dispatch, result storage.DispatchResult) error {
	if err := t.passOverClaimed(*d, result.PassedOver); err != nil {
		return err
	}
	if len(result.PassedOver) == 0 || result.State != storage.DispatchPending || d.Recipients == nil {
		return nil
	}
	out := setOf(slices.Concat(slices.Collect(maps.Values(result.PassedOver))...))
	return t.narrow(d, kept(d.Recipients, func(ordinal uint32) bool { return !out[ordinal] }))
}

func setOf(ordinals []uint32) map[uint32]bool {
	set := make(map[uint32]bool, len(ordinals))
	for _, ordinal := range ordinals {
		set[ordinal] = true
	}
	return set
}

// kept returns those of the ordinals that are to be kept, in their order. It is never nil.
func kept(ordinals []uint32, keep func(uint32) bool) []uint32 {
	some := make([]uint32, 0, len(ordinals))
	for _, ordinal := range ordinals {
		if keep(ordinal) {
			some = append(some, ordinal)
		}
	}
	return some
}
