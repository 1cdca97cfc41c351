package storagetest

import (
	"susul.dev/susul/storage"
)

var fencingCases = []testCase{
	{"a later leader fences every write of the earlier", func(w *world) {
		p := w.sentPush(2)
		pending := w.create(w.draft(1, 1))
		old, leader := w.store, w.open()
		w.NoError(old.Lead(w.ctx, 5))
		c := w.claimOne() // as a leader; of others a backend may know that they are still at it
		w.NoError(leader.Lead(w.ctx, 9))

		_, err := old.FinishDispatch(w.ctx, w.result(c, storage.DispatchSent))
		w.ErrorIs(err, storage.ErrFenced)
		_, err = old.ClaimDispatches(w.ctx, storage.ClaimRequest{App: app, Now: w.now, Lease: lease, Limit: 1})
		w.ErrorIs(err, storage.ErrFenced)
		w.ErrorIs(old.StartDispatch(w.ctx, storage.DispatchStart{ID: c.Dispatch.ID, Attempt: 1}), storage.ErrFenced)
		_, err = old.RecordCallbacks(w.ctx, app, w.now, []storage.Callback{w.row(up(p.ID), id(0), storage.Sent)})
		w.ErrorIs(err, storage.ErrFenced)
		_, _, err = old.CreatePush(w.ctx, w.draft(1, 1))
		w.ErrorIs(err, storage.ErrFenced)
		_, err = old.WithdrawPush(w.ctx, app, p.ID)
		w.ErrorIs(err, storage.ErrFenced)
		w.ErrorIs(old.ConfirmWithdrawal(w.ctx, p.ID), storage.ErrFenced)
		w.ErrorIs(old.PlanStep(w.ctx, w.plan(p.ID, 0, 0, 2)), storage.ErrFenced)
		w.ErrorIs(old.CancelStep(w.ctx, p.ID, 1, storage.ReasonPolicyPaused), storage.ErrFenced)
		endpoint := w.fullEndpoint("e")
		w.ErrorIs(old.SaveRelay(w.ctx, storage.RelayChange{Head: 7, Endpoints: []storage.RelayEndpoint{endpoint}}), storage.ErrFenced)
		w.ErrorIs(old.Ping(w.ctx), storage.ErrFenced)
		w.ErrorIs(old.Lead(w.ctx, 8), storage.ErrFenced)

		w.store = leader
		w.Empty(w.events(storage.EventQuery{}))
		w.Empty(w.relayed().endpoints)
		w.Equal(storage.PushActive, w.pushState(p.ID))
		w.saveRelay(storage.RelayChange{Endpoints: []storage.RelayEndpoint{endpoint}})
		again := w.claimOne()
		w.Equal(pending.ID, again.Push.ID, "the earlier leader's claim is free at once")
		w.Equal(c.Dispatch.Attempt+1, again.Dispatch.Attempt)
		w.finish(w.result(again, storage.DispatchSent))

		_, err = old.GetPush(w.ctx, app, p.ID)
		w.NoError(err, "reading needs no lead")
		w.NoError(old.Lead(w.ctx, 10))
		w.NoError(old.Ping(w.ctx))
		w.ErrorIs(leader.Ping(w.ctx), storage.ErrFenced)
		w.ErrorIs(leader.SaveRelay(w.ctx, storage.RelayChange{GoneEndpoints: []storage.RelayEndpointKey{endpoint.RelayEndpointKey}}),
			storage.ErrFenced)
		w.NoError(old.SaveRelay(w.ctx, storage.RelayChange{Head: 8}))
		w.Equal(relayed{head: 8, spans: map[storage.RelaySpanKey]storage.RelaySpan{},
			endpoints: map[storage.RelayEndpointKey]storage.RelayEndpoint{endpoint.RelayEndpointKey: endpoint}}, w.relayed())
	}},
	{"the same term again leaves claims alone", func(w *world) {
		w.NoError(w.store.Lead(w.ctx, 1))
		w.create(w.draft(1, 1))
		w.claimOne()
		w.NoError(w.store.Lead(w.ctx, 1))
		w.Empty(w.claim())
	}},
	{"the term outlives the process", func(w *world) {
		w.NoError(w.store.Lead(w.ctx, 7))
		w.NoError(w.store.Close())
		w.store = w.open()
		w.ErrorIs(w.store.Lead(w.ctx, 6), storage.ErrFenced)
		w.NoError(w.store.Lead(w.ctx, 7))
		w.create(w.draft(1, 1))
	}},
	{"a store that never led writes without a fence", func(w *world) {
		second := w.open()
		w.NoError(second.Lead(w.ctx, 3))
		w.create(w.draft(1, 1))
	}},
}
