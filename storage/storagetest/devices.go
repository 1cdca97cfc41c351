package storagetest

import (
	"context"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"susul.dev/susul/storage"
)

var deviceCases = []testCase{
	{"what is set comes back, in the order that is asked for", func(w *world) {
		full := storage.Device{RegistrationID: "b", Attributes: []byte(`{"name":"Ayu"}`), TimeZone: "Asia/Jakarta", Locale: "id-ID"}
		w.setDevices(storage.Device{RegistrationID: "c", Locale: "en"}, full, storage.Device{RegistrationID: "a"})
		full.UpdateTime = w.now
		w.Equal([]storage.Device{full, {RegistrationID: "a", UpdateTime: w.now}, {RegistrationID: "c", Locale: "en", UpdateTime: w.now}},
			w.devices("x", "b", "a", "y", "c"))
		list, err := w.store.GetDevices(w.ctx, otherApp, []string{"a"})
		w.NoError(err)
		w.Empty(list)
		w.Empty(w.devices())
	}},
	{"what is set replaces all that was set before", func(w *world) {
		w.setDevices(storage.Device{RegistrationID: "a", Attributes: []byte(`{"n":1}`), TimeZone: "Asia/Jakarta", Locale: "id"})
		w.now = w.now.Add(time.Hour)
		w.setDevices(storage.Device{RegistrationID: "a", TimeZone: "Europe/Paris"})
		w.Equal([]storage.Device{{RegistrationID: "a", TimeZone: "Europe/Paris", UpdateTime: w.now}}, w.devices("a"))
	}},
	{"ten thousand devices are set at once, and stay", func(w *world) {
		devices := make([]storage.Device, storage.MaxPage)
		for i := range devices {
			devices[i] = storage.Device{RegistrationID: id(i), Attributes: fmt.Appendf(nil, `{"n":%d}`, i)}
		}
		w.setDevices(devices...)
		w.store = w.open()
		found := w.devices(ids(len(devices))...)
		w.Len(found, len(devices))
		w.Equal([]byte(`{"n":9999}`), found[9999].Attributes)
	}},
	{"a device that is deleted is not known any more", func(w *world) {
		p := w.sentPush(2)
		w.setDevices(storage.Device{RegistrationID: id(0)})
		w.record(w.deadRow(up(p.ID), id(0)), w.deadRow(up(p.ID), id(1)))
		w.ErrorIs(w.store.DeleteDevice(w.ctx, app, "stranger"), storage.ErrNotFound)
		w.ErrorIs(w.store.DeleteDevice(w.ctx, otherApp, id(0)), storage.ErrNotFound)
		for _, device := range []string{id(0), id(1)} {
			w.NoError(w.store.DeleteDevice(w.ctx, app, device))
			w.ErrorIs(w.store.DeleteDevice(w.ctx, app, device), storage.ErrNotFound)
		}
		w.Empty(w.devices(id(0), id(1)))
		w.Empty(w.invalid(id(0), id(1)))
		w.Empty(w.listInvalid(storage.InvalidQuery{App: app}))
	}},
	{"a failure that says so makes a device invalid, once", func(w *world) {
		p := w.sentPush(3)
		w.setDevices(storage.Device{RegistrationID: id(0), Locale: "id"})
		row := w.deadRow(up(p.ID), id(0))
		row.ErrorCode, row.ErrorMessage = 7, "not registered"
		w.record(row, w.row(up(p.ID), id(1), storage.Failed))
		again := row
		again.Time, again.ErrorMessage = row.Time.Add(time.Minute), "later"
		w.Equal(storage.CallbackSummary{Repeated: 1}, w.record(again))
		want := storage.Device{RegistrationID: id(0), Locale: "id", UpdateTime: w.now, Invalidity: &storage.Invalidity{
			Reason: "UNREGISTERED", Time: row.Time.UTC(), Status: row.Status, ErrorCode: 7, ErrorMessage: "not registered"}}
		for range 2 {
			w.Equal([]storage.Device{want}, w.devices(id(0), id(1)))
			w.Equal([]storage.Device{want}, w.listInvalid(storage.InvalidQuery{App: app}))
			w.Equal([]string{id(0)}, w.invalid("x", id(1), id(0), id(2)))
			none, err := w.store.InvalidDevices(w.ctx, otherApp, []string{id(0)})
			w.NoError(err)
			w.Empty(none)
			w.store = w.open()
		}
		w.setDevices(storage.Device{RegistrationID: id(0)})
		w.Equal([]string{id(0)}, w.invalid(id(0)), "to be set is no report of life")
	}},
	{"a batch that fails makes no device invalid", func(w *world) {
		p := w.sentPush(1)
		ctx, cancel := context.WithCancel(w.ctx)
		cancel()
		_, err := w.store.RecordCallbacks(ctx, app, w.now, []storage.Callback{w.deadRow(up(p.ID), id(0))})
		w.Error(err)
		w.Empty(w.invalid(id(0)))
	}},
	{"delivered, displayed and clicked are reports of life, sent and failed are not", func(w *world) {
		for m := storage.MilestoneUnknown; m <= storage.Failed; m++ {
			p, other := w.sentPush(1), w.sentPush(1)
			w.record(w.deadRow(up(p.ID), id(0)))
			w.Equal([]string{id(0)}, w.invalid(id(0)))
			w.record(w.row(up(other.ID), id(0), m))
			alive := m == storage.Delivered || m == storage.Displayed || m == storage.Clicked
			w.Equal(alive, len(w.invalid(id(0))) == 0, m)
			w.Equal(alive, len(w.listInvalid(storage.InvalidQuery{App: app})) == 0, m)
			w.now = w.now.Add(time.Minute)
		}
	}},
	{"a report of life that is older than the invalidity revives nobody", func(w *world) {
		p, other := w.sentPush(1), w.sentPush(1)
		dead, life := w.deadRow(up(p.ID), id(0)), w.row(up(other.ID), id(0), storage.Clicked)
		life.Time = dead.Time.Add(-time.Second)
		w.record(dead)
		w.record(life)
		w.Equal([]string{id(0)}, w.invalid(id(0)))
	}},
	{"an invalidity that is older than a report of life is of no account", func(w *world) {
		p, other := w.sentPush(2), w.sentPush(2)
		life := w.row(up(other.ID), id(0), storage.Delivered)
		w.record(life)
		w.NoError(w.store.Close())
		w.store = w.open()
		dead := w.deadRow(up(p.ID), id(0))
		dead.Time = life.Time.Add(-time.Second)
		w.Equal(storage.CallbackSummary{New: 1}, w.record(dead))
		w.Empty(w.invalid(id(0)))
		// A neighbour's life is not one's own.
		w.record(w.deadRow(up(p.ID), id(1)))
		w.Equal([]string{id(1)}, w.invalid(id(1)))
	}},
	{"of a report of life and a failure at the same time, life counts", func(w *world) {
		p, other := w.sentPush(2), w.sentPush(2)
		w.record(w.row(up(other.ID), id(0), storage.Displayed), w.deadRow(up(p.ID), id(1)))
		w.record(w.deadRow(up(p.ID), id(0)), w.row(up(other.ID), id(1), storage.Displayed))
		w.Empty(w.invalid(ids(2)...))
	}},
	{"held rows make invalid and revive once they are applied", func(w *world) {
		p := w.create(w.draft(2, 2))
		c := w.claimOne()
		dead, life := w.deadRow(up(p.ID), id(0)), w.row(up(p.ID), id(1), storage.Delivered)
		w.record(dead)
		w.Equal("UNREGISTERED", w.held(storage.HeldQuery{App: app})[0].Invalidates)
		w.Empty(w.invalid(id(0)))
		other := w.create(w.draft(2, 2))
		w.sendOne()
		w.record(w.deadRow(up(other.ID), id(1)))
		w.record(life)
		w.Equal([]string{id(1)}, w.invalid(ids(2)...))
		w.finish(w.result(c, storage.DispatchSent))
		w.Equal([]string{id(0)}, w.invalid(ids(2)...))
	}},
	{"a recipient that a push gains by its failure is invalid", func(w *world) {
		p := w.create(w.unlisted())
		w.sendAll()
		w.record(w.deadRow(up(p.ID), "new"), w.row(up(p.ID), "living", storage.Delivered))
		w.Equal([]string{"new"}, w.invalid("living", "new"))
	}},
	{"invalid devices are listed in pages, with or without those that were deleted", func(w *world) {
		p := w.sentPush(7)
		for i := range 7 {
			w.record(w.deadRow(up(p.ID), id(i)))
		}
		deleted := w.now.Add(time.Hour)
		w.NoError(w.store.MarkDevicesDeleted(w.ctx, app, []string{id(2), id(5), "stranger"}, deleted))
		w.Empty(w.devices("stranger"))
		w.Equal(deleted, w.devices(id(5))[0].Invalidity.DeleteTime)
		for undeleted, want := range map[bool][]string{
			false: ids(7), true: {id(0), id(1), id(3), id(4), id(6)},
		} {
			var paged []string
			for q := (storage.InvalidQuery{App: app, Undeleted: undeleted, Limit: 2}); ; q.After = paged[len(paged)-1] {
				page := w.listInvalid(q)
				if len(page) == 0 {
					break
				}
				w.LessOrEqual(len(page), 2)
				for _, d := range page {
					paged = append(paged, d.RegistrationID)
				}
			}
			w.Equal(want, paged)
		}
		w.Empty(w.listInvalid(storage.InvalidQuery{App: otherApp}))
	}},
	{"who is revived is valid from then on", func(w *world) {
		p, second := w.sentPush(3), w.sentPush(3)
		w.record(w.deadRow(up(p.ID), id(0)), w.deadRow(up(p.ID), id(1)))
		w.NoError(w.store.MarkDevicesDeleted(w.ctx, app, ids(2), w.now))
		revived := w.now.Add(time.Minute)
		n, err := w.store.ReviveDevices(w.ctx, app, []string{id(0), id(0), id(2), "stranger"}, revived)
		w.NoError(err)
		w.Equal(1, n)
		w.Equal([]string{id(1)}, w.invalid(ids(3)...))
		w.Empty(w.devices(id(0), id(2)))
		w.store = w.open()
		w.Equal([]string{id(1)}, w.invalid(ids(3)...))

		w.now = w.now.Add(30 * time.Second)
		w.record(w.deadRow(up(second.ID), id(0)))
		w.Equal([]string{id(1)}, w.invalid(ids(3)...), "it was before the revival")
		third := w.sentPush(3)
		w.now = w.now.Add(time.Hour)
		w.record(w.deadRow(up(third.ID), id(0)))
		w.Equal(ids(2), w.invalid(ids(3)...))
		w.Zero(w.devices(id(0))[0].Invalidity.DeleteTime)
	}},
	{"retention leaves devices alone", func(w *world) {
		p := w.sentPush(1)
		w.setDevices(storage.Device{RegistrationID: "a"})
		w.record(w.deadRow(up(p.ID), id(0)))
		for more := true; more; {
			var err error
			more, err = w.store.Forget(w.ctx, w.now.AddDate(1, 0, 0))
			w.NoError(err)
		}
		w.Len(w.devices("a", id(0)), 2)
		w.Equal([]string{id(0)}, w.invalid(id(0)))
	}},
	{"the order in which a device's rows come does not matter", func(w *world) {
		rapid.Check(w.t, func(t *rapid.T) {
			world := *w
			world.Assertions = require.New(t)
			world.anyOrder(t)
			w.nextID = world.nextID
		})
	}},
}

