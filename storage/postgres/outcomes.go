package postgres

import (
	"context"
	"errors"
	"math/bits"

	"github.com/jackc/pgx/v5"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// bitmap has a bit for each ordinal.
type bitmap []uint64

func (b bitmap) has(ordinal uint32) bool {
	at := int(ordinal / 64)
	return at < len(b) && b[at]&(1<<(ordinal%64)) != 0
}

// grow makes room for a word.
func (b *bitmap) grow(at int) {
	if missing := at + 1 - len(*b); missing > 0 {
		*b = append(*b, make([]uint64, missing)...)
	}
}

func (b *bitmap) add(ordinal uint32) {
	at := int(ordinal / 64)
	b.grow(at)
	(*b)[at] |= 1 << (ordinal % 64)
}

// clicks counts the set, and those of it who are in another.
func (b bitmap) clicks(clicked bitmap) (c storage.ClickCount) {
	for i, word := range b {
		c.Recipients += bits.OnesCount64(word)
		if i < len(clicked) {
			c.Clicked += bits.OnesCount64(word & clicked[i])
		}
	}
	return c
}

// outcomes collects what the follow-ups of a push brought.
type outcomes struct {
	push     int64
	known    uint32 // recipients
	clicked  bitmap
	followed bitmap
	heldOut  bitmap
	steps    map[int]map[storage.Group]storage.ClickCount
}

// Outcomes implements storage.Measuring.
func (s *Store) Outcomes(ctx context.Context, id int64) (storage.Outcomes, error) {
	return read(ctx, s, func(q querier) (storage.Outcomes, error) {
		o := outcomes{push: id, steps: map[int]map[storage.Group]storage.ClickCount{}}
		for _, part := range []func(context.Context, querier) error{
			o.readPush, o.readClicks, o.readSteps, o.readFollowedUp, o.readReacted, o.readHeldOut,
		} {
			if err := part(ctx, q); errors.Is(err, storage.ErrNotFound) {
				return storage.Outcomes{}, nil
			} else if err != nil {
				return storage.Outcomes{}, err
			}
		}
		return storage.Outcomes{
			Steps: o.steps, FollowedUp: o.followed.clicks(o.clicked), HeldOut: o.heldOut.clicks(o.clicked),
		}, nil
	})
}

func (o *outcomes) readPush(ctx context.Context, q querier) (err error) {
	o.known, err = first(ctx, q, value[uint32], `SELECT recipients FROM push WHERE id = $1`, o.push)
	return err
}

// anyClick is the bits of a progress word that say that a step was clicked.
var anyClick = func() (all storage.Progress) {
	for step := range storage.MaxSteps {
		all = all.With(step, storage.Clicked)
	}
	return all
}()

// readClicks finds who clicked in any step. They come as words of a bitmap, for there may be a million.
func (o *outcomes) readClicks(ctx context.Context, q querier) error {
	rows, err := q.Query(ctx, `SELECT ordinal / 64, bit_or(1::bigint << (ordinal % 64)::integer) FROM progress
		WHERE push_id = $1 AND word & $2 <> 0 GROUP BY 1`, o.push, int64(anyClick))
	if err != nil {
		return err
	}
	var at int
	var word int64
	_, err = pgx.ForEachRow(rows, []any{&at, &word}, func() error {
		o.clicked.grow(at)
		o.clicked[at] = uint64(word)
		return nil
	})
	return err
}

// readSteps makes room for the groups of each step of which something was planned.
func (o *outcomes) readSteps(ctx context.Context, q querier) error {
	planned, err := collect(ctx, q, value[int], `SELECT number FROM step
		WHERE push_id = $1 AND (state = 'PLANNED' OR next_ordinal > 0)`, o.push)
	for _, step := range planned {
		o.steps[step] = map[storage.Group]storage.ClickCount{}
	}
	return err
}

// add adds recipients to a group, and to all who are like them in any step.
func (o *outcomes) add(step int, group storage.Group, all *bitmap, ordinals []uint32) {
	if o.steps[step] == nil {
		o.steps[step] = map[storage.Group]storage.ClickCount{}
	}
	c := o.steps[step][group]
	c.Recipients += len(ordinals)
	for _, ordinal := range ordinals {
		if o.clicked.has(ordinal) {
			c.Clicked++
		}
		if all != nil {
			all.add(ordinal)
		}
	}
	o.steps[step][group] = c
}

func (o *outcomes) readFollowedUp(ctx context.Context, q querier) error {
	rows, err := q.Query(ctx, `SELECT d.step, d.variant, d.recipients, r.results
		FROM dispatch d LEFT JOIN batch_result r ON r.dispatch_id = d.id WHERE d.push_id = $1 AND d.step > 0
		AND (r.results IS NOT NULL OR d.state = 'SENT' AND NOT EXISTS (SELECT FROM batch b WHERE b.dispatch_id = d.id))`, o.push)
	if err != nil {
		return err
	}
	var step int
	var group storage.Group
	var recipients []uint32
	var results []byte
	_, err = pgx.ForEachRow(rows, []any{&step, &group.Variant, ordinalList{&recipients}, &results}, func() (err error) {
		switch {
		case results != nil:
			recipients, err = takenOf(results)
		case recipients == nil:
			recipients = ordinalsBelow(int(o.known))
		}
		if len(recipients) > 0 {
			o.add(step, group, &o.followed, recipients)
		}
		return err
	})
	return err
}

// takenOf returns who got a single message of a batch, by its results.
func takenOf(list []byte) ([]uint32, error) {
	results, err := layout.ReadResults(list)
	var taken []uint32
	for _, r := range results {
		if !r.Refused {
			taken = append(taken, r.Ordinal)
		}
	}
	return taken, err
}

// ordinalsBelow are the ordinals of the first n recipients.
func ordinalsBelow(n int) []uint32 {
	all := make([]uint32, n)
	for i := range all {
		all[i] = uint32(i)
	}
	return all
}

// readReacted adds those who were left out of a dispatch since they reacted before it was claimed, unless it was stopped: of
// those who are held out, who reacted by then counts too.
func (o *outcomes) readReacted(ctx context.Context, q querier) error {
	return o.readDecisions(ctx, q, `SELECT d.step, d.variant, '', c.ordinals FROM decision c JOIN dispatch d ON d.id = c.dispatch_id
		WHERE c.push_id = $1 AND c.step > 0 AND c.reason = 'MILESTONE_REACHED'
		AND (d.state IN ('SENT', 'SKIPPED') OR d.settled > 0)`)
}

func (o *outcomes) readHeldOut(ctx context.Context, q querier) error {
	return o.readDecisions(ctx, q, `SELECT step, '', reason, ordinals FROM decision
		WHERE push_id = $1 AND step > 0 AND reason IN ('HOLDOUT', 'STEP_HOLDOUT')`)
}

// readDecisions adds those whom decisions concern.
func (o *outcomes) readDecisions(ctx context.Context, q querier, query string) error {
	rows, err := q.Query(ctx, query, o.push)
	if err != nil {
		return err
	}
	var step int
	var group storage.Group
	var ordinals []uint32
	_, err = pgx.ForEachRow(rows, []any{&step, &group.Variant, &group.Holdout, ordinalSet{&ordinals}}, func() error {
		var all *bitmap
		switch group.Holdout {
		case "":
			all = &o.followed
		case storage.ReasonHoldout:
			all = &o.heldOut
		}
		o.add(step, group, all, ordinals)
		return nil
	})
	return err
}
