package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"sort"
	"time"

	"susul.dev/susul/storage/layout"
)

const (
	maybeTaken = `d.state IN ('SENDING', 'SENT', 'UNANSWERED')`

	// A batch of which some messages were taken may have ended in any way.
	messagesSince = ` WHERE d.app = ? AND COALESCE(d.claim_time, d.sent_time) >= ? AND (` + maybeTaken + ` OR d.settled > 0)`

	// Pushes whose recipients are being forgotten have none.
	selectMessagePushes = `SELECT p.id, p.recipients FROM push p
		WHERE p.forgotten = 0 AND p.id IN (SELECT d.push_id FROM dispatch d` + messagesSince + `)`

	selectMessages = `SELECT d.push_id, ` + maybeTaken + `, d.recipients, r.results
		FROM dispatch d LEFT JOIN batch_result r ON r.dispatch_id = d.id` + messagesSince
)

// CountMessages implements storage.Dispatches. It looks the ids up once in each push, and goes over the dispatches once.
func (s *Store) CountMessages(ctx context.Context, app string, registrationIDs []string, since time.Time) ([]int, error) {
	places := make(map[string]int, len(registrationIDs))
	for i, id := range registrationIDs {
		if _, again := places[id]; !again {
			places[id] = i
		}
	}
	pushes, err := s.messagePushes(ctx, app, len(places), since)
	if err != nil {
		return nil, err
	}
	counts := make([]int, len(registrationIDs))
	_, err = read(ctx, s, func(q querier) (struct{}, error) {
		addressees := make(map[int64][]addressee, len(pushes))
		for _, p := range pushes {
			found, err := s.addressees(ctx, q, p, places)
			if err != nil {
				return struct{}{}, err
			}
			if len(found) > 0 {
				addressees[p.id] = found
			}
		}
		y := tally{addressees: addressees, counts: counts}
		return struct{}{}, y.dispatches(ctx, q, app, since)
	})
	for i, id := range registrationIDs {
		counts[i] = counts[places[id]]
	}
	return counts, err
}

// messagePushes returns the pushes that have messages since a time, and brings those into memory in which it pays off to
// look so many ids up.
func (s *Store) messagePushes(ctx context.Context, app string, ids int, since time.Time) ([]pushSize, error) {
	var large []*audience
	var sizes []int
	pushes, err := read(ctx, s, func(q querier) ([]pushSize, error) {
		pushes, err := collect(ctx, q, func(rows *sql.Rows) (p pushSize, err error) {
			err = rows.Scan(&p.id, &p.size)
			return p, err
		}, selectMessagePushes, app, since.UnixMilli())
		if err != nil {
			return nil, err
		}
		for _, p := range pushes {
			if p.size <= ids {
				continue
			}
			a, err := s.live.audience(ctx, q, p.id)
			if err != nil {
				return nil, err
			}
			if _, _, loaded := a.find(""); !loaded && s.live.worthLoading(a, p.size, ids) {
				large, sizes = append(large, a), append(sizes, p.size)
			}
		}
		return pushes, nil
	})
	for i, a := range large { // without a snapshot: who reads an index needs one
		if err == nil {
			err = s.loadIndex(ctx, a, sizes[i])
		}
	}
	return pushes, err
}

// addressee is a recipient of a push, and the place of its id among those asked about.
type addressee struct {
	ordinal uint32
	place   int
}

// addressees returns those of the ids that are recipients of a push, in ordinal order.
func (s *Store) addressees(ctx context.Context, q querier, p pushSize, places map[string]int) (found []addressee, err error) {
	if p.size <= len(places) {
		err = eachPage(ctx, q, p.id, 0, func(page int, ids layout.Recipients) (bool, error) {
			for i := range ids.Len() {
				if place, ok := places[ids.ID(i)]; ok {
					found = append(found, addressee{uint32(page*layout.PageSize + i), place})
				}
			}
			return true, nil
		})
		return found, err
	}
	a := s.live.known(p.id)
	for id, place := range places {
		var ordinal uint32
		var ok, loaded bool
		if a != nil {
			ordinal, ok, loaded = a.find(id)
		}
		if !loaded {
			if ordinal, ok, err = memberOf(ctx, q, p.id, p.size, id); err != nil {
				return nil, err
			}
		}
		if ok {
			found = append(found, addressee{ordinal, place})
		}
	}
	slices.SortFunc(found, func(a, b addressee) int { return cmp.Compare(a.ordinal, b.ordinal) })
	return found, nil
}

// tally counts the messages of one dispatch after the other.
type tally struct {
	addressees map[int64][]addressee
	counts     []int // by place

	push    int64
	open    bool         // EngageLab took it, or may have
	list    sql.RawBytes // its recipients, as they are stored
	results sql.RawBytes // those of a batch, likewise
}

// dispatches counts all since a time.
func (y *tally) dispatches(ctx context.Context, q querier, app string, since time.Time) error {
	if len(y.addressees) == 0 {
		return nil
	}
	rows, err := q.QueryContext(ctx, selectMessages, app, since.UnixMilli())
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(&y.push, &y.open, &y.list, &y.results); err != nil {
			return err
		}
		if err := y.dispatch(); err != nil {
			return err
		}
	}
	return rows.Err()
}

// dispatch counts the messages of one, whose recipients are looked at in the form in which they are stored.
func (y *tally) dispatch() error {
	all := y.addressees[y.push]
	if len(all) == 0 {
		return nil
	}
	settled := results{}
	if y.results != nil {
		var err error
		if settled, err = unpackResults(y.results); err != nil {
			return err
		}
	}
	if y.list == nil {
		y.add(all, settled)
		return nil
	}
	return layout.EachRun(y.list, maxOrdinals, func(first uint32, n int) {
		from := sort.Search(len(all), func(i int) bool { return all[i].ordinal >= first })
		through := from
		for through < len(all) && int(all[through].ordinal-first) < n {
			through++
		}
		y.add(all[from:through], settled)
	})
}

// add counts a message for each of some recipients: of a batch, not for those who were refused; where it is not open, only
// for those whose message was taken.
func (y *tally) add(some []addressee, settled results) {
	for _, a := range some {
		took := y.open
		if len(settled) > 0 {
			if r, ok := settled[a.ordinal]; ok {
				took = r.UpstreamID != ""
			}
		}
		if took {
			y.counts[a.place]++
		}
	}
}
