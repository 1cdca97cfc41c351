package postgres

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// Devices become invalid, or valid again, under the lock of the log's end: so who finds that a device is invalid sees all reports of life
// that came before, and the other way round, on whatever node. What can be looked up is looked up before; then only what came meanwhile is
// left to look at.

// note puts aside what a new row says of its device.
func (r *recording) note(s *stage, e *entry) {
	switch {
	case e.row.Milestone == storage.Failed:
		if e.row.Invalidates != "" {
			r.deaths = append(r.deaths, e)
		}
	case isLife(e.row.Milestone):
		s.life = max(s.life, e.time, 1)
	}
}

// hourOf returns the hour, since 1970, in which a second ends.
func hourOf(second uint32) int64 { return (int64(second) + 3599) / 3600 }

const upsertLives = `INSERT INTO life (push_id, app, hour) SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[])
	ON CONFLICT (push_id) DO UPDATE SET hour = EXCLUDED.hour WHERE life.hour < EXCLUDED.hour`

// queueLives notes until when devices of the pushes reported life. Mostly the process knows that this is noted.
func (r *recording) queueLives(queries *pgx.Batch) {
	var list columns
	for i := range r.stages {
		s := &r.stages[i]
		if s.life == 0 {
			continue
		}
		if hour, ok := r.db.lives.get(s.push); !ok || hour < hourOf(s.life) {
			list.add(s.push, s.app, hourOf(s.life))
		}
	}
	if list.n > 0 {
		queries.Queue(upsertLives, list.args...)
	}
}

// rememberLives does so once the transaction has committed.
func (r *recording) rememberLives() {
	for i := range r.stages {
		s := &r.stages[i]
		if hour, ok := r.db.lives.get(s.push); s.life > 0 && (!ok || hour < hourOf(s.life)) {
			r.db.lives.put(s.push, hourOf(s.life))
		}
	}
}

// prepareDevices looks up what can be without the lock.
func (r *recording) prepareDevices() error {
	if err := r.db.invalid.refresh(r.t.ctx, r.t, r.began.deaths); err != nil || len(r.deaths) == 0 {
		return err
	}
	r.latestDeaths()
	return r.dropAlive(0)
}

// latestDeaths keeps the latest death of each device, in the order of the devices, unless life comes with it.
func (r *recording) latestDeaths() {
	slices.SortStableFunc(r.deaths, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(a.batch.app, b.batch.app), cmp.Compare(a.registrationID(), b.registrationID()), b.row.Time.Compare(a.row.Time))
	})
	r.deaths = slices.CompactFunc(r.deaths, func(a, b *entry) bool {
		return a.batch.app == b.batch.app && a.registrationID() == b.registrationID()
	})
	latest := map[[2]string]time.Time{}
	for _, e := range r.deaths {
		latest[[2]string{e.batch.app, e.registrationID()}] = time.Time{}
	}
	for i := range r.stages {
		for _, e := range r.stages[i].events {
			if !isLife(e.row.Milestone) {
				continue
			}
			key := [2]string{e.batch.app, e.registrationID()}
			if before, dies := latest[key]; dies && before.Before(e.row.Time) {
				latest[key] = e.row.Time
			}
		}
	}
	r.deaths = slices.DeleteFunc(r.deaths, func(e *entry) bool {
		alive := latest[[2]string{e.batch.app, e.registrationID()}]
		return !alive.IsZero() && !alive.Before(e.row.Time)
	})
}

// settleDevices makes devices invalid, or valid again. The log's end is locked.
func (r *recording) settleDevices(head logHead) error {
	if len(r.deaths) > 0 {
		if err := r.dropAlive(r.began.sequence); err != nil {
			return err
		}
		if err := r.saveDeaths(head); err != nil {
			return err
		}
	}
	if err := r.db.invalid.refresh(r.t.ctx, r.t, head.deaths); err != nil {
		return err
	}
	r.db.invalid.add(r.deaths)
	return r.revive(r.db.invalid.suspects(r.stages))
}

