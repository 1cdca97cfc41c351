package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"math"
	"strings"
	"time"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// batch is what one call of RecordCallbacks brought. It shares no memory with what the caller gave.
type batch struct {
	app      string
	received int64 // milliseconds
	entries  []entry
	odd      []storage.Callback // what entries can't say
	summary  storage.CallbackSummary
	full     bool // rows of unknown messages could not be held
}

// entry is one reported row, as far as its caller could resolve it.
type entry struct {
	audience  *audience // nil: the upstream id is not known
	dispatch  layout.Dispatch
	ordinal   uint32
	time      uint32
	kind      uint32 // 0: not known, or none
	milestone storage.Milestone
	member    bool // ordinal is known

	fingerprint uint32 // of the device, for a report of life
	odd         int32  // 1 + the place of the rest in batch.odd; 0: there is none
}

// resolver resolves the rows of one call, beside the writer and other callers. What it finds never changes; what it does
// not find, the writer looks for again.
type resolver struct {
	store    *Store
	ctx      context.Context
	batch    *batch
	snapshot *sql.Tx // nil until something must be read from disk

	rows     []storage.Callback
	messages map[string]target // those that were looked up on disk; those that are not known are of no push

	// Neighbours mostly are of one message and one kind.
	message  string
	found    bool
	audience *audience
	dispatch layout.Dispatch
	kinds    [storage.Failed + 1]struct {
		kind
		id uint32
	}
}

// resolve finds out what the rows are about.
func (s *Store) resolve(ctx context.Context, app string, received time.Time, rows []storage.Callback) (*batch, error) {
	r := resolver{store: s, ctx: ctx, rows: rows,
		batch: &batch{app: app, received: received.UnixMilli(), entries: make([]entry, len(rows))}}
	defer r.release()
	for i := range rows {
		if err := r.row(&r.batch.entries[i], &rows[i], i); err != nil {
			return nil, unavailable(err)
		}
	}
	return r.batch, nil
}

// row resolves one row, and copies what the entry can't say.
func (r *resolver) row(e *entry, c *storage.Callback, at int) error {
	e.milestone = c.Milestone
	var inTime bool
	e.time, inTime = seconds(c.Time)
	if inTime && c.Milestone != storage.MilestoneUnknown {
		e.kind = r.kind(c)
	}
	if isLife(c.Milestone) {
		e.fingerprint = r.store.writer.invalid.fingerprint(c.RegistrationID)
	}
	if err := r.target(e, c); err != nil {
		return err
	}
	switch {
	case e.audience == nil || !e.member && e.audience.listed || e.audience.forgotten.Load() || e.kind == 0:
		raw := c.Raw
		if raw == nil && c.Source != nil {
			raw = c.Source.Raw(at)
		}
		r.keep(e, storage.Callback{
			UpstreamID: strings.Clone(c.UpstreamID), RegistrationID: strings.Clone(c.RegistrationID), Milestone: c.Milestone,
			Status: strings.Clone(c.Status), Time: c.Time, ErrorCode: c.ErrorCode, ErrorMessage: strings.Clone(c.ErrorMessage),
			Channel: strings.Clone(c.Channel), LossSource: strings.Clone(c.LossSource), Raw: bytes.Clone(cutRaw(raw)),
			Invalidates: strings.Clone(c.Invalidates),
		})
	case c.Invalidates != "":
		r.keep(e, storage.Callback{
			RegistrationID: strings.Clone(c.RegistrationID), Status: strings.Clone(c.Status), Time: c.Time, ErrorCode: c.ErrorCode,
			ErrorMessage: strings.Clone(c.ErrorMessage), Invalidates: strings.Clone(c.Invalidates),
		})
	case !e.member:
		r.keep(e, storage.Callback{RegistrationID: strings.Clone(c.RegistrationID)})
	}
	return nil
}

func (r *resolver) keep(e *entry, c storage.Callback) {
	r.batch.odd = append(r.batch.odd, c)
	e.odd = int32(len(r.batch.odd))
}

// seconds returns a time as the log keeps it; ok is false for one that it has no room for.
func seconds(t time.Time) (s uint32, ok bool) {
	unix := t.Unix()
	clamped := min(max(unix, 0), math.MaxUint32)
	return uint32(clamped), unix == clamped
}

func (r *resolver) kind(c *storage.Callback) uint32 {
	of := kindOf(c)
	memo := &r.kinds[c.Milestone]
	if memo.id == 0 || memo.kind != of {
		memo.kind, memo.id = of, r.store.writer.kinds.id(of)
	}
	return memo.id
}

// target finds the row's dispatch and recipient.
func (r *resolver) target(e *entry, c *storage.Callback) error {
	if c.UpstreamID == "" || c.RegistrationID == "" {
		return nil
	}
	if !r.found || r.message != c.UpstreamID {
		if err := r.findMessage(c.UpstreamID); err != nil {
			return err
		}
	}
	if r.audience == nil {
		return nil
	}
	e.audience, e.dispatch = r.audience, r.dispatch
	var loaded bool
	if e.ordinal, e.member, loaded = r.audience.find(c.RegistrationID); loaded {
		return nil
	}
	var err error
	e.ordinal, e.member, err = r.lookUp(r.audience, c.RegistrationID)
	return err
}

