package postgres

import (
	"context"
	"hash/maphash"
	"sync"

	"github.com/jackc/pgx/v5"

	"susul.dev/susul/storage"
)

// invalids are the devices of all apps that may be invalid, by a hash: who is among them is looked up, and who is not is valid. It only
// grows until it is read anew. A million takes 20 MB, about.
type invalids struct {
	mu      sync.Mutex
	seed    maphash.Seed
	set     map[uint64]struct{} // nil: to be read
	deaths  int64               // as log_head had it when the set was complete
	useless int                 // look-ups that found nothing to revive
}

// hash returns the hash of a device.
func (x *invalids) hash(app, id string) uint64 {
	var h maphash.Hash
	h.SetSeed(x.seed)
	_, _ = h.WriteString(app)
	_ = h.WriteByte(0)
	_, _ = h.WriteString(id)
	return h.Sum64()
}

const selectInvalidSince = `SELECT app, registration_id FROM invalid_device WHERE death > $1 AND revive_time IS NULL`

// refresh adds the devices that became invalid until log_head had a count of deaths.
func (x *invalids) refresh(ctx context.Context, q querier, deaths int64) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.set != nil && x.deaths >= deaths {
		return nil
	}
	set, since := x.set, x.deaths
	if set == nil {
		x.seed, set, since = maphash.MakeSeed(), map[uint64]struct{}{}, 0
	}
	rows, err := q.Query(ctx, selectInvalidSince, since)
	if err != nil {
		return err
	}
	var app, id string
	if _, err := pgx.ForEachRow(rows, []any{&app, &id}, func() error {
		set[x.hash(app, id)] = struct{}{}
		return nil
	}); err != nil {
		return err // what was added is of no harm
	}
	x.set, x.deaths, x.useless = set, deaths, 0
	return nil
}

// add adds devices that are about to become invalid.
func (x *invalids) add(deaths []*entry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range deaths {
		if x.set != nil {
			x.set[x.hash(e.batch.app, e.registrationID())] = struct{}{}
		}
	}
}

// suspects returns the reports of life of devices that may be invalid.
func (x *invalids) suspects(stages []stage) (some []*entry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.set) == 0 {
		return nil
	}
	for i := range stages {
		for _, e := range stages[i].events {
			if !isLife(e.row.Milestone) {
				continue
			}
			if _, ok := x.set[x.hash(e.batch.app, e.registrationID())]; ok {
				some = append(some, e.entry)
			}
		}
	}
	return some
}

// wasted notes look-ups that found nothing to revive. When they are many, the set is read anew.
func (x *invalids) wasted(n int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.useless += n; x.useless > 1000+len(x.set) {
		x.set = nil
	}
}

// isLife reports whether a milestone says that a device is there.
func isLife(m storage.Milestone) bool {
	return m == storage.Delivered || m == storage.Displayed || m == storage.Clicked
}
