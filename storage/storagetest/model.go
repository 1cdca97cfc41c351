package storagetest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"susul.dev/susul/storage"
)

// model is what a store must hold of callbacks, in a few maps.
type model struct {
	w       *world
	devices int
	pushes  []*modelPush
	touched []*modelPush // since they were checked
}

type modelPush struct {
	id     int64
	listed bool
	claim  *storage.Claim  // nil once it was sent
	events map[string]bool // registration id, step, and milestone or status
	seen   map[string]storage.Progress

	known     map[string]int // the step of the upstream ids that the store knows
	held      map[string][]storage.Callback
	batch     *storage.Claim // of step 1, while single messages have no result
	planned   bool
	heldSince time.Time // step 2
}

// single is the upstream id of a device's single message.
func (p *modelPush) single(device int) string { return fmt.Sprintf("single-%d-%d", p.id, device) }

var modelCases = []testCase{
	{"callbacks in any order and number agree with a model", func(w *world) {
		rapid.Check(w.t, func(t *rapid.T) {
			world := *w
			world.Assertions = require.New(t)
			m := &model{w: &world, devices: 4}
			t.Repeat(map[string]func(*rapid.T){
				"push":      m.push,
				"send":      m.send,
				"follow up": m.followUp,
				"settle":    m.settle,
				"hold":      m.hold,
				"record":    m.record,
				"":          m.checkTouched,
			})
			m.check(t, m.pushes) // nor has what happened to one push changed another
			w.nextID = world.nextID
		})
	}},
}

func (m *model) push(t *rapid.T) {
	if len(m.pushes) == 3 {
		t.Skip("enough")
	}
	p := &modelPush{listed: rapid.Bool().Draw(t, "listed"), events: map[string]bool{}, seen: map[string]storage.Progress{},
		known: map[string]int{}, held: map[string][]storage.Callback{}}
	d := m.w.unlisted()
	if p.listed {
		d = m.w.draft(m.devices, m.devices)
		for i := range m.devices {
			p.seen[id(i)] = 0
		}
	}
	p.id = m.w.create(d).ID
	c := m.w.claimOne()
	p.claim = &c
	m.pushes = append(m.pushes, p)
	m.touched = append(m.touched, p)
}

func (m *model) send(t *rapid.T) {
	if len(m.pushes) == 0 {
		t.Skip("no push")
	}
	p := rapid.SampledFrom(m.pushes).Draw(t, "push")
	if p.claim == nil {
		t.Skip("sent")
	}
	m.w.finish(m.w.result(*p.claim, storage.DispatchSent))
	p.claim = nil
	m.touched = append(m.touched, p)
	p.learn(0, up(p.id))
}

// learn applies what was held for an upstream id of a step.
func (p *modelPush) learn(step int, upstreamID string) {
	p.known[upstreamID] = step
	for _, row := range p.held[upstreamID] {
		p.apply(step, row)
	}
	delete(p.held, upstreamID)
}

// sampled draws one of the pushes that are as they should be.
func (m *model) sampled(t *rapid.T, suits func(*modelPush) bool) *modelPush {
	var some []*modelPush
	for _, p := range m.pushes {
		if suits(p) {
			some = append(some, p)
		}
	}
	if len(some) == 0 {
		t.Skip("no such push")
	}
	return rapid.SampledFrom(some).Draw(t, "push")
}

// followUp plans step 1 as a batch of single messages, and claims it.
func (m *model) followUp(t *rapid.T) {
	p := m.sampled(t, func(p *modelPush) bool { return p.listed && p.claim == nil && !p.planned })
	m.w.NoError(m.w.store.PlanStep(m.w.ctx, storage.StepPlan{PushID: p.id, Step: 1, Through: uint32(m.devices), Done: true,
		Dispatches: []storage.DispatchDraft{m.w.singles(0, ordinals(0, m.devices)...)}}))
	c := m.w.startOne()
	p.batch, p.planned = &c, true
	m.touched = append(m.touched, p)
}

