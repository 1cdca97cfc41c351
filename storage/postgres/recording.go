package postgres

import (
	"cmp"
	"slices"

	"github.com/jackc/pgx/v5"

	"susul.dev/susul/storage"
)

// recording is what a transaction appends to the log, and all that follows from it. It is collected first and stored at the end, so
// that rows are locked in the order that the package comment tells.
type recording struct {
	t  *tx
	db *database

	entries  []entry
	resolved int     // how many of them were looked up
	began    logHead // the end of the log as it was before anything was looked up
	pushes   map[int64]pushInfo

	// What becomes known to the process once the transaction has committed.
	found   map[upstream]*target
	looked  []int64 // pushes that were looked up
	kinds   []storedKind
	newHeld map[heldKey]int

	holds  []*entry // that can't be applied
	groups []group
	marks  []markRow
	stages []stage
	deaths []*entry
}

// pushInfo is what callbacks need to know of a push.
type pushInfo struct {
	listed, forgotten bool
	size              int // how many recipients it has; of a push that is not listed, it may have more by now
}

// logHead is the row of log_head. deaths grows whenever devices become invalid, forgets whenever a push begins to be forgotten: so others
// see at a glance whether that happened since they looked.
type logHead struct {
	sequence, deaths, forgets int64
}

func scanLogHead(row pgx.CollectableRow) (h logHead, err error) {
	err = row.Scan(&h.sequence, &h.deaths, &h.forgets)
	return h, err
}

// add adds the rows of a batch.
func (r *recording) add(b *batch, rows []storage.Callback) {
	r.entries = slices.Grow(r.entries, len(rows))
	for i := range rows {
		r.entries = append(r.entries, entry{batch: b, row: &rows[i], at: int32(i)})
	}
}

// finishRecording stores what was recorded. It comes last in a transaction.
func (t *tx) finishRecording() error {
	r := t.recording
	if r == nil {
		return nil
	}
	for _, step := range []func() error{r.resolve, r.findKinds, r.sort, r.saveProgress, r.saveMarks, r.saveHeld} {
		if err := step(); err != nil {
			return err
		}
	}
	return r.append()
}

// resolve finds out what the rows are about that were added since it did so before. Pushes gain their recipients by that.
func (r *recording) resolve() error {
	if r.resolved == len(r.entries) {
		return nil
	}
	for _, step := range []func() error{r.begin, r.findMessages, r.findPushes, r.findMembers, r.gainMembers} {
		if err := step(); err != nil {
			return err
		}
	}
	r.resolved = len(r.entries)
	return nil
}

// recorded lets the process know what was looked up or made by the transaction, which has committed.
func (t *tx) recorded() {
	r := t.recording
	if r == nil {
		return
	}
	r.db.rememberTargets(r.found)
	for _, id := range r.looked {
		if info := r.pushes[id]; !info.forgotten {
			r.db.pushes.put(id, knownPush{info, r.began.forgets})
		}
	}
	r.db.kinds.learn(r.kinds)
	r.rememberLives()
	r.db.held.add(r.newHeld)
	t.recording = nil
}

func (r *recording) begin() (err error) {
	if r.pushes != nil {
		return nil
	}
	r.pushes = map[int64]pushInfo{}
	r.began, err = first(r.t.ctx, r.t, scanLogHead, `SELECT sequence, deaths, forgets FROM log_head`)
	return err
}

// findMessages finds what the rows' upstream ids stand for. Of those that no dispatch has, none gets any until the transaction ends.
func (r *recording) findMessages() error {
	missing := r.eachMessage(func(u upstream) (*target, bool) { return r.db.targets.get(u) })
	for _, locked := range []bool{false, true} {
		if len(missing) == 0 {
			return nil
		}
		if locked {
			if err := r.t.shareUpstreams(missing); err != nil {
				return err
			}
		}
		found, err := r.t.findTargets(missing)
		if err != nil {
			return err
		}
		for u, to := range found {
			if r.found == nil {
				r.found = map[upstream]*target{}
			}
			r.found[u] = to
		}
		missing = r.eachMessage(func(u upstream) (*target, bool) {
			to, ok := found[u]
			return to, ok
		})
	}
	return nil
}

