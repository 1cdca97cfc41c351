package migration

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
)

const (
	lease   = time.Minute
	fillTTL = 48 * time.Hour
)

var fillApps = []string{"app-a", "app-b"}

// filler fills a store through its interface, with random moves that are the same for the same seed.
type filler struct {
	*require.Assertions
	t      testing.TB
	ctx    context.Context
	store  storage.Store
	random *rand.Rand
	now    time.Time
	lastID int64
	pushes []filled
	reused []storage.PushDraft // drafts with a request id
}

// filled is a push with what callbacks may be about.
type filled struct {
	app       string
	id        int64
	ids       []string
	upstreams []string
}

func newFiller(tb testing.TB, store storage.Store, seed uint64) *filler {
	tb.Helper()
	f := &filler{Assertions: require.New(tb), t: tb, ctx: context.Background(), store: store, random: rand.New(rand.NewPCG(seed, 1)),
		now: time.Date(2026, 3, 1, 22, 30, 0, int(123*time.Millisecond), time.UTC)}
	f.NoError(store.Lead(f.ctx, 3))
	return f
}

// fill makes so many moves, and at least one of each kind.
func (f *filler) fill(moves int) {
	all := []func(){f.push, f.send, f.send, f.plan, f.callbacks, f.callbacks, f.callbacks, f.strange, f.devices, f.adopt, f.steps,
		f.measure, f.withdraw, f.relay}
	for range moves {
		f.now = f.now.Add(time.Duration(f.random.IntN(100)) * time.Minute)
		all[f.random.IntN(len(all))]()
	}
	for _, move := range all {
		f.now = f.now.Add(time.Duration(f.random.IntN(100)) * time.Minute)
		move()
	}
	f.leave()
}

// may lets a move be impossible.
func (f *filler) may(err error) bool {
	f.t.Helper()
	if errors.Is(err, storage.ErrConflict) || errors.Is(err, storage.ErrNotFound) {
		return false
	}
	f.NoError(err)
	return true
}

func (f *filler) chance(percent int) bool { return f.random.IntN(100) < percent }

func pick[T any](f *filler, from []T) T { return from[f.random.IntN(len(from))] }

// device is a registration id: mostly of the usual shape.
func (f *filler) device(push int64, i int, usual bool) string {
	if usual {
		return fmt.Sprintf("%019x", uint64(push)<<32|uint64(i)*7919)
	}
	return fmt.Sprintf("perangkat %d/é%d", push, i)
}

func (f *filler) push() {
	f.lastID += 1 + int64(f.random.IntN(5))
	app, n, usual := pick(f, fillApps), pick(f, []int{1, 3, 40, 399, 400, 401, 1300}), f.chance(80)
	p := storage.Push{ID: f.lastID, App: app, Listed: true, CreateTime: f.now, TimeToLive: fillTTL, Document: fmt.Appendf(nil, `{"n":%d}`, n)}
	if f.chance(50) {
		p.RequestID, p.Fingerprint = fmt.Sprint("request-", p.ID), []byte{1, byte(p.ID)}
	}
	if f.chance(50) {
		p.Policy = &storage.PinnedPolicy{Name: "morning-news", UID: "uid-1", Revision: int64(1 + f.random.IntN(3)), Spec: []byte(`{"steps":[]}`)}
	}
	if f.chance(40) {
		p.CallbackURLs = []string{"https://example.com/a", "https://example.com/b?x=1,2"}
	}
	d := storage.PushDraft{Push: p, Steps: []storage.StepDraft{{Number: 1, Offset: time.Hour}, {Number: 2, Offset: 3 * time.Hour}}}
	made := filled{app: app, id: p.ID}
	if f.chance(25) { // an audience that only EngageLab knows
		d.Push.Listed = false
		d.Dispatches = []storage.DispatchDraft{{DueTime: f.now, ExpireTime: f.now.Add(fillTTL)}}
		for i := range n {
			made.ids = append(made.ids, f.device(p.ID, i, usual))
		}
	} else {
		var some []uint32
		for i := range n {
			made.ids = append(made.ids, f.device(p.ID, i, usual))
			if i%7 == 3 {
				d.PassedOver = passOver(d.PassedOver, storage.ReasonInvalidDevice, uint32(i))
			} else {
				some = append(some, uint32(i))
			}
		}
		d.Recipients = made.ids
		for chunk := range slices.Chunk(some, 150) {
			d.Dispatches = append(d.Dispatches, storage.DispatchDraft{Chunk: len(d.Dispatches), DueTime: f.now, Recipients: chunk,
				ExpireTime: f.now.Add(fillTTL)})
		}
	}
	_, _, err := f.store.CreatePush(f.ctx, d)
	f.NoError(err)
	f.pushes = append(f.pushes, made)
	if d.Push.RequestID != "" {
		f.reused = append(f.reused, d)
	}
}