// settle finishes a batch with some of the results that it awaits, and claims it again for the rest.
func (m *model) settle(t *rapid.T) {
	p := m.sampled(t, func(p *modelPush) bool { return p.batch != nil })
	m.touched = append(m.touched, p)
	result := m.w.resultOf(*p.batch, storage.DispatchPending)
	var rest []uint32
	for _, ordinal := range p.batch.Dispatch.Recipients {
		switch rapid.SampledFrom([]string{"open", "taken", "refused"}).Draw(t, "result") {
		case "taken":
			result.Singles = append(result.Singles, took(ordinal, p.single(int(ordinal))))
			p.learn(1, p.single(int(ordinal)))
		case "refused":
			result.Singles = append(result.Singles, refused(ordinal))
			p.apply(1, storage.Callback{RegistrationID: id(int(ordinal)), Milestone: storage.Failed, Status: "refused"})
		default:
			rest = append(rest, ordinal)
		}
	}
	p.batch = nil
	if len(rest) == 0 {
		result.State = storage.DispatchSent
		m.w.finish(result)
		return
	}
	m.w.finish(result)
	c := m.w.startOne()
	m.w.Equal(rest, c.Dispatch.Recipients)
	m.w.Len(c.Dispatch.Singles, len(rest))
	p.batch = &c
}

func (m *model) hold(t *rapid.T) {
	p := m.sampled(t, func(*modelPush) bool { return true })
	err := m.w.store.HoldStep(m.w.ctx, p.id, 2, m.w.now, m.w.now.Add(time.Hour))
	if p.claim != nil {
		m.w.ErrorIs(err, storage.ErrConflict)
		return
	}
	m.w.NoError(err)
	p.heldSince = m.w.now
	m.touched = append(m.touched, p)
}

func (m *model) record(t *rapid.T) {
	if len(m.pushes) == 0 {
		t.Skip("no push")
	}
	var want storage.CallbackSummary
	var rows []storage.Callback
	for range rapid.IntRange(1, 12).Draw(t, "rows") {
		p := rapid.SampledFrom(m.pushes).Draw(t, "push")
		// One device more than a listed push has.
		device := id(rapid.IntRange(0, m.devices).Draw(t, "device"))
		milestone := storage.Milestone(rapid.IntRange(0, int(storage.Failed)).Draw(t, "milestone"))
		name := up(p.id)
		if p.planned && rapid.Bool().Draw(t, "of a single message") {
			name = p.single(rapid.IntRange(0, m.devices-1).Draw(t, "whose"))
		}
		row := m.w.row(name, device, milestone)
		row.Status = fmt.Sprint(milestone, rapid.IntRange(0, 1).Draw(t, "spelling"))
		rows = append(rows, row)
		m.touched = append(m.touched, p)
		if step, known := p.known[name]; known {
			p.count(step, row, &want)
		} else {
			p.held[name] = append(p.held[name], row)
			want.Held++
		}
	}
	got, err := m.w.store.RecordCallbacks(context.Background(), app, m.w.now, rows)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func (p *modelPush) count(step int, row storage.Callback, summary *storage.CallbackSummary) {
	if _, member := p.seen[row.RegistrationID]; p.listed && !member {
		summary.Held++
		return
	}
	if p.apply(step, row) {
		summary.New++
	} else {
		summary.Repeated++
	}
}

// apply reports whether the row was new.
func (p *modelPush) apply(step int, row storage.Callback) bool {
	progress, member := p.seen[row.RegistrationID]
	if p.listed && !member {
		return false
	}
	p.seen[row.RegistrationID] = progress.With(step, row.Milestone)
	key := fmt.Sprint(row.RegistrationID, " ", step, " ", row.Milestone)
	if row.Milestone == storage.MilestoneUnknown || row.Milestone == storage.Failed {
		key += " " + row.Status
	}
	fresh := !p.events[key]
	p.events[key] = true
	return fresh
}

func (m *model) checkTouched(t *rapid.T) {
	touched := map[int64]bool{}
	m.check(t, slices.DeleteFunc(m.touched, func(p *modelPush) bool {
		again := touched[p.id]
		touched[p.id] = true
		return again
	}))
	m.touched = nil
}

func (m *model) check(t *rapid.T, pushes []*modelPush) {
	for _, p := range pushes {
		got := map[string]storage.Progress{}
		for _, r := range m.w.recipients(p.id) {
			got[r.RegistrationID] = r.Progress
		}
		require.Equal(t, p.seen, got)
		require.Len(t, m.w.events(storage.EventQuery{PushID: p.id}), len(p.events))
		total := storage.Counts{Targets: len(p.seen)}
		steps := []storage.Counts{{Targets: len(p.seen)}, {}}
		if p.planned {
			steps[1].Targets = m.devices
		}
		for _, progress := range p.seen {
			addAll(&total, progress.InAnyStep())
			for step := range steps {
				addAll(&steps[step], progress.At(step))
			}
		}
		report := m.w.report(p.id)
		require.Equal(t, total, report.Total)
		require.Equal(t, steps[0], report.Steps[0].Counts)
		require.Equal(t, steps[1], report.Steps[1].Counts)
		require.Equal(t, p.heldSince, report.Steps[2].HoldTime)
	}
}
