package sqlite

import (
	"context"
	"database/sql"
	"hash/maphash"
	"math/bits"
	"sync"

	"susul.dev/susul/storage"
)

// invalids are the invalid devices of all apps, by fingerprints of their ids: who is among them may be invalid, and the
// disk says whether it is; who is not is valid. A million takes 8 MB, or a little less. The writer alone changes it.
type invalids struct {
	seed maphash.Seed

	mu   sync.RWMutex // guards the fields below against the writer
	apps map[string]*fingerprints
}

func newInvalids() *invalids {
	return &invalids{seed: maphash.MakeSeed(), apps: map[string]*fingerprints{}}
}

// fingerprint returns an id's fingerprint. It is never 0.
func (x *invalids) fingerprint(id string) uint32 {
	return max(uint32(maphash.String(x.seed, id)), 1)
}

// has reports whether a device may be invalid. It is the writer's to call, who needs no lock.
func (x *invalids) has(app string, fingerprint uint32) bool {
	if len(x.apps) == 0 {
		return false
	}
	set := x.apps[app]
	return set != nil && set.has(fingerprint)
}

// suspects returns those of the ids whose devices may be invalid.
func (x *invalids) suspects(app string, ids []string) (some []string) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	set := x.apps[app]
	if set == nil {
		return nil
	}
	for _, id := range ids {
		if set.has(x.fingerprint(id)) {
			some = append(some, id)
		}
	}
	return some
}

// invalidChange is a device that became invalid, or no longer is.
type invalidChange struct {
	app         string
	fingerprint uint32
	added       bool
}

func (x *invalids) apply(c invalidChange) {
	x.mu.Lock()
	defer x.mu.Unlock()
	set := x.apps[c.app]
	if set == nil {
		set = &fingerprints{}
		x.apps[c.app] = set
	}
	if c.added {
		set.add(c.fingerprint)
	} else if set.remove(c.fingerprint); set.used == 0 {
		delete(x.apps, c.app)
	}
}

const selectAllInvalid = `SELECT a.key, i.registration_id FROM invalid_device i JOIN app a ON a.id = i.app_id
	WHERE i.revive_time IS NULL`

// load reads all of it anew.
func (x *invalids) load(ctx context.Context, q querier) error {
	apps := map[string]*fingerprints{}
	if _, err := collect(ctx, q, func(rows *sql.Rows) (none struct{}, err error) {
		var app, id string
		if err = rows.Scan(&app, &id); err != nil {
			return none, err
		}
		if apps[app] == nil {
			apps[app] = &fingerprints{}
		}
		apps[app].add(x.fingerprint(id))
		return none, nil
	}, selectAllInvalid); err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.apps = apps
	return nil
}

// fingerprints is a set that holds an element as often as it was added: different devices may share a fingerprint. It is
// a table with open addressing; 0 is a free slot. Its size is a power of two, or 0 at first.
type fingerprints struct {
	slots []uint32
	used  int
}

// place returns the slot where a fingerprint is, or else the free one where it belongs.
func (s *fingerprints) place(f uint32) uint32 {
	mask := uint32(len(s.slots) - 1)
	at := f & mask
	for s.slots[at] != 0 && s.slots[at] != f {
		at = (at + 1) & mask
	}
	return at
}

func (s *fingerprints) has(f uint32) bool {
	return s.used > 0 && s.slots[s.place(f)] == f
}

func (s *fingerprints) add(f uint32) {
	if 4*(s.used+1) > 3*len(s.slots) {
		old := s.slots
		s.slots = make([]uint32, 1<<bits.Len(uint(s.used+s.used/2+4)))
		for _, other := range old {
			if other != 0 {
				s.insert(other)
			}
		}
	}
	s.insert(f)
	s.used++
}

func (s *fingerprints) insert(f uint32) {
	mask := uint32(len(s.slots) - 1)
	at := f & mask
	for s.slots[at] != 0 {
		at = (at + 1) & mask
	}
	s.slots[at] = f
}

// remove takes a fingerprint out once. What stands behind it moves up, where it may.
func (s *fingerprints) remove(f uint32) {
	if !s.has(f) {
		return
	}
	s.used--
	mask := uint32(len(s.slots) - 1)
	free := s.place(f)
	for at := (free + 1) & mask; s.slots[at] != 0; at = (at + 1) & mask {
		home := s.slots[at] & mask
		if (at-home)&mask >= (at-free)&mask { // its way from home leads over the free slot
			s.slots[free] = s.slots[at]
			free = at
		}
	}
	s.slots[free] = 0
}

// turned notes in memory that a device became invalid, or no longer is, and remembers how to undo that.
func (t *tx) turned(app, id string, invalid bool) {
	x := t.writer.invalid
	c := invalidChange{app, x.fingerprint(id), invalid}
	x.apply(c)
	t.journal.invalid = append(t.journal.invalid, c)
}

// isLife reports whether a milestone says that a device is there.
func isLife(m storage.Milestone) bool {
	return m == storage.Delivered || m == storage.Displayed || m == storage.Clicked
}
