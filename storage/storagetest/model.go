package storagetest

import (
	"context"
	"fmt"
	"slices"

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
	claim  *storage.Claim // nil once it was sent
	held   []storage.Callback
	events map[string]bool // registration id, and milestone or status
	seen   map[string]storage.Progress
}

var modelCases = []testCase{
	{"callbacks in any order and number agree with a model", func(w *world) {
		rapid.Check(w.t, func(t *rapid.T) {
			world := *w
			world.Assertions = require.New(t)
			m := &model{w: &world, devices: 4}
			t.Repeat(map[string]func(*rapid.T){
				"push":   m.push,
				"send":   m.send,
				"record": m.record,
				"":       m.checkTouched,
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
	p := &modelPush{listed: rapid.Bool().Draw(t, "listed"), events: map[string]bool{}, seen: map[string]storage.Progress{}}
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
	for _, row := range p.held {
		p.apply(row)
	}
	p.held = nil
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
		row := m.w.row(up(p.id), device, milestone)
		row.Status = fmt.Sprint(milestone, rapid.IntRange(0, 1).Draw(t, "spelling"))
		rows = append(rows, row)
		m.touched = append(m.touched, p)
		switch {
		case p.claim != nil:
			p.held = append(p.held, row)
			want.Held++
		default:
			p.count(row, &want)
		}
	}
	got, err := m.w.store.RecordCallbacks(context.Background(), app, m.w.now, rows)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func (p *modelPush) count(row storage.Callback, summary *storage.CallbackSummary) {
	if _, member := p.seen[row.RegistrationID]; p.listed && !member {
		summary.Held++
		return
	}
	if p.apply(row) {
		summary.New++
	} else {
		summary.Repeated++
	}
}

// apply reports whether the row was new.
func (p *modelPush) apply(row storage.Callback) bool {
	progress, member := p.seen[row.RegistrationID]
	if p.listed && !member {
		return false
	}
	p.seen[row.RegistrationID] = progress.With(0, row.Milestone)
	key := row.RegistrationID + " " + row.Milestone.String()
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
		want := storage.Counts{Targets: len(p.seen)}
		for _, progress := range p.seen {
			addAll(&want, progress.At(0))
		}
		report := m.w.report(p.id)
		require.Equal(t, want, report.Total)
		require.Equal(t, want, report.Steps[0].Counts)
	}
}
