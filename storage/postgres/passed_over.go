package postgres

import (
	"maps"
	"slices"
	"time"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// maxDecided bounds the recipients of one row of decision.
const maxDecided = 100_000

const (
	addPassedOver = `INSERT INTO passed_over (push_id, step, reason, n) VALUES ($1, $2, $3, $4)
		ON CONFLICT (push_id, step, reason) DO UPDATE SET n = passed_over.n + excluded.n`
	insertDecision = `INSERT INTO decision (push_id, step, dispatch_id, low, high, time, reason, ordinals)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`
)

// addPassedOver counts who was passed over, and stores who it was, decided at a time: about a claimed dispatch, or nil. The counts come
// last, for others who pass somebody over in the same step wait from then to the commit.
func (p *pipeline) addPassedOver(push int64, step int, dispatch *int64, at time.Time, passedOver storage.PassedOver) {
	reasons := slices.Sorted(maps.Keys(passedOver))
	reasons = slices.DeleteFunc(reasons, func(reason storage.Reason) bool { return len(passedOver[reason]) == 0 })
	for _, reason := range reasons {
		for some := range slices.Chunk(slices.Sorted(slices.Values(passedOver[reason])), maxDecided) {
			p.add(insertDecision, push, step, dispatch, some[0], some[len(some)-1], millis(at), reason, layout.AppendSet(nil, some))
		}
	}
	for _, reason := range reasons {
		p.add(addPassedOver, push, step, reason, len(passedOver[reason]))
	}
}
