package sqlite

import (
	"context"
	"database/sql"
	"math/bits"
	"slices"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// ordinalSet has a bit for each ordinal.
type ordinalSet []uint64

func (s ordinalSet) has(ordinal uint32) bool {
	at := int(ordinal / 64)
	return at < len(s) && s[at]&(1<<(ordinal%64)) != 0
}

func (s *ordinalSet) add(ordinal uint32) {
	at := int(ordinal / 64)
	if missing := at + 1 - len(*s); missing > 0 {
		*s = append(*s, make([]uint64, missing)...)
	}
	(*s)[at] |= 1 << (ordinal % 64)
}

// clicks counts the set, and those of it who are in another.
func (s ordinalSet) clicks(clicked ordinalSet) (c storage.ClickCount) {
	for i, word := range s {
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
	clicked  ordinalSet
	followed ordinalSet
	heldOut  ordinalSet
	steps    map[int]map[storage.Group]storage.ClickCount
}

// Outcomes implements storage.Measuring.
func (s *Store) Outcomes(ctx context.Context, id int64) (storage.Outcomes, error) {
	// Memory is looked at before the snapshot of the disk begins; see fillProgress.
	var hot []*progressPage
	if a := s.live.known(id); a != nil {
		hot = a.hotPages()
	}
	all, err := readOf(ctx, s, id, func(q querier) ([]storage.Outcomes, error) {
		o := outcomes{push: id, steps: map[int]map[storage.Group]storage.ClickCount{}}
		for _, read := range []func(context.Context, querier) error{
			func(ctx context.Context, q querier) error { return o.readClicks(ctx, q, hot) },
			o.readSteps, o.readFollowedUp, o.readReacted, o.readHeldOut,
		} {
			if err := read(ctx, q); err != nil {
				return nil, err
			}
		}
		return []storage.Outcomes{{
			Steps: o.steps, FollowedUp: o.followed.clicks(o.clicked), HeldOut: o.heldOut.clicks(o.clicked),
		}}, nil
	})
	if err != nil || len(all) == 0 {
		return storage.Outcomes{}, err
	}
	return all[0], nil
}

// hotPages returns the pages of progress that are in memory, by their numbers; nil stands for the others.
func (a *audience) hotPages() []*progressPage {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return slices.Clone(a.pages)
}

// readClicks finds who clicked in any step: of pages that are not in memory, on disk.
func (o *outcomes) readClicks(ctx context.Context, q querier, hot []*progressPage) (err error) {
	if o.known, err = first(ctx, q, value[uint32], `SELECT recipients FROM push WHERE id = ?`, o.push); err != nil {
		return err
	}
	for n, page := range hot {
		if page == nil {
			continue
		}
		for at := range page.words {
			o.note(n, at, page.words[at].Load())
		}
	}
	var words [layout.PageSize]uint64
	_, err = collect(ctx, q, func(rows *sql.Rows) (struct{}, error) {
		var n int
		var stored sql.RawBytes
		if err := rows.Scan(&n, &stored); err != nil || n < len(hot) && hot[n] != nil {
			return struct{}{}, err
		}
		err := layout.ReadProgress(stored, words[:])
		for at, word := range words {
			o.note(n, at, word)
		}
		return struct{}{}, err
	}, `SELECT page, words FROM progress_page WHERE push_id = ?`, o.push)
	return err
}

func (o *outcomes) note(page, at int, word uint64) {
	if storage.Progress(word).InAnyStep().Has(storage.Clicked) {
		o.clicked.add(uint32(page*layout.PageSize + at))
	}
}

// readSteps makes room for the groups of each step of which something was planned.
func (o *outcomes) readSteps(ctx context.Context, q querier) error {
	planned, err := collect(ctx, q, value[int], `SELECT number FROM step
		WHERE push_id = ? AND (state = 'PLANNED' OR next_ordinal > 0)`, o.push)
	for _, step := range planned {
		o.steps[step] = map[storage.Group]storage.ClickCount{}
	}
	return err
}

// add adds recipients to a group, and to all who are like them in any step.
func (o *outcomes) add(step int, group storage.Group, all *ordinalSet, ordinals []uint32) {
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
	_, err := collect(ctx, q, func(rows *sql.Rows) (struct{}, error) {
		var step int
		var group storage.Group
		var recipients []uint32
		var batch bool
		var list []byte
		if err := rows.Scan(&step, &group.Variant, ordinalList{&recipients}, &batch, &list); err != nil {
			return struct{}{}, err
		}
		switch {
		case batch:
			results, err := layout.ReadResults(list)
			if err != nil {
				return struct{}{}, err
			}
			recipients = nil
			for _, r := range results {
				if !r.Refused {
					recipients = append(recipients, r.Ordinal)
				}
			}
		case recipients == nil:
			for ordinal := range o.known {
				recipients = append(recipients, ordinal)
			}
		}
		if len(recipients) > 0 {
			o.add(step, group, &o.followed, recipients)
		}
		return struct{}{}, nil
	}, `SELECT d.step, d.variant, d.recipients, r.results IS NOT NULL, r.results
		FROM dispatch d LEFT JOIN batch_result r ON r.dispatch_id = d.id WHERE d.push_id = ? AND d.step > 0
		AND (r.results IS NOT NULL OR d.state = 'SENT' AND NOT EXISTS (SELECT 1 FROM batch b WHERE b.dispatch_id = d.id))`, o.push)
	return err
}

// readReacted adds those who were left out of a dispatch since they reacted before it was claimed, unless it was stopped: of
// those who are held out, who reacted by then counts too.
func (o *outcomes) readReacted(ctx context.Context, q querier) error {
	_, err := collect(ctx, q, func(rows *sql.Rows) (struct{}, error) {
		var step int
		var group storage.Group
		var ordinals ordinalSlice
		err := rows.Scan(&step, &group.Variant, &ordinals)
		if err == nil {
			o.add(step, group, &o.followed, ordinals)
		}
		return struct{}{}, err
	}, `SELECT d.step, d.variant, c.ordinals FROM decision c JOIN dispatch d ON d.id = c.dispatch_id
		WHERE c.push_id = ? AND c.step > 0 AND c.reason = 'MILESTONE_REACHED'
		AND (d.state IN ('SENT', 'SKIPPED') OR d.settled > 0)`, o.push)
	return err
}

func (o *outcomes) readHeldOut(ctx context.Context, q querier) error {
	_, err := collect(ctx, q, func(rows *sql.Rows) (struct{}, error) {
		var step int
		var group storage.Group
		var ordinals ordinalSlice
		err := rows.Scan(&step, &group.Holdout, &ordinals)
		if err == nil && group.Holdout == storage.ReasonHoldout {
			o.add(step, group, &o.heldOut, ordinals)
		} else if err == nil {
			o.add(step, group, nil, ordinals)
		}
		return struct{}{}, err
	}, `SELECT step, reason, ordinals FROM decision WHERE push_id = ? AND step > 0 AND reason IN ('HOLDOUT', 'STEP_HOLDOUT')`, o.push)
	return err
}
