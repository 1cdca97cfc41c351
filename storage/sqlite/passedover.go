package sqlite

import (
	"maps"
	"slices"
	"time"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

var (
	addPassedOver = bulk{`INSERT INTO passed_over (push_id, step, reason, n)`, 4,
		`ON CONFLICT (push_id, step, reason) DO UPDATE SET n = n + excluded.n`}
	insertDecisions = bulk{`INSERT INTO decision (push_id, step, dispatch_id, low, high, time, reason, ordinals)`, 8, ``}
)

// passOver counts who was passed over, and stores who it was, decided at a time: about a claimed dispatch, or nil.
func (t *tx) passOver(push int64, step int, dispatch any, at time.Time, passedOver storage.PassedOver) error {
	reasons := slices.Sorted(maps.Keys(passedOver))
	reasons = slices.DeleteFunc(reasons, func(r storage.Reason) bool { return len(passedOver[r]) == 0 })
	if _, err := addPassedOver.exec(t, len(reasons), func(args []any, i int) []any {
		return append(args, push, step, reasons[i], len(passedOver[reasons[i]]))
	}); err != nil {
		return err
	}
	_, err := insertDecisions.exec(t, len(reasons), func(args []any, i int) []any {
		ordinals := slices.Sorted(slices.Values(passedOver[reasons[i]]))
		return append(args, push, step, dispatch, ordinals[0], ordinals[len(ordinals)-1], millis(at), reasons[i],
			layout.AppendSet(nil, ordinals))
	})
	return err
}

// passOverClaimed stores who was passed over when a dispatch was claimed.
func (t *tx) passOverClaimed(d storage.Dispatch, passedOver storage.PassedOver) error {
	if len(passedOver) == 0 {
		return nil
	}
	at, err := t.claimTime(d.ID)
	if err != nil {
		return err
	}
	return t.passOver(d.PushID, d.Step, d.ID, at, passedOver)
}

// claimTime returns when a dispatch was claimed, before it was first started.
func (t *tx) claimTime(dispatch int64) (time.Time, error) {
	return first(t.ctx, t, earliest, `SELECT claim_time FROM dispatch WHERE id = ?`, dispatch)
}

// slicesOf cuts a large set of recipients into such as one job may store.
func slicesOf(passedOver storage.PassedOver) []storage.PassedOver {
	var some []storage.PassedOver
	for _, reason := range slices.Sorted(maps.Keys(passedOver)) {
		for part := range slices.Chunk(passedOver[reason], sliceRows) {
			some = append(some, storage.PassedOver{reason: part})
		}
	}
	return some
}