// An invalidity counts if it is later than the one before, and than the revival.
const upsertInvalid = `INSERT INTO invalid_device (app, registration_id, time, death, reason, status, error_code, error_message)
	SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::bigint[], $8::text[])
	ON CONFLICT (app, registration_id) DO UPDATE SET time = EXCLUDED.time, death = EXCLUDED.death, reason = EXCLUDED.reason,
	status = EXCLUDED.status, error_code = EXCLUDED.error_code, error_message = EXCLUDED.error_message, revive_time = NULL,
	delete_time = CASE WHEN invalid_device.revive_time IS NULL THEN invalid_device.delete_time END
	WHERE EXCLUDED.time > COALESCE(invalid_device.revive_time, invalid_device.time)`

func (r *recording) saveDeaths(head logHead) error {
	var list columns
	for _, e := range r.deaths {
		c := e.row
		list.add(e.batch.app, e.registrationID(), c.Time.UnixMilli(), head.deaths+1, storable(c.Invalidates), storable(c.Status),
			int64(c.ErrorCode), storable(c.ErrorMessage))
	}
	if list.n == 0 {
		return nil
	}
	if err := list.exec(r.t, upsertInvalid); err != nil {
		return err
	}
	_, err := r.t.exec(`UPDATE log_head SET deaths = deaths + 1`)
	return err
}

// The rows of invalid_device are few, and locked in the order of their key.
const reviveThose = `WITH those AS (SELECT i.app, i.registration_id, k.time
		FROM unnest($1::text[], $2::text[], $3::bigint[]) AS k (app, registration_id, time)
		JOIN invalid_device i ON i.app = k.app AND i.registration_id = k.registration_id
		WHERE i.revive_time IS NULL AND i.time <= k.time ORDER BY i.app, i.registration_id FOR UPDATE OF i)
	UPDATE invalid_device i SET revive_time = those.time FROM those
	WHERE i.app = those.app AND i.registration_id = those.registration_id AND i.revive_time IS NULL AND i.time <= those.time`

// revive makes devices valid that reported life.
func (r *recording) revive(suspects []*entry) error {
	if len(suspects) == 0 {
		return nil
	}
	latest := map[[2]string]int64{}
	for _, e := range suspects {
		key := [2]string{e.batch.app, e.registrationID()}
		if at, ok := latest[key]; !ok || at < e.row.Time.UnixMilli() {
			latest[key] = e.row.Time.UnixMilli()
		}
	}
	var list columns
	for key, at := range latest {
		list.add(key[0], key[1], at)
	}
	revived, err := r.t.exec(reviveThose, list.args...)
	if err == nil {
		r.db.invalid.wasted(list.n - int(revived))
	}
	return err
}

// witness is a recipient of a push that may have reported life since a device was said to be dead.
type witness struct {
	death   *entry
	push    int64
	ordinal uint32
}

const (
	selectAlivePushes = `SELECT push_id FROM life WHERE app = $1 AND hour >= $2`

	selectWitnesses = `SELECT k.n, p.push_id, r.ordinal, w.word FROM unnest($1::bigint[]) AS p (push_id)
		CROSS JOIN unnest($2::text[]) WITH ORDINALITY AS k (id, n)
		CROSS JOIN LATERAL (SELECT ordinal FROM recipient r WHERE r.push_id = p.push_id AND r.registration_id = k.id LIMIT 1) r
		CROSS JOIN LATERAL (SELECT word FROM progress w WHERE w.push_id = p.push_id AND w.ordinal = r.ordinal LIMIT 1) w`

	selectTestimonies = `SELECT k.n, s.sequence, s.body FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) WITH ORDINALITY
			AS k (push_id, ordinal, since, n)
		CROSS JOIN LATERAL (SELECT sequence, body FROM segment s WHERE s.push_id = k.push_id AND s.sequence > $4 AND s.day = ANY($5)
			AND s.low <= k.ordinal AND s.high >= k.ordinal AND s.last_time >= k.since LIMIT 1000000) s`
)

