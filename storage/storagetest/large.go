package storagetest

import (
	"errors"
	"sync"

	"susul.dev/susul/storage"
)

// A large audience is one that a backend may store in slices.
const (
	large = 21_000
	chunk = 1000
)

var largeCases = []testCase{
	{"a large push reads back as it was created", func(w *world) {
		d := w.draft(large, chunk)
		p := w.create(d)
		w.Equal(large, p.Recipients)
		n := 0
		for page := w.recipients(p.ID); len(page) > 0; {
			for _, r := range page {
				w.Equal(storage.Recipient{Ordinal: uint32(n), RegistrationID: id(n)}, r)
				n++
			}
			var err error
			page, err = w.store.ScanRecipients(w.ctx, p.ID, uint32(n), storage.MaxPage)
			w.NoError(err)
		}
		w.Equal(large, n)
		found, err := w.store.FindRecipients(w.ctx, p.ID, []string{id(large - 1), id(0), "nobody"})
		w.NoError(err)
		w.Len(found, 2)
		dispatches := w.dispatches(p.ID)
		w.Len(dispatches, large/chunk)
		for i, got := range dispatches {
			w.Equal(d.Dispatches[i], got.DispatchDraft)
		}
		w.Len(w.claim(), 1, "the first chunk goes first")
	}},
	{"nobody sees a part of a large push", func(w *world) {
		d := w.draft(large, chunk)
		done := make(chan error)
		go func() {
			_, _, err := w.store.CreatePush(w.ctx, d)
			done <- err
		}()
		for {
			select {
			case err := <-done:
				w.NoError(err)
				w.seesAll(d)
				w.Len(w.claim(), 1)
				return
			default:
				if w.seen(d) > 0 { // some reads may have come before the push was there; from now on all tell of it
					w.seesAll(d)
				}
				w.record(w.row("unknown", id(0), storage.Sent))
			}
		}
	}},
	{"a large push that fails half-way leaves nothing", func(w *world) {
		d := w.draft(large, chunk)
		d.Push.RequestID = "request"
		d.Dispatches[len(d.Dispatches)-1].Chunk = 0
		_, _, err := w.store.CreatePush(w.ctx, d)
		w.ErrorIs(err, storage.ErrConflict)
		w.Zero(w.seen(d))
		w.Empty(w.claim())
		repeats := w.draft(large, chunk)
		repeats.Push.RequestID, repeats.Recipients[large-1] = "request", id(0)
		_, _, err = w.store.CreatePush(w.ctx, repeats)
		w.Error(err)
		w.Zero(w.seen(repeats))
		again := w.draft(1, 1)
		again.Push.RequestID = "request"
		w.create(again)
	}},
	{"a repeated large request gets the earlier push", func(w *world) {
		d := w.draft(large, chunk)
		d.Push.RequestID = "request"
		p := w.create(d)
		again := w.draft(large, chunk)
		again.Push.RequestID = "request"
		got, created, err := w.store.CreatePush(w.ctx, again)
		w.NoError(err)
		w.False(created)
		w.Equal(p, got)
		_, err = w.store.PushOf(w.ctx, again.Push.ID)
		w.ErrorIs(err, storage.ErrNotFound)
		again.Push.Fingerprint = []byte{9}
		_, _, err = w.store.CreatePush(w.ctx, again)
		w.ErrorIs(err, storage.ErrRequestIDReused)
		w.seesAll(d)
		again = w.draft(large, chunk)
		again.Push.ID = p.ID
		_, _, err = w.store.CreatePush(w.ctx, again)
		w.ErrorIs(err, storage.ErrConflict)
		w.seesAll(d)
	}},
	{"of many equal large requests at once one creates", func(w *world) {
		const callers = 4
		var drafts [callers]storage.PushDraft
		for i := range drafts {
			drafts[i] = w.draft(large, chunk)
			drafts[i].Push.RequestID = "request"
		}
		var pushes [callers]storage.Push
		var created [callers]bool
		var errs [callers]error
		var wg sync.WaitGroup
		for i := range drafts {
			wg.Go(func() { pushes[i], created[i], errs[i] = w.store.CreatePush(w.ctx, drafts[i]) })
		}
		wg.Wait()
		winner := -1
		for i := range drafts {
			if created[i] {
				w.Equal(-1, winner, "two created")
				winner = i
			}
		}
		w.NotEqual(-1, winner)
		for i, err := range errs {
			if errors.Is(err, storage.ErrUnavailable) {
				continue // it came while the winner was at it
			}
			w.NoError(err)
			w.Equal(pushes[winner], pushes[i])
		}
		w.seesAll(drafts[winner])
		got, again, err := w.store.CreatePush(w.ctx, drafts[(winner+1)%callers])
		w.NoError(err)
		w.False(again)
		w.Equal(pushes[winner], got)
	}},
}

// all is what seen counts of a whole push.
func all(d storage.PushDraft) int { return 7 + len(d.Dispatches) + storage.MaxPage }

func (w *world) seesAll(d storage.PushDraft) {
	w.t.Helper()
	w.Equal(all(d), w.seen(d))
}

// seen counts what is told of a push by each way of reading it. Every one tells all or nothing.
func (w *world) seen(d storage.PushDraft) int {
	w.t.Helper()
	_, err := w.store.GetPush(w.ctx, app, d.Push.ID)
	n := w.count(err)
	_, err = w.store.PushOf(w.ctx, d.Push.ID)
	n += w.count(err)
	report, err := w.store.Report(w.ctx, app, d.Push.ID)
	n += w.count(err)
	if err == nil {
		w.Len(report.Steps, 3)
		w.Equal(len(d.Recipients), report.Steps[0].Targets)
		w.Equal(1, report.Steps[0].Dispatches[storage.DispatchPending])
	}
	pushes, err := w.store.ListPushes(w.ctx, storage.PushQuery{App: app, Limit: 1})
	w.NoError(err)
	for _, p := range pushes {
		if p.ID == d.Push.ID {
			n++
		}
	}
	_, due, err := w.store.NextDispatchTime(w.ctx, d.Push.App)
	w.NoError(err)
	if due {
		n++
	}
	for _, asked := range []struct {
		whole int
		read  func() (int, error)
	}{
		{storage.MaxPage, func() (int, error) {
			list, err := w.store.ScanRecipients(w.ctx, d.Push.ID, 0, storage.MaxPage)
			return len(list), err
		}},
		{2, func() (int, error) {
			list, err := w.store.FindRecipients(w.ctx, d.Push.ID, []string{id(0), id(len(d.Recipients) - 1)})
			return len(list), err
		}},
		{len(d.Dispatches), func() (int, error) {
			list, err := w.store.ListDispatches(w.ctx, d.Push.ID, 0, storage.MaxPage)
			return len(list), err
		}},
	} {
		rows, err := asked.read()
		w.NoError(err)
		w.Contains([]int{0, asked.whole}, rows)
		n += rows
	}
	return n
}

func (w *world) count(err error) int {
	w.t.Helper()
	if errors.Is(err, storage.ErrNotFound) {
		return 0
	}
	w.NoError(err)
	return 1
}