func passOver(p storage.PassedOver, reason storage.Reason, ordinal uint32) storage.PassedOver {
	if p == nil {
		p = storage.PassedOver{}
	}
	p[reason] = append(p[reason], ordinal)
	return p
}

func (f *filler) claim(limit int) []storage.Claim {
	claims, err := f.store.ClaimDispatches(f.ctx, storage.ClaimRequest{App: pick(f, fillApps), Now: f.now, Lease: lease, Limit: limit})
	f.NoError(err)
	return claims
}

// upstream is how EngageLab calls the message of a dispatch, or of a recipient of a batch.
func upstream(d storage.Dispatch, ordinal uint32) string {
	return fmt.Sprintf("17%06d%02d%04d%07d", d.PushID, d.Step, d.Chunk, ordinal)
}

// send claims, and ends the claims in every way.
func (f *filler) send() {
	for _, c := range f.claim(5) {
		f.end(c)
	}
}

func (f *filler) end(c storage.Claim) {
	d := c.Dispatch
	r := storage.DispatchResult{ID: d.ID, Attempt: d.Attempt, Time: f.now}
	if f.chance(8) {
		return // it stays claimed
	}
	if f.chance(8) {
		r.State, r.Reason = pick(f, []storage.DispatchState{storage.DispatchCancelled, storage.DispatchExpired}), storage.ReasonExpired
		_, err := f.store.FinishDispatch(f.ctx, r)
		f.may(err)
		return
	}
	start := storage.DispatchStart{ID: d.ID, Attempt: d.Attempt}
	if len(d.Recipients) > 2 && d.Step > 0 && f.chance(50) {
		start.Recipients, start.PassedOver = d.Recipients[1:], storage.PassedOver{storage.ReasonMilestoneReached: d.Recipients[:1]}
	}
	if !f.may(f.store.StartDispatch(f.ctx, start)) {
		return
	}
	if f.chance(8) {
		return // it stays on its way
	}
	f.result(&r, c, start)
	if _, err := f.store.FinishDispatch(f.ctx, r); f.may(err) {
		f.learn(c, r)
	}
}

// result chooses how a started dispatch ends.
func (f *filler) result(r *storage.DispatchResult, c storage.Claim, start storage.DispatchStart) {
	d := c.Dispatch
	r.State = storage.DispatchSent
	switch {
	case d.Singles != nil:
		for i, ordinal := range d.Recipients {
			single := storage.SingleResult{Ordinal: ordinal, UpstreamID: upstream(d, ordinal)}
			switch {
			case i == 0 && start.Recipients != nil:
				continue
			case f.chance(20):
				single.UpstreamID, single.Refusal = "", &storage.Refusal{HTTPStatus: 400, Code: 3002, Message: "bad token"}
			case f.chance(10):
				r.State = storage.DispatchSending // the others are tried again
				r.Time = f.now.Add(time.Minute)
				continue
			}
			r.Singles = append(r.Singles, single)
		}
	case f.chance(80):
		r.UpstreamID = upstream(d, 0)
	default:
		r.State = pick(f, []storage.DispatchState{storage.DispatchRefused, storage.DispatchUnanswered, storage.DispatchPending})
		switch r.State {
		case storage.DispatchRefused:
			r.Refusal = &storage.Refusal{HTTPStatus: 403, Code: 20101, Message: `no "such" app`}
		case storage.DispatchUnanswered:
			r.Reason = storage.ReasonUnanswered
		case storage.DispatchPending:
			r.Time = f.now.Add(time.Minute)
		}
	}
}

// learn notes the upstream ids that are known now.
func (f *filler) learn(c storage.Claim, r storage.DispatchResult) {
	at := slices.IndexFunc(f.pushes, func(p filled) bool { return p.id == c.Push.ID })
	if at < 0 {
		return
	}
	if r.UpstreamID != "" {
		f.pushes[at].upstreams = append(f.pushes[at].upstreams, r.UpstreamID)
	}
	for _, single := range r.Singles {
		if single.UpstreamID != "" {
			f.pushes[at].upstreams = append(f.pushes[at].upstreams, single.UpstreamID)
		}
	}
}