// deviceReport is one thing that is reported of a device.
type deviceReport struct {
	push      int
	milestone storage.Milestone
	dead      bool
	at        int // in seconds
}

// deviceStory draws reports of different times, and the latest times of a dead token and of life; -1 for none.
func deviceStory(t *rapid.T, pushes int) (story []deviceReport, dead, life int) {
	story = rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) deviceReport {
		r := deviceReport{push: rapid.IntRange(0, pushes-1).Draw(t, "push"),
			milestone: storage.Milestone(rapid.IntRange(int(storage.Sent), int(storage.Failed)).Draw(t, "milestone"))}
		r.dead = r.milestone == storage.Failed && rapid.IntRange(0, 3).Draw(t, "another failure") > 0
		return r
	}), 1, 8, func(r deviceReport) string { return fmt.Sprint(r.push, r.milestone) }).Draw(t, "story")
	times := rapid.SliceOfNDistinct(rapid.IntRange(0, 50), len(story), len(story), rapid.ID[int]).Draw(t, "times")
	dead, life = -1, -1
	for i := range story {
		r := &story[i]
		r.at = times[i]
		switch {
		case r.dead:
			dead = max(dead, r.at)
		case r.milestone >= storage.Delivered && r.milestone <= storage.Clicked:
			life = max(life, r.at)
		}
	}
	return story, dead, life
}

