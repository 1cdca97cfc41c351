package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// sliceRows is how many recipients one job stores, or deletes, so that callbacks need not wait for a large audience.
const sliceRows = 25 * layout.PageSize

// part is one step of storing a push. The last one is done, or the first, when there is nothing to store.
type part func(*tx) (creation, error)

// creation is how storing a push went.
type creation struct {
	push          storage.Push
	done, created bool
}

// CreatePush implements storage.Pushes. A push to many is a hidden draft until its last part publishes it; callbacks of
// others get in between the parts. A small one is stored in one job.
func (s *Store) CreatePush(ctx context.Context, draft storage.PushDraft) (storage.Push, bool, error) {
	members := newIndex(len(draft.Recipients))
	for i, id := range draft.Recipients {
		members.add(id, uint32(i))
	}
	if members.len() < len(draft.Recipients) {
		return storage.Push{}, false, errors.New("a push names a recipient twice")
	}
	parts := partsOf(draft)
	perJob := len(parts)
	if len(draft.Recipients) > sliceRows {
		perJob = 1
		s.drafts.enter(draft.Push.ID)
	}
	for some := range slices.Chunk(parts, perJob) {
		c, err := write(ctx, s, func(t *tx) (creation, error) { return t.runParts(some) })
		if err == nil && !c.done {
			continue
		}
		if perJob == 1 {
			s.leave(ctx, draft.Push.ID, err)
		}
		if c.created {
			s.live.expect(draft.Push, members)
		}
		return c.push, c.created, err
	}
	return storage.Push{}, false, errors.New("a push was not published") // its last part is done
}

func (t *tx) runParts(parts []part) (c creation, err error) {
	for _, p := range parts {
		if c, err = p(t); err != nil || c.done {
			return c, err
		}
	}
	return c, nil
}

// partsOf cuts the work of storing a push into parts of bounded size.
func partsOf(draft storage.PushDraft) []part {
	id := draft.Push.ID
	parts := []part{func(t *tx) (creation, error) { return t.beginDraft(draft) }}
	add := func(run func(*tx) error) {
		parts = append(parts, func(t *tx) (creation, error) {
			if err := t.draftStands(id); err != nil {
				return creation{}, err
			}
			return creation{}, run(t)
		})
	}
	for _, run := range recipientSlices(id, draft.Recipients) {
		add(run)
	}
	for rest := draft.Dispatches; len(rest) > 0; {
		n := dispatchesInSlice(rest)
		some := rest[:n]
		rest = rest[n:]
		add(func(t *tx) error {
			dispatches, err := packDrafts(some)
			if err != nil {
				return err
			}
			return t.insertDispatches(draft.Push.App, id, 0, draft.Push.CreateTime, dispatches)
		})
	}
	for _, some := range slicesOf(draft.PassedOver) {
		add(func(t *tx) error { return t.passOver(id, 0, nil, draft.Push.CreateTime, some) })
	}
	return append(parts, func(t *tx) (creation, error) { return t.publish(id, draft.Steps) })
}

// recipientSlices writes the pages of recipients, and the blocks that they fill.
func recipientSlices(push int64, ids []string) (jobs []func(*tx) error) {
	for first := 0; first < len(ids); first += sliceRows {
		some := ids[first:min(first+sliceRows, len(ids))]
		jobs = append(jobs, func(t *tx) error { return t.writePages(push, first/layout.PageSize, some) })
	}
	for block := range len(ids) / layout.BlockSize {
		some := ids[block*layout.BlockSize : (block+1)*layout.BlockSize]
		jobs = append(jobs, func(t *tx) error {
			var members layout.BlockWriter
			for i, id := range some {
				members.Add(layout.MemberHash(id), uint16(i))
			}
			return t.writeBlock(push, block, &members)
		})
	}
	return jobs
}

