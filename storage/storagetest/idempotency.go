package storagetest

import (
	"context"
	"sync"

	"susul.dev/susul/storage"
)

var idempotencyCases = []testCase{
	{"a repeated request gets the earlier push", func(w *world) {
		d := w.draft(2, 2)
		d.Push.RequestID = "it's 100% \"mine\"_"
		first := w.create(d)
		again := w.draft(2, 2)
		again.Push.RequestID = d.Push.RequestID
		got, created, err := w.store.CreatePush(w.ctx, again)
		w.NoError(err)
		w.False(created)
		w.Equal(first, got)
		_, err = w.store.PushOf(w.ctx, again.Push.ID)
		w.ErrorIs(err, storage.ErrNotFound)
		w.Len(w.claim(), 1)
	}},
	{"a request id used for another push is refused", func(w *world) {
		d := w.draft(1, 1)
		d.Push.RequestID = "request"
		w.create(d)
		other := w.draft(1, 1)
		other.Push.RequestID, other.Push.Fingerprint = "request", []byte{2}
		_, _, err := w.store.CreatePush(w.ctx, other)
		w.ErrorIs(err, storage.ErrRequestIDReused)
		other.Push.App = otherApp
		w.create(other)
	}},
	{"no request id means no such check", func(w *world) {
		w.create(w.draft(1, 1))
		w.create(w.draft(1, 1))
	}},
	{"of many equal requests at once one creates", func(w *world) {
		const callers = 16
		var drafts [callers]storage.PushDraft
		for i := range drafts {
			drafts[i] = w.draft(10, 5)
			drafts[i].Push.RequestID = "request"
		}
		var pushes [callers]storage.Push
		var created [callers]bool
		var errs [callers]error
		var wg sync.WaitGroup
		for i := range drafts {
			wg.Go(func() { pushes[i], created[i], errs[i] = w.store.CreatePush(context.Background(), drafts[i]) })
		}
		wg.Wait()
		count := 0
		for i := range drafts {
			w.NoError(errs[i])
			w.Equal(pushes[0], pushes[i])
			if created[i] {
				count++
			}
		}
		w.Equal(1, count)
	}},
}
