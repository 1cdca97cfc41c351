package sqlite

import (
	"cmp"
	"database/sql"
	"slices"

	"susul.dev/susul/storage"
)

var insertEvents = bulk{`INSERT OR FAIL INTO event (sequence, app, push_id, dispatch_id, step, ordinal, status, milestone, time,
	receive_time, error_code, error_message, channel, loss_source, raw)`, 15,
	`ON CONFLICT (push_id, ordinal, step, status) DO NOTHING RETURNING sequence`}

// appendEvents stores the rows whose recipient is known in the log, unless it has them, and moves on the recipients'
// progress and the counters by what was new.
func (t *tx) appendEvents(rows []row) error {
	known := make([]*row, 0, len(rows))
	for i := range rows {
		if rows[i].recipient != nil {
			known = append(known, &rows[i])
		}
	}
	if len(known) == 0 {
		return nil
	}
	// The sequences are given out here, so that those that come back say which rows were new.
	last, err := t.lastGivenSequence()
	if err != nil {
		return err
	}
	if err := insertEvents.query(t, len(known), func(args []any, i int) []any {
		r := known[i]
		var raw any
		if r.Milestone == storage.MilestoneUnknown {
			raw = blob(cutRaw(r.Raw))
		}
		return append(args, last+1+int64(i), r.app, r.target.push, r.target.dispatch, r.target.step, r.recipient.ordinal,
			r.Status, r.Milestone, r.Time.UnixMilli(), r.received, r.ErrorCode, r.ErrorMessage, r.Channel, r.LossSource, raw)
	}, func(inserted *sql.Rows) error {
		sequence, err := value[int64](inserted)
		if err == nil {
			known[sequence-last-1].fresh = true
		}
		return err
	}); err != nil {
		return err
	}
	return t.fold(known)
}

func (t *tx) lastGivenSequence() (int64, error) {
	all, err := collect(t.ctx, t, value[int64], `SELECT seq FROM sqlite_sequence WHERE name = 'event'`)
	if err != nil || len(all) == 0 {
		return 0, err
	}
	return all[0], nil
}

// counterKey names a counter; step -1 is the whole chain.
type counterKey struct {
	push      int64
	step      int
	milestone storage.Milestone
}

const wholeChain = -1

// fold moves on progress and counters by the rows that are new.
func (t *tx) fold(rows []*row) error {
	counters := map[counterKey]int{}
	var changed []*recipient
	for _, r := range rows {
		if !r.fresh {
			continue
		}
		t.events = true
		who := r.recipient
		now := who.progress.With(r.target.step, r.Milestone)
		if now == who.progress {
			continue
		}
		if who.progress == who.before {
			changed = append(changed, who)
		}
		countGain(counters, counterKey{push: who.push, step: r.target.step}, who.progress.At(r.target.step), now.At(r.target.step))
		countGain(counters, counterKey{push: who.push, step: wholeChain}, who.progress.InAnyStep(), now.InAnyStep())
		who.progress = now
	}
	if err := t.writeProgress(changed); err != nil {
		return err
	}
	return t.addCounters(counters)
}

// countGain counts the milestones that came with a change.
func countGain(counters map[counterKey]int, key counterKey, before, after storage.Milestones) {
	if before == after {
		return
	}
	for m := storage.Sent; m <= storage.Failed; m++ {
		if after.Has(m) && !before.Has(m) {
			key.milestone = m
			counters[key]++
		}
	}
}

var updateProgress = bulk{`WITH changed (push_id, ordinal, progress) AS (`, 3, `)
	UPDATE OR FAIL recipient SET progress = c.progress FROM changed c
	WHERE recipient.push_id = c.push_id AND recipient.ordinal = c.ordinal`}

func (t *tx) writeProgress(changed []*recipient) error {
	// In the order of the table, neighbours share a page.
	slices.SortFunc(changed, func(a, b *recipient) int {
		return cmp.Or(cmp.Compare(a.push, b.push), cmp.Compare(a.ordinal, b.ordinal))
	})
	_, err := updateProgress.exec(t, len(changed), func(args []any, i int) []any {
		return append(args, changed[i].push, changed[i].ordinal, int64(changed[i].progress))
	})
	return err
}

var upsertCounters = bulk{`INSERT INTO counter (push_id, step, milestone, n)`, 4,
	`ON CONFLICT (push_id, step, milestone) DO UPDATE SET n = n + excluded.n`}

func (t *tx) addCounters(counters map[counterKey]int) error {
	keys := make([]counterKey, 0, len(counters))
	for key := range counters {
		keys = append(keys, key)
	}
	_, err := upsertCounters.exec(t, len(keys), func(args []any, i int) []any {
		key := keys[i]
		return append(args, key.push, key.step, key.milestone, counters[key])
	})
	return err
}
