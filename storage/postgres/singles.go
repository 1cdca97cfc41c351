package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// maxSingles bounds what a batch's single messages may take in memory, in bytes.
const maxSingles = 1 << 28

// singleBatch is what the recipients of a batch of single messages get, and what became of that, by their ordinals.
type singleBatch struct {
	id      int64 // of the dispatch
	singles map[uint32]storage.Single
	results results
}

// results are what became of single messages, by the ordinal of their recipient.
type results map[uint32]layout.Result

func (r results) have(ordinal uint32) bool {
	_, ok := r[ordinal]
	return ok
}

// unpackResults reads the results of a batch; nil, as of a dispatch that is none or has none, are none.
func unpackResults(list []byte) (results, error) {
	if len(list) == 0 {
		return results{}, nil
	}
	packed, err := layout.ReadResults(list)
	all := make(results, len(packed))
	for _, r := range packed {
		all[r.Ordinal] = r
	}
	return all, err
}

const selectBatches = `SELECT b.dispatch_id, b.singles, r.results FROM batch b LEFT JOIN batch_result r USING (dispatch_id)
	WHERE b.dispatch_id = ANY($1)`

func scanBatch(row pgx.CollectableRow) (b singleBatch, err error) {
	var singles, list []byte
	if err := row.Scan(&b.id, &singles, &list); err != nil {
		return b, err
	}
	packed, err := layout.ReadSingles(singles, maxSingles)
	if err != nil {
		return b, err
	}
	b.singles = make(map[uint32]storage.Single, len(packed))
	for _, s := range packed {
		b.singles[s.Ordinal] = storage.Single{Content: s.Content, Override: s.Override}
	}
	b.results, err = unpackResults(list)
	return b, err
}

func byDispatch(all []singleBatch) map[int64]singleBatch {
	batches := make(map[int64]singleBatch, len(all))
	for _, b := range all {
		batches[b.id] = b
	}
	return batches
}

func dispatchIDs(dispatches []storage.Dispatch) []int64 {
	ids := make([]int64, len(dispatches))
	for i, d := range dispatches {
		ids[i] = d.ID
	}
	return ids
}

// batchesOf returns those of the dispatches that are batches, by their ids.
func batchesOf(ctx context.Context, q querier, dispatches []storage.Dispatch) (map[int64]singleBatch, error) {
	all, err := collect(ctx, q, scanBatch, selectBatches, dispatchIDs(dispatches))
	return byDispatch(all), err
}

// queueBatches is batchesOf as one of several statements.
func queueBatches(queries *pgx.Batch, dispatches []storage.Dispatch, to *map[int64]singleBatch) {
	queries.Queue(selectBatches, dispatchIDs(dispatches)).Query(func(rows pgx.Rows) error {
		all, err := pgx.CollectRows(rows, scanBatch)
		*to = byDispatch(all)
		return err
	})
}

// narrow leaves in the claim of a batch those who have no result yet, and fills in what they get.
func (b singleBatch) narrow(c *storage.Claim) error {
	c.Recipients = slices.DeleteFunc(c.Recipients, func(r storage.Recipient) bool { return b.results.have(r.Ordinal) })
	c.Dispatch.Recipients = make([]uint32, len(c.Recipients))
	c.Dispatch.Singles = make([]storage.Single, len(c.Recipients))
	for i, r := range c.Recipients {
		single, ok := b.singles[r.Ordinal]
		if !ok {
			return errDamaged("batch", b.id)
		}
		c.Dispatch.Recipients[i], c.Dispatch.Singles[i] = r.Ordinal, single
	}
	return nil
}

// fill fills in what a recipient of a batch was to get, and what became of that.
func (b singleBatch) fill(d *storage.Dispatch, ordinal uint32) {
	d.Content, d.Override = b.singles[ordinal].Content, b.singles[ordinal].Override
	if r, ok := b.results[ordinal]; ok {
		d.UpstreamID = r.UpstreamID
		if r.Refused {
			d.Refusal = &storage.Refusal{HTTPStatus: r.HTTPStatus, Code: r.Code, Message: r.Message}
		}
	}
}

// settleSingles stores what became of a batch's single messages, and narrows the dispatch to those who have no result then.
func (t *tx) settleSingles(f *finishing) error {
	d := &f.d
	if len(f.Singles) == 0 && f.State != storage.DispatchRefused {
		return nil // nothing to store, and no need to know who has no result
	}
	stored, err := first(t.ctx, t, value[[]byte], `SELECT r.results FROM batch b LEFT JOIN batch_result r USING (dispatch_id)
		WHERE b.dispatch_id = $1`, d.ID)
	if errors.Is(err, storage.ErrNotFound) && len(f.Singles) == 0 {
		return nil // it is not a batch
	}
	if err != nil {
		return err
	}
	settled, err := unpackResults(stored)
	if err != nil {
		return err
	}
	among := setOf(d.Recipients)
	fresh := make([]layout.Result, len(f.Singles))
	for i, s := range f.Singles {
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
	return t.storeResults(*d, layout.AppendResults(stored, fresh), len(settled), f.Singles)
}

func packResult(s storage.SingleResult) layout.Result {
	if s.Refusal == nil {
		return layout.Result{Ordinal: s.Ordinal, UpstreamID: s.UpstreamID}
	}
	return layout.Result{Ordinal: s.Ordinal, Refused: true, HTTPStatus: s.Refusal.HTTPStatus, Code: s.Refusal.Code,
		Message: s.Refusal.Message}
}

// storeResults stores the results of a batch, and the upstream ids of the fresh ones. An id that is taken gets storage.ErrConflict.
func (t *tx) storeResults(d storage.Dispatch, list []byte, settled int, fresh []storage.SingleResult) error {
	ids := upstreamIDs(fresh)
	slices.Sort(ids) // two who store the same ids wait for each other in one order
	var taken bool
	var queries pgx.Batch
	queries.Queue(`INSERT INTO batch_result (dispatch_id, results) VALUES ($1, $2)
		ON CONFLICT (dispatch_id) DO UPDATE SET results = excluded.results`, d.ID, list)
	queries.Queue(`UPDATE dispatch SET units = $2, settled = $3 WHERE id = $1`, d.ID, max(len(d.Recipients), 1), settled)
	queries.Queue(`INSERT INTO single (app, upstream_id, dispatch_id)
		SELECT app, unnest($2::text[]), id FROM dispatch WHERE id = $1 ON CONFLICT DO NOTHING`, d.ID, ids,
	).Exec(func(tag pgconn.CommandTag) error {
		taken = tag.RowsAffected() < int64(len(ids))
		return nil
	})
	queries.Queue(`SELECT EXISTS (SELECT FROM dispatch d JOIN dispatch o ON o.app = d.app WHERE d.id = $1 AND o.upstream_id = ANY($2))`,
		d.ID, ids).QueryRow(func(row pgx.Row) error {
		var others bool
		err := row.Scan(&others)
		taken = taken || others
		return err
	})
	err := t.SendBatch(t.ctx, &queries).Close()
	if err == nil && taken {
		err = fmt.Errorf("%w: an upstream id of dispatch %d is another message's", storage.ErrConflict, d.ID)
	}
	return err
}

// upstreamIDs returns the ids of the single messages that were taken.
func upstreamIDs(singles []storage.SingleResult) []string {
	var ids []string
	for _, s := range singles {
		if s.Refusal == nil {
			ids = append(ids, s.UpstreamID)
		}
	}
	return ids
}