// anyOrder has several devices report the same in different orders, some of it before the upstream id is known, and some of
// it again.
func (w *world) anyOrder(t *rapid.T) {
	const pushes = 3
	story, dead, life := deviceStory(t, pushes)
	devices := make([]string, rapid.IntRange(2, 4).Draw(t, "devices"))
	for i := range devices {
		devices[i] = fmt.Sprintf("device-%d-%d", w.nextID, i)
	}
	claims := make([]storage.Claim, pushes)
	for i := range claims {
		d := w.draft(len(devices), len(devices))
		d.Recipients = devices
		w.create(d)
		claims[i] = w.startOne()
	}
	base := w.now.Truncate(time.Second)
	var rows []storage.Callback
	for _, device := range devices {
		for _, r := range rapid.Permutation(story).Draw(t, "order") {
			row := w.row(upstream(claims[r.push].Dispatch), device, r.milestone)
			row.Time = base.Add(time.Duration(r.at) * time.Second)
			if r.dead {
				row.Invalidates = "UNREGISTERED"
			}
			rows = append(rows, row)
		}
	}
	w.recordAmong(t, rows, claims)
	var want []string
	if dead > life {
		want = devices
	}
	check := func() {
		w.Equal(want, w.invalid(devices...))
		known := w.devices(devices...)
		w.Len(known, len(want))
		for _, d := range known {
			w.Equal(base.Add(time.Duration(dead)*time.Second).UTC(), d.Invalidity.Time)
		}
	}
	check()
	w.record(rows...)
	check()
}

