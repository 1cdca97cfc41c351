package postgres

import (
	"cmp"
	"context"
	"slices"
	"sort"
	"time"

	"github.com/jackc/pgx/v5"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

const (
	maybeTaken = `d.state IN ('SENDING', 'SENT', 'UNANSWERED')`

	// A batch of which some messages were taken may have ended in any way.
	messagesSince = ` d.app = $1 AND COALESCE(d.claim_time, d.sent_time) >= $2 AND (` + maybeTaken + ` OR d.settled > 0)`

	// Pushes whose recipients are being forgotten have none.
	selectMessagePushes = `SELECT p.id, p.recipients FROM push p
		WHERE p.forgotten = 0 AND p.id IN (SELECT d.push_id FROM dispatch d WHERE` + messagesSince + `)`

	// Of a push with few recipients all are read. In a large one, each id is looked up: the planner shall not think of reading it.
	addresseesOfSmall = `SELECT r.push_id, r.ordinal, r.registration_id FROM recipient r
		WHERE r.push_id = ANY($1) AND r.registration_id || '' = ANY($2)`
	addresseesOfLarge = `SELECT p.id, r.ordinal, r.registration_id FROM unnest($1::bigint[]) AS p (id) CROSS JOIN LATERAL
		(SELECT ordinal, registration_id FROM recipient WHERE push_id = p.id AND registration_id = ANY($2) OFFSET 0) r`

	selectMessages = `SELECT d.push_id, ` + maybeTaken + `, d.recipients, r.results
		FROM dispatch d LEFT JOIN batch_result r ON r.dispatch_id = d.id WHERE d.push_id = ANY($3) AND` + messagesSince
)

// CountMessages implements storage.Dispatches. It looks the ids up in each push, and goes over the dispatches once.
func (s *Store) CountMessages(ctx context.Context, app string, registrationIDs []string, since time.Time) ([]int, error) {
	places := make(map[string]int, len(registrationIDs)) // of each id once
	var ids []string
	for _, id := range registrationIDs {
		if _, again := places[id]; !again && isText(id) {
			places[id] = len(ids)
			ids = append(ids, id)
		}
	}
	counts := make([]int, len(registrationIDs))
	if len(ids) == 0 {
		return counts, nil
	}
	some, err := read(ctx, s, func(q querier) ([]int, error) { return countMessages(ctx, q, app, ids, since) })
	if err != nil {
		return nil, err
	}
	for i, id := range registrationIDs {
		if place, ok := places[id]; ok {
			counts[i] = some[place]
		}
	}
	return counts, nil
}

// countMessages counts those to each of some ids, of which none is there twice.
func countMessages(ctx context.Context, q querier, app string, ids []string, since time.Time) ([]int, error) {
	y := tally{places: make(map[string]int, len(ids)), addressees: map[int64][]addressee{}, counts: make([]int, len(ids))}
	for i, id := range ids {
		y.places[id] = i
	}
	if err := y.findAddressees(ctx, q, app, ids, since); err != nil {
		return nil, err
	}
	return y.counts, y.dispatches(ctx, q, app, since)
}

// addressee is a recipient of a push, and the place of its id among those asked about.
type addressee struct {
	ordinal uint32
	place   int
}

// tally counts the messages of one dispatch after the other.
type tally struct {
	places     map[string]int // by id
	addressees map[int64][]addressee
	counts     []int // by place

	push    int64
	open    bool   // EngageLab took it, or may have
	list    []byte // its recipients, as they are stored
	results []byte // those of a batch, likewise
}

// findAddressees finds those of the ids that are recipients of pushes which have messages since a time.
func (y *tally) findAddressees(ctx context.Context, q querier, app string, ids []string, since time.Time) error {
	var small, large []int64
	rows, err := q.Query(ctx, selectMessagePushes, app, since.UnixMilli())
	if err != nil {
		return err
	}
	var push int64
	var size int
	if _, err = pgx.ForEachRow(rows, []any{&push, &size}, func() error {
		if size <= len(ids) {
			small = append(small, push)
		} else {
			large = append(large, push)
		}
		return nil
	}); err != nil {
		return err
	}
	if err := y.readAddressees(ctx, q, addresseesOfSmall, small, ids); err != nil {
		return err
	}
	if err := y.readAddressees(ctx, q, addresseesOfLarge, large, ids); err != nil {
		return err
	}
	for _, some := range y.addressees {
		slices.SortFunc(some, func(a, b addressee) int { return cmp.Compare(a.ordinal, b.ordinal) })
	}
	return nil
}

func (y *tally) readAddressees(ctx context.Context, q querier, query string, pushes []int64, ids []string) error {
	if len(pushes) == 0 {
		return nil
	}
	rows, err := q.Query(ctx, query, pushes, ids)
	if err != nil {
		return err
	}
	var push int64
	var ordinal uint32
	var id string
	_, err = pgx.ForEachRow(rows, []any{&push, &ordinal, &id}, func() error {
		y.addressees[push] = append(y.addressees[push], addressee{ordinal, y.places[id]})
		return nil
	})
	return err
}

// dispatches counts all since a time.
func (y *tally) dispatches(ctx context.Context, q querier, app string, since time.Time) error {
	if len(y.addressees) == 0 {
		return nil
	}
	var pushes []int64
	for push := range y.addressees {
		pushes = append(pushes, push)
	}
	rows, err := q.Query(ctx, selectMessages, app, since.UnixMilli(), pushes)
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(rows, []any{&y.push, &y.open, &y.list, &y.results}, y.dispatch)
	return err
}

// dispatch counts the messages of one, whose recipients are looked at in the form in which they are stored.
func (y *tally) dispatch() error {
	all := y.addressees[y.push]
	settled, err := unpackResults(y.results)
	if err != nil {
		return err
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
		if r, ok := settled[a.ordinal]; ok {
			took = r.UpstreamID != ""
		}
		if took {
			y.counts[a.place]++
		}
	}
}

const selectTaken = `SELECT COALESCE(d.upstream_id, ''), d.recipients, r.results
	FROM dispatch d LEFT JOIN batch_result r ON r.dispatch_id = d.id
	WHERE d.push_id = $1 AND d.low < $2 AND d.high >= $3 AND d.step < $4 AND (d.upstream_id IS NOT NULL OR r.results IS NOT NULL)
	ORDER BY d.step, d.id`

// LastMessages implements storage.Planning. The dispatches that may have one of the recipients are few, wherever a step was
// planned in slices.
func (s *Store) LastMessages(ctx context.Context, id int64, step int, from uint32, limit int) ([]storage.LastMessage, error) {
	l := latest{from: int64(from), ids: make([]string, page(limit))}
	_, err := read(ctx, s, func(q querier) (none struct{}, err error) {
		known, err := collect(ctx, q, value[int64], `SELECT recipients FROM push WHERE id = $1`, id)
		if err != nil || len(known) == 0 {
			return none, err
		}
		l.known = known[0]
		rows, err := q.Query(ctx, selectTaken, id, l.through(), l.from, step)
		if err != nil {
			return none, err
		}
		_, err = pgx.ForEachRow(rows, []any{&l.upstreamID, &l.list, &l.results}, l.dispatch)
		return none, err
	})
	if err != nil {
		return nil, err
	}
	var messages []storage.LastMessage
	for i, upstreamID := range l.ids {
		if upstreamID != "" {
			messages = append(messages, storage.LastMessage{Ordinal: from + uint32(i), UpstreamID: upstreamID})
		}
	}
	return messages, nil
}

// latest collects the latest messages of the recipients that follow one.
type latest struct {
	from, known int64
	ids         []string

	upstreamID    string // of a dispatch
	list, results []byte // its recipients, and the results of a batch, as they are stored
}

func (l *latest) through() int64 { return l.from + int64(len(l.ids)) }

// set notes a message of n recipients from one on.
func (l *latest) set(first, n int64, upstreamID string) {
	for ordinal := max(first, l.from); ordinal < min(first+n, l.through()); ordinal++ {
		l.ids[ordinal-l.from] = upstreamID
	}
}

// dispatch notes the messages of a dispatch that EngageLab took.
func (l *latest) dispatch() error {
	if l.results != nil {
		results, err := layout.ReadResults(l.results)
		for _, r := range results {
			if !r.Refused {
				l.set(int64(r.Ordinal), 1, r.UpstreamID)
			}
		}
		return err
	}
	if l.list == nil {
		l.set(0, l.known, l.upstreamID)
		return nil
	}
	return layout.EachRun(l.list, maxOrdinals, func(first uint32, n int) { l.set(int64(first), int64(n), l.upstreamID) })
}
