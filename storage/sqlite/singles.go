package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// packedDraft is a dispatch to be, with the single messages of a batch in the form in which they are stored; nil for any other.
type packedDraft struct {
	storage.DispatchDraft
	singles []byte
}

// packDrafts packs the single messages of batches. It takes a while for many, and is not the writer's to do.
func packDrafts(drafts []storage.DispatchDraft) ([]packedDraft, error) {
	packed := make([]packedDraft, len(drafts))
	for i, d := range drafts {
		packed[i].DispatchDraft = d
		if d.Singles == nil {
			continue
		}
		if len(d.Singles) != len(d.Recipients) {
			return nil, fmt.Errorf("a batch has %d single messages for %d recipients", len(d.Singles), len(d.Recipients))
		}
		singles := make([]layout.Single, len(d.Singles))
		for at, s := range d.Singles {
			singles[at] = layout.Single{Ordinal: d.Recipients[at], Content: s.Content, Override: s.Override}
		}
		packed[i].singles = layout.AppendSingles(nil, singles)
	}
	return packed, nil
}

// insertSingles stores what the recipients of batches get.
func (t *tx) insertSingles(push int64, step int, drafts []packedDraft) error {
	for _, d := range drafts {
		if d.singles == nil {
			continue
		}
		if _, err := t.exec(`INSERT INTO batch (dispatch_id, singles)
			SELECT id, ? FROM dispatch WHERE push_id = ? AND step = ? AND chunk = ?`, d.singles, push, step, d.Chunk); err != nil {
			return err
		}
	}
	return nil
}

// maxSingles bounds what a batch's single messages may take in memory, in bytes.
const maxSingles = 1 << 28

// singlesOf returns what the recipients of a batch were to get, by ordinal; nil for any other dispatch.
func singlesOf(ctx context.Context, q querier, dispatch int64) (map[uint32]storage.Single, error) {
	list, err := first(ctx, q, value[[]byte], `SELECT singles FROM batch WHERE dispatch_id = ?`, dispatch)
	if err != nil {
		return nil, orAbsent(err)
	}
	packed, err := layout.ReadSingles(list, maxSingles)
	if err != nil {
		return nil, err
	}
	singles := make(map[uint32]storage.Single, len(packed))
	for _, s := range packed {
		singles[s.Ordinal] = storage.Single{Content: s.Content, Override: s.Override}
	}
	return singles, nil
}

// results are what became of single messages, by the ordinal of their recipient.
type results map[uint32]layout.Result

func (r results) have(ordinal uint32) bool {
	_, ok := r[ordinal]
	return ok
}

// resultsOf returns what became of a batch's single messages. Any other dispatch has none.
func resultsOf(ctx context.Context, q querier, dispatch int64) (results, error) {
	list, err := first(ctx, q, value[[]byte], `SELECT results FROM batch_result WHERE dispatch_id = ?`, dispatch)
	if err != nil {
		return nil, orAbsent(err)
	}
	return unpackResults(list)
}

func unpackResults(list []byte) (results, error) {
	packed, err := layout.ReadResults(list)
	all := make(results, len(packed))
	for _, r := range packed {
		all[r.Ordinal] = r
	}
	return all, err
}

// orAbsent turns storage.ErrNotFound into nil.
func orAbsent(err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	return err
}

// openSingles narrows a batch to those who have no result yet, and fills in what they get. Other dispatches stay as they are.
func openSingles(ctx context.Context, q querier, d *storage.Dispatch) error {
	singles, err := singlesOf(ctx, q, d.ID)
	if err != nil || singles == nil {
		return err
	}
	settled, err := resultsOf(ctx, q, d.ID)
	if err != nil {
		return err
	}
	d.Recipients = kept(d.Recipients, func(ordinal uint32) bool { return !settled.have(ordinal) })
	d.Singles = make([]storage.Single, len(d.Recipients))
	for i, ordinal := range d.Recipients {
		s, ok := singles[ordinal]
		if !ok {
			return errDamaged("batch", d.ID)
		}
		d.Singles[i] = s
	}
	return nil
}

