package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// PushContent is what is kept of a push.
type PushContent struct {
	MsgID         int64             `json:"msg_id,string"`
	App           string            `json:"app"`
	RequestID     string            `json:"request_id,omitempty"`
	State         storage.PushState `json:"state"`
	Listed        bool              `json:"listed"`
	External      bool              `json:"external"`
	Policy        string            `json:"policy,omitempty"` // its name
	CreateTime    time.Time         `json:"create_time"`
	FirstSentTime time.Time         `json:"first_sent_time,omitzero"`
	Recipients    int               `json:"recipients"`
	DocumentBytes int               `json:"document_bytes"`

	Steps []StepContent `json:"steps"`
	// Total counts each recipient once.
	Total Funnel          `json:"total"`
	Parts []PartSize      `json:"parts"`
	Marks []MarkedContent `json:"marks"`
}

// StepContent is what is kept of a step.
type StepContent struct {
	Step    int               `json:"step"`
	State   storage.StepState `json:"state"`
	DueTime time.Time         `json:"due_time,omitzero"`
	// HoldTime is since when it is held, MeasureTime when what it brought is to be measured.
	HoldTime    time.Time                     `json:"hold_time,omitzero"`
	MeasureTime time.Time                     `json:"measure_time,omitzero"`
	Counters    Funnel                        `json:"counters"`
	Dispatches  map[storage.DispatchState]int `json:"dispatches"`
	PassedOver  map[storage.Reason]int        `json:"passed_over"`
}

// Funnel is storage.Counts.
type Funnel struct {
	Targets   int `json:"targets"`
	Sent      int `json:"sent"`
	Delivered int `json:"delivered"`
	Displayed int `json:"displayed"`
	Clicked   int `json:"clicked"`
	Failed    int `json:"failed"`
}