// eachMessage fills in the targets that a function knows, and returns the upstream ids of the others.
func (r *recording) eachMessage(find func(upstream) (*target, bool)) (missing []upstream) {
	var last upstream // neighbours mostly are of one message
	var to *target
	var absent map[upstream]bool
	for i := range r.entries {
		e := &r.entries[i]
		if e.target != nil || e.row.UpstreamID == "" {
			continue
		}
		if u := (upstream{e.batch.app, e.upstreamID()}); u != last {
			last, to = u, nil
			if !absent[u] {
				found, ok := find(u)
				if ok {
					to = found
				} else {
					if absent == nil {
						absent = map[upstream]bool{}
					}
					absent[u] = true
					missing = append(missing, u)
				}
			}
		}
		e.target = to
	}
	return missing
}

// knownPush is what the process knows of a push since the log's end had a count of forgotten pushes.
type knownPush struct {
	pushInfo
	forgets int64
}

// findPushes finds out about the pushes that the rows are of.
func (r *recording) findPushes() error {
	last, before := int64(0), len(r.looked)
	for i := range r.entries {
		to := r.entries[i].target
		if to == nil || to.push == last {
			continue
		}
		last = to.push
		if _, seen := r.pushes[last]; seen {
			continue
		}
		known, ok := r.db.pushes.get(last)
		if ok && known.forgets == r.began.forgets {
			r.pushes[last] = known.pushInfo
			continue
		}
		r.pushes[last] = pushInfo{forgotten: true} // unless it is there
		r.looked = append(r.looked, last)
	}
	if len(r.looked) == before {
		return nil
	}
	_, err := collect(r.t.ctx, r.t, func(row pgx.CollectableRow) (struct{}, error) {
		var id int64
		var info pushInfo
		err := row.Scan(&id, &info.listed, &info.forgotten, &info.size)
		r.pushes[id] = info
		return struct{}{}, err
	}, `SELECT id, listed, forgotten > 0, recipients FROM push WHERE id = ANY($1)`, r.looked[before:])
	return err
}

// applies reports whether a row is of a message whose push has recipients.
func (r *recording) applies(e *entry) bool {
	return e.target != nil && !r.pushes[e.target.push].forgotten
}

// group is the rows of one recipient: entries[from:to] in the order of the recording's order.
type group struct {
	push     int64
	ordinal  uint32
	from, to int
	bits     storage.Progress
	was      storage.Progress // before the transaction; all bits for one that it does not change
}

// sort puts the rows that apply into the order of their recipients, those of one recipient as they came, and the others aside.
func (r *recording) sort() error {
	type key struct {
		push    int64
		ordinal uint32
		at      int
	}
	keys := make([]key, 0, len(r.entries))
	for i := range r.entries {
		e := &r.entries[i]
		if r.applies(e) && e.member {
			keys = append(keys, key{e.target.push, e.ordinal, i})
		} else {
			r.holds = append(r.holds, e)
		}
	}
	slices.SortFunc(keys, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.push, b.push), cmp.Compare(a.ordinal, b.ordinal), cmp.Compare(a.at, b.at))
	})
	applied := make([]entry, len(keys))
	for i, k := range keys {
		applied[i] = r.entries[k.at]
	}
	// Who is held still has a pointer into the entries as they were.
	r.entries = applied
	for i := range applied {
		e := &applied[i]
		n := len(r.groups) - 1
		if n < 0 || r.groups[n].push != e.target.push || r.groups[n].ordinal != e.ordinal {
			n++
			r.groups = append(r.groups, group{push: e.target.push, ordinal: e.ordinal, from: i, was: ^storage.Progress(0)})
		}
		r.groups[n].to = i + 1
		r.groups[n].bits = r.groups[n].bits.With(int(e.target.dispatch.Step), e.row.Milestone)
	}
	return nil
}