// settleSingles stores what became of a batch's single messages, and narrows d to those who have no result then.
func (t *tx) settleSingles(p storage.Push, d *storage.Dispatch, result storage.DispatchResult) error {
	if len(result.Singles) == 0 && result.State != storage.DispatchRefused {
		return nil // nothing to store, and no need to know who has no result
	}
	stored, err := first(t.ctx, t, value[[]byte], `SELECT COALESCE(r.results, x'') FROM batch b
		LEFT JOIN batch_result r USING (dispatch_id) WHERE b.dispatch_id = ?`, d.ID)
	if errors.Is(err, storage.ErrNotFound) && len(result.Singles) == 0 {
		return nil // it is not a batch
	}
	if err != nil {
		return err
	}
	settled := results{}
	if len(stored) > 0 {
		if settled, err = resultsOf(t.ctx, t, d.ID); err != nil {
			return err
		}
	}
	among := setOf(d.Recipients)
	fresh := make([]layout.Result, len(result.Singles))
	for i, s := range result.Singles {
		if !among[s.Ordinal] || settled.have(s.Ordinal) || (s.UpstreamID == "") == (s.Refusal == nil) {
			return fmt.Errorf("dispatch %d awaits no such result of the recipient %d", d.ID, s.Ordinal)
		}
		fresh[i] = packResult(s)
		settled[s.Ordinal] = fresh[i]
	}
	d.Recipients = kept(d.Recipients, func(ordinal uint32) bool { return !settled.have(ordinal) })
	if len(fresh) == 0 {
		return nil
	}
	if _, err := t.exec(`INSERT INTO batch_result (dispatch_id, results) VALUES (?, ?)
		ON CONFLICT DO UPDATE SET results = excluded.results`, d.ID, layout.AppendResults(stored, fresh)); err != nil {
		return err
	}
	if _, err := t.exec(`UPDATE dispatch SET units = ?, settled = ? WHERE id = ?`,
		max(len(d.Recipients), 1), len(settled), d.ID); err != nil {
		return err
	}
	return t.spreadSingles(p, *d, result)
}

func packResult(s storage.SingleResult) layout.Result {
	if s.Refusal == nil {
		return layout.Result{Ordinal: s.Ordinal, UpstreamID: s.UpstreamID}
	}
	return layout.Result{Ordinal: s.Ordinal, Refused: true, HTTPStatus: s.Refusal.HTTPStatus, Code: s.Refusal.Code,
		Message: s.Refusal.Message}
}

// spreadSingles makes known what new results mean: upstream ids and what was reported for them, and events of those who were
// refused. These are of the claim's time where the result's is when to try again.
func (t *tx) spreadSingles(p storage.Push, d storage.Dispatch, result storage.DispatchResult) error {
	at := result.Time
	if result.State == storage.DispatchPending || result.State == storage.DispatchSending {
		var err error
		if at, err = t.claimTime(d.ID); err != nil {
			return err
		}
	}
	var ids []string
	for _, s := range result.Singles {
		if s.Refusal == nil {
			ids = append(ids, s.UpstreamID)
			continue
		}
		if err := t.refuse(p, d, []uint32{s.Ordinal}, s.Refusal, at); err != nil {
			return err
		}
	}
	if err := t.flush(); err != nil {
		return err
	}
	if err := t.nameSingles(p.App, d.ID, ids); err != nil {
		return err
	}
	return t.applyAllHeld(p.App, ids)
}

var insertNames = bulk{`INSERT INTO single (app_id, upstream_id, dispatch_id)`, 3, `ON CONFLICT DO NOTHING`}

// nameSingles stores the upstream ids of single messages. One that is taken gets storage.ErrConflict.
func (t *tx) nameSingles(app string, dispatch int64, ids []string) error {
	number, err := t.appID(app)
	if err != nil {
		return err
	}
	inserted, err := insertNames.exec(t, len(ids), func(args []any, i int) []any { return append(args, number, ids[i], dispatch) })
	if err != nil {
		return err
	}
	taken, err := first(t.ctx, t, value[int64], `SELECT COUNT(*) FROM dispatch
		WHERE app = ? AND upstream_id IN `+listed, app, list[string](ids))
	if err == nil && (inserted < int64(len(ids)) || taken > 0) {
		err = fmt.Errorf("%w: an upstream id of dispatch %d is another message's", storage.ErrConflict, dispatch)
	}
	return err
}

// expectSingles remembers what the upstream ids of single messages stand for, once they are stored: their callbacks come soon.
func (l *live) expectSingles(app string, d storage.Dispatch, singles []storage.SingleResult) {
	to := target{push: d.PushID, dispatch: layout.Dispatch{ID: d.ID, Step: uint8(d.Step)}}
	for _, s := range singles {
		if s.UpstreamID != "" {
			l.remember(upstream{app, strings.Clone(s.UpstreamID)}, to) // the id may be part of an answer's body
		}
	}
}

// deleteBatch deletes what a batch of a push has beside its dispatch, and reports whether there was one.
func (t *tx) deleteBatch(push int64) (found bool, err error) {
	id, err := first(t.ctx, t, value[int64], `SELECT b.dispatch_id FROM dispatch d JOIN batch b ON b.dispatch_id = d.id
		WHERE d.push_id = ? LIMIT 1`, push)
	if err != nil {
		return false, orAbsent(err)
	}
	settled, err := resultsOf(t.ctx, t, id)
	if err != nil {
		return true, err
	}
	var ids list[string]
	for _, r := range settled {
		ids = append(ids, r.UpstreamID)
	}
	if _, err := t.exec(`DELETE FROM single WHERE app_id = (SELECT a.id FROM dispatch d JOIN app a ON a.key = d.app WHERE d.id = ?)
		AND upstream_id IN `+listed, id, ids); err != nil {
		return true, err
	}
	if _, err := t.exec(`DELETE FROM batch_result WHERE dispatch_id = ?`, id); err != nil {
		return true, err
	}
	_, err = t.exec(`DELETE FROM batch WHERE dispatch_id = ?`, id)
	return true, err
}
