package sqlite

import (
	"hash/maphash"
	"math/bits"

	"susul.dev/susul/storage/layout"
)

// index leads from registration ids to ordinals. A million of them takes about 18 MB, half of what a Go map would: the
// ids of the usual shape stand once, in the order of their ordinals, and open-addressing tables of ordinals lead to them.
// A table that has become too small is made anew, so there are several, by the hash: none is large enough for that to
// take long.
type index struct {
	seed   maphash.Seed
	shift  int // of a hash, to the number of its table
	tables []idTable
	ids    [][]layout.PackedID // by ordinal, in chunks; those of which no id is known are nil
	texts  map[string]uint32   // ids of another shape
	size   int                 // how many ids were expected
	packed int
	held   int // ids that the chunks have room for
}

// idTable holds ordinals + 1, and 0 in the slots that are free. Its size is a power of two, or 0 at first.
type idTable struct {
	slots []uint32
	used  int
}

const (
	idsPerChunk = 1 << 12

	// idsPerTable is how many ids a table is to have at most, about, when all are known beforehand.
	idsPerTable = 1 << 16

	// growingTables is how many tables there are when it is not known how many ids will come.
	growingTables = 64

	indexBytes = 18 // a packed id, about
	textBytes  = 80 // an id of another shape
)

// newIndex returns an index for so many ids, or, for 0, for any number.
func newIndex(size int) *index {
	tables := growingTables
	if size > 0 {
		tables = 1 << bits.Len(uint((size-1)/idsPerTable))
	}
	x := &index{seed: maphash.MakeSeed(), shift: 64 - bits.Len(uint(tables-1)), tables: make([]idTable, tables), size: size}
	for i := range x.tables {
		if size > 0 {
			x.tables[i].resize(size / tables)
		}
	}
	return x
}

// resize empties the table and gives it room for so many ids, and some more.
func (t *idTable) resize(ids int) {
	*t = idTable{slots: make([]uint32, 1<<bits.Len(uint(ids+ids/4+1)))}
}

// full reports whether one more id would make look-ups slow.
func (t *idTable) full() bool { return 4*(t.used+1) > 3*len(t.slots) }

func (x *index) id(ordinal uint32) layout.PackedID {
	return x.ids[ordinal/idsPerChunk][ordinal%idsPerChunk]
}

func (x *index) hash(p layout.PackedID) uint64 { return maphash.Bytes(x.seed, p[:]) }

func (x *index) table(hash uint64) *idTable { return &x.tables[hash>>x.shift] }

// slot returns the slot of an id in its table: the one that leads to it, or the free one where it belongs.
func (x *index) slot(t *idTable, p layout.PackedID, hash uint64) *uint32 {
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		if slot := &t.slots[i]; *slot == 0 || x.id(*slot-1) == p {
			return slot
		}
	}
}

func (x *index) find(id string) (ordinal uint32, ok bool) {
	p, packs := layout.Pack(id)
	if !packs {
		ordinal, ok = x.texts[id]
		return ordinal, ok
	}
	hash := x.hash(p)
	t := x.table(hash)
	if t.used == 0 {
		return 0, false
	}
	slot := *x.slot(t, p, hash)
	return slot - 1, slot != 0
}

func (x *index) add(id string, ordinal uint32) {
	if p, packs := layout.Pack(id); packs {
		x.addPacked(p, ordinal)
		return
	}
	if x.texts == nil {
		x.texts = make(map[string]uint32)
	}
	x.texts[id] = ordinal
}

func (x *index) addPacked(p layout.PackedID, ordinal uint32) {
	hash := x.hash(p)
	t := x.table(hash)
	if t.full() {
		x.grow(t)
	}
	slot := x.slot(t, p, hash)
	if *slot == 0 {
		t.used++
		x.packed++
	}
	*slot = ordinal + 1
	*x.place(ordinal) = p
}

// place returns where the id of an ordinal stands, and makes room for it.
func (x *index) place(ordinal uint32) *layout.PackedID {
	n, at := int(ordinal/idsPerChunk), int(ordinal%idsPerChunk)
	if missing := n + 1 - len(x.ids); missing > 0 {
		x.ids = append(x.ids, make([][]layout.PackedID, missing)...)
	}
	if chunk := x.ids[n]; at >= len(chunk) {
		room := min(max(2*len(chunk), at+1, x.size-n*idsPerChunk), idsPerChunk)
		x.ids[n] = make([]layout.PackedID, room)
		copy(x.ids[n], chunk)
		x.held += room - len(chunk)
	}
	return &x.ids[n][at]
}

// grow makes a table anew, for twice as many ids.
func (x *index) grow(t *idTable) {
	old := *t
	t.resize(2 * (old.used + 1))
	for _, slot := range old.slots {
		if slot != 0 {
			p := x.id(slot - 1)
			*x.slot(t, p, x.hash(p)) = slot
		}
	}
	t.used = old.used
}

func (x *index) addPage(page layout.Recipients, first uint32) {
	for i := range page.Len() {
		if p, ok := page.Packed(i); ok {
			x.addPacked(p, first+uint32(i))
		} else {
			x.add(page.ID(i), first+uint32(i))
		}
	}
}

// addAll adds what another index has.
func (x *index) addAll(other *index) {
	for _, t := range other.tables {
		for _, slot := range t.slots {
			if slot != 0 {
				x.addPacked(other.id(slot-1), slot-1)
			}
		}
	}
	for id, ordinal := range other.texts {
		x.add(id, ordinal)
	}
}

func (x *index) len() int { return x.packed + len(x.texts) }

// bytes is what it takes in memory, about.
func (x *index) bytes() int {
	if x == nil {
		return 0
	}
	n := len(x.texts)*textBytes + 24*len(x.ids) + x.held*len(layout.PackedID{})
	for _, t := range x.tables {
		n += 4 * len(t.slots)
	}
	return n
}