// lookUp finds an id's ordinal on disk, and reads the push's whole index into memory once that pays off.
func (r *resolver) lookUp(a *audience, id string) (ordinal uint32, ok bool, err error) {
	q, err := r.disk()
	if err != nil {
		return 0, false, err
	}
	size, err := first(r.ctx, q, value[int], `SELECT recipients FROM push WHERE id = ?`, a.push)
	if err != nil {
		return 0, false, err
	}
	if r.store.live.worthLoading(a, size, 1) {
		r.release() // who reads an index needs a snapshot of its own: nobody may wait for one and hold another
		if err := r.store.loadIndex(r.ctx, a, size); err != nil {
			return 0, false, err
		}
		if ordinal, ok, loaded := a.find(id); loaded {
			return ordinal, ok, nil
		}
		if q, err = r.disk(); err != nil { // it was dropped again meanwhile
			return 0, false, err
		}
	}
	return memberOf(r.ctx, q, a.push, size, id)
}

// findMessage finds what an upstream id stands for.
func (r *resolver) findMessage(id string) error {
	r.message, r.found, r.audience = id, true, nil
	to, ok := r.store.live.target(upstream{r.batch.app, id})
	if !ok {
		if r.messages == nil {
			if err := r.findMessages(); err != nil {
				return err
			}
		}
		if to = r.messages[id]; to.push == 0 {
			return nil
		}
	}
	a := r.store.live.known(to.push)
	if a == nil {
		q, err := r.disk()
		if err != nil {
			return err
		}
		if a, err = r.store.live.audience(r.ctx, q, to.push); err != nil {
			return err
		}
	}
	r.audience, r.dispatch = a, to.dispatch
	a.used.Store(r.store.live.round.Load())
	return nil
}

// findMessages looks up the upstream ids of all rows that are not remembered, at once: those of single messages are many.
func (r *resolver) findMessages() error {
	r.messages = map[string]target{}
	var ids list[string]
	for i := range r.rows {
		u := upstream{r.batch.app, r.rows[i].UpstreamID}
		if _, seen := r.messages[u.id]; seen || u.id == "" {
			continue
		}
		if _, remembered := r.store.live.target(u); !remembered {
			u.id = strings.Clone(u.id) // it may be part of a request's body
			ids = append(ids, u.id)
			r.messages[u.id] = target{}
		}
	}
	q, err := r.disk()
	if err != nil {
		return err
	}
	_, err = collect(r.ctx, q, func(rows *sql.Rows) (struct{}, error) {
		var id string
		var to target
		err := rows.Scan(&id, &to.dispatch.ID, &to.push, &to.dispatch.Step)
		if err == nil {
			r.messages[id] = to
			r.store.live.remember(upstream{r.batch.app, id}, to)
		}
		return struct{}{}, err
	}, selectTargets, ids, r.batch.app, r.batch.app)
	return err
}

// find reads what an upstream id stands for, or returns storage.ErrNotFound.
func (l *live) find(ctx context.Context, q querier, u upstream) (*audience, target, error) {
	to, err := first(ctx, q, scanTarget, selectTarget, u.app, u.id, u.app, u.id)
	if err != nil {
		return nil, to, err
	}
	a, err := l.audience(ctx, q, to.push)
	return a, to, err
}

// selectTarget finds a dispatch by its own upstream id, or by that of one of its single messages. No id is both.
const selectTarget = `SELECT id, push_id, step FROM dispatch WHERE app = ? AND upstream_id = ? UNION ALL
	SELECT d.id, d.push_id, d.step FROM single s JOIN dispatch d ON d.id = s.dispatch_id
	WHERE s.app_id = (SELECT id FROM app WHERE key = ?) AND s.upstream_id = ?`

// selectTargets finds several dispatches, with the upstream ids by which they were found.
const selectTargets = `WITH ids AS (SELECT value FROM json_each(?))
	SELECT ids.value, d.id, d.push_id, d.step FROM ids CROSS JOIN dispatch d ON d.app = ? AND d.upstream_id = ids.value UNION ALL
	SELECT ids.value, d.id, d.push_id, d.step FROM ids CROSS JOIN single s ON s.app_id = (SELECT id FROM app WHERE key = ?)
		AND s.upstream_id = ids.value CROSS JOIN dispatch d ON d.id = s.dispatch_id`

func scanTarget(rows *sql.Rows) (to target, err error) {
	err = rows.Scan(&to.dispatch.ID, &to.push, &to.dispatch.Step)
	return to, err
}

// release ends the snapshot, if there is one.
func (r *resolver) release() {
	if r.snapshot != nil {
		_ = r.snapshot.Rollback() // it only read
		r.snapshot = nil
	}
}

// disk returns a snapshot for the rest of the call.
func (r *resolver) disk() (querier, error) {
	if r.snapshot == nil {
		snapshot, err := r.store.begin(r.ctx)
		if err != nil {
			return nil, err
		}
		r.snapshot = snapshot
	}
	return r.snapshot, nil
}
