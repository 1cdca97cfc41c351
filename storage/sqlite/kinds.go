package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	"susul.dev/susul/storage"
)

// maxKinds bounds the kinds that are given a number. Error messages may hold anything; what comes after is kept in
// event_detail.
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
	return kind{c.Milestone, c.Status, c.ErrorCode, c.ErrorMessage, c.Channel, c.LossSource}
}

// kinds are the rows of event_kind. Only the writer adds to them.
type kinds struct {
	mu   sync.RWMutex
	ids  map[kind]uint32 // those that are committed
	rows []kind          // by id - 1; those of the current transaction too
}

func newKinds() *kinds { return &kinds{ids: map[kind]uint32{}} }

// id returns a kind's number, or 0.
func (k *kinds) id(of kind) uint32 {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.ids[of]
}

// row returns the kind of a number, if it is in memory.
func (k *kinds) row(id uint32) (kind, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if id == 0 || int(id) > len(k.rows) {
		return kind{}, false
	}
	return k.rows[id-1], true
}

func scanKind(rows *sql.Rows) (k kind, err error) {
	err = rows.Scan(&k.milestone, &k.status, &k.errorCode, &k.errorMessage, &k.channel, &k.lossSource)
	return k, err
}

const selectKinds = `SELECT milestone, status, error_code, error_message, channel, loss_source FROM event_kind `

// load reads all kinds anew.
func (k *kinds) load(ctx context.Context, q querier) error {
	rows, err := collect(ctx, q, scanKind, selectKinds+`ORDER BY id`)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.rows = rows
	clear(k.ids)
	for i, row := range rows {
		k.ids[row] = uint32(i + 1)
	}
	return nil
}

// truncate forgets the kinds after the first n: they were rolled back.
func (k *kinds) truncate(n int) {
	if n >= len(k.rows) { // the writer's own read needs no lock
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, row := range k.rows[n:] {
		delete(k.ids, row)
	}
	k.rows = k.rows[:n]
}

// publish makes the kinds after the first n known to callers: they were committed.
func (k *kinds) publish(n int) {
	if n == len(k.rows) { // the writer's own read needs no lock
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := n; i < len(k.rows); i++ {
		k.ids[k.rows[i]] = uint32(i + 1)
	}
}

// kindID returns the number of a callback's kind, which it gives it if it is new; 0 when there are too many.
func (t *tx) kindID(c *storage.Callback) (uint32, error) {
	k, of := t.writer.kinds, kindOf(c)
	if id := k.id(of); id != 0 {
		return id, nil
	}
	for i := t.began.kinds; i < len(k.rows); i++ { // new in this transaction; seldom any
		if k.rows[i] == of {
			return uint32(i + 1), nil
		}
	}
	if len(k.rows) >= maxKinds {
		return 0, nil
	}
	id := uint32(len(k.rows) + 1)
	if _, err := t.exec(`INSERT INTO event_kind (id, milestone, status, error_code, error_message, channel, loss_source)
		VALUES (?, ?, ?, ?, ?, ?, ?)`, id, of.milestone, of.status, of.errorCode, of.errorMessage, of.channel, of.lossSource); err != nil {
		return 0, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.rows = append(k.rows, of)
	return id, nil
}

// read returns the kind of a number, from the database if it is not in memory: another handle may have added it.
func (k *kinds) read(ctx context.Context, q querier, id uint32) (kind, error) {
	if row, ok := k.row(id); ok {
		return row, nil
	}
	row, err := first(ctx, q, scanKind, selectKinds+`WHERE id = ?`, id)
	if errors.Is(err, storage.ErrNotFound) {
		return kind{}, errDamaged("event_kind", int64(id))
	}
	return row, err
}