// The rows come in the order of their keys, and so do those that are returned.
const setBits = `INSERT INTO progress (push_id, ordinal, word, was)
	SELECT k.push_id, k.ordinal, k.bits, 0 FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS k (push_id, ordinal, bits)
	ON CONFLICT (push_id, ordinal) DO UPDATE SET was = progress.word, word = progress.word | EXCLUDED.word
	WHERE progress.word | EXCLUDED.word <> progress.word RETURNING push_id, ordinal, was`

// saveProgress sets the bits of all recipients, and learns which of them are new.
func (r *recording) saveProgress() error {
	pushes := make([]int64, 0, len(r.groups))
	ordinals, bits := make([]int64, 0, len(r.groups)), make([]int64, 0, len(r.groups))
	for i := range r.groups {
		if g := &r.groups[i]; g.bits != 0 {
			pushes, ordinals = append(pushes, g.push), append(ordinals, int64(g.ordinal))
			bits = append(bits, int64(g.bits))
		}
	}
	if len(pushes) == 0 {
		return nil
	}
	rows, err := r.t.Query(r.t.ctx, setBits, pushes, ordinals, bits)
	if err != nil {
		return err
	}
	at := 0
	var push, was int64
	var ordinal uint32
	_, err = pgx.ForEachRow(rows, []any{&push, &ordinal, &was}, func() error {
		for ; at < len(r.groups); at++ {
			if g := &r.groups[at]; g.push == push && g.ordinal == ordinal {
				g.was = storage.Progress(was)
				at++
				return nil
			}
		}
		return errDamaged("progress", push)
	})
	return err
}

// markRow is a status without a bit of its own that came for a recipient.
type markRow struct {
	push    int64
	step    uint8
	status  string
	ordinal uint32
}

func compareMarks(a, b markRow) int {
	return cmp.Or(cmp.Compare(a.push, b.push), cmp.Compare(a.step, b.step), cmp.Compare(a.status, b.status), cmp.Compare(a.ordinal, b.ordinal))
}

// hasMark reports whether what is new about a row is its status.
func hasMark(m storage.Milestone) bool { return m == storage.Failed || m == storage.MilestoneUnknown }

func (e *entry) mark() markRow {
	return markRow{e.target.push, e.target.dispatch.Step, keyText(e.row.Status), e.ordinal}
}

const insertMarks = `INSERT INTO mark (push_id, step, status, ordinal)
	SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::text[], $4::bigint[]) ON CONFLICT DO NOTHING
	RETURNING push_id, step, status, ordinal`

// saveMarks stores the marks of all rows, and keeps those that are new, in order.
func (r *recording) saveMarks() error {
	var all []markRow
	for i := range r.entries {
		if e := &r.entries[i]; hasMark(e.row.Milestone) {
			all = append(all, e.mark())
		}
	}
	if len(all) == 0 {
		return nil
	}
	slices.SortFunc(all, compareMarks)
	all = slices.Compact(all)
	pushes, steps := make([]int64, len(all)), make([]int16, len(all))
	statuses, ordinals := make([]string, len(all)), make([]int64, len(all))
	for i, m := range all {
		pushes[i], steps[i], statuses[i], ordinals[i] = m.push, int16(m.step), m.status, int64(m.ordinal)
	}
	fresh, err := collect(r.t.ctx, r.t, func(row pgx.CollectableRow) (m markRow, err error) {
		err = row.Scan(&m.push, &m.step, &m.status, &m.ordinal)
		return m, err
	}, insertMarks, pushes, steps, statuses, ordinals)
	slices.SortFunc(fresh, compareMarks)
	r.marks = fresh
	return err
}
