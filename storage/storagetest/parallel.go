package storagetest

import (
	"fmt"
	"sync"
	"sync/atomic"

	"susul.dev/susul/storage"
)

var parallelCases = []testCase{
	{"overlapping batches count exactly while dispatches are sent", func(w *world) {
		const pushes, devices, chunk, recorders = 6, 120, 20, 12
		for range pushes {
			w.create(w.draft(devices, chunk))
		}
		total := pushes * devices / chunk
		var sent atomic.Int64
		var claimed sync.Map
		errs := make(chan error, 100_000)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for sent.Load() < int64(total) {
					claims, err := w.store.ClaimDispatches(w.ctx, storage.ClaimRequest{App: app, Now: w.now, Lease: lease, Limit: 3})
					errs <- err
					for _, c := range claims {
						if _, twice := claimed.LoadOrStore(c.Dispatch.ID, true); twice {
							errs <- fmt.Errorf("dispatch %d was claimed twice", c.Dispatch.ID)
						}
						_, err := w.store.FinishDispatch(w.ctx, w.result(c, storage.DispatchSent))
						errs <- err
						sent.Add(1)
					}
				}
			})
		}
		var fresh, held atomic.Int64
		for n := range recorders {
			wg.Go(func() {
				for push := int64(1); push <= pushes; push++ {
					for _, m := range []storage.Milestone{storage.Displayed, storage.Sent, storage.Clicked} {
						summary, err := w.store.RecordCallbacks(w.ctx, app, w.now, w.batch(push, n, devices, chunk, m))
						errs <- err
						fresh.Add(int64(summary.New))
						held.Add(int64(summary.Held))
					}
				}
			})
		}
		wg.Wait()
		close(errs)
		for err := range errs {
			w.NoError(err)
		}
		// Every device had each of the three statuses from two recorders at least.
		events := int64(pushes * devices * 3)
		count := int64(0)
		for push := int64(1); push <= pushes; push++ {
			w.checkRecount(push)
			w.Equal(storage.Counts{Targets: devices, Sent: devices, Delivered: devices, Displayed: devices, Clicked: devices},
				w.report(push).Total)
			count += int64(len(w.events(storage.EventQuery{PushID: push})))
		}
		w.Equal(events, count)
		w.LessOrEqual(fresh.Load(), events)
		w.GreaterOrEqual(fresh.Load()+held.Load(), events)
	}},
	{"one row from many callers is new to one", func(w *world) {
		p := w.sentPush(1)
		var fresh, repeated atomic.Int64
		var wg sync.WaitGroup
		for range 32 {
			wg.Go(func() {
				summary, err := w.store.RecordCallbacks(w.ctx, app, w.now, []storage.Callback{w.row(up(p.ID), id(0), storage.Clicked)})
				if err == nil {
					fresh.Add(int64(summary.New))
					repeated.Add(int64(summary.Repeated))
				}
			})
		}
		wg.Wait()
		w.Equal([]int64{1, 31}, []int64{fresh.Load(), repeated.Load()})
		w.Equal(1, w.report(p.ID).Total.Clicked)
	}},
}

// batch is what recorder n reports of a push: a sixth of the devices, so that each is reported by two of twelve
// recorders.
func (w *world) batch(push int64, n, devices, chunk int, m storage.Milestone) []storage.Callback {
	var rows []storage.Callback
	for i := n % 6; i < devices; i += 6 {
		rows = append(rows, w.row(chunkID(push, i/chunk), id(i), m))
	}
	return rows
}
