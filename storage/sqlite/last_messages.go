package sqlite

import (
	"context"
	"database/sql"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

const selectTaken = `SELECT COALESCE(d.upstream_id, ''), d.recipients, r.results
	FROM dispatch d LEFT JOIN batch_result r ON r.dispatch_id = d.id
	WHERE d.push_id = ? AND d.low < ? AND d.high >= ? AND +d.step < ? AND (d.upstream_id IS NOT NULL OR r.results IS NOT NULL)
	ORDER BY d.step, d.id`

// LastMessages implements storage.Planning. The dispatches that may have one of the recipients are few, wherever a step was
// planned in slices.
func (s *Store) LastMessages(ctx context.Context, id int64, step int, from uint32, limit int) ([]storage.LastMessage, error) {
	latest := make([]string, page(limit))
	return readOf(ctx, s, id, func(q querier) ([]storage.LastMessage, error) {
		through := int64(from) + int64(len(latest))
		known, err := first(ctx, q, value[int64], `SELECT recipients FROM push WHERE id = ?`, id)
		if err != nil {
			return nil, err
		}
		set := func(ordinal uint32, upstreamID string) {
			if int64(ordinal) >= int64(from) && int64(ordinal) < through {
				latest[ordinal-from] = upstreamID
			}
		}
		_, err = collect(ctx, q, func(rows *sql.Rows) (struct{}, error) {
			return struct{}{}, scanTaken(rows, set, func(upstreamID string) {
				for ordinal := int64(from); ordinal < min(through, known); ordinal++ {
					set(uint32(ordinal), upstreamID)
				}
			})
		}, selectTaken, id, through, from, step)
		if err != nil {
			return nil, err
		}
		var messages []storage.LastMessage
		for i, upstreamID := range latest {
			if upstreamID != "" {
				messages = append(messages, storage.LastMessage{Ordinal: from + uint32(i), UpstreamID: upstreamID})
			}
		}
		return messages, nil
	})
}

// scanTaken tells of each message of a dispatch that EngageLab took, or of one to the whole audience.
func scanTaken(rows *sql.Rows, one func(ordinal uint32, upstreamID string), whole func(upstreamID string)) error {
	var upstreamID string
	var recipients []uint32
	var list []byte
	if err := rows.Scan(&upstreamID, ordinalList{&recipients}, &list); err != nil {
		return err
	}
	switch {
	case list != nil:
		results, err := layout.ReadResults(list)
		for _, r := range results {
			if !r.Refused {
				one(r.Ordinal, r.UpstreamID)
			}
		}
		return err
	case recipients == nil:
		whole(upstreamID)
	}
	for _, ordinal := range recipients {
		one(ordinal, upstreamID)
	}
	return nil
}
