package sqlite

import (
	"cmp"
	"math"
	"slices"
	"time"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// death is a new row by which a device becomes invalid, unless it reported life since.
type death struct {
	app      string
	id       string
	callback *storage.Callback
}

// life is a new row by which a device that may be invalid reports life.
type life struct {
	audience *audience
	ordinal  uint32
	time     int64 // milliseconds
}

// note puts aside what a new row says of its device, until the events of all that came with it are in the log.
func (t *tx) note(app string, e entry, odd *storage.Callback) {
	switch {
	case e.milestone == storage.Failed:
		if odd != nil && odd.Invalidates != "" {
			t.deaths = append(t.deaths, death{app, odd.RegistrationID, odd})
		}
	case isLife(e.milestone):
		e.audience.lastLife = max(e.audience.lastLife, e.time)
		if t.writer.invalid.has(app, e.fingerprint) {
			at := 1000 * int64(e.time)
			if e.kind == 0 {
				at = odd.Time.UnixMilli()
			}
			t.lives = append(t.lives, life{e.audience, e.ordinal, at})
		}
	}
}

const (
	// An invalidity counts if it is later than the one before, and than the revival.
	upsertInvalid = `INSERT INTO invalid_device (app_id, registration_id, time, reason, status, error_code, error_message)
		VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET time = excluded.time, reason = excluded.reason,
		status = excluded.status, error_code = excluded.error_code, error_message = excluded.error_message, revive_time = NULL,
		delete_time = iif(revive_time IS NULL, delete_time, NULL) WHERE excluded.time > COALESCE(revive_time, time)`

	reviveOne = `UPDATE invalid_device SET revive_time = ?
		WHERE app_id = ? AND registration_id = ? AND revive_time IS NULL AND time <= ?`

	isInvalid = `SELECT COUNT(*) FROM invalid_device WHERE app_id = ? AND registration_id = ? AND revive_time IS NULL`
)

// settleDevices makes devices invalid, or valid again. It comes when all that is new is in the log, so that it does not
// matter in which order it came. Which device is which is a question of the disk, as few are asked about.
func (t *tx) settleDevices() error {
	if len(t.deaths) > 0 {
		if err := t.settleDeaths(); err != nil {
			return err
		}
	}
	if len(t.lives) > 0 {
		if err := t.settleLives(); err != nil {
			return err
		}
	}
	t.deaths, t.lives = t.deaths[:0], t.lives[:0]
	return nil
}

func (t *tx) settleDeaths() error {
	slices.SortStableFunc(t.deaths, func(a, b death) int { return cmp.Compare(a.app, b.app) })
	for rest := t.deaths; len(rest) > 0; {
		n := slices.IndexFunc(rest, func(d death) bool { return d.app != rest[0].app })
		if n < 0 {
			n = len(rest)
		}
		if err := t.settleDeathsOf(rest[0].app, rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

func (t *tx) settleDeathsOf(app string, deaths []death) error {
	id, err := t.appID(app)
	if err != nil {
		return err
	}
	since := uint32(math.MaxUint32)
	for _, d := range deaths {
		s, _ := seconds(d.callback.Time)
		since = min(since, s)
	}
	w, err := t.witnesses(app, id, since)
	if err != nil {
		return err
	}
	for _, d := range deaths {
		alive, err := w.sawLife(d.id, d.callback.Time)
		if err != nil {
			return err
		}
		if alive {
			continue
		}
		c := d.callback
		before, err := t.mayBeInvalid(app, id, d.id)
		if err != nil {
			return err
		}
		changed, err := t.exec(upsertInvalid, id, d.id, c.Time.UnixMilli(), c.Invalidates, c.Status, c.ErrorCode, c.ErrorMessage)
		if err != nil {
			return err
		}
		if changed > 0 && !before {
			t.turned(app, d.id, true)
		}
	}
	return nil
}

// mayBeInvalid reports whether a device is invalid.
func (t *tx) mayBeInvalid(app string, appID int64, id string) (bool, error) {
	if x := t.writer.invalid; !x.has(app, x.fingerprint(id)) {
		return false, nil
	}
	return first(t.ctx, t, value[bool], isInvalid, appID, id)
}

func (t *tx) settleLives() error {
	r := t.reader()
	for _, l := range t.lives {
		a := l.audience
		id, err := r.registrationID(a.push, l.ordinal)
		if err != nil {
			return err
		}
		app, err := t.appID(a.app)
		if err != nil {
			return err
		}
		changed, err := t.exec(reviveOne, l.time, app, id, l.time)
		if err != nil {
			return err
		}
		if changed > 0 {
			t.turned(a.app, id, false)
		}
	}
	return nil
}

// witnesses are the audiences of an app of which life was reported at or after a time.
type witnesses struct {
	t         *tx
	audiences []*audience
	reader    eventReader
}

// witnesses finds them in memory. Those that were dropped from it reported life until live.cold at the latest.
func (t *tx) witnesses(app string, id int64, since uint32) (*witnesses, error) {
	w := &witnesses{t: t, reader: t.reader()}
	l := t.writer.live
	l.mu.RLock()
	for _, a := range l.audiences {
		if a.app == app && a.lastLife >= since {
			w.audiences = append(w.audiences, a)
		}
	}
	l.mu.RUnlock()
	if since > l.cold {
		return w, nil
	}
	pushes, err := t.pushesSince(id, since, w.reader)
	if err != nil {
		return nil, err
	}
	for _, push := range pushes {
		a, err := l.audience(t.ctx, t, push)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(w.audiences, a) {
			w.audiences = append(w.audiences, a)
		}
	}
	return w, nil
}

const selectPushesSince = `SELECT push_id FROM segment WHERE sequence >= ? AND sequence <= ? AND app_id = ? AND last_time >= ?`

// pushesSince returns the pushes of which the log has something at or after a time.
func (t *tx) pushesSince(app int64, since uint32, r eventReader) ([]int64, error) {
	all, err := spans(t.ctx, t, app, 0, r.through, since, r.end)
	if err != nil {
		return nil, err
	}
	var pushes []int64
	for _, s := range all {
		some, err := collect(t.ctx, t, value[int64], selectPushesSince, s.first, s.last, app, since)
		if err != nil {
			return nil, err
		}
		pushes = append(pushes, some...)
	}
	slices.Sort(pushes)
	return slices.Compact(pushes), nil
}

// sawLife reports whether a device reported life at or after a time.
func (w *witnesses) sawLife(id string, since time.Time) (bool, error) {
	for _, a := range w.audiences {
		if err := w.t.know(a); err != nil {
			return false, err
		}
		if a.forgotten.Load() {
			continue
		}
		ordinal, ok, err := w.t.ordinalOf(a, id)
		if err != nil {
			return false, err
		}
		if !ok {
			continue
		}
		if ok, err = w.inAudience(a, ordinal, since); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

func (w *witnesses) inAudience(a *audience, ordinal uint32, since time.Time) (bool, error) {
	page, err := w.t.page(a, int(ordinal/layout.PageSize))
	if err != nil || !page.progressOf(ordinal).InAnyStep().Has(storage.Delivered) {
		return false, err // what is displayed or clicked was delivered
	}
	r := w.reader
	r.query.PushID, r.query.StartTime = a.push, since
	if err := r.walkPush(a.push, &ordinal); err != nil {
		return false, err
	}
	return slices.ContainsFunc(r.events, func(e storage.Event) bool { return isLife(e.Milestone) }), nil
}

// reader reads the log as it is in the transaction.
func (t *tx) reader() eventReader {
	r := eventReader{kinds: t.writer.kinds, ctx: t.ctx, q: t, limit: storage.MaxPage}
	r.through, r.end = t.writer.live.tail.get()
	r.end = append(slices.Clip(r.end), t.journal.refs...)
	return r
}
