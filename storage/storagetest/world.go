package storagetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
)

const (
	app      = "app-a"
	otherApp = "app-b"
	lease    = time.Minute
)

// world is what a case works in: a store, a point in time, and the moves that most cases begin with.
type world struct {
	*require.Assertions
	t      testing.TB
	ctx    context.Context
	open   func() storage.Store
	store  storage.Store
	now    time.Time
	nextID int64
}

func newWorld(tb testing.TB, db Database) *world {
	tb.Helper()
	w := &world{Assertions: require.New(tb), t: tb, ctx: context.Background(),
		now: time.Date(2026, 3, 1, 9, 30, 0, int(123*time.Millisecond), time.UTC)}
	w.open = func() storage.Store {
		s := db(tb)
		tb.Cleanup(func() { w.NoError(s.Close()) })
		return s
	}
	w.store = w.open()
	return w
}

// draft returns a listed push of app with n recipients in chunks of the given size, and a step after 1 h and 2 h.
func (w *world) draft(n, chunk int) storage.PushDraft {
	w.nextID++
	d := storage.PushDraft{
		Push: storage.Push{ID: w.nextID, App: app, Listed: true, CreateTime: w.now, TimeToLive: time.Hour,
			Fingerprint: []byte{1}, Document: []byte(`{"to":"…"}`)},
		Recipients: ids(n),
		Steps:      []storage.StepDraft{{Number: 1, Offset: time.Hour}, {Number: 2, Offset: 2 * time.Hour}},
	}
	for first := 0; first < n; first += chunk {
		d.Dispatches = append(d.Dispatches, storage.DispatchDraft{Chunk: len(d.Dispatches), DueTime: w.now,
			Recipients: ordinals(first, min(first+chunk, n)), ExpireTime: w.now.Add(time.Hour)})
	}
	return d
}

// unlisted returns a push to an audience that only EngageLab knows.
func (w *world) unlisted() storage.PushDraft {
	d := w.draft(0, 1)
	d.Push.Listed = false
	d.Dispatches = []storage.DispatchDraft{{DueTime: w.now, ExpireTime: w.now.Add(time.Hour)}}
	return d
}

func ids(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = id(i)
	}
	return list
}

func id(i int) string { return fmt.Sprintf("device-%d", i) }

func ordinals(from, through int) []uint32 {
	var list []uint32
	for o := from; o < through; o++ {
		list = append(list, uint32(o))
	}
	return list
}

func (w *world) create(d storage.PushDraft) storage.Push {
	w.t.Helper()
	p, created, err := w.store.CreatePush(w.ctx, d)
	w.NoError(err)
	w.True(created)
	return p
}

func (w *world) claim() []storage.Claim {
	w.t.Helper()
	claims, err := w.store.ClaimDispatches(w.ctx, storage.ClaimRequest{App: app, Now: w.now, Lease: lease, Limit: 100})
	w.NoError(err)
	return claims
}

// claimOne claims and expects exactly one.
func (w *world) claimOne() storage.Claim {
	w.t.Helper()
	claims := w.claim()
	w.Len(claims, 1)
	return claims[0]
}

// start starts a claim for all of its recipients.
func (w *world) start(c storage.Claim) {
	w.t.Helper()
	w.NoError(w.store.StartDispatch(w.ctx, storage.DispatchStart{ID: c.Dispatch.ID, Attempt: c.Dispatch.Attempt}))
}

// startOne claims the dispatch that is due first, and starts it.
func (w *world) startOne() storage.Claim {
	w.t.Helper()
	claims, err := w.store.ClaimDispatches(w.ctx, storage.ClaimRequest{App: app, Now: w.now, Lease: lease, Limit: 1})
	w.NoError(err)
	w.Len(claims, 1)
	w.start(claims[0])
	return claims[0]
}

// sendOne sends the dispatch that is due first.
func (w *world) sendOne() {
	w.t.Helper()
	w.finish(w.result(w.startOne(), storage.DispatchSent))
}

// result is how a claim ends in the given state, now.
func (w *world) result(c storage.Claim, state storage.DispatchState) storage.DispatchResult {
	r := storage.DispatchResult{ID: c.Dispatch.ID, Attempt: c.Dispatch.Attempt, State: state, Time: w.now}
	if state == storage.DispatchSent {
		r.UpstreamID = upstream(c.Dispatch)
	}
	return r
}

// upstream is the upstream id that sending a dispatch gives it here.
func upstream(d storage.Dispatch) string {
	return fmt.Sprintf("up-%d-%d-%d", d.PushID, d.Step, d.Chunk)
}

func (w *world) finish(r storage.DispatchResult) storage.Push {
	w.t.Helper()
	p, err := w.store.FinishDispatch(w.ctx, r)
	w.NoError(err)
	return p
}

// sendAll claims and sends until nothing is due.
func (w *world) sendAll() {
	w.t.Helper()
	for claims := w.claim(); len(claims) > 0; claims = w.claim() {
		for _, c := range claims {
			w.start(c)
			w.finish(w.result(c, storage.DispatchSent))
		}
	}
}

// sentPush creates a push of n recipients in one chunk and sends it.
func (w *world) sentPush(n int) storage.Push {
	w.t.Helper()
	p := w.create(w.draft(n, max(n, 1)))
	w.sendAll()
	return p
}

// chunkID is the upstream id of a chunk of a first sending.
func chunkID(push int64, chunk int) string {
	return upstream(storage.Dispatch{PushID: push, DispatchDraft: storage.DispatchDraft{Chunk: chunk}})
}

// up is the upstream id of a push's only first dispatch.
func up(push int64) string { return upstream(storage.Dispatch{PushID: push}) }

// row is a callback with the milestone's name as its status.
func (w *world) row(upstreamID, registrationID string, m storage.Milestone) storage.Callback {
	return storage.Callback{UpstreamID: upstreamID, RegistrationID: registrationID, Milestone: m, Status: m.String(),
		Time: w.now.Truncate(time.Second), Channel: "FCM"}
}

func (w *world) record(rows ...storage.Callback) storage.CallbackSummary {
	w.t.Helper()
	summary, err := w.store.RecordCallbacks(w.ctx, app, w.now, rows)
	w.NoError(err)
	return summary
}

func (w *world) report(push int64) storage.Report {
	w.t.Helper()
	r, err := w.store.Report(w.ctx, app, push)
	w.NoError(err)
	return r
}

func (w *world) events(q storage.EventQuery) []storage.Event {
	w.t.Helper()
	events, err := w.store.ListEvents(w.ctx, q)
	w.NoError(err)
	return events
}

func (w *world) recipients(push int64) []storage.Recipient {
	w.t.Helper()
	list, err := w.store.ScanRecipients(w.ctx, push, 0, storage.MaxPage)
	w.NoError(err)
	return list
}

// states returns the states of a push's dispatches, by step and chunk as they were created.
func (w *world) states(push int64) []storage.DispatchState {
	w.t.Helper()
	var states []storage.DispatchState
	for _, d := range w.dispatches(push) {
		states = append(states, d.State)
	}
	return states
}

func (w *world) dispatches(push int64) []storage.Dispatch {
	w.t.Helper()
	list, err := w.store.ListDispatches(w.ctx, push, 0, storage.MaxPage)
	w.NoError(err)
	return list
}

func (w *world) pushState(push int64) storage.PushState {
	w.t.Helper()
	p, err := w.store.PushOf(w.ctx, push)
	w.NoError(err)
	return p.State
}
