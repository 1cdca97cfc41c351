package postgres

import (
	"context"
	"sync"

	"github.com/jackc/pgx/v5"

	"susul.dev/susul/storage/layout"
)

// roster leads from the registration ids of a push to their ordinals. It does not change once it is loaded: of a push that is not listed,
// those are missing who came later.
type roster struct {
	packed map[layout.PackedID]uint32
	texts  map[string]uint32 // ids of another shape
}

func (r *roster) find(id string) (ordinal uint32, ok bool) {
	if p, packs := layout.Pack(id); packs {
		ordinal, ok = r.packed[p]
		return ordinal, ok
	}
	ordinal, ok = r.texts[id]
	return ordinal, ok
}

func (r *roster) add(id string, ordinal uint32) {
	if p, packs := layout.Pack(id); packs {
		r.packed[p] = ordinal
		return
	}
	if r.texts == nil {
		r.texts = map[string]uint32{}
	}
	r.texts[id] = ordinal
}

func (r *roster) size() int { return len(r.packed) + textWeight*len(r.texts) }

const (
	// A roster is loaded once so many look-ups as a part of its push's recipients would have found it useful.
	rosterPays = 8

	// textWeight is how much more memory an id takes that has not the usual shape.
	textWeight = 4

	// rostersAtOnce is how many are loaded with one statement.
	rostersAtOnce = 256
)

// rosters are those of the pushes that are reported of now. Without them, PostgreSQL looks up who each callback is about: that takes it as
// long as to store one.
type rosters struct {
	db    *database
	limit int // of recipients, all together
	wake  chan struct{}

	mu      sync.Mutex
	pushes  map[int64]*rosterUse
	loaded  int // recipients
	moment  int64
	waiting []int64
}

// rosterUse is what is known of how a push is looked up.
type rosterUse struct {
	roster *roster // nil until it is loaded
	asked  int
	used   int64 // the moment of its latest use
}

// maxRosterUses bounds the pushes that are remembered.
const maxRosterUses = 1 << 16

func newRosters(db *database, limit int) *rosters {
	return &rosters{db: db, limit: limit, wake: make(chan struct{}, 1), pushes: map[int64]*rosterUse{}}
}

// get returns a push's roster, or nil if there is none yet. n is how many will be looked for, of size recipients.
func (x *rosters) get(push int64, n, size int) *roster {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.moment++
	use := x.pushes[push]
	if use == nil {
		if len(x.pushes) >= maxRosterUses {
			x.drop(func(u *rosterUse) bool { return u.roster == nil })
		}
		use = &rosterUse{}
		x.pushes[push] = use
	}
	use.used = x.moment
	if use.roster != nil {
		return use.roster
	}
	before := use.asked * rosterPays
	use.asked += n
	if before < size && use.asked*rosterPays >= size && size <= x.limit && len(x.waiting) < rostersAtOnce*16 {
		x.waiting = append(x.waiting, push)
		select {
		case x.wake <- struct{}{}:
		default:
		}
	}
	return nil
}

// drop forgets pushes.
func (x *rosters) drop(these func(*rosterUse) bool) {
	for push, use := range x.pushes {
		if these(use) {
			if use.roster != nil {
				x.loaded -= use.roster.size()
			}
			delete(x.pushes, push)
		}
	}
}

// run loads rosters until the context ends.
func (x *rosters) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-x.wake:
		}
		for pushes := x.next(); len(pushes) > 0 && ctx.Err() == nil; pushes = x.next() {
			found, err := x.load(ctx, pushes)
			if err != nil && ctx.Err() == nil {
				x.db.options.Logger.WarnContext(ctx, "recipients can't be read ahead", "error", err)
			}
			x.keep(pushes, found)
		}
	}
}

func (x *rosters) next() []int64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := min(len(x.waiting), rostersAtOnce)
	some := x.waiting[:n:n]
	x.waiting = x.waiting[n:]
	return some
}

// load reads rosters until there are as many recipients as there may be.
func (x *rosters) load(ctx context.Context, pushes []int64) (map[int64]*roster, error) {
	rows, err := x.db.pool.Query(ctx, `SELECT r.push_id, r.ordinal, r.registration_id FROM unnest($1::bigint[]) AS k (push_id)
		CROSS JOIN LATERAL (SELECT * FROM recipient WHERE push_id = k.push_id ORDER BY ordinal LIMIT $2) r LIMIT $2`, pushes, x.limit)
	if err != nil {
		return nil, err
	}
	found := map[int64]*roster{}
	var push int64
	var ordinal uint32
	var id string
	n := 0
	_, err = pgx.ForEachRow(rows, []any{&push, &ordinal, &id}, func() error {
		if found[push] == nil {
			found[push] = &roster{packed: map[layout.PackedID]uint32{}}
		}
		found[push].add(id, ordinal)
		n++
		return nil
	})
	if err == nil && n >= x.limit {
		delete(found, push) // it may be cut short
	}
	return found, err
}

// keep makes rosters known, in place of those that were not used for the longest time. What could not be loaded begins anew.
func (x *rosters) keep(pushes []int64, found map[int64]*roster) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, push := range pushes {
		use := x.pushes[push]
		if use == nil {
			continue
		}
		use.asked = 0
		r := found[push]
		if r == nil || use.roster != nil || r.size() > x.limit {
			continue
		}
		use.roster = r
		x.loaded += r.size()
	}
	for x.loaded > x.limit {
		oldest := x.moment + 1
		for _, use := range x.pushes {
			if use.roster != nil {
				oldest = min(oldest, use.used)
			}
		}
		x.drop(func(u *rosterUse) bool { return u.roster != nil && u.used == oldest })
	}
}
