package delivery

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/storage"
)

const (
	// batchWithin is how long the quota may take to have room for what is posted of a batch at once, in the clock's time.
	batchWithin = handover / 2

	// maxBatch bounds what is posted of a batch at once, in bytes, but for one message that is longer by itself.
	maxBatch = 2 << 20
)

var (
	// errTooMany says that only a part of a batch was posted yet.
	errTooMany = errors.New("the batch is longer than what is posted at once")

	// errUnmentioned says that EngageLab's answer leaves some of a batch out.
	errUnmentioned = errors.New("EngageLab's answer does not mention all of the batch")
)

// requestSingles posts a batch of single messages, as many as there is room for at once, and returns what became of them. Its
// error says why the others have no result yet; it is nil when there are none.
func (s *Service) requestSingles(ctx context.Context, claim storage.Claim) ([]storage.SingleResult, error) {
	requests, err := s.singles(ctx, claim)
	if err != nil {
		return nil, err
	}
	body, err := engagelab.BuildBatch(requests)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnusable, err)
	}
	answer, err := s.Apps[claim.Push.App].Sender.BatchPush(ctx, engagelab.BatchRegID, body, len(requests))
	if err != nil {
		return nil, err
	}
	results, err := readSingles(claim.Recipients[:len(requests)], answer, claim.Dispatch.State == storage.DispatchSending)
	if err == nil && len(requests) < len(claim.Recipients) {
		err = errTooMany
	}
	return results, err
}

// singles lays the contents of a batch over its push, for as many recipients as are posted at once.
func (s *Service) singles(ctx context.Context, claim storage.Claim) ([]engagelab.BatchRequest, error) {
	push, err := engagelab.ParseDocument(claim.Push.Document)
	if err != nil {
		return nil, fmt.Errorf("%w: stored push: %w", errUnusable, err)
	}
	app, collapse := s.Apps[claim.Push.App], s.pinnedCollapseID(claim.Push)
	share := app.quota() / float64(s.Nodes())
	room := min(max(int(share*batchWithin.Seconds()), 1), engagelab.MaxBatchTargets, len(claim.Recipients))
	size := 0
	requests := make([]engagelab.BatchRequest, 0, room)
	for i, recipient := range claim.Recipients[:room] {
		single := claim.Dispatch.Singles[i]
		document, err := layContent(push, single.Content)
		if err != nil {
			return nil, fmt.Errorf("%w: stored push: %w", errUnusable, err)
		}
		size += len(claim.Push.Document) + len(single.Content)
		if i > 0 && size > maxBatch {
			break
		}
		override, err := s.overrideFor(ctx, claim.Push.App, document, single.Override)
		if err != nil {
			return nil, err
		}
		requests = append(requests, engagelab.BatchRequest{
			BatchItem: engagelab.BatchItem{Target: recipient.RegistrationID, Document: document}, Request: engagelab.Request{
				CallbackURL: app.CallbackURL, OverrideMsgID: override, CollapseID: collapse,
				CID: singleCID(claim.Push.ID, claim.Dispatch.Step, claim.Dispatch.Chunk, recipient.Ordinal),
			},
		})
	}
	return requests, nil
}

// readSingles reads what EngageLab answered about each recipient. In doubt, an earlier request may have been taken; a refusal
// does not say that it was not, and is no result. The error is for those without one, and is the one that leaves the most open.
func readSingles(
	recipients []storage.Recipient, answer engagelab.BatchResponse, doubt bool,
) (results []storage.SingleResult, err error) {
	var refused, later, unmentioned error
	for _, recipient := range recipients {
		target, mentioned := answer.Results[recipient.RegistrationID]
		failure := &engagelab.Error{HTTPStatus: http.StatusBadRequest, Code: target.Code, Message: target.Message}
		switch {
		case target.Success && target.MsgID != "":
			results = append(results, storage.SingleResult{Ordinal: recipient.Ordinal, UpstreamID: target.MsgID.String()})
		case !mentioned, target.Success, target.Code == 0 && target.Message == "":
			unmentioned = errUnmentioned
		case target.Temporary():
			failure.HTTPStatus = http.StatusTooManyRequests
			later = failure
		case doubt:
			refused = failure
		default:
			results = append(results, storage.SingleResult{Ordinal: recipient.Ordinal, Refusal: permanent(failure)})
		}
	}
	for _, err := range []error{unmentioned, later, refused} {
		if err != nil {
			return results, err
		}
	}
	return results, nil
}

// singlesOf returns what EngageLab calls a step's single messages to the given ordinals, which ascend, as far as it took them.
func (s *Service) singlesOf(ctx context.Context, push int64, step int, ordinals []uint32) (map[uint32]string, error) {
	taken := make(map[uint32]string)
	for len(ordinals) > 0 {
		first := ordinals[0]
		n, _ := slices.BinarySearch(ordinals, first+storage.MaxPage)
		latest, err := s.lastMessages(ctx, push, step+1, first, ordinals[n-1])
		if err != nil {
			return nil, err
		}
		before, err := s.lastMessages(ctx, push, step, first, ordinals[n-1]) // who did not get the step has the same in both
		if err != nil {
			return nil, err
		}
		for _, ordinal := range ordinals[:n] {
			if id := latest[ordinal]; id != "" && id != before[ordinal] {
				taken[ordinal] = id
			}
		}
		ordinals = ordinals[n:]
	}
	return taken, nil
}

func (s *Service) lastMessages(ctx context.Context, push int64, step int, first, last uint32) (map[uint32]string, error) {
	messages, err := s.Store.LastMessages(ctx, push, step, first, int(last-first)+1)
	byOrdinal := make(map[uint32]string, len(messages))
	for _, message := range messages {
		byOrdinal[message.Ordinal] = message.UpstreamID
	}
	return byOrdinal, err
}