// dispatchesInSlice returns how many of the first dispatches name at most sliceRows recipients together; one at least.
func dispatchesInSlice(drafts []storage.DispatchDraft) int {
	n, rows := 0, 0
	for ; n < min(len(drafts), sliceRows); n++ {
		if rows += len(drafts[n].Recipients); rows > sliceRows && n > 0 {
			break
		}
	}
	return n
}

// beginDraft stores the draft's own row, unless the request id was used before: then that push is the outcome.
func (t *tx) beginDraft(draft storage.PushDraft) (creation, error) {
	p, err := t.earlierPush(draft.Push)
	if !errors.Is(err, storage.ErrNotFound) {
		return creation{push: p, done: true}, err
	}
	return creation{}, t.insertDraft(draft.Push, len(draft.Recipients))
}

// earlierByRequest finds drafts too: their request id is taken.
const earlierByRequest = pushColumns + `p.document, v.spec` + fromPush + `WHERE p.app = ? AND p.request_id = ?
	AND p.request_id <> '' AND p.state NOT IN ('REJECTED', 'EXPIRED', 'DISCARDED')`

// earlierPush returns the push that used the request id before, or storage.ErrNotFound.
func (t *tx) earlierPush(p storage.Push) (storage.Push, error) {
	if p.RequestID == "" {
		return storage.Push{}, storage.ErrNotFound
	}
	earlier, err := first(t.ctx, t, scanPush, earlierByRequest, p.App, p.RequestID)
	switch {
	case err != nil:
		return storage.Push{}, err
	case earlier.State == stateDraft:
		return storage.Push{}, fmt.Errorf("%w: a push with this request id is being stored", storage.ErrUnavailable)
	case !bytes.Equal(earlier.Fingerprint, p.Fingerprint):
		return storage.Push{}, storage.ErrRequestIDReused
	}
	return earlier, nil
}

func (t *tx) insertDraft(p storage.Push, recipients int) error {
	var policyUID, policyRevision any
	if v := p.Policy; v != nil {
		policyUID, policyRevision = v.UID, v.Revision
		if _, err := t.exec(`INSERT INTO policy_revision (uid, revision, name, spec) VALUES (?, ?, ?, ?)
			ON CONFLICT DO NOTHING`, v.UID, v.Revision, v.Name, blob(v.Spec)); err != nil {
			return err
		}
	}
	urls, err := asJSON(p.CallbackURLs, p.CallbackURLs == nil)
	if err != nil {
		return err
	}
	inserted, err := t.exec(`INSERT INTO push (id, app, request_id, fingerprint, listed, external, state, time_to_live, create_time,
		recipients, policy_uid, policy_revision, callback_urls, document)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
		p.ID, p.App, p.RequestID, blob(p.Fingerprint), p.Listed, p.External, stateDraft, p.TimeToLive.Milliseconds(),
		p.CreateTime.UnixMilli(), recipients, policyUID, policyRevision, urls, blob(p.Document))
	if err == nil && inserted == 0 {
		err = storage.ErrConflict
	}
	return err
}

// publish turns a complete draft into a push that everybody sees: its timers wait, and its first dispatch is due.
func (t *tx) publish(id int64, steps []storage.StepDraft) (creation, error) {
	if err := t.draftStands(id); err != nil {
		return creation{}, err
	}
	for _, step := range steps {
		if _, err := t.exec(`INSERT INTO step (push_id, number, state, offset_ms, next_ordinal, cancel_reason)
			VALUES (?, ?, ?, ?, 0, '')`, id, step.Number, storage.StepWaiting, step.Offset.Milliseconds()); err != nil {
			return creation{}, err
		}
	}
	if _, err := t.exec(`UPDATE dispatch SET state = 'PENDING', ready_time = due_time
		WHERE push_id = ? AND step = 0 AND chunk = 0`, id); err != nil {
		return creation{}, err
	}
	if _, err := t.exec(`UPDATE push SET state = ? WHERE id = ?`, storage.PushActive, id); err != nil {
		return creation{}, err
	}
	p, err := pushByID(t.ctx, t, id)
	return creation{push: p, done: true, created: true}, err
}
