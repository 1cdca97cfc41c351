package delivery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

const (
	// statusPage is how many messages, or recipients of one, EngageLab is asked about at once.
	statusPage = engagelab.MaxStatusIDs

	// roundCalls is after how many calls a round of a reconciliation ends, about.
	roundCalls = 100

	// statusCalls bounds a round's calls in flight.
	statusCalls = 8

	// askWithin bounds one call, its retries included, in real time.
	askWithin = 10 * time.Second
)

var (
	// errNoAnswer says that EngageLab does not tell who reacted.
	errNoAnswer = errors.New("EngageLab does not answer")

	// errSilent says that it was not asked, since it did not answer a moment ago.
	errSilent = fmt.Errorf("%w, nor did it a moment ago", errNoAnswer)

	// errUnknownMessage says that EngageLab has no statistics of messages of which no callback came either.
	errUnknownMessage = fmt.Errorf("%w about some of the messages, and no callbacks came of these", errNoAnswer)
)

// round is one turn of a reconciliation.
type round struct {
	*Service
	*reconciliation
	terms policy.Policy
	calls int
	// asked says that it was about recipients: a round does that once at least, however many calls it took to find out whom to
	// ask about.
	asked bool
	page  []storage.Recipient // read last, as they were then
}

// progress is how far a dispatch came in a round.
type progress int

const (
	unfinished progress = iota // the round has made its share of calls
	settled
	unknown // neither callbacks nor EngageLab tell anything of it
)

// run compares dispatch after dispatch, until all are done or it has made its share of calls. Its error is errNoAnswer if
// EngageLab is the cause; the next round goes on where this one stopped.
func (r *round) run(ctx context.Context) (done bool, err error) {
	ctx = engagelab.Yielding(ctx)
	for {
		page, err := r.next(ctx)
		if err != nil {
			return false, err
		}
		if len(page) == 0 && len(r.unknown) == 0 {
			return true, nil
		}
		if len(page) == 0 {
			r.again, r.unknown = r.unknown, nil
			return false, errUnknownMessage
		}
		details, err := r.details(ctx, upstreamIDs(page))
		if err != nil {
			return false, err
		}
		for _, dispatch := range page {
			p, err := r.compare(ctx, dispatch, details)
			if err != nil || p == unfinished {
				return false, err
			}
			r.settle(dispatch.ID, p == settled)
		}
	}
}

// next returns the dispatches that EngageLab is asked about next, at most statusPage.
func (r *round) next(ctx context.Context) ([]storage.Dispatch, error) {
	if !r.walked {
		page, err := r.Store.ListDispatches(ctx, r.push.ID, r.after, statusPage)
		if err != nil || len(page) > 0 {
			return page, err
		}
		r.walked = true
	}
	var page []storage.Dispatch
	for _, id := range r.again[:min(len(r.again), statusPage)] {
		one, err := r.Store.ListDispatches(ctx, r.push.ID, id-1, 1)
		if err != nil {
			return nil, err
		}
		page = append(page, one...)
	}
	return page, nil
}

func upstreamIDs(dispatches []storage.Dispatch) []string {
	var ids []string
	for _, d := range dispatches {
		if d.UpstreamID != "" {
			ids = append(ids, d.UpstreamID)
		}
	}
	return ids
}

// compare asks about a dispatch's recipients if EngageLab counts more of them than the callbacks told of, or none came of it.
func (r *round) compare(ctx context.Context, d storage.Dispatch, details map[string]engagelab.StatusDetail) (progress, error) {
	switch {
	case d.UpstreamID == "" && d.Step == 0:
		return settled, nil
	case d.UpstreamID == "": // it was not taken, or is a batch
		return r.askAboutSingles(ctx, d)
	case r.ordinal > 0:
		return r.askAbout(ctx, d)
	}
	recipients, heard, reached, err := r.ours(ctx, d)
	if err != nil {
		return unfinished, err
	}
	detail, known := details[d.UpstreamID]
	switch {
	case recipients == 0, heard && (!known || theirs(detail.Totals, r.milestone) <= int64(reached)):
		return settled, nil
	case !known:
		return unknown, nil
	default:
		return r.askAbout(ctx, d)
	}
}

// theirs is how many EngageLab counts at a milestone. What it counts beyond that reached it too.
func theirs(t engagelab.Totals, milestone storage.Milestone) int64 {
	switch milestone {
	case storage.Delivered:
		return max(t.Delivered, t.Impressions, t.Clicks)
	case storage.Displayed:
		return max(t.Impressions, t.Clicks)
	default:
		return t.Clicks
	}
}

// ours counts a dispatch's recipients, and those who reached the milestone with it. It is heard of once any callback came.
func (r *round) ours(ctx context.Context, d storage.Dispatch) (recipients int, heard bool, reached int, err error) {
	for from, more := uint32(0), true; more; {
		var some []storage.Recipient
		if some, from, more, err = r.recipients(ctx, d, from); err != nil {
			return 0, false, 0, err
		}
		recipients += len(some)
		for _, recipient := range some {
			milestones := recipient.Progress.At(d.Step)
			heard = heard || milestones != 0
			if milestones.Has(r.milestone) {
				reached++
			}
		}
	}
	return recipients, heard, reached, nil
}