// dropAlive drops the deaths of devices that reported life at that time or later, by events after a sequence.
func (r *recording) dropAlive(after int64) error {
	days, err := collect(r.t.ctx, r.t, value[int32], `SELECT day FROM log_day WHERE last > $1`, after)
	if err != nil || len(days) == 0 {
		return err
	}
	var witnesses []witness
	for rest := r.deaths; len(rest) > 0; {
		n := slices.IndexFunc(rest, func(e *entry) bool { return e.batch.app != rest[0].batch.app })
		if n < 0 {
			n = len(rest)
		}
		if witnesses, err = r.witnesses(witnesses, rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	if len(witnesses) == 0 {
		return nil
	}
	alive, err := r.testimonies(witnesses, after, days)
	r.deaths = slices.DeleteFunc(r.deaths, func(e *entry) bool { return alive[e] })
	return err
}

// witnesses finds those of some devices of an app.
func (r *recording) witnesses(witnesses []witness, deaths []*entry) ([]witness, error) {
	ids := make([]string, len(deaths))
	since := uint32(math.MaxUint32)
	for i, e := range deaths {
		ids[i] = e.registrationID()
		since = min(since, e.time)
	}
	pushes, err := collect(r.t.ctx, r.t, value[int64], selectAlivePushes, deaths[0].batch.app, hourOf(since))
	if err != nil || len(pushes) == 0 {
		return witnesses, err
	}
	rows, err := r.t.Query(r.t.ctx, selectWitnesses, pushes, ids)
	if err != nil {
		return nil, err
	}
	var n int
	var w witness
	var word int64
	_, err = pgx.ForEachRow(rows, []any{&n, &w.push, &w.ordinal, &word}, func() error {
		// What is displayed or clicked was delivered.
		if storage.Progress(word).InAnyStep().Has(storage.Delivered) {
			w.death = deaths[n-1]
			witnesses = append(witnesses, w)
		}
		return nil
	})
	return witnesses, err
}

// testimonies reads what was logged of witnesses after a sequence.
func (r *recording) testimonies(witnesses []witness, after int64, days []int32) (map[*entry]bool, error) {
	pushes, ordinals, since := make([]int64, len(witnesses)), make([]int64, len(witnesses)), make([]int64, len(witnesses))
	for i, w := range witnesses {
		pushes[i], ordinals[i], since[i] = w.push, int64(w.ordinal), int64(w.death.time)
	}
	rows, err := r.t.Query(r.t.ctx, selectTestimonies, pushes, ordinals, since, after, days)
	if err != nil {
		return nil, err
	}
	alive := map[*entry]bool{}
	type doubt struct {
		death    *entry
		sequence int64
		kind     uint32
	}
	var doubts []doubt // what more must be read of
	var n int
	var sequence int64
	var body []byte
	if _, err := pgx.ForEachRow(rows, []any{&n, &sequence, &body}, func() error {
		w := witnesses[n-1]
		s, err := layout.ReadSegment(body)
		if err != nil || alive[w.death] {
			return err
		}
		for i := range s.Len() {
			e := s.Event(i)
			if e.Ordinal == w.ordinal && (e.Kind == 0 || !time.Unix(int64(e.Time), 0).Before(w.death.row.Time)) {
				doubts = append(doubts, doubt{w.death, sequence + int64(i), e.Kind})
			}
		}
		return nil
	}); err != nil {
		return nil, err
	}
	for _, d := range doubts {
		if alive[d.death] {
			continue
		}
		c := storage.Callback{Time: d.death.row.Time}
		if d.kind == 0 {
			detail, err := first(r.t.ctx, r.t, scanDetail, selectDetails+`sequence = $1`, d.sequence)
			if err != nil {
				return nil, err
			}
			c = detail.callback
		} else {
			k, err := r.db.kinds.read(r.t.ctx, r.t, d.kind)
			if err != nil {
				return nil, err
			}
			c.Milestone = k.milestone
		}
		alive[d.death] = isLife(c.Milestone) && !c.Time.Before(d.death.row.Time)
	}
	return alive, nil
}