// recordAmong records rows in batches, and has each claim be sent at some time before, between or after them.
func (w *world) recordAmong(t *rapid.T, rows []storage.Callback, claims []storage.Claim) {
	sent := 0
	for len(rows) > 0 {
		if sent < len(claims) && rapid.IntRange(0, 2).Draw(t, "send") == 0 {
			w.finish(w.result(claims[sent], storage.DispatchSent))
			sent++
			continue
		}
		n := rapid.IntRange(1, len(rows)).Draw(t, "batch")
		w.record(rows[:n]...)
		if rapid.Bool().Draw(t, "again") {
			w.record(rows[0])
		}
		rows = rows[n:]
	}
	for ; sent < len(claims); sent++ {
		w.finish(w.result(claims[sent], storage.DispatchSent))
	}
}

// deadRow is a failure that makes its device invalid.
func (w *world) deadRow(upstreamID, registrationID string) storage.Callback {
	row := w.row(upstreamID, registrationID, storage.Failed)
	row.Status, row.Invalidates = "target_invalid", "UNREGISTERED"
	return row
}

func (w *world) setDevices(devices ...storage.Device) {
	w.t.Helper()
	w.NoError(w.store.SetDevices(w.ctx, app, devices, w.now))
}

func (w *world) devices(registrationIDs ...string) []storage.Device {
	w.t.Helper()
	devices, err := w.store.GetDevices(w.ctx, app, registrationIDs)
	w.NoError(err)
	return devices
}

func (w *world) invalid(registrationIDs ...string) []string {
	w.t.Helper()
	some, err := w.store.InvalidDevices(w.ctx, app, registrationIDs)
	w.NoError(err)
	return some
}

func (w *world) listInvalid(q storage.InvalidQuery) []storage.Device {
	w.t.Helper()
	list, err := w.store.ListInvalidDevices(w.ctx, q)
	w.NoError(err)
	return list
}