// recipients returns some of a dispatch's recipients with from ≤ ordinal, where to go on after them, and whether there are more.
// Those of a dispatch to a whole audience are all that are known.
func (r *round) recipients(
	ctx context.Context, d storage.Dispatch, from uint32,
) (some []storage.Recipient, next uint32, more bool, err error) {
	wanted := d.Recipients
	if wanted != nil {
		i, _ := slices.BinarySearch(wanted, from)
		if wanted = wanted[i:]; len(wanted) == 0 {
			return nil, from, false, nil
		}
		from = wanted[0]
	}
	if n := len(r.page); n == 0 || from < r.page[0].Ordinal || from > r.page[n-1].Ordinal {
		if r.page, err = r.Store.ScanRecipients(ctx, r.push.ID, from, planSlice); err != nil {
			return nil, from, false, err
		}
	}
	i, _ := slices.BinarySearchFunc(r.page, from, func(recipient storage.Recipient, ordinal uint32) int {
		return int(recipient.Ordinal) - int(ordinal)
	})
	page := r.page[i:]
	if len(page) == 0 {
		return nil, from, false, nil
	}
	next, more = page[len(page)-1].Ordinal+1, len(r.page) == planSlice
	if wanted == nil {
		return page, next, more, nil
	}
	for _, recipient := range page {
		for len(wanted) > 0 && wanted[0] < recipient.Ordinal {
			wanted = wanted[1:]
		}
		if len(wanted) > 0 && wanted[0] == recipient.Ordinal {
			some = append(some, recipient)
		}
	}
	return some, next, more && len(wanted) > 0 && wanted[len(wanted)-1] >= next, nil
}

// open are those of the recipients who have not reached the milestone in any step.
func (r *round) open(recipients []storage.Recipient) []storage.Recipient {
	var open []storage.Recipient
	for _, recipient := range recipients {
		if !recipient.Progress.InAnyStep().Has(r.milestone) {
			open = append(open, recipient)
		}
	}
	return open
}

// askAbout asks how far a message came with each recipient who may have reacted, and records what is new.
func (r *round) askAbout(ctx context.Context, d storage.Dispatch) (progress, error) {
	for from, more := r.ordinal, true; more; {
		var some []storage.Recipient
		var err error
		if some, from, more, err = r.recipients(ctx, d, from); err != nil {
			return unfinished, err
		}
		for group := range slices.Chunk(r.open(some), statusCalls*statusPage) {
			if r.calls >= roundCalls && r.asked {
				r.ordinal = group[0].Ordinal
				return unfinished, nil
			}
			known, err := r.askGroup(ctx, d, group)
			if err != nil {
				r.ordinal = group[0].Ordinal
				return unfinished, err
			}
			if !known {
				return unknown, nil
			}
		}
	}
	return settled, nil
}

// askGroup asks about some recipients of a message in several calls at once. What is learnt is recorded, also if a call fails.
func (r *round) askGroup(ctx context.Context, d storage.Dispatch, group []storage.Recipient) (known bool, err error) {
	pages := slices.Collect(slices.Chunk(group, statusPage))
	r.calls, r.asked = r.calls+len(pages), true
	answers := make([]map[string]engagelab.StatusMessage, len(pages))
	failures := make([]error, len(pages))
	var calls errgroup.Group
	for i, page := range pages {
		calls.Go(func() error {
			answers[i], failures[i] = r.status(ctx, d.UpstreamID, page)
			return nil
		})
	}
	_ = calls.Wait() // failures holds the errors
	known = true
	var rows []storage.Callback
	for i, page := range pages {
		switch {
		case refused(failures[i]):
			known = false
			continue
		case failures[i] != nil:
			err = fmt.Errorf("%w: %w", errNoAnswer, failures[i])
			continue
		}
		for _, recipient := range page {
			answer, told := answers[i][recipient.RegistrationID]
			rows = r.learn(rows, d.Step, recipient, told, storage.Callback{
				UpstreamID: d.UpstreamID, Status: answer.Status, ErrorMessage: answer.ErrorMessage,
			})
		}
	}
	return known, errors.Join(r.record(ctx, rows), err)
}

func (r *round) status(ctx context.Context, upstreamID string, page []storage.Recipient) (map[string]engagelab.StatusMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	return r.Apps[r.push.App].Sender.StatusMessage(ctx, upstreamID, registrationIDs(page))
}

