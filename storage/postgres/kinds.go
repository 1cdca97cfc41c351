package postgres

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"susul.dev/susul/storage"
)

// maxKinds bounds the kinds that are given a number, about: nodes may add some at once. Error messages may hold anything; what comes after
// is kept in event_detail.
const maxKinds = 1 << 14

// kind is what many events have in common.
type kind struct {
	milestone    storage.Milestone
	status       string
	errorCode    int
	errorMessage string
	channel      string
	lossSource   string
}

func kindOf(c *storage.Callback) kind {
	return kind{c.Milestone, keyText(c.Status), c.ErrorCode, storable(c.ErrorMessage), keyText(c.Channel), keyText(c.LossSource)}
}

func compareKinds(a, b kind) int {
	return cmp.Or(cmp.Compare(a.milestone, b.milestone), cmp.Compare(a.status, b.status), cmp.Compare(a.errorCode, b.errorCode),
		cmp.Compare(a.errorMessage, b.errorMessage), cmp.Compare(a.channel, b.channel), cmp.Compare(a.lossSource, b.lossSource))
}

// storedKind is a row of event_kind.
type storedKind struct {
	id uint32
	kind
}

// kinds are the rows of event_kind that this process knows. They never change.
type kinds struct {
	mu   sync.RWMutex
	ids  map[kind]uint32
	rows map[uint32]kind
}

func newKinds() *kinds { return &kinds{ids: map[kind]uint32{}, rows: map[uint32]kind{}} }

// id returns a kind's number, or 0; full says that it will not get one.
func (k *kinds) id(of kind) (id uint32, full bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.ids[of], len(k.rows) >= maxKinds
}

// learn adds kinds that are committed.
func (k *kinds) learn(some []storedKind) {
	if len(some) == 0 {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range some {
		if len(k.rows) >= 2*maxKinds {
			return
		}
		s.status, s.errorMessage = strings.Clone(s.status), strings.Clone(s.errorMessage)
		s.channel, s.lossSource = strings.Clone(s.channel), strings.Clone(s.lossSource)
		k.ids[s.kind], k.rows[s.id] = s.id, s.kind
	}
}

func scanKind(row pgx.CollectableRow) (k storedKind, err error) {
	err = row.Scan(&k.id, &k.milestone, &k.status, &k.errorCode, &k.errorMessage, &k.channel, &k.lossSource)
	return k, err
}

const selectKinds = `SELECT e.id, e.milestone, e.status, e.error_code, e.error_message, e.channel, e.loss_source FROM event_kind e `

// read returns the kind of a number.
func (k *kinds) read(ctx context.Context, q querier, id uint32) (kind, error) {
	k.mu.RLock()
	row, ok := k.rows[id]
	k.mu.RUnlock()
	if ok {
		return row, nil
	}
	stored, err := first(ctx, q, scanKind, selectKinds+`WHERE id = $1`, id)
	if errors.Is(err, storage.ErrNotFound) {
		return kind{}, errDamaged("event_kind", int64(id))
	}
	if err == nil {
		k.learn([]storedKind{stored})
	}
	return stored.kind, err
}

// findKinds gives the rows that are to be applied the numbers of their kinds.
func (r *recording) findKinds() error {
	missing := map[kind]uint32{}
	var last kind
	var lastID uint32
	each := func(known func(kind) uint32) {
		last, lastID = kind{}, 0
		for i := range r.entries {
			e := &r.entries[i]
			var inTime bool
			e.time, inTime = seconds(e.row.Time)
			if !inTime || e.row.Milestone == storage.MilestoneUnknown || !e.member || !r.applies(e) || e.kind != 0 {
				continue
			}
			if of := kindOf(e.row); of != last {
				last, lastID = of, known(of)
			}
			e.kind = lastID
		}
	}
	each(func(of kind) uint32 {
		id, full := r.db.kinds.id(of)
		if id == 0 && !full {
			missing[of] = 0
		}
		return id
	})
	if len(missing) == 0 {
		return nil
	}
	some, err := r.makeKinds(missing)
	if err != nil {
		return err
	}
	for _, s := range some {
		missing[s.kind] = s.id
	}
	r.kinds = some
	each(func(of kind) uint32 { return missing[of] })
	return nil
}

const (
	kindArguments = `unnest($1::smallint[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[])
		AS k (milestone, status, error_code, error_message, channel, loss_source)`

	insertKinds = `INSERT INTO event_kind (milestone, status, error_code, error_message, channel, loss_source)
		SELECT k.* FROM ` + kindArguments + ` WHERE (SELECT count(*) FROM event_kind) < $7
		AND NOT EXISTS (SELECT 1 FROM event_kind e WHERE ` + sameKind + `) ON CONFLICT DO NOTHING`

	// The digest is what the index has.
	sameKind = `e.milestone = k.milestone AND e.status = k.status AND e.error_code = k.error_code
		AND md5(e.error_message) = md5(k.error_message) AND e.channel = k.channel AND e.loss_source = k.loss_source
		AND e.error_message = k.error_message`

	findKinds = selectKinds + `JOIN ` + kindArguments + ` ON ` + sameKind
)

// makeKinds gives kinds a number, unless there are too many, and returns those that have one.
func (r *recording) makeKinds(missing map[kind]uint32) ([]storedKind, error) {
	list := make([]kind, 0, len(missing))
	for of := range missing {
		list = append(list, of)
	}
	slices.SortFunc(list, compareKinds)
	milestones, codes := make([]int16, len(list)), make([]int64, len(list))
	statuses, messages := make([]string, len(list)), make([]string, len(list))
	channels, sources := make([]string, len(list)), make([]string, len(list))
	for i, k := range list {
		milestones[i], codes[i] = int16(k.milestone), int64(k.errorCode)
		statuses[i], messages[i], channels[i], sources[i] = k.status, k.errorMessage, k.channel, k.lossSource
	}
	if _, err := r.t.exec(insertKinds, milestones, statuses, codes, messages, channels, sources, maxKinds); err != nil {
		return nil, err
	}
	return collect(r.t.ctx, r.t, scanKind, findKinds, milestones, statuses, codes, messages, channels, sources)
}