// plan plans a due step: some of its recipients each get a message of their own, some a variant, some are held out.
func (f *filler) plan() {
	due, err := f.store.DueSteps(f.ctx, f.now, 3)
	f.NoError(err)
	for _, s := range due {
		recipients, err := f.store.ScanRecipients(f.ctx, s.PushID, s.NextOrdinal, 500)
		f.NoError(err)
		plan := storage.StepPlan{PushID: s.PushID, Step: s.Number, From: s.NextOrdinal, Time: f.now, MeasureTime: f.now.Add(6 * time.Hour),
			Through: s.NextOrdinal + uint32(len(recipients)), Done: len(recipients) < 500}
		var groups [4][]uint32
		for _, r := range recipients {
			g := f.random.IntN(len(groups))
			groups[g] = append(groups[g], r.Ordinal)
		}
		plan.PassedOver = storage.PassedOver{}
		for i, group := range groups {
			draft := storage.DispatchDraft{Chunk: 10*int(s.NextOrdinal) + i, Recipients: group, DueTime: f.now, ExpireTime: f.now.Add(fillTTL)}
			switch {
			case len(group) == 0:
				continue
			case i == 0:
				plan.PassedOver[storage.ReasonHoldout] = group
				continue
			case i == 1:
				draft.Variant, draft.Content, draft.PlainContent = "b", []byte(`{"title":"hi"}`), true
			case i == 2:
				for range group {
					draft.Singles = append(draft.Singles, storage.Single{Content: []byte(`{"alert":"Dear you"}`), Override: "17"})
				}
			}
			plan.Dispatches = append(plan.Dispatches, draft)
		}
		f.may(f.store.PlanStep(f.ctx, plan))
	}
}

// callbacks report what became of messages, of some that are not known, and of some that nobody was to get.
func (f *filler) callbacks() {
	if len(f.pushes) == 0 {
		return
	}
	p := f.pushes[max(0, len(f.pushes)-1-f.random.IntN(6))]
	var rows []storage.Callback
	for range 1 + f.random.IntN(120) {
		m := storage.Milestone(f.random.IntN(int(storage.Failed) + 1))
		row := storage.Callback{UpstreamID: fmt.Sprint("not-known-", f.random.IntN(20)), RegistrationID: pick(f, p.ids), Milestone: m,
			Status: m.String(), Time: f.now.Add(-time.Duration(f.random.IntN(3600)) * time.Second).Truncate(time.Second),
			Channel: pick(f, []string{"FCM", "HMS"}), Raw: []byte(`{"row":1}`)}
		if len(p.upstreams) > 0 && !f.chance(5) {
			row.UpstreamID = pick(f, p.upstreams)
		}
		if f.chance(4) {
			row.RegistrationID = "a stranger"
		}
		switch m {
		case storage.MilestoneUnknown:
			row.Status = fmt.Sprint("odd status ", f.random.IntN(3))
		case storage.Failed:
			row.ErrorCode, row.ErrorMessage, row.LossSource = 3000+f.random.IntN(3), "token's gone", "vendor"
			if f.chance(30) {
				row.Invalidates = "INVALID_TARGET"
			}
		}
		rows = append(rows, row)
	}
	_, err := f.store.RecordCallbacks(f.ctx, p.app, f.now, rows)
	f.NoError(err)
}

// strange rows miss an id, or have times and texts that the log has no room for.
func (f *filler) strange() {
	rows := []storage.Callback{
		{UpstreamID: "", RegistrationID: "device", Milestone: storage.Sent, Status: "sent", Time: f.now, Raw: fmt.Appendf(nil, "%d", f.random.IntN(9))},
		{UpstreamID: "stray", RegistrationID: "someone", Milestone: storage.Clicked, Status: "click", Time: f.now, Raw: []byte(`{"x":2}`)},
	}
	if len(f.pushes) > 0 {
		if p := pick(f, f.pushes); len(p.upstreams) > 0 && p.app == fillApps[0] {
			up := pick(f, p.upstreams)
			rows = append(rows,
				storage.Callback{UpstreamID: up, RegistrationID: pick(f, p.ids), Milestone: storage.Displayed, Status: "shown", Time: time.Unix(-5, 0)},
				storage.Callback{UpstreamID: up, RegistrationID: pick(f, p.ids), Status: "no\x00text", Time: f.now, Raw: []byte("{\x00\xff}")},
				storage.Callback{UpstreamID: up, RegistrationID: pick(f, p.ids), Milestone: storage.Failed, Status: "failed", Time: f.now,
					ErrorCode: 1 << 40, ErrorMessage: "broken \xff\xfe text"})
		}
	}
	_, err := f.store.RecordCallbacks(f.ctx, fillApps[0], f.now, rows)
	f.NoError(err)
}