// askAboutSingles asks about those messages of a batch that EngageLab took. The totals of a message to one recipient tell how far
// it came.
func (r *round) askAboutSingles(ctx context.Context, d storage.Dispatch) (progress, error) {
	p := settled
	for from, more := r.ordinal, true; more; {
		var some []storage.Recipient
		var err error
		if some, from, more, err = r.recipients(ctx, d, from); err != nil {
			return unfinished, err
		}
		singles, err := r.messagesTo(ctx, d.Step, r.open(some))
		if err != nil {
			return unfinished, err
		}
		for group := range slices.Chunk(singles, statusPage) {
			if r.calls >= roundCalls && r.asked {
				r.ordinal = group[0].recipient.Ordinal
				return unfinished, nil
			}
			known, err := r.askSingles(ctx, d.Step, group)
			if err != nil {
				r.ordinal = group[0].recipient.Ordinal
				return unfinished, err
			}
			if !known {
				p = unknown
			}
		}
	}
	return p, nil
}

// single is a message of a batch.
type single struct {
	recipient  storage.Recipient
	upstreamID string
}

// messagesTo finds the messages of a step's batch to the recipients.
func (r *round) messagesTo(ctx context.Context, step int, recipients []storage.Recipient) ([]single, error) {
	taken, err := r.singlesOf(ctx, r.push.ID, step, ordinals(recipients))
	if err != nil {
		return nil, err
	}
	var singles []single
	for _, recipient := range recipients {
		if id := taken[recipient.Ordinal]; id != "" {
			singles = append(singles, single{recipient, id})
		}
	}
	return singles, nil
}

func (r *round) askSingles(ctx context.Context, step int, group []single) (known bool, err error) {
	ids := make([]string, len(group))
	for i, one := range group {
		ids[i] = one.upstreamID
	}
	r.asked = true
	details, err := r.details(ctx, ids)
	if err != nil {
		return false, err
	}
	known = true
	var rows []storage.Callback
	for _, one := range group {
		detail, told := details[one.upstreamID]
		known = known && (told || one.recipient.Progress.At(step) != 0)
		rows = r.learn(rows, step, one.recipient, told, storage.Callback{
			UpstreamID: one.upstreamID, Status: furthest(detail.Totals),
		})
	}
	return known, r.record(ctx, rows)
}

// furthest names how far a message to one recipient came; empty if EngageLab counts nothing yet.
func furthest(t engagelab.Totals) string {
	switch {
	case t.Clicks > 0:
		return "clicked"
	case t.Impressions > 0:
		return "displayed"
	case t.Delivered > 0:
		return "delivered"
	case t.Sent > 0:
		return "sent"
	default:
		return ""
	}
}

// learn adds what EngageLab told of a recipient to the rows, as a callback would have told it, if it is new. EngageLab does not
// tell when it happened, only that it was after the step: an earlier time revives no device that has died since.
func (r *round) learn(
	rows []storage.Callback, step int, recipient storage.Recipient, told bool, row storage.Callback,
) []storage.Callback {
	milestone := r.name(row.Status).milestone
	switch {
	case !told || milestone == storage.MilestoneUnknown:
		r.Metrics.reconciled(r.push.App, "nothing")
		return rows
	case recipient.Progress.At(step).Has(milestone):
		r.Metrics.reconciled(r.push.App, "known")
		return rows
	case storage.MilestonesOf(milestone).Implied().Has(r.milestone):
		r.Metrics.reconciled(r.push.App, "reached")
	default:
		r.Metrics.reconciled(r.push.App, "not_reached")
	}
	row.RegistrationID, row.Time = recipient.RegistrationID, r.push.FirstSentTime
	if step > 0 {
		row.Time = row.Time.Add(r.terms.Offset(step - 1))
	}
	return append(rows, row)
}

// record stores rows as callbacks. When the real ones come, they are repetitions.
func (r *round) record(ctx context.Context, rows []storage.Callback) error {
	r.page = nil // its progress has changed
	_, err := r.RecordCallbacks(ctx, r.push.App, rows)
	return err
}

// details returns the statistics of messages, as many as EngageLab takes at once. Those that it does not know are missing. If
// it refuses to answer because of some of them, the others are asked for without.
func (r *round) details(ctx context.Context, ids []string) (map[string]engagelab.StatusDetail, error) {
	if len(ids) == 0 {
		return nil, nil //nolint:nilnil // nothing is known of nothing
	}
	r.calls++
	asking, cancel := context.WithTimeout(ctx, askWithin)
	details, err := r.Apps[r.push.App].Sender.StatusDetail(asking, ids)
	cancel()
	switch {
	case err == nil:
		return details, nil
	case !refused(err):
		return nil, fmt.Errorf("%w: %w", errNoAnswer, err)
	case len(ids) == 1:
		return nil, nil //nolint:nilnil // see above
	}
	details = make(map[string]engagelab.StatusDetail)
	for half := range slices.Chunk(ids, (len(ids)+1)/2) {
		some, err := r.details(ctx, half)
		if err != nil {
			return nil, err
		}
		maps.Copy(details, some)
	}
	return details, nil
}

// refused reports whether EngageLab will never answer a question. It answers none without the right credentials, but then the
// question is not at fault.
func refused(err error) bool {
	refusal := permanent(err)
	return refusal != nil && refusal.HTTPStatus != http.StatusUnauthorized && refusal.HTTPStatus != http.StatusForbidden
}
