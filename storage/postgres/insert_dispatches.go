package postgres

import (
	"fmt"
	"slices"
	"time"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// packedDraft is a dispatch to be, with the single messages of a batch in the form in which they are stored; nil for any other.
type packedDraft struct {
	storage.DispatchDraft
	singles []byte
}

// packDrafts packs the single messages of batches. It takes a while for many, and should not hold up a transaction.
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

// planned is where dispatches belong that are stored.
type planned struct {
	app  string
	push int64
	step int
	home int64 // 0 for follow-ups
	time time.Time
}

const insertDispatch = `INSERT INTO dispatch (app, push_id, step, chunk, state, attempt, home, plan_time, due_time, expire_time, ready_time,
	reason, units, settled, recipient_count, low, high, variant, plain_content, override, recipients, content)
	VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $8, $9, $10, '', $11, 0, $12, $13, $14, $15, $16, $17, $18, $19)`

// What the recipients of a batch get goes along with its dispatch.
const insertBatch = `WITH inserted AS (` + insertDispatch + ` RETURNING id)
	INSERT INTO batch (dispatch_id, singles) SELECT id, $20 FROM inserted`

// addDispatches stores dispatches. Of step 0, only the first chunk may be claimed at first. That a step has none of the chunk numbers
// already, dispatchChunkTaken sees to.
func (p *pipeline) addDispatches(of planned, drafts []packedDraft) {
	for _, d := range drafts {
		statement, args := insertDispatch, of.row(d)
		if d.singles != nil {
			statement, args = insertBatch, append(args, d.singles)
		}
		p.addLarge(len(d.Content)+len(d.singles)+4*len(d.Recipients), statement, args...)
	}
}

// row returns the arguments of insertDispatch.
func (of planned) row(d packedDraft) []any {
	state, due := storage.DispatchPending, d.DueTime.UnixMilli()
	ready := &due
	if of.step == 0 && d.Chunk > 0 {
		state, ready = storage.DispatchBlocked, nil
	}
	list, count := packOrdinals(d.Recipients)
	low, high := bounds(d.Recipients)
	return slices.Grow([]any{of.app, of.push, of.step, d.Chunk, state, of.home, millis(of.time), due, millis(d.ExpireTime), ready,
		d.Units(), count, low, high, d.Variant, d.PlainContent, d.Override, list, blob(d.Content)}, 1)
}
