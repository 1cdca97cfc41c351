package storagetest

import (
	"errors"
	"sync"
	"time"

	"susul.dev/susul/storage"
)

// limitCases are of handles that start dispatches beside each other.
func limitCases(traits Traits) []testCase {
	if !traits.SignalsFromOtherHandles {
		return nil
	}
	return []testCase{
		{"a start sees whether another handle has brought a recipient to a limit", func(w *world) {
			since := w.now
			w.sentPush(2)
			p := w.create(w.draft(2, 2))
			c := w.claimOne()
			start := storage.DispatchStart{ID: c.Dispatch.ID, Attempt: c.Dispatch.Attempt}
			start.Limits = []storage.MessageLimit{{Since: since, Messages: 1}}
			w.ErrorIs(w.store.StartDispatch(w.ctx, start), storage.ErrConflict, "each has had one")
			w.Equal(storage.DispatchClaimed, w.dispatches(p.ID)[0].State)
			start.Limits = []storage.MessageLimit{{Since: since, Messages: 3}, {Since: since, Messages: 1}}
			w.ErrorIs(w.store.StartDispatch(w.ctx, start), storage.ErrConflict, "the second limit holds")
			start.Limits = []storage.MessageLimit{{Since: since, Messages: 2}, {Since: w.now.Add(time.Millisecond), Messages: 1}}
			w.NoError(w.store.StartDispatch(w.ctx, start))
		}},
		{"who is passed over may be beyond a limit", func(w *world) {
			since := w.now
			w.sentPush(2) // to 0 and 1
			w.create(w.draft(4, 4))
			c := w.claimOne()
			start := storage.DispatchStart{ID: c.Dispatch.ID, Attempt: c.Dispatch.Attempt, Recipients: []uint32{1, 2, 3},
				PassedOver: storage.PassedOver{storage.ReasonFrequencyCap: {0}}, Limits: []storage.MessageLimit{{Since: since, Messages: 1}}}
			w.ErrorIs(w.store.StartDispatch(w.ctx, start), storage.ErrConflict)
			start.Recipients, start.PassedOver = []uint32{2, 3}, storage.PassedOver{storage.ReasonFrequencyCap: {0, 1}}
			w.NoError(w.store.StartDispatch(w.ctx, start))
		}},
		{"of dispatches that start at the same time, no more than a limit go to a recipient", func(w *world) {
			const pushes, limit = 12, 3
			since := w.now
			for range pushes {
				w.create(w.draft(2, 2))
			}
			claims := w.claim()
			w.Len(claims, pushes)
			var starting sync.WaitGroup
			outcomes := make([]error, pushes)
			for i, c := range claims {
				handle := w.open()
				starting.Go(func() {
					outcomes[i] = handle.StartDispatch(w.ctx, storage.DispatchStart{
						ID: c.Dispatch.ID, Attempt: c.Dispatch.Attempt, Limits: []storage.MessageLimit{{Since: since, Messages: limit}},
					})
				})
			}
			starting.Wait()
			started := 0
			for _, err := range outcomes {
				if err == nil {
					started++
				} else if !errors.Is(err, storage.ErrConflict) {
					w.NoError(err)
				}
			}
			w.Equal(limit, started)
			w.Equal([]int{limit, limit}, w.messages(since, id(0), id(1)))
		}},
	}
}