// PartSize is how many rows of a table belong to a push, and the bytes of what is packed in them.
type PartSize struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"bytes"`
}

// MarkedContent is of how many recipients a status came that has no bit of its own, as of the fold.
type MarkedContent struct {
	Step       int    `json:"step"`
	Status     string `json:"status"`
	Recipients uint64 `json:"recipients"`
	Bytes      int    `json:"bytes"`
	Damage     string `json:"damage,omitempty"` // why the recipients can't be told; empty if they can
}

const (
	selectParts = `SELECT 'recipient_page', COUNT(*), COALESCE(SUM(length(ids)), 0) FROM recipient_page WHERE push_id = ?1 UNION ALL
		SELECT 'member_bucket', COUNT(*), COALESCE(SUM(length(members)), 0) FROM member_bucket WHERE push_id = ?1 UNION ALL
		SELECT 'progress_page', COUNT(*), COALESCE(SUM(length(words)), 0) FROM progress_page WHERE push_id = ?1 UNION ALL
		SELECT 'dispatch', COUNT(*), COALESCE(SUM(length(recipients)), 0) FROM dispatch WHERE push_id = ?1 UNION ALL
		SELECT 'decision', COUNT(*), COALESCE(SUM(length(ordinals)), 0) FROM decision WHERE push_id = ?1 UNION ALL
		SELECT 'batch', COUNT(*), COALESCE(SUM(length(b.singles)), 0) FROM dispatch d JOIN batch b ON b.dispatch_id = d.id
			WHERE d.push_id = ?1 UNION ALL
		SELECT 'batch_result', COUNT(*), COALESCE(SUM(length(r.results)), 0) FROM dispatch d JOIN batch_result r ON r.dispatch_id = d.id
			WHERE d.push_id = ?1`

	// Statuses may be anything, so that their number is bounded.
	selectMarks = `SELECT step, status, ordinals FROM mark WHERE push_id = ? ORDER BY step, status LIMIT ?`
)

// Push returns what is kept of a push, or storage.ErrNotFound.
func (i *Inspector) Push(ctx context.Context, id int64) (PushContent, error) {
	p, err := i.store.PushOf(ctx, id)
	if err != nil {
		return PushContent{}, err
	}
	report, err := i.store.Report(ctx, p.App, id)
	if err != nil {
		return PushContent{}, err
	}
	c := PushContent{MsgID: id, App: p.App, RequestID: p.RequestID, State: p.State, Listed: p.Listed, External: p.External,
		CreateTime: p.CreateTime, FirstSentTime: p.FirstSentTime, Recipients: p.Recipients, DocumentBytes: len(p.Document),
		Total: Funnel(report.Total)}
	if p.Policy != nil {
		c.Policy = p.Policy.Name
	}
	for _, st := range report.Steps {
		c.Steps = append(c.Steps, StepContent{st.Number, st.State, st.DueTime, st.HoldTime, st.MeasureTime, Funnel(st.Counts),
			st.Dispatches, st.PassedOver})
	}
	_, err = read(ctx, i.store, func(q querier) (struct{}, error) {
		if c.Parts, err = collect(ctx, q, scanPartSize, selectParts, id); err != nil {
			return struct{}{}, err
		}
		c.Marks, err = collect(ctx, q, scanMarked, selectMarks, id, storage.MaxPage)
		return struct{}{}, err
	})
	return c, err
}

func scanPartSize(rows *sql.Rows) (p PartSize, err error) {
	err = rows.Scan(&p.Table, &p.Rows, &p.Bytes)
	return p, err
}

func scanMarked(rows *sql.Rows) (m MarkedContent, err error) {
	var ordinals []byte
	if err = rows.Scan(&m.Step, &m.Status, &ordinals); err != nil {
		return m, err
	}
	m.Bytes = len(ordinals)
	bitmap := roaring.New()
	if err := bitmap.UnmarshalBinary(ordinals); err != nil {
		m.Damage = err.Error()
	} else {
		m.Recipients = bitmap.GetCardinality()
	}
	return m, nil
}

// RecipientContent is a recipient and the milestones that were reported, without those that they imply.
type RecipientContent struct {
	Ordinal        uint32 `json:"ordinal"`
	RegistrationID string `json:"registration_id"`
	// Folded is the progress as it is on disk, Now with what is at the end of the log and not folded yet.
	Folded []StepMilestones `json:"folded"`
	Now    []StepMilestones `json:"now"`
	// Damage says why the fields above can't all be told; empty if they can. For a page of recipients it stands for all of
	// them, for a segment that is not folded for all whom it is about.
	Damage string `json:"damage,omitempty"`
}

// StepMilestones is what was reported for one step.
type StepMilestones struct {
	Step       int      `json:"step"`
	Milestones []string `json:"milestones"`
}

// milestonesOf returns the milestones that are set in a word.
func milestonesOf(p storage.Progress) []StepMilestones {
	steps := []StepMilestones{}
	for step := 0; p != 0 && step < storage.MaxSteps; step++ {
		var names []string
		for m := storage.Sent; m <= storage.Failed; m++ {
			if p.With(step, m) == p {
				names = append(names, m.String())
			}
		}
		if names != nil {
			steps = append(steps, StepMilestones{step, names})
		}
	}
	return steps
}

// Recipients lists the recipients of a push in the order of their ordinals, from one on.
func (i *Inspector) Recipients(ctx context.Context, push int64, from uint32, limit int) iter.Seq2[RecipientContent, error] {
	return paged(limit, func() func() ([]RecipientContent, bool, error) {
		next, told := int(from/layout.PageSize), map[int64]bool{}
		return func() (list []RecipientContent, more bool, err error) {
			list, err = read(ctx, i.store, func(q querier) ([]RecipientContent, error) {
				pages, err := collect(ctx, q, attempted(scanPage), selectPages, push, next, pagesAtOnce)
				if err != nil || len(pages) == 0 {
					return nil, err
				}
				tail := replayed{firstPage: next, words: make([][layout.PageSize]storage.Progress, pagesAtOnce), told: told}
				r := eventReader{kinds: i.store.writer.kinds, ctx: ctx, q: q}
				if err := tail.replay(&r, push); err != nil {
					return nil, err
				}
				list := tail.damaged
				for _, p := range pages {
					if p.row.page > next { // one is missing
						list = append(list, RecipientContent{Ordinal: uint32(next * layout.PageSize),
							Damage: errDamaged("recipient_page", int64(next)).Error()})
						next, more = p.row.page, true
						return list, nil
					}
					if list, err = r.appendRecipients(list, push, p, &tail, from); err != nil {
						return nil, err
					}
					next = p.row.page + 1
				}
				more = len(pages) == pagesAtOnce
				return list, nil
			})
			return list, more, err
		}
	})
}

// appendRecipients appends a page of recipients.
func (r *eventReader) appendRecipients(list []RecipientContent, push int64, p attempt[pageRow], tail *replayed, from uint32,
) ([]RecipientContent, error) {
	start := uint32(p.row.page * layout.PageSize)
	if p.damage != "" {
		return append(list, RecipientContent{Ordinal: start, Damage: fmt.Sprintf("recipient_page %d: %s", p.row.page, p.damage)}), nil
	}
	words, err := readProgress(r.ctx, r.q, push, p.row.page)
	damage, err := damageOf(err)
	if err != nil {
		return nil, err
	}
	if damage != "" {
		damage = fmt.Sprintf("progress_page %d: %s", p.row.page, damage)
	}
	for at := range p.row.ids.Len() {
		ordinal := start + uint32(at)
		if ordinal < from {
			continue
		}
		folded := storage.Progress(words[at])
		list = append(list, RecipientContent{Ordinal: ordinal, RegistrationID: p.row.ids.ID(at), Folded: milestonesOf(folded),
			Now: milestonesOf(folded | tail.of(ordinal)), Damage: damage})
	}
	return list, nil
}

// replayed is what the end of the log, which is not folded, adds to the progress of neighbouring pages.
type replayed struct {
	firstPage int
	words     [][layout.PageSize]storage.Progress
	told      map[int64]bool // segments whose damage was told
	damaged   []RecipientContent
}

// of returns the word of a recipient.
func (p *replayed) of(ordinal uint32) storage.Progress {
	return p.words[int(ordinal/layout.PageSize)-p.firstPage][ordinal%layout.PageSize]
}

func (p *replayed) replay(r *eventReader, push int64) error {
	after, err := first(r.ctx, r.q, value[int64], `SELECT sequence FROM fold`)
	for more := true; more && err == nil; {
		var segments []inspectedSegment
		segments, err = segmentsOf(r.ctx, r.q, push, nil, after)
		for _, s := range segments {
			damage := s.damage
			if damage == "" {
				damage, err = p.set(r, s.row)
			}
			if damage != "" && !p.told[s.row.sequence] {
				p.told[s.row.sequence] = true
				p.damaged = append(p.damaged, RecipientContent{Damage: fmt.Sprintf("segment %d: %s", s.row.sequence, damage)})
			}
			if after = s.row.sequence; err != nil {
				break
			}
		}
		more = len(segments) == inspectedPerRead
	}
	return err
}

// set sets the bits of a segment's events.
func (p *replayed) set(r *eventReader, s loggedSegment) (damage string, err error) {
	for at := range s.Len() {
		packed := s.Event(at)
		page := int(packed.Ordinal/layout.PageSize) - p.firstPage
		if page < 0 || page >= len(p.words) {
			continue
		}
		var c storage.Callback
		err := r.fillCallback(&c, packed, s.sequence+int64(at))
		why, err := damageOf(err)
		if err != nil {
			return damage, err
		}
		if why != "" {
			damage = why
			continue
		}
		word := &p.words[page][packed.Ordinal%layout.PageSize]
		*word = word.With(int(s.DispatchOf(packed).Step), c.Milestone)
	}
	return damage, nil
}

// DispatchContent is a dispatch and whom it goes to.
type DispatchContent struct {
	ID         int64                 `json:"id"`
	Step       int                   `json:"step"`
	Chunk      int                   `json:"chunk"`
	State      storage.DispatchState `json:"state"`
	Attempt    int                   `json:"attempt"`
	UpstreamID string                `json:"upstream_id,omitempty"`
	DueTime    time.Time             `json:"due_time"`
	SentTime   time.Time             `json:"sent_time,omitzero"`
	Variant    string                `json:"variant,omitempty"`
	// PlainContent says that a template failed for the recipients; Override is the message that this one replaces.
	PlainContent bool   `json:"plain_content,omitempty"`
	Override     string `json:"override,omitempty"`
	// Singles counts the messages of a batch; Taken those that EngageLab took, SinglesRefused those that it refused.
	Singles        int `json:"singles,omitempty"`
	Taken          int `json:"taken,omitempty"`
	SinglesRefused int `json:"singles_refused,omitempty"`
	// Recipients are the first and the last ordinal of each run of neighbours; nil stands for the whole audience.
	Recipients [][2]uint32 `json:"recipients"`
	Damage     string      `json:"damage,omitempty"` // why the recipients can't be told; empty if they can
}

// dispatchesAtOnce is how many dispatches are held in memory: each may have content of its own.
const dispatchesAtOnce = 64

// Dispatches lists the dispatches of a push in the order of their ids.
func (i *Inspector) Dispatches(ctx context.Context, push int64, limit int) iter.Seq2[DispatchContent, error] {
	return paged(limit, func() func() ([]DispatchContent, bool, error) {
		after := int64(0)
		return func() (page []DispatchContent, more bool, err error) {
			page, err = read(ctx, i.store, func(q querier) ([]DispatchContent, error) {
				rows, err := collect(ctx, q, attempted(scanDispatch), selectDispatches, push, after, dispatchesAtOnce)
				for _, d := range rows {
					after = d.row.ID
					c, broken := dispatchContent(ctx, q, d)
					page, err = append(page, c), errors.Join(err, broken)
				}
				return page, err
			})
			return page, len(page) == dispatchesAtOnce, err
		}
	})
}

// dispatchContent puts together what is kept of a dispatch.
func dispatchContent(ctx context.Context, q querier, d attempt[storage.Dispatch]) (DispatchContent, error) {
	c := DispatchContent{ID: d.row.ID, Step: d.row.Step, Chunk: d.row.Chunk, State: d.row.State, Attempt: d.row.Attempt,
		UpstreamID: d.row.UpstreamID, DueTime: d.row.DueTime, SentTime: d.row.SentTime, Variant: d.row.Variant,
		PlainContent: d.row.PlainContent, Override: d.row.Override, Recipients: runs(d.row.Recipients), Damage: d.damage}
	singles, err := singlesOf(ctx, q, d.row.ID)
	damage, err := damageOf(err)
	if err != nil {
		return c, err
	}
	results, err := resultsOf(ctx, q, d.row.ID)
	why, err := damageOf(err)
	if c.Damage == "" {
		c.Damage = cmp.Or(damage, why)
	}
	c.Singles = len(singles)
	for _, r := range results {
		if r.Refused {
			c.SinglesRefused++
		} else {
			c.Taken++
		}
	}
	return c, err
}

// runs returns the first and the last of each run of neighbours; nil for nil.
func runs(ordinals []uint32) [][2]uint32 {
	var list [][2]uint32
	if ordinals != nil {
		list = [][2]uint32{}
	}
	for _, o := range ordinals {
		if n := len(list); n > 0 && list[n-1][1]+1 == o {
			list[n-1][1] = o
		} else {
			list = append(list, [2]uint32{o, o})
		}
	}
	return list
}