func (f *filler) devices() {
	if len(f.pushes) == 0 {
		return
	}
	p := pick(f, f.pushes)
	var devices []storage.Device
	for i := range min(len(p.ids), 5) {
		devices = append(devices, storage.Device{RegistrationID: p.ids[i], Attributes: []byte(`{"first_name":"Ayu"}`), TimeZone: "Asia/Jakarta",
			Locale: pick(f, []string{"", "id-ID"})})
	}
	f.NoError(f.store.SetDevices(f.ctx, p.app, devices, f.now))
	invalid, err := f.store.InvalidDevices(f.ctx, p.app, p.ids)
	f.NoError(err)
	if len(invalid) > 2 {
		_, err = f.store.ReviveDevices(f.ctx, p.app, invalid[:1], f.now)
		f.NoError(err)
		f.NoError(f.store.MarkDevicesDeleted(f.ctx, p.app, invalid[1:2], f.now))
	}
}

// adopt makes a push of a message that others sent.
func (f *filler) adopt() {
	f.lastID++
	d := storage.PushDraft{Push: storage.Push{ID: f.lastID, App: fillApps[0], External: true, CreateTime: f.now, FirstSentTime: f.now,
		TimeToLive: fillTTL, Document: []byte(`{}`)}}
	id := fmt.Sprint("not-known-", f.random.IntN(20))
	_, created, err := f.store.AdoptMessage(f.ctx, d, id)
	f.NoError(err)
	if created {
		f.pushes = append(f.pushes, filled{app: fillApps[0], id: d.Push.ID, ids: []string{f.device(d.Push.ID, 1, true)}, upstreams: []string{id}})
	}
}

// steps holds or cancels a step.
func (f *filler) steps() {
	if len(f.pushes) == 0 {
		return
	}
	p, step := pick(f, f.pushes), 1+f.random.IntN(2)
	if f.chance(70) {
		f.may(f.store.HoldStep(f.ctx, p.id, step, f.now, f.now.Add(time.Hour)))
	} else {
		f.may(f.store.CancelStep(f.ctx, p.id, step, storage.ReasonPolicyPaused))
	}
}

func (f *filler) measure() {
	due, err := f.store.StepsToMeasure(f.ctx, f.now, 2)
	f.NoError(err)
	for _, s := range due {
		outcomes, err := f.store.Outcomes(f.ctx, s.PushID)
		f.NoError(err)
		f.may(f.store.RecordMeasurement(f.ctx, storage.Measurement{PushID: s.PushID, Step: s.Number, PolicyUID: "uid-1", Key: "k", Time: f.now,
			Groups: outcomes.Steps[s.Number]}))
	}
}

func (f *filler) withdraw() {
	if len(f.pushes) == 0 {
		return
	}
	p := pick(f, f.pushes)
	if _, err := f.store.WithdrawPush(f.ctx, p.app, p.id); f.may(err) && f.chance(50) {
		f.may(f.store.ConfirmWithdrawal(f.ctx, p.id))
	}
}

func (f *filler) relay() {
	last, err := f.store.LastSequence(f.ctx)
	f.NoError(err)
	key := storage.RelayEndpointKey{App: pick(f, fillApps), ID: fmt.Sprint("endpoint-", f.random.IntN(3))}
	f.NoError(f.store.SaveRelay(f.ctx, storage.RelayChange{Head: last,
		Endpoints: []storage.RelayEndpoint{{RelayEndpointKey: key, URL: "https://example.com/a", State: storage.RelayActive, Cursor: last / 2,
			LastSpan: 2, Failures: 1, FailingSince: f.now, LastError: "HTTP 500", LastErrorTime: f.now, CreateTime: f.now, Attempts: 9}},
		Spans: []storage.RelaySpan{
			{RelayEndpointKey: key, ID: 1, Kind: storage.SpanDead, PushID: 1, Next: 1, Last: 5, Events: 3, CreateTime: f.now, LastError: "HTTP 410"},
			{RelayEndpointKey: key, ID: 2, Kind: storage.SpanReplay, Next: 1, Last: last, StartTime: f.now, EndTime: f.now.Add(time.Hour)},
		}}))
}

// leave leaves claims behind, and forgets what is oldest.
func (f *filler) leave() {
	f.push()
	f.push()
	for _, c := range f.claim(100) {
		if f.chance(50) {
			f.may(f.store.StartDispatch(f.ctx, storage.DispatchStart{ID: c.Dispatch.ID, Attempt: c.Dispatch.Attempt}))
		}
	}
	before := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	for range 40 {
		more, err := f.store.Forget(f.ctx, before)
		f.NoError(err)
		if !more {
			break
		}
	}
}
