package postgres

import (
	"slices"

	"github.com/jackc/pgx/v5"
)

// member is a registration id of a push.
type member struct {
	push int64
	id   string
}

// selectOrdinals finds recipients one by one, in the order of what is asked for. A join would leave it to the planner whether to read all of
// a push.
const selectOrdinals = `SELECT (SELECT ordinal FROM recipient r WHERE r.push_id = k.push_id AND r.registration_id = k.id)
	FROM unnest($1::bigint[], $2::text[]) AS k (push_id, id)`

// findMembers finds the recipients that the rows are about: in memory, or else in PostgreSQL.
func (r *recording) findMembers() error {
	looked := map[int64]int{}
	each := func(do func(*entry)) {
		for i := range r.entries {
			if e := &r.entries[i]; !e.member && e.row.RegistrationID != "" && r.applies(e) {
				do(e)
			}
		}
	}
	each(func(e *entry) { looked[e.target.push]++ })
	known := map[int64]*roster{}
	for push, n := range looked {
		if found := r.db.rosters.get(push, n, r.pushes[push].size); found != nil {
			known[push] = found
		}
	}
	var asked []*entry
	each(func(e *entry) {
		if found := known[e.target.push]; found != nil {
			e.ordinal, e.member = found.find(e.registrationID())
			if e.member || r.pushes[e.target.push].listed {
				return
			}
		}
		asked = append(asked, e)
	})
	return r.askMembers(asked)
}

func (r *recording) askMembers(asked []*entry) error {
	if len(asked) == 0 {
		return nil
	}
	pushes, ids := make([]int64, len(asked)), make([]string, len(asked))
	for i, e := range asked {
		pushes[i], ids[i] = e.target.push, e.registrationID()
	}
	rows, err := r.t.Query(r.t.ctx, selectOrdinals, pushes, ids)
	if err != nil {
		return err
	}
	at := 0
	var ordinal *uint32
	_, err = pgx.ForEachRow(rows, []any{&ordinal}, func() error {
		if ordinal != nil {
			asked[at].ordinal, asked[at].member = *ordinal, true
		}
		at++
		return nil
	})
	return err
}

// gainMembers adds recipients that pushes without a list did not know.
func (r *recording) gainMembers() error {
	var strangers []*entry
	var pushes []int64
	for i := range r.entries {
		e := &r.entries[i]
		if !e.member && e.row.RegistrationID != "" && r.applies(e) && !r.pushes[e.target.push].listed {
			strangers = append(strangers, e)
			pushes = append(pushes, e.target.push)
		}
	}
	if len(strangers) == 0 {
		return nil
	}
	slices.Sort(pushes)
	sizes, err := r.lockSizes(slices.Compact(pushes))
	if err != nil {
		return err
	}
	// Some may have come while the lock was waited for. Which push is forgotten is surely known now.
	strangers = slices.DeleteFunc(strangers, func(e *entry) bool { return !r.applies(e) })
	if err := r.askMembers(strangers); err != nil {
		return err
	}
	return r.insertMembers(slices.DeleteFunc(strangers, func(e *entry) bool { return e.member }), sizes)
}

// lockSizes returns how many recipients pushes have, and keeps them from gaining more.
func (r *recording) lockSizes(pushes []int64) (map[int64]uint32, error) {
	sizes := map[int64]uint32{}
	_, err := collect(r.t.ctx, r.t, func(row pgx.CollectableRow) (struct{}, error) {
		var id int64
		var size uint32
		var forgotten bool
		err := row.Scan(&id, &size, &forgotten)
		sizes[id] = size
		r.pushes[id] = pushInfo{forgotten: forgotten, size: int(size)}
		return struct{}{}, err
	}, `SELECT id, recipients, forgotten > 0 FROM push WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE`, pushes)
	return sizes, err
}

// insertMembers gives strangers the ordinals that follow, in the order in which they came.
func (r *recording) insertMembers(strangers []*entry, sizes map[int64]uint32) error {
	if len(strangers) == 0 {
		return nil
	}
	known := map[member]uint32{}
	var pushes, ordinals []int64
	var ids []string
	for _, e := range strangers {
		m := member{e.target.push, e.registrationID()}
		ordinal, ok := known[m]
		if !ok {
			ordinal = sizes[m.push]
			sizes[m.push]++
			known[m] = ordinal
			pushes, ordinals, ids = append(pushes, m.push), append(ordinals, int64(ordinal)), append(ids, m.id)
		}
		e.ordinal, e.member = ordinal, true
	}
	if _, err := r.t.exec(`INSERT INTO recipient (push_id, ordinal, registration_id)
		SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[])`, pushes, ordinals, ids); err != nil {
		return err
	}
	slices.Sort(pushes)
	for _, push := range slices.Compact(pushes) {
		if _, err := r.t.exec(`UPDATE push SET recipients = $2 WHERE id = $1`, push, sizes[push]); err != nil {
			return err
		}
	}
	return nil
}

// appAndSize returns a push's app, and how many recipients it has.
func (t *tx) appAndSize(push int64) (app string, size uint32, err error) {
	_, err = first(t.ctx, t, func(row pgx.CollectableRow) (struct{}, error) {
		return struct{}{}, row.Scan(&app, &size)
	}, `SELECT app, recipients FROM push WHERE id = $1`, push)
	return app, size, err
}
